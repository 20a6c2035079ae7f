// Keeps the sign-in: token and account together in the editor's secret storage, bound to the server they were given
// for. Never in settings, logs, or plain storage.
import type { SecretStorage } from 'vscode';
import {
  type Account,
  accountKey,
  type Grant,
  readAccount,
  readGrant,
  type Sessions,
  type SignIn,
} from '../core/account.ts';
import { readServerAddress } from '../core/address.ts';
import { Emitter, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { newId } from '../core/random.ts';
import type { SharedFile } from '../core/sharedState.ts';
import type { GrantKeeper } from '../core/signIn/renewal.ts';
import { isRecord } from '../core/slot.ts';
import type { Settings } from './settings.ts';

const SECRET_KEY = 'credits.signIn.v1';

/** The newest sign-in or sign-out of any window. Some hosts read secrets once per window and tell of no change. */
export interface SessionNews {
  /** Never the same twice. */
  readonly id: string;
  /** Whose sign-in it was, from accountKey(); null for a sign-out. Never a token. */
  readonly account: string | null;
}

export function readSessionNews(value: unknown): SessionNews | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { id, account } = value;
  return typeof id === 'string' && (account === null || typeof account === 'string')
    ? { id, account }
    : undefined;
}

/** One sign-in stays one object while its token is renewed: others tell by that whether anyone else has signed in. */
class KeptSignIn implements SignIn {
  readonly account: Account;
  token: string;
  grant: Grant;

  constructor({ account, token }: SignIn, grant: Grant) {
    this.account = account;
    this.token = token;
    this.grant = grant;
  }
}

function kept(signIn: SignIn): SignIn {
  return signIn.grant ? new KeptSignIn(signIn, signIn.grant) : signIn;
}

