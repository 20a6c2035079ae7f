// The payment side: Stripe through its own SDK, behind the few things that the house asks of it.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import Stripe from 'stripe';
import { type Clock, SECOND_MS } from '../clock.ts';
import type { Config, PaymentsConfig } from '../config.ts';
import type { DisputeState } from '../database/tables.ts';
import { RequestRefused } from '../problems.ts';

/** What is asked of the payment page. */
export interface Order {
  readonly purchaseId: string;
  readonly orgId: string;
  readonly orgName: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** Whole credits, as named on the payment page and the invoice. */
  readonly creditsText: string;
  /** Gets Stripe's receipt. */
  readonly email: string | null;
  readonly customerId: string;
  readonly expiresAt: Date;
  /** Where the payment page sends people afterwards. */
  readonly returnUrl: string;
  readonly canceledUrl: string;
}

/** A Checkout Session as far as it matters here. Null: the payment side did not say. */
export interface Session {
  readonly id: string;
  readonly url: string | null;
  readonly mode: string;
  readonly status: string | null;
  readonly paymentStatus: string;
  /** A delayed payment method has failed for good. */
  readonly paymentFailed: boolean;
  readonly currency: string | null;
  readonly subtotalMinor: number | null;
  readonly livemode: boolean;
  readonly clientReferenceId: string | null;
  readonly orgId: string | null;
  readonly purchaseId: string | null;
  readonly paymentIntentId: string | null;
  readonly receiptUrl: string | null;
  readonly invoiceUrl: string | null;
  /** Null while nothing was paid, and where the payment side does not say. */
  readonly returned: Returned | null;
}

/** What the payer or the payer's bank has of a payment again, in minor units of its currency. */
export interface Returned {
  /** All that was paid, with tax. */
  readonly paidMinor: number;
  /** Refunds that have not failed, added up. */
  readonly refundedMinor: number;
  /** Taken by disputes that are not decided yet. */
  readonly withdrawnMinor: number;
  readonly lostMinor: number;
  /** The one that weighs most, when there were several. Null for none, and while the bank only inquires. */
  readonly dispute: DisputeState | null;
}

/** A delivery whose signature is good. */
export interface Notice {
  /** One per delivered event; deliveries of the same event have the same. */
  readonly key: string;
  readonly eventId: string | null;
  readonly type: string;
  readonly sessionId: string | null;
  /** The payment that a refund or dispute is about. */
  readonly paymentIntentId: string | null;
  readonly livemode: boolean | null;
}

/** An event as the payment side's own list has it, whether it was delivered or not. */
export interface ListedNotice extends Notice {
  readonly createdAt: Date;
}

export interface Payments {
  readonly mode: 'live' | 'test' | 'sandbox';
  /** With the same key again it is the same customer. */
  createCustomer(orgId: string, orgName: string, key: string): Promise<string>;
  /** The address of the customer's own pages. @throws {CustomerGone} */
  openPortal(customerId: string, returnUrl: string): Promise<string>;
  /** Makes the payment page; with the same purchase and customer again it is the same page. @throws {CustomerGone} */
  open(order: Order): Promise<Session>;
  /** Undefined when the payment side knows no such session. */
  read(sessionId: string): Promise<Session | undefined>;
  /** The session that a payment was made on; undefined for a payment made elsewhere. */
  sessionOf(paymentIntentId: string): Promise<string | undefined>;
  /** False when the session is not open any more. */
  expire(sessionId: string): Promise<boolean>;
  /** @throws {RequestRefused} `invalid_signature`, whatever exactly is wrong with it. */
  receive(rawBody: Buffer, signature: string | undefined): Notice;
  /** The events of these types since then, page by page, newest first. Stripe keeps them for 30 days. */
  listed(types: readonly string[], since: Date): AsyncIterable<readonly ListedNotice[]>;
}

/** The payment side knows no such customer, perhaps because a person deleted it there. */
export class CustomerGone extends Error {
  override readonly name = 'CustomerGone';
}

/** All of its methods but `receive` answer failure with `payment_provider_unavailable`. */
export function paymentsFrom(config: Config, clock: Clock, sdk?: Stripe.StripeConfig): Payments | undefined {
  return config.payments && new StripePayments(config.payments, clock, sdk);
}

/** Stripe's own default. Source: https://docs.stripe.com/webhooks#replay-attacks */
const TOLERANCE_S = 300;

