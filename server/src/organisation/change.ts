// A change to an organisation, by somebody who still may make it when it is made.
import { type LetIn, recheck } from '../access.ts';
import type { Database, Tx } from '../database/database.ts';
import { takeTurn } from '../ledger/ledger.ts';

/**
 * Works in a transaction that holds the organisation's lock, with the role that the member has in it.
 *
 * @throws {RequestRefused} org_not_found, insufficient_role
 */
export function change<T>(
  database: Database,
  member: LetIn,
  work: (tx: Tx, member: LetIn) => Promise<T>,
): Promise<T> {
  return database.transaction(async tx => {
    await takeTurn(tx, member.orgId);
    return work(tx, { ...member, role: await recheck(tx, member, member.action) });
  });
}
