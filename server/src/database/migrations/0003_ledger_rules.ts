// What time and running requests do to credits: expiry on its day, plans with a grant for each period, and holds.
export const ledgerRulesSchema = [
  // When the ledger of this organisation has to post something by itself next; at the latest then, never later.
  `alter table organisations add column next_due_at timestamptz`,
  `update organisations o set next_due_at = (
    select min(g.expires_at) from grants g join accounts a on a.org_id = g.org_id and a.account_id = g.grant_id
    where g.org_id = o.org_id and a.balance_ucr <> 0)`,
  `create index organisations_by_due_date on organisations (next_due_at) where next_due_at is not null`,

  // Why a person adjusted a balance.
  `alter table ledger_transactions add column reason text`,

  // Credits on hold keep the name of their grant: each grant that was ever held has a second account, 'hold:<grant>'.
  `alter table accounts
    add column grant_id text,
    add check (grant_id is null or kind = 'hold'),
    add foreign key (org_id, grant_id) references grants (org_id, grant_id)`,

  // One row for each organisation that ever had a plan; next_period_start never goes back, so no period comes twice.
  `create table plans (
    org_id text primary key references organisations,
    active boolean not null,
    included_ucr bigint not null check (included_ucr > 0),
    anchor_day integer not null check (anchor_day between 1 and 31),
    rollover_cap_ucr bigint not null default 0 check (rollover_cap_ucr >= 0),
    next_period_start timestamptz not null
  )`,

  `create table holds (
    org_id text not null references organisations,
    hold_id text not null,
    status text not null check (status in ('open', 'finalized', 'released', 'expired')),
    amount_ucr bigint not null check (amount_ucr > 0),
    used_ucr bigint check (used_ucr >= 0),
    user_id text,
    model text,
    version bigint not null,
    created_at timestamptz not null,
    expires_in_s integer not null check (expires_in_s > 0),
    expires_at timestamptz not null,
    closed_at timestamptz,
    primary key (org_id, hold_id),
    foreign key (org_id, version) references ledger_transactions (org_id, version),
    check ((status = 'open') = (closed_at is null)),
    check ((status = 'finalized') = (used_ucr is not null))
  )`,
  `create index holds_open on holds (org_id, expires_at) where status = 'open'`,

  // The ids of usage events and of holds are both the caller's, and may be the same.
  `alter table usage_events add column source_type text not null default 'usage_event'
    check (source_type in ('usage_event', 'hold'))`,
  `alter table usage_events drop constraint usage_events_pkey, add primary key (org_id, source_type, event_id)`,
  `create index usage_events_by_time on usage_events (org_id, created_at)`,
];
