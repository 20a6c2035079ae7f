// Takes a purchase from the press of "Buy" to credits that are there: keeps it through reloads and restarts, asks the
// server how it stands, and tells the end once. Focus, the way back from the browser, events and time are hints to
// ask; only the server's answer is a fact.
import type { CreatePurchase, Purchase } from '../../protocol/api.ts';
import type { Ucr } from '../../protocol/units.ts';
import { accountKey, type Sessions, type SignIn } from './account.ts';
import { readCheckoutAddress } from './address.ts';
import { backoffMs } from './backoff.ts';
import { lastReading } from './balance.ts';
import { type Clock, minutes, seconds, sleep } from './clock.ts';
import type { Connect } from './connect.ts';
import type { CreditsStore } from './creditsStore.ts';
import { asCreditsError, type CreditsError } from './errors.ts';
import { type Disposable, Emitter, type Event, Owned } from './event.ts';
import type { Leading } from './lease.ts';
import type { Log } from './log.ts';
import {
  lifeMs,
  nextCheckMs,
  type PurchaseRecord,
  REMEMBERED_FOR_MS,
  REPEATABLE_FOR_MS,
  type Records,
} from './purchaseRecord.ts';
import type { Attention, Hints } from './refresher.ts';

export interface Order {
  readonly amountMinor: number;
  readonly currency: string;
  /** What the person was shown for it; the server refuses when its rate has changed. */
  readonly creditsUcr: Ucr;
}

/** A purchase under way, as views see it. */
export interface Pending extends Order {
  readonly phase: 'starting' | 'waiting' | 'processing';
  /** The payment page's host, once known. */
  readonly host: string | undefined;
  readonly canCopyLink: boolean;
  /** Why the server has not confirmed the order yet; it is repeated with the same key. */
  readonly error: CreditsError | undefined;
}

export type Settled =
  | { readonly kind: 'credited'; readonly creditsUcr: Ucr; readonly availableUcr: Ucr | undefined }
  | { readonly kind: 'expired' | 'canceled' | 'failed' | 'needsReview'; readonly order: Order };

export type BuyResult =
  | { readonly kind: 'opened'; readonly host: string }
  /** The editor says the browser did not open; the purchase waits, its link can be copied. */
  | { readonly kind: 'notOpened'; readonly host: string }
  /** The person looked at amount, credits and host, and said no. */
  | { readonly kind: 'declined' }
  | { readonly kind: 'alreadyPending'; readonly pending: Pending }
  | { readonly kind: 'quoteChanged'; readonly creditsUcr: Ucr | undefined }
  /** The server said no. There is no order. */
  | { readonly kind: 'refused'; readonly error: CreditsError }
  /** No answer yet; goes on in the background with the same key. */
  | { readonly kind: 'unanswered'; readonly error: CreditsError }
  /** The server named a payment page that may not be opened; the order was taken back. */
  | { readonly kind: 'badAddress'; readonly host: string | undefined }
  /** It had already come to its end, which onDidSettle tells. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'signedOut' };

/** Asked before a payment page is opened, where the view has not named the host yet (T40). */
export type Confirm = (order: Order, host: string) => Promise<boolean>;

export interface CheckoutMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly store: CreditsStore;
  readonly hints: Hints;
  readonly attention: Attention;
  /** The one-time state of each way back from a browser. */
  readonly returned: Event<string>;
  /** Opens an address outside; false when it certainly did not. */
  readonly open: (url: string) => Promise<boolean>;
  /** The address that leads back into this editor with `state`, or undefined where there is none. */
  readonly returnUri: (state: string) => Promise<string | undefined>;
  readonly allowedOrigins: (serverUrl: string) => ReadonlySet<string>;
  /** Unguessable and never the same twice: idempotency keys and one-time states. */
  readonly newId: () => string;
  readonly records: Records;
  /** Whether this window asks by the clock for what no window's person is acting on. */
  readonly leading: Leading;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** While someone looks at "Starting…": three quick tries, then the background takes over. */
const QUICK_TRIES = 3;
const QUICK_BACKOFF = { baseMs: seconds(1), capMs: seconds(8) };
/** A longer wish of the server's is not waited for with someone looking on. */
const PATIENCE_MS = seconds(10);
const BACKGROUND_BACKOFF = { baseMs: seconds(10), capMs: minutes(5) };

