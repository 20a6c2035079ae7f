// What is remembered of a purchase under way, so that closing the editor at any moment loses and doubles nothing.
import type { CreatePurchase, Purchase } from '../../protocol/api.ts';
import { hours, minutes, seconds } from './clock.ts';
import type { Event } from './event.ts';
import { isRecord } from './slot.ts';

export interface PurchaseRecord {
  /** Whose purchase it is, from accountKey(). */
  readonly account: string;
  /** Made and kept before the first request; every repetition uses it (T32). */
  readonly idempotencyKey: string;
  /** Sent as it is each time: the same key with another body is refused. */
  readonly body: CreatePurchase;
  /** What the way back from the browser has to bring; used once. */
  readonly returnState: string | undefined;
  /** Wall time, ms since the epoch. */
  readonly startedAtMs: number;
  /** Known once the server has answered. */
  readonly purchase: { readonly id: string; readonly lifeMs: number } | undefined;
}

/** Where all windows keep them, each apart from the others. */
export interface Records {
  /** As of the last look. */
  read(): readonly PurchaseRecord[];
  load(): Promise<readonly PurchaseRecord[]>;
  /** Resolves once it would outlive this process. */
  keep(record: PurchaseRecord): Promise<void>;
  /** True for the one caller, over all windows, that took it away. */
  forget(idempotencyKey: string): Promise<boolean>;
  readonly onDidChange: Event<void>;
}

/** Servers keep idempotency keys for a day at least; after half of that a repetition might be a second order. */
export const REPEATABLE_FOR_MS = hours(12);

/** Purchases whose end was never seen are let go in the end; the balance tells of them in any case. */
const REMEMBERED_FOR_MS = hours(14 * 24);

/** Neither repeated nor asked for any more. @param nowMs wall time */
export function isOver(record: PurchaseRecord, nowMs: number): boolean {
  return nowMs - record.startedAtMs > (record.purchase ? REMEMBERED_FOR_MS : REPEATABLE_FOR_MS);
}

/** How long after the payment page's end a payment may still be on its way to us. */
export const GRACE_MS = minutes(5);

/** How long a payment page lives, by the server's two clock readings, so that our clock does not matter. */
export function lifeMs(purchase: Purchase): number {
  const ms = Date.parse(purchase.expires_at) - Date.parse(purchase.created_at);
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), hours(24)) : hours(1);
}

/**
 * Milliseconds until a purchase is asked for again, or undefined when the clock is no longer to ask.
 * @param sinceActMs since the person last did something about it: opened the page, came back, pressed "Check now"
 * @param sinceStartMs since it was started
 */
export function nextCheckMs(
  sinceActMs: number,
  sinceStartMs: number,
  life: number,
  phase: 'waiting' | 'processing',
): number | undefined {
  if (sinceActMs < minutes(2)) {
    return seconds(3);
  }
  if (sinceActMs < minutes(15)) {
    const grown = (sinceActMs - minutes(2)) / minutes(13);
    return seconds(3) + grown * seconds(27);
  }
  if (sinceStartMs < life + GRACE_MS) {
    return Math.min(minutes(5), Math.max(seconds(3), life + GRACE_MS - sinceStartMs));
  }
  // A bank transfer can take days; an unfinished page is over.
  return phase === 'processing' ? hours(1) : undefined;
}

export function readPurchaseRecord(value: unknown): PurchaseRecord | undefined {
  if (!isRecord(value) || !isRecord(value['body'])) {
    return undefined;
  }
  const { account, idempotencyKey, returnState, startedAtMs, purchase } = value;
  const { amount_minor, currency, expected_credits_ucr, return_uri } = value['body'];
  if (
    typeof account !== 'string' ||
    typeof idempotencyKey !== 'string' ||
    typeof startedAtMs !== 'number' ||
    !Number.isSafeInteger(amount_minor) ||
    typeof currency !== 'string' ||
    !/^[a-z]{3}$/.test(currency) ||
    !Number.isSafeInteger(expected_credits_ucr)
  ) {
    return undefined;
  }
  const known =
    isRecord(purchase) && typeof purchase['id'] === 'string' && typeof purchase['lifeMs'] === 'number'
      ? { id: purchase['id'], lifeMs: purchase['lifeMs'] }
      : undefined;
  return {
    account,
    idempotencyKey,
    body: {
      amount_minor: amount_minor as number,
      currency,
      expected_credits_ucr: expected_credits_ucr as number,
      ...(typeof return_uri === 'string' ? { return_uri } : {}),
    },
    returnState: typeof returnState === 'string' ? returnState : undefined,
    startedAtMs,
    purchase: known,
  };
}
