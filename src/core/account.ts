// Who is signed in, where, and for which organisation.
import type { Event } from './event.ts';
import { isRecord } from './slot.ts';

/** Everything about a sign-in that may be shown and remembered. The token is not among it. */
export interface Account {
  /** Base address of the credits server, without a trailing slash. */
  readonly serverUrl: string;
  readonly personId: string;
  readonly personName: string;
  readonly orgId: string;
  readonly orgName: string;
  /** For display only; what one may do is the server's to say. */
  readonly role: string;
}

/** A token with the server it was given for: it is never sent anywhere else. */
export interface SignIn {
  readonly account: Account;
  /** A pasted one stays; one from the identity provider is the present one, and another after each renewal. */
  readonly token: string;
  /** Absent for a pasted token. */
  readonly grant?: Grant | undefined;
}

/** What the identity provider gave at a sign-in in the browser, besides the token. */
export interface Grant {
  /** Made up here, the same over all renewals. */
  readonly id: string;
  /** Grows by one with each renewal, so that windows know whose refresh token is the newest. */
  readonly generation: number;
  readonly issuer: string;
  readonly clientId: string;
  readonly refreshToken: string | null;
  readonly expiresAtMs: number | null;
}

/** What core needs to know of the session; vscode/session.ts keeps it. */
export interface Sessions {
  /** Undefined when signed out, and while `isRead` is false. */
  readonly current: SignIn | undefined;
  /** False until the secret storage has answered for the first time. */
  readonly isRead: boolean;
  readonly onDidChange: Event<void>;
}

/** Two accounts with one key see the same numbers: same server, same person, same organisation. */
export function accountKey(account: Account): string {
  return JSON.stringify([account.serverUrl, account.personId, account.orgId]);
}

export function readAccount(value: unknown): Account | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { serverUrl, personId, personName, orgId, orgName, role } = value;
  return typeof serverUrl === 'string' &&
    typeof personId === 'string' &&
    typeof personName === 'string' &&
    typeof orgId === 'string' &&
    typeof orgName === 'string' &&
    typeof role === 'string'
    ? { serverUrl, personId, personName, orgId, orgName, role }
    : undefined;
}

export function readGrant(value: unknown): Grant | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { id, generation, issuer, clientId, refreshToken, expiresAtMs } = value;
  return typeof id === 'string' &&
    Number.isSafeInteger(generation) &&
    typeof issuer === 'string' &&
    typeof clientId === 'string' &&
    (refreshToken === null || typeof refreshToken === 'string') &&
    (expiresAtMs === null || Number.isSafeInteger(expiresAtMs))
    ? {
        id,
        generation: generation as number,
        issuer,
        clientId,
        refreshToken,
        expiresAtMs: expiresAtMs as number | null,
      }
    : undefined;
}
