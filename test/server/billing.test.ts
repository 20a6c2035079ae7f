// What surrounds a purchase at Stripe: the organisation's customer, invoices, the portal, tax, and limits.
import assert from 'node:assert/strict';
import { StripeDouble } from '../support/stripeDouble.ts';
import {
  bearer,
  booksAreInOrder,
  type House,
  type HouseOptions,
  houseWithStripe,
  sessionEvent,
  TestClock,
} from './support/house.ts';
import { join } from './support/people.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('billing', () => {
  const houses: House[] = [];
  const open = async (options: HouseOptions = {}): Promise<{ house: House; stripe: StripeSide }> => {
    const built = await houseWithStripe(options);
    houses.push(built.house);
    return built;
  };
  after(async () => {
    for (const house of houses) {
      await booksAreInOrder(house);
      await house.close();
    }
  });
  const customersMade = (stripe: StripeSide) =>
    stripe.requests().filter(line => line === 'POST /v1/customers').length;

  it('makes one customer for an organisation, however many buy at once, and uses it again', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    const purchases = await Promise.all(Array.from({ length: 10 }, () => house.bought(org)));
    const customers = new Set(purchases.map(({ id }) => stripe.sessionOf(id).customer));
    assert.equal(customers.size, 1);
    const made = customersMade(stripe);
    assert.equal(stripe.sessionOf((await house.bought(org)).id).customer, [...customers][0]);
    assert.equal(customersMade(stripe), made);
    const other = await house.org();
    assert.notEqual(stripe.sessionOf((await house.bought(other)).id).customer, [...customers][0]);
  });

  it('F61 makes no second customer when the first one was made but not stored', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    stripe.double.failNext('answerDropped', call => call.path === '/v1/customers');
    const key = 'same';
    assert.equal((await house.buy(org, {}, key)).statusCode, 503);
    const again = await house.buy(org, {}, key);
    assert.equal(again.statusCode, 201);
    const events = stripe.double.events.filter(event => event.type === 'customer.created');
    assert.equal(events.length, 1);
  });

  it('makes another customer when a person deleted the first one at Stripe', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    await house.bought(org);
    await house.database.query
      .updateTable('payment_customers')
      .set({ customer_id: 'cus_deleted' })
      .where('org_id', '=', org.id)
      .execute();
    const purchase = await house.bought(org);
    assert.match(String(stripe.sessionOf(purchase.id).customer), /^cus_/);
    const portal = await house.post(`/v1/orgs/${org.id}/portal-sessions`, org.admin);
    assert.equal(portal.statusCode, 201);
  });

  it('links invoice and receipt in the purchase', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    const { id } = await house.bought(org);
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    await house.deliver(sessionEvent(sessionId));
    const purchase = await house.purchase(org, id);
    assert.match(purchase.invoice_url ?? '', /^https:\/\/invoice\.stripe\.com\//);
    assert.match(purchase.receipt_url ?? '', /^https:\/\/pay\.stripe\.com\/receipts\//);
  });

  it('links an invoice that is made after the payment was seen, and says so', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    const { id } = await house.bought(org);
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    const { invoice } = stripe.double.session(sessionId);
    stripe.double.tamper(sessionId, { invoice: null });
    await house.deliver(sessionEvent(sessionId));
    const before = await house.purchase(org, id);
    assert.deepEqual([before.status, before.invoice_url], ['credited', null]);
    const told = () =>
      house.database.query
        .selectFrom('outbox')
        .select('event')
        .where('org_id', '=', org.id)
        .orderBy('sequence')
        .execute();
    const toldBefore = (await told()).length;

    stripe.double.tamper(sessionId, { invoice });
    // The second finds nothing new; of other tests there are fewer than are asked for at once.
    await house.app.parts.reconciler.look();
    await house.app.parts.reconciler.look();
    const after = await house.purchase(org, id);
    assert.match(after.invoice_url ?? '', /^https:\/\/invoice\.stripe\.com\//);
    assert.deepEqual({ ...after, invoice_url: null }, before);
    assert.deepEqual((await told()).slice(toldBefore), [{ event: 'purchase.updated' }]);
  });

  describe('the portal', () => {
    it('T20 opens for admins, at Stripe, and leads back to a page of ours', async () => {
      const { house, stripe } = await open();
      const org = await house.org();
      const answer = await house.post(`/v1/orgs/${org.id}/portal-sessions`, org.admin);
      assert.equal(answer.statusCode, 201, answer.body);
      assert.match(answer.json().url, /^https:\/\/billing\.stripe\.com\//);
      assert.equal(answer.headers['cache-control'], 'no-store');
      const call = stripe.double.calls.find(({ path }) => path === '/v1/billing_portal/sessions');
      const back = new URL(String(call?.params['return_url']));
      assert.equal((await house.get(back.pathname)).statusCode, 200);
    });

    it('T20 is not handed to an admin who was demoted while Stripe was asked', async () => {
      const { house, stripe } = await open();
      const org = await house.org();
      const eve = await join(house, org, 'Eve', 'admin');
      stripe.holding = /billing_portal/;
      const asked = house.post(`/v1/orgs/${org.id}/portal-sessions`, eve.token);
      while (!stripe.requests().some(line => line.includes('billing_portal'))) {
        await new Promise(setImmediate);
      }
      const demoted = await house.app.inject({
        method: 'PUT',
        url: `/v1/orgs/${org.id}/members/${eve.id}/role`,
        headers: bearer(org.admin),
        payload: { role: 'user' },
      });
      assert.equal(demoted.statusCode, 204, demoted.body);
      stripe.letGo();
      const answer = await asked;
      assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
    });

    it('T20 does not open for others, and asks Stripe nothing', async () => {
      const { house, stripe } = await open();
      const org = await house.org();
      for (const [token, code] of [
        [org.member, 'insufficient_role'],
        [org.service, 'insufficient_scope'],
      ] as const) {
        const answer = await house.post(`/v1/orgs/${org.id}/portal-sessions`, token);
        assert.deepEqual([answer.statusCode, answer.json().code], [403, code]);
      }
      assert.deepEqual(stripe.requests(), []);
    });

    it('F53 answers 503 while the payment side is down', async () => {
      const { house, stripe } = await open();
      const org = await house.org();
      stripe.failing = /./;
      const answer = await house.post(`/v1/orgs/${org.id}/portal-sessions`, org.admin);
      assert.deepEqual([answer.statusCode, answer.json().code], [503, 'payment_provider_unavailable']);
    });
  });

  it('F51 T30 adds tax when told to, credits the order alone, and takes back by the share of the whole', async () => {
    const clock = new TestClock();
    const double = new StripeDouble({ now: () => clock.now().getTime(), nextId: unique, taxPercent: 19 });
    const { house } = await open({
      clock,
      environment: { STRIPE_AUTOMATIC_TAX: '1' },
      sdk: { httpClient: double.httpClient(), maxNetworkRetries: 0 },
    });
    const org = await house.org();
    const { id } = await house.bought(org);
    const session = double.sessions().find(each => each.metadata?.['purchase_id'] === id);
    assert.ok(session?.automatic_tax.enabled);
    double.pay(session.id);
    await house.deliver(sessionEvent(session.id));
    const paid = await house.purchase(org, id);
    assert.deepEqual([paid.amount_minor, paid.total_minor], [5000, 5950]);
    assert.equal((await house.balance(org)).available_ucr, 10_218_000_000);
    for (const event of double.refund(session.id, 2975)) {
      await house.deliver(event);
    }
    assert.equal((await house.balance(org)).available_ucr, 7_718_000_000);
  });

  it('asks for no tax unless told to', async () => {
    const { house, stripe } = await open();
    const { id } = await house.bought(await house.org());
    assert.equal(stripe.sessionOf(id).automatic_tax.enabled, false);
  });

  it('T22 F54 takes no order whose credits the balance could not hold, paid ones and open ones counted', async () => {
    const { house, stripe } = await open({
      environment: { CREDITS_PER_MAJOR_UNIT: '1000000', CUSTOM_MAX_MINOR: '500000' },
    });
    const org = await house.org();
    const most = { amount_minor: 500_000, expected_credits_ucr: 5_000_000_000_000_000 };
    const refused = async () => {
      const answer = await house.buy(org, most);
      return [answer.statusCode, answer.json().code];
    };
    const { id } = await house.bought(org, most);
    assert.deepEqual(await refused(), [422, 'amount_out_of_range'], 'one is under way');
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    await house.deliver(sessionEvent(sessionId));
    assert.equal((await house.purchase(org, id)).status, 'credited');
    assert.deepEqual(await refused(), [422, 'amount_out_of_range'], 'it is in the balance');
  });

  describe('a limit for a day', () => {
    const limited = () => open({ environment: { MAX_DAILY_MINOR: '12000' } });

    it('T22 refuses what goes beyond it, says what is left, and forgets after 24 hours', async () => {
      const { house } = await limited();
      const org = await house.org();
      const options = async () => (await house.get(`/v1/orgs/${org.id}/purchase-options`, org.admin)).json();
      await house.bought(org);
      await house.bought(org);
      assert.deepEqual([(await options()).daily_left_minor, (await options()).can_purchase], [2000, true]);
      const refused = await house.buy(org);
      assert.deepEqual(
        [refused.statusCode, refused.json().code, refused.json().errors],
        [409, 'purchasing_blocked', [{ pointer: '/amount_minor', code: 'daily_limit' }]],
      );
      await house.bought(org, { amount_minor: 2000, expected_credits_ucr: 2_000_000_000 });
      assert.deepEqual(
        [(await options()).daily_left_minor, (await options()).blocked_reason],
        [0, 'daily_limit'],
      );
      assert.equal((await house.buy(await house.org())).statusCode, 201, 'each organisation has its own');
      house.clock.advance(24 * 3_600_000 + 1);
      assert.equal((await house.buy(org)).statusCode, 201);
    });

    it('T22 holds for orders at once, and pages that were closed do not count', async () => {
      const { house } = await limited();
      const org = await house.org();
      const answers = await Promise.all(Array.from({ length: 8 }, () => house.buy(org)));
      const made = answers.filter(answer => answer.statusCode === 201);
      assert.equal(made.length, 2);
      await house.post(`/v1/orgs/${org.id}/purchases/${made[0]?.json().id}/cancel`, org.admin);
      assert.equal((await house.buy(org)).statusCode, 201);
    });
  });

  it('T26 ignores events that do not say whether they are about real money', async () => {
    const { house, stripe } = await open();
    const org = await house.org();
    const { id } = await house.bought(org);
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    const data = { object: { id: sessionId, object: 'checkout.session' } };
    const event = sessionEvent(sessionId, 'checkout.session.completed', { livemode: undefined, data });
    assert.equal((await house.deliver(event)).statusCode, 200);
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
  });
});

let count = 0;
const unique = (prefix: string): string => `${prefix}billing_${process.pid}_${count++}`;
