// The bell: LISTEN on a connection of its own, because one from a pool would forget. It is hung up again when it falls,
// and says so, because what rang meanwhile was not heard.
import pg from 'pg';
import { DatabaseUnavailable } from './database.ts';

interface Listener {
  readonly onNotify: (payload: string) => void;
  readonly onGap: () => void;
}

/** A connection whose other end went away without a word is noticed after this and the next. */
const PULSE_MS = 15_000;
const ANSWER_WITHIN_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface Warnings {
  warn(facts: object, text: string): void;
}

export class Bell {
  readonly #connection: pg.ClientConfig;
  readonly #log: Warnings;
  readonly #channels = new Map<string, Set<Listener>>();
  #client: pg.Client | undefined;
  #opening: Promise<void> | undefined;
  #pulse: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();

  constructor(connection: pg.ClientConfig, log: Warnings) {
    this.#connection = { ...connection, query_timeout: ANSWER_WITHIN_MS };
    this.#log = log;
  }

  /** @throws {DatabaseUnavailable} when the first connection cannot be made. */
  async listen(channel: string, onNotify: Listener['onNotify'], onGap: Listener['onGap']) {
    const listener = { onNotify, onGap };
    const listeners = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, listeners.add(listener));
    try {
      this.#opening ??= this.#open();
      await this.#opening;
      await this.#client?.query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      this.#opening = undefined;
      listeners.delete(listener);
      throw new DatabaseUnavailable('unreachable', { cause: error });
    }
    return async () => {
      listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#pulse);
    clearTimeout(this.#again);
    await this.#opening?.catch(() => {});
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  async #open(): Promise<void> {
    const client = new pg.Client(this.#connection);
    client.on('error', error => this.#fell(client, error));
    client.on('end', () => this.#fell(client, undefined));
    client.on('notification', ({ channel, payload = '' }) => {
      for (const listener of this.#channels.get(channel) ?? []) {
        listener.onNotify(payload);
      }
    });
    try {
      await client.connect();
      for (const channel of this.#channels.keys()) {
        await client.query(`listen ${pg.escapeIdentifier(channel)}`);
      }
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    this.#pulse = setInterval(() => {
      client.query('select 1').catch(error => this.#fell(client, error));
    }, PULSE_MS).unref();
  }

  /** Told by several signs of the same fall; the first one counts. */
  #fell(client: pg.Client, error: unknown): void {
    if (client !== this.#client) {
      return;
    }
    this.#client = undefined;
    clearInterval(this.#pulse);
    client.end().catch(() => {});
    if (!this.#closing.signal.aborted) {
      this.#log.warn({ err: error }, 'the connection that listens broke; events wait until it is back');
      this.#openAgain(FIRST_PAUSE_MS);
    }
  }

  #openAgain(pauseMs: number): void {
    // Many servers lose one database at the same moment: chance keeps them from coming back at the same moment.
    const ms = pauseMs * (0.5 + Math.random() / 2);
    this.#again = setTimeout(() => {
      this.#opening = this.#open().then(
        () => this.#tellGap(),
        () => {
          if (!this.#closing.signal.aborted) {
            this.#openAgain(Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
          }
        },
      );
    }, ms).unref();
  }

  #tellGap(): void {
    for (const listeners of this.#channels.values()) {
      for (const listener of listeners) {
        listener.onGap();
      }
    }
  }
}
