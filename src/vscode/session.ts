// Keeps the sign-in: token and account together in the editor's secret storage, bound to the server they were given
// for. Never in settings, logs, or plain storage.
import type { SecretStorage } from 'vscode';
import { accountKey, readAccount, type Sessions, type SignIn } from '../core/account.ts';
import { readServerAddress } from '../core/address.ts';
import { Emitter, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { newId } from '../core/random.ts';
import type { SharedFile } from '../core/sharedState.ts';
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

export class Session implements Sessions {
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

  readonly onDidChange = this.#changed.event;
  /** Another window signed in, and this host does not let this one read it before a reload. */
  readonly onDidMiss = this.#missed.event;

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
  async signIn(signIn: SignIn): Promise<'kept' | 'untilClosed'> {
    const text = JSON.stringify(signIn);
    this.#kept = { text, signIn };
    let outcome: 'kept' | 'untilClosed' = 'kept';
    try {
      await this.#secrets.store(SECRET_KEY, text);
      this.#inMemoryOnly = false;
    } catch (error) {
      this.#log.warn(`secret storage: ${nameOf(error)}`);
      this.#inMemoryOnly = true;
      outcome = 'untilClosed';
    }
    this.#update();
    if (outcome === 'kept') {
      await this.#tell(accountKey(signIn.account));
    }
    return outcome;
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
    }
    // One and the same sign-in stays one object: others tell by that whether anything has changed.
    if (text !== this.#kept?.text && !this.#inMemoryOnly) {
      const signIn = text === undefined ? undefined : readSignIn(text);
      this.#kept = text !== undefined && signIn ? { text, signIn } : undefined;
    }
    const isFirst = !this.isRead;
    this.#isRead = true;
    this.#update(isFirst);
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
    return account && readServerAddress(account.serverUrl).ok
      ? { account, token: value['token'] }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The kind of error only: messages of storage back ends may quote what was to be stored. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'failed';
}
