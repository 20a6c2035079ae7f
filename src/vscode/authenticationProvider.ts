// The sign-in as the editor's Accounts menu shows it, and what other extensions get of it: a token that reads the
// balance and does nothing else. The token this extension works with is never given away, nor is a pasted one.
import {
  type AuthenticationProvider,
  type AuthenticationProviderAuthenticationSessionsChangeEvent,
  type AuthenticationSession,
  EventEmitter,
  l10n,
} from 'vscode';
import type { SignIn } from '../core/account.ts';
import { Owned } from '../core/event.ts';
import { oneLine } from '../core/oneLine.ts';
import type { Session } from './session.ts';

export const PROVIDER_ID = 'credits';

/** What others may ask for. */
const READ_ONLY = 'credits:read';

export class CreditsAuthentication implements AuthenticationProvider {
  readonly #session: Session;
  readonly #act: { readonly signIn: () => Promise<void>; readonly signOut: () => Promise<void> };
  readonly #readOnlyToken: (signIn: SignIn, scope: string) => Promise<string | undefined>;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(
    new EventEmitter<AuthenticationProviderAuthenticationSessionsChangeEvent>(),
  );
  #shown: AuthenticationSession | undefined;

  readonly onDidChangeSessions = this.#changed.event;

  constructor(
    session: Session,
    act: { readonly signIn: () => Promise<void>; readonly signOut: () => Promise<void> },
    readOnlyToken: (signIn: SignIn, scope: string) => Promise<string | undefined>,
  ) {
    this.#session = session;
    this.#act = act;
    this.#readOnlyToken = readOnlyToken;
    this.#owned.own(session.onDidChange(() => this.#follow()));
  }

  /** @param scopes undefined when the editor only wants the name for its menu: no token is fetched for that */
  async getSessions(scopes: readonly string[] | undefined): Promise<AuthenticationSession[]> {
    const { current } = this.#session;
    if (!current?.grant || !isAllowed(scopes ?? [])) {
      return [];
    }
    if (scopes === undefined) {
      return [sessionOf(current, '')];
    }
    const token = await this.#readOnlyToken(current, READ_ONLY);
    return token === undefined || this.#session.current !== current ? [] : [sessionOf(current, token)];
  }

  async createSession(scopes: readonly string[]): Promise<AuthenticationSession> {
    if (!isAllowed(scopes)) {
      throw new Error(l10n.t('Credits gives other extensions a token that reads the balance, and no other.'));
    }
    if (!this.#session.current) {
      await this.#act.signIn();
    }
    const [made] = await this.getSessions(scopes);
    if (!made) {
      throw new Error(l10n.t('There is no sign-in in the browser that could be shared.'));
    }
    return made;
  }

  async removeSession(id: string): Promise<void> {
    if (this.#session.current?.grant?.id === id) {
      await this.#act.signOut();
    }
  }

  dispose(): void {
    this.#owned.dispose();
  }

  #follow(): void {
    const { current } = this.#session;
    const now = current?.grant ? sessionOf(current, '') : undefined;
    const before = this.#shown;
    if (before?.id === now?.id && before?.account.label === now?.account.label) {
      return;
    }
    this.#shown = now;
    this.#changed.fire({
      added: now ? [now] : undefined,
      removed: before ? [before] : undefined,
      changed: undefined,
    });
  }
}

function isAllowed(scopes: readonly string[]): boolean {
  return scopes.every(scope => scope === READ_ONLY);
}

function sessionOf({ account, grant }: SignIn, accessToken: string): AuthenticationSession {
  return {
    id: grant?.id ?? '',
    accessToken,
    account: {
      id: account.personId,
      label: `${oneLine(account.personName)} · ${oneLine(account.orgName)}`,
    },
    scopes: [READ_ONLY],
  };
}
