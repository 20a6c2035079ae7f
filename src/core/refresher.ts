// Decides when to ask the server again: at a sign-in, on an event, on focus, and by the clock only while there is no
// stream. Signed out, it does nothing at all.
import type { Sessions, SignIn } from './account.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import { type Balance, lastReading, type Told } from './balance.ts';
import { type Clock, minutes, seconds } from './clock.ts';
import type { CreditsStore } from './creditsStore.ts';
import { type Disposable, type Event, Owned } from './event.ts';
import type { CreditsEvent } from './eventReader.ts';

/** Whether the person is looking at this window. */
export interface Attention {
  readonly isFocused: boolean;
  /** Fires when the window gains the focus. */
  readonly onDidFocus: Event<void>;
}

/** The stream as seen from here. */
export interface Hints {
  readonly isLive: boolean;
  readonly onDidReceive: Event<CreditsEvent>;
  readonly onDidChangeLiveness: Event<boolean>;
  /** Tries now rather than later. @returns whether the stream stands then */
  hurry(): Promise<boolean>;
}

export interface RefresherMeans {
  readonly sessions: Sessions;
  readonly store: CreditsStore;
  readonly hints: Hints;
  readonly attention: Attention;
  /** Something used credits: worth a question soon. */
  readonly hinted?: Event<void>;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Coming back to the window asks again only when the figure is older than this. */
const FRESH_MS = seconds(30);

/** A stream that has told nothing by now will not tell the version first. */
const FIRST_EVENT_MS = seconds(3);

/** A figure that the stream confirms is asked for again only when what it does not tell (budgets, the runway, a period's
 * end) may have changed; and then not at once, because after an outage the stream of everyone is back. */
const CONFIRMED_MS = minutes(10);
const ASKED_WITHIN_MS = minutes(5);

/** Without a stream, while the window is looked at. Never more than one request a minute. */
const POLL_MS = minutes(1);

/** Model calls come in bursts, each with an event of its own: the first is heard at once, the rest together. */
const HINT_GAP_MS = seconds(2);

/** A try that reaches nobody costs nobody; one that a struggling server has to refuse does. */
const OFFLINE_BACKOFF: Backoff = { baseMs: seconds(4), capMs: minutes(2) };
const REFUSED_BACKOFF: Backoff = { baseMs: seconds(4), capMs: minutes(15) };

/** What is refused until someone changes something at the organisation's side. */
const FORBIDDEN_POLL_MS = minutes(15);

/** What may be bought changes rarely; a role taken away is noticed by the server in any case. */
const OPTIONS_FRESH_MS = minutes(10);
const OPTIONS_BACKOFF: Backoff = { baseMs: seconds(4), capMs: OPTIONS_FRESH_MS };

export class Refresher {
  readonly #means: RefresherMeans;
  readonly #owned = new Owned();
  #timer: Disposable | undefined;
  #hintTimer: Disposable | undefined;
  #hintVersion = 0;
  /** While a stream has just come up and told nothing yet. */
  #opening: Disposable | undefined;
  /** While what a stream has confirmed, or what nobody may be looking at, is still to be asked for. */
  #later: Disposable | undefined;
  #failures = 0;
  /** A stream came up and has not told yet whether the figure is true. */
  #hasOpened = false;
  #isOver = false;
  #lastHintMs = Number.NEGATIVE_INFINITY;
  #optionsAtMs = Number.NEGATIVE_INFINITY;
  /** While what may be bought could not be asked for. */
  #optionsTimer: Disposable | undefined;
  #optionsFailures = 0;
  /** Whose options are being asked for. */
  #optionsOf: SignIn | undefined;

  constructor(means: RefresherMeans) {
    this.#means = means;
    const { sessions, hints, attention } = means;
    this.#owned.own(sessions.onDidChange(() => this.#begin()));
    this.#owned.own(hints.onDidReceive(event => this.#heard(event)));
    this.#owned.own(
      hints.onDidChangeLiveness(isLive => {
        this.#opening?.dispose();
        this.#opening = undefined;
        if (isLive) {
          // A stream begins by telling the balance's version: where that is known, an outage that ends for many makes
          // one question of each, not two. A server that tells nothing is asked.
          this.#opening = means.clock.after(FIRST_EVENT_MS)(() => this.#opened());
        }
        this.#arm();
      }),
    );
    this.#owned.own(attention.onDidFocus(() => this.#focused()));
    if (means.hinted) {
      this.#owned.own(means.hinted(() => this.#hint(0)));
    }
    this.#begin();
  }

