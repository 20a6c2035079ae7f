// Stripe's own memory in the double: its objects, what a payer, a bank or the clock does to them, and the events told
// about it. Knows no HTTP.
import Stripe from 'stripe';
import * as make from './objects.ts';
import { ApiError, wire } from './wire.ts';

export type EventType = Stripe.Event['type'];
export type EventOf<T extends EventType> = Extract<Stripe.Event, { type: T }>;

export interface BooksOptions {
  /** The time in ms since 1970. */
  readonly now: () => number;
  /** A new id that starts with `prefix`, such as `cs_test_`. */
  readonly nextId: (prefix: string) => string;
  readonly livemode: boolean;
  /** The rate that automatic tax applies, in percent. */
  readonly taxPercent: number;
}

export interface PayOptions {
  /** A delayed method such as a bank debit: the session completes unpaid, and `settleAsync` decides later. */
  readonly async?: boolean;
  /** The tax, in minor units, in place of what the rate gives. It is added to the total. */
  readonly taxMinor?: number;
  /** What the payer was shown and charged in a currency of their own. */
  readonly presentment?: { readonly currency: string; readonly amountMinor: number };
  /** The address the payer types, where the session has none. */
  readonly email?: string;
  /**
   * Pays although the session has expired. Whether Stripe ever does so is not documented; a server must survive it.
   */
  readonly evenIfExpired?: boolean;
}

export type DisputeOutcome = 'won' | 'lost' | 'warning_closed';

/** The API request that causes what happens now, named in its events. */
export interface Cause {
  readonly id: string;
  readonly idempotencyKey: string | null;
}

export class Books {
  readonly events: Stripe.Event[] = [];
  readonly sessions = new Map<string, Stripe.Checkout.Session>();
  readonly lineItems = new Map<string, Stripe.LineItem[]>();
  readonly intents = new Map<string, Stripe.PaymentIntent>();
  readonly charges = new Map<string, Stripe.Charge>();
  readonly refunds = new Map<string, Stripe.Refund>();
  readonly disputes = new Map<string, Stripe.Dispute>();
  readonly invoices = new Map<string, Stripe.Invoice>();
  readonly customers = new Map<string, Stripe.Customer>();
  readonly products = new Map<string, Stripe.Product>();
  readonly prices = new Map<string, Stripe.Price>();
  cause: Cause | null = null;

  readonly #options: BooksOptions;
  /** What the intent of a session will be told: metadata and description wait there for the payer. */
  readonly #intentWishes = new Map<string, { metadata: Stripe.Metadata; description: string | null }>();
  /** So that looking for expired sessions costs what is open, not what ever was. */
  readonly #open = new Set<string>();

  constructor(options: BooksOptions) {
    this.#options = options;
  }

  get livemode(): boolean {
    return this.#options.livemode;
  }

