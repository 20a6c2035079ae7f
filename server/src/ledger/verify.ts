// Recomputes every balance from the entries, and usage from its events, and reports where the projection or the books differ (F71). An organisation
// whose kept balances are wrong is frozen: read from its entries, nothing posted, until its balances are rebuilt.
import { sql } from 'kysely';
import { note } from '../audit.ts';
import { systemClock } from '../clock.ts';
import type { Database, Query } from '../database/database.ts';
import { takeTurn } from './posting.ts';

export interface Drift {
  readonly orgId: string;
  /** The account whose balance is not the sum of its entries, or the transaction that does not sum to zero. */
  readonly where: string;
  readonly expected: bigint;
  readonly found: bigint;
}

const ACCOUNT = 'account ';

/** It is in a balance that is kept beside the entries, so the entries say what is right. */
export const isOfProjection = ({ where }: Drift): boolean => where.startsWith(ACCOUNT);

/** It is in anything kept beside what was posted: balances, and the usage that budgets and analytics are read from. */
export const isMendable = (drift: Drift): boolean =>
  isOfProjection(drift) || /^(usage|budget) /.test(drift.where);

/** Two tables for a `with`: what was used by day and person, by its events, and the same as `usage_days` keeps it. */
const usageByEvents = (orgId: string | null) => sql`
  used as materialized (
    select org_id, user_id, (created_at at time zone 'UTC')::date as day, sum(amount_ucr) as used_ucr
    from usage_events where ${orgId}::text is null or org_id = ${orgId} group by 1, 2, 3
  ), used_days as (
    select org_id, '' as user_id, day, sum(used_ucr)::bigint as used_ucr from used group by 1, 3
    union all
    select org_id, user_id, day, used_ucr::bigint from used where user_id is not null
  )`;

/** Of people's budgets, beside `used`. A team's depends on who was in it when, which is not kept. */
const budgetsByEvents = (orgId: string | null) => sql`(
  select b.org_id, b.budget_id, b.used_ucr, coalesce(sum(u.used_ucr), 0)::bigint as expected
  from budgets b left join used u on u.org_id = b.org_id and u.user_id = b.principal_id
    and u.day >= (b.period_start at time zone 'UTC')::date
  where b.principal_id is not null and (${orgId}::text is null or b.org_id = ${orgId})
  group by b.org_id, b.budget_id, b.used_ucr)`;

/** Of one organisation, or of all. */
export async function verifyLedger(query: Query, orgId: string | null = null): Promise<Drift[]> {
  const { rows } = await sql<Drift>`
    with ${usageByEvents(orgId)}, drifts as (
      select a.org_id, 'account ' || a.account_id as place,
        coalesce(sum(e.amount_ucr), 0)::bigint as expected, a.balance_ucr as found
      from accounts a left join ledger_entries e on e.org_id = a.org_id and e.account_id = a.account_id
      where ${orgId}::text is null or a.org_id = ${orgId}
      group by a.org_id, a.account_id, a.balance_ucr
      having coalesce(sum(e.amount_ucr), 0) <> a.balance_ucr
      union all
      select t.org_id, 'transaction ' || t.version, 0::bigint, coalesce(sum(e.amount_ucr), 0)::bigint
      from ledger_transactions t left join ledger_entries e on e.org_id = t.org_id and e.version = t.version
      where ${orgId}::text is null or t.org_id = ${orgId}
      group by t.org_id, t.version
      having coalesce(sum(e.amount_ucr), 0) <> 0 or count(e.amount_ucr) < 2
      union all
      -- One for each transaction, and what was leapt over after a restore.
      select o.org_id, 'version', n.versions, o.version
      from organisations o cross join lateral (
        select (select count(*) from ledger_transactions t where t.org_id = o.org_id)
          + coalesce((select sum((l.details ->> 'leap')::bigint) from audit_log l
              where l.org_id = o.org_id and l.action = 'backup.restored'), 0)::bigint as versions) n
      where (${orgId}::text is null or o.org_id = ${orgId}) and n.versions <> o.version
      union all
      -- What open holds set aside, by the entries of their own transactions, is what is on hold and not in dispute.
      select a.org_id, 'holds of ' || a.account_id, coalesce(open.held, 0)::bigint, coalesce(sums.held, 0)::bigint
      from accounts a
        left join lateral (select sum(e.amount_ucr) as held from holds h
          join ledger_entries e on e.org_id = h.org_id and e.version = h.version
          where h.org_id = a.org_id and h.status = 'open' and e.account_id = a.account_id) open on true
        left join lateral (select sum(e.amount_ucr) as held from ledger_entries e
          where e.org_id = a.org_id and e.account_id = a.account_id) sums on true
      where a.kind = 'hold' and a.account_id like 'hold:%' and (${orgId}::text is null or a.org_id = ${orgId})
        and coalesce(open.held, 0) <> coalesce(sums.held, 0)
      union all
      select org_id, 'usage of ' || day || case user_id when '' then '' else ' by ' || user_id end,
        coalesce(u.used_ucr, 0), coalesce(d.used_ucr, 0)
      from used_days u full join (
        select * from usage_days where ${orgId}::text is null or org_id = ${orgId}) d using (org_id, user_id, day)
      where coalesce(u.used_ucr, 0) <> coalesce(d.used_ucr, 0)
      union all
      select org_id, 'budget ' || budget_id, expected, used_ucr
      from ${budgetsByEvents(orgId)} limits where expected <> used_ucr
    )
    select org_id as "orgId", place as "where", expected, found from drifts order by 1, 2`.execute(query);
  return rows;
}

