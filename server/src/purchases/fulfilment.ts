// Fulfilment: the one function that turns a payment into credits, whoever calls it and however often: the webhook,
// the return page, a read of the purchase, the reconciler.
import type { FastifyBaseLogger } from 'fastify';
import type { PurchaseStatus } from '../../../protocol/api.ts';
import type { Clock } from '../clock.ts';
import type { Database, Tx } from '../database/database.ts';
import type { StripeEventStatus } from '../database/tables.ts';
import { type Ledger, lockOrganisation } from '../ledger/ledger.ts';
import { RequestRefused } from '../problems.ts';
import type { Notice, Payments, Session } from './payments.ts';
import { changePurchase, mayBecome, type PurchaseRow, selectPurchases } from './purchase.ts';

/** What the payment side knows, compared with what was ordered. */
type Finding = 'waiting' | 'processing' | 'paid' | 'failed' | 'expired' | 'mismatch';

const sessionEvents = new Set([
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
]);

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
    const session = await this.#payments.read(sessionId);
    const purchase = session && (await this.#purchaseOf(session));
    if (!purchase) {
      this.#log.error({ session: sessionId }, 'a payment session belongs to no purchase: a person must look');
      await this.#settle(this.#database.query, eventKey, 'quarantined', null);
      return;
    }
    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const current = await selectPurchases(tx)
        .where('purchases.org_id', '=', purchase.org_id)
        .where('purchase_id', '=', purchase.purchase_id)
        .executeTakeFirstOrThrow();
      await this.#apply(tx, current, session);
      await this.#settle(tx, eventKey, 'done', purchase.org_id);
    });
  }

  /** Takes a delivery in before acting on it, so that none is lost between its answer and its effect (F62). */
  async receive(notice: Notice): Promise<'settled' | 'to_fulfil'> {
    const ours = sessionEvents.has(notice.type) && notice.sessionId !== null;
    // A test event at a live server, or the reverse, is not about this server's money (T26).
    const otherMode = notice.livemode !== null && notice.livemode !== (this.#payments?.mode === 'live');
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
        status,
        org_id: null,
        received_at: now,
        settled_at: status === 'ignored' ? now : null,
      })
      // Known already: what counts is whether its effect was committed, not whether it was seen (T28).
      .onConflict(conflict => conflict.column('event_key').doUpdateSet({ event_key: notice.key }))
      .returning('status')
      .executeTakeFirstOrThrow();
    return stored.status === 'received' ? 'to_fulfil' : 'settled';
  }

  /** Deliveries taken in whose effect was never committed. */
  unsettled(limit: number): Promise<Array<{ event_key: string; session_id: string | null }>> {
    return this.#database.query
      .selectFrom('stripe_events')
      .select(['event_key', 'session_id'])
      .where('status', '=', 'received')
      .orderBy('received_at')
      .limit(limit)
      .execute();
  }

  /**
   * The purchase that a session was made for. A session that its purchase does not know yet, because the server
   * died between making and storing it, is recognised by the ids that were put into it.
   */
  async #purchaseOf(session: Session): Promise<PurchaseRow | undefined> {
    const known = await selectPurchases(this.#database.query)
      .where('session_id', '=', session.id)
      .executeTakeFirst();
    if (known || session.orgId === null || session.purchaseId === null) {
      return known;
    }
    return selectPurchases(this.#database.query)
      .where('purchases.org_id', '=', session.orgId)
      .where('purchase_id', '=', session.purchaseId)
      .where('session_id', 'is', null)
      .executeTakeFirst();
  }

  async #apply(tx: Tx, purchase: PurchaseRow, session: Session): Promise<void> {
    const now = this.#clock();
    const finding = this.#compare(purchase, session);
    const status = statusAfter(finding, purchase);
    if (status === purchase.status || !mayBecome[purchase.status].includes(status)) {
      return;
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
      await changePurchase(tx, purchase, { ...links, status, failure_code }, now);
      return;
    }
    // The stored order is credited, never a figure of the session: that one may include tax, or be in another currency.
    const { version } = await this.#ledger.grant(tx, purchase.org_id, {
      kind: 'purchased',
      amountUcr: purchase.credits_ucr,
      type: 'purchase',
      source: { type: 'checkout_session', id: session.id },
      actor: purchase.created_by,
    });
    await changePurchase(
      tx,
      purchase,
      { ...links, status, credited_at: now, balance_version: version, failure_code: null },
      now,
    );
    if (purchase.status !== 'open' && purchase.status !== 'processing') {
      this.#log.warn({ purchase: purchase.purchase_id, was: purchase.status }, 'credited late');
    }
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
