// A payer's bank takes money back, perhaps: credits are set aside until it is decided, and nothing more is sold.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type Stripe from 'stripe';
import type { GrantList, LedgerList, Purchase } from '../../protocol/api.ts';
import { reversalOf } from '../../server/src/purchases/reversal.ts';
import { only } from '../support/stripeDouble.ts';
import { booksAreInOrder, type House, houseWithStripe, type Org } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('a dispute', () => {
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
    await deliver(stripe.double.pay(sessionId));
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const stored = async (of = id): Promise<Purchase> =>
    (await house.get(`/v1/orgs/${org.id}/purchases/${of}`, org.admin)).json();
  const deliver = async (events: readonly Stripe.Event[]) => {
    for (const event of events) {
      assert.equal((await house.deliver(event)).statusCode, 200);
    }
  };
  /** Available, held, debt and purchased, in credits. */
  const figures = async () => {
    const balance = await house.balance(org);
    return [balance.available_ucr, balance.held_ucr, balance.debt_ucr, balance.purchased.remaining_ucr].map(
      ucr => ucr / 1_000_000,
    );
  };
  const canBuy = async () => {
    const options = (await house.get(`/v1/orgs/${org.id}/purchase-options`, org.admin)).json();
    const answer = await house.buy(org);
    assert.equal(answer.statusCode === 201, options.can_purchase, 'what is said is what is done');
    assert.equal(options.can_manage_billing, true, 'the invoices are there whatever buying waits for');
    return options.can_purchase ? true : [options.blocked_reason, answer.json().code, answer.json().errors];
  };
  const blocked = ['dispute_open', 'purchasing_blocked', [{ pointer: '', code: 'dispute_open' }]];

  it('T30 that is only an inquiry takes nothing and blocks nothing', async () => {
    await deliver(stripe.double.dispute(sessionId, 'inquiry'));
    assert.deepEqual([(await stored()).dispute, await figures()], [null, [10_218, 0, 0, 5_000]]);
    assert.equal(await canBuy(), true);
    await deliver(stripe.double.closeDispute(sessionId, 'warning_closed'));
    assert.deepEqual([(await stored()).dispute, await figures()], [null, [10_218, 0, 0, 5_000]]);
  });

  it('F52 blocks buying from its first day, and sets the credits aside when the money is taken', async () => {
    await deliver(stripe.double.dispute(sessionId, 'open'));
    assert.deepEqual([(await stored()).dispute, await figures()], ['open', [10_218, 0, 0, 5_000]]);
    assert.deepEqual(await canBuy(), blocked);
    await deliver(stripe.double.withdrawFunds(sessionId));
    const purchase = await stored();
    assert.deepEqual([purchase.dispute, purchase.disputed_ucr], ['open', 5_000_000_000]);
    assert.deepEqual(await figures(), [5_218, 5_000, 0, 5_000]);
    assert.deepEqual(await canBuy(), blocked);
  });

  it('T30 of a payment that is parked for review blocks buying too, and moves no credits', async () => {
    const parked = (await house.bought(org)).id;
    const session = stripe.sessionOf(parked).id;
    const payment = stripe.double.pay(session);
    stripe.double.tamper(session, { currency: 'eur' });
    await deliver([...payment, ...stripe.double.dispute(session, 'open')]);
    await deliver(stripe.double.withdrawFunds(session));
    const { status, dispute, disputed_ucr } = await stored(parked);
    assert.deepEqual([status, dispute, disputed_ucr], ['needs_review', 'open', 0]);
    assert.deepEqual([await figures(), await canBuy()], [[10_218, 0, 0, 5_000], blocked]);
    await deliver(stripe.double.closeDispute(session, 'lost'));
    assert.deepEqual([await figures(), await canBuy()], [[10_218, 0, 0, 5_000], true]);
  });

  it('T30 takes credits back also when somebody has changed the session since they were credited', async () => {
    stripe.double.tamper(sessionId, { metadata: {} });
    await deliver([...stripe.double.dispute(sessionId, 'open'), ...stripe.double.withdrawFunds(sessionId)]);
    assert.deepEqual([(await stored()).dispute, await figures()], ['open', [5_218, 5_000, 0, 5_000]]);
  });

  it('F52 tells listeners of the purchase each time that something of it changed, also the setting aside', async () => {
    const told = async () => {
      const { count } = await house.database.query
        .selectFrom('outbox')
        .select(({ fn }) => fn.countAll<bigint>().as('count'))
        .where('org_id', '=', org.id)
        .where('event', '=', 'purchase.updated')
        .executeTakeFirstOrThrow();
      return Number(count);
    };
    await deliver(stripe.double.dispute(sessionId, 'open'));
    const before = await told();
    const news = stripe.double.withdrawFunds(sessionId);
    await deliver([...news, ...news]);
    assert.equal(await told(), before + 1);
  });

  it('T30 begins as an inquiry and holds from the moment the money is taken', async () => {
    await deliver(stripe.double.dispute(sessionId, 'inquiry'));
    await deliver(stripe.double.withdrawFunds(sessionId));
    assert.deepEqual([(await stored()).dispute, await figures()], ['open', [5_218, 5_000, 0, 5_000]]);
  });

  it('T30 leaves what was used in sight: credits that are set aside count as neither used nor gone', async () => {
    const usage = { event_id: 'most', amount_ucr: 9_000_000_000 };
    assert.equal((await house.post(`/v1/orgs/${org.id}/usage`, org.service, usage)).statusCode, 200);
    const used = (await house.balance(org)).usage;
    assert.deepEqual([used?.used_ucr, used?.total_ucr], [9_000_000_000, 10_218_000_000]);
    await deliver([
      ...stripe.double.dispute(sessionId, 'open', 2500),
      ...stripe.double.withdrawFunds(sessionId),
    ]);
    const open = await house.balance(org);
    assert.deepEqual([open.held_ucr, open.usage], [2_500_000_000, used]);
    await deliver(stripe.double.closeDispute(sessionId, 'lost'));
    const lost = (await house.balance(org)).usage;
    assert.deepEqual([lost?.used_ucr, lost?.total_ucr], [9_000_000_000, 7_718_000_000]);
  });

  it('T30 has what is set aside on hold in the list of grants, as in the balance', async () => {
    await deliver(stripe.double.dispute(sessionId, 'open'));
    await deliver(stripe.double.withdrawFunds(sessionId));
    const { data } = (await house.get(`/v1/orgs/${org.id}/grants`, org.admin)).json<GrantList>();
    const { status, remaining_ucr, held_ucr } = data.find(({ kind }) => kind === 'purchased') ?? {};
    assert.deepEqual([status, remaining_ucr, held_ucr], ['active', 5_000_000_000, 5_000_000_000]);
  });

  it('F52 that is won gives the credits back and lets people buy again', async () => {
    await deliver([...stripe.double.dispute(sessionId, 'open'), ...stripe.double.withdrawFunds(sessionId)]);
    await deliver(stripe.double.closeDispute(sessionId, 'won'));
    const purchase = await stored();
    assert.deepEqual(
      [purchase.dispute, purchase.reversed_ucr, purchase.disputed_ucr, await figures()],
      ['won', 0, 0, [10_218, 0, 0, 5_000]],
    );
    assert.equal(await canBuy(), true);
  });

  it('F52 that is lost takes the credits for good', async () => {
    await deliver([...stripe.double.dispute(sessionId, 'open'), ...stripe.double.withdrawFunds(sessionId)]);
    await deliver(stripe.double.closeDispute(sessionId, 'lost'));
    const purchase = await stored();
    assert.deepEqual(
      [purchase.dispute, purchase.reversed_ucr, purchase.disputed_ucr, await figures()],
      ['lost', 5_000_000_000, 0, [5_218, 0, 0, 0]],
    );
    assert.equal(purchase.refunded_minor, 0, 'a lost dispute is no refund');
    assert.equal(await canBuy(), true);
  });

  it('F52 that is lost pays with what was set aside, and touches no credits that came later', async () => {
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'e1', amount_ucr: 8_218_000_000 });
    await deliver([...stripe.double.dispute(sessionId, 'open'), ...stripe.double.withdrawFunds(sessionId)]);
    const later = { amountUcr: 4_000_000_000n, actor: 'ada', reason: 'test' };
    await house.database.transaction(tx => house.app.parts.ledger.adjust(tx, org.id, later));
    assert.deepEqual(await figures(), [1_000, 5_000, 0, 5_000]);
    await deliver(stripe.double.closeDispute(sessionId, 'lost'));
    assert.deepEqual(await figures(), [1_000, 0, 0, 0]);
    const { data } = (await house.get(`/v1/orgs/${org.id}/ledger`, org.admin)).json<LedgerList>();
    assert.deepEqual(
      [data[0]?.type, data[0]?.change_ucr, data[0]?.entries.map(({ amount_ucr }) => amount_ucr)],
      ['refund', 0, [-5_000_000_000, 5_000_000_000]],
    );
  });

  it('F52 about credits that are used already becomes debt, and is forgiven when it is won', async () => {
    const usage = { event_id: 'e1', amount_ucr: 8_218_000_000 };
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, usage);
    assert.deepEqual(await figures(), [2_000, 0, 0, 2_000]);
    await deliver([...stripe.double.dispute(sessionId, 'open'), ...stripe.double.withdrawFunds(sessionId)]);
    assert.deepEqual(await figures(), [-3_000, 5_000, 3_000, 5_000]);
    await deliver(stripe.double.closeDispute(sessionId, 'won'));
    assert.deepEqual(await figures(), [2_000, 0, 0, 2_000]);
  });

  it('T30 sets aside only what is not refunded, and a refund beside it takes no credit twice', async () => {
    await deliver(stripe.double.refund(sessionId, 2000));
    // The whole payment is disputed although a part of it was given back before.
    await deliver([
      ...stripe.double.dispute(sessionId, 'open', 5000),
      ...stripe.double.withdrawFunds(sessionId),
    ]);
    const held = await stored();
    assert.deepEqual([held.reversed_ucr, held.disputed_ucr], [2_000_000_000, 3_000_000_000]);
    assert.deepEqual(await figures(), [5_218, 3_000, 0, 3_000]);
    await deliver(stripe.double.closeDispute(sessionId, 'lost'));
    const lost = await stored();
    assert.deepEqual([lost.reversed_ucr, lost.disputed_ucr], [5_000_000_000, 0]);
    assert.deepEqual(await figures(), [5_218, 0, 0, 0]);
  });

  it('F57 ends the same in every order of its news', async () => {
    const events = [
      ...stripe.double.dispute(sessionId, 'open'),
      ...stripe.double.withdrawFunds(sessionId),
      ...stripe.double.closeDispute(sessionId, 'lost'),
    ];
    for (const order of [events.toReversed(), events, [...events, ...events]]) {
      await deliver(order);
      assert.deepEqual(await figures(), [5_218, 0, 0, 0]);
    }
  });

  it('T21 blocks its own organisation only', async () => {
    await deliver(stripe.double.dispute(sessionId, 'open'));
    const other = await house.org();
    assert.equal((await house.buy(other)).statusCode, 201);
  });

  it('T30 in any interleaving with refunds: reversed is at most what was credited, and the balance is the sum', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('refund' as const),
        part: fc.double({ min: 0.01, max: 1, noNaN: true }),
      }),
      fc.record({
        kind: fc.constant('dispute' as const),
        part: fc.double({ min: 0.01, max: 1, noNaN: true }),
      }),
      fc.record({ kind: fc.constantFrom('inquiry', 'withdraw', 'reinstate', 'won', 'lost') }),
      fc.record({ kind: fc.constantFrom('failRefund', 'use', 'lookAgain') }),
      fc.record({ kind: fc.constant('deliver' as const), nth: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 14 }),
        fc.integer({ min: 0, max: 900 }),
        fc.infiniteStream(fc.nat()),
        async (steps, taxMinor, chance) => {
          const mine = await house.org(1_000_000_000n);
          const bought = await house.bought(mine);
          const session = stripe.sessionOf(bought.id).id;
          const told: Stripe.Event[] = [];
          const happened = (events: readonly Stripe.Event[]) => told.push(...events);
          happened(stripe.double.pay(session, { taxMinor }));
          const refunds: string[] = [];
          let usedUcr = 0;
          const check = async (settled: boolean) => {
            const purchase: Purchase = (
              await house.get(`/v1/orgs/${mine.id}/purchases/${bought.id}`, mine.admin)
            ).json();
            const balance = await house.balance(mine);
            const { reversed_ucr: reversed = 0, disputed_ucr: disputed = 0 } = purchase;
            assert.ok(reversed + disputed <= purchase.credits_ucr, 'reversed <= credited');
            const credited = purchase.status === 'credited' ? purchase.credits_ucr : 0;
            assert.equal(
              balance.available_ucr,
              1_000_000_000 + credited - usedUcr - reversed - disputed,
              'the balance is the sum of what happened',
            );
            assert.equal(
              balance.available_ucr,
              balance.purchased.remaining_ucr +
                balance.promotional.remaining_ucr -
                balance.held_ucr -
                balance.debt_ucr,
            );
            assert.equal(balance.held_ucr, disputed);
            if (settled) {
              const charge = stripe.double.charge(session);
              assert.equal(purchase.status, 'credited');
              assert.equal(purchase.refunded_minor, charge.amount_refunded);
              const all = { withdrawnMinor: 0, lostMinor: 0, dispute: null };
              const refunded = { paidMinor: charge.amount, refundedMinor: charge.amount_refunded, ...all };
              assert.ok(reversed >= Number(reversalOf(BigInt(purchase.credits_ucr), refunded).reversedUcr));
              if (!charge.disputed) {
                assert.equal(
                  reversed,
                  charge.amount_refunded === charge.amount
                    ? purchase.credits_ucr
                    : Number(
                        (BigInt(purchase.credits_ucr) * BigInt(charge.amount_refunded)) /
                          BigInt(charge.amount),
                      ),
                );
              }
            }
          };
          for (const each of steps) {
            try {
              const charge = stripe.double.charge(session);
              const part = 'part' in each ? Math.max(1, Math.floor(charge.amount * each.part)) : 0;
              switch (each.kind) {
                case 'refund': {
                  const events = stripe.double.refund(
                    session,
                    Math.min(part, charge.amount - charge.amount_refunded),
                  );
                  refunds.push(only(events, 'refund.created').data.object.id);
                  happened(events);
                  break;
                }
                case 'failRefund':
                  happened(stripe.double.failRefund(refunds.pop() ?? ''));
                  break;
                case 'dispute':
                  happened(stripe.double.dispute(session, 'open', part));
                  break;
                case 'inquiry':
                  happened(stripe.double.dispute(session, 'inquiry'));
                  break;
                case 'withdraw':
                  happened(stripe.double.withdrawFunds(session));
                  break;
                case 'reinstate':
                  happened(stripe.double.reinstate(session));
                  break;
                case 'won':
                case 'lost':
                  happened(stripe.double.closeDispute(session, each.kind));
                  break;
              }
            } catch {
              // Not possible now at Stripe either.
            }
            if (each.kind === 'use') {
              usedUcr += 700_000_000;
              const usage = { event_id: `e${usedUcr}`, amount_ucr: 700_000_000 };
              await house.post(`/v1/orgs/${mine.id}/usage`, mine.service, usage);
            } else if (each.kind === 'lookAgain') {
              await house.app.parts.fulfilment.fulfil(session);
            } else if (each.kind === 'deliver') {
              const event = told[each.nth % told.length];
              assert.ok(event);
              await Promise.all([house.deliver(event), house.deliver(event)]);
            }
            await check(false);
          }
          // In the end everything arrives, in some order.
          const rest = [...told];
          for (const at of chance) {
            const [event] = rest.splice(at % rest.length, 1);
            if (!event) {
              break;
            }
            assert.equal((await house.deliver(event)).statusCode, 200);
          }
          await check(true);
          assert.deepEqual(await house.app.parts.bookKeeper.check(), []);
        },
      ),
      { numRuns: 60 },
    );
  }).timeout(120_000);
});
