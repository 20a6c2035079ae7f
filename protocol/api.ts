// The HTTP contract v1 between extension and credits server: every shape on the wire, as schema and as type.
//
// Rules: `*_ucr` are integer micro-credits, `*_minor` integer minor units of `currency`; times are RFC 3339 in UTC;
// unknown is not zero, a section that cannot be read says so; clients ignore fields and enum values they do not know.
import * as z from 'zod/mini';
import { MAX_SAFE_AMOUNT } from './units.ts';

/** Sent by the server in every answer as `Credits-Version`; changes inside v1 only ever add. */
export const CREDITS_VERSION = '2026-11-01';

export const IDEMPOTENCY_KEY_HEADER = 'Idempotency-Key';
export const IDEMPOTENCY_REPLAYED_HEADER = 'Idempotency-Replayed';

/** Longest idempotency key, in characters. Source: https://docs.stripe.com/api/idempotent_requests */
export const MAX_IDEMPOTENCY_KEY_LENGTH = 255;

// ---- building stones

const integer = z.int().check(z.minimum(-MAX_SAFE_AMOUNT), z.maximum(MAX_SAFE_AMOUNT));
const count = z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT));
const time = z.iso.datetime({ offset: true });
/** Human text from the organisation's side. Shown as text, never as markup. */
const text = z.string().check(z.maxLength(1_000));
const id = z.string().check(z.minLength(1), z.maxLength(100));
/** Of text from a caller: what every database can keep, so neither U+0000 nor half of a surrogate pair (`Cs`). */
const storable = z.refine<string>(value => !/[\0\p{Cs}]/u.test(value), 'a character that cannot be stored');
const currency = z.string().check(z.regex(/^[a-z]{3}$/));

// ---- GET /v1/meta

export const Meta = z.object({
  service: z.literal('credits'),
  api_versions: z.array(z.string()),
  server_version: z.string(),
  /** Whether payments move real money. Anything but `live` is marked TEST MODE wherever money is spoken of. */
  payment_mode: z.string(),
  features: z.object({ checkout: z.boolean(), events: z.boolean(), portal: z.optional(z.boolean()) }),
  /**
   * Sign-in in the browser: what the organisation's identity provider knows the extension as, and the server's own
   * page that passes the answer on to an editor without a loopback address. Absent where only access tokens are taken;
   * the provider itself is named by `paths.protectedResource` (RFC 9728).
   */
  sign_in: z.optional(z.object({ client_id: z.string(), redirect_uri: z.string() })),
});
export type Meta = z.infer<typeof Meta>;

// ---- GET /v1/me

/** An organisation of the signed-in principal. `role` is for display; what one may do is in `permissions`. */
export const Membership = z.object({
  id,
  name: text,
  role: z.string(),
  permissions: z.object({ can_purchase: z.boolean() }),
});
export type Membership = z.infer<typeof Membership>;

export const Me = z.object({
  principal: z.object({ id, kind: z.string(), name: text, email: z.nullable(text) }),
  orgs: z.array(Membership),
});
export type Me = z.infer<typeof Me>;

// ---- GET /.well-known/oauth-protected-resource (RFC 9728)

/** What a token may be asked for. A member's role limits it further, live. */
export const scopes = [
  'credits:read',
  'credits:history',
  'credits:purchase',
  'credits:manage',
  'credits:usage.write',
] as const;
export type Scope = (typeof scopes)[number];

export const ProtectedResource = z.object({
  /** The server's own address: the audience that tokens must be for. */
  resource: z.string(),
  authorization_servers: z.array(z.string()),
  scopes_supported: z.array(z.string()),
  bearer_methods_supported: z.array(z.string()),
  resource_name: z.optional(text),
});
export type ProtectedResource = z.infer<typeof ProtectedResource>;

// ---- POST /v1/sign-in-returns (no token)

/** Before the browser opens: where the answer that carries this `state` is to be passed on to, once. */
export const CreateSignInReturn = z.object({
  state: z.string().check(z.regex(/^[\w-]{43,128}$/)),
  callback_uri: z.string().check(z.maxLength(2_000), storable),
});
export type CreateSignInReturn = z.infer<typeof CreateSignInReturn>;

export const SignInReturn = z.object({ expires_at: time });
export type SignInReturn = z.infer<typeof SignInReturn>;

// ---- GET, POST /v1/me/tokens, /v1/orgs/{org}/tokens; DELETE …/{token}

