// What the status bar says in each state of the balance: a table in code, without the editor's objects.
import { l10n } from 'vscode';
import { formatCredits, formatCreditsShort } from '../../protocol/format.ts';
import { lastReading, percentUsed, type Reading, type Snapshot } from '../core/balance.ts';
import type { Pending } from '../core/checkout.ts';
import { minutes } from '../core/clock.ts';
import type { CreditsState } from '../core/creditsStore.ts';
import { nearestBudget, stopOf } from '../core/limits.ts';
import { oneLine } from '../core/oneLine.ts';
import { urgency } from '../core/warnings.ts';
import type { StatusBarFormat } from '../vscode/settings.ts';
import { describeError } from './describe.ts';
import {
  ageText,
  balanceText,
  budgetName,
  creditsText,
  DASH,
  daysText,
  dayText,
  inert,
  orderText,
} from './text.ts';

/** At a start the kept figure stands until the first answer: one of minutes ago without a word, an older one with its age. */
const OF_NOW_MS = minutes(10);

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
  readonly format: StatusBarFormat;
  /** Whether the organisation's name is in the item. */
  readonly isOrgShown: boolean;
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

function figureText(facts: StatusFacts): { text: string; label: string } {
  const { state, ageMs, nowMs, locale, isOrgShown } = facts;
  const { account, balance } = state;
  const last = lastReading(balance);
  const org = isOrgShown && account ? oneLine(inert(account.orgName), 30) : undefined;
  const named = (text: string) => (org === undefined ? text : `${org}: ${text}`);
  if (!last) {
    return {
      text: named(DASH),
      label: balance.kind === 'loading' ? l10n.t('Credits: loading') : l10n.t('Credits: balance not known'),
    };
  }
  const { snapshot } = last;
  const figure = formatted(snapshot, facts);
  const spoken = l10n.t('Credits: {0} available', spokenAmount(snapshot, locale));
  const isOld =
    balance.kind === 'stale' ||
    balance.kind === 'failed' ||
    (balance.kind === 'loading' && ageMs(last) > OF_NOW_MS);
  if (!isOld) {
    return { text: named(figure), label: spoken };
  }
  const at = new Intl.DateTimeFormat(locale, { dateStyle: 'short', timeStyle: 'short' });
  // The eye sees the age grow; the ear is told the time once.
  return {
    text: named(`${figure} · ${ageText(ageMs(last))}`),
    label: l10n.t('{0}, as of {1}', spoken, at.format(nowMs - ageMs(last))),
  };
}

/** As the person chose; credits where the server does not tell the figure, and where nothing is left. */
function formatted(snapshot: Snapshot, { format, locale }: StatusFacts): string {
  const { available_ucr, runway, unit } = snapshot;
  const percent = percentUsed(snapshot);
  if (available_ucr > 0 && format === 'percent' && percent !== undefined) {
    return l10n.t('{0} % used', percent);
  }
  if (available_ucr > 0 && format === 'runway' && runway) {
    return daysText(runway.days);
  }
  if (available_ucr > 0 && format === 'compact' && unit === 'credits') {
    return formatCreditsShort(available_ucr, locale);
  }
  return amountText(available_ucr, snapshot, locale);
}

