// Alerts: lines that were crossed, each told once in its period by a unique key, in the transaction that crossed it.
import type { Insertable } from 'kysely';
import type { Tx } from '../database/database.ts';
import type { Tables } from '../database/tables.ts';
import { tell } from '../outbox.ts';
import { type BalanceFigures, usageOf } from './balance.ts';
import { budgetsOf } from './budgets.ts';

/** Of what there was to use, and of budgets. */
const PERCENTS = [75, 90, 100] as const;

type NewAlert = Omit<Insertable<Tables['alerts']>, 'org_id' | 'alert_id' | 'created_at'>;

/** Called with the organisation locked, after what changed its balance. `userId` is who used something, if it is known. */
export async function raiseAlerts(
  tx: Tx,
  balance: BalanceFigures,
  userId: string | null,
  now: Date,
): Promise<void> {
  const { orgId } = balance;
  const crossed = crossedBy(balance, now);
  for (const budget of userId === null ? [] : await budgetsOf(tx, orgId, userId, now)) {
    const { id, name, usedUcr, limitUcr, period, periodStart } = budget;
    for (const percent of percentsOf(usedUcr, limitUcr)) {
      // A month and a year can begin on the same day.
      const period_id = `${period}_${dayOf(periodStart)}`;
      crossed.push({ kind: 'budget', percent, period_id, budget_id: id, name });
    }
  }
  if (crossed.length === 0) {
    return;
  }
  const raised = await tx
    .insertInto('alerts')
    .values(crossed.map(alert => ({ org_id: orgId, ...alert, created_at: now })))
    .onConflict(conflict => conflict.doNothing())
    .returningAll()
    .execute();
  for (const { alert_id, kind, percent, budget_id } of raised) {
    // One step over several lines is told as the furthest of them.
    const further = raised.some(
      other => other.kind === kind && other.budget_id === budget_id && (other.percent ?? 0) > (percent ?? 0),
    );
    if (!further) {
      await tell(tx, orgId, 'alert.raised', { id: `alt_${alert_id}`, kind, percent }, now);
    }
  }
}

function crossedBy(balance: BalanceFigures, now: Date): NewAlert[] {
  const usage = usageOf(balance);
  // Without a period of its own, the calendar's month is one.
  const period_id = usage?.id ?? `month_${dayOf(now).slice(0, 7)}`;
  const nobodys = { period_id, budget_id: null, name: null };
  const crossed: NewAlert[] = percentsOf(usage?.usedUcr ?? 0n, usage?.totalUcr ?? 0n).map(percent => ({
    kind: 'usage',
    percent,
    ...nobodys,
  }));
  const { lowBalanceThresholdUcr: threshold, availableUcr } = balance;
  if (threshold !== null && availableUcr <= threshold) {
    crossed.push({ kind: 'low_balance', percent: null, ...nobodys });
  }
  return crossed;
}

function percentsOf(usedUcr: bigint, totalUcr: bigint): number[] {
  return PERCENTS.filter(percent => usedUcr > 0n && usedUcr * 100n >= totalUcr * BigInt(percent));
}

const dayOf = (at: Date): string => at.toISOString().slice(0, 10);