export class StripePayments implements Payments {
  readonly mode: PaymentsConfig['mode'];
  readonly #stripe: Stripe;
  readonly #webhookSecrets: readonly string[];
  readonly #unitPriceId: string | undefined;
  readonly #automaticTax: boolean;
  readonly #clock: Clock;

  constructor(
    { secretKey, webhookSecrets, apiUrl, unitPriceId, automaticTax, mode }: PaymentsConfig,
    clock: Clock,
    sdk: Stripe.StripeConfig = {},
  ) {
    this.mode = mode;
    this.#webhookSecrets = webhookSecrets;
    this.#unitPriceId = unitPriceId;
    this.#automaticTax = automaticTax;
    this.#clock = clock;
    this.#stripe = new Stripe(secretKey, {
      ...(apiUrl && {
        protocol: apiUrl.protocol === 'https:' ? 'https' : 'http',
        host: apiUrl.hostname,
        port: Number(apiUrl.port) || (apiUrl.protocol === 'https:' ? 443 : 80),
      }),
      timeout: 10 * SECOND_MS,
      maxNetworkRetries: 2,
      telemetry: false,
      ...sdk,
    });
  }

  async createCustomer(orgId: string, orgName: string, key: string): Promise<string> {
    const params = { name: orgName, metadata: { org_id: orgId } };
    // With the name in the key: Stripe refuses the same key for other parameters, and organisations are renamed.
    const nameHash = createHash('sha256').update(orgName).digest('hex').slice(0, 12);
    const { id } = await this.#ask('customer', () =>
      this.#stripe.customers.create(params, { idempotencyKey: `${key}:${nameHash}` }),
    );
    return id;
  }

  async openPortal(customerId: string, returnUrl: string): Promise<string> {
    const { url } = await this.#askAbout(customerId, 'billing_portal.session', () =>
      this.#stripe.billingPortal.sessions.create({ customer: customerId, return_url: returnUrl }),
    );
    return url;
  }

  async open(order: Order): Promise<Session> {
    const metadata = { org_id: order.orgId, purchase_id: order.purchaseId };
    const name = `${order.creditsText} credits for ${order.orgName}`;
    const session = await this.#askAbout(order.customerId, 'checkout.session', () =>
      this.#stripe.checkout.sessions.create(
        {
          mode: 'payment',
          line_items: [
            this.#unitPriceId === undefined
              ? {
                  price_data: {
                    currency: order.currency,
                    unit_amount: order.amountMinor,
                    product_data: { name },
                    // On top of the price, so that the subtotal is what was ordered.
                    ...(this.#automaticTax && { tax_behavior: 'exclusive' as const }),
                  },
                  quantity: 1,
                }
              : { price: this.#unitPriceId, quantity: order.amountMinor },
          ],
          client_reference_id: order.orgId,
          metadata,
          // Refunds and disputes name the payment, not the session.
          payment_intent_data: {
            metadata,
            description: name,
            ...(order.email !== null && { receipt_email: order.email }),
          },
          invoice_creation: { enabled: true },
          customer: order.customerId,
          // What the payer types for the tax is kept with the customer, which Stripe asks for.
          ...(this.#automaticTax && {
            automatic_tax: { enabled: true },
            tax_id_collection: { enabled: true },
            customer_update: { address: 'auto' as const, name: 'auto' as const },
          }),
          expires_at: Math.floor(order.expiresAt.getTime() / 1_000),
          success_url: order.returnUrl,
          cancel_url: order.canceledUrl,
        },
        // With the customer in the key: one that Stripe did not know is an answer too, and Stripe would give it again.
        { idempotencyKey: `${order.purchaseId}:${order.customerId}` },
      ),
    );
    return summary(session, null);
  }

  async read(sessionId: string): Promise<Session | undefined> {
    try {
      const session = await this.#ask('checkout.session', () =>
        this.#stripe.checkout.sessions.retrieve(sessionId, {
          expand: ['payment_intent.latest_charge', 'invoice'],
        }),
      );
      return summary(session, await this.#returned(session));
    } catch (error) {
      if (error instanceof RequestRefused && isMissing(error.cause)) {
        return undefined;
      }
      throw error;
    }
  }

  async sessionOf(paymentIntentId: string): Promise<string | undefined> {
    const found = await this.#ask('list', () =>
      this.#stripe.checkout.sessions.list({ payment_intent: paymentIntentId, limit: 1 }),
    );
    return found.data[0]?.id;
  }

  /** Stripe's `amount_refunded` is not said to fall when a refund fails, so the refunds themselves are added up. */
  async #returned(session: Stripe.Checkout.Session): Promise<Returned | null> {
    const { intent, charge } = paymentOf(session);
    if (!intent || !charge?.paid) {
      return null;
    }
    const of = { payment_intent: intent.id, limit: 100 };
    const refunds = charge.amount_refunded > 0 ? await this.#refundsOf(of) : [];
    const disputes = charge.disputed
      ? (await this.#ask('list', () => this.#stripe.disputes.list(of))).data.map(dispute => ({
          // A card network may dispute in a currency of its own; then no figure but the whole is safe.
          amountMinor: dispute.currency === charge.currency ? dispute.amount : charge.amount,
          state: stateOf(dispute),
          withdrawn: sumOf(dispute.balance_transactions, moved => moved.amount) < 0,
        }))
      : [];
    return {
      paidMinor: charge.amount,
      refundedMinor: sumOf(refunds, refund => refund.amount),
      withdrawnMinor: sumOf(disputes, each =>
        each.state === 'open' && each.withdrawn ? each.amountMinor : 0,
      ),
      lostMinor: sumOf(disputes, each => (each.state === 'lost' ? each.amountMinor : 0)),
      dispute:
        (['open', 'lost', 'won'] as const).find(state => disputes.some(each => each.state === state)) ?? null,
    };
  }

  /** Those that took money back, or are about to. */
  async #refundsOf(payment: Stripe.RefundListParams): Promise<Stripe.Refund[]> {
    const found: Stripe.Refund[] = [];
    for await (const refunds of this.#pages(after => this.#stripe.refunds.list({ ...payment, ...after }))) {
      found.push(...refunds.filter(({ status }) => status !== 'failed' && status !== 'canceled'));
    }
    return found;
  }

  /** A list page by page, however many it has. */
  async *#pages<T extends { id: string }>(
    list: (after: { starting_after?: string }) => Promise<Stripe.ApiList<T>>,
  ): AsyncIterable<readonly T[]> {
    let last: string | undefined;
    do {
      const after = last === undefined ? {} : { starting_after: last };
      const page = await this.#ask('list', () => list(after));
      yield page.data;
      last = page.has_more ? page.data.at(-1)?.id : undefined;
    } while (last !== undefined);
  }

  async expire(sessionId: string): Promise<boolean> {
    try {
      await this.#ask('checkout.session', () => this.#stripe.checkout.sessions.expire(sessionId));
      return true;
    } catch (error) {
      if (error instanceof RequestRefused && error.cause instanceof Stripe.errors.StripeInvalidRequestError) {
        return false;
      }
      throw error;
    }
  }

  receive(rawBody: Buffer, signature: string | undefined): Notice {
    const nowS = Math.floor(this.#clock().getTime() / 1_000);
    const times = (signature ?? '').split(',').filter(part => part.trim().startsWith('t='));
    const timestampS = times.length === 1 ? Number(times[0]?.trim().slice(2)) : Number.NaN;
    // The SDK checks the age only, and accepts a time ten years ahead: a captured delivery could then be replayed for as long.
    if (signature === undefined || !(timestampS <= nowS + TOLERANCE_S) || !isPlainUtf8(rawBody)) {
      throw new RequestRefused('invalid_signature');
    }
    for (const secret of this.#webhookSecrets) {
      try {
        const event = this.#stripe.webhooks.constructEvent(
          rawBody,
          signature,
          secret,
          TOLERANCE_S,
          undefined,
          nowS * 1_000,
        );
        return notice(event, event.id ?? ownKey(event, rawBody));
      } catch (error) {
        if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) {
          throw new RequestRefused('invalid_signature', {}, { cause: error });
        }
        // Perhaps the other secret, while one is being rotated.
      }
    }
    throw new RequestRefused('invalid_signature');
  }

  async *listed(types: readonly string[], since: Date): AsyncIterable<readonly ListedNotice[]> {
    if (this.mode === 'sandbox') {
      return; // its stand-in keeps no list
    }
    const of = { types: [...types], created: { gte: Math.floor(since.getTime() / 1_000) }, limit: 100 };
    for await (const events of this.#pages(after => this.#stripe.events.list({ ...of, ...after }))) {
      yield events.map(event => ({ ...notice(event, event.id), createdAt: new Date(event.created * 1_000) }));
    }
  }

  async #askAbout<T extends { object: string }>(
    customerId: string,
    object: T['object'],
    call: () => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#ask(object, call);
    } catch (error) {
      const cause = error instanceof RequestRefused ? error.cause : undefined;
      const gone =
        cause instanceof Stripe.errors.StripeInvalidRequestError &&
        cause.code === 'resource_missing' &&
        cause.param === 'customer';
      throw gone ? new CustomerGone(`the payment side does not know ${customerId}`, { cause }) : error;
    }
  }

  async #ask<T extends { object: string }>(object: T['object'], call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      // The SDK takes an answer that is not Stripe's for a result.
      if (answer.object !== object) {
        throw new Error(`the payment side did not answer with a ${object}`);
      }
      return answer;
    } catch (error) {
      throw new RequestRefused('payment_provider_unavailable', { retry_after_s: 5 }, { cause: error });
    }
  }
}

