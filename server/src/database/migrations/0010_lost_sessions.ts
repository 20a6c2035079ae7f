// Sessions that the payment side does not know, and purchases of before 0004 that only paid debt.
export const lostSessionsSchema = [
  // When a look at the payment side first did not find it; null once it does.
  `alter table purchases add lost_since timestamptz`,
  // All of such a purchase went into debt, so its grant has no entry, by which 0004 looked for it.
  `update purchases p set grant_id = (
    select g.grant_id from grants g
      join ledger_transactions t on t.org_id = p.org_id and t.version = p.balance_version
      where g.org_id = p.org_id and g.kind = 'purchased' and g.granted_ucr = p.credits_ucr and g.created_at = t.created_at
        and not exists (select from purchases o where o.org_id = g.org_id and o.grant_id = g.grant_id)
      order by g.grant_id limit 1
  ) where balance_version is not null and grant_id is null`,
];
