// When to speak up about credits running out: a pure rule over what was last seen and what is seen now.
import { percentUsed, type Snapshot } from './balance.ts';
import { hours } from './clock.ts';
import { type Budget, percentOf, type Stop, stopOf } from './limits.ts';
import { isRecord } from './slot.ts';

/** From when on the person wants to be told. */
export interface Limits {
  /** Percent used, of the organisation's credits and of each budget; all used is told in any case. */
  readonly percent: number;
  /** Credits left; 0 for never. */
  readonly leftUcr: number;
  /** Days the credits last at the present pace; 0 for never. */
  readonly days: number;
}

/** 50 % is seen in the status bar, 75 % is its colour (urgency), 90 % is told. */
export const defaultLimits: Limits = { percent: 90, leftUcr: 0, days: 0 };

/** Credits count as there again below this percentage, not as soon as one is. */
const RESTORED_BELOW = 75;

/** A figure that swings around the person's limit is told once: it must rise this far above it first. */
const CLEARLY_MORE = 1.2;

const EXPIRES_SOON_MS = hours(7 * 24);

/**
 * What was last seen of one account; plain data, kept across restarts. A part that is absent has not been seen yet, and
 * its first reading is silent.
 */
export interface Seen {
  /** The server's id of the measure; a new one (a new period, a top-up) arms every threshold again. */
  readonly periodId: string;
  /** The highest threshold reached under that id, 0 for none. */
  readonly reached: number;
  /** Fewer credits are left than the person wants to know of; until clearly more are there again. */
  readonly isLeftLow?: boolean;
  /** Something was told of the balance, so that better news is news. */
  readonly isWarned?: boolean;
  readonly isRunwayLow?: boolean;
  /** The period whose included credits are used up, or ''. */
  readonly includedUsedUp?: string;
  /** When the credits that expire soon do, or ''. */
  readonly expiring?: string;
  /** What stopped the person last, or ''. */
  readonly stop?: string;
  /** It was told that a budget stops the person, and it still does. */
  readonly isStoppedByBudget?: boolean;
  /** By id: which measure of the budget, and the highest threshold reached under it. */
  readonly budgets?: Readonly<Record<string, { readonly measure: string; readonly reached: number }>>;
}

export type News =
  | { readonly kind: 'stopped'; readonly by: Stop }
  | { readonly kind: 'used'; readonly percent: number }
  | { readonly kind: 'budget'; readonly budget: Budget; readonly percent: number }
  | { readonly kind: 'left' | 'includedUsedUp' }
  | { readonly kind: 'runway'; readonly days: number }
  | { readonly kind: 'expiring'; readonly at: string; readonly amountUcr: number }
  /** The budget that stopped the person has room again; undefined where the server shows it no longer. */
  | { readonly kind: 'freed'; readonly budget: Budget | undefined }
  /** It was told that credits run low, and now they do not. */
  | { readonly kind: 'restored' };

/** Warnings put off. Ends too when the wall clock is set back before its start: better one warning than none. */
export interface Snooze {
  readonly fromMs: number;
  /** Undefined: until the measure changes, which a top-up does. */
  readonly untilMs: number | undefined;
  readonly periodId: string;
}

/** What all windows remember of warnings, by account key. */
export interface Warned {
  readonly seen: SeenByAccount;
  readonly snoozed: Readonly<Record<string, Snooze>>;
  /** When a member last asked for credits, wall ms: not to be urged to ask again at once. */
  readonly asked: Readonly<Record<string, number>>;
}

export const nothingWarned: Warned = { seen: {}, snoozed: {}, asked: {} };

/** By account key. */
export type SeenByAccount = Readonly<Record<string, Seen>>;

export interface Crossing {
  readonly seen: Seen;
  /** The most serious thing that is new. What is new beside it is seen with it, and not told. */
  readonly news: News | undefined;
  /** Names this occurrence of the news, for telling it once. */
  readonly occurrence: string;
}

