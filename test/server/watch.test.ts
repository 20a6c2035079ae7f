// What operators hear of: a webhook that has gone quiet, and payments of orders that nobody knows.
import assert from 'node:assert/strict';
import { createLog } from '../../server/src/log.ts';
import { review } from '../../server/src/purchases/review.ts';
import { only } from '../support/stripeDouble.ts';
import { booksAreInOrder, type House, houseWithStripe, sessionEvent, TestClock } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

const MINUTE = 60_000; // ms

describe('the webhook watch', () => {
  let house: House;
  let stripe: StripeSide;
  let lines: Array<{ level: number; msg: string }>;
  beforeEach(async () => {
    lines = [];
    const log = createLog('info', { write: line => void lines.push(JSON.parse(line)) });
    const clock = new TestClock();
    // All tests share one database: this one lives in a time of its own, far from the others' payments.
    clock.advance((1_000 + Math.floor(Math.random() * 100_000)) * 24 * 60 * MINUTE);
    ({ house, stripe } = await houseWithStripe({ clock, log }));
  });
  afterEach(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const health = async () => (await house.get('/health')).json();
  const look = () => house.app.parts.reconciler.look();
  const alarms = () => lines.filter(line => line.level >= 50).map(line => line.msg);
  async function paid({ told }: { told: boolean }): Promise<string> {
    const { id } = await house.bought(await house.org());
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId);
    if (told) {
      await house.deliver(sessionEvent(sessionId));
    } else {
      house.clock.advance(2_000);
      await look();
    }
    return sessionId;
  }

  it('F63 rings once when payments come in for 15 minutes and no news of them, and says when it is over', async () => {
    const sessionId = await paid({ told: false });
    assert.equal((await health()).webhooks.silent, false, 'not late yet');
    house.clock.advance(15 * MINUTE);
    await look();
    await look();
    const { status, webhooks } = await health();
    assert.deepEqual([status, webhooks.silent, webhooks.missed], ['degraded', true, 1]);
    assert.equal(alarms().filter(text => text.includes('silent')).length, 1);
    await house.deliver(sessionEvent(sessionId));
    await look();
    const after = await health();
    assert.deepEqual([after.status, after.webhooks.silent, after.webhooks.missed], ['ok', false, 0]);
    assert.equal(after.webhooks.last_received_at, house.clock.now().toISOString());
    assert.ok(lines.some(line => line.msg === 'the webhook is heard again'));
  });

  it('F63 is quiet about a payment that a person has settled', async () => {
    const org = await house.org();
    const { id: purchaseId } = await house.bought(org);
    const sessionId = stripe.sessionOf(purchaseId).id;
    stripe.double.pay(sessionId);
    stripe.double.tamper(sessionId, { currency: 'eur' });
    house.clock.advance(2_000);
    await look();
    const verdict = {
      orgId: org.id,
      purchaseId,
      as: 'credited' as const,
      reason: 'looked at',
      actor: 'operator',
    };
    const { ledger } = house.app.parts;
    const settled = await house.database.transaction(tx => review(tx, ledger, verdict, house.clock.now()));
    assert.equal(settled, 'done');
    house.clock.advance(16 * MINUTE);
    await look();
    assert.deepEqual((await health()).webhooks.silent, false);
  });

  it('F63 is quiet when nobody buys, however long no news comes', async () => {
    await paid({ told: true });
    house.clock.advance(12 * 60 * MINUTE);
    await look();
    // What other tests left unsettled may be told of here, too.
    const rung = alarms().filter(text => text.includes('silent'));
    assert.deepEqual([(await health()).status, rung], ['ok', []]);
  });

  it('F59 counts deliveries about unknown orders, tells each growth once, and names no organisation', async () => {
    await stripe.foreignSession({});
    await house.deliver(only(stripe.double.events, 'checkout.session.completed'));
    await look();
    await look();
    const { status, webhooks } = await health();
    assert.deepEqual([status, webhooks.quarantined], ['ok', 1]);
    assert.equal(alarms().filter(text => text.startsWith('deliveries about unknown')).length, 1);
    assert.doesNotMatch(JSON.stringify(webhooks), /org_|cs_/);
  });
});
