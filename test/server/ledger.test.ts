// The ledger's own rules, kept by the database whatever the code above it does.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { withRetries } from '../../server/src/database/database.ts';
import { sqlState } from '../../server/src/database/sqlState.ts';
import type { GrantKind } from '../../server/src/database/tables.ts';
import { repairProjection, verifyLedger } from '../../server/src/ledger/verify.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';

describe('the ledger', () => {
  let house: House;
  let org: Org;
  before(async () => {
    house = await House.build();
  });
  beforeEach(async () => {
    org = await house.org(0n);
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const grant = (
    amountUcr: bigint,
    kind: GrantKind = 'purchased',
    expiresAt?: Date,
    id = `${Math.random()}`,
  ) =>
    house.database.transaction(tx =>
      house.app.parts.ledger.grant(tx, org.id, {
        kind,
        amountUcr,
        type: 'grant',
        source: { type: 'test', id },
        actor: 'test',
        ...(expiresAt && { expiresAt }),
      }),
    );
  const use = (amountUcr: bigint, eventId = `${Math.random()}`) =>
    house.database.transaction(tx =>
      house.app.parts.ledger.use(tx, org.id, {
        eventId,
        amountUcr,
        userId: undefined,
        model: undefined,
        actor: 'test',
      }),
    );
  const failsWith = (state: string, work: Promise<unknown>) =>
    assert.rejects(work, error => sqlState(error) === state);
  const parts = async () => {
    const { included, purchased, promotional, debt_ucr } = await house.balance(org);
    return [
      included.state === 'available' ? included.remaining_ucr : 0,
      promotional.remaining_ucr,
      purchased.remaining_ucr,
      debt_ucr,
    ];
  };

  for (const table of ['ledger_transactions', 'ledger_entries', 'usage_events']) {
    it(`I4 refuses to change, delete or truncate ${table}`, async () => {
      await grant(10n);
      await use(3n);
      await failsWith(
        '42501',
        sql
          .raw(`update ${table} set org_id = org_id where org_id = '${org.id}'`)
          .execute(house.database.query),
      );
      await failsWith(
        '42501',
        sql.raw(`delete from ${table} where org_id = '${org.id}'`).execute(house.database.query),
      );
      await failsWith('42501', sql.raw(`truncate ${table} cascade`).execute(house.database.query));
    });
  }

  it('I1 refuses to change a balance but by entries', async () => {
    await grant(10n);
    await failsWith(
      '42501',
      house.database.query
        .updateTable('accounts')
        .set({ balance_ucr: 99n })
        .where('org_id', '=', org.id)
        .execute(),
    );
    await failsWith(
      '42501',
      house.database.query
        .insertInto('accounts')
        .values({ org_id: org.id, account_id: 'x', kind: 'grant', balance_ucr: 5n })
        .execute(),
    );
  });

  const post = (version: bigint, entries: Array<[account: string, amount: bigint]>) =>
    house.database.transaction(async tx => {
      await tx.updateTable('organisations').set({ version }).where('org_id', '=', org.id).execute();
      const at = house.clock.now();
      await tx
        .insertInto('ledger_transactions')
        .values({
          org_id: org.id,
          version,
          type: 'adjustment',
          source_type: 't',
          source_id: 's',
          actor: 't',
          effective_at: at,
          created_at: at,
        })
        .execute();
      for (const [account_id, amount_ucr] of entries) {
        await tx
          .insertInto('ledger_entries')
          .values({ org_id: org.id, version, account_id, amount_ucr })
          .execute();
      }
    });

  it('refuses a transaction that does not sum to zero', () =>
    failsWith(
      '23514',
      post(1n, [
        ['usage', 5n],
        ['debt', -4n],
      ]),
    ));
  it('refuses a transaction with one entry', () => failsWith('23514', post(1n, [['usage', 5n]])));
  it('refuses a transaction without entries', () => failsWith('23514', post(1n, [])));
  it('refuses an entry of an account that is not there', () =>
    failsWith(
      '23503',
      post(1n, [
        ['usage', 5n],
        ['gr_none', -5n],
      ]),
    ));
  it('refuses debt turned into credit', () =>
    failsWith(
      '23514',
      post(1n, [
        ['payments', -5n],
        ['debt', 5n],
      ]),
    ));

  it('refuses entries in a transaction of the past', async () => {
    await grant(10n);
    await grant(10n);
    await failsWith(
      '23514',
      house.database.query
        .insertInto('ledger_entries')
        .values([
          { org_id: org.id, version: 1n, account_id: 'usage', amount_ucr: 1n },
          { org_id: org.id, version: 1n, account_id: 'adjustments', amount_ucr: -1n },
        ])
        .execute(),
    );
  });

  it('refuses to take more from a grant than is in it', async () => {
    await grant(10n);
    const { account_id } = await house.database.query
      .selectFrom('accounts')
      .select('account_id')
      .where('org_id', '=', org.id)
      .where('kind', '=', 'grant')
      .executeTakeFirstOrThrow();
    await failsWith(
      '23514',
      post(2n, [
        ['usage', 11n],
        [account_id, -11n],
      ]),
    );
  });

  it('posts a source once, also when it is asked 20 times at once', async () => {
    const posted = await Promise.all(
      Array.from({ length: 20 }, () => grant(10n, 'purchased', undefined, 'same')),
    );
    assert.equal(posted.filter(({ duplicate }) => !duplicate).length, 1);
    assert.deepEqual([...new Set(posted.map(({ version }) => version))], [1n]);
    assert.deepEqual(await parts(), [0, 0, 10, 0]);
  });

  it('burns included before promotional before purchased, and what expires soonest first', async () => {
    const inDays = (days: number) => new Date(house.clock.now().getTime() + days * 86_400_000);
    await grant(10n, 'purchased', inDays(1));
    await grant(10n, 'promotional');
    await grant(10n, 'promotional', inDays(2));
    await grant(10n, 'included', inDays(30));
    await use(15n);
    assert.deepEqual(await parts(), [0, 15, 10, 0]);
    assert.equal((await house.balance(org)).next_expiry?.amount_ucr, 10, 'the purchased one, in a day');
    await use(7n);
    assert.deepEqual(await parts(), [0, 8, 10, 0]);
    await use(20n);
    assert.deepEqual(await parts(), [0, 0, 0, 2]);
  });

  it('counts a credit no more at the moment it expires', async () => {
    await grant(10n, 'purchased', new Date(house.clock.now().getTime() + 1_000));
    assert.equal((await house.balance(org)).available_ucr, 10);
    house.clock.advance(999);
    assert.equal((await house.balance(org)).available_ucr, 10);
    house.clock.advance(1);
    assert.equal((await house.balance(org)).available_ucr, 0);
  });

  it('refuses a balance that JSON could not carry exactly', async () => {
    await grant(BigInt(Number.MAX_SAFE_INTEGER));
    await assert.rejects(grant(1n), { problem: 'amount_out_of_range' });
    assert.equal((await house.balance(org)).available_ucr, Number.MAX_SAFE_INTEGER);
  });

  it('I1 F71 keeps balance = sum of entries over any sequence of grants and usage', async () => {
    const step = fc.record({
      amount: fc.bigInt({ min: 1n, max: 1_000n }),
      grant: fc.constantFrom(null, 'purchased' as const, 'promotional' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async steps => {
        org = await house.org(0n);
        let expected = 0n;
        for (const { amount, grant: kind } of steps) {
          await (kind ? grant(amount, kind) : use(amount));
          expected += kind ? amount : -amount;
          const balance = await house.balance(org);
          assert.equal(BigInt(balance.available_ucr), expected);
          assert.equal(
            balance.available_ucr,
            balance.purchased.remaining_ucr +
              balance.promotional.remaining_ucr -
              balance.held_ucr -
              balance.debt_ucr,
          );
          assert.ok(
            balance.debt_ucr === 0 ||
              balance.purchased.remaining_ucr + balance.promotional.remaining_ucr === 0,
          );
        }
        assert.equal((await house.balance(org)).version, steps.length);
      }),
      { numRuns: 15 },
    );
  }).timeout(60_000);

  it('F71 finds drift that was planted behind its back, and health says so', async () => {
    await grant(10n);
    const plant = (balance: bigint) =>
      house.database.transaction(async tx => {
        await sql`alter table accounts disable trigger only_by_entries`.execute(tx);
        await tx
          .updateTable('accounts')
          .set({ balance_ucr: balance })
          .where('org_id', '=', org.id)
          .where('account_id', '=', 'payments')
          .execute();
        await sql`alter table accounts enable trigger only_by_entries`.execute(tx);
      });
    await plant(-9n);
    const drifts = await verifyLedger(house.database.query);
    assert.deepEqual(drifts, [{ orgId: org.id, where: 'account payments', expected: -10n, found: -9n }]);
    await house.app.parts.bookKeeper.check();
    const health = await house.get('/health');
    assert.deepEqual(
      [health.statusCode, health.json().status, health.json().ledger.drift],
      [200, 'degraded', true],
    );
    assert.deepEqual(await repairProjection(house.database, org.id), []);
    await house.app.parts.bookKeeper.check();
    assert.equal((await house.get('/health')).json().status, 'ok');
  });

  it('F65 does a transaction again when the database asks for it, a bounded number of times', async () => {
    for (const code of ['40001', '40P01', '55P03']) {
      let attempts = 0;
      const result = await withRetries(async () => {
        attempts++;
        if (attempts < 3) {
          throw Object.assign(new Error('again'), { code });
        }
        return 'done';
      });
      assert.deepEqual([result, attempts], ['done', 3]);
    }
    let attempts = 0;
    const hopeless = withRetries(async () => {
      attempts++;
      throw Object.assign(new Error('again'), { code: '40001' });
    });
    await assert.rejects(hopeless);
    assert.equal(attempts, 5);
  });
});

describe('usage', () => {
  let house: House;
  let org: Org;
  before(async () => {
    house = await House.build();
  });
  beforeEach(async () => {
    org = await house.org(100_000_000n);
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const post = (event_id: string, amount_ucr: unknown = 1_000_000) =>
    house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id, amount_ucr });

  it('I6 debits an event once, also when it comes 50 times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => post('e1')));
    assert.deepEqual([...new Set(answers.map(answer => answer.statusCode))], [200]);
    assert.equal(answers.filter(answer => !answer.json().duplicate).length, 1);
    assert.equal((await house.balance(org)).available_ucr, 99_000_000);
  });

  it('F72 debits 50 different events at once in one order, each from the balance that the one before left', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => post(`e${n}`, 3_000_000)));
    const seen = answers.map(answer => answer.json()).sort((a, b) => a.balance_version - b.balance_version);
    assert.deepEqual(
      seen.map(answer => answer.available_ucr),
      Array.from({ length: 50 }, (_, n) => 97_000_000 - n * 3_000_000),
    );
    const balance = await house.balance(org);
    assert.deepEqual([balance.available_ucr, balance.debt_ucr], [-50_000_000, 50_000_000]);
  });

  it('I6 refuses the same event with another amount', async () => {
    await post('e1', 5);
    const answer = await post('e1', 6);
    assert.deepEqual([answer.statusCode, answer.json().code], [422, 'idempotency_key_reused']);
    assert.equal((await house.balance(org)).available_ucr, 99_999_995);
  });

  it('tells how much is used since the last top-up, and when it is low', async () => {
    const levels: string[] = [];
    for (const [n, amount] of [50_000_000, 25_000_000, 15_000_000, 10_000_000, 1].entries()) {
      await post(`e${n}`, amount);
      const { usage, low_balance } = await house.balance(org);
      levels.push(`${usage?.used_ucr}/${usage?.total_ucr} ${low_balance.level}`);
    }
    assert.deepEqual(levels, [
      '50000000/100000000 ok',
      '75000000/100000000 low',
      '90000000/100000000 critical',
      '100000000/100000000 depleted',
      '100000001/100000000 depleted',
    ]);
  });

  for (const amount of [0, -1, 1.5, '1', null, 2 ** 53]) {
    it(`refuses the amount ${JSON.stringify(amount)}`, async () => {
      assert.equal((await post('e1', amount)).statusCode, 422);
      assert.equal((await house.balance(org)).version, 1);
    });
  }
});
