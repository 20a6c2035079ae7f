// The hand that writes: how a transaction gets into the ledger. Whoever calls holds the organisation's lock. What each
// posting does is a function of the database (0008_posting.ts), for one journey to it.
import { sql } from 'kysely';
import { MAX_SAFE_AMOUNT } from '../../../protocol/units.ts';
import type { Tx } from '../database/database.ts';
import type { AccountKind, GrantKind, TransactionType } from '../database/tables.ts';
import { newId } from '../ids.ts';
import { tell } from '../outbox.ts';
import { RequestRefused } from '../problems.ts';
import { raiseAlerts } from './alerts.ts';
import { lowBalance, readBalance, usageOf } from './balance.ts';

/** What a transaction was caused by. Of one type, one source has one transaction, for ever. */
export interface Source {
  readonly type: string;
  readonly id: string;
}

export interface Entry {
  readonly account: string;
  readonly amountUcr: bigint;
}

export interface Posting {
  readonly type: TransactionType;
  readonly source: Source;
  /** The principal, or the part of the server, on whose word this is posted. */
  readonly actor: string;
  readonly reason?: string;
  /** The transaction that this one takes back, whole or in part. */
  readonly reversesVersion?: bigint | null;
  /** When it counts from; earlier than `bookedAt` for what fell due before anyone looked. */
  readonly effectiveAt: Date;
  readonly bookedAt: Date;
  /** Several of one account are added up. */
  readonly entries: readonly Entry[];
}

/**
 * Postings, purchases and the outbox of one organisation take turns; of different organisations they don't wait.
 * @throws {RequestRefused} ledger_frozen: its balances differ from its entries, and what was posted now would be wrong too.
 */
export async function lockOrganisation(tx: Tx, orgId: string): Promise<Turn> {
  const turn = await takeTurn(tx, orgId);
  if (turn.isFrozen) {
    throw new RequestRefused('ledger_frozen', { retry_after_s: FROZEN_RETRY_S });
  }
  return turn;
}

/** The organisation as it stands at the beginning of one's turn. */
export interface Turn {
  readonly isFrozen: boolean;
  readonly version: bigint;
  readonly nextDueAt: Date | null;
}

/** A person repairs it, so nobody needs to ask more often. */
const FROZEN_RETRY_S = 300;

