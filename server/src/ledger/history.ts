// What happened, for people who look back: transactions with their entries, grants with what is left, usage in groups.
import { type RawBuilder, sql } from 'kysely';
import type { GrantList, LedgerList, UsageReport } from '../../../protocol/api.ts';
import type { Query } from '../database/database.ts';
import { sumOnTheWire } from './balance.ts';

/** Newest first; `before` is the version that the page before ended with. */
export async function listTransactions(
  query: Query,
  orgId: string,
  limit: number,
  before: bigint | undefined,
): Promise<LedgerList> {
  let selection = query
    .selectFrom('ledger_transactions')
    .selectAll()
    .where('org_id', '=', orgId)
    .orderBy('version', 'desc')
    .limit(limit + 1);
  if (before !== undefined) {
    selection = selection.where('version', '<', before);
  }
  const rows = await selection.execute();
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const entries = last
    ? await query
        .selectFrom('ledger_entries as e')
        .innerJoin('accounts as a', join =>
          join.onRef('a.org_id', '=', 'e.org_id').onRef('a.account_id', '=', 'e.account_id'),
        )
        .select(['e.version', 'e.account_id', 'e.amount_ucr', 'a.kind'])
        .where('e.org_id', '=', orgId)
        .where('e.version', '>=', last.version)
        .where('e.version', '<=', page[0]?.version ?? last.version)
        .orderBy('e.account_id')
        .execute()
    : [];
  return {
    data: page.map(row => {
      const own = entries.filter(({ version }) => version === row.version);
      const available = own.filter(({ kind }) => kind === 'grant' || kind === 'debt');
      return {
        version: Number(row.version),
        type: row.type,
        source: { type: row.source_type, id: row.source_id },
        actor: row.actor,
        reason: row.reason,
        change_ucr: Number(available.reduce((sum, { amount_ucr }) => sum + amount_ucr, 0n)),
        effective_at: row.effective_at.toISOString(),
        created_at: row.created_at.toISOString(),
        entries: own.map(entry => ({ account: entry.account_id, amount_ucr: Number(entry.amount_ucr) })),
      };
    }),
    next_cursor: rows.length > limit && last ? `${last.version}` : null,
  };
}

/** Newest first; `before` is the id that the page before ended with. */
export async function listGrants(
  query: Query,
  orgId: string,
  limit: number,
  before: string | undefined,
  now: Date,
): Promise<GrantList> {
  let selection = query
    .selectFrom('grants as g')
    .innerJoin('accounts as a', join =>
      join.onRef('a.org_id', '=', 'g.org_id').onRef('a.account_id', '=', 'g.grant_id'),
    )
    .selectAll('g')
    .select('a.balance_ucr')
    // By requests that run, and by a dispute.
    .select(
      sql<bigint | null>`(select sum(h.balance_ucr)::bigint from accounts h
        where h.org_id = g.org_id and h.account_id in ('hold:' || g.grant_id, 'dispute:' || g.grant_id))`.as(
        'held_ucr',
      ),
    )
    .where('g.org_id', '=', orgId)
    .orderBy('g.grant_id', 'desc')
    .limit(limit + 1);
  if (before !== undefined) {
    selection = selection.where('g.grant_id', '<', before);
  }
  const rows = await selection.execute();
  const data = rows.slice(0, limit).map(row => {
    const heldUcr = row.held_ucr ?? 0n;
    const isOver = row.expires_at !== null && row.expires_at <= now;
    const remainingUcr = (isOver ? 0n : row.balance_ucr) + heldUcr;
    return {
      id: row.grant_id,
      kind: row.kind,
      status:
        row.voided_at !== null ? 'voided' : isOver ? 'expired' : remainingUcr === 0n ? 'used' : 'active',
      granted_ucr: Number(row.granted_ucr),
      remaining_ucr: Number(remainingUcr),
      held_ucr: Number(heldUcr),
      effective_at: row.effective_at.toISOString(),
      expires_at: row.expires_at?.toISOString() ?? null,
      created_at: row.created_at.toISOString(),
    };
  });
  return { data, next_cursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}

export const usageGroups = ['day', 'model', 'user', 'team'] as const;
export type UsageGroup = (typeof usageGroups)[number];

const groupKey: Record<UsageGroup, string> = {
  day: `to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD')`,
  model: 'e.model',
  user: 'e.user_id',
  team: 'tm.team_id',
};

/** Groups in one answer; the total is of all of them. */
const MAX_GROUPS = 1_000;

export interface UsageWish {
  readonly groupBy: UsageGroup;
  readonly from: Date;
  /** Usage of this very moment is not in it. */
  readonly to: Date;
  /** What `people` is called. */
  readonly scope: 'all' | 'team' | 'own';
  /** Whose usage: a condition on `e`, the events. */
  readonly people: RawBuilder<boolean>;
  /** Which teams it may be told by: a condition on `tm`, their members. */
  readonly teams: RawBuilder<boolean>;
}

export async function reportUsage(query: Query, orgId: string, wish: UsageWish): Promise<UsageReport> {
  const { groupBy } = wish;
  const inTeams =
    groupBy === 'team'
      ? sql`left join team_members tm on tm.org_id = e.org_id and tm.principal_id = e.user_id and ${wish.teams}`
      : sql``;
  const { rows } = await sql<{
    key: string | null;
    name: string | null;
    used: bigint;
    events: bigint;
    total: bigint;
  }>`
    with chosen as (
      select * from usage_events e
      where e.org_id = ${orgId} and e.created_at >= ${wish.from} and e.created_at < ${wish.to} and ${wish.people}
    ), groups as (
      select ${sql.raw(groupKey[groupBy])} as key, sum(e.amount_ucr)::bigint as used, count(*) as events
      from chosen e ${inTeams}
      group by 1
    )
    select key, used, events, (select sum(amount_ucr)::bigint from chosen) as total, coalesce((
      select p.name from memberships m join principals p on p.principal_id = m.principal_id
      where ${groupBy} = 'user' and m.org_id = ${orgId} and m.principal_id = key
    ), (select name from teams t where ${groupBy} = 'team' and t.org_id = ${orgId} and t.team_id = key)) as name
    from groups
    order by case when ${groupBy} = 'day' then key end, used desc, key`.execute(query);
  return {
    group_by: groupBy,
    scope: wish.scope,
    from: wish.from.toISOString(),
    to: wish.to.toISOString(),
    total_ucr: sumOnTheWire(rows[0]?.total ?? 0n),
    data: rows.slice(0, MAX_GROUPS).map(row => ({
      key: row.key,
      name: row.name,
      used_ucr: sumOnTheWire(row.used),
      events: Number(row.events),
    })),
  };
}
