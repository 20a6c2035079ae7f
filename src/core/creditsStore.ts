// The one owner of what is known: whose credits, how many, and whether more may be bought. Everyone else listens.
import type { PurchaseOptions } from '../../protocol/api.ts';
import { type Account, accountKey, readAccount, type Sessions, type SignIn } from './account.ts';
import {
  answered,
  type Balance,
  confirmed,
  failed,
  lastReading,
  loading,
  type Reading,
  type Snapshot,
  signedOut,
  type Told,
} from './balance.ts';
import { type Clock, minutes, sleep } from './clock.ts';
import type { Connect } from './connect.ts';
import { asCreditsError, CreditsError, type CreditsErrorReason } from './errors.ts';
import { Emitter, Owned } from './event.ts';
import type { Log } from './log.ts';
import { isRecord, type Slot } from './slot.ts';

export interface CreditsState {
  /** Undefined when signed out. */
  readonly account: Account | undefined;
  readonly balance: Balance;
  /** Undefined until the server has said what may be bought, and by whom. */
  readonly options: PurchaseOptions | undefined;
  readonly refreshing: boolean;
}

/** The last balance as it is kept for the next start, which paints it before anything is asked. */
export interface CachedBalance {
  readonly account: Account;
  readonly snapshot: Snapshot;
  /** Wall time, ms since the epoch: the only clock that outlives a restart. */
  readonly savedAtMs: number;
}

export interface CreditsStoreMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly clock: Clock;
  readonly cache: Slot<CachedBalance>;
  readonly log: Log;
}

/** How often a balance that is known to exist is asked for again when a replica has not heard of it yet. */
const CATCH_UP_TRIES = 5;

/** What another window was told longer ago than this is shown, and not taken for today's answer. */
const NEWS_MS = minutes(10);

export class CreditsStore {
  readonly #means: CreditsStoreMeans;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<CreditsState>());
  readonly #disposed = new AbortController();
  #state: CreditsState;
  #signIn: SignIn | undefined;
  #flight: Promise<void> | undefined;
  /** The newest version anyone has told us of; a refresh goes on until it is seen. */
  #wantedVersion = 0;
  /** Monotonic ms before which the server does not want to hear from us. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;

  readonly #paused = this.#owned.own(new Emitter<number>());
  #isTaking = false;

  readonly onDidChange = this.#changed.event;
  /** The server has asked for a pause, in ms. */
  readonly onDidPause = this.#paused.event;

  constructor(means: CreditsStoreMeans) {
    this.#means = means;
    const cached = means.cache.read();
    this.#state = {
      account: cached?.account,
      balance: loading(cached && this.#restored(cached)),
      options: undefined,
      refreshing: false,
    };
    this.#owned.own(means.sessions.onDidChange(() => this.#follow()));
    this.#follow();
  }

  get state(): CreditsState {
    return this.#state;
  }

  /** Monotonic ms from which on the server may be asked again; in the past unless it asked for a pause. */
  get quietUntilMs(): number {
    return this.#quietUntilMs;
  }

  /** True while a state from another window is being told. */
  get isTaking(): boolean {
    return this.#isTaking;
  }

  /** When the figure was the server's answer, in wall time: what other windows and later starts can read. */
  savedAtMs(reading: Reading): number {
    return this.#means.clock.now() - this.ageMs(reading);
  }

  /** Asks nothing for so long: another window was told to wait, and the server means all of us. */
  pause(ms: number): void {
    const until = this.#means.clock.monotonic() + ms;
    this.#quietUntilMs = Math.max(this.#quietUntilMs, until);
  }

  /** Takes in what another window of this account was answered; never an older answer than the one at hand. */
  take(shared: {
    readonly account: Account;
    readonly last: CachedBalance | undefined;
    readonly options: PurchaseOptions | undefined;
    readonly problem: CreditsErrorReason | undefined;
  }): void {
    const { account } = shared;
    if (!this.#signIn || accountKey(account) !== accountKey(this.#signIn.account)) {
      return;
    }
    let { balance } = this.#state;
    if (shared.last) {
      const reading = this.#restored(shared.last);
      const own = lastReading(balance);
      const isNewer =
        !own ||
        balance.kind !== 'known' ||
        reading.snapshot.version > own.snapshot.version ||
        (reading.snapshot.version === own.snapshot.version && reading.atMs > own.atMs);
      // At a start the last session's figure, which is nobody's answer of now.
      const isOld = balance.kind === 'loading' && this.ageMs(reading) > NEWS_MS;
      if (isNewer && !isOld) {
        balance = answered(balance, reading, account.orgId);
      } else if (isNewer && !(own && own.snapshot.version > reading.snapshot.version)) {
        balance = loading(reading);
      }
    }
    if (shared.problem) {
      balance = failed(balance, new CreditsError(shared.problem));
    }
    this.#isTaking = true;
    try {
      this.#set({ account, balance, options: shared.options ?? this.#state.options });
    } finally {
      this.#isTaking = false;
    }
    this.#keep(account, balance);
  }