export const CreateToken = z.object({
  /** What people know it by. */
  name: z.string().check(z.minLength(1), z.maxLength(100), storable),
  /** Of one's own: no more than the asker's token has. A service's: reading and reporting usage at most. */
  scopes: z.array(z.enum(scopes)).check(z.minLength(1), z.maxLength(scopes.length)),
  /** Never longer than a token of this server that asks for it. */
  expires_in_days: z.int().check(z.minimum(1), z.maximum(366)),
});
export type CreateToken = z.infer<typeof CreateToken>;

export const AccessToken = z.object({
  id,
  name: z.nullable(text),
  /** Null for all that its owner may. */
  scopes: z.nullable(z.array(z.string())),
  /** The service it is of, or the asker. */
  principal_id: id,
  created_at: time,
  expires_at: z.nullable(time),
  /** To within some minutes; null when it never was. */
  last_used_at: z.nullable(time),
});
export type AccessToken = z.infer<typeof AccessToken>;

/** The only answer that ever holds the token itself. */
export const NewAccessToken = z.extend(AccessToken, { token: z.string() });
export type NewAccessToken = z.infer<typeof NewAccessToken>;

/** Those that have been neither revoked nor expired, newest first. */
export const AccessTokenList = z.object({ data: z.array(AccessToken) });
export type AccessTokenList = z.infer<typeof AccessTokenList>;

// ---- GET /v1/orgs/{org}/balance

/** A part of the answer that may be unknown: `unavailable` with a reason is never to be read as zero. */
const included = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('available'),
    granted_ucr: count,
    remaining_ucr: count,
    period_start: time,
    resets_at: time,
  }),
  z.object({ state: z.literal('unavailable'), reason: z.string() }),
]);

export const budgetPeriods = ['month', 'quarter', 'half_year', 'year'] as const;
export type BudgetPeriod = (typeof budgetPeriods)[number];

/** A limit on what one person or one team may use in a period. It renews itself: the next period starts from nothing used. */
export const Budget = z.object({
  id,
  /** `user` or `team`. */
  scope: z.string(),
  /** The person's or the team's. */
  name: text,
  limit_ucr: count,
  /** May pass the limit: what was running when it was reached is still counted. */
  used_ucr: count,
  /** month, quarter, half_year or year. */
  period: z.string(),
  period_start: time,
  resets_at: time,
  /** The limit from then on; `limit_ucr` where it is not told. */
  resets_to_ucr: z.optional(count),
});
export type Budget = z.infer<typeof Budget>;

/**
 * Invariant: `available = included.remaining + purchased + promotional - held - debt`, where an `included` that is
 * unavailable counts as nothing. What is on hold is still in the part it is from, so after a period's end
 * `included.remaining` may be more than `granted`.
 */
export const Balance = z.object({
  org_id: id,
  /** `credits` here; a server in front of another vendor's balance may answer a currency code. */
  unit: z.string().check(z.regex(/^[a-z]{1,16}$/i)),
  /** Negative when usage ran past the balance. */
  available_ucr: integer,
  included,
  purchased: z.object({ remaining_ucr: count }),
  promotional: z.object({ remaining_ucr: count }),
  held_ucr: count,
  debt_ucr: count,
  next_expiry: z.nullable(z.object({ at: time, amount_ucr: count })),
  /**
   * What "percent used" is measured against; null where there is nothing to measure against. It is the period while
   * the plan's part is being spent or there is nothing else to spend, and then what was there beside the plan after
   * the last top-up. Credits on hold are not used yet; credits that expired are gone like used ones. The default of
   * `low_balance.threshold_ucr` is a quarter of it.
   */
  usage: z.nullable(
    z.object({
      /** `period` or `since_top_up`. */
      basis: z.string(),
      /** Changes when the measure starts anew (a period begins, a top-up arrives); warnings are told once per id. */
      period_id: z.string(),
      used_ucr: count,
      total_ucr: count,
    }),
  ),
  low_balance: z.object({ threshold_ucr: count, /** ok, low, critical or depleted. */ level: z.string() }),
  /** Limits of the asker's own and of their teams. Absent where the server keeps none or does not show them. */
  budgets: z.optional(z.array(Budget)),
  /** What refuses the asker's next request: the `balance`, or a `budget` by its id. Null when nothing does. */
  stopped_by: z.optional(z.nullable(z.object({ kind: z.string(), budget_id: z.nullable(id) }))),
  /** How long what is available lasts at the organisation's pace of the last days; null where too little was used to tell. */
  runway: z.optional(
    z.nullable(
      z.object({
        days: count,
        /** The range that the last days leave open. */
        low_days: count,
        high_days: count,
        /** How many days of usage it is read from. */
        from_days: count,
      }),
    ),
  ),
  /** Grows by one with each ledger transaction of the organisation; a lower version never replaces a higher. */
  version: count,
  as_of: time,
});
export type Balance = z.infer<typeof Balance>;

