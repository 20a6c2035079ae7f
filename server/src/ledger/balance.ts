// What an organisation's balance is at a moment, read from the projection in one statement.
import { type RawBuilder, sql } from 'kysely';
import type { Balance } from '../../../protocol/api.ts';
import { MAX_SAFE_AMOUNT } from '../../../protocol/units.ts';
import type { Query } from '../database/database.ts';

export interface BalanceFigures {
  readonly orgId: string;
  readonly version: bigint;
  readonly outboxSequence: bigint;
  readonly availableUcr: bigint;
  /** Of each kind with what is on hold of it: `available = included + purchased + promotional - held - debt`. */
  readonly includedUcr: bigint;
  readonly purchasedUcr: bigint;
  readonly promotionalUcr: bigint;
  readonly heldUcr: bigint;
  readonly debtUcr: bigint;
  /** The plan's grants of the running period; null when no plan grants anything. */
  readonly period: {
    readonly grantedUcr: bigint;
    /** Of these grants only; `includedUcr` may have credits of an earlier period that are still on hold. */
    readonly remainingUcr: bigint;
    readonly start: Date;
    readonly end: Date;
  } | null;
  readonly nextExpiry: { readonly at: Date; readonly amountUcr: bigint } | null;
  /** What was there to be used beside the plan, right after the newest top-up. */
  readonly measure: { readonly version: bigint; readonly totalUcr: bigint } | null;
  readonly lowBalanceThresholdUcr: bigint | null;
  /** From this moment on the ledger may have something to post before these figures are right. */
  readonly nextDueAt: Date | null;
  /** From this moment on they are others, whether or not anything is posted. */
  readonly changesAt: Date | null;
  /** Which state of the organisation's row they belong to: while it is this one, nothing was posted. */
  readonly rowState: string;
  /** The kept balances are known to be wrong: these figures are sums of the entries, and nothing is to be posted. */
  readonly isFrozen: boolean;
}

interface Row {
  version: bigint;
  outbox_sequence: bigint;
  measure_version: bigint | null;
  measure_total_ucr: bigint | null;
  low_balance_threshold_ucr: bigint | null;
  next_due_at: Date | null;
  changes_at: Date | null;
  row_state: string;
  drift_found_at: Date | null;
  included: bigint;
  purchased: bigint;
  promotional: bigint;
  held: bigint;
  debt: bigint;
  period_granted: bigint | null;
  period_remaining: bigint;
  period_start: Date | null;
  period_end: Date | null;
  expiry_at: Date | null;
  expiry_amount: bigint | null;
}

/**
 * Of the row `o` of organisations. Its version would do for postings; who wrote the row last tells of repairs and settings
 * as well. Both together come again only where the database has forgotten transactions: a restore, after which versions leap.
 */
export const rowState = sql<string>`o.version || '.' || o.xmin`;

/**
 * A credit is unusable at the very moment of its `expires_at`, posted or not. What was on hold before stays on hold.
 * Credits on hold without a grant's name are withheld purchases.
 */
export async function readBalance(
  query: Query,
  orgId: string,
  now: Date,
  sumUp: SumUp = sumUpBalance,
): Promise<BalanceFigures> {
  const kept = await figuresFrom(sql`accounts`, query, orgId, now);
  return kept.isFrozen ? sumUp(query, orgId, now, kept.rowState) : kept;
}

/** @param rowState of the organisation's row when it was found frozen */
export type SumUp = (query: Query, orgId: string, now: Date, rowState: string) => Promise<BalanceFigures>;

/** From the entries alone (F71). Reads the organisation's whole ledger. */
export function sumUpBalance(query: Query, orgId: string, now: Date): Promise<BalanceFigures> {
  return figuresFrom(summed(orgId), query, orgId, now);
}

/** The accounts with what their entries say, whatever is kept beside them. */
const summed = (orgId: string) => sql`(
  select a.org_id, a.account_id, a.kind, a.grant_id, coalesce((select sum(e.amount_ucr) from ledger_entries e
    where e.org_id = a.org_id and e.account_id = a.account_id), 0)::bigint as balance_ucr
  from accounts a where a.org_id = ${orgId})`;

