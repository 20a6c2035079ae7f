// The whole conversation between the panel's page and the extension host. The host sends its whole state each
// time (it is small), so the page can be closed, hidden or restored at any moment; the page sends wishes.
import * as z from 'zod/mini';
import type { AmountLimits } from './amount.ts';
import type { Ucr } from './units.ts';

// ---- host -> page

/** The balance as a view shows it: no tokens, no addresses beyond a host name. */
export type BalanceView =
  | { readonly kind: 'loading'; readonly lastUcr: Ucr | null }
  | { readonly kind: 'known'; readonly availableUcr: Ucr; readonly asOfMs: number }
  /** The last known figure; `reason` is a finished sentence in the person's language. */
  | { readonly kind: 'stale'; readonly availableUcr: Ucr; readonly asOfMs: number; readonly reason: string }
  | { readonly kind: 'forbidden'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

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
      readonly orgName: string;
      readonly role: string;
      readonly personName: string;
      readonly serverHost: string;
      readonly testMode: boolean;
      readonly balance: BalanceView;
      readonly refreshing: boolean;
      readonly buying: BuyingView;
      readonly pending: PendingView | null;
      readonly notice: NoticeView | null;
    };

export type ToPage = { readonly type: 'state'; readonly state: PanelState };

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
] as const;

export const ToHost = z.discriminatedUnion('type', shapes);
export type ToHost = z.infer<typeof ToHost>;

/** What the page said, or undefined when it is none of the known shapes (T9). */
export function parseToHost(value: unknown): ToHost | undefined {
  const parsed = ToHost.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