// ---- GET /v1/orgs/{org}/purchase-options

export const PurchaseOptions = z.object({
  currency,
  credits_per_major_unit: count,
  presets: z.array(z.object({ amount_minor: count, credits_ucr: count, popular: z.boolean() })),
  custom: z.nullable(z.object({ min_minor: count, max_minor: count, step_minor: count })),
  can_purchase: z.boolean(),
  /** Why not: not_admin, purchasing_disabled, payments_unavailable, dispute_open, daily_limit, past_due. Null when one can. */
  blocked_reason: z.nullable(z.string()),
  /** Whether the payment side's pages open for whoever asks; absent from servers that do not tell. */
  can_manage_billing: z.optional(z.boolean()),
  /** What may still be bought today, in minor units; absent where a day has no limit. */
  daily_left_minor: z.optional(count),
  /** Whom a member can ask. */
  contact: z.nullable(z.object({ name: text, email: z.nullable(text) })),
  payment_mode: z.string(),
  /** Where payment pages are, to be named before one opens. For people only: a client keeps its own list of allowed origins. */
  payment_host: z.nullable(text),
});
export type PurchaseOptions = z.infer<typeof PurchaseOptions>;

// ---- POST /v1/orgs/{org}/purchases

export const CreatePurchase = z.object({
  amount_minor: z.int().check(z.minimum(1), z.maximum(MAX_SAFE_AMOUNT)),
  currency,
  /** The credits the person was shown. A server whose rate has changed answers 409 `quote_changed`. */
  expected_credits_ucr: z.int().check(z.minimum(1), z.maximum(MAX_SAFE_AMOUNT)),
  /** Where the return page may send the person. A hint to look again, never proof of payment. */
  return_uri: z.optional(z.string().check(z.maxLength(2_000), storable)),
});
export type CreatePurchase = z.infer<typeof CreatePurchase>;

export const purchaseStatuses = [
  'creating',
  'open',
  'processing',
  'credited',
  'expired',
  'canceled',
  'failed',
  'needs_review',
] as const;
export type PurchaseStatus = (typeof purchaseStatuses)[number];

/** `credited` means: the entries are in the ledger, and balances from `balance_version` on include them. */
export const Purchase = z.object({
  id,
  org_id: id,
  status: z.string(),
  amount_minor: count,
  currency,
  credits_ucr: count,
  /** The hosted payment page, only while the purchase is open. */
  checkout_url: z.nullable(z.string().check(z.maxLength(5_000))),
  expires_at: time,
  created_by: z.object({ id, name: text }),
  created_at: time,
  credited_at: z.nullable(time),
  balance_version: z.nullable(count),
  /** All that was paid, tax included; null until it was, absent where the server does not say. */
  total_minor: z.optional(z.nullable(count)),
  /** Of `total_minor`, in all. */
  refunded_minor: count,
  /** Credits taken back for refunds and lost disputes. */
  reversed_ucr: z.optional(count),
  /** Credits set aside until a dispute is decided; part of the balance's `held_ucr`. */
  disputed_ucr: z.optional(count),
  /** open, won or lost; null when the payer's bank never disputed the payment. */
  dispute: z.nullable(z.string()),
  receipt_url: z.nullable(z.string()),
  invoice_url: z.nullable(z.string()),
  failure: z.nullable(z.object({ code: z.string(), message: text })),
});
export type Purchase = z.infer<typeof Purchase>;

/** Newest first. `next_cursor` is opaque; null on the last page. */
export const PurchaseList = z.object({ data: z.array(Purchase), next_cursor: z.nullable(z.string()) });
export type PurchaseList = z.infer<typeof PurchaseList>;

// ---- POST /v1/orgs/{org}/portal-sessions

/** The address opens the pages for a short while, for whoever has it. */
export const PortalSession = z.object({ url: z.string().check(z.maxLength(5_000)) });
export type PortalSession = z.infer<typeof PortalSession>;

// ---- GET /v1/orgs/{org}/audit

