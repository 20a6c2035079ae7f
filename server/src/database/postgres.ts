// PostgreSQL of its own, reached by DATABASE_URL: for several server processes at once, and for what outlasts a machine.
import { setTimeout as pause } from 'node:timers/promises';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import pg from 'pg';
import { Bell, type Warnings } from './bell.ts';
import {
  type Database,
  DatabaseUnavailable,
  type Opening,
  type Query,
  type Tx,
  withRetries,
} from './database.ts';
import { migrate } from './migrate.ts';
import { sqlState } from './sqlState.ts';
import type { Tables } from './tables.ts';

export interface PostgresConfig {
  /** With the password: never to be logged. */
  readonly url: string;
  readonly applicationName: string;
  /** Connections of this process, besides one for the bell and one for long reads. */
  readonly poolSize: number;
  /** How long a request waits for a connection before it is told to come back. */
  readonly poolWaitMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** For a transaction whose process has stopped asking. */
  readonly idleInTransactionTimeoutMs: number;
}

/** A pool's queue is never longer than this many times its size: more could not be served in time anyway (F68). */
const WAITING_PER_CONNECTION = 50;

/** @throws {DatabaseUnavailable} */
export async function openPostgres(
  config: PostgresConfig,
  log: Warnings,
  opening: Opening = {},
): Promise<Database> {
  const short = startPool(config, log, {
    max: config.poolSize,
    statement_timeout: config.statementTimeoutMs,
    lock_timeout: config.lockTimeoutMs,
    idle_in_transaction_session_timeout: config.idleInTransactionTimeoutMs,
    // The last resort when the network is gone: the server's own timeout cannot reach us then.
    query_timeout: config.statementTimeoutMs + 5_000,
  });
  const long = startPool(config, log, { max: 1 });
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: short }) });
  const longReads = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: long }) });
  const bell = new Bell({ ...connectionOf(config), application_name: `${config.applicationName} bell` }, log);
  const close = async () => {
    await bell.close();
    await query.destroy();
    await longReads.destroy();
  };
  try {
    await longReads.connection().execute(connection => migrateOneAtATime(connection, opening));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    query,
    longReads,
    exclusive: false,
    transaction: work => withRetries(() => inTransaction(query, work)),
    listen: (channel, onNotify, onGap) => bell.listen(channel, onNotify, onGap),
    close,
  };
}

/** Any number that no other program on this database uses. */
const MIGRATION_LOCK = 4310_20260101n;

/** Several processes may start at once: one brings the schema up to date, the others wait and find it done. */
async function migrateOneAtATime(connection: Query, opening: Opening): Promise<void> {
  await sql`select pg_advisory_lock(${sql.lit(MIGRATION_LOCK)})`.execute(connection);
  try {
    await migrateInTurn(connection, opening);
  } finally {
    await sql`select pg_advisory_unlock(${sql.lit(MIGRATION_LOCK)})`.execute(connection);
  }
}

/** ms. A step that waits for a table lets nobody else have it: servers at work would stand still behind it. */
const WAITS_FOR_TABLE_MS = 2_000;
const TRIES = 60;
const PAUSE_MS = 1_000;

/** Beside long reads: gives way to those who wait behind it, and tries again for some minutes. */
async function migrateInTurn(connection: Query, opening: Opening): Promise<void> {
  await sql`set lock_timeout = ${sql.lit(WAITS_FOR_TABLE_MS)}`.execute(connection);
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await migrate(connection, opening);
      } catch (error) {
        if (sqlState(error) !== LOCK_NOT_AVAILABLE || tries === TRIES) {
          throw error;
        }
        await pause(PAUSE_MS);
      }
    }
  } finally {
    await sql`reset lock_timeout`.execute(connection);
  }
}

/** Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const LOCK_NOT_AVAILABLE = '55P03';

/** A connection broke while COMMIT was under way: done or not, only the database knows (F66). */
class CommitUnknown extends Error {
  override readonly name = 'CommitUnknown';
  /** The transaction's number, by which a later connection can ask. */
  readonly transactionId: string;

  constructor(transactionId: string, options: ErrorOptions) {
    super('A connection broke at COMMIT.', options);
    this.transactionId = transactionId;
  }
}

async function inTransaction<T>(query: Query, work: (tx: Tx) => Promise<T>): Promise<T> {
  let finished: { readonly result: T } | undefined;
  try {
    return await query.transaction().execute(async tx => {
      finished = { result: await work(tx) };
      return finished.result;
    });
  } catch (error) {
    if (!(error instanceof CommitUnknown) || finished === undefined) {
      throw error;
    }
    if (await wasCommitted(query, error)) {
      return finished.result;
    }
    throw new DatabaseUnavailable('lost', { cause: error });
  }
}

const ASK_AGAIN_AFTER_MS = [0, 50, 200, 500, 1_000];

