// Money that goes back: what refunds take of a purchase's credits, whatever order the news comes in.
import assert from 'node:assert/strict';
import type Stripe from 'stripe';
import type { Purchase } from '../../protocol/api.ts';
import { only } from '../support/stripeDouble.ts';
import { Desk } from './support/desk.ts';
import { booksAreInOrder, type House, houseWithStripe, type Org, sessionEvent } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('a refund', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  let id: string;
  let sessionId: string;
  before(async () => {
    ({ house, stripe } = await houseWithStripe());
  });
  beforeEach(async () => {
    org = await house.org();
    id = (await house.bought(org)).id;
    sessionId = stripe.sessionOf(id).id;
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const stored = async (): Promise<Purchase> =>
    (await house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin)).json();
  const available = async () => (await house.balance(org)).available_ucr;
  const deliver = async (events: readonly Stripe.Event[]) => {
    for (const event of events) {
      assert.equal((await house.deliver(event)).statusCode, 200);
    }
  };
  const paid = async (options = {}) => deliver(stripe.double.pay(sessionId, options));
  const use = async (ucr: number, eventId = 'e1') => {
    const usage = { event_id: eventId, amount_ucr: ucr };
    assert.equal((await house.post(`/v1/orgs/${org.id}/usage`, org.service, usage)).statusCode, 200);
  };

  it('T30 F52 takes back all credits of a full refund, and the purchase says so', async () => {
    await paid();
    await deliver(stripe.double.refund(sessionId));
    const purchase = await stored();
    assert.deepEqual(
      [purchase.status, purchase.total_minor, purchase.refunded_minor, purchase.reversed_ucr],
      ['credited', 5000, 5000, 5_000_000_000],
    );
    const balance = await house.balance(org);
    assert.deepEqual([balance.available_ucr, balance.purchased.remaining_ucr], [5_218_000_000, 0]);
    assert.deepEqual(balance.usage, {
      basis: 'since_top_up',
      period_id: 'top_up_2',
      used_ucr: 0,
      total_ucr: 5_218_000_000,
    });
  });

  for (const when of ['before', 'after']) {
    it(`F52 that fails gives back what later credits had paid for too, with the hold released ${when} it`, async () => {
      await paid();
      const hold = { hold_id: 'h', amount_ucr: 7_218_000_000, expires_in_s: 3_600 };
      assert.equal((await house.post(`/v1/orgs/${org.id}/holds`, org.service, hold)).statusCode, 200);
      const refund = stripe.double.refund(sessionId);
      await deliver(refund);
      assert.equal((await house.balance(org)).debt_ucr, 2_000_000_000);
      await deliver(stripe.double.pay(stripe.sessionOf((await house.bought(org)).id).id));
      assert.equal((await house.balance(org)).debt_ucr, 0);
      // The hold comes back to the grant it was taken from before the refund does, or after it.
      const release = () => house.post(`/v1/orgs/${org.id}/holds/h/release`, org.service);
      const fail = () => deliver(stripe.double.failRefund(only(refund, 'refund.created').data.object.id));
      for (const next of when === 'before' ? [release, fail] : [fail, release]) {
        await next();
      }
      const balance = await house.balance(org);
      assert.deepEqual(
        [balance.available_ucr, balance.purchased.remaining_ucr, balance.held_ucr, balance.debt_ucr],
        [15_218_000_000, 10_000_000_000, 0, 0],
      );
    });
  }

  it('T30 sets what is taken back to the sum of the partial refunds, however often the news comes', async () => {
    await paid();
    const first = stripe.double.refund(sessionId, 1000);
    await deliver([...first, ...first]);
    assert.equal((await stored()).reversed_ucr, 1_000_000_000);
    const second = stripe.double.refund(sessionId, 1500);
    await deliver([...second.toReversed(), ...first, ...second]);
    // Another event about the same thing, as when somebody sends it again by hand.
    await deliver(second.map(event => ({ ...event, id: `${event.id}_again` })));
    const purchase = await stored();
    assert.deepEqual([purchase.refunded_minor, purchase.reversed_ucr], [2500, 2_500_000_000]);
    assert.equal(await available(), 7_718_000_000);
    assert.equal((await house.balance(org)).version, 4, 'one transaction for each refund');
  });

  it('T30 counts every partial refund, also when there are more than Stripe tells at once', async () => {
    await paid();
    for (let part = 0; part < 101; part++) {
      await deliver(stripe.double.refund(sessionId, 10));
    }
    const purchase = await stored();
    assert.deepEqual([purchase.refunded_minor, purchase.reversed_ucr], [1010, 1_010_000_000]);
  });

  it('T30 comes to the same end for 50 deliveries of its news at once', async () => {
    await paid();
    const events = stripe.double.refund(sessionId, 1234);
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => events.map(event => house.deliver(event))).flat(),
    );
    assert.deepEqual([...new Set(answers.map(answer => answer.statusCode))], [200]);
    assert.equal((await stored()).reversed_ucr, 1_234_000_000);
    assert.equal((await house.balance(org)).version, 3);
  });

  it('F57 may be told before the payment is: both are then known at once', async () => {
    const payment = stripe.double.pay(sessionId);
    await deliver(stripe.double.refund(sessionId, 2000));
    assert.equal(await available(), 8_218_000_000, 'before anybody looked at the purchase');
    const purchase = await stored();
    assert.deepEqual([purchase.status, purchase.reversed_ucr], ['credited', 2_000_000_000]);
    await deliver(payment);
    assert.equal(await available(), 8_218_000_000);
    assert.equal((await house.balance(org)).version, 3);
  });

  it('F57 of a page that was made but not stored is found by its payment', async () => {
    const payment = stripe.double.pay(sessionId);
    const refund = stripe.double.refund(sessionId, 2000);
    await house.database.query
      .updateTable('purchases')
      .set({ status: 'creating', session_id: null, checkout_url: null })
      .where('org_id', '=', org.id)
      .execute();
    await deliver([...refund, ...payment]);
    assert.deepEqual([(await stored()).status, await available()], ['credited', 8_218_000_000]);
  });

  it('T30 leaves no debt beside free credits when a hold of them has expired meanwhile', async () => {
    await paid();
    const everything = { hold_id: 'h', amount_ucr: 10_218_000_000, expires_in_s: 60 };
    const held = await house.post(`/v1/orgs/${org.id}/holds`, org.service, everything);
    assert.equal(held.statusCode, 200, held.body);
    house.clock.advance(61_000);
    await deliver(stripe.double.refund(sessionId));
    const balance = await house.balance(org);
    assert.deepEqual(
      [
        balance.available_ucr,
        balance.purchased.remaining_ucr,
        balance.promotional.remaining_ucr,
        balance.debt_ucr,
      ],
      [5_218_000_000, 0, 5_218_000_000, 0],
    );
  });

  it('T30 of used credits takes free ones at their end at the latest, and nothing twice', async () => {
    const other = await house.org(0n);
    const desk = new Desk(house, other);
    const bought = stripe.sessionOf((await house.bought(other)).id).id;
    await deliver(stripe.double.pay(bought));
    await desk.use(5_000_000_000);
    await desk.grant(6_000_000_000, 'promotional', desk.inMs(60_000));
    await deliver(stripe.double.refund(bought));
    assert.equal((await desk.balance()).available_ucr, 1_000_000_000);
    house.clock.advance(60_000);
    assert.deepEqual([(await desk.balance()).available_ucr, (await desk.balance()).debt_ucr], [0, 0]);
  });

  it('T30 of credits used before a plan costs its period, and not the next one too', async () => {
    const other = await house.org(0n);
    const desk = new Desk(house, other);
    const bought = stripe.sessionOf((await house.bought(other)).id).id;
    await deliver(stripe.double.pay(bought));
    await desk.use(5_000_000_000);
    await desk.plan({ includedUcr: 7_000_000_000n, anchorDay: 1, rolloverCapUcr: 10_000_000_000n });
    await deliver(stripe.double.refund(bought));
    const { available_ucr, included } = await desk.balance();
    assert.equal(available_ucr, 2_000_000_000);
    assert.ok(included.state === 'available');
    house.clock.advance(Date.parse(included.resets_at) - house.clock.now().getTime());
    assert.equal((await desk.balance()).available_ucr, 9_000_000_000, 'what was left is rolled over');
  });

  it('T30 F57 is not undone by a first look that began before its page was known', async () => {
    await house.database.query
      .updateTable('purchases')
      .set({ status: 'creating', session_id: null, checkout_url: null })
      .where('purchase_id', '=', id)
      .execute();
    const payment = stripe.double.pay(sessionId);
    stripe.double.refund(sessionId, 1000);
    const before = stripe.requests().length;
    stripe.delaying = /^GET \/v1\/refunds/;
    const early = house.deliver(only(payment, 'checkout.session.completed'));
    while (
      !stripe
        .requests()
        .slice(before)
        .some(line => line.startsWith('GET /v1/refunds'))
    ) {
      await new Promise(setImmediate);
    }
    stripe.delaying = undefined;
    await deliver([only(stripe.double.refund(sessionId), 'charge.refunded')]);
    stripe.letGo();
    assert.equal((await early).statusCode, 200);
    assert.deepEqual([(await stored()).refunded_minor, await available()], [5_000, 5_218_000_000]);
  });

  it('T30 F57 is not undone by an answer that was long on its way', async () => {
    await paid();
    const before = stripe.requests().length;
    stripe.delaying = /^GET \/v1\/refunds/;
    const first = stripe.double.refund(sessionId, 1000);
    const early = house.deliver(only(first, 'charge.refunded'));
    while (
      !stripe
        .requests()
        .slice(before)
        .some(line => line.startsWith('GET /v1/refunds'))
    ) {
      await new Promise(setImmediate);
    }
    // The early look knows of a refund; by the time it is stored, the refund has failed, and a later look said so.
    stripe.delaying = undefined;
    await deliver(stripe.double.failRefund(only(first, 'refund.created').data.object.id));
    assert.equal((await stored()).reversed_ucr, 0);
    stripe.letGo();
    assert.equal((await early).statusCode, 200);
    assert.equal((await stored()).reversed_ucr, 0);
    assert.equal(await available(), 10_218_000_000);
  });

  it('F52 takes used credits from debt, and the next purchase pays that back', async () => {
    await paid();
    // The opening balance burns first, so 1,000 of the purchase are used, too.
    await use(6_218_000_000);
    await deliver(stripe.double.refund(sessionId));
    const owing = await house.balance(org);
    assert.deepEqual(
      [owing.available_ucr, owing.debt_ucr, owing.purchased.remaining_ucr],
      [-1_000_000_000, 1_000_000_000, 0],
    );
    const next = await house.bought(org);
    await deliver(stripe.double.pay(stripe.sessionOf(next.id).id));
    const after = await house.balance(org);
    assert.deepEqual([after.available_ucr, after.debt_ucr], [4_000_000_000, 0]);
  });

  it('T30 takes from the purchase’s own credits first, not from another purchase', async () => {
    await paid();
    const other = await house.bought(org);
    await deliver(stripe.double.pay(stripe.sessionOf(other.id).id));
    await deliver(stripe.double.refund(stripe.sessionOf(other.id).id));
    const rows = await house.database.query
      .selectFrom('grants')
      .innerJoin('accounts', join =>
        join
          .onRef('accounts.org_id', '=', 'grants.org_id')
          .onRef('accounts.account_id', '=', 'grants.grant_id'),
      )
      .select('balance_ucr')
      .where('grants.org_id', '=', org.id)
      .where('grants.kind', '=', 'purchased')
      .orderBy('grants.grant_id')
      .execute();
    assert.deepEqual(rows.map(row => row.balance_ucr).toSorted(), [0n, 5_000_000_000n]);
    assert.equal((await stored()).reversed_ucr, 0);
  });

  it('F52 that fails gives the credits back, debt first', async () => {
    await paid();
    await use(6_218_000_000);
    const refund = stripe.double.refund(sessionId);
    await deliver(refund);
    assert.equal((await house.balance(org)).debt_ucr, 1_000_000_000);
    await deliver(stripe.double.failRefund(only(refund, 'refund.created').data.object.id));
    const purchase = await stored();
    assert.deepEqual([purchase.refunded_minor, purchase.reversed_ucr], [0, 0]);
    const after = await house.balance(org);
    assert.deepEqual(
      [after.available_ucr, after.debt_ucr, after.purchased.remaining_ucr],
      [4_000_000_000, 0, 4_000_000_000],
    );
  });

  it('F52 that fails leaves the other refunds of the same payment as they are', async () => {
    await paid();
    const first = stripe.double.refund(sessionId, 1000);
    const failing = only(first, 'refund.created').data.object.id;
    await deliver([...first, ...stripe.double.refund(sessionId, 500), ...stripe.double.failRefund(failing)]);
    const purchase = await stored();
    assert.deepEqual([purchase.refunded_minor, purchase.reversed_ucr], [500, 500_000_000]);
  });

  for (const [taxMinor, refunded, reversed] of [
    [950, 1, 840_336],
    [950, 1000, 840_336_134],
    [950, 5949, 4_999_159_663],
    [950, 5950, 5_000_000_000],
    [0, 3333, 3_333_000_000],
  ] as const) {
    it(`T30 of ${refunded} from 5000 with ${taxMinor} tax takes back ${reversed} ucr`, async () => {
      await paid({ taxMinor });
      await deliver(stripe.double.refund(sessionId, refunded));
      const purchase = await stored();
      assert.deepEqual(
        [purchase.total_minor, purchase.refunded_minor, purchase.reversed_ucr],
        [5000 + taxMinor, refunded, reversed],
      );
      assert.equal(await available(), 10_218_000_000 - reversed);
    });
  }

  it('F59 of a payment made elsewhere is quarantined, and takes nothing', async () => {
    await paid();
    const foreign = await stripe.foreignSession({});
    const events = stripe.double.refund(foreign);
    await deliver(events);
    const rows = await house.database.query
      .selectFrom('stripe_events')
      .select('status')
      .where('payment_intent_id', '=', stripe.double.paymentIntent(foreign).id)
      .execute();
    assert.deepEqual([...new Set(rows.map(row => row.status))], ['quarantined']);
    assert.equal(await available(), 10_218_000_000);
  });

  it('F61 is settled by the reconciler when the payment side was down as its news came', async () => {
    await paid();
    const events = stripe.double.refund(sessionId, 1000);
    stripe.failing = /^GET/;
    for (const event of events) {
      assert.equal((await house.deliver(event)).statusCode, 503);
    }
    stripe.failing = undefined;
    await house.app.parts.reconciler.look();
    assert.equal((await stored()).reversed_ucr, 1_000_000_000);
  });

  it('is no news of its own for a purchase that was never credited', async () => {
    stripe.double.pay(sessionId);
    stripe.double.tamper(sessionId, { currency: 'eur' });
    await deliver([sessionEvent(sessionId) as Stripe.Event, ...stripe.double.refund(sessionId)]);
    const purchase = await stored();
    assert.deepEqual([purchase.status, purchase.reversed_ucr], ['needs_review', 0]);
    assert.equal(await available(), 5_218_000_000);
  });
});
