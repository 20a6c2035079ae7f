// Teams, budgets, what was used day by day, alerts, and the gate that closes when a balance and its entries disagree.
export const organisationSchema = [
  `alter table organisations
    -- Since when a balance is known to differ from the sum of its entries: nothing is posted until it is repaired.
    add drift_found_at timestamptz,
    -- Whom members may ask, where it is not the first admin.
    add contact_name text,
    add contact_email text`,

  `create table teams (
    org_id text not null references organisations,
    team_id text not null,
    name text not null,
    created_at timestamptz not null,
    primary key (org_id, team_id)
  )`,
  `create table team_members (
    org_id text not null,
    team_id text not null,
    principal_id text not null,
    primary key (org_id, team_id, principal_id),
    foreign key (org_id, team_id) references teams on delete cascade,
    foreign key (org_id, principal_id) references memberships on delete cascade
  )`,
  `create index team_members_by_person on team_members (org_id, principal_id)`,

  // Of a team or of a person. used_ucr is of the period that began at period_start; a later period begins with nothing.
  `create table budgets (
    org_id text not null references organisations,
    budget_id text not null,
    team_id text,
    principal_id text,
    limit_ucr bigint not null check (limit_ucr >= 0),
    period text not null check (period in ('month', 'quarter', 'half_year', 'year')),
    period_start timestamptz not null,
    used_ucr bigint not null default 0 check (used_ucr >= 0),
    created_at timestamptz not null,
    primary key (org_id, budget_id),
    foreign key (org_id, team_id) references teams on delete cascade,
    foreign key (org_id, principal_id) references memberships on delete cascade,
    constraint one_budget_per_team unique (org_id, team_id),
    constraint one_budget_per_person unique (org_id, principal_id),
    constraint of_a_team_or_a_person check (num_nonnulls(team_id, principal_id) = 1)
  )`,
  `create function budget_period_start(period text, at timestamptz) returns timestamptz language sql immutable as $$
    select (case period
      when 'half_year' then date_trunc('year', at at time zone 'UTC')
        + case when extract(month from at at time zone 'UTC') > 6 then interval '6 months' else interval '0' end
      else date_trunc(period, at at time zone 'UTC')
    end) at time zone 'UTC'
  $$`,

  // What was used on a day (UTC) by a person, and with user_id '' by everybody: years of usage are read as a few rows.
  `create table usage_days (
    org_id text not null references organisations,
    user_id text not null,
    day date not null,
    used_ucr bigint not null,
    primary key (org_id, user_id, day)
  )`,
  `insert into usage_days (org_id, user_id, day, used_ucr)
    select org_id, '', (created_at at time zone 'UTC')::date, sum(amount_ucr) from usage_events group by 1, 3
    union all
    select org_id, user_id, (created_at at time zone 'UTC')::date, sum(amount_ucr) from usage_events
      where user_id is not null group by 1, 2, 3`,
  // Follows each usage event in its own transaction, whichever part of the server writes it.
  `create function count_usage() returns trigger language plpgsql as $$
  declare
    today date := (new.created_at at time zone 'UTC')::date;
  begin
    insert into usage_days (org_id, user_id, day, used_ucr) values (new.org_id, '', today, new.amount_ucr)
      on conflict (org_id, user_id, day) do update set used_ucr = usage_days.used_ucr + excluded.used_ucr;
    if new.user_id is null then
      return null;
    end if;
    insert into usage_days (org_id, user_id, day, used_ucr) values (new.org_id, new.user_id, today, new.amount_ucr)
      on conflict (org_id, user_id, day) do update set used_ucr = usage_days.used_ucr + excluded.used_ucr;
    update budgets b set
        period_start = greatest(b.period_start, running.since),
        used_ucr = case
          when b.period_start < running.since then new.amount_ucr
          when b.period_start = running.since then b.used_ucr + new.amount_ucr
          -- By a clock that is behind: it belongs to a period that is over.
          else b.used_ucr
        end
      from (
        select budget_id, budget_period_start(period, new.created_at) as since from budgets
        where org_id = new.org_id and (principal_id = new.user_id or team_id in (
          select team_id from team_members where org_id = new.org_id and principal_id = new.user_id))
      ) running
      where b.org_id = new.org_id and b.budget_id = running.budget_id;
    return null;
  end $$`,
  `create trigger count_usage after insert on usage_events for each row execute function count_usage()`,

  `create table alerts (
    org_id text not null references organisations,
    alert_id bigint not null,
    kind text not null check (kind in ('usage', 'low_balance', 'budget')),
    -- Of usage and budgets: 75, 90 or 100.
    percent integer,
    period_id text not null,
    budget_id text,
    -- The budget's, as it was called then.
    name text,
    created_at timestamptz not null,
    primary key (org_id, alert_id),
    -- A crossing is told once in its period, whoever notices it and however often.
    constraint one_alert_per_period unique nulls not distinct (org_id, kind, percent, budget_id, period_id)
  )`,
  // Numbers of its own for each organisation; writers hold its lock.
  `create function number_alert() returns trigger language plpgsql as $$
  begin
    select coalesce(max(alert_id), 0) + 1 into new.alert_id from alerts where org_id = new.org_id;
    return new;
  end $$`,
  `create trigger number_alert before insert on alerts for each row execute function number_alert()`,
];
