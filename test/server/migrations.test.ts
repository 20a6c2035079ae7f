// Start-up on databases in odd states: served only when the rules that the migrations made are all there.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { migrate, SchemaTooNew } from '../../server/src/database/migrate.ts';
import { checkSchema, expectedOf, SchemaBroken } from '../../server/src/database/schema.ts';
import { sharedDatabase } from './support/databases.ts';

describe('the schema', () => {
  const undo = new Error('undone');

  /** Runs `work` on the shared database and takes everything back. */
  const inPassing = async (work: (tx: Parameters<typeof migrate>[0]) => Promise<void>): Promise<void> => {
    const { query } = await sharedDatabase();
    const done = query.transaction().execute(async tx => {
      await work(tx);
      throw undo;
    });
    await done.catch(error => {
      if (error !== undo) {
        throw error;
      }
    });
  };

  it('F70 is brought up to date twice with the same result', () =>
    inPassing(async tx => {
      await migrate(tx);
      await migrate(tx);
      await migrate(tx, { apply: false });
    }));

  it('F70 is refused when a newer version has changed it', () =>
    inPassing(async tx => {
      await sql`insert into kysely_migration values ('9999_later', 'now')`.execute(tx);
      await assert.rejects(migrate(tx), SchemaTooNew);
    }));

  it('F70 is refused when a step is not recorded and a later one is', () =>
    inPassing(async tx => {
      await sql`delete from kysely_migration where name = '0001_ledger'`.execute(tx);
      await assert.rejects(migrate(tx), SchemaBroken);
    }));

  const damages: ReadonlyArray<readonly [name: string, fault: RegExp, damage: string]> = [
    ['a table', /table stripe_events/, 'drop table stripe_events'],
    ['an index', /index purchases_by_session/, 'drop index purchases_by_session'],
    [
      'the append-only rule',
      /trigger append_only on ledger_entries/,
      'drop trigger append_only on ledger_entries',
    ],
    [
      'a rule that was switched off',
      /trigger sums_to_zero on ledger_entries/,
      'alter table ledger_entries disable trigger sums_to_zero',
    ],
    [
      'the one key that makes credits exactly once',
      /constraint one_transaction_per_source/,
      'alter table ledger_transactions drop constraint one_transaction_per_source',
    ],
  ];
  for (const [name, fault, damage] of damages) {
    it(`F70 is refused when it is half there: ${name}`, () =>
      inPassing(async tx => {
        await sql.raw(damage).execute(tx);
        await assert.rejects(
          migrate(tx),
          error => error instanceof SchemaBroken && fault.test(error.message),
        );
      }));
  }

  it('knows what statements make and what later ones take away', () => {
    const expected = expectedOf([
      'create table a (id int, constraint one unique (id))',
      'create unique index if not exists a_by_id on a (id)',
      'create constraint trigger t after insert on a deferrable for each row execute function f()',
      'create or replace function f() returns trigger',
      'alter table a drop constraint one, add constraint two check (id > 0)',
      'drop index a_by_id',
    ]);
    assert.deepEqual(expected, new Set(['table a', 'trigger t on a', 'function f', 'constraint two']));
  });

  it('is as its migrations left it', async () => {
    const { query } = await sharedDatabase();
    await migrate(query, { apply: false });
    await assert.rejects(checkSchema(query, ['create table never_made (id int)']), /table never_made/);
  });
});
