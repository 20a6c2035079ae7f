// What the templates draw from and what they may ask for: the host's state, the person's draft, and acts.
import type { PanelState, RecordsView, UsageGroup } from '../protocol/messages.ts';
import type { Choice, Draft } from './order.ts';

export type SignedIn = Extract<PanelState, { kind: 'signedIn' }>;

export interface Page<State extends PanelState = PanelState> {
  readonly state: State;
  /** The locale figures are formatted in; always one this browser knows. */
  readonly locale: string;
  readonly nowMs: number;
  readonly draft: Draft;
  /** Null until the host has told of them. */
  readonly records: RecordsView | null;
  readonly shownPayments: number;
  /** True while the custom field has the person's hands in it. */
  readonly typing: boolean;
  /** True from Buy until the host has answered it: the second half of a double click buys nothing. */
  readonly buying: boolean;
  /** True from "check now" until the host has answered it. */
  readonly checking: boolean;
  /** True from a setting's being saved until it is typed into again. */
  readonly saved: boolean;
}

export interface Acts {
  signIn(): void;
  refresh(): void;
  choose(choice: Choice): void;
  type(text: string): void;
  leaveField(): void;
  clearField(): void;
  buy(): void;
  resumePurchase(): void;
  copyCheckoutLink(): void;
  checkPurchase(): void;
  cancelPurchase(): void;
  askAdmin(): void;
  dismissNotice(id: number): void;
  /** Adds steps to the typed amount, or takes them away. */
  step(steps: number): void;
  showUsage(group: UsageGroup): void;
  retryUsage(): void;
  retryPayments(): void;
  showMorePayments(): void;
  openDocument(paymentId: string, document: 'receipt' | 'invoice'): void;
  manageBilling(): void;
  exportUsage(): void;
  openSettings(): void;
  switchOrganisation(): void;
  retrySettings(): void;
  typeLowBelow(text: string): void;
  saveLowBelow(): void;
  /** Back to what is kept. */
  forgetLowBelow(): void;
}
