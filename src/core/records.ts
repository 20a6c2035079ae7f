// Past payments and usage: asked for while someone looks at them, never by an idle window. One request of a kind at a
// time; a failure is told in its place and leaves what was known.
import type { Purchase, UsageReport } from '../../protocol/api.ts';
import type { Sessions, SignIn } from './account.ts';
import { type Clock, minutes } from './clock.ts';
import type { Connect } from './connect.ts';
import type { CreditsClient } from './creditsClient.ts';
import { asCreditsError, CreditsError } from './errors.ts';
import { Emitter, Owned } from './event.ts';
import type { Log } from './log.ts';

/** What is this old is asked for again when someone comes back to it. */
const FRESH_MS = minutes(1);

/** Payments in one request. */
const PAGE_SIZE = 50;

export type UsageGroup = 'day' | 'model' | 'user';

/** What is known of one of them, whether it is being asked for, and why it could not be had. */
export interface Fetch<T> {
  readonly value: T | undefined;
  readonly busy: boolean;
  readonly error: CreditsError | undefined;
}

export interface Payments {
  readonly purchases: readonly Purchase[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

export interface RecordsState {
  readonly payments: Fetch<Payments>;
  readonly usage: Fetch<UsageReport>;
  /** What usage is wanted by; the report may still be the one before. */
  readonly group: UsageGroup;
}

export interface RecordsMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly clock: Clock;
  /** The one who knows of pauses the server asked for. */
  readonly quiet: { readonly quietUntilMs: number; pause(ms: number): void };
  readonly log: Log;
}

const nothing = { value: undefined, busy: false, error: undefined };
const atFirst: RecordsState = { payments: nothing, usage: nothing, group: 'day' };

type Kind = 'payments' | 'usage';

export class Records {
  readonly #means: RecordsMeans;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<RecordsState>());
  #state: RecordsState = atFirst;
  #signIn: SignIn | undefined;
  /** Monotonic ms of the last answer of each kind. */
  readonly #answeredMs: Record<Kind, number> = { payments: -Infinity, usage: -Infinity };
  readonly #flights: Record<Kind, Promise<void> | undefined> = { payments: undefined, usage: undefined };

  readonly onDidChange = this.#changed.event;

  constructor(means: RecordsMeans) {
    this.#means = means;
    this.#signIn = means.sessions.current;
    this.#owned.own(means.sessions.onDidChange(() => this.#follow()));
  }

  get state(): RecordsState {
    return this.#state;
  }

  /** Someone looks: what is not known, or is old, is asked for. */
  async look(): Promise<void> {
    const now = this.#means.clock.monotonic();
    const isOld = (kind: Kind) => now - this.#answeredMs[kind] >= FRESH_MS;
    await Promise.all([
      isOld('payments') ? this.refreshPayments() : undefined,
      isOld('usage') ? this.refreshUsage(this.#state.group) : undefined,
    ]);
  }

  /** The newest page anew; those after it are asked for again when someone wants them. */
  refreshPayments(): Promise<void> {
    return this.#once('payments', async (client, orgId) => {
      const { data, next_cursor } = await client.purchases(orgId, PAGE_SIZE);
      return { purchases: data, nextCursor: next_cursor };
    });
  }

  async morePayments(): Promise<void> {
    const known = this.#state.payments.value;
    if (!known || known.nextCursor === null) {
      return;
    }
    const { purchases, nextCursor } = known;
    await this.#once('payments', async (client, orgId) => {
      const page = await client.purchases(orgId, PAGE_SIZE, nextCursor);
      return { purchases: [...purchases, ...page.data], nextCursor: page.next_cursor };
    });
  }

  async refreshUsage(group: UsageGroup): Promise<void> {
    if (group !== this.#state.group) {
      // Another question: the answer under way is to the one before.
      this.#flights.usage = undefined;
      this.#set({ group });
    }
    await this.#once('usage', (client, orgId) => client.usage(orgId, group));
  }

  dispose(): void {
    this.#signIn = undefined;
    this.#owned.dispose();
  }

  #follow(): void {
    const { current } = this.#means.sessions;
    if (current === this.#signIn) {
      return;
    }
    this.#signIn = current;
    for (const kind of ['payments', 'usage'] as const) {
      this.#flights[kind] = undefined;
      this.#answeredMs[kind] = -Infinity;
    }
    this.#set(atFirst);
  }

  #once<K extends Kind>(
    kind: K,
    ask: (client: CreditsClient, orgId: string) => Promise<RecordsState[K]['value']>,
  ): Promise<void> {
    const signIn = this.#signIn;
    if (!signIn) {
      return Promise.resolve();
    }
    const present = this.#flights[kind];
    if (present) {
      return present;
    }
    const flight: Promise<void> = this.#ask(signIn, kind, ask, () => this.#flights[kind] === flight);
    this.#flights[kind] = flight;
    return flight;
  }

  async #ask<K extends Kind>(
    signIn: SignIn,
    kind: K,
    ask: (client: CreditsClient, orgId: string) => Promise<RecordsState[K]['value']>,
    isWanted: () => boolean,
  ): Promise<void> {
    const { clock, connect, quiet, log } = this.#means;
    try {
      const client = await connect(signIn);
      if (!isWanted()) {
        return;
      }
      this.#tell(kind, { ...this.#state[kind], busy: true, error: undefined });
      if (clock.monotonic() < quiet.quietUntilMs) {
        throw new CreditsError('rateLimited');
      }
      const value = await ask(client, signIn.account.orgId);
      if (isWanted()) {
        this.#flights[kind] = undefined;
        this.#answeredMs[kind] = clock.monotonic();
        this.#tell(kind, { value, busy: false, error: undefined });
      }
    } catch (thrown) {
      const error = asCreditsError(thrown);
      log.warn(`${kind}: ${error.message}`);
      if (error.retryAfterMs !== undefined) {
        quiet.pause(error.retryAfterMs);
      }
      if (isWanted()) {
        this.#flights[kind] = undefined;
        this.#tell(kind, { value: this.#state[kind].value, busy: false, error });
      }
    }
  }

  #tell<K extends Kind>(kind: K, fetch: Fetch<RecordsState[K]['value']>): void {
    this.#set({ [kind]: fetch } as Partial<RecordsState>);
  }

  #set(change: Partial<RecordsState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed.fire(this.#state);
  }
}
