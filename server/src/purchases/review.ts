// What a person decides of a payment that differs from its order: the one way on from `needs_review`.
import { note } from '../audit.ts';
import type { Query, Tx } from '../database/database.ts';
import { type Ledger, lockOrganisation } from '../ledger/ledger.ts';
import { changePurchase, credit, REVIEWED, selectPurchases } from './purchase.ts';

export interface Verdict {
  readonly orgId: string;
  readonly purchaseId: string;
  /** `credited`: what was ordered is given, and money that goes back takes it back. `failed`: nothing is. */
  readonly as: 'credited' | 'failed';
  readonly reason: string;
  readonly actor: string;
}

/** Those that wait for a person, oldest first. */
export function awaitingReview(query: Query) {
  return selectPurchases(query).where('purchases.status', '=', 'needs_review').orderBy('purchase_id');
}

/**
 * Does nothing for a purchase that does not wait for this, or not any more, and credits none of which money has gone back:
 * how much of the credits that takes back is known only from a look at the payment side.
 */
export async function review(
  tx: Tx,
  ledger: Ledger,
  { orgId, purchaseId, as, reason, actor }: Verdict,
  at: Date,
): Promise<'done' | 'not_waiting' | 'money_went_back'> {
  await lockOrganisation(tx, orgId);
  const purchase = await awaitingReview(tx)
    .where('purchases.org_id', '=', orgId)
    .where('purchase_id', '=', purchaseId)
    .executeTakeFirst();
  if (!purchase) {
    return 'not_waiting';
  }
  if (
    as === 'credited' &&
    (purchase.refunded_minor > 0n || ['open', 'lost'].includes(purchase.dispute ?? ''))
  ) {
    return 'money_went_back';
  }
  await note(tx, orgId, { action: 'purchase.reviewed', actor, purchaseId, details: { as, reason } }, at);
  if (as === 'failed') {
    await changePurchase(tx, purchase, { status: as, failure_code: REVIEWED }, actor, at, [as]);
    return 'done';
  }
  await credit(tx, ledger, purchase, { session_id: purchase.session_id }, actor, at, [as]);
  return 'done';
}