/**
 * Closes the gate of an organisation whose kept balances are wrong. Looks again behind it, when nothing is posted, and
 * opens it where they are right by now: it may have been repaired in between. The organisation is locked for a moment
 * only, because whoever waits for it takes a connection from the others.
 */
export async function freeze(database: Database, orgId: string, at: Date): Promise<void> {
  if (
    (await closeGate(database, orgId, at)) &&
    !(await verifyLedger(database.longReads, orgId)).some(isOfProjection)
  ) {
    await database.transaction(async tx => {
      await takeTurn(tx, orgId);
      await tx
        .updateTable('organisations')
        .set({ drift_found_at: null })
        .where('org_id', '=', orgId)
        .where('drift_found_at', '=', at)
        .execute();
    });
  }
}

/** From here on nothing is posted. @returns false where it was closed already */
function closeGate(database: Database, orgId: string, at: Date): Promise<boolean> {
  return database.transaction(async tx => {
    const { isFrozen } = await takeTurn(tx, orgId);
    if (!isFrozen) {
      await tx.updateTable('organisations').set({ drift_found_at: at }).where('org_id', '=', orgId).execute();
    }
    return !isFrozen;
  });
}

/**
 * Rebuilds the balances of an organisation from its entries, and what was used from its events, and opens its gate, which is
 * closed meanwhile. What was wrong is in the audit log. What remains wrong (entries that do not sum to zero, holds that
 * differ) is answered, and is a person's to explain. Needs the owner of the tables: the rule that balances change by entries
 * only is lifted for the last step, which keeps all organisations from posting and is therefore short.
 */
export async function repairProjection(
  database: Database,
  orgId: string,
  at = systemClock(),
): Promise<Drift[]> {
  await closeGate(database, orgId, at);
  const wrong = (await verifyLedger(database.longReads, orgId)).filter(isMendable);
  await database.longReads.transaction().execute(async tx => {
    await tx.deleteFrom('usage_days').where('org_id', '=', orgId).execute();
    await sql`
      with ${usageByEvents(orgId)}
      insert into usage_days (org_id, user_id, day, used_ucr) select org_id, user_id, day, used_ucr from used_days
      `.execute(tx);
    await sql`
      with ${usageByEvents(orgId)}
      update budgets b set used_ucr = expected from ${budgetsByEvents(orgId)} limits
      where b.org_id = limits.org_id and b.budget_id = limits.budget_id`.execute(tx);
    await takeTurn(tx, orgId);
    for (const { where, expected, found } of wrong) {
      const details = { where, found_ucr: Number(found), rebuilt_ucr: Number(expected) };
      await note(tx, orgId, { action: 'ledger.repaired', actor: 'operator', details }, at);
    }
    await tx.updateTable('organisations').set({ drift_found_at: null }).where('org_id', '=', orgId).execute();
    const balances = wrong.filter(isOfProjection);
    if (balances.length > 0) {
      await sql`alter table accounts disable trigger only_by_entries`.execute(tx);
      for (const { where, expected } of balances) {
        await tx
          .updateTable('accounts')
          .set({ balance_ucr: expected })
          .where('org_id', '=', orgId)
          .where('account_id', '=', where.slice(ACCOUNT.length))
          .execute();
      }
      await sql`alter table accounts enable trigger only_by_entries`.execute(tx);
    }
  });
  return verifyLedger(database.longReads, orgId);
}

/** The organisations whose gate is closed. */
export async function frozenOrganisations(query: Query): Promise<string[]> {
  const rows = await query
    .selectFrom('organisations')
    .select('org_id')
    .where('drift_found_at', 'is not', null)
    .orderBy('org_id')
    .execute();
  return rows.map(row => row.org_id);
}