  /** How long ago the figure on screen was the server's answer, in ms. Setting the clock does not change it (F43). */
  ageMs(reading: Reading): number {
    return Math.max(0, this.#means.clock.monotonic() - reading.atMs);
  }

  /**
   * Asks for the balance; callers at the same time share one request. Never throws: how it went is in the state.
   * @param atLeastVersion a version that is known to exist, so an older answer is not yet the answer
   */
  async refresh(atLeastVersion = 0): Promise<void> {
    const signIn = this.#signIn;
    if (!signIn) {
      return;
    }
    if (this.#means.clock.monotonic() < this.#quietUntilMs) {
      const { balance } = this.#state;
      const isOutdated = balance.kind === 'known' && balance.last.snapshot.version < atLeastVersion;
      if (isOutdated || balance.kind === 'loading') {
        this.#set({ balance: failed(balance, new CreditsError('rateLimited')) });
      }
      return;
    }
    this.#wantedVersion = Math.max(this.#wantedVersion, atLeastVersion);
    if (!this.#flight) {
      const flight = this.#ask(signIn).finally(() => {
        if (this.#flight === flight) {
          this.#flight = undefined;
        }
      });
      this.#flight = flight;
    }
    await this.#flight;
  }

  /** Takes in what a stream begins with. @returns whether that is what is at hand, so that nothing need be asked */
  confirm(told: Told): boolean {
    const balance = confirmed(this.#state.balance, told);
    if (balance && balance.kind !== this.#state.balance.kind) {
      this.#set({ balance });
    }
    return balance !== undefined;
  }

  /** Asks what may be bought, and who the person is by now: names and roles change while someone is signed in. */
  async refreshOptions(): Promise<void> {
    const signIn = this.#signIn;
    if (!signIn || this.#means.clock.monotonic() < this.#quietUntilMs) {
      return;
    }
    const { orgId } = signIn.account;
    try {
      const client = await this.#means.connect(signIn);
      const [options, me] = await Promise.all([client.purchaseOptions(orgId), client.me()]);
      if (!this.#isWanted(signIn)) {
        return;
      }
      const member = me.orgs.find(org => org.id === orgId);
      const account = {
        ...signIn.account,
        personName: me.principal.name,
        ...(member ? { orgName: member.name, role: member.role } : {}),
      };
      this.#set({ account, options });
    } catch (error) {
      if (this.#isWanted(signIn)) {
        // What was known stays: buying is checked by the server anyway, and the balance's own request tells why.
        this.#heed(asCreditsError(error), 'purchase options');
      }
    }
  }

  dispose(): void {
    this.#disposed.abort();
    this.#signIn = undefined;
    this.#owned.dispose();
  }

  /** The session has changed: someone else's figures are let go before anything is asked. */
  #follow(): void {
    const { sessions, cache } = this.#means;
    if (!sessions.isRead) {
      return;
    }
    const signIn = sessions.current;
    if (signIn === this.#signIn && signIn) {
      return;
    }
    const wasSignedIn = this.#signIn !== undefined;
    this.#signIn = signIn;
    this.#flight = undefined;
    this.#wantedVersion = 0;
    this.#quietUntilMs = Number.NEGATIVE_INFINITY;
    if (!signIn) {
      if (wasSignedIn) {
        // At a start it stays: a secret storage that is late must not cost the figure, which is kept by account.
        void cache.write(undefined);
      }
      this.#set({ account: undefined, balance: signedOut, options: undefined, refreshing: false });
      return;
    }
    const cached = cache.read();
    const ours = cached && accountKey(cached.account) === accountKey(signIn.account) ? cached : undefined;
    this.#set({
      account: signIn.account,
      balance: loading(ours && this.#restored(ours)),
      options: undefined,
      refreshing: false,
    });
  }

  async #ask(signIn: SignIn): Promise<void> {
    const { clock, connect, log } = this.#means;
    const { orgId } = signIn.account;
    this.#set({ refreshing: true });
    for (let attempt = 1; ; attempt++) {
      try {
        const client = await connect(signIn);
        const snapshot = await client.balance(orgId);
        if (!this.#isWanted(signIn)) {
          return;
        }
        const reading = { snapshot, atMs: clock.monotonic() };
        let balance = answered(this.#state.balance, reading, orgId);
        const isLast = attempt === CATCH_UP_TRIES;
        if (isLast && balance.kind === 'loading') {
          // Older than what an earlier session saw, and it stays so: the server was set back (a restored backup), and
          // what it says now is the truth.
          balance = answered(loading(), reading, orgId);
        }
        const isBehind =
          balance.kind === 'loading' ||
          (balance.kind === 'known' && balance.last.snapshot.version < this.#wantedVersion);
        this.#set({ balance, refreshing: isBehind && !isLast });
        this.#keep(signIn.account, balance);
        if (!isBehind || isLast) {
          // A version that never came was a mistake of whoever named it; it must not make every later refresh wait.
          this.#wantedVersion = 0;
          return;
        }
      } catch (error) {
        if (this.#isWanted(signIn)) {
          const known = asCreditsError(error);
          this.#heed(known, 'balance');
          this.#set({ balance: failed(this.#state.balance, known), refreshing: false });
          if (known.reason === 'notFound' || known.reason === 'forbidden') {
            void this.#means.cache.write(undefined);
          }
        }
        return;
      }
      log.trace('balance: the answer is older than what is known to exist');
      await sleep(clock, 200 * 2 ** attempt, this.#disposed.signal); // ms
      if (!this.#isWanted(signIn)) {
        return;
      }
    }
  }

  /** Whether an answer to this sign-in's question may still be shown. */
  #isWanted(signIn: SignIn): boolean {
    return this.#signIn === signIn;
  }

  #heed(error: CreditsError, what: string): void {
    this.#means.log.warn(`${what}: ${error.message}`);
    if (error.retryAfterMs !== undefined) {
      const until = this.#means.clock.monotonic() + error.retryAfterMs;
      this.#quietUntilMs = Math.max(this.#quietUntilMs, until);
      this.#paused.fire(error.retryAfterMs);
    }
  }

  #restored(cached: CachedBalance): Reading {
    const { clock } = this.#means;
    // A wall clock that was set back in between would make the figure newer than now.
    const agoMs = Math.max(0, clock.now() - cached.savedAtMs);
    return { snapshot: cached.snapshot, atMs: clock.monotonic() - agoMs };
  }

  #keep(account: Account, balance: Balance): void {
    if (balance.kind === 'known') {
      const { cache } = this.#means;
      const savedAtMs = this.savedAtMs(balance.last);
      void cache.write({ account, snapshot: balance.last.snapshot, savedAtMs });
    }
  }

  #set(change: Partial<CreditsState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed.fire(this.#state);
  }
}

