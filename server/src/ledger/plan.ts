// Plans: credits included in each period, granted at its start and gone at its end, but for what may roll over.
import type { Tx } from '../database/database.ts';
import { fallsDue, findTransaction, lesserOf, postGrant } from './posting.ts';

export interface Plan {
  readonly includedUcr: bigint;
  /** Day of the month, UTC, on which a period begins; the last day of months that are shorter. */
  readonly anchorDay: number;
  /** At most so much of what a period leaves unused is granted anew for the next one. */
  readonly rolloverCapUcr?: bigint;
}

/**
 * Gives an organisation a plan, or another one. A first plan begins with the period that is running; a change counts
 * from the next period on, and that one begins where the last one granted ends, so none is granted twice.
 */
export async function storePlan(tx: Tx, orgId: string, plan: Plan, now: Date): Promise<void> {
  const terms = {
    active: true,
    included_ucr: plan.includedUcr,
    anchor_day: plan.anchorDay,
    rollover_cap_ucr: plan.rolloverCapUcr ?? 0n,
  };
  const before = await tx
    .selectFrom('plans')
    .select(['active', 'next_period_start'])
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  const running = lastAnchor(now, plan.anchorDay);
  // Periods without a plan are not made up for.
  const next =
    before && (before.active || before.next_period_start > running) ? before.next_period_start : running;
  await tx
    .insertInto('plans')
    .values({ org_id: orgId, ...terms, next_period_start: next })
    .onConflict(conflict => conflict.column('org_id').doUpdateSet({ ...terms, next_period_start: next }))
    .execute();
  await fallsDue(tx, orgId, next);
}

/** No more periods; what the running one granted stays until its end. */
export async function endPlan(tx: Tx, orgId: string): Promise<void> {
  await tx.updateTable('plans').set({ active: false }).where('org_id', '=', orgId).execute();
}

/** The period that begins at this moment, if one does: its grant, and what rolls over of the one before. */
export async function beginPeriod(
  tx: Tx,
  orgId: string,
  start: Date,
  unusedUcr: bigint,
  now: Date,
): Promise<void> {
  const plan = await tx
    .selectFrom('plans')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('active', '=', true)
    .where('next_period_start', '=', start)
    .executeTakeFirst();
  if (!plan) {
    return;
  }
  const end = nextAnchor(start, plan.anchor_day);
  const name = start.toISOString();
  const grants = [
    { source: 'plan_rollover', origin: 'breakage', amountUcr: lesserOf(unusedUcr, plan.rollover_cap_ucr) },
    { source: 'plan_period', origin: 'plan', amountUcr: plan.included_ucr },
  ] as const;
  for (const { source: type, origin, amountUcr } of grants) {
    const source = { type, id: name };
    if (amountUcr > 0n && (await findTransaction(tx, orgId, 'grant', source)) === undefined) {
      await postGrant(tx, orgId, {
        kind: 'included',
        amountUcr,
        expiresAt: end,
        origin,
        type: 'grant',
        source,
        actor: 'plan',
        effectiveAt: start,
        bookedAt: now,
      });
    }
  }
  await tx.updateTable('plans').set({ next_period_start: end }).where('org_id', '=', orgId).execute();
}

/** 00:00 UTC of the newest anchor day that is not after `at`. */
export function lastAnchor(at: Date, anchorDay: number): Date {
  const thisMonth = anchorIn(at.getUTCFullYear(), at.getUTCMonth(), anchorDay);
  return thisMonth <= at ? thisMonth : anchorIn(at.getUTCFullYear(), at.getUTCMonth() - 1, anchorDay);
}

/** 00:00 UTC of the first anchor day after `at`. */
export function nextAnchor(at: Date, anchorDay: number): Date {
  const thisMonth = anchorIn(at.getUTCFullYear(), at.getUTCMonth(), anchorDay);
  return thisMonth > at ? thisMonth : anchorIn(at.getUTCFullYear(), at.getUTCMonth() + 1, anchorDay);
}

function anchorIn(year: number, month: number, anchorDay: number): Date {
  // Day 0 of the next month is the last one of this.
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return new Date(Date.UTC(year, month, Math.min(anchorDay, lastDay)));
}
