// What comes back after a payment: refunds and disputes of a purchase, and the order in which they were read.
export const paymentsSchema = [
  // With tax more money may come back than was ordered, so the bound below takes the place of the first one.
  `do $$
  declare
    bound text;
  begin
    select conname into strict bound from pg_constraint
      where conrelid = 'purchases'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%refunded_minor%';
    execute format('alter table purchases drop constraint %I', bound);
  end $$`,
  `alter table purchases
    add total_minor bigint check (total_minor > 0),
    add grant_id text,
    -- Of credits_ucr: taken back for good, and set aside while a dispute is open.
    add reversed_ucr bigint not null default 0 check (reversed_ucr >= 0),
    add disputed_ucr bigint not null default 0 check (disputed_ucr >= 0),
    add reversal_steps bigint not null default 0,
    -- Looks at the payment side, numbered as they begin, and the newest one whose findings are stored.
    add looks_begun bigint not null default 0,
    add look_stored bigint not null default 0,
    add foreign key (org_id, grant_id) references grants (org_id, grant_id),
    add constraint refunded_is_paid check (refunded_minor between 0 and coalesce(total_minor, amount_minor)),
    add constraint reversed_is_credited check (reversed_ucr + disputed_ucr <= credits_ucr),
    add constraint only_credits_are_reversed check (status = 'credited' or reversed_ucr + disputed_ucr = 0)`,
  `update purchases set grant_id = (
    select e.account_id from ledger_entries e join accounts a on a.org_id = e.org_id and a.account_id = e.account_id
    where e.org_id = purchases.org_id and e.version = purchases.balance_version and a.kind = 'grant'
  ) where balance_version is not null`,
  // Credits set aside keep the name of their grant: a disputed purchase has a second account, 'dispute:<grant>'.
  `alter table accounts add column if not exists grant_id text`,
  `create index purchases_by_payment on purchases (payment_intent_id)`,
  `create index purchases_in_dispute on purchases (org_id) where dispute = 'open'`,
  `alter table stripe_events add payment_intent_id text`,
  `create index stripe_events_by_session on stripe_events (session_id)`,
  `create index stripe_events_by_time on stripe_events (received_at)`,
  `create index stripe_events_quarantined on stripe_events (received_at) where status = 'quarantined'`,
  `create index purchases_by_credit on purchases (credited_at)`,
  `create table payment_customers (
    org_id text primary key references organisations,
    customer_id text not null,
    created_at timestamptz not null
  )`,

  // ---- who did what to an organisation's money

  `create table audit_log (
    org_id text not null references organisations,
    audit_id bigint not null,
    at timestamptz not null,
    actor text not null,
    action text not null,
    purchase_id text,
    version bigint,
    details jsonb not null default '{}',
    primary key (org_id, audit_id),
    foreign key (org_id, purchase_id) references purchases (org_id, purchase_id),
    foreign key (org_id, version) references ledger_transactions (org_id, version)
  )`,
  // Numbers of its own for each organisation, so that they tell nothing of the others. Writers hold its lock.
  `create function number_audit() returns trigger language plpgsql as $$
  begin
    select coalesce(max(audit_id), 0) + 1 into new.audit_id from audit_log where org_id = new.org_id;
    return new;
  end $$`,
  `create trigger number_audit before insert on audit_log for each row execute function number_audit()`,
  `create trigger append_only before update or delete on audit_log for each row
    execute function refuse_change('history is only ever added to')`,
  `create trigger append_only_as_a_whole before truncate on audit_log for each statement
    execute function refuse_change('history is only ever added to')`,
  // Whoever makes credits without a purchase is noted, whichever part of the server posts it.
  `create function note_credit() returns trigger language plpgsql as $$
  begin
    insert into audit_log (org_id, at, actor, action, version, details) values (
      new.org_id, new.created_at, new.actor, 'credits.' || new.type, new.version,
      jsonb_build_object('source', new.source_type, 'source_id', new.source_id));
    return null;
  end $$`,
  `create trigger note_credit after insert on ledger_transactions for each row
    when (new.type in ('grant', 'adjustment', 'void')) execute function note_credit()`,
];
