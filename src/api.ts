// What other extensions get: `extensions.getExtension('studio-credits.code-studio-credits')?.exports`. Figures and a
// way to hint that credits were used; no token, no account, no way to buy. It only grows: nothing here is renamed.
import type { Event } from './core/event.ts';

export interface CreditsApi {
  /** What is known now. Asks nothing of the server, so call it as often as you like. */
  getSnapshot(): CreditsSnapshot;
  /** Fires when what `getSnapshot` answers has changed. Dispose what it returns. */
  readonly onDidChange: Event<CreditsSnapshot>;
  /** Call it when your request has used credits: the balance is asked for soon, once for a burst from all windows. */
  hintUsage(): void;
  /**
   * Whether at least `credits` (1 by default) are left by what is known now; undefined when that is not known. A hint
   * for a warning before a long run, not a reservation: the server decides at each request.
   * @throws {RangeError} when `credits` is not a number from 0 up
   */
  hasCredits(credits?: number): boolean | undefined;
}

export interface CreditsSnapshot {
  readonly state: 'signedOut' | 'unknown' | 'current' | 'outdated';
  /** In the unit below, fractions included; negative when over the limit. Undefined when not known, never 0 for that. */
  readonly available: number | undefined;
  /** `credits`, or a currency code. Undefined when not known. */
  readonly unit: string | undefined;
  /** Of what there was to use, from 0; undefined where there is nothing to measure against. */
  readonly percentUsed: number | undefined;
  /** Grows with each change of the balance. Undefined when not known. */
  readonly version: number | undefined;
}
