// Purchases, the keys that make asking twice safe, Stripe's events, and the outbox that the event streams read.
export const purchasesSchema = [
  `create table purchases (
    org_id text not null references organisations,
    purchase_id text not null,
    status text not null check (status in
      ('creating', 'open', 'processing', 'credited', 'expired', 'canceled', 'failed', 'needs_review')),
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[a-z]{3}$'),
    credits_per_major_unit bigint not null check (credits_per_major_unit > 0),
    credits_ucr bigint not null check (credits_ucr > 0),
    return_uri text,
    return_token text not null,
    session_id text,
    checkout_url text,
    payment_intent_id text,
    created_by text not null references principals,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    checked_at timestamptz,
    cancel_requested_at timestamptz,
    credited_at timestamptz,
    balance_version bigint,
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and amount_minor),
    dispute text,
    receipt_url text,
    invoice_url text,
    failure_code text,
    primary key (org_id, purchase_id),
    unique (org_id, session_id),
    foreign key (org_id, balance_version) references ledger_transactions (org_id, version),
    -- credited means: the entries are in the ledger.
    check ((status = 'credited') = (balance_version is not null))
  )`,
  `create index purchases_by_session on purchases (session_id)`,
  `create index purchases_by_return_token on purchases (return_token)`,
  `create index purchases_under_way on purchases (checked_at) where status in ('creating', 'open', 'processing')`,

  `create table idempotency_keys (
    org_id text not null,
    route text not null,
    principal_id text not null,
    key text not null,
    request_hash text not null,
    purchase_id text not null,
    held_by text,
    held_at timestamptz not null,
    answer_status integer,
    answer_body jsonb,
    created_at timestamptz not null,
    primary key (org_id, route, principal_id, key),
    foreign key (org_id, purchase_id) references purchases (org_id, purchase_id)
  )`,

  // An event's organisation is known only after its session was read, so this is the one list that comes before org_id.
  `create table stripe_events (
    event_key text primary key,
    event_id text,
    type text not null,
    session_id text,
    status text not null check (status in ('received', 'done', 'ignored', 'quarantined')),
    org_id text,
    received_at timestamptz not null,
    settled_at timestamptz
  )`,
  `create index stripe_events_unsettled on stripe_events (received_at) where status = 'received'`,

  `create table outbox (
    org_id text not null references organisations,
    sequence bigint not null,
    event text not null,
    data jsonb not null,
    created_at timestamptz not null,
    primary key (org_id, sequence)
  )`,
  `create index outbox_by_age on outbox (created_at)`,
  // Only a hint, heard after commit; listeners read the rows themselves.
  `create function ring_the_bell() returns trigger language plpgsql as $$
  begin
    perform pg_notify('outbox', new.org_id);
    return null;
  end $$`,
  `create trigger ring_the_bell after insert on outbox for each row execute function ring_the_bell()`,
];
