// The tables as TypeScript sees them. Amounts are BIGINT, read as bigint; a wire number is made only in the routes.
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { BudgetPeriod, PurchaseStatus } from '../../../protocol/api.ts';

type Json = ColumnType<Record<string, unknown>, string, string>;

export interface Tables {
  organisations: {
    org_id: string;
    name: string;
    /** The newest ledger transaction's `version`; more after a leap, never less. */
    version: Generated<bigint>;
    /** Number of the newest outbox row. */
    outbox_sequence: Generated<bigint>;
    /** "Percent used" is measured since this transaction, the newest grant … */
    measure_version: bigint | null;
    /** … against what was available right after it. */
    measure_total_ucr: bigint | null;
    low_balance_threshold_ucr: bigint | null;
    /** When the ledger has to post something by itself: at the latest then, possibly nothing. */
    next_due_at: Date | null;
    /** A balance is known to differ from its entries: nothing is posted until it is repaired. */
    drift_found_at: Date | null;
    /** Whom members may ask, where it is not the first admin. */
    contact_name: string | null;
    contact_email: string | null;
    created_at: Date;
  };
  principals: {
    principal_id: string;
    kind: 'person' | 'service';
    name: string;
    email: string | null;
    created_at: Date;
  };
  memberships: { org_id: string; principal_id: string; role: Role; created_at: Date };
  /** Who a person is at an identity provider. */
  identities: { issuer: string; subject: string; principal_id: string; created_at: Date };
  sign_in_returns: { state_hash: string; callback_uri: string; expires_at: Date; used_at: Date | null };
  tokens: {
    token_hash: string;
    token_id: GeneratedAlways<string>;
    principal_id: string;
    name: string | null;
    /** Separated by spaces; null for all that its kind of principal may. */
    scope: string | null;
    created_at: Date;
    expires_at: Date | null;
    revoked_at: Date | null;
    last_used_at: Date | null;
  };
  grants: {
    org_id: string;
    grant_id: string;
    kind: GrantKind;
    granted_ucr: bigint;
    effective_at: Date;
    expires_at: Date | null;
    voided_at: Date | null;
    created_at: Date;
  };
  accounts: {
    org_id: string;
    account_id: string;
    kind: AccountKind;
    balance_ucr: Generated<bigint>;
    floor_ucr: bigint | null;
    ceiling_ucr: bigint | null;
    /** Of credits on hold: the grant they are from. */
    grant_id: string | null;
  };
  ledger_transactions: {
    org_id: string;
    version: bigint;
    type: TransactionType;
    source_type: string;
    source_id: string;
    actor: string;
    /** Why, in a person's words. */
    reason: string | null;
    reverses_version: bigint | null;
    effective_at: Date;
    created_at: Date;
  };
  ledger_entries: { org_id: string; version: bigint; account_id: string; amount_ucr: bigint };
  plans: {
    org_id: string;
    active: boolean;
    included_ucr: bigint;
    anchor_day: number;
    rollover_cap_ucr: bigint;
    /** The first moment that no grant of the plan has been posted for. */
    next_period_start: Date;
  };
  holds: {
    org_id: string;
    hold_id: string;
    status: HoldStatus;
    amount_ucr: bigint;
    used_ucr: bigint | null;
    user_id: string | null;
    model: string | null;
    /** The transaction that put the credits on hold. */
    version: bigint;
    created_at: Date;
    expires_in_s: number;
    expires_at: Date;
    closed_at: Date | null;
  };
  usage_events: {
    org_id: string;
    /** What `event_id` is the id of. */
    source_type: Generated<'usage_event' | 'hold'>;
    event_id: string;
    version: bigint;
    amount_ucr: bigint;
    user_id: string | null;
    model: string | null;
    created_at: Date;
  };
  purchases: {
    org_id: string;
    purchase_id: string;
    status: PurchaseStatus;
    amount_minor: bigint;
    currency: string;
    credits_per_major_unit: bigint;
    credits_ucr: bigint;
    return_uri: string | null;
    return_token: string;
    session_id: string | null;
    checkout_url: string | null;
    payment_intent_id: string | null;
    created_by: string;
    created_at: Date;
    expires_at: Date;
    /** When Stripe was last asked about it. */
    checked_at: Date | null;
    cancel_requested_at: Date | null;
    credited_at: Date | null;
    balance_version: bigint | null;
    /** What was paid in all, with tax; null until it was. */
    total_minor: bigint | null;
    refunded_minor: Generated<bigint>;
    dispute: DisputeState | null;
    grant_id: string | null;
    reversed_ucr: Generated<bigint>;
    disputed_ucr: Generated<bigint>;
    reversal_steps: Generated<bigint>;
    looks_begun: Generated<bigint>;
    look_stored: Generated<bigint>;
    /** Since when the payment side does not know its session; null while it does. */
    lost_since: Generated<Date | null>;
    receipt_url: string | null;
    invoice_url: string | null;
    failure_code: string | null;
  };
  idempotency_keys: {
    org_id: string;
    route: string;
    principal_id: string;
    key: string;
    request_hash: string;
    /** The purchase made under this key; a retry after a crash goes on with it. */
    purchase_id: string;
    /** The server process at work on it, or null when none is. */
    held_by: string | null;
    held_at: Date;
    answer_status: number | null;
    answer_body: ColumnType<Record<string, unknown> | null, string | null, string | null>;
    created_at: Date;
  };
  stripe_events: {
    event_key: string;
    event_id: string | null;
    type: string;
    session_id: string | null;
    payment_intent_id: string | null;
    status: StripeEventStatus;
    org_id: string | null;
    received_at: Date;
    settled_at: Date | null;
    /** It is in the payment side's list and was not delivered, or not yet. */
    found_by_looking: Generated<boolean>;
  };
  /** One row, from the first look on. */
  stripe_reading: { one: Generated<boolean>; read_to: Date };
  payment_customers: { org_id: string; customer_id: string; created_at: Date };
  audit_log: {
    org_id: string;
    audit_id: Generated<bigint>;
    at: Date;
    actor: string;
    action: string;
    purchase_id: string | null;
    version: bigint | null;
    details: Json;
  };
  teams: { org_id: string; team_id: string; name: string; created_at: Date };
  team_members: { org_id: string; team_id: string; principal_id: string };
  budgets: {
    org_id: string;
    budget_id: string;
    /** A team's, or … */
    team_id: string | null;
    /** … a person's. */
    principal_id: string | null;
    limit_ucr: bigint;
    /** The limit after the period that began at `limit_since`; null where it stays. */
    reset_ucr: bigint | null;
    limit_since: Date | null;
    period: BudgetPeriod;
    /** The period that `used_ucr` is of; in a later one nothing is used yet. */
    period_start: Date;
    used_ucr: Generated<bigint>;
    created_at: Date;
  };
  /** With `user_id` '' of everybody. */
  usage_days: { org_id: string; user_id: string; day: Date; used_ucr: bigint };
  alerts: {
    org_id: string;
    alert_id: Generated<bigint>;
    kind: 'usage' | 'low_balance' | 'budget';
    percent: number | null;
    period_id: string;
    budget_id: string | null;
    name: string | null;
    created_at: Date;
  };
  outbox: { org_id: string; sequence: bigint; event: string; data: Json; created_at: Date };
}

