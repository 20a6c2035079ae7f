// A role for serving that cannot rewrite history: what it may do with each table, given by the tables' owner.
import { sql } from 'kysely';
import type { Query } from './database.ts';

/** Rights are taken from a role before they are given; an owner that lost them could not migrate any more. */
export class OwnerRefused extends Error {
  override readonly name = 'OwnerRefused';

  constructor(role: string) {
    super(`"${role}" owns the tables, so it can rewrite history. Grant to another role, made for serving.`);
  }
}

/**
 * Lets a role read and write what a server reads and writes. Tables that are only ever added to (by their trigger
 * `append_only`) it may only add to, and it never empties a table, so that no fault and no intruder in a server can
 * change a posted entry: the triggers would refuse it, and without the triggers the database still does. To be said again
 * after each migration. Roles are made by whoever looks after the database; this one owns nothing and migrates nothing.
 *
 * @throws {OwnerRefused}
 */
export async function grantTo(query: Query, role: string): Promise<void> {
  const { rows } = await sql<{ name: string; isHistory: boolean; isOwned: boolean }>`
    select c.relname as name, pg_get_userbyid(c.relowner) = ${role} as "isOwned", exists (select from pg_trigger t
      where t.tgrelid = c.oid and t.tgname = 'append_only') as "isHistory"
    from pg_class c
    where c.relnamespace = (select oid from pg_namespace where nspname = current_schema()) and c.relkind in ('r', 'p')
    order by c.relname`.execute(query);
  if (rows.some(({ isOwned }) => isOwned)) {
    throw new OwnerRefused(role);
  }
  const { rows: schemas } = await sql<{ name: string }>`select current_schema() as name`.execute(query);
  await query.transaction().execute(async tx => {
    for (const { name } of schemas) {
      await sql`grant usage on schema ${sql.id(name)} to ${sql.id(role)}`.execute(tx);
      // They do nothing that the role may not do itself; some databases let nobody call what is not granted.
      await sql`grant execute on all functions in schema ${sql.id(name)} to ${sql.id(role)}`.execute(tx);
    }
    for (const { name, isHistory } of rows) {
      const rights = name.startsWith('kysely_')
        ? sql`select`
        : isHistory
          ? sql`select, insert`
          : sql`select, insert, update, delete`;
      await sql`revoke all on ${sql.table(name)} from ${sql.id(role)}`.execute(tx);
      await sql`grant ${rights} on ${sql.table(name)} to ${sql.id(role)}`.execute(tx);
    }
  });
}
