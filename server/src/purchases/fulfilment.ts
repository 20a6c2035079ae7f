// Fulfilment: the one function that turns a payment into credits, whoever calls it and however often: the webhook,
// the return page, a read of the purchase, the reconciler.
import type { FastifyBaseLogger } from 'fastify';
import { sql } from 'kysely';
import type { PurchaseStatus } from '../../../protocol/api.ts';
import { note } from '../audit.ts';
import { type Clock, HOUR_MS } from '../clock.ts';
import type { Database, Tx } from '../database/database.ts';
import type { StripeEventStatus } from '../database/tables.ts';
import { type Ledger, lockOrganisation } from '../ledger/ledger.ts';
import { RequestRefused } from '../problems.ts';
import type { Notice, Payments, Returned, Session } from './payments.ts';
import {
  changePurchase,
  credit,
  mayBecome,
  type PurchaseRow,
  REVIEWED,
  selectPurchases,
  storePurchase,
  tellPurchase,
  underWay,
} from './purchase.ts';
import { PAYMENT_PROVIDER, type Reversal, reversalOf, reverse } from './reversal.ts';

/** Before a person is asked about an order whose session is unknown to the payment side, and news of it is put aside. */
const LOST_AFTER_MS = 24 * HOUR_MS;

/** What the payment side knows, compared with what was ordered. */
type Finding = 'waiting' | 'processing' | 'paid' | 'failed' | 'expired' | 'mismatch';

const sessionEvents = new Set([
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
]);

/** News of money that goes back. Each names its payment; what is so is then read from the payment side. */
const returnEvents = new Set([
  'charge.refunded',
  'charge.refund.updated',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'charge.dispute.closed',
]);

/** What is acted on, of all that the payment side tells. */
export const newsTypes: readonly string[] = [...sessionEvents, ...returnEvents];

/** A delivery that was taken in, as far as acting on it goes. */
export interface Delivery {
  readonly key: string;
  readonly sessionId: string | null;
  readonly paymentIntentId: string | null;
}

/** One that was taken in at this moment. */
export interface TakenIn extends Delivery {
  readonly receivedAt: Date;
}

interface Parts {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly payments: Payments | undefined;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

export class Fulfilment {
  readonly #database: Database;
  readonly #ledger: Ledger;
  readonly #payments: Payments | undefined;
  readonly #clock: Clock;
  readonly #log: FastifyBaseLogger;

  constructor({ database, ledger, payments, clock, log }: Parts) {
    this.#database = database;
    this.#ledger = ledger;
    this.#payments = payments;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Reads the session from the payment side and brings its purchase up to date. The answer of the payment side is
   * the fact, whatever the caller was told, so that calls may come twice, at once and in any order.
   * `eventKey` names the delivery that is settled together with it, in one transaction (F60, F61).
   */
  async fulfil(sessionId: string, eventKey?: string): Promise<void> {
    if (!this.#payments) {
      throw new RequestRefused('payment_provider_unavailable');
    }
    const purchase = await this.#purchaseOf(sessionId, this.#payments);
    const look = purchase && (await this.#beginLook(purchase));
    if (!purchase || look === undefined) {
      this.#log.error({ session: sessionId }, 'a payment session belongs to no purchase: a person must look');
      await this.#settle(this.#database.query, eventKey, 'quarantined', null);
      return;
    }
    const session = await this.#payments.read(sessionId);
    if (!session) {
      return this.#lose(purchase, sessionId, eventKey);
    }
    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const current = await read(tx, purchase);
      const finding = this.#compare(current, session);
      await setLost(tx, current, null);
      await this.#advance(tx, current, session, finding);
      // Also where payment and order differ: a dispute blocks buying all the same, and what was credited goes back.
      if (session.returned) {
        await this.#takeBack(tx, await read(tx, purchase), session.returned, look);
      }
      await this.#settle(tx, eventKey, 'done', purchase.org_id);
    });
  }

