// The ledger: the one place where credits come into being, move and go. Double entry, append-only, one transaction
// at a time for each organisation; the rules themselves are in the database (0001_ledger.ts), this file follows them.
import { note } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Tx } from '../database/database.ts';
import { type AccountKind, accountKinds, type GrantKind, type TransactionType } from '../database/tables.ts';
import { newId } from '../ids.ts';
import { RequestRefused } from '../problems.ts';
import { beside, readBalance } from './balance.ts';
import { endHold, findHold, type HoldChange, type NewHold, placeHold } from './holds.ts';
import { endPlan, type Plan, storePlan } from './plan.ts';
import {
  burn,
  findTransaction,
  openGrant,
  type Posting,
  post,
  postGrant,
  postUsage,
  type Source,
  takeTurn,
  tellBalance,
  type UsageEvent,
} from './posting.ts';
import { settle } from './settling.ts';

export {
  type Entry,
  lesserOf,
  lockOrganisation,
  owed,
  type Source,
  takeTurn,
  tellBalance,
} from './posting.ts';

export interface Posted {
  readonly version: bigint;
  /** True when this source had been posted before; nothing was changed now. */
  readonly duplicate: boolean;
}

export interface NewGrant {
  /** Where the caller has to know it beforehand. */
  readonly id?: string;
  readonly kind: GrantKind;
  readonly amountUcr: bigint;
  readonly expiresAt?: Date;
  readonly type: 'purchase' | 'grant';
  readonly source: Source;
  /** The principal, or the part of the server, on whose word this is posted. */
  readonly actor: string;
}

export interface Adjustment {
  /** Positive: credits given. Negative: credits taken, beyond the balance as debt. */
  readonly amountUcr: bigint;
  readonly actor: string;
  readonly reason: string;
  /** The same id adjusts at most once; without one, each call is an adjustment of its own. */
  readonly adjustmentId?: string;
  readonly expiresAt?: Date;
}

/**
 * More than an organisation posts in a year at thirty a second; there is room for nine million such leaps in the
 * integers that JSON carries.
 */