/** What another window has begun is left to it for this long before this one takes part. */
const OTHERS_MS = seconds(5);
/** An order another window is just sending is not sent from here as well, unless that window has died. */
const OTHERS_SENDING_MS = seconds(45);

/** The longest return address the contract takes. */
const MAX_RETURN_URI = 2_000;

/** One purchase while it is followed. `record` is what is kept on disk. */
interface Followed {
  record: PurchaseRecord;
  phase: Pending['phase'];
  url: string | undefined;
  host: string | undefined;
  error: CreditsError | undefined;
  /** Monotonic ms of the person's last act on it, and of its start. */
  actMs: number;
  readonly startMs: number;
  /** Tries in a row that brought no answer. */
  failures: number;
  timer: Disposable | undefined;
  sending: Promise<BuyResult> | undefined;
  checking: Promise<void> | undefined;
  /** It is in the folder; when it is gone from there, another window has ended it. */
  kept: boolean;
  /** The person acted on it here. */
  isMine: boolean;
  /** It turned up while this window was open, so another window is on it. */
  isElsewhere: boolean;
  /** No longer followed: settled, taken back, or signed out. */
  gone: boolean;
}

export class Checkout {
  readonly #means: CheckoutMeans;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<Pending | undefined>());
  readonly #settled = this.#owned.own(new Emitter<Settled>());
  readonly #disposed = new AbortController();
  #signIn: SignIn | undefined;
  /** Oldest first; views show the newest. */
  #followed: Followed[] = [];
  /** Keys that have ended here; a look that began earlier must not bring them back. */
  readonly #ended = new Set<string>();
  /** The order whose first answer is still awaited. */
  #starting: Order | undefined;

  readonly onDidChange = this.#changed.event;
  /** Fires once for each purchase, after the balance includes it. */
  readonly onDidSettle = this.#settled.event;

