// A purchase: its row, what may become of it, and what is told of it.
import type { Selectable } from 'kysely';
import type { Purchase, PurchaseStatus } from '../../../protocol/api.ts';
import { note } from '../audit.ts';
import type { Query, Tx } from '../database/database.ts';
import type { Tables } from '../database/tables.ts';
import { newId } from '../ids.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { tell } from '../outbox.ts';

export type PurchaseRow = Selectable<Tables['purchases']> & {
  readonly created_by_name: string;
  readonly org_name: string;
};

/** Still waiting for something to happen on the payment side. */
export const underWay: readonly PurchaseStatus[] = ['creating', 'open', 'processing'];

/**
 * What a status may become. Money that was taken is always credited, however late, so what looks like an end still
 * leads to `credited`; only a person can say what comes after `needs_review`.
 */
export const mayBecome: Record<PurchaseStatus, readonly PurchaseStatus[]> = {
  creating: ['open', 'processing', 'credited', 'expired', 'canceled', 'failed', 'needs_review'],
  open: ['processing', 'credited', 'expired', 'canceled', 'failed', 'needs_review'],
  processing: ['credited', 'failed', 'needs_review'],
  expired: ['processing', 'credited', 'needs_review'],
  canceled: ['processing', 'credited', 'needs_review'],
  failed: ['credited', 'needs_review'],
  needs_review: [],
  credited: [],
};

/** The failure of a purchase that a person has looked at: what was decided stays, whatever is told later. */
export const REVIEWED = 'reviewed';

const failures: Record<string, string> = {
  [REVIEWED]: 'The payment did not match the order. A person looked at it; nothing was credited.',
  payment_failed: 'The payment did not go through. Nothing was credited.',
  not_opened: 'The payment page could not be opened in time. Nothing was charged.',
};

export function selectPurchases(query: Query) {
  return query
    .selectFrom('purchases')
    .innerJoin('principals', 'principals.principal_id', 'purchases.created_by')
    .innerJoin('organisations', 'organisations.org_id', 'purchases.org_id')
    .selectAll('purchases')
    .select(['principals.name as created_by_name', 'organisations.name as org_name']);
}

type Change = Partial<Omit<Selectable<Tables['purchases']>, 'org_id' | 'purchase_id'>>;

/** Stores what is not its status, and tells nobody. */
export async function storePurchase(
  query: Query,
  { org_id, purchase_id }: Pick<PurchaseRow, 'org_id' | 'purchase_id'>,
  change: Omit<Change, 'status'>,
): Promise<void> {
  await query
    .updateTable('purchases')
    .set(change)
    .where('org_id', '=', org_id)
    .where('purchase_id', '=', purchase_id)
    .execute();
}

/** Changes a purchase, tells its listeners and notes who did it, in the caller's transaction. @throws when the status may not become this. */
export async function changePurchase(
  tx: Tx,
  purchase: Pick<PurchaseRow, 'org_id' | 'purchase_id' | 'status'>,
  change: Change & { readonly status: PurchaseStatus },
  actor: string,
  at: Date,
  allowed = mayBecome[purchase.status],
): Promise<void> {
  const changed = await tx
    .updateTable('purchases')
    .set(change)
    .where('org_id', '=', purchase.org_id)
    .where('purchase_id', '=', purchase.purchase_id)
    .where('status', '=', purchase.status)
    .executeTakeFirstOrThrow();
  if (!allowed.includes(change.status) || changed.numUpdatedRows !== 1n) {
    throw new Error(
      `purchase ${purchase.purchase_id} cannot become ${change.status} from ${purchase.status}`,
    );
  }
  const version = change.balance_version ?? null;
  await tellPurchase(tx, purchase, change.status, version, at);
  const deed = { action: `purchase.${change.status}`, actor, purchaseId: purchase.purchase_id, version };
  await note(tx, purchase.org_id, deed, at);
}

/**
 * Gives what was ordered, never a figure of the session: that one may include tax, or be in another currency.
 * One session is credited once, whoever decides it. `change` is stored with it.
 */
export async function credit(
  tx: Tx,
  ledger: Ledger,
  purchase: PurchaseRow,
  change: Change & { readonly session_id: string | null },
  actor: string,
  at: Date,
  allowed?: readonly PurchaseStatus[],
): Promise<void> {
  const grantId = newId('gr', at);
  const { version } = await ledger.grant(tx, purchase.org_id, {
    id: grantId,
    kind: 'purchased',
    amountUcr: purchase.credits_ucr,
    type: 'purchase',
    source: { type: 'checkout_session', id: change.session_id ?? purchase.purchase_id },
    actor,
  });
  const credited = {
    status: 'credited',
    credited_at: at,
    balance_version: version,
    grant_id: grantId,
  } as const;
  await changePurchase(tx, purchase, { ...change, ...credited, failure_code: null }, actor, at, allowed);
}

export function tellPurchase(
  tx: Tx,
  purchase: Pick<PurchaseRow, 'org_id' | 'purchase_id'>,
  status: PurchaseStatus,
  balanceVersion: bigint | null,
  at: Date,
): Promise<void> {
  return tell(
    tx,
    purchase.org_id,
    'purchase.updated',
    {
      id: purchase.purchase_id,
      status,
      balance_version: balanceVersion === null ? null : Number(balanceVersion),
    },
    at,
  );
}

export function purchaseOnTheWire(row: PurchaseRow): Purchase {
  return {
    id: row.purchase_id,
    org_id: row.org_id,
    status: row.status,
    amount_minor: Number(row.amount_minor),
    currency: row.currency,
    credits_ucr: Number(row.credits_ucr),
    checkout_url: row.status === 'open' ? row.checkout_url : null,
    expires_at: row.expires_at.toISOString(),
    created_by: { id: row.created_by, name: row.created_by_name },
    created_at: row.created_at.toISOString(),
    credited_at: row.credited_at?.toISOString() ?? null,
    balance_version: row.balance_version === null ? null : Number(row.balance_version),
    total_minor: row.total_minor === null ? null : Number(row.total_minor),
    refunded_minor: Number(row.refunded_minor),
    reversed_ucr: Number(row.reversed_ucr),
    disputed_ucr: Number(row.disputed_ucr),
    dispute: row.dispute,
    receipt_url: row.receipt_url,
    invoice_url: row.invoice_url,
    failure:
      row.failure_code === null
        ? null
        : { code: row.failure_code, message: failures[row.failure_code] ?? 'The purchase did not succeed.' },
  };
}