/** The SDK signs the decoded text, and decoding drops a byte order mark and evens out broken bytes: other bytes, same signature. */
function isPlainUtf8(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.subarray(0, 3).equals(BYTE_ORDER_MARK);
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

function isMissing(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode === 404;
}

/** An inquiry (`warning_…`) takes nothing, and one that was prevented never came to anything. */
function stateOf({ status }: Stripe.Dispute): DisputeState | null {
  const decided = (['won', 'lost'] as const).find(state => state === status);
  return decided ?? (status.startsWith('warning_') || status === 'prevented' ? null : 'open');
}

function sumOf<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((sum, item) => sum + amount(item), 0);
}

function paymentOf(session: Stripe.Checkout.Session) {
  const intent = typeof session.payment_intent === 'object' ? session.payment_intent : null;
  const charge = typeof intent?.latest_charge === 'object' ? intent.latest_charge : null;
  return { intent, charge };
}

function summary(session: Stripe.Checkout.Session, returned: Returned | null): Session {
  const { intent, charge } = paymentOf(session);
  const invoice = typeof session.invoice === 'object' ? session.invoice : null;
  return {
    id: session.id,
    url: session.url ?? null,
    mode: session.mode,
    status: session.status ?? null,
    paymentStatus: session.payment_status,
    // A delayed payment that fails leaves the session complete and unpaid, and its payment in want of another method.
    paymentFailed:
      session.status === 'complete' &&
      session.payment_status === 'unpaid' &&
      (intent?.status === 'requires_payment_method' || intent?.status === 'canceled'),
    currency: session.currency ?? null,
    subtotalMinor: session.amount_subtotal ?? null,
    livemode: session.livemode,
    clientReferenceId: session.client_reference_id ?? null,
    orgId: session.metadata?.['org_id'] ?? null,
    purchaseId: session.metadata?.['purchase_id'] ?? null,
    paymentIntentId:
      intent?.id ?? (typeof session.payment_intent === 'string' ? session.payment_intent : null),
    receiptUrl: charge?.receipt_url ?? null,
    invoiceUrl: invoice?.hosted_invoice_url ?? null,
    returned,
  };
}

function notice(event: Stripe.Event, key: string): Notice {
  const object = objectOf(event);
  return {
    key,
    eventId: event.id ?? null,
    type: event.type,
    sessionId: sessionIdOf(event),
    paymentIntentId: typeof object?.payment_intent === 'string' ? object.payment_intent : null,
    livemode: event.livemode ?? object?.livemode ?? null,
  };
}

/** A stand-in may send events without an id: then a session has one event of a type. */
function ownKey(event: Stripe.Event, rawBody: Buffer): string {
  const sessionId = sessionIdOf(event);
  return sessionId === null
    ? createHash('sha256').update(rawBody).digest('hex')
    : `${sessionId}:${event.type}`;
}

function sessionIdOf(event: Stripe.Event): string | null {
  const object = objectOf(event);
  return object?.object === 'checkout.session' && object.id ? object.id : null;
}

function objectOf(event: Stripe.Event) {
  return event.data?.object as
    | { object?: string; id?: string; livemode?: boolean; payment_intent?: unknown }
    | undefined;
}