/** What is new under one measure, with the name of this occurrence. */
interface Found {
  readonly news: News;
  readonly occurrence: readonly unknown[];
}

/**
 * Compares a fresh reading with what was seen before. The first reading of an account is a silent baseline: someone
 * who signs in at 95 % is looking at the number anyway.
 * @param before undefined when nothing was seen of this account yet
 */
export function crossing(before: Seen | undefined, snapshot: Snapshot, limits = defaultLimits): Crossing {
  const used = lookAtUsage(before, snapshot, limits);
  const { periodId } = used;
  const stop = lookAtStop(before, snapshot, periodId);
  const budgets = lookAtBudgets(before, snapshot, limits);
  const isLeftLow = isBelow(snapshot.available_ucr, limits.leftUcr, before?.isLeftLow);
  const isRunwayLow = snapshot.runway
    ? isBelow(snapshot.runway.days, limits.days, before?.isRunwayLow)
    : (before?.isRunwayLow ?? false);
  const includedUsedUp = usedUpPeriod(before, snapshot);
  const expiring = expiringAt(snapshot);
  const found: Array<Found | undefined> = [
    stop.found,
    used.found,
    budgets.found,
    before && isLeftLow && before.isLeftLow !== true
      ? { news: { kind: 'left' }, occurrence: [periodId, 'left', limits.leftUcr] }
      : undefined,
    before && isRunwayLow && before.isRunwayLow !== true && snapshot.runway
      ? {
          news: { kind: 'runway', days: snapshot.runway.days },
          occurrence: [periodId, 'runway', limits.days],
        }
      : undefined,
    isNew(before?.includedUsedUp, includedUsedUp)
      ? { news: { kind: 'includedUsedUp' }, occurrence: ['included', includedUsedUp] }
      : undefined,
    isNew(before?.expiring, expiring)
      ? {
          news: { kind: 'expiring', at: expiring, amountUcr: snapshot.next_expiry?.amount_ucr ?? 0 },
          occurrence: ['expiring', expiring],
        }
      : undefined,
    stop.freed,
  ];
  const worst = found.filter(one => one !== undefined).toSorted((a, b) => rank(b.news) - rank(a.news))[0];
  const isFineAgain =
    before?.isWarned === true &&
    (percentUsed(snapshot) ?? 0) < RESTORED_BELOW &&
    snapshot.available_ucr > 0 &&
    !isLeftLow &&
    !isRunwayLow;
  const told = worst ?? (isFineAgain ? restored(periodId) : undefined);
  const isOfBalance =
    told !== undefined &&
    (['used', 'left', 'runway'].includes(told.news.kind) ||
      (told.news.kind === 'stopped' && told.news.by.kind === 'balance'));
  return {
    seen: {
      periodId,
      reached: used.reached,
      isLeftLow,
      isWarned: isOfBalance || (before?.isWarned === true && told?.news.kind !== 'restored'),
      isRunwayLow,
      includedUsedUp,
      expiring,
      stop: stop.stop,
      isStoppedByBudget: stop.isStoppedByBudget,
      budgets: budgets.budgets,
    },
    news: told?.news,
    occurrence: JSON.stringify(told?.occurrence ?? []),
  };
}

/** Whether two of them remember the same. */
export function isSameSeen(a: Seen | undefined, b: Seen): boolean {
  return a !== undefined && JSON.stringify(readOne(a)) === JSON.stringify(readOne(b));
}

function restored(periodId: string): Found {
  return { news: { kind: 'restored' }, occurrence: [periodId, 'restored'] };
}

/** The most serious first; what is used up before what is nearly so. */
function rank(news: News): number {
  switch (news.kind) {
    case 'stopped':
      return 1_000;
    case 'used':
      return 2 * news.percent + 1;
    case 'budget':
      return 2 * news.percent;
    case 'left':
      return -1;
    case 'runway':
      return -2;
    case 'includedUsedUp':
      return -3;
    case 'expiring':
      return -4;
    case 'freed':
      return -5;
    case 'restored':
      return -6;
  }
}

