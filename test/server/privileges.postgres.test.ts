// The role that a server is best run as: it serves all there is, and cannot rewrite history even without the triggers.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Database } from '../../server/src/database/database.ts';
import { migrate } from '../../server/src/database/migrate.ts';
import { grantTo } from '../../server/src/database/privileges.ts';
import { repairProjection } from '../../server/src/ledger/verify.ts';
import { freshDatabase, openFor } from './support/databases.ts';
import { drift } from './support/drift.ts';
import { bearer, booksAreInOrder, House, type Org } from './support/house.ts';

const ROLE = 'credits "server"';

describe('a role that serves', () => {
  let owner: Database;
  let runtime: Database;
  let house: House;
  let org: Org;
  before(async () => {
    const url = await freshDatabase();
    owner = await openFor(url);
    await sql`create role ${sql.id(ROLE)} login password 'of-the-tests'`.execute(owner.query);
    // As strict as an operator may have made it.
    await sql`revoke execute on all functions in schema public from public`.execute(owner.query);
    await grantTo(owner.query, ROLE);
    await grantTo(owner.query, ROLE);
    const asRole = new URL(url);
    asRole.username = encodeURIComponent(ROLE);
    asRole.password = 'of-the-tests';
    runtime = await openFor(asRole.href);
    house = await House.build({ database: runtime });
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
    await runtime.close();
    await owner.close();
  });

  it('does everything a server does, from usage to teams and budgets', async () => {
    const url = `/v1/orgs/${org.id}`;
    const max = (await house.get('/v1/me', org.member)).json().principal.id;
    const ask = (method: 'PUT' | 'POST' | 'DELETE', path: string, token: string, payload?: object) =>
      house.app.inject({ method, url: url + path, headers: bearer(token), ...(payload && { payload }) });
    const team = (await ask('POST', '/teams', org.admin, { name: 'Robotics' })).json().id;
    for (const answer of [
      await ask('PUT', `/teams/${team}/members/${max}`, org.admin),
      await ask('PUT', `/members/${max}/budget`, org.admin, { limit_ucr: 1_000, period: 'month' }),
      await ask('POST', '/usage', org.service, { event_id: 'e', amount_ucr: 900, user_id: max }),
      await ask('POST', '/holds', org.service, { hold_id: 'h', amount_ucr: 1, expires_in_s: 60 }),
      await ask('POST', '/holds/h/finalize', org.service, { amount_ucr: 1 }),
      await ask('PUT', '/settings', org.admin, { low_balance_threshold_ucr: 1, contact: null }),
      await ask('DELETE', `/members/${max}/budget`, org.admin),
      await ask('DELETE', `/teams/${team}`, org.admin),
      await house.get(`${url}/alerts`, org.admin),
      await house.get('/health'),
    ]) {
      assert.ok(answer.statusCode < 300, answer.body);
    }
  });

  for (const table of ['ledger_entries', 'ledger_transactions', 'usage_events', 'audit_log']) {
    it(`I2 cannot change, delete or empty ${table}, with its triggers off either`, async () => {
      await sql`alter table ${sql.table(table)} disable trigger user`.execute(owner.query);
      try {
        for (const statement of [
          sql`update ${sql.table(table)} set org_id = org_id`,
          sql`delete from ${sql.table(table)}`,
          sql`truncate ${sql.table(table)} cascade`,
        ]) {
          await assert.rejects(statement.execute(runtime.query), {
            code: '42501',
            message: /^permission denied for table /,
          });
        }
      } finally {
        await sql`alter table ${sql.table(table)} enable trigger user`.execute(owner.query);
      }
    });
  }

  it('cannot lift the rules, rebuild balances or migrate', async () => {
    const owned = await House.build({ database: owner });
    await drift(owned, org);
    await assert.rejects(repairProjection(runtime, org.id), /must be owner of table accounts/);
    await repairProjection(owner, org.id);
    await owned.close();
    await assert.rejects(sql`drop table outbox`.execute(runtime.query), /must be owner/);
    await assert.rejects(sql`delete from kysely_migration`.execute(runtime.query), /permission denied/);
    await migrate(runtime.query);
  });

  it('is sent to the owner where a step is missing', async () => {
    const url = await freshDatabase();
    const first = await openFor(url);
    await grantTo(first.query, ROLE);
    // As the version before left it.
    await sql`alter table purchases drop column lost_since`.execute(first.query);
    await sql`delete from kysely_migration where name = '0010_lost_sessions'`.execute(first.query);
    const asRole = new URL(url);
    asRole.username = encodeURIComponent(ROLE);
    asRole.password = 'of-the-tests';
    await assert.rejects(openFor(asRole.href), /this role may not change it/);
    await first.close();
  });

  it('is another one than the owner of the tables, who keeps every right', async () => {
    const { rows } = await sql<{ name: string }>`select current_user as name`.execute(owner.query);
    await assert.rejects(grantTo(owner.query, rows[0]?.name ?? ''), /owns the tables/);
    await migrate(owner.query);
  });
});