async function figuresFrom(
  accounts: RawBuilder<unknown>,
  query: Query,
  orgId: string,
  now: Date,
): Promise<BalanceFigures> {
  const { rows } = await sql<Row>`
    with usable as (
      select a.kind as account, a.balance_ucr, g.expires_at, g.grant_id,
        case when a.kind = 'hold' and g.kind is null then 'purchased' else g.kind end as kind
      from ${accounts} a
        left join grants g on g.org_id = a.org_id and g.grant_id = coalesce(a.grant_id, a.account_id)
      where a.org_id = ${orgId} and a.balance_ucr <> 0 and a.kind in ('grant', 'debt', 'hold')
        and (a.kind <> 'grant' or g.expires_at is null or g.expires_at > ${now})
    ), running as (
      select grant_id, granted_ucr, effective_at, expires_at from grants
      where org_id = ${orgId} and kind = 'included' and effective_at <= ${now} and expires_at > ${now}
    ), period as (
      select sum(granted_ucr)::bigint as granted, min(effective_at) as starts, min(expires_at) as ends from running
    ), expiry as (
      select expires_at, sum(balance_ucr)::bigint as amount from usable
      where account = 'grant' and expires_at is not null group by expires_at order by expires_at limit 1
    )
    select o.version, o.outbox_sequence, o.measure_version, o.measure_total_ucr, o.low_balance_threshold_ucr,
      o.next_due_at, o.drift_found_at, ${rowState} as row_state,
      -- While nothing is posted, what fell due stays due.
      least(case when o.drift_found_at is null then o.next_due_at end, period.ends, expiry.expires_at,
        (select min(effective_at) from grants
          where org_id = ${orgId} and kind = 'included' and effective_at > ${now} and expires_at > ${now})) as changes_at,
      coalesce((select sum(balance_ucr) from usable where kind = 'included'), 0)::bigint as included,
      coalesce((select sum(balance_ucr) from usable where kind = 'purchased'), 0)::bigint as purchased,
      coalesce((select sum(balance_ucr) from usable where kind = 'promotional'), 0)::bigint as promotional,
      coalesce((select sum(balance_ucr) from usable where account = 'hold'), 0)::bigint as held,
      coalesce((select -sum(balance_ucr) from usable where account = 'debt'), 0)::bigint as debt,
      period.granted as period_granted, period.starts as period_start, period.ends as period_end,
      coalesce((select sum(balance_ucr) from usable join running using (grant_id)), 0)::bigint as period_remaining,
      expiry.expires_at as expiry_at, expiry.amount as expiry_amount
    from organisations o cross join period left join expiry on true
    where o.org_id = ${orgId}`.execute(query);
  const row = rows[0];
  if (!row) {
    throw new Error(`organisation ${orgId} is gone`);
  }
  return {
    orgId,
    version: row.version,
    outboxSequence: row.outbox_sequence,
    availableUcr: row.included + row.purchased + row.promotional - row.held - row.debt,
    includedUcr: row.included,
    purchasedUcr: row.purchased,
    promotionalUcr: row.promotional,
    heldUcr: row.held,
    debtUcr: row.debt,
    period:
      row.period_granted !== null && row.period_start && row.period_end
        ? {
            grantedUcr: row.period_granted,
            remainingUcr: row.period_remaining,
            start: row.period_start,
            end: row.period_end,
          }
        : null,
    nextExpiry:
      row.expiry_at && row.expiry_amount !== null
        ? { at: row.expiry_at, amountUcr: row.expiry_amount }
        : null,
    measure:
      row.measure_version !== null && row.measure_total_ucr !== null
        ? { version: row.measure_version, totalUcr: row.measure_total_ucr }
        : null,
    lowBalanceThresholdUcr: row.low_balance_threshold_ucr,
    nextDueAt: row.next_due_at,
    changesAt: row.changes_at,
    rowState: row.row_state,
    isFrozen: row.drift_found_at !== null,
  };
}

