// Listens to the server's events while someone is signed in: reads the stream, notices when it has died, and comes
// back without a stampede. An event is a hint that something is new; what is new is asked for.
import type { Sessions, SignIn } from './account.ts';
import { backoffMs } from './backoff.ts';
import { type Clock, minutes, seconds, sleep } from './clock.ts';
import type { Connect } from './connect.ts';
import { asCreditsError, CreditsError } from './errors.ts';
import { type Disposable, Emitter, Owned, once } from './event.ts';
import type { CreditsEvent } from './eventReader.ts';
import type { Log } from './log.ts';

export interface EventStreamMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** The cap keeps a day of refusals to some 200 requests; a refresh that succeeds brings the stream back at once. */
const BACKOFF = { baseMs: seconds(2), capMs: minutes(15) };

/** A stream that ends sooner than this has not really stood, and counts as a failure. */
const STOOD_MS = seconds(10);

export class EventStream {
  readonly #means: EventStreamMeans;
  readonly #owned = new Owned();
  readonly #received = this.#owned.own(new Emitter<CreditsEvent>());
  readonly #liveness = this.#owned.own(new Emitter<boolean>());
  /** Whether the stream stands after a try. */
  readonly #tried = this.#owned.own(new Emitter<boolean>());
  #running: { signIn: SignIn; controller: AbortController } | undefined;
  /** While a pause may be ended. */
  #wake: (() => void) | undefined;
  #isTrying = false;
  #isLive = false;

  readonly onDidReceive = this.#received.event;
  /** True when the stream has come up, false when it has gone. */
  readonly onDidChangeLiveness = this.#liveness.event;

  constructor(means: EventStreamMeans) {
    this.#means = means;
    this.#owned.own(means.sessions.onDidChange(() => this.#follow()));
    this.#follow();
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /**
   * The next try need not wait.
   * @returns whether the stream stands then; false as well where it may not be tried now (a pause the server asked for)
   */
  async hurry(): Promise<boolean> {
    if (this.#isLive || !(this.#isTrying || this.#wake)) {
      return this.#isLive;
    }
    const tried = once(this.#tried.event);
    this.#wake?.();
    return await tried;
  }

  dispose(): void {
    this.#stop();
    this.#owned.dispose();
  }

  #follow(): void {
    const signIn = this.#means.sessions.current;
    if (signIn === this.#running?.signIn) {
      return;
    }
    this.#stop();
    if (signIn) {
      const controller = new AbortController();
      this.#running = { signIn, controller };
      void this.#run(signIn, controller.signal);
    }
  }

  #stop(): void {
    this.#running?.controller.abort();
    this.#running = undefined;
    this.#isTrying = false;
    this.#wake = undefined;
    this.#setLive(false);
    this.#tried.fire(false);
  }

  async #run(signIn: SignIn, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#means;
    const place: Place = { lastEventId: undefined };
    let failures = 0;
    while (!signal.aborted) {
      const startedMs = clock.monotonic();
      let error: CreditsError | undefined;
      this.#isTrying = true;
      try {
        await this.#read(signIn, place, signal);
      } catch (caught) {
        error = asCreditsError(caught);
      }
      if (signal.aborted) {
        return;
      }
      this.#isTrying = false;
      const wasLive = this.#isLive;
      this.#setLive(false);
      this.#tried.fire(false);
      const stood = wasLive && clock.monotonic() - startedMs >= STOOD_MS;
      failures = stood ? 1 : failures + 1;
      if (error) {
        log.info(`events: ${error.message}`);
      }
      if (error && !error.mayHeal) {
        // Refused for good (a token taken back, no such stream): polling goes on, a new sign-in starts anew.
        return;
      }
      const waitMs = (error?.retryAfterMs ?? 0) + backoffMs(BACKOFF, failures, random);
      // A gateway's page may stand there for good: it is not asked again at each poll.
      const isPage = error?.found === 'html' && (error.status === 404 || error.status === 403);
      await this.#pause(waitMs, isPage || error?.retryAfterMs !== undefined, signal);
    }
  }

  /** Waits for the next try; `hurry` ends it, unless the time is fixed, such as by the server. */
  async #pause(ms: number, isFixed: boolean, signal: AbortSignal): Promise<void> {
    const hurried = new AbortController();
    this.#wake = isFixed ? undefined : () => hurried.abort();
    await sleep(this.#means.clock, ms, AbortSignal.any([signal, hurried.signal]));
    this.#wake = undefined;
  }

  /** Reads one connection to its end. Returns when the server ended it, throws when it failed. */
  async #read(signIn: SignIn, place: Place, signal: AbortSignal): Promise<void> {
    const { clock, connect, log } = this.#means;
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const [client, { DEAD_AFTER_MS, eventReader }] = await Promise.all([
      connect(signIn),
      import('./eventReader.ts'),
    ]);
    const body = await client.openEvents(signIn.account.orgId, place.lastEventId, either);
    const reader = body.getReader();
    let died = false;
    let watch: Disposable | undefined;
    const beat = () => {
      watch?.dispose();
      watch = clock.after(DEAD_AFTER_MS)(() => {
        died = true;
        ended.abort();
      });
    };
    // Cancelling the reader ends a pending read even where fetch does not mind its signal.
    const cancel = () => void reader.cancel().catch(() => undefined);
    either.addEventListener('abort', cancel, { once: true });
    try {
      if (either.aborted) {
        return;
      }
      beat();
      this.#setLive(true);
      const read = eventReader({
        onId: id => {
          place.lastEventId = id;
        },
        onEvent: event => {
          if (event.name === 'resync') {
            place.lastEventId = undefined;
          }
          this.#received.fire(event);
        },
        onUnreadable: name => log.warn(`events: ${name} could not be read`),
      });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          break;
        }
        beat();
        read(value);
      }
    } finally {
      watch?.dispose();
      either.removeEventListener('abort', cancel);
      ended.abort();
      cancel();
    }
    if (died) {
      throw new CreditsError('timeout', { cause: 'HEARTBEAT_MISSED' });
    }
  }

  #setLive(isLive: boolean): void {
    if (this.#isLive !== isLive) {
      this.#isLive = isLive;
      this.#means.log.trace(`events: ${isLive ? 'connected' : 'disconnected'}`);
      this.#liveness.fire(isLive);
      if (isLive) {
        this.#tried.fire(true);
      }
    }
  }
}

/** Where in the stream we are; outlives one connection. */
interface Place {
  lastEventId: string | undefined;
}
