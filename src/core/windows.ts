// All windows of one editor as one: the one that holds the lease asks the server and listens to its stream, the others
// follow what it was answered. A person's own act (Refresh, Buy, Check now) may ask from any window.
import { accountKey, type Sessions, type SignIn } from './account.ts';
import { lastReading, type Reading } from './balance.ts';
import { type Clock, minutes, seconds } from './clock.ts';
import type { CreditsState, CreditsStore } from './creditsStore.ts';
import { type Disposable, Emitter, Owned } from './event.ts';
import type { Lease } from './lease.ts';
import type { Log } from './log.ts';
import type { Attention } from './refresher.ts';
import type { Pause, SharedBalance, Wish } from './sharedBalance.ts';
import type { SharedFile } from './sharedState.ts';

export interface WindowsMeans {
  readonly sessions: Sessions;
  readonly store: CreditsStore;
  readonly lease: Lease;
  readonly attention: Attention;
  readonly balance: SharedFile<SharedBalance>;
  readonly pause: SharedFile<Pause>;
  readonly wish: SharedFile<Wish>;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A window someone is looking at says so this often, for the clock of a leader that nobody looks at. */
const HERE_MS = minutes(1);
/** Hints are passed on together. */
const HINT_MS = 500;
/** A figure younger than this is not asked for just because someone looks. */
const FRESH_MS = seconds(30);
const HERE_LASTS_MS = HERE_MS + seconds(15);

export class Windows {
  readonly #means: WindowsMeans;
  readonly #owned = new Owned();
  readonly #leadingChanged = this.#owned.own(new Emitter<void>());
  readonly #focused = this.#owned.own(new Emitter<void>());
  readonly #hinted = this.#owned.own(new Emitter<void>());
  #hereTimer: Disposable | undefined;
  /** Since a try of this window has failed that does not lead. */
  #failedTimer: Disposable | undefined;
  #hintTimer: Disposable | undefined;
  #othersHereMs = Number.NEGATIVE_INFINITY;
  /** What came from another window, so that it is not told back. */
  #taken: { reading: Reading | undefined; options: unknown; error: unknown } | undefined;
  #heardWish: string | undefined;
  /** Until the first figure of a sign-in has been looked at. */
  #isNew: boolean = false;
  /** Of what this window told last. */
  #ownId: string | undefined;

  /** The sign-in where this window leads, and none where it follows: for the parts that work for all windows. */
  readonly sessions: Sessions;
  /** Whether anyone is looking at any window. */
  readonly attention: Attention;
  /** Something used credits, in whichever window; fires only where this window leads. */
  readonly onDidHint = this.#hinted.event;