/** To two digits from 100 on: a screen reader need not speak again whenever a model call has used one more. */
function spokenAmount(snapshot: Snapshot, locale: string): string {
  const { available_ucr } = snapshot;
  if (available_ucr < 100_000_000) {
    return amountText(available_ucr, snapshot, locale);
  }
  const step = 10 ** (Math.floor(Math.log10(available_ucr)) - 1);
  return l10n.t('about {0}', amountText(Math.floor(available_ucr / step) * step, snapshot, locale));
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
  const lines: TooltipLine[] = [
    { kind: 'heading', text: account ? oneLine(account.orgName) : l10n.t('Credits') },
  ];
  const say = (text: string) => lines.push({ kind: 'text', text });
  if (balance.kind === 'signedOut') {
    say(l10n.t("Sign in with your organisation's credits server to see the balance here."));
    lines.push({ kind: 'links', links: [{ command: 'credits.signIn', title: l10n.t('Sign In') }] });
    return lines;
  }
  const last = lastReading(balance);
  if (last) {
    for (const text of [
      ...breakdown(last.snapshot, nowMs, locale),
      ...outlookLines(last.snapshot, nowMs, locale),
    ]) {
      say(text);
    }
    const at = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
    say(l10n.t('As of {0}', at.format(nowMs - ageMs(last))));
  }
  if (account) {
    say(l10n.t('Signed in as {0}', account.personName));
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

function breakdown(snapshot: Snapshot, nowMs: number, locale: string): string[] {
  const { included, purchased, promotional, next_expiry, unit } = snapshot;
  const lines = [
    unit === 'credits'
      ? l10n.t('{0} available', creditsText(snapshot.available_ucr, locale))
      : l10n.t('{0} available', amountText(snapshot.available_ucr, snapshot, locale)),
  ];
  const hasIncluded = included.state === 'available' && included.granted_ucr > 0;
  if (hasIncluded) {
    lines.push(
      l10n.t(
        'Included: {0} of {1} left, renewed {2}',
        formatCredits(included.remaining_ucr, locale),
        formatCredits(included.granted_ucr, locale),
        dayText(included.resets_at, nowMs, locale),
      ),
    );
  } else if (included.state === 'unavailable' && included.reason !== 'no_plan') {
    lines.push(l10n.t('Included: not known'));
  }
  // As in the panel: what was bought and what was given on top.
  const addOnUcr = purchased.remaining_ucr + promotional.remaining_ucr;
  lines.push(l10n.t('Add-on: {0}', formatCredits(addOnUcr, locale)));
  if (hasIncluded && included.remaining_ucr > 0 && purchased.remaining_ucr > 0) {
    lines.push(l10n.t('Included credits are spent first, add-on credits last.'));
  }
  if (next_expiry && next_expiry.amount_ucr > 0) {
    const amount = creditsText(next_expiry.amount_ucr, locale);
    lines.push(l10n.t('{0} will expire on {1}', amount, dayText(next_expiry.at, nowMs, locale)));
  }
  const percent = percentUsed(snapshot);
  if (percent !== undefined) {
    lines.push(l10n.t('{0} % used', percent));
  }
  return lines;
}

/** How long it lasts, and which limit comes first. */
function outlookLines(snapshot: Snapshot, nowMs: number, locale: string): string[] {
  const { budgets = [], runway } = snapshot;
  const lines = budgets.map(budget =>
    l10n.t(
      '{0}: {1} of {2} used, renewed {3}',
      budgetName(budget),
      formatCredits(budget.used_ucr, locale),
      formatCredits(budget.limit_ucr, locale),
      dayText(budget.resets_at, nowMs, locale),
    ),
  );
  if (runway?.days === 0) {
    lines.push(l10n.t('Less than a day left at the present pace'));
  } else if (runway && runway.low_days < runway.high_days) {
    lines.push(
      l10n.t(
        'Lasts about {0} at the present pace ({1} to {2})',
        daysText(runway.days),
        runway.low_days,
        runway.high_days,
      ),
    );
  } else if (runway) {
    lines.push(l10n.t('Lasts about {0} at the present pace', daysText(runway.days)));
  }
  const stop = stopOf(snapshot);
  const nearest = nearestBudget(snapshot);
  if (stop?.kind === 'budget') {
    const name = stop.budget ? budgetName(stop.budget) : l10n.t('A budget');
    lines.push(l10n.t('{0} stops your requests; an administrator can raise it.', name));
  } else if (stop) {
    lines.push(l10n.t('The balance stops your requests until credits are added.'));
  } else if (nearest) {
    lines.push(l10n.t('{0} would stop you before the balance does.', budgetName(nearest)));
  }
  return lines;
}
