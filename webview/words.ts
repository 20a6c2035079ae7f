// Figures and times as a person reads them. Pure: the clock and the language come in.
import { t } from '@vscode/l10n';
import { formatCredits } from '../protocol/format.ts';
import { UCR_PER_CREDIT, type Ucr } from '../protocol/units.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The language to format in: the editor's, or English where this browser does not know the tag. */
export function usableLocale(locale: string): string {
  try {
    return Intl.NumberFormat.supportedLocalesOf(locale)[0] ?? 'en';
  } catch {
    // Intl throws a RangeError for a tag that is not of BCP 47's form; English is the language of our own words.
    return 'en';
  }
}

/** `5,000 credits`, `1 credit`. */
export function creditsText(ucr: Ucr, locale: string): string {
  const [before, figure, after] = creditsParts(ucr, locale);
  return before + figure + after;
}

/** The same sentence cut around its figure, so that a view can set the figure large in any language. */
export function creditsParts(ucr: Ucr, locale: string): [before: string, figure: string, after: string] {
  const figure = formatCredits(ucr, locale);
  const sentence =
    figure === formatCredits(UCR_PER_CREDIT, locale) ? t('{0} credit', '\u0000') : t('{0} credits', '\u0000');
  const [before = '', after = ''] = sentence.split('\u0000');
  return [before, figure, after];
}

/** `as of just now`, `as of 6 min ago`; a time ahead of this clock counts as now. */
export function ageText(asOfMs: number, nowMs: number, locale: string): string {
  const ageMs = nowMs - asOfMs;
  if (ageMs < MINUTE_MS) {
    return t('as of just now');
  }
  if (ageMs < HOUR_MS) {
    return t('as of {0} min ago', Math.floor(ageMs / MINUTE_MS));
  }
  if (ageMs < DAY_MS) {
    return t('as of {0} h ago', Math.floor(ageMs / HOUR_MS));
  }
  return t('as of {0}', momentText(asOfMs, locale));
}

/** The full date and time, for a tooltip and for figures older than a day. */
export function momentText(atMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(atMs);
}

/** Milliseconds until `ageText` changes, so that an open panel wakes as seldom as it can. */
export function nextAgeChangeMs(asOfMs: number, nowMs: number): number {
  const ageMs = Math.max(0, nowMs - asOfMs);
  const stepMs = ageMs < HOUR_MS ? MINUTE_MS : HOUR_MS;
  return stepMs - (ageMs % stepMs);
}

/** `Nov 22, 2026`: for what happens on a day. */
export function dayText(atMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(atMs);
}

/** A day of the report, which is UTC's. */
export function utcDayText(atMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' }).format(atMs);
}
