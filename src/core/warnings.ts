// When to speak up about credits running out: a pure rule over what was last seen and what is seen now.
import { percentUsed, type Snapshot } from './balance.ts';
import { isRecord } from './slot.ts';

/** Percent used at which something happens. 50 and 75 only change the status bar; 90 and 100 are told. */
export const thresholds = [50, 75, 90, 100] as const;
export type Threshold = (typeof thresholds)[number];

/** From here on a notification is shown. */
const TOLD_FROM: Threshold = 90;

/** Credits count as there again below this percentage, not as soon as one is. */
const RESTORED_BELOW: Threshold = 75;

/** What was last seen of one account's usage; plain data, kept across restarts. */
export interface Seen {
  /** The server's id of the measure; a new one (a new period, a top-up) arms every threshold again. */
  readonly periodId: string;
  /** The highest threshold reached under that id, 0 for none. */
  readonly reached: number;
  /** Fewer credits are left than the person wants to know of; until clearly more are there again. */
  readonly isLeftLow?: boolean;
  /** Something was told, so that better news is news. */
  readonly isWarned?: boolean;
}

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
  /** The threshold to tell of, if any: the highest that is new, and never one that was told under this id. */
  readonly tell: Threshold | undefined;
  /** Fewer credits are left than the person's own limit, newly. */
  readonly tellLeft: boolean;
  /** It was told that credits run low, and now they do not. */
  readonly tellRestored: boolean;
}

/** A figure that swings around the person's limit is told once: it must rise this far above it first. */
const CLEARLY_MORE = 1.2;

/**
 * Compares a fresh reading with what was seen before. The first reading of an account is a silent baseline: someone
 * who signs in at 95 % is looking at the number anyway.
 * @param before undefined when nothing was seen of this account yet
 */
export function crossing(
  before: Seen | undefined,
  snapshot: Snapshot,
  leftLimitUcr = 0,
): Crossing | undefined {
  const percent = percentUsed(snapshot);
  const left = snapshot.available_ucr;
  const wasLeftLow = before?.isLeftLow === true;
  const isLeftLow =
    leftLimitUcr > 0 && (wasLeftLow ? left < leftLimitUcr * CLEARLY_MORE : left < leftLimitUcr);
  if (percent === undefined || !snapshot.usage) {
    if (leftLimitUcr <= 0) {
      return undefined;
    }
    const tellLeft = before !== undefined && isLeftLow && !wasLeftLow;
    const tellRestored = before?.isWarned === true && !isLeftLow && left > 0;
    const isWarned = tellLeft || (before?.isWarned === true && !tellRestored);
    return {
      seen: { periodId: before?.periodId ?? '', reached: before?.reached ?? 0, isLeftLow, isWarned },
      tell: undefined,
      tellLeft,
      tellRestored,
    };
  }
  const reached = thresholds.findLast(threshold => percent >= threshold);
  const periodId = snapshot.usage.period_id;
  const reachedBefore = before?.periodId === periodId ? before.reached : 0;
  const isNew = before !== undefined && reached !== undefined && reached > reachedBefore;
  const tell = isNew && reached >= TOLD_FROM ? reached : undefined;
  const tellLeft = before !== undefined && isLeftLow && !wasLeftLow;
  const tellRestored =
    before?.isWarned === true && percent < RESTORED_BELOW && left > 0 && !isLeftLow && tell === undefined;
  const isWarned = tell !== undefined || tellLeft || (before?.isWarned === true && !tellRestored);
  const seen = { periodId, reached: Math.max(reachedBefore, reached ?? 0), isLeftLow, isWarned };
  return { seen, tell, tellLeft, tellRestored };
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
  if (snapshot.available_ucr <= 0 || level === 'depleted') {
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
    if (isRecord(entry) && typeof entry['periodId'] === 'string' && typeof entry['reached'] === 'number') {
      sound[key] = {
        periodId: entry['periodId'],
        reached: entry['reached'],
        isLeftLow: entry['isLeftLow'] === true,
        isWarned: entry['isWarned'] === true,
      };
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
