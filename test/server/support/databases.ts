// Which database the tests run on, and the PostgreSQL they start for themselves: one for all tests of the process.
import { type Postgres, startPostgres } from '../../../scripts/support/postgres.ts';
import { type Database, openInMemory } from '../../../server/src/database/database.ts';
import { openPostgres, type PostgresConfig } from '../../../server/src/database/postgres.ts';

export const onPostgres = process.env['CREDITS_TEST_DATABASE'] === 'postgres';

let starting: Promise<Postgres> | undefined;
let count = 0;

/** The URL of an empty database. */
export async function freshDatabase(): Promise<string> {
  starting ??= startPostgres({ fsync: false });
  return (await starting).createDatabase(`credits_${++count}`);
}

let opening: Promise<Database> | undefined;

/** The one that all tests share, each with organisations of its own. */
export function sharedDatabase(): Promise<Database> {
  opening ??= emptyDatabase();
  return opening;
}

/** Closed by whoever asks for it. */
export async function emptyDatabase(): Promise<Database> {
  return onPostgres ? openFor(await freshDatabase()) : openInMemory();
}

export function openFor(url: string, change: Partial<PostgresConfig> = {}): Promise<Database> {
  return openPostgres(postgresConfig(url, change), { warn() {} });
}

after('close the databases', async () => {
  await (await opening)?.close();
  await (await starting)?.stop();
});

export function postgresConfig(url: string, change: Partial<PostgresConfig> = {}): PostgresConfig {
  return {
    url,
    applicationName: 'credits-test',
    poolSize: 10,
    poolWaitMs: 5_000,
    statementTimeoutMs: 15_000,
    lockTimeoutMs: 5_000,
    idleInTransactionTimeoutMs: 15_000,
    ...change,
  };
}