  /** Seconds since 1970. */
  get time(): number {
    return Math.floor(this.#options.now() / 1000);
  }

  get now(): number {
    return this.#options.now();
  }

  id(prefix: string): string {
    return this.#options.nextId(prefix);
  }

  birth(prefix: string): make.Birth {
    return { id: this.id(prefix), created: this.time, livemode: this.livemode };
  }

  /** Keeps and returns an event; it holds a copy of the object as it is now, as Stripe's do. */
  tell<T extends EventType>(type: T, object: EventOf<T>['data']['object'], previous?: object): EventOf<T> {
    const event = {
      id: this.id('evt_'),
      object: 'event',
      api_version: Stripe.API_VERSION,
      created: this.time,
      data: { object: wire(object), ...(previous === undefined ? {} : { previous_attributes: previous }) },
      livemode: this.livemode,
      pending_webhooks: 1,
      request: { id: this.cause?.id ?? null, idempotency_key: this.cause?.idempotencyKey ?? null },
      type,
    };
    // The union of all events can't be built from a type parameter; the parameter of `object` has checked the pair.
    this.events.push(event as unknown as Stripe.Event);
    return event as unknown as EventOf<T>;
  }

  // Checkout

  addSession(
    session: Stripe.Checkout.Session,
    lines: Stripe.LineItem[],
    intent: { metadata: Stripe.Metadata; description: string | null },
  ): void {
    this.sessions.set(session.id, session);
    this.lineItems.set(session.id, lines);
    this.#intentWishes.set(session.id, intent);
    this.#open.add(session.id);
  }

  /** Expires each open session whose time has come. Called before anything else happens. */
  expireDue(): Stripe.Event[] {
    const due = [...this.#open]
      .map(id => this.session(id))
      .filter(session => session.expires_at <= this.time);
    return due.map(session => this.#expire(session));
  }

  expire(session: Stripe.Checkout.Session): Stripe.Event {
    if (session.status !== 'open') {
      // The wording is Stripe's, so that code which (wrongly) reads it meets the true one.
      throw new ApiError(
        400,
        `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${session.status}\`.`,
        { executed: true },
      );
    }
    return this.#expire(session);
  }

  #expire(session: Stripe.Checkout.Session): Stripe.Event {
    this.#close(session, 'expired');
    return this.tell('checkout.session.expired', session);
  }

  /** The URL is there only while the session is open: see Session.url in the SDK. */
  #close(session: Stripe.Checkout.Session, status: 'complete' | 'expired'): void {
    session.status = status;
    session.url = null;
    this.#open.delete(session.id);
  }

  pay(session: Stripe.Checkout.Session, options: PayOptions): Stripe.Event[] {
    this.#payable(session, options.evenIfExpired ?? false);
    const from = this.events.length;
    const email = options.email ?? session.customer_email ?? 'payer@example.com';
    if (
      session.customer === null &&
      (session.customer_creation === 'always' || session.invoice_creation?.enabled)
    ) {
      const customer = make.customer(this.birth('cus_'), { email, name: null });
      this.customers.set(customer.id, customer);
      session.customer = customer.id;
    }
    this.#tax(session, options.taxMinor);
    if (options.presentment) {
      session.presentment_details = {
        presentment_amount: options.presentment.amountMinor,
        presentment_currency: options.presentment.currency,
      };
    }
    session.customer_details = {
      address: null,
      business_name: null,
      email,
      individual_name: null,
      name: null,
      phone: null,
      tax_exempt: 'none',
      tax_ids: [],
    };

    const intent = this.#intent(session);
    const method = options.async ? 'us_bank_account' : 'card';
    const status = options.async ? 'pending' : 'succeeded';
    const charge = this.#charge(intent, status, method, email);
    if (options.async) {
      intent.status = 'processing';
      this.tell('charge.pending', charge);
      this.tell('payment_intent.processing', intent);
    } else {
      this.#succeed(session, intent, charge);
    }
    this.#close(session, 'complete');
    this.tell('checkout.session.completed', session);
    return this.events.slice(from);
  }

  /** A declined attempt leaves the session open, for another card. */
  decline(session: Stripe.Checkout.Session): Stripe.Event[] {
    this.#payable(session, false);
    const from = this.events.length;
    const intent = this.#intent(session);
    this.#fail(intent, this.#charge(intent, 'failed', 'card', session.customer_email));
    return this.events.slice(from);
  }

  /** The end of a delayed payment. https://docs.stripe.com/checkout/fulfillment#delayed-notification */
  settleAsync(session: Stripe.Checkout.Session, ok: boolean): Stripe.Event[] {
    const intent = this.intentOf(session.id);
    const charge = this.chargeOf(session.id);
    if (intent.status !== 'processing')
      throw new Error(`${session.id} has no payment that is still under way`);
    const from = this.events.length;
    if (ok) {
      charge.status = 'succeeded';
      charge.amount_captured = charge.amount;
      charge.paid = true;
      this.#succeed(session, intent, charge);
      this.tell('checkout.session.async_payment_succeeded', session);
    } else {
      charge.status = 'failed';
      charge.failure_code = 'insufficient_funds';
      charge.failure_message = 'The bank account had too little money.';
      this.#fail(intent, charge);
      this.tell('checkout.session.async_payment_failed', session);
    }
    return this.events.slice(from);
  }

  #payable(session: Stripe.Checkout.Session, evenIfExpired: boolean): void {
    if (session.status === 'open' || (evenIfExpired && session.status === 'expired')) return;
    throw new Error(`${session.id} is ${session.status}: its page takes no payment`);
  }