  /** Acts on a delivery that was taken in. */
  async act({ key, sessionId, paymentIntentId }: Delivery): Promise<void> {
    const session =
      sessionId ?? (paymentIntentId === null ? undefined : await this.#sessionOf(paymentIntentId));
    if (session !== undefined) {
      return this.fulfil(session, key);
    }
    this.#log.error({ payment: paymentIntentId }, 'money went back of a payment that belongs to no purchase');
    await this.#settle(this.#database.query, key, 'quarantined', null);
  }

  /**
   * Takes news in before acting on it, so that none is lost between its answer and its effect (F62). News that was found
   * by looking says nothing of the webhook, until it is delivered as well.
   */
  async receive(notice: Notice, by: 'delivery' | 'looking' = 'delivery'): Promise<'settled' | 'to_fulfil'> {
    const ours =
      (sessionEvents.has(notice.type) && notice.sessionId !== null) ||
      (returnEvents.has(notice.type) && notice.paymentIntentId !== null);
    // A test event at a live server, or the reverse, is not about this server's money (T26).
    // Only the sandbox's stand-in may leave the mode out.
    const otherMode =
      notice.livemode === null
        ? this.#payments?.mode !== 'sandbox'
        : notice.livemode !== (this.#payments?.mode === 'live');
    if (otherMode) {
      this.#log.warn(
        { event: notice.eventId, type: notice.type },
        'event of the other mode (live or test) ignored',
      );
    }
    const status = ours && !otherMode ? 'received' : 'ignored';
    const now = this.#clock();
    const stored = await this.#database.query
      .insertInto('stripe_events')
      .values({
        event_key: notice.key,
        event_id: notice.eventId,
        type: notice.type,
        session_id: notice.sessionId,
        payment_intent_id: notice.paymentIntentId,
        status,
        org_id: null,
        received_at: now,
        settled_at: status === 'ignored' ? now : null,
        found_by_looking: by === 'looking',
      })
      // Known already: what counts is whether its effect was committed, not whether it was seen (T28).
      .onConflict(conflict =>
        conflict.column('event_key').doUpdateSet(
          by === 'delivery'
            ? {
                found_by_looking: false,
                received_at: now,
                // Sent again by hand: what could not be said of it then may be known now.
                status: sql`case stripe_events.status when 'quarantined' then 'received' else stripe_events.status end`,
              }
            : { event_key: notice.key },
        ),
      )
      .returning('status')
      .executeTakeFirstOrThrow();
    return stored.status === 'received' ? 'to_fulfil' : 'settled';
  }

  /** Deliveries taken in whose effect was never committed, oldest first; of those after `after`, if it is given. */
  unsettled(limit: number, after?: TakenIn): Promise<TakenIn[]> {
    const unsettled = this.#database.query
      .selectFrom('stripe_events')
      .select(['event_key as key', 'session_id as sessionId', 'payment_intent_id as paymentIntentId'])
      .select('received_at as receivedAt')
      .where('status', '=', 'received')
      .orderBy('received_at')
      .orderBy('event_key')
      .limit(limit);
    const wanted = after
      ? unsettled.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('received_at', 'event_key'), '>', tuple(after.receivedAt, after.key)),
        )
      : unsettled;
    return wanted.execute();
  }

  /**
   * The purchase that a session was made for. A session that its purchase does not know yet, because the server
   * died between making and storing it, is recognised by the ids that were put into it.
   */
  async #purchaseOf(sessionId: string, payments: Payments): Promise<PurchaseRow | undefined> {
    const known = await selectPurchases(this.#database.query)
      .where('session_id', '=', sessionId)
      .executeTakeFirst();
    if (known) {
      return known;
    }
    const session = await payments.read(sessionId);
    if (!session || session.orgId === null || session.purchaseId === null) {
      return undefined;
    }
    return selectPurchases(this.#database.query)
      .where('purchases.org_id', '=', session.orgId)
      .where('purchase_id', '=', session.purchaseId)
      .where('session_id', 'is', null)
      .executeTakeFirst();
  }

  /**
   * A number for a look at the payment side, taken before it. What a look found is stored only if no later one has
   * been: an answer that was long on its way must not undo what is known since (F57).
   */
  async #beginLook(purchase: PurchaseRow): Promise<bigint> {
    const { looks_begun } = await this.#database.query
      .updateTable('purchases')
      .set(row => ({ looks_begun: row('looks_begun', '+', 1n) }))
      .where('org_id', '=', purchase.org_id)
      .where('purchase_id', '=', purchase.purchase_id)
      .returning('looks_begun')
      .executeTakeFirstOrThrow();
    return looks_begun;
  }