/** The same turn for what moves no credits, and for the repair itself. */
export async function takeTurn(tx: Tx, orgId: string): Promise<Turn> {
  const { drift_found_at, version, next_due_at } = await tx
    .selectFrom('organisations')
    .select(['drift_found_at', 'version', 'next_due_at'])
    .where('org_id', '=', orgId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return { isFrozen: drift_found_at !== null, version, nextDueAt: next_due_at };
}

export async function findTransaction(
  tx: Tx,
  orgId: string,
  type: TransactionType,
  source: Source,
): Promise<bigint | undefined> {
  const known = await tx
    .selectFrom('ledger_transactions')
    .select('version')
    .where('org_id', '=', orgId)
    .where('type', '=', type)
    .where('source_type', '=', source.type)
    .where('source_id', '=', source.id)
    .executeTakeFirst();
  return known?.version;
}

export async function post(tx: Tx, orgId: string, posting: Posting): Promise<bigint> {
  const { type, source, actor, reason = null, reversesVersion = null, effectiveAt, bookedAt } = posting;
  const accounts = posting.entries.map(({ account }) => account);
  const changes = posting.entries.map(({ amountUcr }) => amountUcr);
  const { rows } = await sql<{ version: bigint }>`
    select post_transaction(${orgId}, ${type}, ${source.type}, ${source.id}, ${actor}, ${reason}, ${reversesVersion},
      ${effectiveAt}, ${bookedAt}, ${accounts}, ${changes}) as version`.execute(tx);
  if (!rows[0]) {
    throw new Error(`organisation ${orgId} is gone`);
  }
  return rows[0].version;
}

export interface UsageEvent {
  readonly eventId: string;
  readonly amountUcr: bigint;
  readonly userId: string | undefined;
  readonly model: string | undefined;
  readonly actor: string;
}

interface PostedUsage {
  readonly version: bigint;
  /** Of an event that is known: what it had used. */
  readonly usedUcr: bigint;
  readonly isKnown: boolean;
}

/**
 * Takes the organisation's lock and what was used: from the grants in burn order, and what they cannot cover from debt.
 * Changes nothing for an event that is known. Undefined, and nothing done, where `settle` must come first.
 */
export async function postUsage(
  tx: Tx,
  orgId: string,
  usage: UsageEvent,
  now: Date,
): Promise<PostedUsage | undefined> {
  const { eventId, amountUcr, userId = null, model = null, actor } = usage;
  const { rows } = await sql<PostedUsage>`
    select posted as version, used_ucr as "usedUcr", is_known as "isKnown"
    from post_usage(${orgId}, ${eventId}, ${amountUcr}, ${userId}, ${model}, ${actor}, ${now})`.execute(tx);
  return rows[0];
}

export interface GrantPosting extends Omit<Posting, 'entries'> {
  /** Where the caller has to know it beforehand. */
  readonly id?: string;
  readonly kind: GrantKind;
  readonly amountUcr: bigint;
  readonly expiresAt: Date | null;
  /** The account its credits come from. */
  readonly origin: AccountKind;
}

/** A new grant with its account. Debt is paid first. */
export async function postGrant(tx: Tx, orgId: string, grant: GrantPosting): Promise<bigint> {
  const grantId = await openGrant(tx, orgId, grant);
  const paidBackUcr = lesserOf(await owed(tx, orgId), grant.amountUcr);
  const version = await post(tx, orgId, {
    ...grant,
    entries: [
      { account: grant.origin, amountUcr: -grant.amountUcr },
      { account: 'debt', amountUcr: paidBackUcr },
      { account: grantId, amountUcr: grant.amountUcr - paidBackUcr },
    ],
  });
  if (grant.expiresAt) {
    await fallsDue(tx, orgId, grant.expiresAt);
  }
  return version;
}

/** A grant and its account, which holds nothing until something is posted to it. */
export async function openGrant(
  tx: Tx,
  orgId: string,
  grant: Pick<GrantPosting, 'id' | 'kind' | 'amountUcr' | 'expiresAt' | 'effectiveAt' | 'bookedAt'>,
): Promise<string> {
  const grantId = grant.id ?? newId('gr', grant.bookedAt);
  await tx
    .insertInto('grants')
    .values({
      org_id: orgId,
      grant_id: grantId,
      kind: grant.kind,
      granted_ucr: grant.amountUcr,
      effective_at: grant.effectiveAt,
      expires_at: grant.expiresAt,
      voided_at: null,
      created_at: grant.bookedAt,
    })
    .execute();
  await tx
    .insertInto('accounts')
    .values({
      org_id: orgId,
      account_id: grantId,
      kind: 'grant',
      floor_ucr: 0n,
      ceiling_ucr: grant.amountUcr,
    })
    .execute();
  return grantId;
}

/** Something is to be posted by itself at this moment, or was at an earlier one already noted. */
export async function fallsDue(tx: Tx, orgId: string, at: Date): Promise<void> {
  await tx
    .updateTable('organisations')
    .set({ next_due_at: at })
    .where('org_id', '=', orgId)
    .where(({ or, eb }) => or([eb('next_due_at', 'is', null), eb('next_due_at', '>', at)]))
    .execute();
}

/** Of rows of `grants`. */
export const inBurnOrder = sql`case grants.kind when 'included' then 0 when 'promotional' then 1 else 2 end`;

/** Takes from the grants in burn order, and what they cannot cover from debt. */
export async function burn(tx: Tx, orgId: string, amountUcr: bigint, now: Date): Promise<Entry[]> {
  if (amountUcr === 0n) {
    return [];
  }
  const { rows } = await sql<Entry>`
    select account, change as "amountUcr" from burn(${orgId}, ${amountUcr}, ${now})`.execute(tx);
  return rows;
}

export async function owed(tx: Tx, orgId: string): Promise<bigint> {
  const debt = await tx
    .selectFrom('accounts')
    .select('balance_ucr')
    .where('org_id', '=', orgId)
    .where('account_id', '=', 'debt')
    .executeTakeFirstOrThrow();
  return -debt.balance_ucr;
}

/** After each change. `userId` is who used something, if it is known. */
export async function tellBalance(
  tx: Tx,
  orgId: string,
  now: Date,
  userId: string | null = null,
): Promise<void> {
  const balance = await readBalance(tx, orgId, now);
  // JSON carries integers up to 2^53 - 1 exactly; a figure beyond it could not be told truthfully.
  const usage = usageOf(balance);
  const figures = [
    ...[balance.availableUcr, balance.includedUcr, balance.promotionalUcr, balance.purchasedUcr],
    ...[balance.heldUcr, balance.debtUcr, balance.period?.grantedUcr, usage?.usedUcr, usage?.totalUcr],
  ];
  if (figures.some((figure = 0n) => figure > MAX_SAFE_AMOUNT || figure < -MAX_SAFE_AMOUNT)) {
    throw new RequestRefused('amount_out_of_range', {
      errors: [{ pointer: '', code: 'balance_out_of_range' }],
    });
  }
  await tell(
    tx,
    orgId,
    'balance.updated',
    {
      version: Number(balance.version),
      available_ucr: Number(balance.availableUcr),
      level: lowBalance(balance).level,
      as_of: now.toISOString(),
    },
    now,
  );
  await raiseAlerts(tx, balance, userId, now);
}

export function lesserOf(a: bigint, b: bigint): bigint {
  if (a < b) {
    return a;
  }
  return b;
}
