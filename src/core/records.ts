// Past payments, usage and the organisation's settings: asked for while someone looks at them, never by an idle window.
// One request of a kind at a time; a failure is told in its place and leaves what was known.
import type { OrgSettings, Purchase, UsageReport } from '../../protocol/api.ts';
import type { Ucr } from '../../protocol/units.ts';
import type { Sessions, SignIn } from './account.ts';
import { type Clock, hours, minutes } from './clock.ts';
import type { Connect } from './connect.ts';
import type { CreditsClient } from './creditsClient.ts';
import { asCreditsError, CreditsError } from './errors.ts';
import { Emitter, Owned } from './event.ts';
import type { Log } from './log.ts';

/** What is this old is asked for again when someone comes back to it. */
const FRESH_MS = {
  payments: minutes(1),
  usage: minutes(1),
  settings: minutes(1),
  organisations: hours(1),
} as const;

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
  readonly settings: Fetch<OrgSettings>;
  /** How many the person has on this server. */
  readonly organisations: Fetch<number>;
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
const atFirst: RecordsState = {
  payments: nothing,
  usage: nothing,
  settings: nothing,
  organisations: nothing,
  group: 'day',
};

type Kind = keyof typeof FRESH_MS;

export class Records {
  readonly #means: RecordsMeans;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<RecordsState>());
  #state: RecordsState = atFirst;
  #signIn: SignIn | undefined;
  /** Monotonic ms of the last answer of each kind. */
  readonly #answeredMs = new Map<Kind, number>();
  readonly #flights = new Map<Kind, Promise<void>>();

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
    const isOld = (kind: Kind) =>
      now - (this.#answeredMs.get(kind) ?? Number.NEGATIVE_INFINITY) >= FRESH_MS[kind];
    await Promise.all([
      isOld('payments') ? this.refreshPayments() : undefined,
      isOld('usage') ? this.refreshUsage(this.#state.group) : undefined,
      isOld('settings') ? this.refreshSettings() : undefined,
      isOld('organisations') ? this.#countOrganisations() : undefined,
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
      this.#flights.delete('usage');
      this.#set({ group });
    }
    await this.#once('usage', (client, orgId) => client.usage(orgId, group));
  }

  refreshSettings(): Promise<void> {
    return this.#once('settings', (client, orgId) => client.settings(orgId));
  }

  /** Changes the one setting and leaves the others as the server has them now. */
  async setLowBalance(belowUcr: Ucr | null): Promise<void> {
    // What is being asked would be told over what is being set.
    await this.#flights.get('settings');
    await this.#once('settings', async (client, orgId) => {
      const present = await client.settings(orgId);
      return await client.setSettings(orgId, { ...present, low_balance_threshold_ucr: belowUcr });
    });
  }

  #countOrganisations(): Promise<void> {
    return this.#once('organisations', async client => (await client.me()).orgs.length);
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
    this.#flights.clear();
    this.#answeredMs.clear();
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
    const present = this.#flights.get(kind);
    if (present) {
      return present;
    }
    const flight: Promise<void> = this.#ask(signIn, kind, ask, () => this.#flights.get(kind) === flight);
    this.#flights.set(kind, flight);
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
        this.#flights.delete(kind);
        this.#answeredMs.set(kind, clock.monotonic());
        this.#tell(kind, { value, busy: false, error: undefined });
      }
    } catch (thrown) {
      const error = asCreditsError(thrown);
      log.warn(`${kind}: ${error.message}`);
      if (error.retryAfterMs !== undefined) {
        quiet.pause(error.retryAfterMs);
      }
      if (isWanted()) {
        this.#flights.delete(kind);
        if (error.reason === 'forbidden') {
          // An answer too, and the same one for a while.
          this.#answeredMs.set(kind, clock.monotonic());
        }
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
