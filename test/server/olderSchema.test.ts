// Databases of earlier versions, with what was in them: a step finds its rows, however they came to be.
import assert from 'node:assert/strict';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { migrate } from '../../server/src/database/migrate.ts';
import { ledgerSchema } from '../../server/src/database/migrations/0001_ledger.ts';
import { purchasesSchema } from '../../server/src/database/migrations/0002_purchases.ts';
import { ledgerRulesSchema } from '../../server/src/database/migrations/0003_ledger_rules.ts';
import { verifyLedger } from '../../server/src/ledger/verify.ts';

const at = '2026-01-01T00:00:00Z';
const CREDIT = 1_000_000n;

describe('a database of before refunds were known', () => {
  // biome-ignore lint/suspicious/noExplicitAny: its tables are those of another version
  let query: Kysely<any>;
  before(async () => {
    const pglite = await PGlite.create('memory://', { parsers: { 20: BigInt } });
    query = new Kysely({ dialect: new PGliteDialect({ pglite }) });
    const steps = Object.entries({
      '0001_ledger': ledgerSchema,
      '0002_purchases': purchasesSchema,
      '0003_ledger_rules': ledgerRulesSchema,
    });
    const migrations: Record<string, Migration> = Object.fromEntries(
      steps.map(([name, texts]) => [
        name,
        {
          async up(db) {
            for (const text of texts) {
              await sql.raw(text).execute(db);
            }
          },
        },
      ]),
    );
    const { error } = await new Migrator({
      db: query,
      provider: { getMigrations: async () => migrations },
    }).migrateToLatest();
    assert.equal(error, undefined);
    await sql`insert into organisations (org_id, name, created_at) values ('org_1', 'Acme', ${at})`.execute(
      query,
    );
    for (const kind of [
      'debt',
      'hold',
      'payments',
      'promotions',
      'plan',
      'usage',
      'breakage',
      'adjustments',
    ]) {
      const [ceiling, floor] = [kind === 'debt' ? 0n : null, kind === 'hold' ? 0n : null];
      await sql`insert into accounts (org_id, account_id, kind, ceiling_ucr, floor_ucr)
        values ('org_1', ${kind}, ${kind}, ${ceiling}, ${floor})`.execute(query);
    }
    await sql`insert into principals values ('usr_1', 'person', 'Ada', null, ${at})`.execute(query);
  });
  after(() => query.destroy());

  const post = (version: number, type: string, source: string, entries: Record<string, bigint>) =>
    query.transaction().execute(async tx => {
      await sql`update organisations set version = version + 1`.execute(tx);
      await sql`insert into ledger_transactions
        (org_id, version, type, source_type, source_id, actor, effective_at, created_at)
        values ('org_1', ${version}, ${type}, ${source}, ${source}, 'x', ${at}, ${at})`.execute(tx);
      for (const [account, amount] of Object.entries(entries)) {
        await sql`insert into ledger_entries values ('org_1', ${version}, ${account}, ${amount})`.execute(tx);
      }
    });

  it('F52 F70 knows afterwards which grant a purchase made that had only paid debt, so that it can be refunded', async () => {
    const bought = 5_000n * CREDIT;
    await post(1, 'usage', 'usage_event', { usage: 8_000n * CREDIT, debt: -8_000n * CREDIT });
    for (const grant of ['gr_1', 'gr_2']) {
      await sql`insert into grants (org_id, grant_id, kind, granted_ucr, effective_at, created_at)
        values ('org_1', ${grant}, 'purchased', ${bought}, ${at}, ${at})`.execute(query);
      await sql`insert into accounts (org_id, account_id, kind, floor_ucr, ceiling_ucr)
        values ('org_1', ${grant}, 'grant', 0, ${bought})`.execute(query);
    }
    await post(2, 'purchase', 'cs_1', { payments: -bought, debt: bought });
    await post(3, 'purchase', 'cs_2', { payments: -bought, debt: 3_000n * CREDIT, gr_2: 2_000n * CREDIT });
    for (const [nth, version] of [
      [1, 2],
      [2, 3],
    ]) {
      await sql`insert into purchases (org_id, purchase_id, status, amount_minor, currency, credits_per_major_unit,
          credits_ucr, return_token, session_id, created_by, created_at, expires_at, credited_at, balance_version)
        values ('org_1', ${`pur_${nth}`}, 'credited', 5000, 'usd', 100, ${bought}, ${`token_${nth}`}, ${`cs_${nth}`},
          'usr_1', ${at}, ${at}, ${at}, ${version})`.execute(query);
    }
    await migrate(query);
    const { rows } = await sql`select purchase_id, grant_id from purchases order by 1`.execute(query);
    assert.deepEqual(rows, [
      { purchase_id: 'pur_1', grant_id: 'gr_1' },
      { purchase_id: 'pur_2', grant_id: 'gr_2' },
    ]);
    assert.deepEqual(await verifyLedger(query), []);
  });
});
