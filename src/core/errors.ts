// What can go wrong between the extension and its server, as facts; the sentences are in views/describe.ts.
import type { Problem } from '../../protocol/api.ts';

export type CreditsErrorReason =
  /** Nothing was reached: no network, no such name, connection refused or cut. */
  | 'offline'
  /** The deadline passed before the whole answer was there. */
  | 'timeout'
  /** 401: the token is not, or no longer, accepted. */
  | 'unauthenticated'
  /** 403: known, but not allowed. */
  | 'forbidden'
  /** 404 in the server's own words. */
  | 'notFound'
  /** Any other refusal of the server's, with its `code`. */
  | 'rejected'
  | 'rateLimited'
  /** 5xx. */
  | 'serverFault'
  /** An answer that is not of the contract; `found` says what it was. */
  | 'unreadable'
  /** The server pointed elsewhere; not followed, so the token stays home (T4). */
  | 'redirected'
  /** 407: a proxy on the way wants a sign-in of its own. */
  | 'proxy'
  /** The server's certificate is not trusted; there is no way around it (T36). */
  | 'certificate';

const HEALING: Readonly<Record<CreditsErrorReason, boolean>> = {
  offline: true,
  timeout: true,
  rateLimited: true,
  serverFault: true,
  unreadable: true,
  redirected: true,
  proxy: true,
  certificate: true,
  unauthenticated: false,
  forbidden: false,
  notFound: false,
  rejected: false,
};

export function isReason(value: unknown): value is CreditsErrorReason {
  return typeof value === 'string' && Object.hasOwn(HEALING, value);
}

export interface CreditsErrorFacts {
  readonly status?: number;
  /** The server's stable code, `problemStatus` in protocol/api.ts. */
  readonly code?: string;
  readonly requestId?: string;
  /** Already clamped to an hour. */
  readonly retryAfterMs?: number;
  readonly found?: 'html' | 'json' | 'tooLarge' | 'other';
  readonly problem?: Problem;
  /** A system code such as ECONNREFUSED. Never a whole error: those carry request headers, and so the token. */
  readonly cause?: string;
}

export class CreditsError extends Error {
  override readonly name = 'CreditsError';
  readonly reason: CreditsErrorReason;
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly found: CreditsErrorFacts['found'];
  readonly problem: Problem | undefined;

  constructor(reason: CreditsErrorReason, facts: CreditsErrorFacts = {}) {
    const told = [reason, facts.status, facts.code ?? facts.found, facts.cause, facts.requestId];
    super(told.filter(part => part !== undefined).join(' '), { cause: facts.cause });
    this.reason = reason;
    this.status = facts.status;
    this.code = facts.code;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.found = facts.found;
    this.problem = facts.problem;
  }

  /** Whether asking again later may help, without anyone doing anything. */
  get mayHeal(): boolean {
    return HEALING[this.reason];
  }

  /** Whether the request may have been carried out all the same: the same key has to be used again. */
  get leavesOutcomeOpen(): boolean {
    return this.mayHeal || this.code === 'request_in_progress';
  }
}

/** Anything thrown, as a CreditsError: what is not ours is a fault on this side of the wire. */
export function asCreditsError(error: unknown): CreditsError {
  return error instanceof CreditsError
    ? error
    : new CreditsError('unreadable', {
        found: 'other',
        cause: error instanceof Error ? error.name : 'unknown',
      });
}