/**
 * Reads a kept balance back. Storage may be damaged or written by another version, so every figure that is shown is
 * looked at (F32); by hand, because this runs in the editor's start, before any schema is loaded.
 */
export function readCachedBalance(value: unknown): CachedBalance | undefined {
  if (!isRecord(value) || !isRecord(value['snapshot'])) {
    return undefined;
  }
  const account = readAccount(value['account']);
  const { snapshot } = value;
  const savedAtMs = value['savedAtMs'];
  const { usage, included } = snapshot;
  const isWhole = (n: unknown) => Number.isSafeInteger(n);
  const sound =
    snapshot['org_id'] === account?.orgId &&
    typeof snapshot['unit'] === 'string' &&
    isWhole(snapshot['available_ucr']) &&
    isWhole(snapshot['version']) &&
    isRecord(included) &&
    (included['state'] !== 'available' ||
      (isWhole(included['remaining_ucr']) && isWhole(included['granted_ucr']))) &&
    isRecord(snapshot['purchased']) &&
    isWhole(snapshot['purchased']['remaining_ucr']) &&
    isRecord(snapshot['promotional']) &&
    isWhole(snapshot['promotional']['remaining_ucr']) &&
    isRecord(snapshot['low_balance']) &&
    typeof snapshot['low_balance']['level'] === 'string' &&
    (usage === null || (isRecord(usage) && isWhole(usage['used_ucr']) && isWhole(usage['total_ucr'])));
  return account && sound && typeof savedAtMs === 'number' && Number.isFinite(savedAtMs)
    ? { account, snapshot: snapshot as unknown as Snapshot, savedAtMs }
    : undefined;
}
