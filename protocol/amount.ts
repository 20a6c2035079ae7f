// What a person may type as a custom amount: read the same by the panel, the palette's input box and the tests.
import { minorPerMajor } from './units.ts';

export interface AmountLimits {
  readonly currency: string;
  readonly min_minor: number;
  readonly max_minor: number;
  readonly step_minor: number;
}

export type AmountProblem = 'blank' | 'not_a_number' | 'not_a_step' | 'below_minimum' | 'above_maximum';

export type AmountReading =
  | { readonly ok: true; readonly amountMinor: number }
  | { readonly ok: false; readonly problem: AmountProblem };

/**
 * Reads a custom amount in major units. Plain ASCII digits only: "1e3", "0x10", "٥٠" and "12.345" are refused
 * in every language, because an amount of money that could be read two ways must not be charged.
 */
export function readAmount(text: string, limits: AmountLimits): AmountReading {
  const typed = text.trim();
  if (typed === '') {
    return { ok: false, problem: 'blank' };
  }
  const match = /^(-?)(\d{1,12})(?:\.(\d+))?$/.exec(typed);
  if (!match) {
    return { ok: false, problem: 'not_a_number' };
  }
  const [, sign, whole = '', fraction = ''] = match;
  const perMajor = minorPerMajor(limits.currency);
  const fractionDigits = String(perMajor).length - 1;
  if (fraction.length > fractionDigits) {
    return { ok: false, problem: 'not_a_step' };
  }
  const magnitude = Number(whole) * perMajor + Number(fraction.padEnd(fractionDigits, '0') || '0');
  return checkAmount(sign === '-' ? -magnitude : magnitude, limits);
}

/** The same bounds for an amount already in minor units, as the server receives it. */
export function checkAmount(amountMinor: number, limits: AmountLimits): AmountReading {
  if (!Number.isSafeInteger(amountMinor)) {
    return { ok: false, problem: 'not_a_number' };
  }
  if (amountMinor < limits.min_minor) {
    return { ok: false, problem: 'below_minimum' };
  }
  if (amountMinor > limits.max_minor) {
    return { ok: false, problem: 'above_maximum' };
  }
  if (amountMinor % limits.step_minor !== 0) {
    return { ok: false, problem: 'not_a_step' };
  }
  return { ok: true, amountMinor };
}
