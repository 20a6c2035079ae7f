// The Stripe double against the true SDK: what the credits server's tests stand on must itself hold.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import Stripe from 'stripe';
import { type Listening, only, StripeDouble, type StripeDoubleOptions } from '../support/stripeDouble.ts';

const start = Date.UTC(2026, 0, 15, 12); // ms
const minute = 60; // s
const hour = 60 * minute;
const startSeconds = start / 1000;
const secret = 'whsec_first';

const order: Stripe.Checkout.SessionCreateParams = {
  mode: 'payment',
  success_url: 'https://credits.example/return?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'https://credits.example/cancel',
  client_reference_id: 'org_1',
  expires_at: startSeconds + hour,
  metadata: { purchase_id: 'pur_1' },
  payment_intent_data: { metadata: { purchase_id: 'pur_1' } },
  line_items: [
    {
      quantity: 1,
      price_data: {
        currency: 'usd',
        unit_amount: 13_700,
        tax_behavior: 'exclusive',
        product_data: { name: 'Credits' },
      },
    },
  ],
};

/** A double with a clock of its own that tests move by hand. */
function setUp(options: StripeDoubleOptions = {}) {
  const clock = { now: start };
  const double = new StripeDouble({ now: () => clock.now, ...options });
  return { clock, double, stripe: double.client() };
}

async function paid(options: StripeDoubleOptions = {}) {
  const world = setUp(options);
  const { id } = await world.stripe.checkout.sessions.create(order);
  world.double.pay(id);
  return { ...world, id };
}

const types = (events: readonly Stripe.Event[]): string[] => events.map(event => event.type);

