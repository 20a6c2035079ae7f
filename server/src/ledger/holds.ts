// Holds: credits set aside for a request that is running, so that no other can spend them. They leave their grants for
// accounts of their own ('hold:<grant>'), where expiry does not reach them, and come back or are used in the end.
import { type Selectable, sql } from 'kysely';
import type { Tx } from '../database/database.ts';
import type { Tables } from '../database/tables.ts';
import { RequestRefused } from '../problems.ts';
import { readBalance } from './balance.ts';
import { refuseBeyondBudgets } from './budgets.ts';
import { burn, type Entry, fallsDue, lesserOf, owed, post } from './posting.ts';

export type HoldRow = Selectable<Tables['holds']>;

export interface NewHold {
  /** The caller's own; one id is one hold, for ever. */
  readonly holdId: string;
  readonly amountUcr: bigint;
  readonly expiresInS: number;
  readonly userId: string | undefined;
  readonly model: string | undefined;
  readonly actor: string;
}

export interface HoldChange {
  readonly hold: HoldRow;
  /** True when this had been done before; nothing was changed now. */
  readonly duplicate: boolean;
}

export const findHold = (tx: Tx, orgId: string, holdId: string): Promise<HoldRow | undefined> =>
  tx
    .selectFrom('holds')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('hold_id', '=', holdId)
    .executeTakeFirst();

