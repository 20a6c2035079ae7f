// Organisations, who belongs to them, and the double-entry ledger whose rules the database itself enforces.
//
// `org_id` leads the primary key of everything that belongs to an organisation, so that rows of one organisation can
// live together on one machine. `principals` and `tokens` belong to people, who may be members of several.
export const ledgerSchema = [
  `create table organisations (
    org_id text primary key,
    name text not null,
    version bigint not null default 0 check (version >= 0),
    outbox_sequence bigint not null default 0 check (outbox_sequence >= 0),
    measure_version bigint,
    measure_total_ucr bigint,
    low_balance_threshold_ucr bigint check (low_balance_threshold_ucr >= 0),
    created_at timestamptz not null
  )`,
  `create table principals (
    principal_id text primary key,
    kind text not null check (kind in ('person', 'service')),
    name text not null,
    email text,
    created_at timestamptz not null
  )`,
  `create table memberships (
    org_id text not null references organisations,
    principal_id text not null references principals,
    role text not null check (role in ('admin', 'team_owner', 'team_lead', 'user', 'service')),
    created_at timestamptz not null,
    primary key (org_id, principal_id)
  )`,
  `create index memberships_by_principal on memberships (principal_id)`,
  `create table tokens (
    token_hash text primary key check (token_hash ~ '^[0-9a-f]{64}$'),
    principal_id text not null references principals,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz
  )`,

  `create table grants (
    org_id text not null references organisations,
    grant_id text not null,
    kind text not null check (kind in ('included', 'promotional', 'purchased')),
    granted_ucr bigint not null check (granted_ucr > 0),
    effective_at timestamptz not null,
    expires_at timestamptz check (expires_at > effective_at),
    voided_at timestamptz,
    created_at timestamptz not null,
    primary key (org_id, grant_id)
  )`,
  // A grant's account carries the grant's id. Its floor is 0 and its ceiling what was granted; debt's ceiling is 0.
  `create table accounts (
    org_id text not null references organisations,
    account_id text not null,
    kind text not null check (kind in
      ('grant', 'debt', 'hold', 'payments', 'promotions', 'plan', 'usage', 'breakage', 'adjustments')),
    balance_ucr bigint not null default 0,
    floor_ucr bigint,
    ceiling_ucr bigint,
    primary key (org_id, account_id),
    check (balance_ucr >= floor_ucr),
    check (balance_ucr <= ceiling_ucr)
  )`,
  // What a balance is read from: spent grants drop out, so the cost does not grow with the years.
  `create index accounts_of_the_organisation on accounts (org_id)
    where balance_ucr <> 0 and kind in ('grant', 'debt', 'hold')`,
  `create table ledger_transactions (
    org_id text not null references organisations,
    version bigint not null check (version > 0),
    type text not null check (type in
      ('purchase', 'grant', 'usage', 'refund', 'dispute_hold', 'dispute_release', 'expiry', 'void', 'adjustment',
       'hold', 'release')),
    source_type text not null,
    source_id text not null,
    actor text not null,
    reverses_version bigint,
    effective_at timestamptz not null,
    created_at timestamptz not null,
    primary key (org_id, version),
    foreign key (org_id, reverses_version) references ledger_transactions (org_id, version),
    -- Exactly once, by data and for ever: one payment, one usage event, one expiry has one transaction.
    constraint one_transaction_per_source unique (org_id, type, source_type, source_id)
  )`,
  `create table ledger_entries (
    org_id text not null,
    version bigint not null,
    account_id text not null,
    amount_ucr bigint not null check (amount_ucr <> 0),
    primary key (org_id, version, account_id),
    foreign key (org_id, version) references ledger_transactions (org_id, version),
    foreign key (org_id, account_id) references accounts (org_id, account_id)
  )`,
  `create index ledger_entries_by_account on ledger_entries (org_id, account_id)`,
  `create table usage_events (
    org_id text not null,
    event_id text not null,
    version bigint not null,
    amount_ucr bigint not null check (amount_ucr > 0),
    user_id text,
    model text,
    created_at timestamptz not null,
    primary key (org_id, event_id),
    foreign key (org_id, version) references ledger_transactions (org_id, version)
  )`,

  // ---- history is only ever added to

  `create function refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception '% on % is refused: %', tg_op, tg_table_name, tg_argv[0] using errcode = 'insufficient_privilege';
  end $$`,
  ...['ledger_transactions', 'ledger_entries', 'usage_events'].flatMap(table => [
    `create trigger append_only before update or delete on ${table} for each row
      execute function refuse_change('history is only ever added to')`,
    `create trigger append_only_as_a_whole before truncate on ${table} for each statement
      execute function refuse_change('history is only ever added to')`,
  ]),
  `create function refuse_the_past() returns trigger language plpgsql as $$
  begin
    if new.version is distinct from (select version from organisations where org_id = new.org_id) then
      raise exception 'transaction % of % is not the newest', new.version, new.org_id using errcode = 'check_violation';
    end if;
    return new;
  end $$`,
  `create trigger newest_only before insert on ledger_transactions for each row execute function refuse_the_past()`,
  `create trigger newest_only before insert on ledger_entries for each row execute function refuse_the_past()`,

  // ---- balances follow the entries, in the same transaction, and nothing else

  `create function follow_entry() returns trigger language plpgsql as $$
  begin
    update accounts set balance_ucr = balance_ucr + new.amount_ucr
      where org_id = new.org_id and account_id = new.account_id;
    return null;
  end $$`,
  `create trigger follow_entry after insert on ledger_entries for each row execute function follow_entry()`,
  `create trigger only_by_entries before update of balance_ucr on accounts for each row
    when (pg_trigger_depth() = 0) execute function refuse_change('a balance changes by entries only')`,
  `create trigger starts_at_zero before insert on accounts for each row
    when (new.balance_ucr <> 0) execute function refuse_change('a balance changes by entries only')`,
  `create trigger stays before delete on accounts for each row
    execute function refuse_change('accounts stay')`,

  // ---- each transaction sums to zero; asked at commit, when all its entries are there

  `create function must_sum_to_zero() returns trigger language plpgsql as $$
  declare
    entries bigint;
    total numeric;
  begin
    select count(*), coalesce(sum(amount_ucr), 0) into entries, total
      from ledger_entries where org_id = new.org_id and version = new.version;
    if entries < 2 or total <> 0 then
      raise exception 'transaction % of %: % entries with the sum %', new.version, new.org_id, entries, total
        using errcode = 'check_violation';
    end if;
    return null;
  end $$`,
  ...['ledger_transactions', 'ledger_entries'].map(
    table => `create constraint trigger sums_to_zero after insert on ${table}
      deferrable initially deferred for each row execute function must_sum_to_zero()`,
  ),
];
