// What the status bar says in each state of the balance: a table in code, without the editor's objects.
import { l10n } from 'vscode';
import { formatCredits } from '../../protocol/format.ts';
import { lastReading, percentUsed, type Reading, type Snapshot } from '../core/balance.ts';
import type { Pending } from '../core/checkout.ts';
import type { CreditsState } from '../core/creditsStore.ts';
import { urgency } from '../core/warnings.ts';
import { describeError } from './describe.ts';
import { ageText, balanceText, creditsText, DASH, orderText } from './text.ts';

/** The commands a tooltip may link to, and no others (T10). */
export type LinkedCommand = 'credits.open' | 'credits.refresh' | 'credits.signIn' | 'credits.showLog';

export type TooltipLine =
  | { readonly kind: 'heading' | 'text'; readonly text: string }
  | { readonly kind: 'links'; readonly links: ReadonlyArray<{ command: LinkedCommand; title: string }> };

export interface StatusText {
  readonly icon: 'credit-card' | 'warning' | 'cloud-offline' | 'sync~spin';
  readonly text: string;
  /** For ears: no icon names, and the same words as long as nothing that matters has changed. */
  readonly label: string;
  readonly tone: 'plain' | 'warning' | 'error';
  readonly command: LinkedCommand;
  readonly tooltip: readonly TooltipLine[];
}

export interface StatusFacts {
  readonly state: CreditsState;
  readonly pending: Pending | undefined;
  readonly ageMs: (reading: Reading) => number;
  /** Wall time, ms since the epoch. */
  readonly nowMs: number;
  readonly locale: string;
}

export function statusText(facts: StatusFacts): StatusText {
  const { state, pending } = facts;
  const { balance } = state;
  const tooltip = tooltipLines(facts);
  if (balance.kind === 'signedOut') {
    const text = l10n.t('Sign in for credits');
    return { icon: 'credit-card', text, label: text, tone: 'plain', command: 'credits.signIn', tooltip };
  }
  if (balance.kind === 'failed' && balance.error.reason === 'unauthenticated') {
    const text = l10n.t('Sign in again for credits');
    return { icon: 'warning', text, label: text, tone: 'warning', command: 'credits.signIn', tooltip };
  }
  if (balance.kind === 'forbidden') {
    const text = l10n.t('Credits');
    const label = l10n.t('Credits: the balance is shown to administrators');
    return { icon: 'credit-card', text, label, tone: 'plain', command: 'credits.open', tooltip };
  }
  const figure = figureText(facts);
  const suffix = pending ? ` · ${pendingText(pending)}` : '';
  return {
    icon: pending
      ? 'sync~spin'
      : balance.kind === 'stale'
        ? 'cloud-offline'
        : balance.kind === 'failed'
          ? 'warning'
          : 'credit-card',
    text: figure.text + suffix,
    label: figure.label + suffix,
    tone: toneOf(facts),
    command: 'credits.open',
    tooltip,
  };
}

function figureText({ state: { balance }, ageMs, locale }: StatusFacts): { text: string; label: string } {
  const last = lastReading(balance);
  if (!last) {
    return {
      text: DASH,
      label: balance.kind === 'loading' ? l10n.t('Credits: loading') : l10n.t('Credits: balance not known'),
    };
  }
  const figure = amountText(last.snapshot.available_ucr, last.snapshot, locale);
  if (balance.kind !== 'stale') {
    return { text: figure, label: l10n.t('Credits: {0} available', figure) };
  }
  const age = ageText(ageMs(last));
  return { text: `${figure} · ${age}`, label: l10n.t('Credits: {0} available, as of {1}', figure, age) };
}

/** In the snapshot's own unit: a server in front of another vendor's balance may count in a currency. */
function amountText(ucr: number, { unit }: Snapshot, locale: string): string {
  const figure = balanceText(ucr, locale);
  return unit === 'credits' ? figure : `${figure} ${unit.toUpperCase().slice(0, 10)}`;
}

function pendingText({ phase }: Pending): string {
  switch (phase) {
    case 'starting':
      return l10n.t('Starting payment');
    case 'waiting':
      return l10n.t('Waiting for payment');
    case 'processing':
      return l10n.t('Payment in progress');
  }
}

function toneOf({ state: { balance } }: StatusFacts): StatusText['tone'] {
  const last = lastReading(balance);
  switch (last ? urgency(last.snapshot) : 'calm') {
    case 'out':
      return 'error';
    case 'low':
      return 'warning';
    case 'calm':
      return 'plain';
  }
}

function tooltipLines(facts: StatusFacts): TooltipLine[] {
  const { state, pending, ageMs, nowMs, locale } = facts;
  const { account, balance, options } = state;
  const lines: TooltipLine[] = [{ kind: 'heading', text: account ? account.orgName : l10n.t('Credits') }];
  const say = (text: string) => lines.push({ kind: 'text', text });
  if (balance.kind === 'signedOut') {
    say(l10n.t("Sign in with your organisation's credits server to see the balance here."));
    lines.push({ kind: 'links', links: [{ command: 'credits.signIn', title: l10n.t('Sign In') }] });
    return lines;
  }
  const last = lastReading(balance);
  if (last) {
    for (const text of breakdown(last.snapshot, locale)) {
      say(text);
    }
    const at = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
    say(l10n.t('As of {0}', at.format(nowMs - ageMs(last))));
  }
  switch (balance.kind) {
    case 'stale':
    case 'failed':
      say(describeError(balance.error));
      break;
    case 'forbidden':
      say(l10n.t('The balance is shown to administrators of your organisation.'));
      break;
    case 'loading':
    case 'known':
      break;
  }
  if (pending) {
    const { money, credits } = orderText(pending, locale);
    say(l10n.t('{0}: {1} for {2}', pendingText(pending), credits, money));
  }
  if (options && options.payment_mode !== 'live') {
    say(l10n.t('TEST MODE: payments are not real.'));
  }
  const refused = balance.kind === 'failed' && balance.error.reason === 'unauthenticated';
  lines.push({
    kind: 'links',
    links: refused
      ? [{ command: 'credits.signIn', title: l10n.t('Sign In') }]
      : [
          { command: 'credits.open', title: l10n.t('Open Credits') },
          { command: 'credits.refresh', title: l10n.t('Refresh') },
          ...(balance.kind === 'stale' || balance.kind === 'failed'
            ? [{ command: 'credits.showLog' as const, title: l10n.t('Show Log') }]
            : []),
        ],
  });
  return lines;
}

function breakdown(snapshot: Snapshot, locale: string): string[] {
  const { included, purchased, promotional, unit } = snapshot;
  const lines = [
    unit === 'credits'
      ? l10n.t('{0} available', creditsText(snapshot.available_ucr, locale))
      : l10n.t('{0} available', amountText(snapshot.available_ucr, snapshot, locale)),
  ];
  switch (included.state) {
    case 'available':
      if (included.granted_ucr > 0) {
        const left = formatCredits(included.remaining_ucr, locale);
        lines.push(l10n.t('Included: {0} of {1} left', left, formatCredits(included.granted_ucr, locale)));
      }
      break;
    case 'unavailable':
      lines.push(l10n.t('Included: not known'));
      break;
  }
  lines.push(l10n.t('Add-on: {0}', formatCredits(purchased.remaining_ucr, locale)));
  if (promotional.remaining_ucr > 0) {
    lines.push(l10n.t('Promotional: {0}', formatCredits(promotional.remaining_ucr, locale)));
  }
  const percent = percentUsed(snapshot);
  if (percent !== undefined) {
    lines.push(l10n.t('{0} % used', percent));
  }
  return lines;
}
