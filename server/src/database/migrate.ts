// Brings a database to this version's schema, step by step, and refuses one that a newer version has changed.
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { ledgerSchema } from './migrations/0001_ledger.ts';
import { purchasesSchema } from './migrations/0002_purchases.ts';
import { ledgerRulesSchema } from './migrations/0003_ledger_rules.ts';
import { paymentsSchema } from './migrations/0004_payments.ts';
import { identitySchema } from './migrations/0005_identity.ts';
import { organisationSchema } from './migrations/0006_organisation.ts';
import { missedNewsSchema } from './migrations/0007_missed_news.ts';
import { postingSchema } from './migrations/0008_posting.ts';
import { budgetResetsSchema } from './migrations/0009_budget_resets.ts';
import { lostSessionsSchema } from './migrations/0010_lost_sessions.ts';
import { checkSchema, SchemaBroken } from './schema.ts';
import { sqlState } from './sqlState.ts';

interface Step extends Migration {
  readonly texts: readonly string[];
}

/** In order, for ever: a step that has been released is never edited, only followed by another. */
const migrations: Record<string, Step> = {
  '0001_ledger': statements(ledgerSchema),
  '0002_purchases': statements(purchasesSchema),
  '0003_ledger_rules': statements(ledgerRulesSchema),
  '0004_payments': statements(paymentsSchema),
  '0005_identity': statements(identitySchema),
  '0006_organisation': statements(organisationSchema),
  '0007_missed_news': statements(missedNewsSchema),
  '0008_posting': statements(postingSchema),
  '0009_budget_resets': statements(budgetResetsSchema),
  '0010_lost_sessions': statements(lostSessionsSchema),
};

export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
  readonly unknownSteps: readonly string[];

  constructor(unknownSteps: readonly string[]) {
    super(`The database was changed by a newer version of this server (${unknownSteps.join(', ')}).`);
    this.unknownSteps = unknownSteps;
  }
}

/** For commands that must not change the schema. */
export class SchemaBehind extends Error {
  override readonly name = 'SchemaBehind';
}

/**
 * Applies what is missing, all of it or nothing, and then looks whether the database is as it should be. Doing it twice
 * is doing it once. With `apply: false` it only looks.
 * @throws {SchemaTooNew} before anything is written.
 * @throws {SchemaBroken} when the database differs from what its recorded steps made.
 * @throws {SchemaBehind} when steps are missing that were not to be applied.
 */
export async function migrate(
  // biome-ignore lint/suspicious/noExplicitAny: the migrator works on a database whose tables it does not know yet
  database: Kysely<any>,
  { apply = true }: { apply?: boolean } = {},
): Promise<void> {
  const names = Object.keys(migrations);
  const applied = await appliedSteps(database);
  const unknownSteps = applied.filter(name => !names.includes(name));
  if (unknownSteps.length > 0) {
    throw new SchemaTooNew(unknownSteps);
  }
  const skipped = names.slice(0, applied.length).filter(name => !applied.includes(name));
  if (skipped.length > 0) {
    throw new SchemaBroken(skipped.map(name => `step ${name} is not recorded, a later one is`));
  }
  if (applied.length < names.length) {
    if (!apply) {
      throw new SchemaBehind('The database is behind this version of the server.');
    }
    await applySteps(database);
  }
  await checkSchema(
    database,
    Object.values(migrations).flatMap(({ texts }) => texts),
  );
}

/** Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const INSUFFICIENT_PRIVILEGE = '42501';

/** All in one transaction, so that a crash leaves the database as it was. */
// biome-ignore lint/suspicious/noExplicitAny: see above
async function applySteps(database: Kysely<any>): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) {
    return;
  }
  if (sqlState(error) === INSUFFICIENT_PRIVILEGE) {
    throw new SchemaBehind(
      'The database is behind this version of the server, and this role may not change it.',
      { cause: error },
    );
  }
  // Class 42: what a step wants to make is there already, or what it builds on is not.
  if (sqlState(error)?.startsWith('42')) {
    const step = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'a step';
    const why = error instanceof Error ? error.message : '';
    throw new SchemaBroken([`${step} does not fit what is there (${why})`], { cause: error });
  }
  throw error;
}

// biome-ignore lint/suspicious/noExplicitAny: see above
async function appliedSteps(database: Kysely<any>): Promise<string[]> {
  const found = await sql<{ present: boolean }>`
    select to_regclass('kysely_migration') is not null as present`.execute(database);
  if (!found.rows[0]?.present) {
    return [];
  }
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(
    database,
  );
  return rows.map(row => row.name);
}

function statements(texts: readonly string[]): Step {
  return {
    texts,
    async up(database) {
      for (const text of texts) {
        await sql.raw(text).execute(database);
      }
    },
  };
}
