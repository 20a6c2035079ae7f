// Whether the database still has what its migrations made: the ledger's rules live there, so without them nothing is served.
import { type Kysely, sql } from 'kysely';

/** The database is not as its recorded migrations left it; a person must look before anything is written (F70). */
export class SchemaBroken extends Error {
  override readonly name = 'SchemaBroken';
  readonly faults: readonly string[];

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(`The database is not as its migrations leave it: ${faults.join('; ')}.`, options);
    this.faults = faults;
  }
}

/** What a statement of a migration makes or takes away. Anything else of it (columns, renames) is not looked at. */
const made: ReadonlyArray<readonly [kind: string, pattern: RegExp]> = [
  ['table', /\bcreate table (?:if not exists )?(\w+)/g],
  ['index', /\bcreate (?:unique )?index (?:if not exists )?(\w+)/g],
  ['function', /\bcreate (?:or replace )?function (\w+)/g],
  ['trigger', /\bcreate (?:constraint )?trigger (\w+)\s[\s\S]*?\bon (\w+)/g],
  ['constraint', /\bconstraint (\w+) (?:unique|check|primary|foreign)\b/g],
];
const taken: ReadonlyArray<readonly [kind: string, pattern: RegExp]> = [
  ['table', /\bdrop table (?:if exists )?(\w+)/g],
  ['index', /\bdrop index (?:if exists )?(\w+)/g],
  ['function', /\bdrop function (?:if exists )?(\w+)/g],
  ['trigger', /\bdrop trigger (?:if exists )?(\w+) on (\w+)/g],
  ['constraint', /\bdrop constraint (?:if exists )?(\w+)/g],
];

/** `table outbox`, `trigger append_only on ledger_entries`, …, as these statements leave them. */
export function expectedOf(statements: readonly string[]): Set<string> {
  const expected = new Set<string>();
  for (const statement of statements) {
    for (const name of found(taken, statement)) {
      expected.delete(name);
    }
    for (const name of found(made, statement)) {
      expected.add(name);
    }
  }
  return expected;
}

function* found(patterns: typeof made, statement: string): Iterable<string> {
  for (const [kind, pattern] of patterns) {
    for (const [, name, table] of statement.matchAll(pattern)) {
      yield table === undefined ? `${kind} ${name}` : `${kind} ${name} on ${table}`;
    }
  }
}

/** @throws {SchemaBroken} when something is missing, or a trigger is switched off. */
// biome-ignore lint/suspicious/noExplicitAny: it looks at the catalogue, not at our tables
export async function checkSchema(database: Kysely<any>, statements: readonly string[]): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    with here as (select oid from pg_namespace where nspname = current_schema())
    select 'table ' || relname as name from pg_class, here
      where relnamespace = here.oid and relkind in ('r', 'p')
    union all
    select 'index ' || c.relname from pg_class c join pg_index i on i.indexrelid = c.oid, here
      where c.relnamespace = here.oid and i.indisvalid
    union all
    select 'function ' || proname from pg_proc, here where pronamespace = here.oid
    union all
    select 'trigger ' || t.tgname || ' on ' || c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid, here
      where c.relnamespace = here.oid and not t.tgisinternal and t.tgenabled <> 'D'
    union all
    select 'constraint ' || conname from pg_constraint, here where connamespace = here.oid and convalidated`.execute(
    database,
  );
  const present = new Set(rows.map(row => row.name));
  const missing = [...expectedOf(statements)].filter(name => !present.has(name));
  if (missing.length > 0) {
    throw new SchemaBroken(missing.map(name => `${name} is missing or off`));
  }
}