const LEAP = 1_000_000_000n;

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
  async openOrganisation(tx: Tx, orgId: string, name: string): Promise<{ isNew: boolean }> {
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
    return { isNew: created !== undefined };
  }

  /** Adds credits. Debt is paid first; percent used is measured anew from here. */
  async grant(tx: Tx, orgId: string, grant: NewGrant): Promise<Posted> {
    const known = await this.#lockAndFind(tx, orgId, grant.type, grant.source);
    if (known !== undefined) {
      return { version: known, duplicate: true };
    }
    const now = this.#clock();
    const version = await postGrant(tx, orgId, {
      ...(grant.id !== undefined && { id: grant.id }),
      kind: grant.kind,
      amountUcr: grant.amountUcr,
      expiresAt: grant.expiresAt ?? null,
      origin: originOf[grant.kind],
      type: grant.type,
      source: grant.source,
      actor: grant.actor,
      effectiveAt: now,
      bookedAt: now,
    });
    if (grant.kind !== 'included') {
      await this.#measureAnew(tx, orgId, version, now);
    }
    await tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** A purchased grant without an end, for entries that another part posts to it. */
  openPurchased(tx: Tx, orgId: string, amountUcr: bigint): Promise<string> {
    const now = this.#clock();
    const grant = { kind: 'purchased', amountUcr, expiresAt: null, effectiveAt: now, bookedAt: now } as const;
    return openGrant(tx, orgId, grant);
  }

  /** Posts entries that another part has worked out. They must sum to zero; the database asks. */
  async post(tx: Tx, orgId: string, posting: Omit<Posting, 'effectiveAt' | 'bookedAt'>): Promise<Posted> {
    const known = await this.#lockAndFind(tx, orgId, posting.type, posting.source);
    if (known !== undefined) {
      return { version: known, duplicate: true };
    }
    const now = this.#clock();
    const version = await post(tx, orgId, { ...posting, effectiveAt: now, bookedAt: now });
    await tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** Takes what was used: grants in burn order, and what they cannot cover becomes debt. */
  async use(tx: Tx, orgId: string, usage: UsageEvent): Promise<Posted> {
    const now = this.#clock();
    // Mostly nothing is due, and the organisation's lock comes with the posting.
    const posted =
      (await postUsage(tx, orgId, usage, now)) ??
      (await settle(tx, orgId, now).then(() => postUsage(tx, orgId, usage, now)));
    if (!posted) {
      throw new Error(`organisation ${orgId} was settled, and still cannot be posted to`);
    }
    const { version, usedUcr, isKnown } = posted;
    if (isKnown) {
      if (usedUcr !== usage.amountUcr) {
        throw new RequestRefused('idempotency_key_reused', {
          errors: [{ pointer: '/event_id', code: 'posted_with_another_amount' }],
        });
      }
      return { version, duplicate: true };
    }
    await tellBalance(tx, orgId, now, usage.userId);
    return { version, duplicate: false };
  }

  /** Sets credits aside for a request that is running. */
  async hold(tx: Tx, orgId: string, wish: NewHold): Promise<HoldChange> {
    await this.settle(tx, orgId);
    const now = this.#clock();
    const change = await placeHold(tx, orgId, wish, now);
    if (!change.duplicate) {
      await tellBalance(tx, orgId, now);
    }
    return change;
  }

  /**
   * Debits what the request really used, less or more than the hold, and gives the rest back. Usage has already
   * happened, so it is booked also when the hold had expired; nothing of it is set aside any more then.
   */
  async finalizeHold(
    tx: Tx,
    orgId: string,
    holdId: string,
    usedUcr: bigint,
    actor: string,
  ): Promise<HoldChange> {
    await this.settle(tx, orgId);
    const hold = await findHold(tx, orgId, holdId);
    if (!hold) {
      throw new RequestRefused('hold_not_found');
    }
    if (hold.status === 'finalized') {
      if (hold.used_ucr !== usedUcr) {
        throw new RequestRefused('idempotency_key_reused', {
          errors: [{ pointer: '/amount_ucr', code: 'finalized_with_another_amount' }],
        });
      }
      return { hold, duplicate: true };
    }
    if (hold.status === 'released') {
      throw new RequestRefused('hold_not_open');
    }
    const now = this.#clock();
    const ending = { status: 'finalized', usedUcr, actor, effectiveAt: now, bookedAt: now } as const;
    const ended = await endHold(tx, hold, ending);
    await tellBalance(tx, orgId, now, hold.user_id);
    return { hold: ended, duplicate: false };
  }

  /** Gives everything back: the request used nothing. */
  async releaseHold(tx: Tx, orgId: string, holdId: string, actor: string): Promise<HoldChange> {
    await this.settle(tx, orgId);
    const hold = await findHold(tx, orgId, holdId);
    if (!hold) {
      throw new RequestRefused('hold_not_found');
    }
    if (hold.status === 'finalized') {
      throw new RequestRefused('hold_not_open');
    }
    if (hold.status !== 'open') {
      return { hold, duplicate: true };
    }
    const now = this.#clock();
    const ended = await endHold(tx, hold, { status: 'released', actor, effectiveAt: now, bookedAt: now });
    await tellBalance(tx, orgId, now);
    return { hold: ended, duplicate: false };
  }

  /** The organisation's plan from now on, or from its next period on; null ends it. */
  async setPlan(tx: Tx, orgId: string, plan: Plan | null): Promise<void> {
    await this.settle(tx, orgId);
    if (plan) {
      await storePlan(tx, orgId, plan, this.#clock());
      await settle(tx, orgId, this.#clock());
    } else {
      await endPlan(tx, orgId);
    }
  }

  /** Whether there is a plan, or was one. */
  async hadPlan(tx: Tx, orgId: string): Promise<boolean> {
    const plan = await tx.selectFrom('plans').select('org_id').where('org_id', '=', orgId).executeTakeFirst();
    return plan !== undefined;
  }

  /** Puts a balance right by a new transaction; what was wrong stays in the history. */
  async adjust(tx: Tx, orgId: string, adjustment: Adjustment): Promise<Posted> {
    const { amountUcr, actor, reason } = adjustment;
    if (amountUcr === 0n || actor.trim() === '' || reason.trim() === '') {
      throw new RangeError('an adjustment has an amount, an actor and a reason');
    }
    const now = this.#clock();
    const source = { type: 'adjustment', id: adjustment.adjustmentId ?? newId('adj', now) };
    const known = await this.#lockAndFind(tx, orgId, 'adjustment', source);
    if (known !== undefined) {
      return { version: known, duplicate: true };
    }
    const posting = { type: 'adjustment', source, actor, reason, effectiveAt: now, bookedAt: now } as const;
    let version: bigint;
    if (amountUcr > 0n) {
      const expiresAt = adjustment.expiresAt ?? null;
      const origin = 'adjustments';
      version = await postGrant(tx, orgId, { ...posting, kind: 'promotional', amountUcr, expiresAt, origin });
      await this.#measureAnew(tx, orgId, version, now);
    } else {
      const taken = await burn(tx, orgId, -amountUcr, now);
      const entries = [{ account: 'adjustments', amountUcr: -amountUcr }, ...taken];
      version = await post(tx, orgId, { ...posting, entries });
    }
    await tellBalance(tx, orgId, now);
    return { version, duplicate: false };
  }

  /** Locks the organisation and posts what fell due. Everything that posts or reads for someone begins with this. */
  async settle(tx: Tx, orgId: string): Promise<boolean> {
    return settle(tx, orgId, this.#clock());
  }

  /**
   * After a backup was put back: versions and events go on far beyond what the lost time can have told, so that whoever
   * heard of that time does not take what comes now for old. What fell due meanwhile is posted behind the leap.
   */
  async leapAhead(tx: Tx, orgId: string, actor: string): Promise<void> {
    const { isFrozen } = await takeTurn(tx, orgId);
    await tx
      .updateTable('organisations')
      .set(row => ({
        version: row('version', '+', LEAP),
        outbox_sequence: row('outbox_sequence', '+', LEAP),
      }))
      .where('org_id', '=', orgId)
      .execute();
    const now = this.#clock();
    // The books count by this how many versions there must be.
    await note(tx, orgId, { action: 'backup.restored', actor, details: { leap: Number(LEAP) } }, now);
    if (isFrozen || !(await this.settle(tx, orgId))) {
      await tellBalance(tx, orgId, now);
    }
  }

  /** From here to the end of the transaction nobody else posts for this organisation. */
  async #lockAndFind(
    tx: Tx,
    orgId: string,
    type: TransactionType,
    source: Source,
  ): Promise<bigint | undefined> {
    await this.settle(tx, orgId);
    return findTransaction(tx, orgId, type, source);
  }

  /** What "used since the last top-up" is measured against from now on. */
  async #measureAnew(tx: Tx, orgId: string, version: bigint, now: Date): Promise<void> {
    await tx
      .updateTable('organisations')
      .set({ measure_version: version, measure_total_ucr: beside(await readBalance(tx, orgId, now)) })
      .where('org_id', '=', orgId)
      .execute();
  }
}
