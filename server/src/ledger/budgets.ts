// Budgets: what a person or a team may use in a period of the calendar. Used is kept by the database with each usage
// event; what runs at the moment is read from the open holds.
import { type RawBuilder, sql } from 'kysely';
import type { Balance, Budget, BudgetPeriod } from '../../../protocol/api.ts';
import type { Query, Tx } from '../database/database.ts';
import { RequestRefused } from '../problems.ts';
import { type BalanceFigures, sumOnTheWire } from './balance.ts';

export interface BudgetFigures {
  readonly id: string;
  readonly teamId: string | null;
  readonly principalId: string | null;
  readonly name: string;
  readonly limitUcr: bigint;
  /** The limit of the periods to come. */
  readonly resetUcr: bigint;
  readonly usedUcr: bigint;
  /** On hold for requests that are running. */
  readonly heldUcr: bigint;
  readonly period: BudgetPeriod;
  readonly periodStart: Date;
}

const MONTHS: Record<BudgetPeriod, number> = { month: 1, quarter: 3, half_year: 6, year: 12 };

/** `which` is a condition on `b`, the budgets. The asker's own come before those of teams. */
export async function readBudgets(
  query: Query,
  orgId: string,
  which: RawBuilder<unknown>,
  now: Date,
): Promise<BudgetFigures[]> {
  const { rows } = await sql<BudgetFigures>`
    select b.budget_id as id, b.team_id as "teamId", b.principal_id as "principalId",
      coalesce(t.name, p.name) as name, coalesce(b.reset_ucr, b.limit_ucr) as "resetUcr",
      case when b.reset_ucr is null or b.limit_since >= running.since then b.limit_ucr else b.reset_ucr end as "limitUcr",
      b.period, running.since as "periodStart",
      case when b.period_start >= running.since then b.used_ucr else 0::bigint end as "usedUcr",
      (select coalesce(sum(h.amount_ucr), 0)::bigint from holds h
        where h.org_id = b.org_id and h.status = 'open' and h.expires_at > ${now} and (h.user_id = b.principal_id
          or h.user_id in (select m.principal_id from team_members m
            where m.org_id = b.org_id and m.team_id = b.team_id))) as "heldUcr"
    from budgets b
      cross join lateral (select budget_period_start(b.period, ${now}) as since) running
      left join teams t on t.org_id = b.org_id and t.team_id = b.team_id
      left join principals p on p.principal_id = b.principal_id
    where b.org_id = ${orgId} and ${which}
    order by b.team_id nulls first, b.budget_id`.execute(query);
  return rows;
}

/** A person's own and those of their teams: what limits them. */
export function budgetsOf(
  query: Query,
  orgId: string,
  principalId: string,
  now: Date,
): Promise<BudgetFigures[]> {
  const theirs = sql`(b.principal_id = ${principalId} or b.team_id in (
    select team_id from team_members where org_id = ${orgId} and principal_id = ${principalId}))`;
  return readBudgets(query, orgId, theirs, now);
}

/** @throws {RequestRefused} budget_exceeded: with what is running, this request would pass the limit. */
export async function refuseBeyondBudgets(
  tx: Tx,
  orgId: string,
  principalId: string,
  amountUcr: bigint,
  now: Date,
): Promise<void> {
  for (const { id, name, limitUcr, usedUcr, heldUcr } of await budgetsOf(tx, orgId, principalId, now)) {
    if (usedUcr + heldUcr + amountUcr > limitUcr) {
      throw new RequestRefused('budget_exceeded', { budget: { id, name } });
    }
  }
}

/** What refuses the next request, however small. */
export function stoppedBy(
  { availableUcr }: BalanceFigures,
  budgets: readonly BudgetFigures[],
): NonNullable<Balance['stopped_by']> | null {
  if (availableUcr <= 0n) {
    return { kind: 'balance', budget_id: null };
  }
  const spent = budgets.find(({ limitUcr, usedUcr, heldUcr }) => usedUcr + heldUcr >= limitUcr);
  return spent ? { kind: 'budget', budget_id: spent.id } : null;
}

export function budgetOnTheWire(budget: BudgetFigures): Budget {
  const { id, name, period, periodStart: start } = budget;
  const resetsAt = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + MONTHS[period]));
  return {
    id,
    scope: budget.teamId === null ? 'user' : 'team',
    name,
    limit_ucr: Number(budget.limitUcr),
    used_ucr: sumOnTheWire(budget.usedUcr),
    period,
    period_start: start.toISOString(),
    resets_at: resetsAt.toISOString(),
    resets_to_ucr: Number(budget.resetUcr),
  };
}
