// One purchase while it is followed: sends the order until it is answered, asks how it stands, and ends once.
import type { Purchase } from '../../protocol/api.ts';
import type { SignIn } from './account.ts';
import { readCheckoutAddress } from './address.ts';
import { backoffMs } from './backoff.ts';
import { lastReading } from './balance.ts';
import { minutes, seconds, sleep } from './clock.ts';
import { asCreditsError, type CreditsError } from './errors.ts';
import type { Disposable } from './event.ts';
import type { BuyResult, CheckoutMeans, Confirm, Order, Pending, Settled } from './order.ts';
import { isOver, lifeMs, nextCheckMs, type PurchaseRecord, REPEATABLE_FOR_MS } from './purchaseRecord.ts';

/** While someone looks at "Starting…": three quick tries, then the background takes over. */
const QUICK_TRIES = 3;
const QUICK_BACKOFF = { baseMs: seconds(1), capMs: seconds(8) };
/** A longer wish of the server's is not waited for with someone looking on. */
const PATIENCE_MS = seconds(10);
const BACKGROUND_BACKOFF = { baseMs: seconds(10), capMs: minutes(5) };

/** What another window has begun is left to it for this long before this one takes part. */
export const OTHERS_MS = seconds(5);

interface Sending {
  /** Whether the payment page is opened at once. */
  readonly open: boolean;
  readonly confirm?: Confirm | undefined;
}

/** Who follows it: knows for whom, and is told what comes of it. */
export interface Follower {
  readonly means: CheckoutMeans;
  readonly signIn: SignIn | undefined;
  readonly disposed: AbortSignal;
  changed(): void;
  /** Nothing is left under this key; a look that began earlier must not bring it back. */
  ended(idempotencyKey: string): void;
  /** It is no longer followed. */
  removed(followed: FollowedPurchase): void;
  settled(settled: Settled): void;
}

export class FollowedPurchase {
  readonly #follower: Follower;
  readonly #means: CheckoutMeans;
  /** What is kept on disk. */
  #record: PurchaseRecord;
  #phase: Pending['phase'];
  #url: string | undefined;
  #host: string | undefined;
  #error: CreditsError | undefined;
  /** Monotonic ms of the person's last act on it, and of its start. */
  #actMs: number;
  readonly #startMs: number;
  /** Tries in a row that brought no answer. */
  #failures = 0;
  #timer: Disposable | undefined;
  #sending: Promise<BuyResult> | undefined;
  #checking: Promise<void> | undefined;
  /** Settled, taken back, or signed out. */
  #isGone: boolean = false;
  #isKept: boolean;
  #isMine: boolean;
  readonly #isElsewhere: boolean;

  /**
   * @param from begun `here` by its person; `kept` from an earlier session; or begun `elsewhere` a moment ago, so that
   * another window is on it
   */
  constructor(follower: Follower, record: PurchaseRecord, from: 'here' | 'kept' | 'elsewhere') {
    const { clock } = follower.means;
    this.#follower = follower;
    this.#means = follower.means;
    this.#record = record;
    this.#phase = record.purchase ? 'waiting' : 'starting';
    // A wall clock set back since then must not put the start into the future (F43).
    this.#startMs = clock.monotonic() - Math.max(0, clock.now() - record.startedAtMs);
    this.#actMs = this.#startMs;
    this.#isKept = from !== 'here';
    this.#isMine = from === 'here';
    this.#isElsewhere = from === 'elsewhere';
  }

  get record(): PurchaseRecord {
    return this.#record;
  }

  get order(): Order {
    const { amount_minor, currency, expected_credits_ucr } = this.#record.body;
    return { amountMinor: amount_minor, currency, creditsUcr: expected_credits_ucr };
  }