export const AuditEntry = z.object({
  id,
  at: time,
  /** A principal, or `payment_provider` or `server`, which have no name. */
  actor: z.object({ id, name: z.nullable(text) }),
  /** purchase.created, purchase.credited, purchase.refunded, purchase.dispute_open, credits.grant, billing.portal_opened … */
  action: z.string(),
  purchase_id: z.nullable(z.string()),
  /** The ledger transaction that belongs to it. */
  balance_version: z.nullable(count),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** Newest first. `next_cursor` is opaque; null on the last page. */
export const AuditList = z.object({ data: z.array(AuditEntry), next_cursor: z.nullable(z.string()) });
export type AuditList = z.infer<typeof AuditList>;

// ---- GET /v1/orgs/{org}/members, DELETE /members/{member}, PUT /members/{member}/role, PUT and DELETE /members/{member}/budget

export const OrgMember = z.object({
  id,
  name: text,
  email: z.nullable(text),
  /** admin, team_owner, team_lead or user. */
  role: z.string(),
  /** As far as the asker sees them. */
  teams: z.array(z.object({ id, name: text })),
});
export type OrgMember = z.infer<typeof OrgMember>;

/** By id. `next_cursor` is opaque; null on the last page. */
export const OrgMemberList = z.object({ data: z.array(OrgMember), next_cursor: z.nullable(z.string()) });
export type OrgMemberList = z.infer<typeof OrgMemberList>;

export const memberRoles = ['admin', 'team_owner', 'team_lead', 'user'] as const;
export const SetRole = z.object({ role: z.enum(memberRoles) });
export type SetRole = z.infer<typeof SetRole>;

export const SetBudget = z.object({
  limit_ucr: z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT)),
  /** Of the calendar, in UTC. */
  period: z.enum(budgetPeriods),
  /** The limit from the next period on, for one that is another in this period alone; `limit_ucr` unless told. */
  reset_ucr: z.optional(z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT))),
});
export type SetBudget = z.infer<typeof SetBudget>;

// ---- GET and POST /v1/orgs/{org}/teams, PUT and DELETE /teams/{team}, /teams/{team}/members/{member}, /teams/{team}/budget

export const Team = z.object({
  id,
  name: text,
  members: count,
  /** Null when none is set. */
  budget: z.nullable(Budget),
});
export type Team = z.infer<typeof Team>;

/** By id, which is by age. `next_cursor` is opaque; null on the last page. */
export const TeamList = z.object({ data: z.array(Team), next_cursor: z.nullable(z.string()) });
export type TeamList = z.infer<typeof TeamList>;

export const NameTeam = z.object({
  name: z.string().check(z.trim(), z.minLength(1), z.maxLength(100), storable),
});
export type NameTeam = z.infer<typeof NameTeam>;

// ---- GET and PUT /v1/orgs/{org}/settings (admins)

export const OrgSettings = z.object({
  /** Null: a quarter of what usage is measured against. */
  low_balance_threshold_ucr: z.nullable(z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT))),
  /** Whom members are told to ask for credits; null: the admin who has been it longest. */
  contact: z.nullable(
    z.object({
      name: z.string().check(z.minLength(1), z.maxLength(200), storable),
      email: z.nullable(z.email().check(z.maxLength(320))),
    }),
  ),
});
export type OrgSettings = z.infer<typeof OrgSettings>;

// ---- GET /v1/orgs/{org}/alerts

/** A line that was crossed: told once in its period. */
export const Alert = z.object({
  id,
  /** `usage` of what the organisation has, `low_balance` (its own threshold), or `budget`. */
  kind: z.string(),
  /** 75, 90 or 100; null for `low_balance`. */
  percent: z.nullable(count),
  /** The period it was crossed in, as `usage.period_id` of the balance says it, or a budget's period by its first day (`month_2027-02-01`). */
  period_id: z.string(),
  budget: z.nullable(z.object({ id, name: text })),
  at: time,
});
export type Alert = z.infer<typeof Alert>;

/** Newest first. `next_cursor` is opaque; null on the last page. */
export const AlertList = z.object({ data: z.array(Alert), next_cursor: z.nullable(z.string()) });
export type AlertList = z.infer<typeof AlertList>;

// ---- POST /v1/orgs/{org}/usage (service tokens)