export const roles = ['admin', 'team_owner', 'team_lead', 'user', 'service'] as const;
export type Role = (typeof roles)[number];

export const grantKinds = ['included', 'promotional', 'purchased'] as const;
export type GrantKind = (typeof grantKinds)[number];

/** `grant` (one per grant), `debt` and `hold` are the organisation's; the others are where credits come from and go to. */
export const accountKinds = [
  'grant',
  'debt',
  'hold',
  'payments',
  'promotions',
  'plan',
  'usage',
  'breakage',
  'adjustments',
] as const;
export type AccountKind = (typeof accountKinds)[number];

export const transactionTypes = [
  'purchase',
  'grant',
  'usage',
  'refund',
  'dispute_hold',
  'dispute_release',
  'expiry',
  'void',
  'adjustment',
  'hold',
  'release',
] as const;
export type TransactionType = (typeof transactionTypes)[number];

/** An inquiry is no dispute yet: nothing was taken. */
export const disputeStates = ['open', 'won', 'lost'] as const;
export type DisputeState = (typeof disputeStates)[number];
export const holdStatuses = ['open', 'finalized', 'released', 'expired'] as const;
export type HoldStatus = (typeof holdStatuses)[number];

/** `received` until its effect is committed; `ignored`: not ours to act on; `quarantined`: a person must look. */
export const stripeEventStatuses = ['received', 'done', 'ignored', 'quarantined'] as const;
export type StripeEventStatus = (typeof stripeEventStatuses)[number];