  constructor(means: WindowsMeans) {
    this.#means = means;
    const { sessions, store, lease, attention, balance, pause, wish, clock } = means;
    this.sessions = {
      get current(): SignIn | undefined {
        return lease.isHeld ? sessions.current : undefined;
      },
      get isRead(): boolean {
        return sessions.isRead;
      },
      onDidChange: this.#leadingChanged.event,
    };
    const isAnyoneHere = () => attention.isFocused || clock.monotonic() - this.#othersHereMs < HERE_LASTS_MS;
    this.attention = {
      get isFocused(): boolean {
        return isAnyoneHere();
      },
      onDidFocus: this.#focused.event,
    };
    // A wish from before this start is no wish.
    this.#owned.own(wish.onDidChange(() => this.#heard(wish.read())));
    this.#owned.own(
      balance.onDidChange(() => {
        this.#take(balance.read(), true);
        this.#askForOnlooker();
      }),
    );
    this.#owned.own(pause.onDidChange(() => this.#pause()));
    this.#owned.own(store.onDidChange(state => this.#tell(state)));
    this.#owned.own(store.onDidPause(ms => void this.#tellPause(ms)));
    this.#owned.own(lease.onDidChange(() => this.#leadingChanged.fire()));
    this.#owned.own(
      attention.onDidFocus(() => {
        if (lease.isHeld) {
          this.#focused.fire();
        } else {
          void this.#wish('focus');
        }
      }),
    );
    this.#owned.own(sessions.onDidChange(() => this.#follow()));
    this.#follow();
  }

  /** Something has used credits: whoever leads asks soon, once for a burst. */
  hint(): void {
    if (this.#means.lease.isHeld) {
      this.#hinted.fire();
    } else if (!this.#hintTimer) {
      // Other extensions hint at each of their requests; the folder hears of a burst once.
      this.#hintTimer = this.#means.clock.after(HINT_MS)(() => {
        this.#hintTimer = undefined;
        void this.#wish('usage');
      });
    }
  }

  dispose(): void {
    this.#hereTimer?.dispose();
    this.#failedTimer?.dispose();
    this.#hintTimer?.dispose();
    this.#owned.dispose();
  }

  #follow(): void {
    const { sessions, lease, balance } = this.#means;
    lease.want(sessions.current !== undefined);
    this.#hereTimer?.dispose();
    this.#hereTimer = undefined;
    if (sessions.current) {
      this.#pause();
      // An earlier failure may have been an earlier token's.
      this.#isNew = true;
      this.#take(balance.read(), false);
      this.#sayHere();
      this.#askForOnlooker();
    }
    this.#leadingChanged.fire();
  }

  /** Someone looks at a window that has just begun: an old figure is not kept until the lease has settled. */
  #askForOnlooker(): void {
    const { store, attention, lease } = this.#means;
    const last = lastReading(store.state.balance);
    if (!this.#isNew || !last) {
      return;
    }
    this.#isNew = false;
    if (attention.isFocused && !lease.isHeld && store.ageMs(last) > FRESH_MS) {
      void store.refresh();
    }
  }

  #sayHere(): void {
    const { attention, clock, lease } = this.#means;
    if (attention.isFocused && !lease.isHeld) {
      void this.#wish('here');
    }
    this.#hereTimer = clock.after(HERE_MS)(() => this.#sayHere());
  }

  async #wish(kind: Wish['kind']): Promise<void> {
    const { sessions, wish, newId } = this.#means;
    if (sessions.current) {
      await this.#quietly(() => wish.write({ id: newId(), kind }));
    }
  }

  #heard(wish: Wish | undefined): void {
    const { lease, clock } = this.#means;
    if (!wish || wish.id === this.#heardWish) {
      return;
    }
    this.#heardWish = wish.id;
    if (wish.kind !== 'usage') {
      this.#othersHereMs = clock.monotonic();
    }
    if (lease.isHeld && wish.kind === 'focus') {
      this.#focused.fire();
    }
    if (lease.isHeld && wish.kind === 'usage') {
      this.#hinted.fire();
    }
  }

  #take(shared: SharedBalance | undefined, isNews: boolean): void {
    const { store, sessions, lease } = this.#means;
    const account = sessions.current?.account;
    if (
      !shared ||
      shared.id === this.#ownId ||
      !account ||
      accountKey(shared.account) !== accountKey(account)
    ) {
      return;
    }
    store.take(isNews ? shared : { ...shared, problem: undefined });
    if (store.state.balance.kind === 'loading' && !lease.isHeld) {
      // An answer of long ago may still be true; whoever leads asks, and tells.
      void this.#wish('focus');
    }
    this.#remember(store.state);
  }

  #remember({ balance, options }: CreditsState): void {
    this.#taken = { reading: lastReading(balance), options, error: errorOf(balance) };
  }

  /** This window was answered: the others are to know. */
  #tell(state: CreditsState): void {
    const { sessions, store, balance: file, lease, newId, clock } = this.#means;
    const { account, balance, options } = state;
    const reading = lastReading(balance);
    const error = errorOf(balance);
    if (!account || !sessions.current || state.refreshing || balance.kind === 'loading') {
      return;
    }
    const taken = this.#taken;
    if (taken?.reading === reading && taken?.options === options && taken?.error === error) {
      return;
    }
    if (error && !lease.isHeld) {
      // A person's own try that failed here says little about the leader's, which is asked for once it is old enough.
      this.#failedTimer ??= clock.after(FRESH_MS + seconds(1))(() => {
        this.#failedTimer = undefined;
        if (errorOf(store.state.balance)) {
          void this.#wish('focus');
        }
      });
      return;
    }
    if (store.isTaking) {
      return;
    }
    this.#remember(state);
    const last = reading && { account, snapshot: reading.snapshot, savedAtMs: store.savedAtMs(reading) };
    const id = newId();
    this.#ownId = id;
    void this.#quietly(() => file.write({ id, account, last, options, problem: error?.reason }));
  }

  async #tellPause(ms: number): Promise<void> {
    const { sessions, pause, clock } = this.#means;
    const serverUrl = sessions.current?.account.serverUrl;
    if (serverUrl !== undefined) {
      await this.#quietly(() => pause.write({ serverUrl, untilMs: clock.now() + ms, forMs: ms }));
    }
  }

  #pause(): void {
    const { sessions, pause, store, clock } = this.#means;
    const asked = pause.read();
    if (asked && asked.serverUrl === sessions.current?.account.serverUrl) {
      store.pause(Math.min(asked.forMs, Math.max(0, asked.untilMs - clock.now())));
    }
  }

  /** A folder that cannot be written to costs the other windows the news, and this one nothing. */
  async #quietly(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#means.log.trace(`windows: ${error instanceof Error ? error.name : 'failed'}`);
    }
  }
}

function errorOf(balance: CreditsState['balance']) {
  return balance.kind === 'stale' || balance.kind === 'failed' || balance.kind === 'forbidden'
    ? balance.error
    : undefined;
}