  /** As views see it. */
  get pending(): Pending {
    // The editor's "opened" proves nothing (a blocked popup says so too), so the link can always be copied.
    const canCopyLink = this.#url !== undefined;
    return { ...this.order, phase: this.#phase, host: this.#host, canCopyLink, error: this.#error };
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** It is in the folder; when it is gone from there, another window has ended it. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** By the clock and at events only one window asks; besides the one whose person is waiting. */
  get mayAsk(): boolean {
    return this.#isMine || this.#means.leading.isHeld;
  }

  /** Another window is just sending it. */
  get isSentElsewhere(): boolean {
    return this.#isElsewhere && !this.#isMine && !this.#record.purchase;
  }

  /** The clock is set for its next question. */
  get isArmed(): boolean {
    return this.#timer !== undefined;
  }

  /** Puts a new order where a restart finds it, and sends it. */
  async begin(signIn: SignIn, confirm: Confirm | undefined): Promise<BuyResult> {
    try {
      // Before the request: if the editor dies in between, the same key is sent again (T32, F27).
      await this.#keep();
    } catch (error) {
      this.remove();
      throw error;
    }
    return await this.#send(signIn, { open: true, confirm });
  }

  /** Goes back to its payment page, or sends it again where it is unanswered. */
  async resume(signIn: SignIn, confirm: Confirm | undefined): Promise<BuyResult> {
    this.#isMine = true;
    if (!this.#record.purchase) {
      const result = await this.#send(signIn, { open: true, confirm });
      if (result.kind !== 'settled' || this.#isGone) {
        return result;
      }
      // The background was sending it already, and does not open anything by itself.
    }
    if (this.#url === undefined) {
      await this.check();
    }
    if (this.#isGone || this.#url === undefined || this.#host === undefined) {
      if (this.#error && !this.#isGone) {
        return { kind: 'unanswered', error: this.#error };
      }
      return this.#host && this.#phase === 'waiting' && !this.#isGone
        ? { kind: 'badAddress', host: this.#host }
        : { kind: 'settled' };
    }
    return await this.#open(this.#url, this.#host);
  }

  /** The payment page's address, for the clipboard. */
  async link(): Promise<string | undefined> {
    if (this.#url === undefined && this.#record.purchase) {
      await this.check();
    }
    return this.#isGone ? undefined : this.#url;
  }

  /** The way back from the browser has ended here. */
  async cameBack(): Promise<void> {
    this.#record = { ...this.#record, returnState: undefined };
    await this.#keep();
    await this.act();
  }

  /** Another window has gone on with it. */
  takeOver(record: PurchaseRecord): void {
    if (!this.#sending && record.purchase && !this.#record.purchase) {
      this.#record = record;
      this.#phase = 'waiting';
      this.#follower.changed();
      this.arm();
    }
  }

  /** No longer followed here; it goes on at the server. */
  letGo(): void {
    this.#isGone = true;
    this.#timer?.dispose();
  }

  /** It has ended, or never began. */
  remove(): void {
    this.letGo();
    this.#follower.removed(this);
  }

  /** The person did something about it: ask now, and often for a while. */
  act(): Promise<unknown> {
    this.#actMs = this.#means.clock.monotonic();
    this.#isMine = true;
    return this.nudge();
  }

  nudge(): Promise<unknown> {
    const signIn = this.#follower.signIn;
    return this.#record.purchase || !signIn ? this.check() : this.#send(signIn, { open: false });
  }

  /** Sends the order, again and again with the same key, until the server has answered. */
  #send(signIn: SignIn, how: Sending): Promise<BuyResult> {
    this.#sending ??= this.#trySend(signIn, how).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #trySend(signIn: SignIn, how: Sending): Promise<BuyResult> {
    const { connect, clock, random, log } = this.#means;
    this.#timer?.dispose();
    this.#error = undefined;
    let purchase: Purchase | undefined;
    for (let attempt = 1; !purchase; attempt++) {
      const { body, idempotencyKey } = this.#record;
      try {
        const client = await connect(signIn);
        purchase = await client.createPurchase(signIn.account.orgId, body, idempotencyKey);
      } catch (caught) {
        const error = asCreditsError(caught);
        log.warn(`purchase: ${error.message}`);
        if (this.#isGone) {
          return { kind: this.#follower.signIn === signIn ? 'declined' : 'signedOut' };
        }
        if (error.code === 'return_uri_not_allowed' && body.return_uri !== undefined) {
          // The server does not know this editor's address: pay without a way back. Another body needs another key.
          const { return_uri: _, ...rest } = body;
          this.#isKept = false;
          this.#follower.ended(idempotencyKey);
          this.#record = { ...this.#record, body: rest, idempotencyKey: this.#means.newId() };
          await this.#means.records.forget(idempotencyKey);
          await this.#keep();
          continue;
        }
        if (!error.leavesOutcomeOpen) {
          return await this.#refused(error);
        }
        const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(QUICK_BACKOFF, attempt, random));
        if (attempt >= QUICK_TRIES || waitMs > PATIENCE_MS) {
          this.#error = error;
          this.#failures++;
          this.#follower.changed();
          this.arm(error.retryAfterMs);
          return { kind: 'unanswered', error };
        }
        await sleep(clock, waitMs, this.#follower.disposed);
        if (this.#isGone) {
          return { kind: 'declined' };
        }
      }
    }
    if (this.#isGone) {
      // Taken back, or signed out, while the answer was on its way. Nobody has its link; end it at the server too.
      await this.#cancelQuietly(signIn, purchase);
      return { kind: 'declined' };
    }
    this.#failures = 0;
    this.#record = { ...this.#record, purchase: { id: purchase.id, lifeMs: lifeMs(purchase) } };
    // The server has the order by now: a disk that is full must not keep its page from opening.
    await this.#keep().catch(() => this.#means.log.warn('purchase: could not be kept for a restart'));
    const refusedHost = this.#take(signIn, purchase);
    if (this.#isGone) {
      return { kind: 'settled' };
    }
    if (refusedHost) {
      await this.#forget();
      await this.#cancelQuietly(signIn, purchase);
      return { kind: 'badAddress', host: refusedHost.host };
    }
    const url = this.#url;
    const host = this.#host;
    if (!how.open || url === undefined || host === undefined) {
      this.arm();
      return { kind: 'settled' };
    }
    if (how.confirm && !(await how.confirm(this.order, host))) {
      await this.takeBack();
      return { kind: 'declined' };
    }
    if (this.#isGone) {
      // Signed out, or ended, while the person was being asked.
      await this.#cancelQuietly(signIn, purchase);
      return { kind: 'declined' };
    }
    return await this.#open(url, host);
  }

  async #refused(error: CreditsError): Promise<BuyResult> {
    await this.#forget();
    // The offer on screen is out of date: the rate, or this person's right to buy (F16, F24).
    await this.#means.store.refreshOptions();
    return error.code === 'quote_changed'
      ? { kind: 'quoteChanged', creditsUcr: error.problem?.credits_ucr }
      : { kind: 'refused', error };
  }

  async #open(url: string, host: string): Promise<BuyResult> {
    const { open, clock, log } = this.#means;
    log.info(`purchase: opening the payment page at ${host}`);
    let opened = false;
    try {
      opened = await open(url);
    } catch {
      log.warn('purchase: the browser did not open');
    }
    this.#actMs = clock.monotonic();
    if (!this.#isGone) {
      this.arm();
    }
    return opened ? { kind: 'opened', host } : { kind: 'notOpened', host };
  }

  check(): Promise<void> {
    this.#checking ??= this.#tryCheck().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #tryCheck(): Promise<void> {
    const signIn = this.#follower.signIn;
    const id = this.#record.purchase?.id;
    if (!signIn || id === undefined || this.#isGone) {
      return;
    }
    this.#timer?.dispose();
    try {
      const client = await this.#means.connect(signIn);
      const purchase = await client.purchase(signIn.account.orgId, id);
      if (this.#isGone) {
        return;
      }
      this.#failures = 0;
      this.#error = undefined;
      this.#take(signIn, purchase);
      if (!this.#isGone) {
        this.arm();
      }
    } catch (caught) {
      if (this.#isGone) {
        return;
      }
      const error = asCreditsError(caught);
      this.#means.log.warn(`purchase: ${error.message}`);
      this.#failures++;
      this.#error = error;
      if (error.reason === 'notFound') {
        await this.#forget();
        return;
      }
      this.#follower.changed();
      // A refused token is answered by a new sign-in, which follows the purchase again.
      if (error.reason !== 'unauthenticated') {
        this.arm(error.retryAfterMs);
      }
    }
  }

  /** Takes in how the server says it stands. Returns the page's host when its address may not be opened. */
  #take(signIn: SignIn, purchase: Purchase): { readonly host: string | undefined } | undefined {
    switch (purchase.status) {
      case 'credited':
        void this.#settleCredited(signIn, purchase);
        return undefined;
      case 'expired':
      case 'canceled':
      case 'failed':
        void this.#settle({ kind: purchase.status, order: this.order });
        return undefined;
      case 'needs_review':
        void this.#settle({ kind: 'needsReview', order: this.order });
        return undefined;
      case 'processing':
        this.#phase = 'processing';
        this.#url = undefined;
        this.#follower.changed();
        return undefined;
      default: {
        // creating, open, or a status this version does not know: it is still under way.
        this.#phase = 'waiting';
        const address =
          purchase.checkout_url === null
            ? undefined
            : readCheckoutAddress(
                purchase.checkout_url,
                this.#means.allowedOrigins(signIn.account.serverUrl),
              );
        this.#url = address?.ok ? address.url : undefined;
        this.#host = address?.host;
        this.#follower.changed();
        return address && !address.ok ? { host: address.host } : undefined;
      }
    }
  }

  /** The credits are in the ledger: bring the balance up to them, then say so. */
  async #settleCredited(signIn: SignIn, purchase: Purchase): Promise<void> {
    const { store } = this.#means;
    const version = purchase.balance_version ?? 0;
    this.#isGone = true;
    this.#timer?.dispose();
    this.#phase = 'processing';
    const included = () => {
      const last = lastReading(store.state.balance);
      return last && last.snapshot.version >= version ? last.snapshot.available_ucr : undefined;
    };
    if (included() === undefined) {
      await store.refresh(version);
    }
    if (this.#follower.signIn !== signIn) {
      // Signed out meanwhile: the record stays, and is told when this account is back.
      return;
    }
    await this.#settle({
      kind: 'credited',
      creditsUcr: purchase.credits_ucr,
      availableUcr: included(),
    });
  }

  async #settle(settled: Settled): Promise<void> {
    this.#isGone = true;
    if (this.#isElsewhere && !this.#isMine) {
      // It is told where it was bought, if that window still lives.
      await sleep(this.#means.clock, OTHERS_MS, this.#follower.disposed);
    }
    if (this.#follower.disposed.aborted) {
      // Told by whoever finds the record next.
      return;
    }
    // Forgotten first, told then: at most one telling, because only one window can take the record away.
    const untold = await this.#forget();
    if (untold) {
      this.#means.log.info(`purchase: ${settled.kind}`);
      this.#follower.settled(settled);
    }
  }

  async takeBack(): Promise<CreditsError | undefined> {
    const { connect } = this.#means;
    const signIn = this.#follower.signIn;
    const id = this.#record.purchase?.id;
    if (!signIn) {
      return undefined;
    }
    if (id === undefined) {
      await this.#settle({ kind: 'canceled', order: this.order });
      return undefined;
    }
    try {
      const client = await connect(signIn);
      const purchase = await client.cancelPurchase(signIn.account.orgId, id);
      if (!this.#isGone) {
        this.#take(signIn, purchase);
      }
      return undefined;
    } catch (caught) {
      const error = asCreditsError(caught);
      if (error.reason === 'notFound') {
        await this.#forget();
        return undefined;
      }
      if (error.code === 'purchase_not_open') {
        // It has come to its end in the meantime; which one, the server says.
        await this.check();
        if (!this.#isGone && this.#phase === 'waiting' && !this.#error && !this.#url) {
          // An end that this version does not know.
          await this.#forget();
        }
        return undefined;
      }
      return error;
    }
  }

  async #cancelQuietly(signIn: SignIn, purchase: Purchase): Promise<void> {
    try {
      const client = await this.#means.connect(signIn);
      await client.cancelPurchase(signIn.account.orgId, purchase.id);
    } catch (caught) {
      // It ends by itself when its time is up.
      this.#means.log.info(`purchase: could not be taken back, ${asCreditsError(caught).message}`);
    }
  }

  /** Sets the clock for the next question. */
  arm(atLeastMs = 0): void {
    const { clock, random } = this.#means;
    this.#timer?.dispose();
    this.#timer = undefined;
    if (this.#isGone || !this.mayAsk) {
      return;
    }
    const now = clock.monotonic();
    const { purchase } = this.#record;
    const scheduled = purchase
      ? nextCheckMs(
          now - this.#actMs,
          now - this.#startMs,
          purchase.lifeMs,
          this.#phase === 'processing' ? 'processing' : 'waiting',
        )
      : now - this.#startMs < REPEATABLE_FOR_MS
        ? 0
        : undefined;
    if (scheduled === undefined) {
      return;
    }
    const backingOff =
      this.#failures === 0 ? 0 : seconds(2) + backoffMs(BACKGROUND_BACKOFF, this.#failures, random);
    this.#timer = clock.after(Math.max(scheduled, backingOff, atLeastMs))(() => {
      this.#timer = undefined;
      void this.nudge();
    });
  }

  /** Puts the record where a restart finds it, and every other window. */
  async #keep(): Promise<void> {
    this.#isKept = false;
    await this.#means.records.keep(this.#record);
    this.#isKept = true;
  }

  /** Stops following and remembering. False when the record was already gone, so someone else has told. */
  async #forget(): Promise<boolean> {
    const { records, clock, log } = this.#means;
    const { idempotencyKey } = this.#record;
    this.#isGone = true;
    this.#follower.ended(idempotencyKey);
    let wasThere = true;
    try {
      wasThere = await records.forget(idempotencyKey);
      const over = records.read().filter(one => isOver(one, clock.now()));
      await Promise.all(over.map(one => records.forget(one.idempotencyKey)));
    } catch {
      log.warn('purchase: its record could not be removed');
    }
    this.remove();
    return wasThere;
  }
}
