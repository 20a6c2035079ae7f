// News that Stripe never delivered: found in Stripe's own list of events, once, however much there is of it.
import assert from 'node:assert/strict';
import type { Purchase } from '../../protocol/api.ts';
import { createLog } from '../../server/src/log.ts';
import { only } from '../support/stripeDouble.ts';
import { emptyDatabase } from './support/databases.ts';
import {
  booksAreInOrder,
  type Emulated,
  House,
  houseWithStripe,
  type Org,
  sessionEvent,
  startEmulator,
  TestClock,
} from './support/house.ts';
import { StripeSide } from './support/stripeSide.ts';

describe('news that was never delivered', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  let id: string;
  let sessionId: string;
  beforeEach(async () => {
    ({ house, stripe } = await houseWithStripe());
    org = await house.org();
    id = (await house.bought(org)).id;
    sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    await house.deliver(sessionEvent(sessionId));
  });
  afterEach(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const look = () => house.app.parts.reconciler.look();
  const available = async () => (await house.balance(org)).available_ucr;
  const stored = async (): Promise<Purchase> =>
    (await house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin)).json();
  it('T30 F63 takes back a refund by looking, days after the payment', async () => {
    await look();
    house.clock.advance(3 * 24 * 60 * 60_000);
    stripe.double.refund(sessionId);
    await look();
    assert.deepEqual([(await stored()).refunded_minor, await available()], [5_000, 5_218_000_000]);
    await look();
    assert.equal(await available(), 5_218_000_000);
  });

  it('T30 F63 sets aside what a dispute takes, and gives it back when it is won', async () => {
    stripe.double.withdrawFunds(
      only(stripe.double.dispute(sessionId, 'open'), 'charge.dispute.created').data.object.id,
    );
    await look();
    assert.deepEqual([(await stored()).dispute, await available()], ['open', 5_218_000_000]);
    stripe.double.closeDispute(sessionId, 'won');
    await look();
    assert.deepEqual([(await stored()).dispute, await available()], ['won', 10_218_000_000]);
  });

  /** A refund of a purchase of its own, and after it more news than one page has. */
  const refundBehindPages = async () => {
    const other = stripe.sessionOf((await house.bought(org)).id).id;
    stripe.double.pay(other);
    await house.deliver(sessionEvent(other));
    await look();
    house.clock.advance(24 * 60 * 60_000);
    stripe.double.refund(other);
    house.clock.advance(24 * 60 * 60_000);
    for (let part = 0; part < 50; part++) {
      stripe.double.refund(sessionId, 10);
    }
  };

  it('F63 is found to the last of several pages', async () => {
    await refundBehindPages();
    await look();
    await look(); // each look acts on a hundred
    assert.equal(await available(), 5_218_000_000 + 4_500_000_000);
  });

  it('F63 is looked for again from the same place when the list breaks off', async () => {
    await refundBehindPages();
    stripe.failing = /events, next page/;
    await look();
    assert.equal(await available(), 5_218_000_000 + 4_500_000_000 + 5_000_000_000);
    stripe.failing = undefined;
    await look();
    await look();
    assert.equal(await available(), 5_218_000_000 + 4_500_000_000);
  });

  it('F63 leaves what is under way to be looked at when the list cannot be read', async () => {
    const other = await house.bought(org);
    stripe.double.pay(stripe.sessionOf(other.id).id);
    stripe.double.refund(sessionId);
    stripe.failing = /events/;
    house.clock.advance(2_000);
    await look();
    assert.equal(await available(), 15_218_000_000);
    stripe.failing = undefined;
    await look();
    assert.equal(await available(), 10_218_000_000);
  });

  it('F63 is found when the server’s clock was two hours ahead at its first order', async () => {
    const clock = new TestClock();
    const exact = new StripeSide(() => new Date(clock.now().getTime() - 2 * 60 * 60_000));
    const database = await emptyDatabase();
    const environment = { STRIPE_SECRET_KEY: 'sk_test_of_the_tests' };
    const ahead = await House.build({ clock, database, environment, sdk: exact.sdk });
    const here = await ahead.org();
    const session = exact.sessionOf((await ahead.bought(here)).id).id;
    exact.double.pay(session);
    await ahead.deliver(sessionEvent(session));
    exact.double.refund(session);
    await ahead.app.parts.reconciler.look();
    assert.equal((await ahead.balance(here)).available_ucr, 5_218_000_000);
    await ahead.close();
    await database.close();
  });

  it('F57 T28 comes again by delivery and changes nothing', async () => {
    const events = stripe.double.refund(sessionId);
    await look();
    const { version } = await house.balance(org);
    for (const event of events) {
      assert.equal((await house.deliver(event)).statusCode, 200);
    }
    assert.equal((await house.balance(org)).version, version);
  });

  it('F62 is taken in once, and not acted on again while it stays in the list', async () => {
    stripe.double.refund(sessionId);
    await look();
    await look();
    const asked = stripe.requests().length;
    await look();
    // The orders of other tests on this database are looked at as well.
    const own = (request: string) => !request.includes('/sessions/') || request.includes(sessionId);
    assert.deepEqual(stripe.requests().slice(asked).filter(own), ['GET /v1/events']);
  });

  it('F59 about an order that nobody knows is set aside for a person', async () => {
    await look();
    const quarantined = async () => (await house.get('/health')).json().webhooks.quarantined;
    const before = await quarantined();
    await stripe.foreignSession({});
    await look();
    assert.equal(await quarantined(), before + 1);
  });
});

describe('the sandbox’s payment side', () => {
  let emulator: Emulated;
  let house: House;
  before(async () => {
    emulator = await startEmulator();
  });
  after(() => emulator.close());

  it('keeps no list of events, and nobody is troubled with that', async () => {
    const lines: string[] = [];
    const log = createLog('warn', { write: line => void lines.push(line) });
    house = await House.build({ environment: emulator.environment, log });
    await house.database.query.deleteFrom('stripe_reading').execute();
    await house.bought(await house.org());
    await house.app.parts.reconciler.look();
    await house.close();
    assert.deepEqual(
      lines.filter(line => line.includes('list of events')),
      [],
    );
  });
});