  /** Known here since the payment was seen; before that only the payment side knows. */
  async #sessionOf(paymentIntentId: string): Promise<string | undefined> {
    const known = await this.#database.query
      .selectFrom('purchases')
      .select('session_id')
      .where('payment_intent_id', '=', paymentIntentId)
      .executeTakeFirst();
    return known?.session_id ?? this.#payments?.sessionOf(paymentIntentId);
  }

  /** Sets what was refunded, disputed and reversed to what the payment side says in all (T30, F52). */
  async #takeBack(tx: Tx, purchase: PurchaseRow, returned: Returned, look: bigint): Promise<void> {
    if (look <= purchase.look_stored) {
      return;
    }
    const now = this.#clock();
    const credited = purchase.status === 'credited';
    const target = credited
      ? reversalOf(purchase.credits_ucr, returned)
      : { reversedUcr: 0n, disputedUcr: 0n };
    const { steps } = credited
      ? await reverse(tx, this.#ledger, purchase, target)
      : { steps: purchase.reversal_steps };
    const facts = { refunded_minor: BigInt(returned.refundedMinor), dispute: returned.dispute };
    await storePurchase(tx, purchase, {
      ...facts,
      total_minor: BigInt(returned.paidMinor),
      reversed_ucr: target.reversedUcr,
      disputed_ucr: target.disputedUcr,
      reversal_steps: steps,
      look_stored: look,
    });
    if (
      facts.refunded_minor !== purchase.refunded_minor ||
      facts.dispute !== purchase.dispute ||
      target.disputedUcr !== purchase.disputed_ucr
    ) {
      await tellPurchase(tx, purchase, purchase.status, purchase.balance_version, now);
    }
    await this.#noteReturn(tx, purchase, { ...facts, ...target }, now);
  }

  /** One entry for each thing that changed: refunds, what became of a dispute, and what it set aside. */
  async #noteReturn(
    tx: Tx,
    before: PurchaseRow,
    after: Reversal & Pick<PurchaseRow, 'refunded_minor' | 'dispute'>,
    at: Date,
  ): Promise<void> {
    const actions = [
      after.refunded_minor > before.refunded_minor && 'refunded',
      after.refunded_minor < before.refunded_minor && 'refund_failed',
      after.dispute !== before.dispute && `dispute_${after.dispute ?? 'withdrawn'}`,
      after.disputedUcr > before.disputed_ucr && 'dispute_held',
      after.disputedUcr < before.disputed_ucr && 'dispute_released',
    ].filter(action => action !== false);
    for (const action of actions) {
      const deed = {
        action: `purchase.${action}`,
        actor: PAYMENT_PROVIDER,
        purchaseId: before.purchase_id,
        details: {
          refunded_minor: Number(after.refunded_minor),
          reversed_ucr: Number(after.reversedUcr),
          disputed_ucr: Number(after.disputedUcr),
        },
      };
      await note(tx, before.org_id, deed, at);
    }
  }

  async #advance(tx: Tx, purchase: PurchaseRow, session: Session, finding: Finding): Promise<void> {
    const now = this.#clock();
    const status = statusAfter(finding, purchase);
    const isDecided = purchase.failure_code === REVIEWED;
    if (isDecided || status === purchase.status || !mayBecome[purchase.status].includes(status)) {
      return status === 'credited' ? this.#link(tx, purchase, session) : undefined;
    }
    const links = {
      session_id: session.id,
      checkout_url: session.url ?? purchase.checkout_url,
      payment_intent_id: session.paymentIntentId,
      receipt_url: session.receiptUrl,
      invoice_url: session.invoiceUrl,
    };
    if (status !== 'credited') {
      const failure_code = status === 'failed' ? 'payment_failed' : null;
      await changePurchase(tx, purchase, { ...links, status, failure_code }, PAYMENT_PROVIDER, now);
      return;
    }
    await credit(tx, this.#ledger, purchase, links, purchase.created_by, now);
    if (purchase.status !== 'open' && purchase.status !== 'processing') {
      this.#log.warn({ purchase: purchase.purchase_id, was: purchase.status }, 'credited late');
    }
  }

  /** The invoice may be made only after the payment was seen; whoever has seen the purchase without it is told. */
  async #link(tx: Tx, purchase: PurchaseRow, { receiptUrl, invoiceUrl }: Session): Promise<void> {
    // What is known stays: a receipt has another address each time that it is asked for.
    const receipt_url = purchase.receipt_url ?? receiptUrl;
    const invoice_url = purchase.invoice_url ?? invoiceUrl;
    if (receipt_url === purchase.receipt_url && invoice_url === purchase.invoice_url) {
      return;
    }
    await storePurchase(tx, purchase, { receipt_url, invoice_url });
    await tellPurchase(tx, purchase, purchase.status, purchase.balance_version, this.#clock());
  }

  /**
   * The payment side does not know a session that it made: the key is another account's by now. Money may have moved
   * there, so nothing is decided before the key was wrong for longer than by mistake; then a person decides.
   */
  async #lose(purchase: PurchaseRow, sessionId: string, eventKey: string | undefined): Promise<void> {
    this.#log.error(
      { purchase: purchase.purchase_id, session: sessionId },
      'the payment side does not know the session of this order: is the key that of another account?',
    );
    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const current = await read(tx, purchase);
      const now = this.#clock();
      const since = current.lost_since ?? now;
      await setLost(tx, current, since);
      if (now.getTime() - Math.max(since.getTime(), current.expires_at.getTime()) <= LOST_AFTER_MS) {
        return;
      }
      if (underWay.includes(current.status)) {
        await changePurchase(tx, current, { status: 'needs_review' }, PAYMENT_PROVIDER, now);
      }
      await this.#settle(tx, eventKey, 'quarantined', current.org_id);
    });
  }

  #compare(purchase: PurchaseRow, session: Session): Finding {
    const sandbox = this.#payments?.mode === 'sandbox';
    // Only the sandbox's stand-in may leave a figure out.
    const same = <T>(told: T | null, ordered: T): boolean => (told === null ? sandbox : told === ordered);
    const differences = [
      session.mode !== 'payment' && 'mode',
      session.id !== (purchase.session_id ?? session.id) && 'session',
      session.purchaseId !== purchase.purchase_id && 'purchase',
      session.orgId !== purchase.org_id && 'organisation',
      !same(session.clientReferenceId, purchase.org_id) && 'client_reference_id',
      !same(session.currency, purchase.currency) && 'currency',
      !same(session.subtotalMinor, Number(purchase.amount_minor)) && 'amount_subtotal',
      session.livemode !== (this.#payments?.mode === 'live') && 'livemode',
      // Nothing was paid for something that has a price.
      session.paymentStatus === 'no_payment_required' && 'payment_status',
    ].filter(difference => difference !== false);
    if (differences.length > 0) {
      this.#log.error(
        { purchase: purchase.purchase_id, session: session.id, differences },
        'payment and order differ: nothing is credited, a person must look',
      );
      return 'mismatch';
    }
    if (session.paymentStatus === 'paid') {
      return 'paid';
    }
    if (session.status === 'expired') {
      return 'expired';
    }
    if (session.status === 'complete') {
      return session.paymentFailed ? 'failed' : 'processing';
    }
    return 'waiting';
  }

  async #settle(
    query: Tx | Database['query'],
    eventKey: string | undefined,
    status: StripeEventStatus,
    orgId: string | null,
  ): Promise<void> {
    if (eventKey !== undefined) {
      await query
        .updateTable('stripe_events')
        .set({ status, org_id: orgId, settled_at: this.#clock() })
        .where('event_key', '=', eventKey)
        .execute();
    }
  }
}

function read(tx: Tx, { org_id, purchase_id }: PurchaseRow): Promise<PurchaseRow> {
  return selectPurchases(tx)
    .where('purchases.org_id', '=', org_id)
    .where('purchase_id', '=', purchase_id)
    .executeTakeFirstOrThrow();
}

async function setLost(tx: Tx, purchase: PurchaseRow, since: Date | null): Promise<void> {
  if (since?.getTime() !== purchase.lost_since?.getTime()) {
    await storePurchase(tx, purchase, { lost_since: since });
  }
}

function statusAfter(finding: Finding, purchase: PurchaseRow): PurchaseStatus {
  switch (finding) {
    case 'mismatch':
      return 'needs_review';
    case 'paid':
      return 'credited';
    case 'processing':
      return 'processing';
    case 'failed':
      return 'failed';
    case 'expired':
      return purchase.cancel_requested_at === null ? 'expired' : 'canceled';
    case 'waiting':
      return 'open';
  }
}
