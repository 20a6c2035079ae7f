// Payment methods that take days: completed but unpaid, then paid or not, and the news of it in any order.
import assert from 'node:assert/strict';
import type { Purchase } from '../../protocol/api.ts';
import { booksAreInOrder, type House, houseWithStripe, type Org, sessionEvent } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

const news = [
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
] as const;

function permutations<T>(items: readonly T[]): T[][] {
  return items.length === 0
    ? [[]]
    : items.flatMap((item, place) => permutations(items.toSpliced(place, 1)).map(rest => [item, ...rest]));
}

describe('a delayed payment', () => {
  let house: House;
  let stripe: StripeSide;
  before(async () => {
    ({ house, stripe } = await houseWithStripe());
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  async function pending(org: Org): Promise<{ id: string; sessionId: string }> {
    const { id } = await house.bought(org);
    const sessionId = stripe.sessionOf(id).id;
    stripe.double.pay(sessionId, { async: true });
    return { id, sessionId };
  }
  const stored = async (org: Org, id: string): Promise<Purchase> =>
    (await house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin)).json();

  for (const ok of [true, false]) {
    it(`T29 F50 F57 comes to the same end in all 24 orders of the news when it ${ok ? 'arrives' : 'fails'}`, async () => {
      const orders = permutations(news);
      assert.equal(orders.length, 24);
      for (const [nth, order] of orders.entries()) {
        const org = await house.org();
        const { id, sessionId } = await pending(org);
        // The bank decides before the first delivery, after the last, or between any two of them.
        const decidesAt = nth % (order.length + 1);
        for (const [place, type] of order.entries()) {
          if (place === decidesAt) {
            stripe.double.settleAsync(sessionId, ok);
          }
          assert.equal((await house.deliver(sessionEvent(sessionId, type))).statusCode, 200);
          const now = await stored(org, id);
          const expected = place < decidesAt ? 'processing' : ok ? 'credited' : 'failed';
          assert.equal(now.status, expected, `${order.join(', ')} after ${place + 1}`);
        }
        if (decidesAt === order.length) {
          stripe.double.settleAsync(sessionId, ok);
          await house.deliver(sessionEvent(sessionId, news[ok ? 1 : 2]));
        }
        const end = await stored(org, id);
        assert.equal(end.status, ok ? 'credited' : 'failed', order.join(', '));
        assert.deepEqual(end.failure?.code, ok ? undefined : 'payment_failed');
        const { available_ucr, version } = await house.balance(org);
        assert.deepEqual([available_ucr, version], ok ? [10_218_000_000, 2] : [5_218_000_000, 1]);
      }
    }).timeout(60_000);
  }

  it('T29 F50 is found by the reconciler when no news of it ever comes', async () => {
    for (const [ok, status] of [
      [true, 'credited'],
      [false, 'failed'],
    ] as const) {
      const org = await house.org();
      const { id, sessionId } = await pending(org);
      house.clock.advance(2_000);
      await house.app.parts.reconciler.look();
      assert.equal((await stored(org, id)).status, 'processing');
      stripe.double.settleAsync(sessionId, ok);
      house.clock.advance(3 * 86_400_000);
      await house.app.parts.reconciler.look();
      assert.equal((await stored(org, id)).status, status);
    }
  });

  it('T29 cannot be canceled any more, and no second page is offered', async () => {
    const org = await house.org();
    const { id, sessionId } = await pending(org);
    await house.deliver(sessionEvent(sessionId));
    const answer = await house.post(`/v1/orgs/${org.id}/purchases/${id}/cancel`, org.admin);
    assert.deepEqual([answer.statusCode, answer.json().code], [409, 'purchase_not_open']);
    assert.equal((await stored(org, id)).checkout_url, null);
  });
});