export class Session implements Sessions, GrantKeeper {
  readonly #secrets: SecretStorage;
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<void>());
  #kept: { text: string; signIn: SignIn } | undefined;
  /** The storage has failed, so what is signed in here lives as long as this window. */
  #inMemoryOnly = false;
  #current: SignIn | undefined;
  #isRead = false;
  readonly #news: SharedFile<SessionNews> | undefined;
  readonly #missed = this.#owned.own(new Emitter<void>());
  #heardNews: string | undefined;
  #isNewsRead = false;
  readonly #ended = this.#owned.own(new Emitter<SignIn>());
  readonly #damaged = this.#owned.own(new Emitter<void>());

  readonly onDidChange = this.#changed.event;
  /** Another window signed in, and this host does not let this one read it before a reload. */
  readonly onDidMiss = this.#missed.event;
  /** The identity provider ended it: revoked, or the account is gone. */
  readonly onDidEnd = this.#ended.event;
  /** What was kept cannot be read any more, so nobody is signed in. */
  readonly onDidFindDamage = this.#damaged.event;

  constructor(secrets: SecretStorage, settings: Settings, log: Log, news?: SharedFile<SessionNews>) {
    this.#secrets = secrets;
    this.#settings = settings;
    this.#log = log;
    this.#news = news;
    this.#owned.own(settings.onDidChange(() => this.#update()));
    this.#owned.own(
      // Another window has signed in or out (F39).
      secrets.onDidChange(event => {
        if (event.key === SECRET_KEY && !this.#inMemoryOnly) {
          void this.#read();
        }
      }),
    );
    if (news) {
      this.#owned.own(news.onDidChange(() => void this.#hear(news.read())));
      void news
        .load()
        .catch(() => undefined)
        .then(() => {
          // What was news before this start is in the secrets that this start reads.
          this.#heardNews = news.read()?.id;
          this.#isNewsRead = true;
        });
    }
    void this.#read();
  }

  get current(): SignIn | undefined {
    return this.#current;
  }

  get isRead(): boolean {
    return this.#isRead;
  }

  /** Signs in. `untilClosed`: the secret storage did not take it, so it lasts until this window is closed (F31). */
  async signIn(given: SignIn): Promise<'kept' | 'untilClosed'> {
    const signIn = kept(given);
    const outcome = await this.#keep(signIn);
    this.#update();
    if (outcome === 'kept') {
      await this.#tell(accountKey(signIn.account));
    }
    return outcome;
  }

  /** The same person and token for another of their organisations. */
  async moveTo(org: Pick<Account, 'orgId' | 'orgName' | 'role'>): Promise<void> {
    const signIn = this.#current;
    if (signIn) {
      await this.signIn({ ...signIn, account: { ...signIn.account, ...org } });
    }
  }

  reread(): Promise<void> {
    return this.#read();
  }

  async renewed(grantId: string, token: string, grant: Grant): Promise<void> {
    const signIn = this.#kept?.signIn;
    if (signIn instanceof KeptSignIn && signIn.grant.id === grantId) {
      signIn.token = token;
      signIn.grant = grant;
      await this.#keep(signIn);
    }
  }

  async ended(grantId: string): Promise<void> {
    const signIn = this.#kept?.signIn;
    if (signIn?.grant?.id === grantId) {
      await this.signOut();
      this.#ended.fire(signIn);
    }
  }

  missed(): void {
    this.#missed.fire();
  }

  async signOut(): Promise<void> {
    const wasKept = !this.#inMemoryOnly;
    this.#kept = undefined;
    this.#inMemoryOnly = false;
    this.#update();
    try {
      await this.#secrets.delete(SECRET_KEY);
    } catch (error) {
      this.#log.warn(`secret storage: ${nameOf(error)}`);
    }
    if (wasKept) {
      await this.#tell(null);
    }
  }

  dispose(): void {
    this.#owned.dispose();
  }

  async #keep(signIn: SignIn): Promise<'kept' | 'untilClosed'> {
    const text = JSON.stringify(signIn);
    this.#kept = { text, signIn };
    try {
      await this.#secrets.store(SECRET_KEY, text);
      this.#inMemoryOnly = false;
      return 'kept';
    } catch (error) {
      this.#log.warn(`secret storage: ${nameOf(error)}`);
      this.#inMemoryOnly = true;
      return 'untilClosed';
    }
  }

  async #tell(account: string | null): Promise<void> {
    const id = newId();
    this.#heardNews = id;
    try {
      await this.#news?.write({ id, account });
    } catch (error) {
      this.#log.warn(`windows: ${nameOf(error)}`);
    }
  }

  /** Another window has signed in or out (F39). */
  async #hear(news: SessionNews | undefined): Promise<void> {
    if (!news || !this.#isNewsRead || news.id === this.#heardNews || this.#inMemoryOnly) {
      return;
    }
    this.#heardNews = news.id;
    if (news.account !== null) {
      await this.#read();
    }
    const kept = this.#kept && accountKey(this.#kept.signIn.account);
    if (this.#heardNews !== news.id || (kept ?? null) === news.account) {
      return;
    }
    // Storage still shows this window the old token, or none: it must not go on as someone who has left.
    this.#kept = undefined;
    this.#update();
    if (news.account !== null) {
      this.#missed.fire();
    }
  }

  async #read(): Promise<void> {
    let text: string | undefined;
    try {
      text = await this.#secrets.get(SECRET_KEY);
    } catch (error) {
      this.#log.warn(`secret storage: ${nameOf(error)}`);
      if (this.#isRead) {
        // A read that failed is no news, least of all that somebody has signed out.
        return;
      }
    }
    // One and the same sign-in stays one object: others tell by that whether anything has changed.
    if (text !== this.#kept?.text && !this.#inMemoryOnly) {
      const signIn = text === undefined ? undefined : readSignIn(text);
      if (text !== undefined && !signIn) {
        this.#log.warn('the kept sign-in cannot be read, so it is not used');
        this.#damaged.fire();
      }
      this.#take(text, signIn);
    }
    const isFirst = !this.isRead;
    this.#isRead = true;
    this.#update(isFirst);
  }

  #take(text: string | undefined, signIn: SignIn | undefined): void {
    if (text === undefined || !signIn) {
      this.#kept = undefined;
      return;
    }
    const own = this.#kept?.signIn;
    const { grant } = signIn;
    const isSame =
      own instanceof KeptSignIn &&
      grant?.id === own.grant.id &&
      accountKey(own.account) === accountKey(signIn.account);
    if (!isSame) {
      this.#kept = { text, signIn: kept(signIn) };
    } else if (grant && grant.generation > own.grant.generation) {
      // Never back to a refresh token that is used up: hosts that read secrets once show the old one for ever.
      own.token = signIn.token;
      own.grant = grant;
      this.#kept = { text, signIn: own };
    }
  }

  /** @param isNews there is something to tell although the sign-in is the same: that it is known now */
  #update(isNews = false): void {
    const usable = this.#usable();
    if (usable !== this.#current || isNews) {
      this.#current = usable;
      this.#changed.fire();
    }
  }

  /** A token counts only while the setting names the server it was given for, or none. */
  #usable(): SignIn | undefined {
    const signIn = this.#kept?.signIn;
    if (!signIn || this.#settings.serverUrl === '') {
      return signIn;
    }
    const wanted = readServerAddress(this.#settings.serverUrl);
    return wanted.ok && wanted.url === signIn.account.serverUrl ? signIn : undefined;
  }
}

function readSignIn(text: string): SignIn | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || typeof value['token'] !== 'string') {
      return undefined;
    }
    const account = readAccount(value['account']);
    const grant = value['grant'] === undefined ? undefined : readGrant(value['grant']);
    const isSound =
      account && readServerAddress(account.serverUrl).ok && (value['grant'] === undefined || grant);
    return isSound ? { account, token: value['token'], ...(grant ? { grant } : {}) } : undefined;
  } catch {
    return undefined;
  }
}

/** The kind of error only: messages of storage back ends may quote what was to be stored. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'failed';
}
