// What refunds and disputes take back of a purchase's credits: always set to what the payment side says in all, never
// added to, so that news may come twice, late and in any order.
import type { Tx } from '../database/database.ts';
import type { Entry, Ledger } from '../ledger/ledger.ts';
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

/** Brings the books from what is stored in the purchase to `target`. The caller holds the organisation's lock. */
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
  // What fell due comes first: the shares below are worked out from the books as they will be posted to.
  await ledger.settle(tx, orgId);
  const aside = `dispute:${grantId}`;
  let steps = purchase.reversal_steps;

  /** Takes from the purchase's own grant, and what is used already from debt; or gives back, debt first. */
  const move = async (
    type: 'refund' | 'dispute_hold' | 'dispute_release',
    to: string,
    amountUcr: bigint,
  ): Promise<void> => {
    if (amountUcr === 0n) {
      return;
    }
    const grantPart =
      amountUcr > 0n
        ? lesserOf(amountUcr, await balanceOf(tx, orgId, grantId))
        : amountUcr + lesserOf(-amountUcr, -(await balanceOf(tx, orgId, 'debt')));
    const entries: Entry[] = [
      { account: to, amountUcr },
      { account: grantId, amountUcr: -grantPart },
      { account: 'debt', amountUcr: grantPart - amountUcr },
    ];
    steps += 1n;
    await moveMeasure(tx, orgId, amountUcr);
    await ledger.post(tx, orgId, {
      type,
      source: { type: 'purchase', id: `${purchaseId}:${steps}` },
      actor: PAYMENT_PROVIDER,
      reversesVersion: version,
      entries,
    });
  };

  if (target.disputedUcr > 0n) {
    await openAside(tx, orgId, aside, grantId, purchase.credits_ucr);
  }
  const moreAsideUcr = target.disputedUcr - purchase.disputed_ucr;
  // What is set free comes first, so that a lost dispute takes back just what was set aside.
  await move('dispute_release', aside, moreAsideUcr < 0n ? moreAsideUcr : 0n);
  await move('refund', 'payments', target.reversedUcr - purchase.reversed_ucr);
  await move('dispute_hold', aside, moreAsideUcr > 0n ? moreAsideUcr : 0n);
  return { steps };
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

async function openAside(
  tx: Tx,
  orgId: string,
  account: string,
  grantId: string,
  mostUcr: bigint,
): Promise<void> {
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
}

/** Percent used is of what there was after the last top-up; credits that are taken back were never there to use. */
async function moveMeasure(tx: Tx, orgId: string, takenUcr: bigint): Promise<void> {
  await tx
    .updateTable('organisations')
    .set(row => ({ measure_total_ucr: row('measure_total_ucr', '-', takenUcr) }))
    .where('org_id', '=', orgId)
    .where('measure_total_ucr', 'is not', null)
    .execute();
}

function lesserOf(a: bigint, b: bigint): bigint {
  if (a < b) {
    return a;
  }
  return b;
}
