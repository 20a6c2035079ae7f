import { deepEqual, equal, ok } from 'node:assert/strict';
import { checkAmount, readAmount } from '../../../protocol/amount.ts';

const usd = { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 };
const cents = { ...usd, step_minor: 1, min_minor: 1 };
const eur = { ...usd, currency: 'eur' };
const jpy = { currency: 'jpy', min_minor: 1_000, max_minor: 1_000_000, step_minor: 1 };
const kwd = { currency: 'kwd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 1 };

describe('a typed amount', () => {
  const rows: ReadonlyArray<readonly [typed: string, limits: typeof usd, read: number | string]> = [
    ['50', usd, 5_000],
    [' 50 ', usd, 5_000],
    ['50.00', usd, 5_000],
    ['10', usd, 1_000],
    ['10000', usd, 1_000_000],
    ['007510', usd, 751_000],
    ['12.50', cents, 1_250],
    ['12.5', cents, 1_250],
    ['5000', jpy, 5_000],
    ['1.234', kwd, 1_234],
    ['', usd, 'blank'],
    ['   ', usd, 'blank'],
    ['abc', usd, 'not_a_number'],
    ['$50', usd, 5_000],
    ['1e3', usd, 'not_a_number'],
    ['0x10', usd, 'not_a_number'],
    ['50,00', usd, 5_000],
    ['1,000', usd, 'ambiguous'],
    ['1 000', usd, 100_000],
    ['5.', usd, 'not_a_number'],
    ['.5', usd, 'not_a_number'],
    ['--5', usd, 'not_a_number'],
    ['+50', usd, 'not_a_number'],
    ['5-', usd, 'not_a_number'],
    ['٥٠', usd, 5_000],
    ['５０', usd, 5_000],
    ['$1,250', usd, 125_000],
    ['$ 1,250.00', usd, 125_000],
    ['1,250.00', usd, 125_000],
    ['1.250,00', usd, 125_000],
    ["1'250.00", usd, 125_000],
    ['1\u202f250,00', usd, 125_000],
    ['1.250,00 €', eur, 125_000],
    ['€1.250,00', eur, 125_000],
    ['US$ 50', usd, 5_000],
    ['50 USD', usd, 5_000],
    ['usd50', usd, 5_000],
    ['-$50', usd, 'below_minimum'],
    ['\u200f٥٠ $', usd, 5_000],
    ['١٬٢٥٠٫٠٠', usd, 125_000],
    ['¥5,000', jpy, 5_000],
    ['5,000', jpy, 5_000],
    ['5.000', jpy, 'ambiguous'],
    ['1,234', kwd, 'ambiguous'],
    ['1.250', usd, 'ambiguous'],
    ['1,250', usd, 'ambiguous'],
    ['$12.345', usd, 'ambiguous'],
    ['12,345 €', eur, 'ambiguous'],
    ['$0,500', usd, 'ambiguous'],
    ['50 €', usd, 'other_currency'],
    ['A$50', usd, 'other_currency'],
    ['50 eur', usd, 'other_currency'],
    ['$50$', usd, 'not_a_number'],
    ['$50 $', usd, 'not_a_number'],
    ['USD 50 USD', usd, 'not_a_number'],
    ['$50 USD', usd, 5_000],
    ['1,2,3', usd, 'not_a_number'],
    ['12,34,567', usd, 'not_a_number'],
    ['1.2.3', usd, 'not_a_number'],
    ['1 000,50.1', usd, 'not_a_number'],
    ['50 credits', usd, 'not_a_number'],
    ['constructor50', usd, 'not_a_number'],
    ['½', usd, 'not_a_number'],
    ['NaN', usd, 'not_a_number'],
    ['Infinity', usd, 'not_a_number'],
    ['9'.repeat(13), usd, 'not_a_number'],
    ['12.345', usd, 'ambiguous'],
    ['50.50', usd, 'not_a_step'],
    ['50.5', jpy, 'not_a_step'],
    ['0', usd, 'below_minimum'],
    ['-5', usd, 'below_minimum'],
    ['-0', usd, 'below_minimum'],
    ['9', usd, 'below_minimum'],
    ['9.99', usd, 'below_minimum'],
    ['10001', usd, 'above_maximum'],
    ['1000000000', usd, 'above_maximum'],
    ['999999999999', usd, 'above_maximum'],
  ];
  for (const [typed, limits, read] of rows) {
    it(`F54 ${JSON.stringify(typed)} in ${limits.currency} is ${read}`, () => {
      const expected =
        typeof read === 'number' ? { ok: true, amountMinor: read } : { ok: false, problem: read };
      deepEqual(readAmount(typed, limits), expected);
    });
  }

  it('F54 12.345 is refused in every currency of two decimals, however it is dressed', () => {
    for (const currency of ['usd', 'eur', 'gbp', 'chf', 'inr', 'brl']) {
      const code = currency.toUpperCase();
      for (const typed of ['12.345', ` 12.345 ${code}`, `${code} 12.345`, '١٢٫٣٤٥', '１２.３４５']) {
        equal(readAmount(typed, { ...cents, currency }).ok, false, `${typed} in ${currency}`);
      }
    }
  });

  it('F54 reads whatever the editor writes, in any language, or refuses it', () => {
    for (const locale of [
      'en',
      'de',
      'fr',
      'ja',
      'de-CH',
      'sv',
      'pt-BR',
      'pl',
      'ar-EG',
      'hi',
      'en-IN',
      'fa',
    ]) {
      for (const amountMinor of [5_000, 99_900, 125_000, 1_000_000]) {
        for (const digits of [0, 2]) {
          const written = new Intl.NumberFormat(locale, { minimumFractionDigits: digits }).format(
            amountMinor / 100,
          );
          const reading = readAmount(written, usd);
          ok(!reading.ok || reading.amountMinor === amountMinor, `${written} in ${locale}`);
        }
      }
    }
  });

  it('F54 is checked by the same bounds when it arrives as a number', () => {
    deepEqual(checkAmount(50.5, usd), { ok: false, problem: 'not_a_number' });
    deepEqual(checkAmount(Number.NaN, usd), { ok: false, problem: 'not_a_number' });
    deepEqual(checkAmount(2 ** 53, usd), { ok: false, problem: 'not_a_number' });
    deepEqual(checkAmount(5_050, usd), { ok: false, problem: 'not_a_step' });
    deepEqual(checkAmount(5_000, usd), { ok: true, amountMinor: 5_000 });
  });
});
