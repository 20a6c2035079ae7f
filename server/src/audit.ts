// The audit log: who did what to an organisation's money, only ever added to, in the transaction that did it.
import type { AuditEntry, AuditList } from '../../protocol/api.ts';
import type { Query, Tx } from './database/database.ts';

export interface Deed {
  /** `purchase.<status>`, `purchase.refunded`, …; grants and adjustments are noted by the database itself. */
  readonly action: string;
  /** A principal's id, or the part of the world on whose word it was done: `payment_provider`, `server`. */
  readonly actor: string;
  readonly purchaseId?: string;
  /** The ledger transaction that belongs to it. */
  readonly version?: bigint | null;
  readonly details?: Record<string, string | number | null>;
}

/** The caller holds the organisation's lock: entries are numbered one after the other. */
export async function note(tx: Tx, orgId: string, deed: Deed, at: Date): Promise<void> {
  await tx
    .insertInto('audit_log')
    .values({
      org_id: orgId,
      at,
      actor: deed.actor,
      action: deed.action,
      purchase_id: deed.purchaseId ?? null,
      version: deed.version ?? null,
      details: JSON.stringify(deed.details ?? {}),
    })
    .execute();
}

/**
 * In every organisation that the principal is a member of: what one can do in them has changed.
 *
 * @returns the ids of the organisations
 */
export async function noteEverywhere(tx: Tx, principalId: string, deed: Deed, at: Date): Promise<string[]> {
  const organisations = await tx
    .selectFrom('organisations')
    .innerJoin('memberships', 'memberships.org_id', 'organisations.org_id')
    .select('organisations.org_id')
    .where('memberships.principal_id', '=', principalId)
    .orderBy('organisations.org_id')
    .forUpdate('organisations')
    .execute();
  for (const { org_id } of organisations) {
    await note(tx, org_id, deed, at);
  }
  return organisations.map(({ org_id }) => org_id);
}

/** Newest first. */
export async function readAudit(
  query: Query,
  orgId: string,
  limit: number,
  before: bigint | undefined,
): Promise<AuditList> {
  let newest = query
    .selectFrom('audit_log')
    .leftJoin('principals', 'principals.principal_id', 'audit_log.actor')
    .selectAll('audit_log')
    .select('principals.name as actor_name')
    .where('audit_log.org_id', '=', orgId)
    .orderBy('audit_log.audit_id', 'desc')
    .limit(limit + 1);
  if (before !== undefined) {
    newest = newest.where('audit_log.audit_id', '<', before);
  }
  const rows = await newest.execute();
  const data = rows.slice(0, limit).map(
    (row): AuditEntry => ({
      id: `aud_${row.audit_id}`,
      at: row.at.toISOString(),
      actor: { id: row.actor, name: row.actor_name },
      action: row.action,
      purchase_id: row.purchase_id,
      balance_version: row.version === null ? null : Number(row.version),
      details: row.details as AuditEntry['details'],
    }),
  );
  return { data, next_cursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}
