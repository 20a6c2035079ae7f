// The outbox: what happened to an organisation, in one order, written in the same transaction as what happened.
import { sql } from 'kysely';
import type { EventData, EventName } from '../../protocol/api.ts';
import type { Query, Tx } from './database/database.ts';

export interface OutboxRow {
  readonly sequence: bigint;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

type Told = { readonly [N in Exclude<EventName, 'resync' | 'stream.closing'>]: EventData<N> } & {
  /** For the servers only, never sent: the person's streams end, or those that were opened with the token. */
  readonly 'member.removed': { readonly id: string };
  readonly 'token.revoked': { readonly id: string };
};

/** Takes the organisation's row lock until the transaction ends, so sequences commit in their order. */
export async function tell<N extends keyof Told>(
  tx: Tx,
  orgId: string,
  event: N,
  data: Told[N],
  at: Date,
): Promise<void> {
  // One journey to the database: this is part of every posting.
  await sql`
    with next as (
      update organisations set outbox_sequence = outbox_sequence + 1 where org_id = ${orgId} returning outbox_sequence
    )
    insert into outbox (org_id, sequence, event, data, created_at)
      select ${orgId}::text, outbox_sequence, ${event}::text, ${JSON.stringify(data)}::jsonb, ${at}::timestamptz
      from next`.execute(tx);
}

/** What came after `sequence`, oldest first. */
export function readOutbox(query: Query, orgId: string, after: bigint, limit: number): Promise<OutboxRow[]> {
  return query
    .selectFrom('outbox')
    .select(['sequence', 'event', 'data'])
    .where('org_id', '=', orgId)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute();
}

/** How far the outboxes of these organisations have come. */
export async function newestSequences(
  query: Query,
  orgIds: readonly string[],
): Promise<Array<[orgId: string, sequence: bigint]>> {
  if (orgIds.length === 0) {
    return [];
  }
  const rows = await query
    .selectFrom('organisations')
    .select(['org_id', 'outbox_sequence'])
    .where('org_id', '=', sql<string>`any(${orgIds})`)
    .execute();
  return rows.map(row => [row.org_id, row.outbox_sequence]);
}

/** Streams resume within a day; whoever was away longer is told to ask for everything again. */
export const OUTBOX_KEPT_MS = 24 * 3_600_000;

export async function forgetOldRows(query: Query, now: Date): Promise<void> {
  await query
    .deleteFrom('outbox')
    .where('created_at', '<', new Date(now.getTime() - OUTBOX_KEPT_MS))
    .execute();
}
