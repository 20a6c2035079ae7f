// What time does to credits: expiry, holds nobody came back for, and a plan's next period, each posted as of the moment
// it fell due, in the order of these moments, however late anyone looks.
import { sql } from 'kysely';
import type { Tx } from '../database/database.ts';
import { endHold } from './holds.ts';
import { beginPeriod } from './plan.ts';
import {
  findTransaction,
  inBurnOrder,
  lesserOf,
  lockOrganisation,
  owed,
  post,
  tellBalance,
} from './posting.ts';

/** Locks the organisation and posts whatever is due, once. True when something was posted. */
export async function settle(tx: Tx, orgId: string, now: Date): Promise<boolean> {
  const { nextDueAt, version: before } = await lockOrganisation(tx, orgId);
  if (nextDueAt === null || nextDueAt > now) {
    return false;
  }
  let due = await nextDue(tx, orgId);
  for (; due && due <= now; due = await nextDue(tx, orgId)) {
    const unusedUcr = await expireGrants(tx, orgId, due, now);
    await expireHolds(tx, orgId, due, now);
    await beginPeriod(tx, orgId, due, unusedUcr, now);
  }
  const { version: after } = await tx
    .updateTable('organisations')
    .set({ next_due_at: due })
    .where('org_id', '=', orgId)
    .returning('version')
    .executeTakeFirstOrThrow();
  if (after !== before) {
    await tellBalance(tx, orgId, now);
  }
  return after !== before;
}

async function nextDue(tx: Tx, orgId: string): Promise<Date | null> {
  const { rows } = await sql<{ due: Date | null }>`
    select least(
      (select min(g.expires_at) from accounts a join grants g on g.org_id = a.org_id and g.grant_id = a.account_id
        where a.org_id = ${orgId} and a.balance_ucr <> 0 and a.kind = 'grant'),
      (select min(expires_at) from holds where org_id = ${orgId} and status = 'open'),
      (select next_period_start from plans where org_id = ${orgId} and active)
    ) as due`.execute(tx);
  return rows[0]?.due ?? null;
}

/**
 * What is left of a grant at its end pays what is owed, as it would have on its way in, and the rest goes to breakage:
 * credits that a debt kept from being used are not taken twice. Tells how much of the rest a plan had included.
 */
async function expireGrants(tx: Tx, orgId: string, due: Date, now: Date): Promise<bigint> {
  const expired = await tx
    .selectFrom('accounts')
    .innerJoin('grants', join =>
      join
        .onRef('grants.org_id', '=', 'accounts.org_id')
        .onRef('grants.grant_id', '=', 'accounts.account_id'),
    )
    .select(['grants.grant_id', 'grants.kind', 'grants.expires_at', 'accounts.balance_ucr'])
    .where('accounts.org_id', '=', orgId)
    .where('accounts.kind', '=', 'grant')
    .where('accounts.balance_ucr', '<>', 0n)
    .where('grants.expires_at', '<=', due)
    .orderBy(inBurnOrder)
    .orderBy('grants.grant_id')
    .execute();
  let includedUcr = 0n;
  for (const { grant_id, kind, expires_at, balance_ucr } of expired) {
    const paidBackUcr = lesserOf(await owed(tx, orgId), balance_ucr);
    const unusedUcr = balance_ucr - paidBackUcr;
    await post(tx, orgId, {
      type: 'expiry',
      source: await expiryOf(tx, orgId, grant_id),
      actor: 'ledger',
      effectiveAt: expires_at ?? due,
      bookedAt: now,
      entries: [
        { account: grant_id, amountUcr: -balance_ucr },
        { account: 'debt', amountUcr: paidBackUcr },
        { account: 'breakage', amountUcr: unusedUcr },
      ],
    });
    includedUcr += kind === 'included' ? unusedUcr : 0n;
  }
  return includedUcr;
}

/** A grant expires once; only credits that a later transaction gave back to it expire again, under a name of their own. */
async function expiryOf(tx: Tx, orgId: string, grantId: string) {
  for (let again = 1; ; again++) {
    const source =
      again === 1 ? { type: 'grant', id: grantId } : { type: 'grant', id: `${grantId}/${again}` };
    if ((await findTransaction(tx, orgId, 'expiry', source)) === undefined) {
      return source;
    }
  }
}

async function expireHolds(tx: Tx, orgId: string, due: Date, now: Date): Promise<void> {
  const expired = await tx
    .selectFrom('holds')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('status', '=', 'open')
    .where('expires_at', '<=', due)
    .orderBy('expires_at')
    .orderBy('hold_id')
    .execute();
  for (const hold of expired) {
    await endHold(tx, hold, {
      status: 'expired',
      actor: 'ledger',
      effectiveAt: hold.expires_at,
      bookedAt: now,
    });
  }
}
