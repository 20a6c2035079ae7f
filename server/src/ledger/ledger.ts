// The ledger: the one place where credits come into being, move and go. Double entry, append-only, one transaction
// at a time for each organisation; the rules themselves are in the database (0001_ledger.ts), this file follows them.
import { MAX_SAFE_AMOUNT } from '../../../protocol/units.ts';
import type { Clock } from '../clock.ts';
import type { Tx } from '../database/database.ts';
import { type AccountKind, accountKinds, type GrantKind, type TransactionType } from '../database/tables.ts';
import { newId } from '../ids.ts';
import { tell } from '../outbox.ts';
import { RequestRefused } from '../problems.ts';
import { lowBalance, readBalance } from './balance.ts';

/** What a transaction was caused by. Of one type, one source has one transaction, for ever. */
export interface Source {
  readonly type: string;
  readonly id: string;
}

export interface Posted {
  readonly version: bigint;
  /** True when this source had been posted before; nothing was changed now. */
  readonly duplicate: boolean;
}

export interface NewGrant {
  /** Its id, where the caller wants to know it afterwards. */
  readonly id?: string;
  readonly kind: GrantKind;
  readonly amountUcr: bigint;
  readonly expiresAt?: Date;
  readonly type: 'purchase' | 'grant';
  readonly source: Source;
  /** The principal, or the part of the server, on whose word this is posted. */
  readonly actor: string;
}

export interface UsageEvent {
  readonly eventId: string;
  readonly amountUcr: bigint;
  readonly userId: string | undefined;
  readonly model: string | undefined;
  readonly actor: string;
}

export interface Posting {
  readonly type: TransactionType;
  readonly source: Source;
  readonly actor: string;
  /** The transaction that this one takes back, whole or in part. */
  readonly reversesVersion: bigint | null;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly account: string;
  readonly amountUcr: bigint;
}

/** Where a grant's credits come from. */
const originOf: Record<GrantKind, AccountKind> = {
  included: 'plan',
  promotional: 'promotions',
  purchased: 'payments',
};

