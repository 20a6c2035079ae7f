// The whole conversation between the panel's page and the extension host. The host sends its whole state each
// time (it is small), so the page can be closed, hidden or restored at any moment; the page sends wishes.
import * as z from 'zod/mini';
import type { AmountLimits } from './amount.ts';
import { MAX_SAFE_AMOUNT, type Ucr } from './units.ts';

// ---- host -> page

/** The balance as a view shows it: no tokens, no addresses beyond a host name. */
export type BalanceView =
  | { readonly kind: 'loading'; readonly lastUcr: Ucr | null }
  | { readonly kind: 'known'; readonly availableUcr: Ucr; readonly asOfMs: number }
  /** The last known figure; `reason` is a finished sentence in the person's language. */
  | {
      readonly kind: 'stale';
      readonly availableUcr: Ucr;
      readonly asOfMs: number;
      readonly reason: string;
      /** True when nothing but signing in again helps. */
      readonly signInAgain: boolean;
    }
  | { readonly kind: 'forbidden'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly signInAgain: boolean };

/** What the balance is made of, in the order it is told. What the server does not say is null, never nought. */
export interface DetailView {
  /** Null where the organisation has no plan. */
  readonly included:
    | {
        readonly kind: 'known';
        readonly remainingUcr: Ucr;
        readonly grantedUcr: Ucr;
        readonly resetsAtMs: number;
      }
    | { readonly kind: 'unlimited' }
    | { readonly kind: 'unknown' }
    | null;
  /** Bought, and given besides the plan; `totalUcr` is what there was after the last top-up. */
  readonly addOn: { readonly remainingUcr: Ucr; readonly totalUcr: Ucr | null };
  /** Set aside for requests that run, or until a dispute is decided. */
  readonly heldUcr: Ucr;
  readonly budgets: readonly BudgetView[];
  readonly stop:
    | { readonly kind: 'balance' }
    /** Null where the server names one that it does not show. */
    | { readonly kind: 'budget'; readonly budget: BudgetView | null }
    | null;
  readonly runway: { readonly days: number; readonly lowDays: number; readonly highDays: number } | null;
  readonly nextExpiry: { readonly atMs: number; readonly amountUcr: Ucr } | null;
}

export interface BudgetView {
  readonly scope: 'user' | 'team' | 'other';
  readonly name: string;
  readonly limitUcr: Ucr;
  readonly usedUcr: Ucr;
  readonly resetsAtMs: number;
  /** The limit from then on. */
  readonly resetsToUcr: Ucr;
}

export interface OfferView {
  readonly currency: string;
  readonly creditsPerMajorUnit: number;
  readonly presets: ReadonlyArray<{ amountMinor: number; creditsUcr: Ucr; popular: boolean }>;
  readonly custom: AmountLimits | null;
}

/** Whether this person can buy here and now, and if not, the sentence that says why. */
export type BuyingView =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'allowed'; readonly offer: OfferView; readonly payHost: string | null }
  | {
      readonly kind: 'blocked';
      readonly reason: string;
      /** True when asking an admin is the way forward. */
      readonly canAsk: boolean;
      readonly contactName: string | null;
    };

/** A purchase under way. `phase` is what the person can do about it. */
export interface PendingView {
  readonly phase: 'starting' | 'waiting' | 'processing';
  readonly amountMinor: number;
  readonly currency: string;
  readonly creditsUcr: Ucr;
  readonly host: string | null;
  /** Set when the link can be copied: the browser may not have opened. */
  readonly canCopyLink: boolean;
}

export interface NoticeView {
  readonly id: number;
  readonly tone: 'success' | 'info' | 'warning' | 'error';
  readonly text: string;
}

export type PanelState =
  | {
      readonly kind: 'signedOut';
      readonly locale: string;
      readonly serverHost: string | null;
      readonly notice: NoticeView | null;
    }
  | {
      readonly kind: 'signedIn';
      readonly locale: string;
      readonly orgId: string;
      readonly orgName: string;
      readonly role: string;
      readonly personName: string;
      readonly serverHost: string;
      readonly testMode: boolean;
      readonly balance: BalanceView;
      /** Null while no balance is known. */
      readonly detail: DetailView | null;
      /** Whether the provider's billing pages are this person's to open. */
      readonly canManageBilling: boolean;
      readonly refreshing: boolean;
      readonly buying: BuyingView;
      readonly pending: PendingView | null;
      readonly notice: NoticeView | null;
    };

