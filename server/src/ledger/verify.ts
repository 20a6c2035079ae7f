// Recomputes every balance from the entries and reports where the projection or the books differ (F71).
import { sql } from 'kysely';
import type { Query } from '../database/database.ts';

export interface Drift {
  readonly orgId: string;
  /** The account whose balance is not the sum of its entries, or the transaction that does not sum to zero. */
  readonly where: string;
  readonly expected: bigint;
  readonly found: bigint;
}

export async function verifyLedger(query: Query): Promise<Drift[]> {
  const { rows } = await sql<{ org_id: string; place: string; expected: bigint; found: bigint }>`
    select a.org_id, 'account ' || a.account_id as place,
      coalesce(sum(e.amount_ucr), 0)::bigint as expected, a.balance_ucr as found
    from accounts a left join ledger_entries e on e.org_id = a.org_id and e.account_id = a.account_id
    group by a.org_id, a.account_id, a.balance_ucr
    having coalesce(sum(e.amount_ucr), 0) <> a.balance_ucr
    union all
    select t.org_id, 'transaction ' || t.version, 0::bigint, coalesce(sum(e.amount_ucr), 0)::bigint
    from ledger_transactions t left join ledger_entries e on e.org_id = t.org_id and e.version = t.version
    group by t.org_id, t.version
    having coalesce(sum(e.amount_ucr), 0) <> 0 or count(e.amount_ucr) < 2
    union all
    select o.org_id, 'version', count(t.version)::bigint, o.version
    from organisations o left join ledger_transactions t on t.org_id = o.org_id
    group by o.org_id, o.version
    having count(t.version) <> o.version
    order by 1, 2`.execute(query);
  return rows.map(row => ({ orgId: row.org_id, where: row.place, expected: row.expected, found: row.found }));
}
