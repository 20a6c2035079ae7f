// Runway: how long what is available lasts at the pace of the last days.
import { sql } from 'kysely';
import type { Balance } from '../../../protocol/api.ts';
import { DAY_MS } from '../clock.ts';
import type { Query } from '../database/database.ts';
import type { BalanceFigures } from './balance.ts';

/** Two weeks have each day of the week twice. */
const DAYS = 14;
/** With fewer days on which something was used, nothing can be told. */
const ENOUGH_DAYS = 3;
/** Beyond ten years there is nothing to know. */
const MAX_DAYS = 3_650;

/** What was used on the days before today, read once while the balance is as it was: usage is posted to the balance. */
export class DailyUsage {
  readonly #known = new WeakMap<BalanceFigures, { readonly today: string; readonly dailyUcr: number[] }>();

  async read(query: Query, balance: BalanceFigures, now: Date): Promise<readonly number[]> {
    const today = dayBefore(now, 0);
    const known = this.#known.get(balance);
    if (known?.today === today) {
      return known.dailyUcr;
    }
    const dailyUcr = await dailyUsage(query, balance.orgId, now);
    this.#known.set(balance, { today, dailyUcr });
    return dailyUcr;
  }
}

/** Of the complete days before today (UTC), oldest first. Reads a fortnight's rows, however long the ledger is. */
async function dailyUsage(query: Query, orgId: string, now: Date): Promise<number[]> {
  const { rows } = await sql<{ day: string; used: bigint }>`
    select day::text as day, used_ucr as used from usage_days
    where org_id = ${orgId} and user_id = '' and day >= ${dayBefore(now, DAYS)} and day < ${dayBefore(now, 0)}`.execute(
    query,
  );
  const used = new Map(rows.map(row => [row.day, Number(row.used)]));
  return Array.from({ length: DAYS }, (_, index) => used.get(dayBefore(now, DAYS - index)) ?? 0);
}

const dayBefore = (now: Date, days: number): string =>
  new Date(now.getTime() - days * DAY_MS).toISOString().slice(0, 10);

/** Days before the first usage are left out; days without any after it count: a pace has weekends in it. */
export function runwayOf(
  availableUcr: bigint,
  dailyUcr: readonly number[],
): NonNullable<Balance['runway']> | null {
  const first = dailyUcr.findIndex(used => used > 0);
  const days = first < 0 ? [] : dailyUcr.slice(first);
  if (days.filter(used => used > 0).length < ENOUGH_DAYS) {
    return null;
  }
  const mean = days.reduce((sum, used) => sum + used, 0) / days.length;
  const variance = days.reduce((sum, used) => sum + (used - mean) ** 2, 0) / (days.length - 1);
  /** The standard error of the pace; less than the pace itself where more than one day has usage. */
  const spread = Math.sqrt(variance / days.length);
  const available = Math.max(0, Number(availableUcr));
  const lasts = (pace: number) => Math.min(MAX_DAYS, Math.floor(available / pace));
  return {
    days: lasts(mean),
    low_days: lasts(mean + spread),
    high_days: lasts(Math.max(mean - spread, mean / MAX_DAYS)),
    from_days: days.length,
  };
}