/** @throws {RequestRefused} insufficient_credits or budget_exceeded: what is on hold must really be there, and allowed. */
export async function placeHold(tx: Tx, orgId: string, wish: NewHold, now: Date): Promise<HoldChange> {
  const before = await findHold(tx, orgId, wish.holdId);
  if (before) {
    if (before.amount_ucr !== wish.amountUcr || before.expires_in_s !== wish.expiresInS) {
      throw new RequestRefused('idempotency_key_reused', {
        errors: [{ pointer: '/hold_id', code: 'used_for_another_hold' }],
      });
    }
    return { hold: before, duplicate: true };
  }
  if ((await readBalance(tx, orgId, now)).availableUcr < wish.amountUcr) {
    throw new RequestRefused('insufficient_credits');
  }
  if (wish.userId !== undefined) {
    await refuseBeyondBudgets(tx, orgId, wish.userId, wish.amountUcr, now);
  }
  const entries: Entry[] = [];
  for (const { account: grantId, amountUcr } of await burn(tx, orgId, wish.amountUcr, now)) {
    // What is available covers it, so nothing of it is owed.
    if (grantId !== 'debt') {
      entries.push(
        { account: grantId, amountUcr },
        { account: await openHoldAccount(tx, orgId, grantId), amountUcr: -amountUcr },
      );
    }
  }
  const version = await post(tx, orgId, {
    type: 'hold',
    source: { type: 'hold', id: wish.holdId },
    actor: wish.actor,
    effectiveAt: now,
    bookedAt: now,
    entries,
  });
  const expiresAt = new Date(now.getTime() + wish.expiresInS * 1_000);
  const hold = await tx
    .insertInto('holds')
    .values({
      org_id: orgId,
      hold_id: wish.holdId,
      status: 'open',
      amount_ucr: wish.amountUcr,
      used_ucr: null,
      user_id: wish.userId ?? null,
      model: wish.model ?? null,
      version,
      created_at: now,
      expires_in_s: wish.expiresInS,
      expires_at: expiresAt,
      closed_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await fallsDue(tx, orgId, expiresAt);
  return { hold, duplicate: false };
}

/** The account of what is on hold of a grant. */
async function openHoldAccount(tx: Tx, orgId: string, grantId: string): Promise<string> {
  const account = `hold:${grantId}`;
  await sql`
    insert into accounts (org_id, account_id, kind, grant_id, floor_ucr, ceiling_ucr)
      select org_id, ${account}, 'hold', grant_id, 0, granted_ucr from grants
        where org_id = ${orgId} and grant_id = ${grantId}
      on conflict do nothing`.execute(tx);
  return account;
}

export type Ending = { readonly actor: string; readonly effectiveAt: Date; readonly bookedAt: Date } & (
  | { readonly status: 'released' | 'expired' }
  | { readonly status: 'finalized'; readonly usedUcr: bigint }
);

/**
 * Uses what was used and gives the rest back: to debt first, then to its grant, or to breakage when that has expired
 * meanwhile, so that credits which were on hold while others became debt are not taken twice. Usage beyond the hold is
 * taken like any other. A hold that had expired has nothing left to give.
 */
export async function endHold(tx: Tx, hold: HoldRow, ending: Ending): Promise<HoldRow> {
  const { org_id: orgId, hold_id: holdId } = hold;
  const usedUcr = ending.status === 'finalized' ? ending.usedUcr : 0n;
  const entries: Entry[] = [{ account: 'usage', amountUcr: usedUcr }];
  let toUseUcr = usedUcr;
  let owedUcr = await owed(tx, orgId);
  for (const part of hold.status === 'open' ? await partsOf(tx, hold) : []) {
    const nowUsedUcr = lesserOf(part.amount_ucr, toUseUcr);
    toUseUcr -= nowUsedUcr;
    const backUcr = part.amount_ucr - nowUsedUcr;
    entries.push({ account: part.account_id, amountUcr: -part.amount_ucr });
    const paidBackUcr = lesserOf(owedUcr, backUcr);
    owedUcr -= paidBackUcr;
    entries.push({ account: 'debt', amountUcr: paidBackUcr });
    const isOver = part.expires_at !== null && part.expires_at <= ending.effectiveAt;
    entries.push({ account: isOver ? 'breakage' : part.grant_id, amountUcr: backUcr - paidBackUcr });
    if (part.expires_at && !isOver) {
      // A grant that was empty is not among what falls due next.
      await fallsDue(tx, orgId, part.expires_at);
    }
  }
  entries.push(...(await burn(tx, orgId, toUseUcr, ending.effectiveAt)));
  // Nothing moves when a hold that had expired turns out to have used nothing.
  if (entries.some(({ amountUcr }) => amountUcr !== 0n)) {
    const version = await post(tx, orgId, {
      type: ending.status === 'finalized' ? 'usage' : 'release',
      source: { type: 'hold', id: holdId },
      actor: ending.actor,
      effectiveAt: ending.effectiveAt,
      bookedAt: ending.bookedAt,
      entries,
    });
    if (usedUcr > 0n) {
      await tx
        .insertInto('usage_events')
        .values({
          org_id: orgId,
          source_type: 'hold',
          event_id: holdId,
          version,
          amount_ucr: usedUcr,
          user_id: hold.user_id,
          model: hold.model,
          created_at: ending.effectiveAt,
        })
        .execute();
    }
  }
  return tx
    .updateTable('holds')
    .set({
      status: ending.status,
      closed_at: ending.effectiveAt,
      used_ucr: ending.status === 'finalized' ? usedUcr : null,
    })
    .where('org_id', '=', orgId)
    .where('hold_id', '=', holdId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** What of which grant a hold holds, in burn order: the entries of its own transaction say so. */
function partsOf(tx: Tx, hold: HoldRow) {
  return tx
    .selectFrom('ledger_entries as e')
    .innerJoin('accounts as a', join =>
      join.onRef('a.org_id', '=', 'e.org_id').onRef('a.account_id', '=', 'e.account_id'),
    )
    .innerJoin('grants as g', join =>
      join.onRef('g.org_id', '=', 'a.org_id').onRef('g.grant_id', '=', 'a.grant_id'),
    )
    .select(['a.account_id', 'g.grant_id', 'g.expires_at', 'e.amount_ucr'])
    .where('e.org_id', '=', hold.org_id)
    .where('e.version', '=', hold.version)
    .where('a.kind', '=', 'hold')
    .orderBy(({ case: when, ref }) =>
      when(ref('g.kind')).when('included').then(0).when('promotional').then(1).else(2).end(),
    )
    .orderBy('g.expires_at', order => order.asc().nullsLast())
    .orderBy('g.grant_id')
    .execute();
}
