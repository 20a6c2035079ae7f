// What is known of the balance: one discriminated union and the pure steps between its cases. A failure is never a
// zero and never a sign-out; an older answer never replaces a newer one.
import type { Balance as Snapshot } from '../../protocol/api.ts';
import { CreditsError } from './errors.ts';

export type { Snapshot };

/** An answer of the server's and when it came, in the clock's monotonic ms (below zero: in an earlier session). */
export interface Reading {
  readonly snapshot: Snapshot;
  readonly atMs: number;
}

export type Balance =
  | { readonly kind: 'signedOut' }
  /** Nothing has been answered yet in this session; `last` is from an earlier one. */
  | { readonly kind: 'loading'; readonly last?: Reading }
  | { readonly kind: 'known'; readonly last: Reading }
  /** The last try failed in a way that may heal. */
  | { readonly kind: 'stale'; readonly last: Reading; readonly error: CreditsError }
  /** The server does not show this balance to this person. Not a fault, so nothing is marked as one (F15). */
  | { readonly kind: 'forbidden'; readonly error: CreditsError }
  /** Nothing is known, or asking again will not help until someone does something (a refused token). */
  | { readonly kind: 'failed'; readonly error: CreditsError; readonly last?: Reading };

export const signedOut: Balance = { kind: 'signedOut' };

export function loading(last?: Reading): Balance {
  return last ? { kind: 'loading', last } : { kind: 'loading' };
}

/** The last figure there is, whatever has happened since. */
export function lastReading(balance: Balance): Reading | undefined {
  switch (balance.kind) {
    case 'signedOut':
    case 'forbidden':
      return undefined;
    case 'known':
    case 'stale':
      return balance.last;
    case 'loading':
    case 'failed':
      return balance.last;
  }
}

/** The server has answered. @param orgId the organisation that was asked for */
export function answered(balance: Balance, reading: Reading, orgId: string): Balance {
  if (balance.kind === 'signedOut') {
    return balance;
  }
  if (reading.snapshot.org_id !== orgId) {
    return failed(balance, new CreditsError('unreadable', { found: 'json', code: 'other_organisation' }));
  }
  const last = lastReading(balance);
  if (last && last.snapshot.org_id === orgId && reading.snapshot.version < last.snapshot.version) {
    // A lagging replica or replies out of order: what is on screen is the newer truth (F19).
    return balance;
  }
  return { kind: 'known', last: reading };
}

/** What the server tells of a balance without being asked. */
export interface Told {
  readonly version: number;
  readonly available_ucr: number;
  readonly level: string;
}

/** Where what is told is what is at hand, it is true again without a question; else undefined. */
export function confirmed(balance: Balance, told: Told): Balance | undefined {
  if (balance.kind !== 'known' && balance.kind !== 'stale') {
    return undefined;
  }
  const { version, available_ucr, low_balance } = balance.last.snapshot;
  return version === told.version && available_ucr === told.available_ucr && low_balance.level === told.level
    ? { kind: 'known', last: balance.last }
    : undefined;
}

/** The server has not answered, or not with a balance. */
export function failed(balance: Balance, error: CreditsError): Balance {
  if (balance.kind === 'signedOut') {
    return balance;
  }
  const last = lastReading(balance);
  switch (error.reason) {
    case 'forbidden':
      return { kind: 'forbidden', error };
    case 'notFound':
      // The organisation is gone or the person has left it: its figure is no longer theirs to see (F17).
      return { kind: 'failed', error };
    case 'unauthenticated':
    case 'rejected':
      return last ? { kind: 'failed', error, last } : { kind: 'failed', error };
    case 'offline':
    case 'timeout':
    case 'rateLimited':
    case 'serverFault':
    case 'unreadable':
    case 'redirected':
    case 'proxy':
    case 'certificate':
      return last ? { kind: 'stale', last, error } : { kind: 'failed', error };
  }
}

/**
 * How much of what there was to use is used, in whole percent rounded down: 99.9 % used is not all used. Undefined
 * where the server names nothing to measure against (F23).
 */
export function percentUsed(snapshot: Snapshot): number | undefined {
  const { usage } = snapshot;
  return usage && usage.total_ucr > 0 ? Math.floor((usage.used_ucr * 100) / usage.total_ucr) : undefined;
}