describe('Stripe double', () => {
  const ways = [
    {
      name: 'over HTTP',
      client: (_: StripeDouble, at: Listening) => new Stripe('sk_test_x', { ...on(at), ...quiet }),
    },
    { name: 'without a socket', client: (double: StripeDouble) => double.client() },
  ];
  const on = ({ host, port, protocol }: Listening) => ({ host, port, protocol });
  const quiet = { maxNetworkRetries: 0, telemetry: false };

  for (const way of ways) {
    describe(way.name, () => {
      let double: StripeDouble;
      let listening: Listening;
      let stripe: Stripe;

      beforeEach(async () => {
        ({ double } = setUp());
        listening = await double.listen();
        stripe = way.client(double, listening);
      });
      afterEach(() => listening.close());

      it('creates, pays and retrieves a Checkout Session as the SDK types it', async () => {
        const created = await stripe.checkout.sessions.create(order);
        assert.equal(created.object, 'checkout.session');
        assert.match(created.url ?? '', /^https:\/\/checkout\.stripe\.com\//);
        assert.equal(created.payment_intent, null);
        assert.equal(created.payment_status, 'unpaid');
        assert.equal(created.amount_subtotal, 13_700);
        assert.deepEqual(created.metadata, { purchase_id: 'pur_1' });

        double.pay(created.id);
        const after = await stripe.checkout.sessions.retrieve(created.id, {
          expand: ['line_items', 'payment_intent.latest_charge'],
        });
        assert.equal(after.payment_status, 'paid');
        assert.equal(after.url, null);
        assert.equal(after.line_items?.data[0]?.amount_total, 13_700);
        assert.equal(after.line_items?.data[0]?.price?.unit_amount_decimal?.toString(), '13700');
        const intent = after.payment_intent as Stripe.PaymentIntent;
        assert.deepEqual(intent.metadata, { purchase_id: 'pur_1' });
        assert.equal((intent.latest_charge as Stripe.Charge).amount, 13_700);
      });

      it('answers faults and mistakes with the SDK’s own error classes', async () => {
        const { StripeInvalidRequestError, StripeRateLimitError, StripeAPIError, StripeConnectionError } =
          Stripe.errors;
        await assert.rejects(stripe.checkout.sessions.retrieve('cs_test_none'), (error: unknown) => {
          assert.ok(error instanceof StripeInvalidRequestError);
          assert.equal(error.statusCode, 404);
          assert.equal(error.code, 'resource_missing');
          assert.match(error.requestId ?? '', /^req_/);
          return true;
        });
        double.failNext('rateLimited');
        await assert.rejects(stripe.customers.create({}), StripeRateLimitError);
        double.failNext('serverError');
        await assert.rejects(stripe.customers.create({}), StripeAPIError);
        double.failNext('hung');
        const timed = stripe.customers.create({}, { timeout: 50 });
        await assert.rejects(timed, (error: unknown) => {
          assert.ok(error instanceof StripeConnectionError);
          assert.match(error.message, /timeout/);
          return true;
        });
        assert.equal(double.sessions().length, 0);
      });

      it('keeps the effect when only the answer is lost, and replays it to the same key', async () => {
        double.failNext('answerHung');
        const key = { idempotencyKey: 'pur_1' };
        await assert.rejects(stripe.checkout.sessions.create(order, { ...key, timeout: 50 }));
        assert.equal(double.sessions().length, 1);
        const again = await stripe.checkout.sessions.create(order, key);
        assert.equal(again.id, double.sessions()[0]?.id);
        assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
        assert.equal(double.sessions().length, 1);
      });
    });
  }

  it('ends the connection, after which the SDK by itself retries once with the same key', async () => {
    const { double } = setUp();
    const listening = await double.listen();
    try {
      const stripe = new Stripe('sk_test_x', { ...on(listening), ...quiet });
      double.failNext('answerDropped');
      const session = await stripe.checkout.sessions.create(order);
      assert.equal(double.sessions().length, 1);
      assert.equal(session.id, double.sessions()[0]?.id);
      assert.deepEqual(
        double.calls.map(call => call.status),
        [0, 200],
      );
      assert.equal(double.calls[0]?.idempotencyKey, double.calls[1]?.idempotencyKey);
    } finally {
      await listening.close();
    }
  });

  describe('Checkout Sessions', () => {
    it('are made of a unit price times a quantity as well', async () => {
      const { stripe } = setUp();
      const product = await stripe.products.create({ name: 'Credit dollar' });
      const price = await stripe.prices.create({ currency: 'usd', unit_amount: 1, product: product.id });
      assert.deepEqual(await stripe.prices.retrieve(price.id), price);
      const line_items = [{ price: price.id, quantity: 2500 }];
      const session = await stripe.checkout.sessions.create({ ...order, line_items });
      assert.equal(session.amount_total, 2500);
      const lines = await stripe.checkout.sessions.listLineItems(session.id);
      assert.equal(lines.data[0]?.quantity, 2500);
    });

    const base = order.line_items?.[0]?.price_data;
    assert.ok(base);
    const priced = (unit_amount: number, quantity = 1) => ({
      line_items: [{ quantity, price_data: { ...base, unit_amount } }],
    });
    const refused: {
      what: string;
      change: Partial<Stripe.Checkout.SessionCreateParams>;
      param?: string;
      code?: string;
    }[] = [
      {
        what: 'an end in less than 30 minutes',
        change: { expires_at: startSeconds + 29 * minute },
        param: 'expires_at',
      },
      {
        what: 'an end after 24 hours',
        change: { expires_at: startSeconds + 24 * hour + 1 },
        param: 'expires_at',
      },
      { what: 'no lines', change: { line_items: [] }, code: 'parameter_missing' },
      { what: 'less than 50 cents', change: priced(49), code: 'amount_too_small' },
      { what: 'more than 999,999.99', change: priced(100_000_000), code: 'amount_too_large' },
      { what: 'half a cent', change: priced(100.5), code: 'parameter_invalid_integer' },
      { what: 'an unknown customer', change: { customer: 'cus_none' }, code: 'resource_missing' },
      { what: 'what it does not model', change: { allow_promotion_codes: true }, code: 'parameter_unknown' },
      {
        what: 'metadata over 500 characters',
        change: { metadata: { a: 'x'.repeat(501) } },
        param: 'metadata[a]',
      },
    ];
    for (const { what, change, param, code } of refused) {
      it(`are refused with ${what}`, async () => {
        const { stripe, double } = setUp();
        await assert.rejects(stripe.checkout.sessions.create({ ...order, ...change }), (error: unknown) => {
          assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
          assert.equal(error.statusCode, 400);
          if (param !== undefined) assert.equal(error.param, param);
          if (code !== undefined) assert.equal(error.code, code);
          return true;
        });
        assert.equal(double.sessions().length, 0);
      });
    }

    it('expire when the clock passes their end, not a second earlier', async () => {
      const { stripe, double, clock } = setUp();
      const { id } = await stripe.checkout.sessions.create(order);
      clock.now = start + (hour - 1) * 1000;
      assert.equal((await stripe.checkout.sessions.retrieve(id)).status, 'open');
      clock.now = start + hour * 1000;
      assert.equal((await stripe.checkout.sessions.retrieve(id)).status, 'expired');
      assert.deepEqual(types(double.events), ['checkout.session.expired']);
      assert.throws(() => double.pay(id), /expired/);
      assert.equal(
        only(double.pay(id, { evenIfExpired: true }), 'checkout.session.completed').data.object.id,
        id,
      );
    });

    it('expire through the API once, and not after they were paid', async () => {
      const { stripe, double } = setUp();
      const first = await stripe.checkout.sessions.create(order);
      assert.equal((await stripe.checkout.sessions.expire(first.id)).status, 'expired');
      const second = await stripe.checkout.sessions.create(order);
      double.pay(second.id);
      for (const { id } of [first, second]) {
        await assert.rejects(stripe.checkout.sessions.expire(id), /status in \["open"\] can be expired/);
      }
      assert.equal(double.events.filter(event => event.type === 'checkout.session.expired').length, 1);
    });

    it('are listed newest first, page by page and by what is asked for', async () => {
      const { stripe, double, clock } = setUp();
      const ids: string[] = [];
      for (let n = 0; n < 5; n += 1) {
        ids.unshift((await stripe.checkout.sessions.create(order)).id);
        clock.now += 1000;
      }
      const all = await stripe.checkout.sessions.list({ limit: 2 }).autoPagingToArray({ limit: 10 });
      assert.deepEqual(
        all.map(session => session.id),
        ids,
      );
      const late = await stripe.checkout.sessions.list({ created: { gte: startSeconds + 3 } });
      assert.deepEqual(
        late.data.map(session => session.id),
        ids.slice(0, 2),
      );
      double.pay(ids[1] ?? '');
      const { payment_intent } = double.session(ids[1] ?? '');
      const found = await stripe.checkout.sessions.list({ payment_intent: String(payment_intent) });
      assert.deepEqual(
        found.data.map(session => session.id),
        [ids[1]],
      );
      assert.equal((await stripe.checkout.sessions.list({ status: 'open' })).data.length, 4);
    });
  });

  describe('idempotency keys', () => {
    const key = { idempotencyKey: 'pur_1' };

    it('refuse other parameters, and leave the first result as it was', async () => {
      const { stripe, double } = setUp();
      const first = await stripe.checkout.sessions.create(order, key);
      const other = { ...order, client_reference_id: 'org_2' };
      await assert.rejects(stripe.checkout.sessions.create(other, key), (error: unknown) => {
        assert.ok(error instanceof Stripe.errors.StripeIdempotencyError);
        assert.equal(error.statusCode, 400);
        return true;
      });
      assert.equal((await stripe.checkout.sessions.create(order, key)).id, first.id);
      assert.equal(double.sessions().length, 1);
    });

    it('replay the answer of that time, even when the session has moved on', async () => {
      const { stripe, double } = setUp();
      const { id } = await stripe.checkout.sessions.create(order, key);
      double.pay(id);
      assert.equal((await stripe.checkout.sessions.create(order, key)).status, 'open');
    });

    it('replay a 500 too, but neither refused parameters nor a rate limit', async () => {
      const { stripe, double } = setUp();
      await assert.rejects(stripe.checkout.sessions.create({ ...order, expires_at: 1 }, key));
      double.failNext('rateLimited');
      await assert.rejects(stripe.checkout.sessions.create(order, key));
      double.failNext('keyInUse');
      await assert.rejects(stripe.checkout.sessions.create(order, key));
      double.failNext('serverError');
      await assert.rejects(stripe.checkout.sessions.create(order, key), { statusCode: 500 });
      await assert.rejects(stripe.checkout.sessions.create(order, key), { statusCode: 500 });
      assert.equal(
        (await stripe.checkout.sessions.create(order, { idempotencyKey: 'pur_2' })).status,
        'open',
      );
    });

    it('are forgotten after 24 hours, so the same key then makes a second session', async () => {
      const { stripe, double, clock } = setUp();
      const { expires_at: _, ...endless } = order;
      await stripe.checkout.sessions.create(endless, key);
      clock.now += 24 * hour * 1000 - 1;
      await stripe.checkout.sessions.create(endless, key);
      assert.equal(double.sessions().length, 1);
      clock.now += 1;
      await stripe.checkout.sessions.create(endless, key);
      assert.equal(double.sessions().length, 2);
    });
  });

  describe('payment', () => {
    it('tells its events in full, each with an id, a time and a version', async () => {
      const { double, id } = await paid();
      assert.deepEqual(types(double.events), [
        'payment_intent.created',
        'charge.succeeded',
        'payment_intent.succeeded',
        'checkout.session.completed',
      ]);
      const event = only(double.events, 'checkout.session.completed');
      assert.equal(event.object, 'event');
      assert.equal(event.created, startSeconds);
      assert.equal(event.api_version, Stripe.API_VERSION);
      assert.equal(event.livemode, false);
      assert.deepEqual(event.data.object, double.session(id));
      assert.equal(new Set(double.events.map(each => each.id)).size, 4);
    });

    it('keeps events as they were when later ones change the same object', async () => {
      const { double, id } = await paid();
      const before = JSON.stringify(double.events);
      double.refund(id, 100);
      assert.equal(JSON.stringify(double.events.slice(0, 4)), before);
    });

    it('after a declined card goes on with the same payment intent and another charge', async () => {
      const { stripe, double } = setUp();
      const { id } = await stripe.checkout.sessions.create(order);
      const declined = double.decline(id);
      assert.deepEqual(types(declined), [
        'payment_intent.created',
        'charge.failed',
        'payment_intent.payment_failed',
      ]);
      assert.equal(double.session(id).status, 'open');
      const failed = only(declined, 'charge.failed').data.object;
      const events = double.pay(id);
      const charge = only(events, 'charge.succeeded').data.object;
      assert.equal(charge.payment_intent, failed.payment_intent);
      assert.notEqual(charge.id, failed.id);
      assert.equal(double.paymentIntent(id).last_payment_error, null);
    });

    for (const ok of [true, false]) {
      it(`by a delayed method completes unpaid and then ${ok ? 'succeeds' : 'fails'}`, async () => {
        const { stripe, double } = setUp();
        const { id } = await stripe.checkout.sessions.create(order);
        const completed = only(double.pay(id, { async: true }), 'checkout.session.completed').data.object;
        assert.equal(completed.status, 'complete');
        assert.equal(completed.payment_status, 'unpaid');
        assert.throws(() => double.refund(id), /no successful charge/);
        const events = double.settleAsync(id, ok);
        assert.deepEqual(
          types(events),
          ok
            ? ['charge.succeeded', 'payment_intent.succeeded', 'checkout.session.async_payment_succeeded']
            : ['charge.failed', 'payment_intent.payment_failed', 'checkout.session.async_payment_failed'],
        );
        assert.equal(double.session(id).payment_status, ok ? 'paid' : 'unpaid');
        assert.throws(() => double.settleAsync(id, ok), /under way/);
      });
    }

    it('adds automatic tax to the total once the payer’s address is known', async () => {
      const { stripe, double } = setUp({ taxPercent: 20 });
      const session = await stripe.checkout.sessions.create({ ...order, automatic_tax: { enabled: true } });
      assert.equal(session.amount_total, 13_700);
      assert.equal(session.automatic_tax.status, 'requires_location_inputs');
      double.pay(session.id);
      const after = double.session(session.id);
      assert.equal(after.amount_subtotal, 13_700);
      assert.equal(after.amount_total, 16_440);
      assert.equal(after.total_details?.amount_tax, 2740);
      assert.equal(double.charge(session.id).amount, 16_440);
      assert.equal(double.charge(session.id).metadata['purchase_id'], 'pur_1');
    });

    it('takes inclusive tax out of the price and leaves the total', async () => {
      const { stripe, double } = setUp({ taxPercent: 20 });
      const data = order.line_items?.[0]?.price_data;
      assert.ok(data);
      const line_items = [
        { quantity: 1, price_data: { ...data, unit_amount: 12_000, tax_behavior: 'inclusive' } },
      ];
      const { id } = await stripe.checkout.sessions.create({
        ...order,
        line_items,
        automatic_tax: { enabled: true },
      });
      double.pay(id);
      assert.equal(double.session(id).amount_total, 12_000);
      assert.equal(double.session(id).total_details?.amount_tax, 2000);
    });

    it('shows a currency of the payer’s own beside the order’s, never in place of it', async () => {
      const { stripe, double } = setUp();
      const { id } = await stripe.checkout.sessions.create(order);
      double.pay(id, { taxMinor: 300, presentment: { currency: 'inr', amountMinor: 1_234_500 } });
      const session = double.session(id);
      assert.equal(session.currency, 'usd');
      assert.equal(session.amount_total, 14_000);
      assert.deepEqual(session.presentment_details, {
        presentment_amount: 1_234_500,
        presentment_currency: 'inr',
      });
    });

    it('makes a paid invoice with its page when the session asks for one', async () => {
      const { stripe, double } = setUp();
      const customer = await stripe.customers.create({ email: 'a@example.com', metadata: { org: '1' } });
      const wishes = { ...order, customer: customer.id, invoice_creation: { enabled: true } };
      const { id } = await stripe.checkout.sessions.create(wishes);
      assert.equal(only(double.pay(id), 'invoice.paid').data.object.customer, customer.id);
      const invoice = await stripe.invoices.retrieve(String(double.session(id).invoice));
      assert.equal(invoice.status, 'paid');
      assert.equal(invoice.total, 13_700);
      assert.match(invoice.hosted_invoice_url ?? '', /^https:\/\/invoice\.stripe\.com\//);
    });
  });

  it('opens the customer portal of a customer it knows', async () => {
    const { stripe } = setUp({ livemode: true });
    const customer = await stripe.customers.create({ name: 'Org' });
    const portal = await stripe.billingPortal.sessions.create({
      customer: customer.id,
      return_url: 'https://x.example',
    });
    assert.match(portal.url, /^https:\/\/billing\.stripe\.com\//);
    assert.equal(portal.livemode, true);
    await assert.rejects(stripe.billingPortal.sessions.create({ customer: 'cus_none' }), {
      code: 'resource_missing',
    });
  });

  describe('refunds', () => {
    it('add up to the amount refunded, whether by API or by hand', async () => {
      const { stripe, double, id } = await paid();
      const { payment_intent } = double.session(id);
      const refund = await stripe.refunds.create({ payment_intent: String(payment_intent), amount: 700 });
      assert.equal(refund.status, 'succeeded');
      const second = double.refund(id, 3000);
      assert.deepEqual(types(second), ['refund.created', 'charge.refunded']);
      const event = only(second, 'charge.refunded');
      assert.equal(event.data.object.amount_refunded, 3700);
      assert.equal(event.data.object.refunded, false);
      assert.deepEqual(event.data.previous_attributes, { amount_refunded: 700, refunded: false });
      double.refund(id);
      const charge = await stripe.charges.retrieve(double.charge(id).id);
      assert.equal(charge.amount_refunded, 13_700);
      assert.equal(charge.refunded, true);
      const all = await stripe.refunds.list({ charge: charge.id });
      assert.deepEqual(
        all.data.map(each => each.amount),
        [10_000, 3000, 700],
      );
    });

    it('never exceed the charge', async () => {
      const { stripe, double, id } = await paid();
      const { payment_intent } = double.session(id);
      const ask = (amount: number) =>
        stripe.refunds.create({ payment_intent: String(payment_intent), amount });
      await assert.rejects(ask(13_701), /greater than unrefunded amount/);
      await ask(13_700);
      await assert.rejects(ask(1), { code: 'charge_already_refunded' });
    });

    it('can come back from the payer’s bank', async () => {
      const { double, id } = await paid();
      const refund = only(double.refund(id, 500), 'refund.created').data.object;
      assert.deepEqual(types(double.failRefund(refund.id)), ['refund.updated', 'refund.failed']);
      assert.equal(double.charge(id).amount_refunded, 0);
    });
  });

  describe('disputes', () => {
    it('that are inquiries take nothing and close with a warning', async () => {
      const { double, id } = await paid();
      const created = only(double.dispute(id, 'inquiry'), 'charge.dispute.created').data.object;
      assert.equal(created.status, 'warning_needs_response');
      assert.throws(() => double.closeDispute(id, 'won'), /warning_needs_response/);
      const closed = only(double.closeDispute(id, 'warning_closed'), 'charge.dispute.closed').data.object;
      assert.equal(closed.status, 'warning_closed');
      assert.deepEqual(closed.balance_transactions, []);
    });

    it('that are won give back what was withdrawn', async () => {
      const { stripe, double, id } = await paid();
      double.dispute(id, 'open');
      const withdrawn = only(double.withdrawFunds(id), 'charge.dispute.funds_withdrawn').data.object;
      assert.deepEqual(
        withdrawn.balance_transactions.map(each => each.amount),
        [-13_700],
      );
      await assert.rejects(stripe.refunds.create({ charge: double.charge(id).id }), {
        code: 'charge_disputed',
      });
      const events = double.closeDispute(id, 'won');
      assert.deepEqual(types(events), ['charge.dispute.funds_reinstated', 'charge.dispute.closed']);
      const dispute = await stripe.disputes.retrieve(double.disputeOf(id).id);
      assert.equal(
        dispute.balance_transactions.reduce((sum, each) => sum + each.amount, 0),
        0,
      );
      double.refund(id, 100);
    });

    it('that are lost keep the money, for good', async () => {
      const { double, id } = await paid();
      double.refund(id, 700);
      const dispute = only(double.dispute(id, 'open'), 'charge.dispute.created').data.object;
      assert.equal(dispute.amount, 13_000);
      const events = double.closeDispute(dispute.id, 'lost');
      assert.deepEqual(types(events), ['charge.dispute.funds_withdrawn', 'charge.dispute.closed']);
      assert.throws(() => double.refund(id), /charged back/);
      assert.throws(() => double.closeDispute(dispute.id, 'won'), /already lost/);
      assert.throws(() => double.withdrawFunds(dispute.id), /already lost/);
    });

    it('can grow out of an inquiry, and be reinstated before they close', async () => {
      const { double, id } = await paid();
      double.dispute(id, 'inquiry');
      const escalated = double.withdrawFunds(id);
      assert.deepEqual(types(escalated), ['charge.dispute.updated', 'charge.dispute.funds_withdrawn']);
      assert.throws(() => double.dispute(id, 'open'), /already has the open dispute/);
      double.reinstate(id);
      assert.deepEqual(types(double.closeDispute(id, 'won')), ['charge.dispute.closed']);
    });
  });

  describe('webhooks', () => {
    it('carry a signature the SDK accepts, made when the test says', async () => {
      const { double } = await paid();
      const event = only(double.events, 'checkout.session.completed');
      const { body, headers } = double.sign(event, { secret, at: start + 10_000 });
      const header = headers['stripe-signature'] ?? '';
      const check = (by: string, receivedAt: number) =>
        Stripe.webhooks.constructEvent(body, header, by, 300, undefined, receivedAt);
      assert.deepEqual(check(secret, start + 10_000), event);
      assert.throws(() => check('whsec_other', start), Stripe.errors.StripeSignatureVerificationError);
      assert.throws(() => check(secret, start + 311_000), Stripe.errors.StripeSignatureVerificationError);
    });

    it('are signed with each secret while one is being rolled', async () => {
      const { double } = await paid();
      const [event] = double.events;
      assert.ok(event);
      const { body, headers } = double.sign(event, { secret: ['whsec_old', 'whsec_new'] });
      for (const each of ['whsec_old', 'whsec_new']) {
        const header = headers['stripe-signature'] ?? '';
        assert.ok(Stripe.webhooks.constructEvent(body, header, each, 300, undefined, start));
      }
    });

    it('reach a URL or a function, again, late, out of order, and under another event id', async () => {
      const { double } = await paid();
      const seen: Stripe.Event[] = [];
      const receive = (body: string, signature: unknown): number => {
        seen.push(Stripe.webhooks.constructEvent(body, String(signature), secret, 300, undefined, start));
        return seen.length === 1 ? 500 : 200;
      };
      const server = createServer((request, response) => {
        void text(request).then(body => {
          response.writeHead(receive(body, request.headers['stripe-signature'])).end();
        });
      });
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`;
      try {
        const event = only(double.events, 'checkout.session.completed');
        assert.equal(await double.deliver(event, { url, secret }), 500);
        assert.equal(await double.deliver(event, { url, secret }), 200);
        const inject = ({ body, headers }: { body: string; headers: Readonly<Record<string, string>> }) =>
          Promise.resolve({ statusCode: receive(body, headers['stripe-signature']) });
        assert.equal(
          await double.deliver(event, { inject, secret, at: start - 60_000, id: 'evt_twin' }),
          200,
        );
        assert.deepEqual(
          seen.map(each => each.id),
          [event.id, event.id, 'evt_twin'],
        );
        assert.deepEqual(seen[2]?.data, event.data);
      } finally {
        await new Promise(resolve => server.close(resolve));
      }
    });
  });

  it('repeats itself to the byte with the same clock and ids', async () => {
    const run = async () => {
      const { stripe, double, clock } = setUp({ taxPercent: 19 });
      for (let n = 0; n < 3; n += 1) {
        const { id } = await stripe.checkout.sessions.create({ ...order, automatic_tax: { enabled: true } });
        clock.now += 1234;
        double.pay(id, { async: n === 1 });
      }
      return JSON.stringify([double.sessions(), double.events]);
    };
    assert.equal(await run(), await run());
  });

  it('lets a test stand between the effect of a call and its answer', async () => {
    const seen: string[] = [];
    const { stripe, double } = setUp({
      onCall: (call, moment) => {
        seen.push(`${moment} ${call.method} ${call.path} ${double.sessions().length}`);
        if (moment === 'after') throw new Error('the test cuts the line');
      },
    });
    await assert.rejects(stripe.checkout.sessions.create(order), Stripe.errors.StripeConnectionError);
    assert.deepEqual(seen, ['before POST /v1/checkout/sessions 0', 'after POST /v1/checkout/sessions 1']);
  });

  it('fails only the call that a test chose, and notes what each carried', async () => {
    const { stripe, double } = setUp();
    double.failNext('unavailable', call => call.path === '/v1/checkout/sessions');
    await stripe.customers.create({ email: 'a@example.com' });
    await assert.rejects(stripe.checkout.sessions.create(order, { idempotencyKey: 'pur_1' }), {
      statusCode: 503,
    });
    await stripe.checkout.sessions.create(order, { idempotencyKey: 'pur_1' });
    assert.deepEqual(
      double.calls.map(({ path, status }) => [path, status]),
      [
        ['/v1/customers', 200],
        ['/v1/checkout/sessions', 503],
        ['/v1/checkout/sessions', 200],
      ],
    );
    assert.equal(double.calls[2]?.params['client_reference_id'], 'org_1');
  });

  it('can hold a session that disagrees with the order, for servers that must notice', async () => {
    const { stripe, double } = setUp();
    const { id } = await stripe.checkout.sessions.create(order);
    double.tamper(id, { amount_subtotal: 1, metadata: { purchase_id: 'pur_2' } });
    assert.equal((await stripe.checkout.sessions.retrieve(id)).amount_subtotal, 1);
    assert.equal(
      only(double.pay(id), 'checkout.session.completed').data.object.metadata?.['purchase_id'],
      'pur_2',
    );
  });

  it('refuses a call without a key and a route that Stripe has not', async () => {
    const { double } = setUp();
    const listening = await double.listen();
    const root = `http://${listening.host}:${listening.port}`;
    try {
      const bare = await fetch(`${root}/v1/customers/cus_1`);
      assert.equal(bare.status, 401);
      const lost = await fetch(`${root}/v1/nothing`, { headers: { authorization: 'Bearer sk_test_x' } });
      assert.equal(lost.status, 404);
      const { error } = (await lost.json()) as { error: { type: string } };
      assert.equal(error.type, 'invalid_request_error');
    } finally {
      await listening.close();
    }
  });
});