export const PostUsage = z.object({
  /** The caller's own id of the event; the same id debits at most once, for ever. */
  event_id: z.string().check(z.minLength(1), z.maxLength(200), storable),
  amount_ucr: z.int().check(z.minimum(1), z.maximum(MAX_SAFE_AMOUNT)),
  user_id: z.optional(id.check(storable)),
  model: z.optional(text.check(storable)),
});
export type PostUsage = z.infer<typeof PostUsage>;

export const UsagePosted = z.object({
  event_id: z.string(),
  /** True when this event had been posted before and nothing was debited now. */
  duplicate: z.boolean(),
  balance_version: count,
  available_ucr: integer,
});
export type UsagePosted = z.infer<typeof UsagePosted>;

// ---- POST /v1/orgs/{org}/holds, /holds/{hold}/finalize, /holds/{hold}/release (service tokens)

/** Longest life of a hold, in seconds: no request runs longer, and what it set aside is nobody's until then. */
export const MAX_HOLD_S = 24 * 3_600;

export const CreateHold = z.object({
  /** The caller's own id of the request that is running; one id is one hold, for ever. */
  hold_id: z.string().check(z.regex(/^\w[\w.:-]{0,99}$/)),
  amount_ucr: z.int().check(z.minimum(1), z.maximum(MAX_SAFE_AMOUNT)),
  /** After this the credits are free again, whether the caller came back or not. */
  expires_in_s: z.int().check(z.minimum(1), z.maximum(MAX_HOLD_S)),
  user_id: z.optional(id.check(storable)),
  model: z.optional(text.check(storable)),
});
export type CreateHold = z.infer<typeof CreateHold>;

export const FinalizeHold = z.object({
  /** What was really used: less than was on hold, or more, or nothing. */
  amount_ucr: z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT)),
});
export type FinalizeHold = z.infer<typeof FinalizeHold>;

export const Hold = z.object({
  id: z.string(),
  /** `open`, then `finalized`, `released` or `expired`. Usage of an expired one can still be finalized. */
  status: z.string(),
  amount_ucr: count,
  /** Null until finalized. */
  used_ucr: z.nullable(count),
  created_at: time,
  expires_at: time,
  closed_at: z.nullable(time),
  /** True when this had been done before and nothing was changed now. */
  duplicate: z.boolean(),
  balance_version: count,
  available_ucr: integer,
});
export type Hold = z.infer<typeof Hold>;

// ---- GET /v1/orgs/{org}/ledger, /grants (admins)

export const LedgerTransaction = z.object({
  /** The balance has this transaction from this version on. */
  version: count,
  /** purchase, grant, usage, refund, dispute_hold, dispute_release, expiry, void, adjustment, hold or release. */
  type: z.string(),
  /** What caused it; of one type, one source has one transaction. */
  source: z.object({ type: z.string(), id: z.string() }),
  actor: z.string(),
  /** Of adjustments: why, in a person's words. */
  reason: z.nullable(text),
  /** By how much it changed what is available. */
  change_ucr: integer,
  /** When it counts from; `created_at` is when it was written. */
  effective_at: time,
  created_at: time,
  /** What moved, by account; they sum to zero. */
  entries: z.array(z.object({ account: z.string(), amount_ucr: integer })),
});
export type LedgerTransaction = z.infer<typeof LedgerTransaction>;

/** Newest first. `next_cursor` is opaque; null on the last page. */
export const LedgerList = z.object({
  data: z.array(LedgerTransaction),
  next_cursor: z.nullable(z.string()),
});
export type LedgerList = z.infer<typeof LedgerList>;

export const Grant = z.object({
  id,
  /** included, promotional or purchased. */
  kind: z.string(),
  /** active, used, expired or voided. */
  status: z.string(),
  granted_ucr: count,
  /** With what is on hold of it. */
  remaining_ucr: count,
  held_ucr: count,
  effective_at: time,
  expires_at: z.nullable(time),
  created_at: time,
});
export type Grant = z.infer<typeof Grant>;

export const GrantList = z.object({ data: z.array(Grant), next_cursor: z.nullable(z.string()) });
export type GrantList = z.infer<typeof GrantList>;

// ---- GET /v1/orgs/{org}/usage

export const UsageReport = z.object({
  /** day, model, user or team. Who is in two teams counts in both, and once in `total_ucr`. */
  group_by: z.string(),
  /** `all` of the organisation, the people of the asker's `team`s, or the asker's `own`. */
  scope: z.string(),
  from: time,
  /** Usage of this very moment is not in the report. */
  to: time,
  total_ucr: count,
  data: z.array(
    z.object({
      /** `2026-11-01` (UTC), a model, a user's or a team's id; null where the gateway named none, or nobody's team. */
      key: z.nullable(z.string()),
      /** Of users who are members, and of teams. */
      name: z.nullable(text),
      used_ucr: count,
      events: count,
    }),
  ),
});
export type UsageReport = z.infer<typeof UsageReport>;