/**
 * Asks for a transaction by its number, until it is over and a connection can be had.
 * Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
async function wasCommitted(query: Query, unknown: CommitUnknown): Promise<boolean> {
  for (const ms of ASK_AGAIN_AFTER_MS) {
    await pause(ms);
    try {
      const { rows } = await sql<{ status: string | null }>`
        select pg_xact_status(${unknown.transactionId}::text::xid8) as status`.execute(query);
      const status = rows[0]?.status;
      if (status === 'committed' || status === 'aborted') {
        return status === 'committed';
      }
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) {
        throw new DatabaseUnavailable('outcome_unknown', { cause: error });
      }
    }
  }
  throw new DatabaseUnavailable('outcome_unknown', { cause: unknown });
}

/** Source: SELECT oid FROM pg_type WHERE typname = 'int8' */
const INT8 = 20;

function connectionOf(config: PostgresConfig): pg.ClientConfig {
  return {
    connectionString: config.url,
    connectionTimeoutMillis: config.poolWaitMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: {
      // Balances are bigint, here only: the parsers of `pg` itself are shared with whoever else uses it.
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? BigInt : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
}

/** A pool as Kysely wants it, whose failures say what they are. */
function startPool(config: PostgresConfig, log: Warnings, limits: pg.PoolConfig): PostgresPool {
  const pool = new pg.Pool({
    ...connectionOf(config),
    application_name: config.applicationName,
    ...limits,
  });
  // An idle connection that breaks is replaced when the next one is needed.
  pool.on('error', error => log.warn({ err: error }, 'an idle database connection broke'));
  const size = pool.options.max;
  return {
    options: {},
    end: () => pool.end(),
    async connect() {
      if (pool.waitingCount >= size * WAITING_PER_CONNECTION) {
        throw new DatabaseUnavailable('busy');
      }
      try {
        // Kysely's type also knows cursors, which are not used here.
        return new Connection(await pool.connect()) as unknown as PostgresPoolClient;
      } catch (error) {
        // A connection that could not be made no longer counts; those that others hold do.
        const taken = sqlState(error) === undefined && pool.totalCount >= size;
        throw new DatabaseUnavailable(taken ? 'busy' : 'unreachable', { cause: error });
      }
    },
  };
}

/** One loan of a pooled connection: knows when it broke, and whether that was at COMMIT. */
class Connection {
  readonly #client: pg.PoolClient;
  #transactionId: string | undefined;
  /** What broke it. */
  #end: unknown;

  constructor(client: pg.PoolClient) {
    this.#client = client;
    // Without a listener a connection that breaks between two queries would end the process.
    client.on('error', this.#onError);
  }

  readonly #onError = (error: unknown) => {
    this.#end = error;
  };

  async query(text: string, parameters: readonly unknown[] = []): Promise<Answer> {
    if (text === 'rollback' && this.#end !== undefined) {
      return done('ROLLBACK'); // By the database, when the connection broke.
    }
    try {
      if (text === 'begin') {
        // In one journey: a transaction knows its number from the start, to be asked for if COMMIT breaks.
        const answers = (await this.#client.query(
          'begin; select pg_current_xact_id()::text as id',
        )) as unknown as Array<pg.QueryResult<{ id: string }>>;
        this.#transactionId = answers[1]?.rows[0]?.id;
        return done('BEGIN');
      }
      // Without parameters there is little to plan: BEGIN, COMMIT and the like.
      const name = parameters.length > 0 ? statementName(text) : undefined;
      return await this.#client.query({ text, values: [...parameters], ...(name !== undefined && { name }) });
    } catch (error) {
      if (!this.#isEnd(error)) {
        throw error;
      }
      this.#end = error;
      throw text === 'commit' && this.#transactionId !== undefined
        ? new CommitUnknown(this.#transactionId, { cause: error })
        : new DatabaseUnavailable('lost', { cause: error });
    }
  }

  release(destroy = false): void {
    this.#client.off('error', this.#onError);
    this.#client.release(destroy || this.#end !== undefined);
  }

  /** An error that is not the database's own answer, or its last one. */
  #isEnd(error: unknown): boolean {
    return (
      this.#end !== undefined ||
      sqlState(error) === undefined ||
      (error instanceof pg.DatabaseError && (error.severity === 'FATAL' || error.severity === 'PANIC'))
    );
  }
}

/** Statements that a connection plans once and then knows by name; what is beyond the limit is planned each time. */
const statementNames = new Map<string, string>();
const MOST_STATEMENTS = 500;

/**
 * Planning costs more than running for most of what a request asks. A statement that asks for all columns stays
 * unnamed: a migration beside a running server would change what it returns, which PostgreSQL refuses.
 */
function statementName(text: string): string | undefined {
  const known = statementNames.get(text);
  if (known !== undefined || statementNames.size >= MOST_STATEMENTS || text.includes('*')) {
    return known;
  }
  const name = `credits_${statementNames.size}`;
  statementNames.set(text, name);
  return name;
}

type Answer = Pick<pg.QueryResult, 'command' | 'rowCount' | 'rows'>;

const done = (command: string): Answer => ({ command, rowCount: 0, rows: [] });
