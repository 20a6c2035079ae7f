// The panel's whole state, made from the parts' states: a pure function, so every picture of the panel is a table row.
import { l10n } from 'vscode';
import type { Budget, OrgSettings, Purchase, PurchaseOptions, UsageReport } from '../../protocol/api.ts';
import type {
  BalanceView,
  BudgetView,
  BuyingView,
  DetailView,
  NoticeView,
  PanelState,
  PaymentView,
  PendingView,
  RecordsView,
  SettingsView,
} from '../../protocol/messages.ts';
import { lastReading, type Reading, type Snapshot } from '../core/balance.ts';
import type { Pending } from '../core/checkout.ts';
import type { CreditsState } from '../core/creditsStore.ts';
import type { CreditsError } from '../core/errors.ts';
import { stopOf } from '../core/limits.ts';
import type { Fetch, RecordsState } from '../core/records.ts';
import { canManageBilling } from '../core/rights.ts';
import { describeBlocked, describeError } from './describe.ts';
import { roleText } from './text.ts';

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
    orgId: account.orgId,
    orgName: account.orgName,
    role: roleText(account.role),
    personName: account.personName,
    serverHost: hostOf(account.serverUrl) ?? account.serverUrl,
    testMode: options !== undefined && options.payment_mode !== 'live',
    balance,
    detail: detailView(lastReading(state.balance)?.snapshot),
    canManageBilling: canManageBilling(options),
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
      return { kind: 'stale', ...shown(balance.last), ...told(balance.error) };
    case 'forbidden':
      return {
        kind: 'forbidden',
        reason: l10n.t('The balance is shown to administrators of your organisation.'),
      };
    case 'failed':
      return balance.last
        ? { kind: 'stale', ...shown(balance.last), ...told(balance.error) }
        : { kind: 'failed', ...told(balance.error) };
  }
}

function told(error: CreditsError): { reason: string; signInAgain: boolean } {
  return { reason: describeError(error), signInAgain: error.reason === 'unauthenticated' };
}

function detailView(snapshot: Snapshot | undefined): DetailView | null {
  if (!snapshot) {
    return null;
  }
  const { included, purchased, promotional, usage, runway, next_expiry } = snapshot;
  return {
    included: includedView(included),
    addOn: {
      remainingUcr: purchased.remaining_ucr + promotional.remaining_ucr,
      totalUcr: usage?.basis === 'since_top_up' ? usage.total_ucr : null,
    },
    heldUcr: snapshot.held_ucr,
    budgets: (snapshot.budgets ?? []).map(budgetView),
    stop: stopView(snapshot),
    runway: runway ? { days: runway.days, lowDays: runway.low_days, highDays: runway.high_days } : null,
    nextExpiry: next_expiry ? { atMs: Date.parse(next_expiry.at), amountUcr: next_expiry.amount_ucr } : null,
  };
}

function includedView(included: Snapshot['included']): DetailView['included'] {
  if (included.state === 'available') {
    return {
      kind: 'known',
      remainingUcr: included.remaining_ucr,
      grantedUcr: included.granted_ucr,
      resetsAtMs: Date.parse(included.resets_at),
    };
  }
  switch (included.reason) {
    case 'no_plan':
      return null;
    case 'unlimited':
      return { kind: 'unlimited' };
    default:
      return { kind: 'unknown' };
  }
}

function budgetView({ scope, name, limit_ucr, used_ucr, resets_at, resets_to_ucr }: Budget): BudgetView {
  return {
    scope: scope === 'user' || scope === 'team' ? scope : 'other',
    name,
    limitUcr: limit_ucr,
    usedUcr: used_ucr,
    resetsAtMs: Date.parse(resets_at),
    resetsToUcr: resets_to_ucr ?? limit_ucr,
  };
}

function stopView(snapshot: Snapshot): DetailView['stop'] {
  const stop = stopOf(snapshot);
  return stop?.kind === 'budget'
    ? { kind: 'budget', budget: stop.budget ? budgetView(stop.budget) : null }
    : (stop ?? null);
}

/** What the page is sent besides its state. */
export function recordsView({ payments, usage, settings, organisations, group }: RecordsState): RecordsView {
  return {
    payments: {
      ...fetched(payments),
      value: payments.value
        ? { rows: payments.value.purchases.map(paymentView), hasMore: payments.value.nextCursor !== null }
        : null,
    },
    usage: { ...fetched(usage), value: usage.value ? usageView(usage.value) : null, wanted: group },
    settings: isTheirs(settings) ? { ...fetched(settings), value: settingsView(settings.value) } : null,
    organisations: organisations.value ?? null,
  };
}

/** A server that refuses them, or is too old to have any, is no trouble to tell of. */
function isTheirs({ value, error }: RecordsState['settings']): boolean {
  return value !== undefined || (error?.reason !== 'forbidden' && error?.reason !== 'notFound');
}

function settingsView(settings: OrgSettings | undefined): SettingsView | null {
  return settings ? { lowBelowUcr: settings.low_balance_threshold_ucr } : null;
}

function fetched({ busy, error }: Fetch<unknown>): { busy: boolean; problem: string | null } {
  return { busy, problem: error ? describeError(error) : null };
}

function paymentView(purchase: Purchase): PaymentView {
  return {
    id: purchase.id,
    status: purchase.status,
    amountMinor: purchase.total_minor ?? purchase.amount_minor,
    currency: purchase.currency,
    creditsUcr: purchase.credits_ucr,
    atMs: Date.parse(purchase.credited_at ?? purchase.created_at),
    byName: purchase.created_by.name,
    refundedMinor: purchase.refunded_minor,
    dispute: purchase.dispute,
    hasReceipt: purchase.receipt_url !== null,
    hasInvoice: purchase.invoice_url !== null,
  };
}

function usageView(report: UsageReport): RecordsView['usage']['value'] {
  const { group_by } = report;
  return {
    group: group_by === 'model' || group_by === 'user' ? group_by : 'day',
    isEveryones: report.scope !== 'own',
    fromMs: Date.parse(report.from),
    toMs: Date.parse(report.to),
    totalUcr: report.total_ucr,
    rows: report.data.map(({ key, name, used_ucr }) => ({ key, name, usedUcr: used_ucr })),
  };
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