/** A payment of the past. Receipt and invoice are opened by the host, so the page needs no address of theirs. */
export interface PaymentView {
  readonly id: string;
  readonly status: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly creditsUcr: Ucr;
  readonly atMs: number;
  readonly byName: string;
  readonly refundedMinor: number;
  /** open, won, lost or, without a dispute, null. */
  readonly dispute: string | null;
  readonly hasReceipt: boolean;
  readonly hasInvoice: boolean;
}

export const usageGroups = ['day', 'model', 'user'] as const;
export type UsageGroup = (typeof usageGroups)[number];

export interface UsageView {
  readonly group: UsageGroup;
  /** Only who sees everyone's usage can have it by person. */
  readonly isEveryones: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly totalUcr: Ucr;
  /** `key` is a day (`2026-11-01`), a model, or a person; null where none was named. */
  readonly rows: ReadonlyArray<{ key: string | null; name: string | null; usedUcr: Ucr }>;
}

/** Something asked for while someone looks: what is known of it stays while it is asked again, or when that fails. */
export interface Fetched<T> {
  readonly value: T | null;
  readonly busy: boolean;
  /** A finished sentence: why it could not be had. */
  readonly problem: string | null;
}

/** What is too large to send with each change of the balance; goes in a message of its own when it changes. */
export interface RecordsView {
  readonly payments: Fetched<{ readonly rows: readonly PaymentView[]; readonly hasMore: boolean }>;
  readonly usage: Fetched<UsageView> & { readonly wanted: UsageGroup };
  /** Null where the organisation's settings are not this person's to see. */
  readonly settings: Fetched<SettingsView> | null;
  /** How many this person has on this server; null until known. */
  readonly organisations: number | null;
}

export interface SettingsView {
  /** Below this the balance counts as low; null for the server's own rule, a quarter of what there is to use. */
  readonly lowBelowUcr: Ucr | null;
}

export type ToPage =
  | { readonly type: 'state'; readonly state: PanelState }
  | { readonly type: 'records'; readonly records: RecordsView };

// ---- page -> host

const shapes = [
  /** The page is up and wants the state. */
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('signIn') }),
  z.object({ type: z.literal('refresh') }),
  /** The page names an amount and the credits it showed for it; the server decides what it costs. */
  z.object({
    type: z.literal('buy'),
    amountMinor: z.int().check(z.minimum(1)),
    expectedCreditsUcr: z.int().check(z.minimum(1)),
  }),
  z.object({ type: z.literal('resumePurchase') }),
  z.object({ type: z.literal('copyCheckoutLink') }),
  z.object({ type: z.literal('checkPurchase') }),
  z.object({ type: z.literal('cancelPurchase') }),
  z.object({ type: z.literal('askAdmin') }),
  z.object({ type: z.literal('dismissNotice'), id: z.int() }),
  z.object({ type: z.literal('showUsage'), group: z.enum(usageGroups) }),
  z.object({ type: z.literal('showPayments') }),
  z.object({ type: z.literal('showMorePayments') }),
  /** By the payment's id: which address that is, and whether it may be opened, the host knows. */
  z.object({
    type: z.literal('openDocument'),
    paymentId: z.string().check(z.maxLength(100)),
    document: z.enum(['receipt', 'invoice']),
  }),
  z.object({ type: z.literal('manageBilling') }),
  z.object({ type: z.literal('exportUsage') }),
  z.object({ type: z.literal('openSettings') }),
  z.object({ type: z.literal('switchOrganisation') }),
  z.object({ type: z.literal('showLowBalance') }),
  z.object({
    type: z.literal('setLowBalance'),
    belowUcr: z.nullable(z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT))),
  }),
] as const;

export const ToHost = z.discriminatedUnion('type', shapes);
export type ToHost = z.infer<typeof ToHost>;

/** What the page said, or undefined when it is none of the known shapes (T9). */
export function parseToHost(value: unknown): ToHost | undefined {
  const parsed = ToHost.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
