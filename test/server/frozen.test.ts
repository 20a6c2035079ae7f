// F71: an organisation whose kept balances differ from its entries is read from the entries, and nothing is posted for
// it until they are rebuilt.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import type { AuditList } from '../../protocol/api.ts';
import type { Database } from '../../server/src/database/database.ts';
import { BookKeeper } from '../../server/src/ledger/bookKeeper.ts';
import { KnownBalances } from '../../server/src/ledger/knownBalances.ts';
import { freeze, repairProjection, verifyLedger } from '../../server/src/ledger/verify.ts';
import { createLog } from '../../server/src/log.ts';
import { plant } from '../../server/src/seed.ts';
import { drift } from './support/drift.ts';
import {
  bearer,
  booksAreInOrder,
  type House,
  houseWithStripe,
  type Org,
  sessionEvent,
} from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

const textOf = (node: unknown) =>
  JSON.stringify(node, (_, value) => (typeof value === 'bigint' ? `${value}` : value));

describe('a ledger that differs from its entries', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  let said = '';
  before(async () => {
    const sink = new Writable({
      write(chunk: Buffer, _encoding, written) {
        said += chunk.toString();
        written();
      },
    });
    const environment = { METRICS_TOKEN: 'metrics-of-the-tests' };
    ({ house, stripe } = await houseWithStripe({ log: createLog('info', sink), environment }));
  });
  beforeEach(async () => {
    org = await house.org();
    said = '';
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const corrupt = (change?: bigint) => drift(house, org, change);
  const check = () => house.app.parts.bookKeeper.check();
  const service = (path: string, body: object = {}) =>
    house.post(`/v1/orgs/${org.id}${path}`, org.service, body);
  const use = (event_id: string) => service('/usage', { event_id, amount_ucr: 1_000_000 });
  const hold = (hold_id: string) => service('/holds', { hold_id, amount_ucr: 1_000_000, expires_in_s: 60 });
  const entryCount = async () =>
    (
      await house.database.query
        .selectFrom('ledger_entries')
        .select('version')
        .where('org_id', '=', org.id)
        .execute()
    ).length;

  it('F71 F63 holds up nobody else: a payment of another organisation is found all the same', async () => {
    const paid = await house.bought(await house.org());
    stripe.failing = /checkout/;
    assert.equal((await house.buy(org, {}, 'cut_off')).statusCode, 503);
    stripe.failing = undefined;
    await corrupt();
    await check();
    house.clock.advance(26 * 60_000);
    stripe.double.pay(stripe.sessionOf(paid.id).id);
    await house.app.parts.reconciler.look();
    const row = await house.database.query
      .selectFrom('purchases')
      .select('status')
      .where('purchase_id', '=', paid.id)
      .executeTakeFirst();
    assert.equal(row?.status, 'credited');
    await repairProjection(house.database, org.id);
    await check();
  });

  it('F71 F63 holds up nobody else, also where more news of it waits than is looked at in one go', async () => {
    const other = await house.org();
    const [sold, bought] = [await house.bought(org), await house.bought(other)];
    const [waiting, paid] = [stripe.sessionOf(sold.id).id, stripe.sessionOf(bought.id).id];
    for (const sessionId of [waiting, paid]) {
      stripe.double.pay(sessionId);
      await house.deliver(sessionEvent(sessionId));
    }
    await house.app.parts.reconciler.look();
    await corrupt();
    await check();
    for (let news = 0; news < 100; ) {
      for (const event of stripe.double.refund(waiting, 1)) {
        assert.equal((await house.deliver(event)).statusCode, 503);
        news++;
      }
    }
    house.clock.advance(60_000);
    stripe.double.refund(paid);
    for (let look = 0; look < 2; look++) {
      await house.app.parts.reconciler.look();
    }
    assert.equal((await house.balance(other)).available_ucr, 5_218_000_000);
    await repairProjection(house.database, org.id);
    await check();
    for (let look = 0; look < 3; look++) {
      await house.app.parts.reconciler.look();
    }
    const { count } = await house.database.query
      .selectFrom('stripe_events')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('status', '=', 'received')
      .executeTakeFirstOrThrow();
    assert.equal(Number(count), 0, 'and what waited is acted on in the end');
  });

  it('F71 is noticed, told to monitoring, and read from its entries', async () => {
    await corrupt();
    assert.equal((await house.balance(org)).available_ucr, 5_217_000_000, 'not noticed yet');
    const etag = (await house.get(`/v1/orgs/${org.id}/balance`, org.admin)).headers['etag'];
    await check();
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
    const again = await house.get(`/v1/orgs/${org.id}/balance`, org.admin, { 'if-none-match': String(etag) });
    assert.equal(again.statusCode, 200, 'whoever has the wrong figure gets the right one');
    const health = (await house.get('/health')).json();
    assert.deepEqual([health.status, health.ledger.drift], ['degraded', true]);
    const metrics = await house.get('/metrics', 'metrics-of-the-tests');
    assert.match(metrics.body, /^credits_ledgers_frozen 1$/m);
    assert.match(said, /"msg":"the ledger has drifted"/);
    assert.match(said, /"msg":"the ledger is frozen until its balances are repaired"/);
    await repairProjection(house.database, org.id);
    await check();
    assert.match((await house.get('/metrics', 'metrics-of-the-tests')).body, /^credits_ledgers_frozen 0$/m);
  });

  it('F71 that counts usage wrongly is found and mended, and freezes nobody', async () => {
    const max = `usr_Max_${org.id.slice('org_'.length)}`;
    const spend = (event_id: string, user_id?: string) =>
      service('/usage', { event_id, amount_ucr: 1_000, ...(user_id && { user_id }) });
    await spend('before', max);
    const limit = await house.app.inject({
      method: 'PUT',
      url: `/v1/orgs/${org.id}/members/${max}/budget`,
      headers: bearer(org.admin),
      payload: { limit_ucr: 5_000, period: 'month' },
    });
    assert.equal(limit.statusCode, 200, limit.body);
    await spend('after', max);
    await spend('nobody’s');
    const drifts = () => verifyLedger(house.database.query, org.id);
    assert.deepEqual(await drifts(), []);

    const { query } = house.database;
    const day = house.clock.now().toISOString().slice(0, 10);
    await query.deleteFrom('usage_days').where('org_id', '=', org.id).where('user_id', '=', max).execute();
    await query.updateTable('usage_days').set({ used_ucr: 1n }).where('org_id', '=', org.id).execute();
    const { budget_id } = await query
      .updateTable('budgets')
      .set({ used_ucr: 9n })
      .where('org_id', '=', org.id)
      .returning('budget_id')
      .executeTakeFirstOrThrow();
    const found = (await drifts()).map(each => [each.where, each.expected, each.found]);
    assert.deepEqual(found, [
      [`budget ${budget_id}`, 2_000n, 9n],
      [`usage of ${day}`, 3_000n, 1n],
      [`usage of ${day} by ${max}`, 2_000n, 0n],
    ]);
    await check();
    assert.equal((await spend('meanwhile', max)).statusCode, 200);
    assert.deepEqual(await repairProjection(house.database, org.id), []);
    assert.deepEqual(await drifts(), []);
    await check();
    const budget = await query
      .selectFrom('budgets')
      .select('used_ucr')
      .where('budget_id', '=', budget_id)
      .execute();
    assert.deepEqual(budget, [{ used_ucr: 3_000n }]);
    const log = (await house.get(`/v1/orgs/${org.id}/audit`, org.admin)).json<AuditList>().data;
    assert.deepEqual(
      log.filter(({ action }) => action === 'ledger.repaired').map(({ details }) => details['where']),
      found.map(([where]) => where).reverse(),
      'what was wrong stays on record',
    );
  });

  it('F71 is not bought for, used from, held from or granted to, and is again when it is repaired', async () => {
    assert.equal((await hold('before')).statusCode, 200);
    await corrupt();
    await check();
    const before = await entryCount();
    for (const answer of [
      await use('frozen'),
      await hold('frozen'),
      await service('/holds/before/finalize', { amount_ucr: 1 }),
      await service('/holds/before/release'),
      await house.buy(org),
    ]) {
      assert.deepEqual([answer.statusCode, answer.json().code], [503, 'ledger_frozen'], answer.body);
      assert.ok(Number(answer.headers['retry-after']) > 0);
    }
    const granted = house.database.transaction(tx =>
      house.app.parts.ledger.adjust(tx, org.id, { amountUcr: 1n, actor: 'ada', reason: 'test' }),
    );
    await assert.rejects(granted, { name: 'RequestRefused', problem: 'ledger_frozen' });
    assert.equal(await entryCount(), before);

    assert.deepEqual(await repairProjection(house.database, org.id), []);
    await check();
    for (const answer of [await use('after'), await hold('after'), await service('/holds/before/release')]) {
      assert.equal(answer.statusCode, 200, answer.body);
    }
    assert.equal((await house.buy(org)).statusCode, 201);
  });

  it('F71 credits what was paid meanwhile once it is repaired', async () => {
    const purchase = await house.bought(org);
    const sessionId = await house.database.query
      .selectFrom('purchases')
      .select('session_id')
      .where('purchase_id', '=', purchase.id)
      .executeTakeFirstOrThrow();
    stripe.double.pay(sessionId.session_id ?? '');
    await corrupt();
    await check();
    const refused = await house.deliver(sessionEvent(sessionId.session_id ?? ''));
    assert.equal(refused.statusCode, 503, 'so that Stripe sends it again');
    await repairProjection(house.database, org.id);
    await check();
    assert.equal((await house.purchase(org, purchase.id)).status, 'credited');
    assert.equal((await house.balance(org)).available_ucr, 10_218_000_000);
  });

  it('F71 still shows what the payment side knows: its portal opens', async () => {
    await corrupt();
    await check();
    const answer = await house.post(`/v1/orgs/${org.id}/portal-sessions`, org.admin);
    assert.equal(answer.statusCode, 201, answer.body);
    await repairProjection(house.database, org.id);
    await check();
  });

  it('F71 leaves other organisations alone', async () => {
    const other = await house.org();
    await corrupt();
    await check();
    const url = `/v1/orgs/${other.id}/usage`;
    assert.equal((await house.post(url, other.service, { event_id: 'e', amount_ucr: 1 })).statusCode, 200);
    await repairProjection(house.database, org.id);
    await check();
  });

  it('F71 stays readable when something falls due, and what fell due is posted after the repair', async () => {
    assert.equal((await hold('short')).statusCode, 200);
    await corrupt();
    await check();
    house.clock.advance(3_600_000);
    await house.app.parts.dueDates.look();
    assert.equal((await house.balance(org)).held_ucr, 1_000_000);
    await repairProjection(house.database, org.id);
    await check();
    assert.equal((await house.balance(org)).held_ucr, 0);
  });

  it('F71 does not keep a server with a seed from starting, and the roles can still be put right', async () => {
    await corrupt();
    await check();
    const id = org.id;
    await plant(house.database, house.app.parts.ledger, house.clock.now, {
      organisations: [
        { id, name: 'Acme Robotics', opening_balance_ucr: 7, people: [], services: [], teams: [] },
      ],
    });
    const max = (await house.get('/v1/me', org.member)).json().principal.id;
    const url = `/v1/orgs/${org.id}/members/${max}/role`;
    const payload = { role: 'admin' };
    const answer = await house.app.inject({ method: 'PUT', url, headers: bearer(org.admin), payload });
    assert.equal(answer.statusCode, 204);
    await repairProjection(house.database, org.id);
    await check();
  });

  it('F71 is frozen and repaired without a look at the whole ledger while others wait for the organisation', async () => {
    await corrupt();
    const refuses = {
      transformQuery<Node>({ node }: { node: Node }): Node {
        assert.doesNotMatch(textOf(node), /from (ledger_entries|usage_events)/);
        return node;
      },
      transformResult: async <Result>({ result }: { result: Result }) => result,
    };
    const short: Database = {
      ...house.database,
      transaction: work => house.database.transaction(tx => work(tx.withPlugin(refuses))),
    };
    await freeze(short, org.id, house.clock.now());
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
    assert.equal((await use('frozen')).statusCode, 503);
    assert.deepEqual(await repairProjection(short, org.id), []);
    assert.equal((await use('open')).statusCode, 200);
  });

  it('F71 is summed up once for many who read at the same time, and not again while nothing changes', async () => {
    // What falls due is not posted while it is frozen, and asks for no other sum.
    assert.equal((await hold('overdue')).statusCode, 200);
    await corrupt();
    await check();
    house.clock.advance(120_000);
    let sums = 0;
    const counted = house.database.query.withPlugin({
      transformQuery({ node }) {
        sums += /from ledger_entries/.test(textOf(node)) ? 1 : 0;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const known = new KnownBalances();
    const read = () => known.read(counted, org.id, house.clock.now());
    for (const { availableUcr } of [...(await Promise.all(Array.from({ length: 30 }, read))), await read()]) {
      assert.equal(availableUcr, 5_217_000_000n);
    }
    assert.equal(sums, 1);
    await repairProjection(house.database, org.id);
    assert.equal((await read()).isFrozen, false);
    await check();
  });

  it('F71 is told to monitoring when it cannot be frozen', async () => {
    await corrupt();
    const longReads = house.database.longReads.withPlugin({
      transformQuery({ node }) {
        if (node.kind === 'UpdateQueryNode') {
          throw new Error('the database takes no writes');
        }
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const log = createLog('silent');
    const keeper = new BookKeeper({ ...house.database, longReads }, house.clock.now, log);
    await keeper.check();
    assert.ok(keeper.last?.drifts.some(({ orgId }) => orgId === org.id));
    await repairProjection(house.database, org.id);
  });

  it('F71 is not frozen by a check that was overtaken by the repair', async () => {
    await corrupt();
    const checking = check();
    await repairProjection(house.database, org.id);
    await checking;
    assert.equal((await use('after')).statusCode, 200);
    await check();
  });

  it('F71 finds holds that are open and hold nothing, which nobody but a person can explain', async () => {
    assert.equal((await hold('lost')).statusCode, 200);
    const close = (status: 'open' | 'released', closed_at: Date | null) =>
      house.database.query
        .updateTable('holds')
        .set({ status, closed_at })
        .where('org_id', '=', org.id)
        .execute();
    await close('released', house.clock.now());
    const drifts = await verifyLedger(house.database.query, org.id);
    assert.deepEqual(
      drifts.map(({ where, expected, found }) => [where.replace(/gr_\w+/, 'gr'), expected, found]),
      [['holds of hold:gr', 0n, 1_000_000n]],
    );
    assert.equal((await use('e')).statusCode, 200, 'its balance is right, so it is not frozen');
    await close('open', null);
    assert.deepEqual(await verifyLedger(house.database.query, org.id), []);
  });
});
