// A number of credits as it is typed: read, checked and said back.
import { t } from '@vscode/l10n';
import { readAmount } from '../protocol/amount.ts';
import { formatCredits } from '../protocol/format.ts';
import { MAX_SAFE_AMOUNT, UCR_PER_CREDIT, type Ucr } from '../protocol/units.ts';
import { creditsText } from './words.ts';

const MOST_CREDITS = Math.floor(MAX_SAFE_AMOUNT / UCR_PER_CREDIT);

export type CreditsReading =
  | { readonly ok: true; readonly ucr: Ucr | null }
  | { readonly ok: false; readonly problem: 'notCredits' | 'ambiguous' | 'tooMany' };

/** Whole credits, in the separators of any language; blank is the server's own rule. What could be two is refused. */
export function readCredits(typed: string): CreditsReading {
  // Money of whatever kind is not credits.
  if (/[\p{L}\p{Sc}]/u.test(typed)) {
    return { ok: false, problem: 'notCredits' };
  }
  // A currency without a fraction, so that in `1,250` only thousands can be meant.
  const limits = { currency: 'jpy', min_minor: 0, max_minor: MOST_CREDITS, step_minor: 1 };
  const reading = readAmount(typed, limits);
  if (reading.ok) {
    return { ok: true, ucr: reading.amountMinor * UCR_PER_CREDIT };
  }
  switch (reading.problem) {
    case 'blank':
      return { ok: true, ucr: null };
    case 'ambiguous':
      return { ok: false, problem: 'ambiguous' };
    case 'above_maximum':
      return { ok: false, problem: 'tooMany' };
    default:
      return { ok: false, problem: 'notCredits' };
  }
}

export function hintText(reading: CreditsReading, locale: string): string {
  if (reading.ok) {
    return reading.ucr === null
      ? t('Empty means: low when a quarter is left.')
      : t('Low below {0}.', creditsText(reading.ucr, locale));
  }
  switch (reading.problem) {
    case 'notCredits':
      return t('Type whole credits in digits, like {0}.', '1000');
    case 'ambiguous':
      return t('This could be two numbers. Type digits only, like {0}.', '1000');
    case 'tooMany':
      return t('The largest number is {0}.', formatCredits(MOST_CREDITS * UCR_PER_CREDIT, locale));
  }
}

/** As `readCredits` reads it back; a part of a credit that another program set is rounded down. */
export function plainCredits(ucr: Ucr): string {
  return String(Math.floor(ucr / UCR_PER_CREDIT));
}