/** What is there beside the plan, on hold or not: what a top-up adds to and "since the last top-up" is measured by. */
export function beside(balance: BalanceFigures): bigint {
  return balance.purchasedUcr + balance.promotionalUcr - balance.debtUcr;
}

/**
 * What "percent used" is measured against. While the plan's part is being spent, or there is nothing else to spend,
 * that is the period; then what was there beside the plan after the last top-up. Credits on hold are not used yet;
 * credits that expired are gone like used ones. Null where there is nothing to be a percentage of.
 */
export function usageOf(
  balance: BalanceFigures,
): { basis: string; id: string; usedUcr: bigint; totalUcr: bigint } | null {
  const { period, measure } = balance;
  const besideUcr = beside(balance);
  if (period && (period.remainingUcr > 0n || besideUcr <= 0n)) {
    return {
      basis: 'period',
      id: `period_${period.start.toISOString().slice(0, 10)}`,
      // What was used beyond everything belongs to the period too: more than 100 % used.
      usedUcr: period.grantedUcr - period.remainingUcr + (besideUcr < 0n ? -besideUcr : 0n),
      totalUcr: period.grantedUcr,
    };
  }
  if (measure && measure.totalUcr > 0n) {
    return {
      basis: 'since_top_up',
      id: `top_up_${measure.version}`,
      usedUcr: measure.totalUcr > besideUcr ? measure.totalUcr - besideUcr : 0n,
      totalUcr: measure.totalUcr,
    };
  }
  return null;
}

/**
 * `low` at the threshold, `critical` at two fifths of it. An organisation that set none gets a quarter of what usage is
 * measured against, so that low and critical are at 75 % and 90 % used.
 */
export function lowBalance(balance: BalanceFigures): { thresholdUcr: bigint; level: string } {
  const thresholdUcr = balance.lowBalanceThresholdUcr ?? (usageOf(balance)?.totalUcr ?? 0n) / 4n;
  const { availableUcr } = balance;
  const level =
    availableUcr <= 0n
      ? 'depleted'
      : availableUcr <= (thresholdUcr * 2n) / 5n
        ? 'critical'
        : availableUcr <= thresholdUcr
          ? 'low'
          : 'ok';
  return { thresholdUcr, level };
}

/** What was used over a time, each part of which was checked by itself: where it is more than JSON carries, the most it does. */
export function sumOnTheWire(ucr: bigint): number {
  return ucr > MAX_SAFE_AMOUNT ? MAX_SAFE_AMOUNT : Number(ucr);
}

/** As the contract says it. Every figure was checked to fit JSON when it was posted. */
export function balanceOnTheWire(balance: BalanceFigures, now: Date): Balance {
  const { thresholdUcr, level } = lowBalance(balance);
  const usage = usageOf(balance);
  // Between periods a plan's credits can only be on hold; no section is theirs then, and the sum must stay true.
  const strayUcr = balance.period ? 0n : balance.includedUcr;
  return {
    org_id: balance.orgId,
    unit: 'credits',
    available_ucr: Number(balance.availableUcr),
    included: balance.period
      ? {
          state: 'available',
          granted_ucr: Number(balance.period.grantedUcr),
          remaining_ucr: Number(balance.includedUcr),
          period_start: balance.period.start.toISOString(),
          resets_at: balance.period.end.toISOString(),
        }
      : { state: 'unavailable', reason: 'no_plan' },
    purchased: { remaining_ucr: Number(balance.purchasedUcr) },
    promotional: { remaining_ucr: Number(balance.promotionalUcr + strayUcr) },
    held_ucr: Number(balance.heldUcr),
    debt_ucr: Number(balance.debtUcr),
    next_expiry: balance.nextExpiry && {
      at: balance.nextExpiry.at.toISOString(),
      amount_ucr: Number(balance.nextExpiry.amountUcr),
    },
    usage: usage && {
      basis: usage.basis,
      period_id: usage.id,
      used_ucr: Number(usage.usedUcr),
      total_ucr: Number(usage.totalUcr),
    },
    low_balance: { threshold_ucr: Number(thresholdUcr), level },
    version: Number(balance.version),
    as_of: now.toISOString(),
  };
}
