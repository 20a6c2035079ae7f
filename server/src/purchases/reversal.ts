// What refunds and disputes take back of a purchase's credits: always set to what the payment side says in all, never
// added to, so that news may come twice, late and in any order.
import type { Tx } from '../database/database.ts';
import { type Entry, type Ledger, lesserOf, owed } from '../ledger/ledger.ts';
import type { Returned } from './payments.ts';
import type { PurchaseRow } from './purchase.ts';

export interface Reversal {
  /** Taken back for good: refunded, or lost in a dispute. */
  readonly reversedUcr: bigint;
  /** Set aside until a dispute is decided. */
  readonly disputedUcr: bigint;
}

/**
 * The same share of the credits as of the money, tax included, rounded down; all of the money is all of the credits.
 * A dispute is about what is not refunded, so together they never come to more than was credited.
 */
export function reversalOf(creditsUcr: bigint, returned: Returned): Reversal {
  const paid = BigInt(returned.paidMinor);
  const share = (minor: number): bigint =>
    BigInt(minor) >= paid ? creditsUcr : (creditsUcr * BigInt(minor)) / paid;
  const goneMinor = returned.refundedMinor + returned.lostMinor;
  const reversedUcr = share(goneMinor);
  return { reversedUcr, disputedUcr: share(goneMinor + returned.withdrawnMinor) - reversedUcr };
}

/** The actor of what the payment side did by itself. */
export const PAYMENT_PROVIDER = 'payment_provider';

/**
 * Brings the books from what is stored in the purchase to `target`, in one transaction. What a lost dispute had set aside
 * goes straight to the payer. The caller holds the organisation's lock.
 */
export async function reverse(
  tx: Tx,
  ledger: Ledger,
  purchase: PurchaseRow,
  target: Reversal,
): Promise<{ steps: bigint }> {
  const { org_id: orgId, purchase_id: purchaseId, grant_id: grantId, balance_version: version } = purchase;
  if (grantId === null || version === null) {
    throw new Error(`purchase ${purchaseId} has no credits to reverse`);
  }
  const repaidUcr = target.reversedUcr - purchase.reversed_ucr;
  const setAsideUcr = target.disputedUcr - purchase.disputed_ucr;
  if (repaidUcr === 0n && setAsideUcr === 0n) {
    return { steps: purchase.reversal_steps };
  }
  // What fell due comes first: the shares below are worked out from the books as they will be posted to.
  await ledger.settle(tx, orgId);
  const takenUcr = repaidUcr + setAsideUcr;
  const steps = purchase.reversal_steps + 1n;
  const aside =
    setAsideUcr === 0n
      ? []
      : [{ account: await openAside(tx, orgId, grantId, purchase.credits_ucr), amountUcr: setAsideUcr }];
  const own =
    takenUcr > 0n
      ? await taken(tx, orgId, grantId, takenUcr)
      : await givenBack(tx, ledger, orgId, grantId, -takenUcr, target.disputedUcr);
  await moveMeasure(tx, orgId, repaidUcr);
  await ledger.post(tx, orgId, {
    type: repaidUcr !== 0n ? 'refund' : setAsideUcr > 0n ? 'dispute_hold' : 'dispute_release',
    source: { type: 'purchase', id: `${purchaseId}:${steps}` },
    actor: PAYMENT_PROVIDER,
    reversesVersion: version,
    entries: [{ account: 'payments', amountUcr: repaidUcr }, ...aside, ...own],
  });
  return { steps };
}

/** From the purchase's own grant, and what is used already from debt. */
async function taken(tx: Tx, orgId: string, grantId: string, amountUcr: bigint): Promise<Entry[]> {
  const grantPartUcr = lesserOf(amountUcr, await balanceOf(tx, orgId, grantId));
  return [
    { account: grantId, amountUcr: -grantPartUcr },
    { account: 'debt', amountUcr: grantPartUcr - amountUcr },
  ];
}

/**
 * To debt first, then to the purchase's own grant as far as it has room beside what may still come back to it from
 * holds and a dispute. The rest was paid by later credits meanwhile, so it becomes a grant of its own.
 */
async function givenBack(
  tx: Tx,
  ledger: Ledger,
  orgId: string,
  grantId: string,
  amountUcr: bigint,
  disputedUcr: bigint,
): Promise<Entry[]> {
  const debtPartUcr = lesserOf(amountUcr, await owed(tx, orgId));
  const restUcr = amountUcr - debtPartUcr;
  const roomUcr = (await roomOf(tx, orgId, grantId)) - disputedUcr;
  const grantPartUcr = roomUcr > 0n ? lesserOf(restUcr, roomUcr) : 0n;
  const entries = [
    { account: 'debt', amountUcr: debtPartUcr },
    { account: grantId, amountUcr: grantPartUcr },
  ];
  const beyondUcr = restUcr - grantPartUcr;
  if (beyondUcr > 0n) {
    entries.push({ account: await ledger.openPurchased(tx, orgId, beyondUcr), amountUcr: beyondUcr });
  }
  return entries;
}

/** What a grant was granted and has neither free nor on hold. */
async function roomOf(tx: Tx, orgId: string, grantId: string): Promise<bigint> {
  const { granted_ucr, balance_ucr, held_ucr } = await tx
    .selectFrom('grants as g')
    .innerJoin('accounts as a', join =>
      join.onRef('a.org_id', '=', 'g.org_id').onRef('a.account_id', '=', 'g.grant_id'),
    )
    .leftJoin('accounts as h', join =>
      join.onRef('h.org_id', '=', 'g.org_id').on('h.account_id', '=', `hold:${grantId}`),
    )
    .select(['g.granted_ucr', 'a.balance_ucr', 'h.balance_ucr as held_ucr'])
    .where('g.org_id', '=', orgId)
    .where('g.grant_id', '=', grantId)
    .executeTakeFirstOrThrow();
  return granted_ucr - balance_ucr - (held_ucr ?? 0n);
}

async function balanceOf(tx: Tx, orgId: string, account: string): Promise<bigint> {
  const { balance_ucr } = await tx
    .selectFrom('accounts')
    .select('balance_ucr')
    .where('org_id', '=', orgId)
    .where('account_id', '=', account)
    .executeTakeFirstOrThrow();
  return balance_ucr;
}

/** The account of what a dispute sets aside. */
async function openAside(tx: Tx, orgId: string, grantId: string, mostUcr: bigint): Promise<string> {
  const account = `dispute:${grantId}`;
  await tx
    .insertInto('accounts')
    .values({
      org_id: orgId,
      account_id: account,
      kind: 'hold',
      grant_id: grantId,
      floor_ucr: 0n,
      ceiling_ucr: mostUcr,
    })
    .onConflict(conflict => conflict.doNothing())
    .execute();
  return account;
}

/**
 * Percent used is of what there was after the last top-up; credits that are paid back were never there to use. What a
 * dispute sets aside is on hold, and not used by that.
 */
async function moveMeasure(tx: Tx, orgId: string, repaidUcr: bigint): Promise<void> {
  await tx
    .updateTable('organisations')
    .set(row => ({ measure_total_ucr: row('measure_total_ucr', '-', repaidUcr) }))
    .where('org_id', '=', orgId)
    .where('measure_total_ucr', 'is not', null)
    .execute();
}
