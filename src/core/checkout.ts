// Takes a purchase from the press of "Buy" to credits that are there: keeps it through reloads and restarts, asks the
// server how it stands, and tells the end once. Focus, the way back from the browser, events and time are hints to
// ask; only the server's answer is a fact.
import type { CreatePurchase } from '../../protocol/api.ts';
import { accountKey, type SignIn } from './account.ts';
import { seconds } from './clock.ts';
import type { CreditsError } from './errors.ts';
import { Emitter, Owned } from './event.ts';
import { FollowedPurchase, type Follower, OTHERS_MS } from './followedPurchase.ts';
import type { BuyResult, CheckoutMeans, Confirm, Order, Pending, Settled } from './order.ts';
import { isOver, type PurchaseRecord } from './purchaseRecord.ts';

export type { BuyResult, CheckoutMeans, Confirm, Order, Pending, Settled } from './order.ts';

/** An order another window is just sending is not sent from here as well, unless that window has died. */
const OTHERS_SENDING_MS = seconds(45);

/** The longest return address the contract takes. */
const MAX_RETURN_URI = 2_000;

export class Checkout {
  readonly #means: CheckoutMeans;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<Pending | undefined>());
  readonly #settled = this.#owned.own(new Emitter<Settled>());
  readonly #disposed = new AbortController();
  readonly #follower: Follower;
  #signIn: SignIn | undefined;
  /** Oldest first; views show the newest. */
  #followed: FollowedPurchase[] = [];
  /** Keys that have ended here; a look that began earlier must not bring them back. */
  readonly #ended = new Set<string>();
  /** The order whose first answer is still awaited. */
  #starting: Order | undefined;

  readonly onDidChange = this.#changed.event;
  /** Fires once for each purchase, after the balance includes it. */
  readonly onDidSettle = this.#settled.event;