export class Ledger {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new organisation has all its accounts, at zero. Does nothing for one that is known. */
  async openOrganisation(tx: Tx, orgId: string, name: string): Promise<void> {
    const created = await tx
      .insertInto('organisations')
      .values({ org_id: orgId, name, created_at: this.#clock() })
      .onConflict(conflict => conflict.doNothing())
      .returning('org_id')
      .executeTakeFirst();
    if (created) {
      await tx
        .insertInto('accounts')
        .values(
          accountKinds
            .filter(kind => kind !== 'grant')
            .map(kind => ({
              org_id: orgId,
              account_id: kind,
              kind,
              // Debt is what usage took beyond the grants: never positive.
              ceiling_ucr: kind === 'debt' ? 0n : null,
              floor_ucr: kind === 'hold' ? 0n : null,
            })),
        )
        .execute();
    }
  }

  /** Adds credits. Debt is paid first; percent used is measured anew from here. */
  async grant(tx: Tx, orgId: string, grant: NewGrant): Promise<Posted> {
    const known = await this.#lockAndFind(tx, orgId, grant.type, grant.source);
    if (known !== undefined) {
      return { version: known, duplicate: true };
    }
    const now = this.#clock();
    const grantId = grant.id ?? newId('gr', now);
    await tx
      .insertInto('grants')
      .values({
        org_id: orgId,
        grant_id: grantId,
        kind: grant.kind,
        granted_ucr: grant.amountUcr,
        effective_at: now,
        expires_at: grant.expiresAt ?? null,
        voided_at: null,
        created_at: now,
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

    const owedUcr = await this.#owed(tx, orgId);
    const paidBackUcr = lesserOf(owedUcr, grant.amountUcr);
    const version = await this.#post(tx, orgId, grant.type, grant.source, grant.actor, now, [
      { account: originOf[grant.kind], amountUcr: -grant.amountUcr },
      { account: 'debt', amountUcr: paidBackUcr },
      { account: grantId, amountUcr: grant.amountUcr - paidBackUcr },
    ]);
    const { availableUcr } = await readBalance(tx, orgId, now);
    await tx
      .updateTable('organisations')
      .set({ measure_version: version, measure_total_ucr: availableUcr })
      .where('org_id', '=', orgId)
      .execute();
    await this.#tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** Posts entries that another part has worked out. They must sum to zero; the database asks. */
  async post(tx: Tx, orgId: string, posting: Posting): Promise<Posted> {
    const known = await this.#lockAndFind(tx, orgId, posting.type, posting.source);
    if (known !== undefined) {
      return { version: known, duplicate: true };
    }
    const now = this.#clock();
    const { type, source, actor, entries, reversesVersion } = posting;
    const version = await this.#post(tx, orgId, type, source, actor, now, entries, reversesVersion);
    await this.#tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** Takes what was used: grants in burn order, and what they cannot cover becomes debt. */
  async use(tx: Tx, orgId: string, usage: UsageEvent): Promise<Posted> {
    const source = { type: 'usage_event', id: usage.eventId };
    const known = await this.#lockAndFind(tx, orgId, 'usage', source);
    if (known !== undefined) {
      const before = await tx
        .selectFrom('usage_events')
        .select('amount_ucr')
        .where('org_id', '=', orgId)
        .where('event_id', '=', usage.eventId)
        .executeTakeFirstOrThrow();
      if (before.amount_ucr !== usage.amountUcr) {
        throw new RequestRefused('idempotency_key_reused', {
          errors: [{ pointer: '/event_id', code: 'posted_with_another_amount' }],
        });
      }
      return { version: known, duplicate: true };
    }
    const now = this.#clock();
    const entries: Entry[] = [{ account: 'usage', amountUcr: usage.amountUcr }];
    let restUcr = usage.amountUcr;
    for (const grant of await this.#burnable(tx, orgId, now)) {
      const takenUcr = lesserOf(grant.balance_ucr, restUcr);
      entries.push({ account: grant.account_id, amountUcr: -takenUcr });
      restUcr -= takenUcr;
      if (restUcr === 0n) {
        break;
      }
    }
    entries.push({ account: 'debt', amountUcr: -restUcr });
    const version = await this.#post(tx, orgId, 'usage', source, usage.actor, now, entries);
    await tx
      .insertInto('usage_events')
      .values({
        org_id: orgId,
        event_id: usage.eventId,
        version,
        amount_ucr: usage.amountUcr,
        user_id: usage.userId ?? null,
        model: usage.model ?? null,
        created_at: now,
      })
      .execute();
    await this.#tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** From here to the end of the transaction nobody else posts for this organisation. */
  async #lockAndFind(
    tx: Tx,
    orgId: string,
    type: TransactionType,
    source: Source,
  ): Promise<bigint | undefined> {
    await lockOrganisation(tx, orgId);
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

  /** Included before promotional before purchased, what expires soonest first, then the oldest. */
  #burnable(tx: Tx, orgId: string, now: Date) {
    return tx
      .selectFrom('accounts')
      .innerJoin('grants', join =>
        join
          .onRef('grants.org_id', '=', 'accounts.org_id')
          .onRef('grants.grant_id', '=', 'accounts.account_id'),
      )
      .select(['accounts.account_id', 'accounts.balance_ucr'])
      .where('accounts.org_id', '=', orgId)
      .where('accounts.kind', '=', 'grant')
      .where('accounts.balance_ucr', '<>', 0n)
      .where('grants.effective_at', '<=', now)
      .where(({ or, eb }) => or([eb('grants.expires_at', 'is', null), eb('grants.expires_at', '>', now)]))
      .orderBy(({ case: when, ref }) =>
        when(ref('grants.kind')).when('included').then(0).when('promotional').then(1).else(2).end(),
      )
      .orderBy('grants.expires_at', order => order.asc().nullsLast())
      .orderBy('grants.grant_id')
      .execute();
  }

  async #owed(tx: Tx, orgId: string): Promise<bigint> {
    const debt = await tx
      .selectFrom('accounts')
      .select('balance_ucr')
      .where('org_id', '=', orgId)
      .where('account_id', '=', 'debt')
      .executeTakeFirstOrThrow();
    return -debt.balance_ucr;
  }

  async #post(
    tx: Tx,
    orgId: string,
    type: TransactionType,
    source: Source,
    actor: string,
    at: Date,
    entries: readonly Entry[],
    reversesVersion: bigint | null = null,
  ): Promise<bigint> {
    const { version } = await tx
      .updateTable('organisations')
      .set(row => ({ version: row('version', '+', 1n) }))
      .where('org_id', '=', orgId)
      .returning('version')
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('ledger_transactions')
      .values({
        org_id: orgId,
        version,
        type,
        source_type: source.type,
        source_id: source.id,
        actor,
        reverses_version: reversesVersion,
        effective_at: at,
        created_at: at,
      })
      .execute();
    await tx
      .insertInto('ledger_entries')
      .values(
        entries
          .filter(entry => entry.amountUcr !== 0n)
          .map(entry => ({ org_id: orgId, version, account_id: entry.account, amount_ucr: entry.amountUcr })),
      )
      .execute();
    return version;
  }

  async #tellBalance(tx: Tx, orgId: string, now: Date): Promise<void> {
    const balance = await readBalance(tx, orgId, now);
    // JSON carries integers up to 2^53 - 1 exactly; a balance beyond it could not be told truthfully.
    if (balance.availableUcr > MAX_SAFE_AMOUNT || balance.availableUcr < -MAX_SAFE_AMOUNT) {
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
  }
}

function lesserOf(a: bigint, b: bigint): bigint {
  if (a < b) {
    return a;
  }
  return b;
}

/** Postings, purchases and the outbox of one organisation take turns; of different organisations they don't wait. */
export async function lockOrganisation(tx: Tx, orgId: string): Promise<void> {
  await tx
    .selectFrom('organisations')
    .select('org_id')
    .where('org_id', '=', orgId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}
