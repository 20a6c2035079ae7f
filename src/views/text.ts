// Figures and times in words, the same wherever they are shown.
import { env, l10n } from 'vscode';
import { formatCredits, formatMoney } from '../../protocol/format.ts';
import { UCR_PER_CREDIT, type Ucr } from '../../protocol/units.ts';
import type { Order } from '../core/checkout.ts';
import type { Budget } from '../core/limits.ts';
import { oneLine } from '../core/oneLine.ts';

/** What stands where a figure is not known. Never 0. */
export const DASH = '–';

/** `10,218`, or `-120, over limit`: the sign alone is easily overlooked. */
export function balanceText(availableUcr: Ucr, locale: string): string {
  const figure = formatCredits(availableUcr, locale);
  return availableUcr < 0 ? l10n.t('{0}, over limit', figure) : figure;
}

/** `5,000 credits`. */
export function creditsText(ucr: Ucr, locale: string): string {
  const figure = formatCredits(ucr, locale);
  return figure === formatCredits(UCR_PER_CREDIT, locale)
    ? l10n.t('{0} credit', figure)
    : l10n.t('{0} credits', figure);
}

export function orderText(order: Order, locale: string): { money: string; credits: string } {
  return {
    money: formatMoney(order.amountMinor, order.currency, locale),
    credits: creditsText(order.creditsUcr, locale),
  };
}

/** `1 day`, `41 days`; what is less than a day is not nought. */
export function daysText(days: number): string {
  if (days === 0) {
    return l10n.t('< 1 day');
  }
  return days === 1 ? l10n.t('1 day') : l10n.t('{0} days', days);
}

/** `Dec 1`, with the year where it is not this one. In full where the short form would end a sentence: `1. Dez.` */
export function dayText(at: string, nowMs: number, locale: string): string {
  const day = new Date(at);
  const isThisYear = day.getFullYear() === new Date(nowMs).getFullYear();
  const written = (month: 'short' | 'long') =>
    new Intl.DateTimeFormat(locale, {
      month,
      day: 'numeric',
      ...(isThisYear ? {} : { year: 'numeric' }),
    }).format(day);
  const short = written('short');
  return short.endsWith('.') ? written('long') : short;
}

/** Whose limit it is: `Your budget`, or the team's by its name. */
export function budgetName(budget: Budget): string {
  return budget.scope === 'user' ? l10n.t('Your budget') : l10n.t('The budget of {0}', inert(budget.name));
}

/** What a person may do here, by the contract's own names; one of another server's is shown as it is. */
export function roleText(role: string): string {
  switch (role) {
    case 'admin':
      return l10n.t('admin');
    case 'team_owner':
      return l10n.t('team owner');
    case 'team_lead':
      return l10n.t('team lead');
    case 'user':
      return l10n.t('user');
    case 'service':
      return l10n.t('service');
    default:
      return role;
  }
}

/** The language of our sentences, for pages to say: English where the editor's has no translation. */
export function wordsLanguage(): string {
  return l10n.bundle ? env.language : 'en';
}

/** `just now`, `6 min ago`: coarse, so that it does not change while someone reads it. */
export function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) {
    return l10n.t('just now');
  }
  if (minutes < 60) {
    return l10n.t('{0} min ago', minutes);
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? l10n.t('{0} h ago', hours) : l10n.t('{0} days ago', Math.floor(hours / 24));
}

/**
 * Text from the server for a notification, a pick or the status bar: the editor turns `[x](command:y)` in those into
 * links and `$(x)` into icons, so both are taken apart, and the whole is one short line (T7, T11, F25).
 */
export function inert(text: string): string {
  return oneLine(
    oneLine(text, 1_000)
      .replaceAll('[', '(')
      .replaceAll(']', ')')
      // After the brackets: `$[x]` would become an icon by them.
      .replaceAll('$(', '$ (')
      .replaceAll(/\b(command|javascript|vscode|file|data):/gi, '$1 '),
  );
}