  #tax(session: Stripe.Checkout.Session, taxMinor: number | undefined): void {
    const lines = this.lineItems.get(session.id) ?? [];
    const rate = session.automatic_tax.enabled ? this.#options.taxPercent : 0;
    for (const [index, line] of lines.entries()) {
      const included = line.price?.tax_behavior === 'inclusive' && taxMinor === undefined;
      const base = line.amount_subtotal;
      const computed = Math.round(included ? base - base / (1 + rate / 100) : (base * rate) / 100);
      line.amount_tax = taxMinor === undefined ? computed : index === 0 ? taxMinor : 0;
      line.amount_total = included ? base : base + line.amount_tax;
    }
    const sum = (of: (line: Stripe.LineItem) => number): number =>
      lines.reduce((total, line) => total + of(line), 0);
    session.amount_total = sum(line => line.amount_total);
    if (session.automatic_tax.enabled) session.automatic_tax.status = 'complete';
    session.total_details = {
      amount_discount: 0,
      amount_shipping: 0,
      amount_tax: sum(line => line.amount_tax),
    };
  }

  /**
   * The session's payment intent: made by the first attempt to pay, not with the session.
   * https://docs.stripe.com/changelog/2022-08-01/deferred-paymentintent-checkout-session
   */
  #intent(session: Stripe.Checkout.Session): Stripe.PaymentIntent {
    const amountMinor = session.amount_total ?? 0;
    const customer = typeof session.customer === 'string' ? session.customer : null;
    if (session.payment_intent !== null) {
      const known = this.intentOf(session.id);
      known.amount = amountMinor;
      known.customer = customer;
      return known;
    }
    const wishes = this.#intentWishes.get(session.id);
    const intent = make.paymentIntent(this.birth('pi_'), {
      amountMinor,
      currency: session.currency ?? 'usd',
      customer,
      description: wishes?.description ?? null,
      email: session.customer_email,
      metadata: { ...wishes?.metadata },
      paymentMethodTypes: session.payment_method_types,
    });
    this.intents.set(intent.id, intent);
    session.payment_intent = intent.id;
    this.tell('payment_intent.created', intent);
    return intent;
  }

  #charge(
    intent: Stripe.PaymentIntent,
    status: 'succeeded' | 'pending' | 'failed',
    method: string,
    email: string | null,
  ): Stripe.Charge {
    const charge = make.charge(this.birth('ch_'), { intent, status, method, email });
    this.charges.set(charge.id, charge);
    intent.latest_charge = charge.id;
    return charge;
  }

  #succeed(session: Stripe.Checkout.Session, intent: Stripe.PaymentIntent, charge: Stripe.Charge): void {
    intent.status = 'succeeded';
    intent.amount_received = intent.amount;
    intent.last_payment_error = null;
    session.payment_status = 'paid';
    this.tell('charge.succeeded', charge);
    this.tell('payment_intent.succeeded', intent);
    if (session.invoice_creation?.enabled) {
      // One-time payments get their invoice once they are paid. https://docs.stripe.com/payments/checkout/receipts
      const number = `INV-${String(this.invoices.size + 1).padStart(4, '0')}`;
      const invoice = make.invoice(this.birth('in_'), { session, number });
      this.invoices.set(invoice.id, invoice);
      session.invoice = invoice.id;
      this.tell('invoice.paid', invoice);
    }
  }

  #fail(intent: Stripe.PaymentIntent, charge: Stripe.Charge): void {
    intent.status = 'requires_payment_method';
    intent.last_payment_error = {
      charge: charge.id,
      code: 'card_declined',
      decline_code: 'generic_decline',
      message: charge.failure_message ?? '',
      type: 'card_error',
    };
    this.tell('charge.failed', charge);
    this.tell('payment_intent.payment_failed', intent);
  }

  // Refunds

  /**
   * Gives money back. `amount_refunded` of the charge is the sum of its refunds, and `charge.refunded` comes for partial
   * ones too. https://docs.stripe.com/refunds
   */
  refund(
    charge: Stripe.Charge,
    of: { amountMinor?: number; reason?: Stripe.Refund.Reason | null; metadata?: Stripe.Metadata } = {},
  ): { refund: Stripe.Refund; events: Stripe.Event[] } {
    const left = charge.amount - charge.amount_refunded;
    const amountMinor = of.amountMinor ?? left;
    if (charge.status !== 'succeeded')
      throw new ApiError(400, 'This payment has no successful charge to refund.', { executed: true });
    if (charge.refunded) {
      throw new ApiError(400, `Charge ${charge.id} has already been refunded.`, {
        code: 'charge_already_refunded',
        executed: true,
      });
    }
    const dispute = this.#latestDispute(charge);
    if (dispute && !dispute.is_charge_refundable) {
      throw new ApiError(400, `Charge ${charge.id} has been charged back; cannot issue a refund.`, {
        code: 'charge_disputed',
        executed: true,
      });
    }
    if (amountMinor < 1) throw new ApiError(400, 'Invalid positive integer', { param: 'amount' });
    if (amountMinor > left) {
      throw new ApiError(
        400,
        `Refund amount (${amountMinor}) is greater than unrefunded amount on charge (${left}), in minor units`,
        { param: 'amount', executed: true },
      );
    }

    const from = this.events.length;
    const refund = make.refund(this.birth('re_'), {
      charge,
      amountMinor,
      reason: of.reason ?? null,
      metadata: of.metadata ?? {},
    });
    this.refunds.set(refund.id, refund);
    const before = { amount_refunded: charge.amount_refunded, refunded: charge.refunded };
    charge.amount_refunded += amountMinor;
    charge.refunded = charge.amount_refunded === charge.amount;
    this.tell('refund.created', refund);
    this.tell('charge.refunded', charge, before);
    return { refund, events: this.events.slice(from) };
  }

  /**
   * The payer's bank sends a refund back. Stripe documents the event and that the money returns to the balance
   * (https://docs.stripe.com/refunds#failed-refunds); that `amount_refunded` falls again is this double's reading of it.
   */
  failRefund(refund: Stripe.Refund): Stripe.Event[] {
    if (refund.status !== 'succeeded') throw new Error(`${refund.id} is ${refund.status}`);
    const charge = this.charges.get(String(refund.charge));
    if (!charge) throw new Error(`${refund.id} has no charge`);
    const from = this.events.length;
    const before = { status: refund.status };
    refund.status = 'failed';
    refund.failure_reason = 'expired_or_canceled_card';
    charge.amount_refunded -= refund.amount;
    charge.refunded = false;
    this.tell('refund.updated', refund, before);
    this.tell('refund.failed', refund);
    return this.events.slice(from);
  }

  // Disputes: https://docs.stripe.com/disputes/how-disputes-work

  /** An inquiry takes no money; a dispute does, which `withdrawFunds` tells as the event of its own that it is. */
  dispute(charge: Stripe.Charge, kind: 'inquiry' | 'open', amountMinor?: number): Stripe.Event[] {
    if (charge.status !== 'succeeded')
      throw new Error(`${charge.id} is ${charge.status}: there is nothing to dispute`);
    if (charge.refunded) throw new Error(`${charge.id} is fully refunded: it can't be disputed any more`);
    const before = this.#latestDispute(charge);
    if (before && !closed(before)) throw new Error(`${charge.id} already has the open dispute ${before.id}`);
    const amount = amountMinor ?? charge.amount - charge.amount_refunded;
    if (amount < 1 || amount > charge.amount) throw new Error(`${amount} is not a part of ${charge.amount}`);
    const dispute = make.dispute(this.birth('du_'), {
      charge,
      amountMinor: amount,
      inquiry: kind === 'inquiry',
    });
    this.disputes.set(dispute.id, dispute);
    charge.disputed = true;
    return [this.tell('charge.dispute.created', dispute)];
  }

  /** Takes the disputed money from the account. On an inquiry it is the escalation to a dispute. */
  withdrawFunds(dispute: Stripe.Dispute): Stripe.Event[] {
    if (closed(dispute)) throw new Error(`${dispute.id} is already ${dispute.status}`);
    if (dispute.balance_transactions.length > 0) throw new Error(`${dispute.id} has already taken its money`);
    const from = this.events.length;
    if (dispute.status.startsWith('warning_')) {
      const before = { status: dispute.status, is_charge_refundable: dispute.is_charge_refundable };
      dispute.status = 'needs_response';
      dispute.is_charge_refundable = false;
      this.tell('charge.dispute.updated', dispute, before);
    }
    this.#move(dispute, -dispute.amount);
    this.tell('charge.dispute.funds_withdrawn', dispute);
    return this.events.slice(from);
  }

  reinstate(dispute: Stripe.Dispute): Stripe.Event[] {
    if (dispute.balance_transactions.length !== 1)
      throw new Error(`${dispute.id} holds no money to give back`);
    this.#move(dispute, dispute.amount);
    return [this.tell('charge.dispute.funds_reinstated', dispute)];
  }

  /** Ends a dispute. The money follows the outcome: taken when lost, given back when won, unless it already was. */
  closeDispute(dispute: Stripe.Dispute, outcome: DisputeOutcome): Stripe.Event[] {
    if (closed(dispute)) throw new Error(`${dispute.id} is already ${dispute.status}`);
    const inquiry = dispute.status.startsWith('warning_');
    if (inquiry !== (outcome === 'warning_closed'))
      throw new Error(`${dispute.id} is ${dispute.status}: it can't end as ${outcome}`);
    const from = this.events.length;
    const moved = dispute.balance_transactions.length;
    if (outcome === 'lost' && moved === 0) this.withdrawFunds(dispute);
    if (outcome === 'won' && moved === 1) this.reinstate(dispute);
    const before = { status: dispute.status };
    dispute.status = outcome;
    dispute.is_charge_refundable = outcome !== 'lost';
    this.tell('charge.dispute.closed', dispute, before);
    return this.events.slice(from);
  }

  #move(dispute: Stripe.Dispute, amountMinor: number): void {
    dispute.balance_transactions.push(
      make.balanceTransaction(this.birth('txn_'), {
        amountMinor,
        currency: dispute.currency,
        source: dispute.id,
        category: amountMinor < 0 ? 'dispute' : 'dispute_reversal',
      }),
    );
  }

  #latestDispute(charge: Stripe.Charge): Stripe.Dispute | undefined {
    return [...this.disputes.values()].findLast(dispute => dispute.charge === charge.id);
  }

  // Finding things. Levers take whichever id the test has at hand: of the session, the payment intent or the charge.

  session(id: string): Stripe.Checkout.Session {
    return known(this.sessions.get(id), id);
  }

  intentOf(id: string): Stripe.PaymentIntent {
    const intent = this.sessions.get(id)?.payment_intent ?? this.charges.get(id)?.payment_intent ?? id;
    return known(this.intents.get(String(intent)), id);
  }

  chargeOf(id: string): Stripe.Charge {
    const charge = this.charges.get(id) ?? this.charges.get(String(this.intentOf(id).latest_charge));
    return known(charge, id);
  }

  refundOf(id: string): Stripe.Refund {
    return known(this.refunds.get(id), id);
  }

  disputeOf(id: string): Stripe.Dispute {
    return this.disputes.get(id) ?? known(this.#latestDispute(this.chargeOf(id)), id);
  }
}

/** Ended for good. The list is that of `charge.dispute.closed`: see its text in the SDK. */
function closed(dispute: Stripe.Dispute): boolean {
  return ['won', 'lost', 'warning_closed'].includes(dispute.status);
}

function known<T>(found: T | undefined, id: string): T {
  if (found === undefined) throw new Error(`The Stripe double knows nothing of ${id}`);
  return found;
}
