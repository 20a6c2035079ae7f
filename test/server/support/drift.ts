// A kept balance that differs from its entries.
import { sql } from 'kysely';
import type { House, Org } from './house.ts';

/** Behind the ledger's back, as a bad restore or a person with a database client would. */
export const drift = (house: House, org: Org, change = 1_000_000n): Promise<void> =>
  house.database.transaction(async tx => {
    await sql`alter table accounts disable trigger only_by_entries`.execute(tx);
    await tx
      .updateTable('accounts')
      .set(row => ({ balance_ucr: row('balance_ucr', '-', change) }))
      .where('org_id', '=', org.id)
      .where('kind', '=', 'grant')
      .execute();
    await sql`alter table accounts enable trigger only_by_entries`.execute(tx);
  });
