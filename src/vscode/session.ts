// Keeps the sign-in: token and account together in the editor's secret storage, bound to the server they were given
// for. Never in settings, logs, or plain storage.
import type { SecretStorage } from 'vscode';
import { readAccount, type Sessions, type SignIn } from '../core/account.ts';
import { readServerAddress } from '../core/address.ts';
import { Emitter, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { isRecord } from '../core/slot.ts';
import type { Settings } from './settings.ts';

const SECRET_KEY = 'credits.signIn.v1';

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

  readonly onDidChange = this.#changed.event;

  constructor(secrets: SecretStorage, settings: Settings, log: Log) {
    this.#secrets = secrets;
    this.#settings = settings;
    this.#log = log;
    this.#owned.own(settings.onDidChange(() => this.#update()));
    this.#owned.own(
      // Another window has signed in or out (F39).
      secrets.onDidChange(event => {
        if (event.key === SECRET_KEY && !this.#inMemoryOnly) {
          void this.#read();
        }
      }),
    );
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
    return outcome;
  }

  async signOut(): Promise<void> {
    this.#kept = undefined;
    this.#inMemoryOnly = false;
    this.#update();
    try {
      await this.#secrets.delete(SECRET_KEY);
    } catch (error) {
      this.#log.warn(`secret storage: ${nameOf(error)}`);
    }
  }

  dispose(): void {
    this.#owned.dispose();
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