function isBelow(figure: number, limit: number, wasBelow: boolean | undefined): boolean {
  return limit > 0 && figure < (wasBelow === true ? limit * CLEARLY_MORE : limit);
}

function isNew(before: string | undefined, now: string): boolean {
  return before !== undefined && now !== '' && now !== before;
}

function reachedAt(percent: number, limits: Limits): number {
  return percent >= 100 ? 100 : percent >= limits.percent ? limits.percent : 0;
}

function lookAtUsage(before: Seen | undefined, snapshot: Snapshot, limits: Limits) {
  const percent = percentUsed(snapshot);
  if (percent === undefined || !snapshot.usage) {
    return { periodId: before?.periodId ?? '', reached: before?.reached ?? 0, found: undefined };
  }
  const periodId = snapshot.usage.period_id;
  const reachedBefore = before?.periodId === periodId ? before.reached : 0;
  const reached = reachedAt(percent, limits);
  const found: Found | undefined =
    before && reached > reachedBefore
      ? { news: { kind: 'used', percent: reached }, occurrence: [periodId, reached] }
      : undefined;
  return { periodId, reached: Math.max(reachedBefore, reached), found };
}

/** The same stop is told once, however often a hold that comes and goes makes it one: until its measure is another. */
function lookAtStop(before: Seen | undefined, snapshot: Snapshot, periodId: string) {
  const by = stopOf(snapshot);
  const key = by ? stopKey(by, periodId) : '';
  const isTold = isNew(before?.stop, key);
  const last = before?.stop ?? '';
  const wasStopped = before?.isStoppedByBudget === true;
  // Credits have come since, and are measured anew: when those are gone as well, that is news.
  const isPast = !by && last.startsWith('balance ') && last !== `balance ${periodId}`;
  const freed: Found | undefined =
    wasStopped && !by
      ? {
          news: {
            kind: 'freed',
            budget: snapshot.budgets?.find(({ id }) => last.startsWith(`budget ${id} `)),
          },
          occurrence: ['freed', last],
        }
      : undefined;
  return {
    stop: key !== '' ? key : isPast ? '' : last,
    isStoppedByBudget: by?.kind === 'budget' && (isTold || wasStopped),
    found:
      by && isTold
        ? {
            news: { kind: 'stopped', by } as const,
            // A plan's period comes back after each top-up that is used up.
            occurrence: ['stopped', key, ...(by.kind === 'balance' ? [before?.periodId ?? ''] : [])],
          }
        : undefined,
    freed,
  };
}

function stopKey(by: Stop, periodId: string): string {
  return by.kind === 'balance'
    ? `balance ${periodId}`
    : `budget ${by.budget?.id ?? ''} ${by.budget ? measureOf(by.budget) : periodId}`;
}

/** A new period or a raised limit arms a budget's thresholds again. */
function measureOf({ period_start, limit_ucr }: Budget): string {
  return [period_start, limit_ucr].join(' ');
}

function lookAtBudgets(before: Seen | undefined, { budgets }: Snapshot, limits: Limits) {
  if (!budgets) {
    return { budgets: before?.budgets ?? {}, found: undefined };
  }
  const now: Record<string, { measure: string; reached: number }> = {};
  const news: Found[] = [];
  for (const budget of budgets) {
    const measure = measureOf(budget);
    const last = before?.budgets?.[budget.id];
    const reachedBefore = last?.measure === measure ? last.reached : 0;
    const reached = reachedAt(percentOf(budget), limits);
    if (last && reached > reachedBefore) {
      news.push({
        news: { kind: 'budget', budget, percent: reached },
        occurrence: ['budget', budget.id, measure, reached],
      });
    }
    now[budget.id] = { measure, reached: Math.max(reachedBefore, reached) };
  }
  return { budgets: now, found: news.toSorted((a, b) => rank(b.news) - rank(a.news))[0] };
}

