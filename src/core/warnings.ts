// When to speak up about credits running out: a pure rule over what was last seen and what is seen now.
import { percentUsed, type Snapshot } from './balance.ts';
import { isRecord } from './slot.ts';

/** Percent used at which something happens. 50 and 75 only change the status bar; 90 and 100 are told. */
export const thresholds = [50, 75, 90, 100] as const;
export type Threshold = (typeof thresholds)[number];

/** From here on a notification is shown. */
const TOLD_FROM: Threshold = 90;

/** What was last seen of one account's usage; plain data, kept across restarts. */
export interface Seen {
  /** The server's id of the measure; a new one (a new period, a top-up) arms every threshold again. */
  readonly periodId: string;
  /** The highest threshold reached under that id, 0 for none. */
  readonly reached: number;
}

/** By account key. */
export type SeenByAccount = Readonly<Record<string, Seen>>;

export interface Crossing {
  readonly seen: Seen;
  /** The threshold to tell of, if any: the highest that is new, and never one that was told under this id. */
  readonly tell: Threshold | undefined;
}

/**
 * Compares a fresh reading with what was seen before. The first reading of an account is a silent baseline: someone
 * who signs in at 95 % is looking at the number anyway.
 * @param before undefined when nothing was seen of this account yet
 */
export function crossing(before: Seen | undefined, snapshot: Snapshot): Crossing | undefined {
  const percent = percentUsed(snapshot);
  if (percent === undefined || !snapshot.usage) {
    return undefined;
  }
  const reached = thresholds.findLast(threshold => percent >= threshold);
  const periodId = snapshot.usage.period_id;
  const reachedBefore = before?.periodId === periodId ? before.reached : 0;
  const seen = { periodId, reached: Math.max(reachedBefore, reached ?? 0) };
  const isNew = before !== undefined && reached !== undefined && reached > reachedBefore;
  return { seen, tell: isNew && reached >= TOLD_FROM ? reached : undefined };
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
      sound[key] = { periodId: entry['periodId'], reached: entry['reached'] };
    }
  }
  return sound;
}
