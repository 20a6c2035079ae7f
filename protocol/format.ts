// How figures are written for people, in the language of their editor: the same in status bar, panel and messages.
import { fractionDigits, minorPerMajor, UCR_PER_CREDIT, type Ucr } from './units.ts';

/** Below this many credits a fraction is worth showing. */
const FRACTIONS_BELOW_CREDITS = 10;

/** `10,218`; under ten credits up to two decimals, `9.25`; never rounds something to nothing: `< 0.01`. */
export function formatCredits(ucr: Ucr, locale: string): string {
  const credits = ucr / UCR_PER_CREDIT;
  const small = Math.abs(credits) < FRACTIONS_BELOW_CREDITS;
  if (credits > 0 && credits < 0.01) {
    return `< ${new Intl.NumberFormat(locale).format(0.01)}`;
  }
  return new Intl.NumberFormat(locale, {
    maximumFractionDigits: small ? 2 : 0,
    // Whole credits are never rounded up: 99.6 credits left is not 100.
    roundingMode: 'floor',
  } as Intl.NumberFormatOptions).format(credits);
}

/** `5.2K`, `980`: for where there is little room. Rounded down, so that it never promises more than there is. */
export function formatCreditsShort(ucr: Ucr, locale: string): string {
  return Math.abs(ucr) < 1_000 * UCR_PER_CREDIT
    ? formatCredits(ucr, locale)
    : new Intl.NumberFormat(locale, {
        notation: 'compact',
        maximumFractionDigits: 1,
        roundingMode: 'floor',
      } as Intl.NumberFormatOptions).format(ucr / UCR_PER_CREDIT);
}

/** `$50`, `CA$12.50`, `¥5,000`: whole amounts without an empty fraction, and no dollar that could be another's. */
export function formatMoney(amountMinor: number, currency: string, locale: string): string {
  const major = amountMinor / minorPerMajor(currency);
  const digits = Number.isInteger(major) ? 0 : fractionDigits(currency);
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(major);
}
