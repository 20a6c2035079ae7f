// Brings a database to this version's schema, step by step, and refuses one that a newer version has changed.
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { ledgerSchema } from './migrations/0001_ledger.ts';
import { purchasesSchema } from './migrations/0002_purchases.ts';
import { ledgerRulesSchema } from './migrations/0003_ledger_rules.ts';

/** In order, for ever: a step that has been released is never edited, only followed by another. */
const migrations: Record<string, Migration> = {
  '0001_ledger': statements(ledgerSchema),
  '0002_purchases': statements(purchasesSchema),
  '0003_ledger_rules': statements(ledgerRulesSchema),
};

export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
  readonly unknownSteps: readonly string[];

  constructor(unknownSteps: readonly string[]) {
    super(`The database was changed by a newer version of this server (${unknownSteps.join(', ')}).`);
    this.unknownSteps = unknownSteps;
  }
}

/** @throws {SchemaTooNew} before anything is written. */
// biome-ignore lint/suspicious/noExplicitAny: the migrator works on a database whose tables it does not know yet
export async function migrate(database: Kysely<any>): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations } });
  const unknownSteps = (await appliedSteps(database)).filter(name => !(name in migrations));
  if (unknownSteps.length > 0) {
    throw new SchemaTooNew(unknownSteps);
  }
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw error;
  }
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

function statements(texts: readonly string[]): Migration {
  return {
    async up(database) {
      for (const text of texts) {
        await sql.raw(text).execute(database);
      }
    },
  };
}
