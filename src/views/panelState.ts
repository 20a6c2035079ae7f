// The panel's whole state, made from the parts' states: a pure function, so every picture of the panel is a table row.
import { l10n } from 'vscode';
import type { PurchaseOptions } from '../../protocol/api.ts';
import type {
  BalanceView,
  BuyingView,
  NoticeView,
  PanelState,
  PendingView,
} from '../../protocol/messages.ts';
import type { Reading } from '../core/balance.ts';
import type { Pending } from '../core/checkout.ts';
import type { CreditsState } from '../core/creditsStore.ts';
import { describeBlocked, describeError } from './describe.ts';

export interface PanelFacts {
  readonly state: CreditsState;
  readonly pending: Pending | undefined;
  readonly notice: NoticeView | null;
  readonly ageMs: (reading: Reading) => number;
  /** Wall time, ms since the epoch. */
  readonly nowMs: number;
  readonly locale: string;
  /** The server a sign-in would go to, when one is set. */
  readonly serverUrl: string | undefined;
}

export function panelState(facts: PanelFacts): PanelState {
  const { state, notice, locale } = facts;
  const { account, options } = state;
  const balance = balanceView(facts);
  if (!account || !balance) {
    return { kind: 'signedOut', locale, serverHost: hostOf(facts.serverUrl), notice };
  }
  return {
    kind: 'signedIn',
    locale,
    orgName: account.orgName,
    role: account.role,
    personName: account.personName,
    serverHost: hostOf(account.serverUrl) ?? account.serverUrl,
    testMode: options !== undefined && options.payment_mode !== 'live',
    balance,
    refreshing: state.refreshing,
    buying: buyingView(options),
    pending: facts.pending ? pendingView(facts.pending) : null,
    notice,
  };
}

function balanceView({ state: { balance }, ageMs, nowMs }: PanelFacts): BalanceView | undefined {
  // By how long ago it came, not by the server's clock, so that wrong clocks do not show as wrong ages.
  const shown = ({ snapshot, atMs }: Reading) => ({
    availableUcr: snapshot.available_ucr,
    asOfMs: Math.round(nowMs - ageMs({ snapshot, atMs })),
  });
  switch (balance.kind) {
    case 'signedOut':
      return undefined;
    case 'loading':
      return { kind: 'loading', lastUcr: balance.last?.snapshot.available_ucr ?? null };
    case 'known':
      return { kind: 'known', ...shown(balance.last) };
    case 'stale':
      return { kind: 'stale', ...shown(balance.last), reason: describeError(balance.error) };
    case 'forbidden':
      return {
        kind: 'forbidden',
        reason: l10n.t('The balance is shown to administrators of your organisation.'),
      };
    case 'failed':
      return balance.last
        ? { kind: 'stale', ...shown(balance.last), reason: describeError(balance.error) }
        : { kind: 'failed', reason: describeError(balance.error) };
  }
}

function buyingView(options: PurchaseOptions | undefined): BuyingView {
  if (!options) {
    return { kind: 'unknown' };
  }
  if (!options.can_purchase) {
    return {
      kind: 'blocked',
      reason: describeBlocked(options.blocked_reason),
      canAsk: options.blocked_reason === 'not_admin',
      contactName: options.contact?.name ?? null,
    };
  }
  return {
    kind: 'allowed',
    offer: {
      currency: options.currency,
      creditsPerMajorUnit: options.credits_per_major_unit,
      presets: options.presets.map(preset => ({
        amountMinor: preset.amount_minor,
        creditsUcr: preset.credits_ucr,
        popular: preset.popular,
      })),
      custom: options.custom && { currency: options.currency, ...options.custom },
    },
    payHost: options.payment_host,
  };
}

function pendingView({ phase, amountMinor, currency, creditsUcr, host, canCopyLink }: Pending): PendingView {
  return { phase, amountMinor, currency, creditsUcr, host: host ?? null, canCopyLink };
}

function hostOf(url: string | undefined): string | null {
  return url && URL.canParse(url) ? new URL(url).host : null;
}
