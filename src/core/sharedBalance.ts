// What the window that asks tells the others: the answer, what may be bought, and what went wrong. No token is in it.
import type { PurchaseOptions } from '../../protocol/api.ts';
import { type Account, readAccount } from './account.ts';
import { type CachedBalance, readCachedBalance } from './creditsStore.ts';
import { type CreditsErrorReason, isReason } from './errors.ts';
import { isRecord } from './slot.ts';

export interface SharedBalance {
  /** Never the same twice: a window knows its own by it. */
  readonly id: string;
  readonly account: Account;
  readonly last: CachedBalance | undefined;
  readonly options: PurchaseOptions | undefined;
  /** Why the newest try brought no answer. */
  readonly problem: CreditsErrorReason | undefined;
}

/** A pause the server asked for: it counts for every window, and across a restart (F12). */
export interface Pause {
  readonly serverUrl: string;
  /** Wall time, ms since the epoch. */
  readonly untilMs: number;
  /** Its whole length: a wall clock set back must not make it longer (F43). */
  readonly forMs: number;
}

/** What a window that does not lead asks of the one that does. */
export interface Wish {
  /** Never the same twice, so that one wish is heard once. */
  readonly id: string;
  /** Someone came to a window, is still there, or something used credits. */
  readonly kind: 'focus' | 'here' | 'usage';
}

export function readSharedBalance(value: unknown): SharedBalance | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const account = readAccount(value['account']);
  const { id, problem } = value;
  return account && typeof id === 'string'
    ? {
        id,
        account,
        last: readCachedBalance(value['last']),
        options: readOptions(value['options']),
        problem: isReason(problem) ? problem : undefined,
      }
    : undefined;
}

export function readPause(value: unknown): Pause | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { serverUrl, untilMs, forMs } = value;
  return typeof serverUrl === 'string' && isAmount(untilMs) && isAmount(forMs)
    ? { serverUrl, untilMs, forMs }
    : undefined;
}

export function readWish(value: unknown): Wish | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { id, kind } = value;
  return typeof id === 'string' && (kind === 'focus' || kind === 'here' || kind === 'usage')
    ? { id, kind }
    : undefined;
}

/** By hand, because followers load no schemas for it. */
function readOptions(value: unknown): PurchaseOptions | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { presets, custom, contact } = value;
  const sound =
    typeof value['currency'] === 'string' &&
    isAmount(value['credits_per_major_unit']) &&
    Array.isArray(presets) &&
    presets.every(one => isRecord(one) && isAmount(one['amount_minor']) && isAmount(one['credits_ucr'])) &&
    (custom === null ||
      (isRecord(custom) &&
        isAmount(custom['min_minor']) &&
        isAmount(custom['max_minor']) &&
        isAmount(custom['step_minor']))) &&
    typeof value['can_purchase'] === 'boolean' &&
    isTextOrNull(value['blocked_reason']) &&
    typeof (value['can_manage_billing'] ?? false) === 'boolean' &&
    (contact === null ||
      (isRecord(contact) && typeof contact['name'] === 'string' && isTextOrNull(contact['email']))) &&
    typeof value['payment_mode'] === 'string' &&
    isTextOrNull(value['payment_host'] ?? null);
  return sound ? (value as unknown as PurchaseOptions) : undefined;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}
