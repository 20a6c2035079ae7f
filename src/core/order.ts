// The words of a purchase: what is ordered, how it stands, how it ended, and what following it takes.
import type { Ucr } from '../../protocol/units.ts';
import type { Sessions } from './account.ts';
import type { Clock } from './clock.ts';
import type { Connect } from './connect.ts';
import type { CreditsStore } from './creditsStore.ts';
import type { CreditsError } from './errors.ts';
import type { Event } from './event.ts';
import type { Leading } from './lease.ts';
import type { Log } from './log.ts';
import type { Records } from './purchaseRecord.ts';
import type { Attention, Hints } from './refresher.ts';

export interface Order {
  readonly amountMinor: number;
  readonly currency: string;
  /** What the person was shown for it; the server refuses when its rate has changed. */
  readonly creditsUcr: Ucr;
}

/** A purchase under way, as views see it. */
export interface Pending extends Order {
  readonly phase: 'starting' | 'waiting' | 'processing';
  /** The payment page's host, once known. */
  readonly host: string | undefined;
  readonly canCopyLink: boolean;
  /** Why the server has not confirmed the order yet; it is repeated with the same key. */
  readonly error: CreditsError | undefined;
}

export type Settled =
  | { readonly kind: 'credited'; readonly creditsUcr: Ucr; readonly availableUcr: Ucr | undefined }
  | { readonly kind: 'expired' | 'canceled' | 'failed' | 'needsReview'; readonly order: Order };

export type BuyResult =
  | { readonly kind: 'opened'; readonly host: string }
  /** The editor says the browser did not open; the purchase waits, its link can be copied. */
  | { readonly kind: 'notOpened'; readonly host: string }
  /** The person looked at amount, credits and host, and said no. */
  | { readonly kind: 'declined' }
  /** `error`: why it could not be taken back, where that was tried. */
  | { readonly kind: 'alreadyPending'; readonly pending: Pending; readonly error?: CreditsError | undefined }
  | { readonly kind: 'quoteChanged'; readonly creditsUcr: Ucr | undefined }
  /** The server said no. There is no order. */
  | { readonly kind: 'refused'; readonly error: CreditsError }
  /** No answer yet; goes on in the background with the same key. */
  | { readonly kind: 'unanswered'; readonly error: CreditsError }
  /** The server named a payment page that may not be opened; the order was taken back. */
  | { readonly kind: 'badAddress'; readonly host: string | undefined }
  /** It has come to its end, which onDidSettle tells, or to where it has no page any more. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'signedOut' };

/** Asked before a payment page is opened, where the view has not named the host yet (T40). */
export type Confirm = (order: Order, host: string) => Promise<boolean>;

export interface CheckoutMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly store: CreditsStore;
  readonly hints: Hints;
  readonly attention: Attention;
  /** The one-time state of each way back from a browser. */
  readonly returned: Event<string>;
  /** Opens an address outside; false when it certainly did not. */
  readonly open: (url: string) => Promise<boolean>;
  /** The address that leads back into this editor with `state`, or undefined where there is none. */
  readonly returnUri: (state: string) => Promise<string | undefined>;
  readonly allowedOrigins: (serverUrl: string) => ReadonlySet<string>;
  /** Unguessable and never the same twice: idempotency keys and one-time states. */
  readonly newId: () => string;
  readonly records: Records;
  /** Whether this window asks by the clock for what no window's person is acting on. */
  readonly leading: Leading;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Log;
}
