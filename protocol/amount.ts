// What a person may type or paste as a custom amount: read the same by the panel, the palette's input box and the tests.
import { fractionDigits } from './units.ts';

export interface AmountLimits {
  readonly currency: string;
  readonly min_minor: number;
  readonly max_minor: number;
  readonly step_minor: number;
}

export type AmountProblem =
  | 'blank'
  | 'not_a_number'
  /** A sign or code of another currency. */
  | 'other_currency'
  /** It could be read two ways: `1.250` is a thousand and more to one person, and little more than one to another. */
  | 'ambiguous'
  | 'not_a_step'
  | 'below_minimum'
  | 'above_maximum';

export type AmountReading =
  | { readonly ok: true; readonly amountMinor: number }
  | { readonly ok: false; readonly problem: AmountProblem };

/** Signs that more than one currency goes by; the code is what settles it, where one stands there. */
const SHARED_SIGNS: Readonly<Record<string, RegExp>> = {
  $: /^(usd|aud|cad|hkd|nzd|sgd|twd|mxn|brl|clp|cop|ars)$/,
  '€': /^eur$/,
  '£': /^(gbp|egp)$/,
  '¥': /^(jpy|cny)$/,
  '￥': /^(jpy|cny)$/,
  '₹': /^inr$/,
  '₩': /^krw$/,
  '₪': /^ils$/,
  '₫': /^vnd$/,
  '₺': /^try$/,
  '₴': /^uah$/,
  '₽': /^rub$/,
  '฿': /^thb$/,
  '₱': /^php$/,
  '₦': /^ngn$/,
};

/** `US$`, `A$`: a country before the sign. */
const SIGNS_WITH_COUNTRY: Readonly<Record<string, string>> = {
  US$: 'usd',
  A$: 'aud',
  AU$: 'aud',
  C$: 'cad',
  CA$: 'cad',
  HK$: 'hkd',
  NZ$: 'nzd',
  S$: 'sgd',
  R$: 'brl',
  MX$: 'mxn',
};

/** Decimal digits of other scripts; `٥٠` is read as 50 by those who write it, and by nobody as anything else. */
const ZEROS = [0x0660, 0x06f0, 0x0966, 0xff10];

const NO_AMOUNT = { ok: false, problem: 'not_a_number' } as const;

/**
 * Reads a custom amount in major units, with or without the currency, in the separators of any language, where there
 * is one way to read it only. What could be two amounts is refused, in every language alike: `12.345` is never charged.
 */
export function readAmount(text: string, limits: AmountLimits): AmountReading {
  const typed = plain(text);
  if (typed === '') {
    return { ok: false, problem: 'blank' };
  }
  const parts = /^([^\d\s.,'’-]*)\s*(-?)\s*([^\d\s.,'’-]*)\s*(\d[\d\s.,'’]*?)\s*([^\d\s.,'’-]*)$/.exec(typed);
  if (!parts) {
    return NO_AMOUNT;
  }
  const [, outer = '', sign, inner = '', figure = '', behind = ''] = parts;
  const names = [outer, inner, behind].filter(name => name !== '');
  // `$50 USD` names it by sign and code; `$50$` may be a slip of anything.
  if (names.length > 2 || (outer !== '' && inner !== '') || new Set(names).size < names.length) {
    return NO_AMOUNT;
  }
  for (const name of names) {
    const currencies = currenciesNamed(name);
    if (!currencies) {
      return NO_AMOUNT;
    }
    if (!currencies.test(limits.currency)) {
      return { ok: false, problem: 'other_currency' };
    }
  }
  const number = readFigure(figure, fractionDigits(limits.currency), outer !== '' || inner !== '');
  if ('problem' in number) {
    return { ok: false, problem: number.problem };
  }
  return checkAmount(sign === '-' ? -number.minor : number.minor, limits);
}

/** One kind of blank, one kind of minus, and ASCII digits. Marks that only steer the direction of writing are dropped. */
function plain(text: string): string {
  return text
    .replaceAll(/[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, '')
    .replaceAll(/\p{Nd}/gu, digit => {
      const code = digit.codePointAt(0) ?? 0;
      const zero = ZEROS.find(start => code >= start && code <= start + 9);
      return zero === undefined ? digit : String(code - zero);
    })
    .replaceAll('\u066b', '.')
    .replaceAll('\u066c', "'")
    .replaceAll('\u2212', '-')
    .replaceAll(/\s/g, ' ')
    .trim();
}

function currenciesNamed(name: string): RegExp | undefined {
  if (/^[a-z]{3}$/i.test(name)) {
    return new RegExp(`^${name}$`, 'i');
  }
  const countrys = Object.hasOwn(SIGNS_WITH_COUNTRY, name) ? SIGNS_WITH_COUNTRY[name] : undefined;
  if (countrys) {
    return new RegExp(`^${countrys}$`);
  }
  return Object.hasOwn(SHARED_SIGNS, name) ? SHARED_SIGNS[name] : undefined;
}

/**
 * @param fractionDigits of the currency
 * @param signFirst a currency stands before the figure, as where thousands are divided by commas
 */
function readFigure(
  figure: string,
  fractionDigits: number,
  signFirst: boolean,
): { readonly minor: number } | { readonly problem: AmountProblem } {
  const marks = new Set(figure.replaceAll(/\d/g, ''));
  const last = /[.,](?=\d*$)/.exec(figure)?.[0];
  // The mark of the fraction stands once, and last; another before it divides thousands.
  const isFraction = last !== undefined && figure.indexOf(last) === figure.lastIndexOf(last);
  const [whole = '', fraction] = isFraction ? splitAt(figure, last) : [figure, undefined];
  const thousands = [...marks].filter(mark => !(isFraction && mark === last));
  if (thousands.length > 1) {
    return { problem: 'not_a_number' };
  }
  const [divider] = thousands;
  const groups = divider === undefined ? [whole] : whole.split(divider);
  const areThousands =
    groups.length === 1 ||
    (/^\d{1,3}$/.test(groups[0] ?? '') && groups.slice(1).every(group => /^\d{3}$/.test(group)));
  if (!areThousands || (fraction !== undefined && !/^\d+$/.test(fraction))) {
    return { problem: 'not_a_number' };
  }
  const digits = groups.join('');
  if (!/^\d{1,12}$/.test(digits)) {
    return { problem: 'not_a_number' };
  }
  if (fraction?.length === 3 && divider === undefined && !(last === '.' && fractionDigits === 3)) {
    // `1.250` and `1,250` are thousands to some and a fraction to others; `$1,250` is not, nor is anything in yen.
    const areGroups = last === ',' && fractionDigits < 3 && (signFirst || fractionDigits === 0);
    return areGroups && /^[1-9]\d{0,2}$/.test(whole)
      ? { minor: Number(whole + fraction) * 10 ** fractionDigits }
      : { problem: 'ambiguous' };
  }
  if (fraction !== undefined && fraction.length > fractionDigits) {
    return { problem: 'not_a_step' };
  }
  const perMajor = 10 ** fractionDigits;
  return { minor: Number(digits) * perMajor + Number((fraction ?? '').padEnd(fractionDigits, '0') || '0') };
}

function splitAt(text: string, mark: string): [before: string, after: string] {
  const at = text.lastIndexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
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
