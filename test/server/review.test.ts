// A payment that differs from its order waits for a person, whose decision stays.
import assert from 'node:assert/strict';
import type Stripe from 'stripe';
import type { AuditList, PurchaseList } from '../../protocol/api.ts';
import { findAdminCommand, readOptions, runAdminCommand } from '../../server/src/cli/commands.ts';
import { CommandRefused } from '../../server/src/cli/options.ts';
import { booksAreInOrder, type House, houseWithStripe, type Org } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('a payment that waits for a person', () => {
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
    ({ id } = await house.bought(org));
    sessionId = stripe.sessionOf(id).id;
    await deliver(stripe.double.pay(sessionId), { currency: 'eur' });
    assert.equal((await house.purchase(org, id)).status, 'needs_review');
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  async function deliver(events: readonly Stripe.Event[], change?: object): Promise<void> {
    if (change) {
      stripe.double.tamper(sessionId, change);
    }
    for (const event of events) {
      assert.equal((await house.deliver(event)).statusCode, 200);
    }
  }

  const run = (...typed: string[]): Promise<string> => {
    const found = findAdminCommand(typed);
    assert.ok(found, typed.join(' '));
    return runAdminCommand(
      house.database,
      house.clock.now,
      found.command,
      readOptions(found.command, [...found.rest, '--json']),
    );
  };
  const settle = (as: string, orgId = org.id) =>
    run(
      'purchases',
      'settle',
      '--org',
      orgId,
      '--purchase',
      id,
      '--as',
      as,
      '--reason',
      'Paid in euro by hand',
    );
  const available = async () => (await house.balance(org)).available_ucr;

  it('T22 is named with its order', async () => {
    const waiting = JSON.parse(await run('purchases', 'parked')) as { purchase: string }[];
    assert.deepEqual(
      waiting.find(({ purchase }) => purchase === id),
      {
        org: org.id,
        purchase: id,
        amount_minor: 5000,
        currency: 'usd',
        credits: 5000,
        session: sessionId,
        created_at: (await house.purchase(org, id)).created_at,
      },
    );
  });

  it('T27 is credited once when it is settled so, whoever asks again and whatever is told later', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => settle('credited')));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    stripe.double.tamper(sessionId, { currency: 'usd' });
    await house.app.parts.fulfilment.fulfil(sessionId);
    const { status, balance_version, credited_at } = await house.purchase(org, id);
    assert.deepEqual([status, await available()], ['credited', 10_218_000_000]);
    assert.ok(balance_version !== null && credited_at !== null);
  });

  it('F52 is taken back like any other once it is credited', async () => {
    await settle('credited');
    await deliver(stripe.double.refund(sessionId, 5000));
    assert.deepEqual(
      [(await house.purchase(org, id)).reversed_ucr, await available()],
      [5_000_000_000, 5_218_000_000],
    );
  });

  it('F59 stays failed when it is settled so, also when it is told of again', async () => {
    await settle('failed');
    await deliver(stripe.double.refund(sessionId, 5000));
    const { status, failure } = await house.purchase(org, id);
    assert.deepEqual([status, failure?.code, await available()], ['failed', 'reviewed', 5_218_000_000]);
  });

  it('is not credited when its money has gone back already', async () => {
    await deliver(stripe.double.refund(sessionId, 1000));
    await assert.rejects(settle('credited'), /Money of pur_\S+ has gone back/);
    assert.equal((await house.purchase(org, id)).status, 'needs_review');
  });

  it('is noted with who decided and why, and told to those who listen', async () => {
    await settle('credited');
    const { data } = (await house.get(`/v1/orgs/${org.id}/audit`, org.admin)).json<AuditList>();
    const [credited, reviewed] = data;
    assert.deepEqual(
      [credited?.action, reviewed?.action, reviewed?.actor.id, reviewed?.details],
      [
        'purchase.credited',
        'purchase.reviewed',
        'operator',
        { as: 'credited', reason: 'Paid in euro by hand' },
      ],
    );
    const told = await house.database.query
      .selectFrom('outbox')
      .select('data')
      .where('org_id', '=', org.id)
      .where('event', '=', 'purchase.updated')
      .orderBy('sequence', 'desc')
      .executeTakeFirst();
    assert.equal(told?.data['status'], 'credited');
  });

  it('T21 is nobody else’s, and no purchase is that waits for nothing', async () => {
    const others = await house.org();
    await assert.rejects(settle('credited', others.id), CommandRefused);
    const { id: open } = await house.bought(others);
    const { data } = (await house.get(`/v1/orgs/${others.id}/purchases`, others.admin)).json<PurchaseList>();
    assert.deepEqual(
      data.map(purchase => [purchase.id, purchase.status]),
      [[open, 'open']],
    );
    await assert.rejects(
      run('purchases', 'settle', '--org', others.id, '--purchase', open, '--as', 'credited', '--reason', 'x'),
      /does not wait for a decision/,
    );
  });
});
