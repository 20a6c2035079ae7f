// How a transaction gets into the ledger, in one journey to the database: each model call of an organisation is one.
// What these functions write is held to the rules of 0001 like anything else.
export const postingSchema = [
  // What may be used at this moment: included before promotional before purchased, what expires soonest first, then the
  // oldest; and what the grants cannot cover from debt. A credit is unusable at the very moment of its `expires_at`. A
  // grant that is posted counts, also where the clock of who asks is behind the one that posted it.
  `create function burn(org text, amount bigint, at timestamptz)
    returns table (account text, change bigint) language plpgsql stable as $$
  begin
    return query
      with usable as (
        select g.grant_id, a.balance_ucr, coalesce(sum(a.balance_ucr) over (
            order by case g.kind when 'included' then 0 when 'promotional' then 1 else 2 end, g.expires_at nulls last, g.grant_id
            rows between unbounded preceding and 1 preceding), 0)::bigint as before_ucr
          from accounts a join grants g on g.org_id = a.org_id and g.grant_id = a.account_id
          where a.org_id = org and a.kind = 'grant' and a.balance_ucr <> 0
            and (g.expires_at is null or g.expires_at > at)
      ), taken as (
        select grant_id, least(balance_ucr, amount - before_ucr) as taken_ucr from usable where before_ucr < amount
      )
      select grant_id, -taken_ucr from taken
      union all
      select 'debt', coalesce(sum(taken_ucr), 0)::bigint - amount from taken;
  end $$`,

  // One transaction with its entries, for somebody who holds the organisation's lock. Several of one account are added
  // up, and what adds up to nothing is left out.
  `create function post_transaction(org text, of_type text, source text, source_id text, actor text, reason text,
      reverses bigint, effective_at timestamptz, booked_at timestamptz, accounts text[], changes bigint[])
    returns bigint language plpgsql as $$
  declare
    posted bigint;
  begin
    update organisations set version = version + 1 where org_id = org returning version into posted;
    insert into ledger_transactions
        (org_id, version, type, source_type, source_id, actor, reason, reverses_version, effective_at, created_at)
      values (org, posted, of_type, source, source_id, actor, reason, reverses, effective_at, booked_at);
    insert into ledger_entries (org_id, version, account_id, amount_ucr)
      select org, posted, account, sum(change) from unnest(accounts, changes) entries (account, change)
        group by account having sum(change) <> 0;
    return posted;
  end $$`,

  // What was used, once for each event: of one that is known already, its transaction and what it had used. Takes the
  // organisation's lock by itself, and answers nothing where something else has to be posted first, or nothing may be.
  `create function post_usage(org text, event text, amount bigint, used_by text, by_model text, actor text, at timestamptz)
    returns table (posted bigint, used_ucr bigint, is_known boolean) language plpgsql as $$
  begin
    perform from organisations
      where org_id = org and drift_found_at is null and (next_due_at is null or next_due_at > at) for update;
    if not found then
      return;
    end if;
    return query select version, amount_ucr, true from usage_events
      where org_id = org and source_type = 'usage_event' and event_id = event;
    if found then
      return;
    end if;
    select post_transaction(org, 'usage', 'usage_event', event, actor, null, null, at, at,
        array_prepend('usage', array_agg(account)), array_prepend(amount, array_agg(change)))
      into posted from burn(org, amount, at);
    insert into usage_events (org_id, source_type, event_id, version, amount_ucr, user_id, model, created_at)
      values (org, 'usage_event', event, posted, amount, used_by, by_model, at);
    return query select posted, amount, false;
  end $$`,
];