// ---- GET /v1/orgs/{org}/events (server-sent events; `id:` is the outbox sequence)

export const events = {
  'balance.updated': z.object({ version: count, available_ucr: integer, level: z.string(), as_of: time }),
  /** Only a hint to look: whose it is, is seen by those who may. */
  'alert.raised': z.object({ id, kind: z.string(), percent: z.nullable(count) }),
  'purchase.updated': z.object({ id, status: z.string(), balance_version: z.nullable(count) }),
  /** What was missed is no longer kept: ask for everything again. */
  resync: z.object({}),
  /** The server ends the stream on purpose (shutdown, renew, removed, revoked): whether another opens is for it to say. */
  'stream.closing': z.object({ reason: z.string() }),
} as const;
export type EventName = keyof typeof events;
export type EventData<N extends EventName> = z.infer<(typeof events)[N]>;

/** Comment lines the server sends on a quiet stream; three missed ones mean the stream is dead. */
export const HEARTBEAT_MS = 20_000;

// ---- errors: application/problem+json, RFC 9457

/** Every `code` the server answers, and its HTTP status. */
export const problemStatus = {
  idempotency_key_required: 400,
  invalid_signature: 400,
  unauthenticated: 401,
  budget_exceeded: 402,
  insufficient_credits: 402,
  insufficient_role: 403,
  insufficient_scope: 403,
  hold_not_found: 404,
  member_not_found: 404,
  not_found: 404,
  org_not_found: 404,
  purchase_not_found: 404,
  team_not_found: 404,
  token_not_found: 404,
  hold_not_open: 409,
  last_admin: 409,
  purchase_not_open: 409,
  purchasing_blocked: 409,
  quote_changed: 409,
  request_in_progress: 409,
  too_many_tokens: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  amount_out_of_range: 422,
  currency_mismatch: 422,
  idempotency_key_reused: 422,
  return_uri_not_allowed: 422,
  validation_failed: 422,
  rate_limited: 429,
  internal_error: 500,
  ledger_frozen: 503,
  payment_provider_unavailable: 503,
  unavailable: 503,
} as const;
export type ProblemCode = keyof typeof problemStatus;

export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  errors: z.optional(z.array(z.object({ pointer: z.string(), code: z.string() }))),
  retry_after_s: z.optional(count),
  /** With `quote_changed`: the credits the amount buys now. */
  credits_ucr: z.optional(count),
  /** With `budget_exceeded`: the one that would be passed. */
  budget: z.optional(z.object({ id, name: text })),
});
export type Problem = z.infer<typeof Problem>;

// ---- where things are

export const paths = {
  meta: () => '/v1/meta',
  me: () => '/v1/me',
  protectedResource: () => '/.well-known/oauth-protected-resource',
  signInReturns: () => '/v1/sign-in-returns',
  myTokens: () => '/v1/me/tokens',
  myToken: (token: string) => `${paths.myTokens()}/${encodeURIComponent(token)}`,
  tokens: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/tokens`,
  token: (org: string, token: string) => `${paths.tokens(org)}/${encodeURIComponent(token)}`,
  balance: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/balance`,
  purchaseOptions: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/purchase-options`,
  purchases: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/purchases`,
  purchase: (org: string, purchase: string) =>
    `/v1/orgs/${encodeURIComponent(org)}/purchases/${encodeURIComponent(purchase)}`,
  cancelPurchase: (org: string, purchase: string) => `${paths.purchase(org, purchase)}/cancel`,
  portalSessions: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/portal-sessions`,
  audit: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/audit`,
  events: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/events`,
  usage: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/usage`,
  ledger: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/ledger`,
  grants: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/grants`,
  members: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/members`,
  teams: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/teams`,
  settings: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/settings`,
  alerts: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/alerts`,
  holds: (org: string) => `/v1/orgs/${encodeURIComponent(org)}/holds`,
  finalizeHold: (org: string, hold: string) => `${paths.holds(org)}/${encodeURIComponent(hold)}/finalize`,
  releaseHold: (org: string, hold: string) => `${paths.holds(org)}/${encodeURIComponent(hold)}/release`,
} as const;