  dispose(): void {
    this.#isOver = true;
    this.#disarm();
    this.#owned.dispose();
  }

  #begin(): void {
    this.#disarm();
    this.#failures = 0;
    this.#hintVersion = 0;
    this.#optionsAtMs = Number.NEGATIVE_INFINITY;
    const { sessions, store, clock } = this.#means;
    if (sessions.current) {
      if (this.#isConfirmable()) {
        // Taken over from another window: what its stream does not tell, the new one will, and then nothing is asked.
        this.#opening = clock.after(FIRST_EVENT_MS)(() => this.#opened());
      } else {
        void this.#ask();
      }
      if (store.state.options) {
        // Taken over from another window with what it was told: on a busy machine the lead moves often.
        this.#optionsAtMs = clock.monotonic();
      } else {
        this.#askOptions();
      }
    }
  }

  #heard(event: CreditsEvent): void {
    switch (event.name) {
      case 'balance.updated': {
        const { version } = event.data;
        const last = lastReading(this.#means.store.state.balance);
        if (last && version < last.snapshot.version) {
          // What a stream that resumes had missed, and we had not.
        } else if (this.#opening) {
          this.#beginsWith(event.data);
        } else if (version !== last?.snapshot.version || this.#means.store.state.balance.kind === 'stale') {
          this.#hint(version);
        }
        return;
      }
      case 'resync':
        void this.#ask();
        this.#askOptions();
        return;
      case 'purchase.updated':
        // The checkout's business; when credits have come, a balance event says so too.
        return;
    }
  }

  /** A stream has told the balance: where that is the one on screen, it need not be asked for now. */
  #beginsWith(told: Told): void {
    const { store, clock, random } = this.#means;
    const isFresh = this.#isConfirmable();
    if (!store.confirm(told)) {
      this.#opened(told.version);
      return;
    }
    this.#opening?.dispose();
    this.#opening = undefined;
    this.#failures = 0;
    this.#hasOpened = false;
    if (!isFresh) {
      this.#later?.dispose();
      this.#later = clock.after(random() * ASKED_WITHIN_MS)(() => void this.#ask());
    }
    this.#arm();
  }

  /** Whatever happened while nobody was listening is asked for once; usually the answer is "unchanged". */
  #opened(version = 0): void {
    this.#opening?.dispose();
    this.#opening = undefined;
    void this.#ask(version);
  }

  #isConfirmable(): boolean {
    const { balance } = this.#means.store.state;
    return balance.kind === 'known' && this.#means.store.ageMs(balance.last) <= CONFIRMED_MS;
  }

  #hint(version: number): void {
    const { clock } = this.#means;
    this.#hintVersion = Math.max(this.#hintVersion, version);
    if (this.#hintTimer) {
      return;
    }
    const waitMs = this.#lastHintMs + HINT_GAP_MS - clock.monotonic();
    const go = () => {
      this.#hintTimer = undefined;
      this.#lastHintMs = clock.monotonic();
      void this.#ask(this.#hintVersion);
    };
    if (waitMs <= 0) {
      go();
    } else {
      this.#hintTimer = clock.after(waitMs)(go);
    }
  }

  #focused(): void {
    const { store, clock, sessions } = this.#means;
    if (!sessions.current) {
      return;
    }
    const last = lastReading(store.state.balance);
    if (!last || store.ageMs(last) > FRESH_MS) {
      void this.#ask();
    } else if (!this.#timer) {
      // Its time may have come while nobody looked.
      this.#arm();
    }
    if (clock.monotonic() - this.#optionsAtMs > OPTIONS_FRESH_MS) {
      this.#askOptions();
    }
  }

  async #ask(atLeastVersion = 0): Promise<void> {
    const { store, sessions, hints, clock } = this.#means;
    const signIn = sessions.current;
    if (!signIn) {
      // Signed out, or another window does the asking.
      return;
    }
    this.#hasOpened = false;
    this.#later?.dispose();
    this.#later = undefined;
    // What the pause keeps from being asked is no try that failed.
    const isQuiet = clock.monotonic() < store.quietUntilMs;
    await store.refresh(atLeastVersion);
    if (sessions.current !== signIn) {
      return;
    }
    const { balance } = store.state;
    // Told of, and not there yet after several tries: asked for once more, for the stream has said it already.
    const isBehind = balance.kind === 'known' && balance.last.snapshot.version < atLeastVersion;
    if (balance.kind === 'known') {
      this.#failures = 0;
      if (!store.state.options && !this.#optionsOf && !this.#optionsTimer) {
        this.#askOptions();
      }
      void hints.hurry();
    } else if (!isQuiet) {
      this.#failures++;
    }
    this.#arm(isBehind);
  }

  #askOptions(): void {
    this.#optionsAtMs = this.#means.clock.monotonic();
    this.#optionsTimer?.dispose();
    this.#optionsTimer = undefined;
    void this.#untilOptions();
  }

  /** Warnings and amounts wait for the options: where they alone could not be had, they are asked for again. */
  async #untilOptions(): Promise<void> {
    const { store, sessions, clock, random } = this.#means;
    const signIn = sessions.current;
    this.#optionsOf = signIn;
    await store.refreshOptions();
    if (this.#optionsOf !== signIn) {
      return;
    }
    this.#optionsOf = undefined;
    if (store.state.options || sessions.current !== signIn) {
      this.#optionsFailures = 0;
    } else if (signIn && store.state.balance.kind === 'known' && !this.#isOver) {
      this.#optionsFailures++;
      const waitMs = backoffMs(OPTIONS_BACKOFF, this.#optionsFailures, random);
      this.#optionsTimer = clock.after(waitMs)(() => this.#askOptions());
    }
  }

  /** Sets the clock for the next question, if there is to be one. */
  #arm(isBehind = false): void {
    const { store, hints, attention, clock, random, sessions } = this.#means;
    this.#timer?.dispose();
    this.#timer = undefined;
    if (!sessions.current || this.#isOver) {
      return;
    }
    const quietMs = store.quietUntilMs - clock.monotonic();
    // What a stream tells during a pause could not be asked for: after it, it is.
    const wait = nextAskMs(
      store.state.balance,
      hints.isLive && quietMs <= 0 && !isBehind,
      this.#failures,
      random,
    );
    if (wait === undefined) {
      return;
    }
    // A server that asked many clients to wait gets them back spread over a while, not all at the same moment.
    const ms = quietMs > 0 ? quietMs + wait : wait;
    this.#timer = clock.after(ms)(() => {
      this.#timer = undefined;
      if (attention.isFocused) {
        void this.#tryAgain();
      } else if (store.state.balance.kind === 'known') {
        // Nobody is at work here: coming back to the window asks. But it may be in sight, as the truth of now.
        this.#later?.dispose();
        this.#later = clock.after(CONFIRMED_MS)(() => void this.#ask());
      }
    });
  }

  /** A stream that comes up tells the version first: after an outage that is one request of each, not two. */
  async #tryAgain(): Promise<void> {
    const { store, hints } = this.#means;
    const { balance } = store.state;
    const isOffline = balance.kind === 'stale' && balance.error.reason === 'offline';
    if (isOffline && !hints.isLive && !this.#hasOpened && (await hints.hurry())) {
      // A stream that is cut before it tells anything is not tried in place of a question again.
      this.#hasOpened = true;
      return;
    }
    await this.#ask();
  }

  #disarm(): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    this.#hintTimer?.dispose();
    this.#hintTimer = undefined;
    this.#opening?.dispose();
    this.#opening = undefined;
    this.#later?.dispose();
    this.#later = undefined;
    this.#optionsTimer?.dispose();
    this.#optionsTimer = undefined;
  }
}

/** Milliseconds until the next question by the clock, or undefined for none. @param failures in a row so far */
export function nextAskMs(
  balance: Balance,
  isLive: boolean,
  failures: number,
  random: () => number,
): number | undefined {
  switch (balance.kind) {
    case 'signedOut':
      return undefined;
    case 'known':
      return isLive ? undefined : POLL_MS * (1 + random() / 4);
    case 'loading':
      return POLL_MS;
    case 'forbidden':
      return FORBIDDEN_POLL_MS * (1 + random());
    case 'stale':
    case 'failed':
      break;
  }
  const { error } = balance;
  if (error.reason === 'unauthenticated') {
    return undefined;
  }
  if (!error.mayHeal) {
    return FORBIDDEN_POLL_MS * (1 + random());
  }
  return backoffMs(
    error.reason === 'offline' ? OFFLINE_BACKOFF : REFUSED_BACKOFF,
    Math.max(1, failures),
    random,
  );
}
