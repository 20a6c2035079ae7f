// Setting and lifting budgets. Reading them and holding people to them is the ledger's (`ledger/budgets.ts`).
import { sql } from 'kysely';
import type { Budget, SetBudget } from '../../../protocol/api.ts';
import type { Member } from '../access.ts';
import { note } from '../audit.ts';
import type { Tx } from '../database/database.ts';
import { newId } from '../ids.ts';
import { type BudgetFigures, budgetOnTheWire, readBudgets } from '../ledger/budgets.ts';
import { takeTurn, tellBalance } from '../ledger/ledger.ts';
import { RequestRefused } from '../problems.ts';
import { findPerson, isAbove } from './members.ts';
import { findTeam } from './teams.ts';

export type Subject = { readonly teamId: string } | { readonly principalId: string };

/**
 * A new budget, or one with another period, starts from what was used in the running period by those it is for; one
 * with another limit only keeps counting. `limit_ucr` is of the running period where `reset_ucr` says what comes after it.
 */
export async function setBudget(
  tx: Tx,
  member: Member,
  subject: Subject,
  wish: SetBudget,
  at: Date,
): Promise<Budget> {
  const before = await findBudget(tx, member, subject, at);
  const { orgId } = member;
  const limit_ucr = BigInt(wish.limit_ucr);
  const reset_ucr = wish.reset_ucr === undefined ? null : BigInt(wish.reset_ucr);
  if (before?.period === wish.period) {
    await tx
      .updateTable('budgets')
      .set({ limit_ucr, reset_ucr, limit_since: before.periodStart })
      .where('org_id', '=', orgId)
      .where('budget_id', '=', before.id)
      .execute();
  } else {
    const id = before?.id ?? newId('bud', at);
    const [teamId, principalId] = 'teamId' in subject ? [subject.teamId, null] : [null, subject.principalId];
    await sql`
      insert into budgets (org_id, budget_id, team_id, principal_id, limit_ucr, reset_ucr, period, limit_since, period_start,
        used_ucr, created_at)
      select ${orgId}, ${id}, ${teamId}, ${principalId}, ${limit_ucr}, ${reset_ucr}::bigint, ${wish.period}::text, running.since,
        running.since, (
        select coalesce(sum(used_ucr), 0) from usage_days
        where org_id = ${orgId} and day >= (running.since at time zone 'UTC')::date and (user_id = ${principalId}
          or user_id in (select principal_id from team_members where org_id = ${orgId} and team_id = ${teamId}))
      ), ${at}
      from (select budget_period_start(${wish.period}::text, ${at}::timestamptz) as since) running
      on conflict (org_id, budget_id) do update set limit_ucr = excluded.limit_ucr, reset_ucr = excluded.reset_ucr,
        period = excluded.period, limit_since = excluded.limit_since, period_start = excluded.period_start, used_ucr = excluded.used_ucr`.execute(
      tx,
    );
  }
  await noteChange(tx, member, subject, before, wish, at);
  const after = await findBudget(tx, member, subject, at);
  if (!after) {
    throw new Error('a budget that was set is not there');
  }
  return budgetOnTheWire(after);
}

/** From now on nothing limits whom it was for, but other budgets and the balance. */
export async function liftBudget(tx: Tx, member: Member, subject: Subject, at: Date): Promise<void> {
  const before = await findBudget(tx, member, subject, at);
  if (before) {
    await tx
      .deleteFrom('budgets')
      .where('org_id', '=', member.orgId)
      .where('budget_id', '=', before.id)
      .execute();
    await noteChange(tx, member, subject, before, undefined, at);
  }
}

/** @throws {RequestRefused} when whom it is for is not the member's to limit. */
async function findBudget(
  tx: Tx,
  member: Member,
  subject: Subject,
  at: Date,
): Promise<BudgetFigures | undefined> {
  await takeTurn(tx, member.orgId);
  if ('teamId' in subject) {
    const { id } = await findTeam(tx, member, subject.teamId);
    return (await readBudgets(tx, member.orgId, sql`b.team_id = ${id}`, at))[0];
  }
  const person = await findPerson(tx, member, subject.principalId);
  if (!isAbove(member, person)) {
    throw new RequestRefused('insufficient_role');
  }
  return (await readBudgets(tx, member.orgId, sql`b.principal_id = ${person.id}`, at))[0];
}

async function noteChange(
  tx: Tx,
  member: Member,
  subject: Subject,
  before: BudgetFigures | undefined,
  after: SetBudget | undefined,
  at: Date,
): Promise<void> {
  const deed = {
    action: after ? 'budget.set' : 'budget.lifted',
    actor: member.principal.id,
    details: {
      ...('teamId' in subject ? { team: subject.teamId } : { member: subject.principalId }),
      before_ucr: before ? Number(before.limitUcr) : null,
      before_period: before?.period ?? null,
      after_ucr: after?.limit_ucr ?? null,
      after_period: after?.period ?? null,
      ...(after?.reset_ucr !== undefined && { after_reset_ucr: after.reset_ucr }),
    },
  };
  await note(tx, member.orgId, deed, at);
  await tellBalance(tx, member.orgId, at);
}
