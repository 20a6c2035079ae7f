// The database as the rest of the house sees it: queries, whole transactions, and a bell that rings on commit.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PGlite as PGliteInstance } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, type Transaction } from 'kysely';
import { lockDirectory } from './lock.ts';
import { migrate } from './migrate.ts';
import { sqlState } from './sqlState.ts';
import type { Tables } from './tables.ts';

export type Query = Kysely<Tables>;
export type Tx = Transaction<Tables>;

export interface Database {
  /** For reads outside a transaction. Inside one use its `tx`: an embedded database has one connection, and would wait for itself. */
  readonly query: Query;
  /** For reading everything, which may take longer than a request is let. */
  readonly longReads: Query;
  /** True when no other server process can be at work on this database. */
  readonly exclusive: boolean;
  /** Runs the whole of `work` as one transaction, again when the database asks for it (F65). */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Calls back with the payload of each NOTIFY on the channel, after its commit. A notification is only a hint:
   * `onGap` is called when some may have been missed.
   */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onGap: () => void,
  ): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** Whether missing steps of the schema are applied when a database is opened. */
export interface Opening {
  readonly apply?: boolean;
}

/** PostgreSQL in this process, its files in `directory`. @throws {DataDirectoryLocked} */
export async function openEmbedded(directory: string, opening: Opening = {}): Promise<Database> {
  const lock = lockDirectory(directory);
  try {
    const files = join(directory, 'postgres');
    mkdirSync(files, { recursive: true, mode: 0o700 });
    return await open(await startPGlite(files), () => lock.release(), opening);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** PostgreSQL in this process, gone with it. For tests. */
export async function openInMemory(): Promise<Database> {
  return open(await startPGlite('memory://'), () => {});
}

/** Source: SELECT oid FROM pg_type WHERE typname = 'int8' */
const INT8 = 20;

async function startPGlite(location: string): Promise<PGliteInstance> {
  const { PGlite } = await import('@electric-sql/pglite');
  // Without a parser, int8 comes as number or bigint depending on its size.
  return PGlite.create(location, { parsers: { [INT8]: BigInt } });
}

async function open(pglite: PGliteInstance, onClosed: () => void, opening: Opening = {}): Promise<Database> {
  const query = new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
  try {
    await migrate(query, opening);
  } catch (error) {
    await pglite.close();
    throw error;
  }
  return {
    query,
    longReads: query,
    exclusive: true,
    transaction: work => withRetries(() => query.transaction().execute(work)),
    // In one process nothing is missed, so there is never a gap.
    listen: (channel, onNotify) => pglite.listen(channel, onNotify),
    async close() {
      await query.destroy();
      onClosed();
    },
  };
}

/** The database could not be used; what the caller asked for may be asked again. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  /**
   * `busy`: no connection was free in time. `unreachable`: none could be made. `lost`: one broke before COMMIT, so
   * nothing was done. `outcome_unknown`: one broke at COMMIT, and afterwards nobody could be asked what came of it.
   */
  readonly reason: 'busy' | 'unreachable' | 'lost' | 'outcome_unknown';

  constructor(reason: DatabaseUnavailable['reason'], options?: ErrorOptions) {
    super(`The database cannot be used (${reason}).`, options);
    this.reason = reason;
  }
}

/** serialization_failure, deadlock_detected, lock_not_available: nothing was done, doing it again is right. */
const AGAIN = new Set(['40001', '40P01', '55P03']);
const ATTEMPTS = 5;
/** Doubled with each attempt, and a matter of chance, so that two that met do not meet again. */
const FIRST_PAUSE_MS = 5;

/** Runs `work` again while the database says that nothing happened and that trying again may succeed. */
export async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !nothingHappened(error)) {
        throw error;
      }
      await pause(Math.random() * FIRST_PAUSE_MS * 2 ** attempt);
    }
  }
}

function nothingHappened(error: unknown): boolean {
  return error instanceof DatabaseUnavailable ? error.reason === 'lost' : AGAIN.has(sqlState(error) ?? '');
}