  constructor(means: CheckoutMeans) {
    this.#means = means;
    const currentSignIn = () => this.#signIn;
    this.#follower = {
      means,
      get signIn(): SignIn | undefined {
        return currentSignIn();
      },
      disposed: this.#disposed.signal,
      changed: () => this.#changed.fire(this.pending),
      ended: key => void this.#ended.add(key),
      removed: followed => {
        this.#followed = this.#followed.filter(one => one !== followed);
        this.#changed.fire(this.pending);
      },
      settled: settled => this.#settled.fire(settled),
    };
    const { sessions, hints, attention, returned, records, leading } = means;
    this.#owned.own(sessions.onDidChange(() => this.#follow()));
    this.#owned.own(
      hints.onDidReceive(event => {
        if (event.name === 'resync') {
          this.#nudgeAll();
        } else if (event.name === 'purchase.updated') {
          const updated = this.#followed.find(one => one.record.purchase?.id === event.data.id);
          if (updated) {
            void updated.check();
          }
        }
      }),
    );
    this.#owned.own(hints.onDidChangeLiveness(isLive => isLive && this.#nudgeAll()));
    this.#owned.own(
      attention.onDidFocus(() => {
        for (const one of this.#followed) {
          void (one.mayAsk ? one.act() : one.nudge());
        }
      }),
    );
    this.#owned.own(records.onDidChange(() => this.#adopt()));
    this.#owned.own(leading.onDidChange(isHeld => isHeld && this.#nudgeAll()));
    this.#owned.own(returned(state => void this.#cameBack(state)));
    this.#follow();
  }

  get pending(): Pending | undefined {
    return this.#followed.at(-1)?.pending;
  }

  /** @param choice.another go on although a purchase is open: that one is taken back first */
  async buy(order: Order, choice: { another?: boolean; confirm?: Confirm } = {}): Promise<BuyResult> {
    const { sessions, clock } = this.#means;
    const signIn = sessions.current;
    if (!signIn) {
      return { kind: 'signedOut' };
    }
    if (this.#starting) {
      // The second half of a double click, perhaps before the first has got as far as a record.
      const first = this.#followed.at(-1);
      return { kind: 'alreadyPending', pending: first?.pending ?? starting(this.#starting) };
    }
    this.#starting = order;
    try {
      // Another window may have begun one a moment ago (F41).
      await this.#means.records.load().catch(() => undefined);
      const open = this.#followed.at(-1);
      if (open && !choice.another) {
        return { kind: 'alreadyPending', pending: open.pending };
      }
      if (open && open.pending.phase !== 'processing') {
        const error = await open.takeBack();
        if (!open.isGone) {
          return { kind: 'alreadyPending', pending: open.pending, error };
        }
      }
      const returnState = this.#means.newId();
      const returnUri = await this.#means.returnUri(returnState).catch(() => undefined);
      if (sessions.current !== signIn) {
        return { kind: 'signedOut' };
      }
      const body: CreatePurchase = {
        amount_minor: order.amountMinor,
        currency: order.currency,
        expected_credits_ucr: order.creditsUcr,
        ...(returnUri !== undefined && returnUri.length <= MAX_RETURN_URI ? { return_uri: returnUri } : {}),
      };
      const record: PurchaseRecord = {
        account: accountKey(signIn.account),
        idempotencyKey: this.#means.newId(),
        body,
        returnState,
        startedAtMs: clock.now(),
        purchase: undefined,
      };
      return await this.#add(record, 'here').begin(signIn, choice.confirm);
    } finally {
      this.#starting = undefined;
    }
  }

  /** Goes back to the payment page of the open purchase, or sends an unanswered order again. */
  async resume(confirm?: Confirm): Promise<BuyResult> {
    const signIn = this.#means.sessions.current;
    const open = this.#followed.at(-1);
    return signIn && open ? await open.resume(signIn, confirm) : { kind: 'signedOut' };
  }

  /** The payment page's address, for the clipboard. */
  async link(): Promise<string | undefined> {
    return await this.#followed.at(-1)?.link();
  }

  /** "I have paid, check now". */
  async checkNow(): Promise<void> {
    await Promise.all(this.#followed.map(one => one.act()));
  }

  /** Takes the open purchase back at the server. Undefined when that worked or it had ended anyway. */
  async cancel(): Promise<CreditsError | undefined> {
    return await this.#followed.at(-1)?.takeBack();
  }

  dispose(): void {
    this.#disposed.abort();
    this.#letGo();
    this.#owned.dispose();
  }

  /** The session has changed: purchases of the account that is now signed in are followed, no others. */
  #follow(): void {
    const { sessions, records, clock } = this.#means;
    const signIn = sessions.current;
    if (signIn === this.#signIn) {
      return;
    }
    this.#letGo();
    this.#signIn = signIn;
    if (signIn) {
      const account = accountKey(signIn.account);
      for (const record of records.read()) {
        if (record.account === account && !isOver(record, clock.now())) {
          this.#add(record, 'kept');
        }
      }
    }
    this.#changed.fire(this.pending);
    this.#nudgeAll();
  }

  /** The folder has changed: what other windows began, went on with, or ended. */
  #adopt(): void {
    const { records, clock } = this.#means;
    const signIn = this.#signIn;
    if (!signIn) {
      return;
    }
    const account = accountKey(signIn.account);
    const kept = records.read().filter(one => one.account === account && !isOver(one, clock.now()));
    for (const record of kept) {
      const known = this.#followed.find(one => one.record.idempotencyKey === record.idempotencyKey);
      if (known) {
        known.takeOver(record);
      } else if (!this.#ended.has(record.idempotencyKey)) {
        const isElsewhere = clock.now() - record.startedAtMs < OTHERS_SENDING_MS;
        const found = this.#add(record, isElsewhere ? 'elsewhere' : 'kept');
        if (isElsewhere) {
          found.arm(record.purchase ? OTHERS_MS : OTHERS_SENDING_MS);
        } else if (found.mayAsk) {
          void found.nudge();
        }
      }
    }
    const keys = new Set(kept.map(one => one.idempotencyKey));
    for (const one of [...this.#followed]) {
      if (one.isKept && !one.isGone && !keys.has(one.record.idempotencyKey)) {
        one.remove();
      }
    }
  }

  #letGo(): void {
    for (const one of this.#followed.splice(0)) {
      one.letGo();
    }
  }

  #add(record: PurchaseRecord, from: 'here' | 'kept' | 'elsewhere'): FollowedPurchase {
    const followed = new FollowedPurchase(this.#follower, record, from);
    this.#followed.push(followed);
    if (from !== 'here') {
      // The last one is on screen; a folder has its files in any order.
      this.#followed.sort((a, b) => a.record.startedAtMs - b.record.startedAtMs);
    }
    this.#changed.fire(this.pending);
    return followed;
  }

  #nudgeAll(): void {
    for (const one of this.#followed) {
      if (one.mayAsk && !one.isSentElsewhere) {
        void one.nudge();
      } else if (one.mayAsk && !one.isArmed) {
        // Whoever was sending it may have gone before this window could ask.
        one.arm(OTHERS_SENDING_MS);
      }
    }
  }

  async #cameBack(state: string): Promise<void> {
    const { records } = this.#means;
    const signIn = this.#signIn;
    if (state === '' || !signIn) {
      return;
    }
    // The way back may end in another window than the one that bought; the folder tells whose it is (F42).
    await records.load().catch(() => undefined);
    const followed = this.#followed.find(one => one.record.returnState === state);
    if (followed && this.#signIn === signIn) {
      await followed.cameBack();
    }
  }
}

function starting(order: Order): Pending {
  return { ...order, phase: 'starting', host: undefined, canCopyLink: false, error: undefined };
}