  constructor(means: CheckoutMeans) {
    this.#means = means;
    const { sessions, hints, attention, returned, records, leading } = means;
    this.#owned.own(sessions.onDidChange(() => this.#follow()));
    this.#owned.own(
      hints.onDidReceive(event => {
        if (event.name === 'resync') {
          this.#nudgeAll();
        } else if (event.name === 'purchase.updated') {
          const updated = this.#followed.find(one => one.record.purchase?.id === event.data.id);
          if (updated) {
            void this.#check(updated);
          }
        }
      }),
    );
    this.#owned.own(hints.onDidChangeLiveness(isLive => isLive && this.#nudgeAll()));
    this.#owned.own(
      attention.onDidFocus(() => {
        for (const one of this.#followed) {
          void (this.#mayAsk(one) ? this.#act(one) : this.#nudge(one));
        }
      }),
    );
    this.#owned.own(records.onDidChange(() => this.#adopt()));
    this.#owned.own(leading.onDidChange(isHeld => isHeld && this.#nudgeAll()));
    this.#owned.own(returned(state => void this.#cameBack(state)));
    this.#follow();
  }

  get pending(): Pending | undefined {
    const newest = this.#followed.at(-1);
    return newest && view(newest);
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
      return { kind: 'alreadyPending', pending: first ? view(first) : starting(this.#starting) };
    }
    this.#starting = order;
    try {
      // Another window may have begun one a moment ago (F41).
      await this.#means.records.load().catch(() => undefined);
      const open = this.#followed.at(-1);
      if (open && !choice.another) {
        return { kind: 'alreadyPending', pending: view(open) };
      }
      if (open && open.phase !== 'processing') {
        await this.#takeBack(open);
        if (!open.gone) {
          return { kind: 'alreadyPending', pending: view(open) };
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
      const followed = this.#add({
        account: accountKey(signIn.account),
        idempotencyKey: this.#means.newId(),
        body,
        returnState,
        startedAtMs: clock.now(),
        purchase: undefined,
      });
      followed.isMine = true;
      try {
        // Before the request: if the editor dies in between, the same key is sent again (T32, F27).
        await this.#keep(followed);
      } catch (error) {
        this.#remove(followed);
        throw error;
      }
      return await this.#send(signIn, followed, { open: true, confirm: choice.confirm });
    } finally {
      this.#starting = undefined;
    }
  }

  /** Goes back to the payment page of the open purchase, or sends an unanswered order again. */
  async resume(confirm?: Confirm): Promise<BuyResult> {
    const { sessions } = this.#means;
    const signIn = sessions.current;
    const open = this.#followed.at(-1);
    if (!signIn || !open) {
      return { kind: 'signedOut' };
    }
    open.isMine = true;
    if (!open.record.purchase) {
      const result = await this.#send(signIn, open, { open: true, confirm });
      if (result.kind !== 'settled' || open.gone) {
        return result;
      }
      // The background was sending it already, and does not open anything by itself.
    }
    if (open.url === undefined) {
      await this.#check(open);
    }
    if (open.gone || open.url === undefined || open.host === undefined) {
      return open.gone
        ? { kind: 'settled' }
        : open.error
          ? { kind: 'unanswered', error: open.error }
          : { kind: 'badAddress', host: undefined };
    }
    return await this.#open(open, open.url, open.host);
  }

  /** The payment page's address, for the clipboard. */
  async link(): Promise<string | undefined> {
    const open = this.#followed.at(-1);
    if (open && open.url === undefined && open.record.purchase) {
      await this.#check(open);
    }
    return open?.gone ? undefined : open?.url;
  }

  /** "I have paid, check now". */
  async checkNow(): Promise<void> {
    await Promise.all(this.#followed.map(one => this.#act(one)));
  }

  /** Takes the open purchase back at the server. Undefined when that worked or it had ended anyway. */
  async cancel(): Promise<CreditsError | undefined> {
    const open = this.#followed.at(-1);
    return open ? await this.#takeBack(open) : undefined;
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
          this.#add(record).kept = true;
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
        if (!known.sending && record.purchase && !known.record.purchase) {
          known.record = record;
          known.phase = 'waiting';
          this.#changed.fire(this.pending);
          this.#arm(known);
        }
      } else if (!this.#ended.has(record.idempotencyKey)) {
        const found = this.#add(record);
        found.kept = true;
        found.isElsewhere = clock.now() - record.startedAtMs < OTHERS_SENDING_MS;
        if (found.isElsewhere) {
          this.#arm(found, record.purchase ? OTHERS_MS : OTHERS_SENDING_MS);
        } else if (this.#mayAsk(found)) {
          void this.#nudge(found);
        }
      }
    }
    const keys = new Set(kept.map(one => one.idempotencyKey));
    for (const one of [...this.#followed]) {
      if (one.kept && !one.gone && !keys.has(one.record.idempotencyKey)) {
        this.#remove(one);
      }
    }
  }

  /** By the clock and at events only one window asks; besides the one whose person is waiting. */
  #mayAsk(followed: Followed): boolean {
    return followed.isMine || this.#means.leading.isHeld;
  }

  #letGo(): void {
    for (const one of this.#followed.splice(0)) {
      one.gone = true;
      one.timer?.dispose();
    }
  }

  #add(record: PurchaseRecord): Followed {
    const { clock } = this.#means;
    const now = clock.monotonic();
    // A wall clock set back since then must not put the start into the future (F43).
    const startMs = now - Math.max(0, clock.now() - record.startedAtMs);
    const followed: Followed = {
      record,
      phase: record.purchase ? 'waiting' : 'starting',
      url: undefined,
      host: undefined,
      error: undefined,
      actMs: startMs,
      startMs,
      failures: 0,
      timer: undefined,
      sending: undefined,
      checking: undefined,
      kept: false,
      isMine: false,
      isElsewhere: false,
      gone: false,
    };
    this.#followed.push(followed);
    this.#changed.fire(this.pending);
    return followed;
  }

  #remove(followed: Followed): void {
    followed.gone = true;
    followed.timer?.dispose();
    this.#followed = this.#followed.filter(one => one !== followed);
    this.#changed.fire(this.pending);
  }

  #nudgeAll(): void {
    for (const one of this.#followed) {
      if (this.#mayAsk(one) && !(one.isElsewhere && !one.record.purchase)) {
        void this.#nudge(one);
      }
    }
  }

  /** The person did something about it: ask now, and often for a while. */
  #act(followed: Followed): Promise<unknown> {
    followed.actMs = this.#means.clock.monotonic();
    followed.isMine = true;
    return this.#nudge(followed);
  }

  #nudge(followed: Followed): Promise<unknown> {
    const signIn = this.#signIn;
    return followed.record.purchase || !signIn
      ? this.#check(followed)
      : this.#send(signIn, followed, { open: false });
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
    if (!followed || this.#signIn !== signIn) {
      return;
    }
    followed.record = { ...followed.record, returnState: undefined };
    await this.#keep(followed);
    await this.#act(followed);
  }

  /** Sends the order, again and again with the same key, until the server has answered. */
  #send(
    signIn: SignIn,
    followed: Followed,
    how: { open: boolean; confirm?: Confirm | undefined },
  ): Promise<BuyResult> {
    followed.sending ??= this.#trySend(signIn, followed, how).finally(() => {
      followed.sending = undefined;
    });
    return followed.sending;
  }

  async #trySend(
    signIn: SignIn,
    followed: Followed,
    how: { open: boolean; confirm?: Confirm | undefined },
  ): Promise<BuyResult> {
    const { connect, clock, random, log } = this.#means;
    followed.timer?.dispose();
    followed.error = undefined;
    let purchase: Purchase | undefined;
    for (let attempt = 1; !purchase; attempt++) {
      const { body, idempotencyKey } = followed.record;
      try {
        const client = await connect(signIn);
        purchase = await client.createPurchase(signIn.account.orgId, body, idempotencyKey);
      } catch (caught) {
        const error = asCreditsError(caught);
        log.warn(`purchase: ${error.message}`);
        if (followed.gone) {
          return { kind: this.#signIn === signIn ? 'declined' : 'signedOut' };
        }
        if (error.code === 'return_uri_not_allowed' && body.return_uri !== undefined) {
          // The server does not know this editor's address: pay without a way back. Another body needs another key.
          const { return_uri: _, ...rest } = body;
          followed.kept = false;
          this.#ended.add(idempotencyKey);
          followed.record = { ...followed.record, body: rest, idempotencyKey: this.#means.newId() };
          await this.#means.records.forget(idempotencyKey);
          await this.#keep(followed);
          continue;
        }
        if (!error.leavesOutcomeOpen) {
          return await this.#refused(followed, error);
        }
        const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(QUICK_BACKOFF, attempt, random));
        if (attempt >= QUICK_TRIES || waitMs > PATIENCE_MS) {
          followed.error = error;
          followed.failures++;
          this.#changed.fire(this.pending);
          this.#arm(followed, error.retryAfterMs);
          return { kind: 'unanswered', error };
        }
        await sleep(clock, waitMs, this.#disposed.signal);
        if (followed.gone) {
          return { kind: 'declined' };
        }
      }
    }
    if (followed.gone) {
      // Taken back, or signed out, while the answer was on its way. Nobody has its link; end it at the server too.
      await this.#cancelQuietly(signIn, purchase);
      return { kind: 'declined' };
    }
    followed.failures = 0;
    followed.record = { ...followed.record, purchase: { id: purchase.id, lifeMs: lifeMs(purchase) } };
    await this.#keep(followed);
    const refusedHost = this.#take(signIn, followed, purchase);
    if (followed.gone) {
      return { kind: 'settled' };
    }
    if (refusedHost) {
      await this.#forget(followed);
      await this.#cancelQuietly(signIn, purchase);
      return { kind: 'badAddress', host: refusedHost.host };
    }
    const { url, host } = followed;
    if (!how.open || url === undefined || host === undefined) {
      this.#arm(followed);
      return { kind: 'settled' };
    }
    if (how.confirm && !(await how.confirm(orderOf(followed), host))) {
      await this.#takeBack(followed);
      return { kind: 'declined' };
    }
    return await this.#open(followed, url, host);
  }

  async #refused(followed: Followed, error: CreditsError): Promise<BuyResult> {
    await this.#forget(followed);
    // The offer on screen is out of date: the rate, or this person's right to buy (F16, F24).
    await this.#means.store.refreshOptions();
    return error.code === 'quote_changed'
      ? { kind: 'quoteChanged', creditsUcr: error.problem?.credits_ucr }
      : { kind: 'refused', error };
  }

  async #open(followed: Followed, url: string, host: string): Promise<BuyResult> {
    const { open, clock, log } = this.#means;
    log.info(`purchase: opening the payment page at ${host}`);
    let opened = false;
    try {
      opened = await open(url);
    } catch {
      log.warn('purchase: the browser did not open');
    }
    followed.actMs = clock.monotonic();
    if (!followed.gone) {
      this.#arm(followed);
    }
    return opened ? { kind: 'opened', host } : { kind: 'notOpened', host };
  }

  #check(followed: Followed): Promise<void> {
    followed.checking ??= this.#tryCheck(followed).finally(() => {
      followed.checking = undefined;
    });
    return followed.checking;
  }

  async #tryCheck(followed: Followed): Promise<void> {
    const signIn = this.#signIn;
    const id = followed.record.purchase?.id;
    if (!signIn || id === undefined || followed.gone) {
      return;
    }
    followed.timer?.dispose();
    try {
      const client = await this.#means.connect(signIn);
      const purchase = await client.purchase(signIn.account.orgId, id);
      if (followed.gone) {
        return;
      }
      followed.failures = 0;
      followed.error = undefined;
      this.#take(signIn, followed, purchase);
      if (!followed.gone) {
        this.#arm(followed);
      }
    } catch (caught) {
      if (followed.gone) {
        return;
      }
      const error = asCreditsError(caught);
      this.#means.log.warn(`purchase: ${error.message}`);
      followed.failures++;
      followed.error = error;
      if (error.reason === 'notFound') {
        await this.#forget(followed);
        return;
      }
      this.#changed.fire(this.pending);
      // A refused token is answered by a new sign-in, which follows the purchase again.
      if (error.reason !== 'unauthenticated') {
        this.#arm(followed, error.retryAfterMs);
      }
    }
  }

  /** Takes in how the server says it stands. Returns the page's host when its address may not be opened. */
  #take(
    signIn: SignIn,
    followed: Followed,
    purchase: Purchase,
  ): { readonly host: string | undefined } | undefined {
    switch (purchase.status) {
      case 'credited':
        void this.#settleCredited(signIn, followed, purchase);
        return undefined;
      case 'expired':
      case 'canceled':
      case 'failed':
        void this.#settle(followed, { kind: purchase.status, order: orderOf(followed) });
        return undefined;
      case 'needs_review':
        void this.#settle(followed, { kind: 'needsReview', order: orderOf(followed) });
        return undefined;
      case 'processing':
        followed.phase = 'processing';
        followed.url = undefined;
        this.#changed.fire(this.pending);
        return undefined;
      default: {
        // creating, open, or a status this version does not know: it is still under way.
        followed.phase = 'waiting';
        const address =
          purchase.checkout_url === null
            ? undefined
            : readCheckoutAddress(
                purchase.checkout_url,
                this.#means.allowedOrigins(signIn.account.serverUrl),
              );
        followed.url = address?.ok ? address.url : undefined;
        followed.host = address?.host;
        this.#changed.fire(this.pending);
        return address && !address.ok ? { host: address.host } : undefined;
      }
    }
  }

  /** The credits are in the ledger: bring the balance up to them, then say so. */
  async #settleCredited(signIn: SignIn, followed: Followed, purchase: Purchase): Promise<void> {
    const { store } = this.#means;
    const version = purchase.balance_version ?? 0;
    followed.gone = true;
    followed.timer?.dispose();
    followed.phase = 'processing';
    const included = () => {
      const last = lastReading(store.state.balance);
      return last && last.snapshot.version >= version ? last.snapshot.available_ucr : undefined;
    };
    if (included() === undefined) {
      await store.refresh(version);
    }
    if (this.#signIn !== signIn) {
      // Signed out meanwhile: the record stays, and is told when this account is back.
      return;
    }
    await this.#settle(followed, {
      kind: 'credited',
      creditsUcr: purchase.credits_ucr,
      availableUcr: included(),
    });
  }

  async #settle(followed: Followed, settled: Settled): Promise<void> {
    followed.gone = true;
    if (followed.isElsewhere && !followed.isMine) {
      // It is told where it was bought, if that window still lives.
      await sleep(this.#means.clock, OTHERS_MS, this.#disposed.signal);
    }
    if (this.#disposed.signal.aborted) {
      // Told by whoever finds the record next.
      return;
    }
    // Forgotten first, told then: at most one telling, because only one window can take the record away.
    const untold = await this.#forget(followed);
    if (untold) {
      this.#means.log.info(`purchase: ${settled.kind}`);
      this.#settled.fire(settled);
    }
  }

  async #takeBack(followed: Followed): Promise<CreditsError | undefined> {
    const { connect } = this.#means;
    const signIn = this.#signIn;
    const id = followed.record.purchase?.id;
    if (!signIn) {
      return undefined;
    }
    if (id === undefined) {
      await this.#settle(followed, { kind: 'canceled', order: orderOf(followed) });
      return undefined;
    }
    try {
      const client = await connect(signIn);
      const purchase = await client.cancelPurchase(signIn.account.orgId, id);
      if (!followed.gone) {
        this.#take(signIn, followed, purchase);
      }
      return undefined;
    } catch (caught) {
      const error = asCreditsError(caught);
      if (error.reason === 'notFound') {
        await this.#forget(followed);
        return undefined;
      }
      if (error.code === 'purchase_not_open') {
        // It has come to its end in the meantime; which one, the server says.
        await this.#check(followed);
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
  #arm(followed: Followed, atLeastMs = 0): void {
    const { clock, random } = this.#means;
    followed.timer?.dispose();
    followed.timer = undefined;
    if (followed.gone || !this.#mayAsk(followed)) {
      return;
    }
    const now = clock.monotonic();
    const { purchase } = followed.record;
    const scheduled = purchase
      ? nextCheckMs(
          now - followed.actMs,
          now - followed.startMs,
          purchase.lifeMs,
          followed.phase === 'processing' ? 'processing' : 'waiting',
        )
      : now - followed.startMs < REPEATABLE_FOR_MS
        ? 0
        : undefined;
    if (scheduled === undefined) {
      return;
    }
    const backingOff =
      followed.failures === 0 ? 0 : seconds(2) + backoffMs(BACKGROUND_BACKOFF, followed.failures, random);
    followed.timer = clock.after(Math.max(scheduled, backingOff, atLeastMs))(
      () => void this.#nudge(followed),
    );
  }

  /** Puts the record where a restart finds it, and every other window. */
  async #keep(followed: Followed): Promise<void> {
    followed.kept = false;
    await this.#means.records.keep(followed.record);
    followed.kept = true;
  }

  /** Stops following and remembering. False when the record was already gone, so someone else has told. */
  async #forget(followed: Followed): Promise<boolean> {
    const { records, clock, log } = this.#means;
    const { idempotencyKey } = followed.record;
    followed.gone = true;
    this.#ended.add(idempotencyKey);
    let wasThere = true;
    try {
      wasThere = await records.forget(idempotencyKey);
      const over = records.read().filter(one => isOver(one, clock.now()));
      await Promise.all(over.map(one => records.forget(one.idempotencyKey)));
    } catch {
      log.warn('purchase: its record could not be removed');
    }
    this.#remove(followed);
    return wasThere;
  }
}

function isOver(record: PurchaseRecord, nowMs: number): boolean {
  return nowMs - record.startedAtMs > (record.purchase ? REMEMBERED_FOR_MS : REPEATABLE_FOR_MS);
}

function orderOf({ record: { body } }: Followed): Order {
  return { amountMinor: body.amount_minor, currency: body.currency, creditsUcr: body.expected_credits_ucr };
}

function starting(order: Order): Pending {
  return { ...order, phase: 'starting', host: undefined, canCopyLink: false, error: undefined };
}

function view(followed: Followed): Pending {
  const { phase, host, url, error } = followed;
  // The editor's "opened" proves nothing (a blocked popup says so too), so the link can always be copied.
  return { ...orderOf(followed), phase, host, canCopyLink: url !== undefined, error };
}