function usedUpPeriod(before: Seen | undefined, { included }: Snapshot): string {
  if (included.state === 'unavailable') {
    return before?.includedUsedUp ?? '';
  }
  if (included.granted_ucr > 0 && included.remaining_ucr === 0) {
    return included.period_start;
  }
  // A hold that was given back does not make the same period's end news again.
  return before?.includedUsedUp === included.period_start ? included.period_start : '';
}

/** By the server's own clock (F43). */
function expiringAt({ next_expiry, as_of }: Snapshot): string {
  const inMs = next_expiry ? Date.parse(next_expiry.at) - Date.parse(as_of) : Number.POSITIVE_INFINITY;
  return next_expiry && next_expiry.amount_ucr > 0 && inMs <= EXPIRES_SOON_MS ? next_expiry.at : '';
}

/** Whether warnings of this account are put off. @param nowMs wall time */
export function isSnoozed(snooze: Snooze | undefined, periodId: string, nowMs: number): boolean {
  if (!snooze || nowMs < snooze.fromMs) {
    return false;
  }
  return snooze.untilMs === undefined ? snooze.periodId === periodId : nowMs < snooze.untilMs;
}

/** How serious the balance looks: for colour, not for words. */
export function urgency(snapshot: Snapshot): 'calm' | 'low' | 'out' {
  const percent = percentUsed(snapshot) ?? 0;
  const { level } = snapshot.low_balance;
  if (snapshot.available_ucr <= 0 || level === 'depleted' || stopOf(snapshot)) {
    return 'out';
  }
  return percent >= 75 || level === 'low' || level === 'critical' ? 'low' : 'calm';
}

export function readSeen(value: unknown): SeenByAccount | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const sound: Record<string, Seen> = {};
  for (const [key, entry] of Object.entries(value)) {
    const seen = readOne(entry);
    if (seen) {
      sound[key] = seen;
    }
  }
  return sound;
}

function readOne(entry: unknown): Seen | undefined {
  if (!isRecord(entry) || typeof entry['periodId'] !== 'string' || typeof entry['reached'] !== 'number') {
    return undefined;
  }
  const { includedUsedUp, expiring, stop, budgets } = entry;
  return {
    periodId: entry['periodId'],
    reached: entry['reached'],
    isLeftLow: entry['isLeftLow'] === true,
    isWarned: entry['isWarned'] === true,
    isRunwayLow: entry['isRunwayLow'] === true,
    ...(typeof includedUsedUp === 'string' ? { includedUsedUp } : {}),
    ...(typeof expiring === 'string' ? { expiring } : {}),
    ...(typeof stop === 'string' ? { stop } : {}),
    isStoppedByBudget: entry['isStoppedByBudget'] === true,
    ...(isRecord(budgets) ? { budgets: readBudgets(budgets) } : {}),
  };
}

function readBudgets(
  value: Readonly<Record<string, unknown>>,
): Record<string, { measure: string; reached: number }> {
  const sound: Record<string, { measure: string; reached: number }> = {};
  for (const [id, entry] of Object.entries(value)) {
    if (isRecord(entry) && typeof entry['measure'] === 'string' && typeof entry['reached'] === 'number') {
      sound[id] = { measure: entry['measure'], reached: entry['reached'] };
    }
  }
  return sound;
}

export function readWarned(value: unknown): Warned | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const snoozed: Record<string, Snooze> = {};
  for (const [key, entry] of Object.entries(isRecord(value['snoozed']) ? value['snoozed'] : {})) {
    if (isRecord(entry) && typeof entry['fromMs'] === 'number' && typeof entry['periodId'] === 'string') {
      const { untilMs } = entry;
      snoozed[key] = {
        fromMs: entry['fromMs'],
        untilMs: typeof untilMs === 'number' ? untilMs : undefined,
        periodId: entry['periodId'],
      };
    }
  }
  const asked: Record<string, number> = {};
  for (const [key, entry] of Object.entries(isRecord(value['asked']) ? value['asked'] : {})) {
    if (typeof entry === 'number') {
      asked[key] = entry;
    }
  }
  return { seen: readSeen(value['seen']) ?? {}, snoozed, asked };
}
