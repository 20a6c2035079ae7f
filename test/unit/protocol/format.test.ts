import { equal, throws } from 'node:assert/strict';
import { formatCredits, formatMoney } from '../../../protocol/format.ts';
import { creditsFor, minorPerMajor } from '../../../protocol/units.ts';

describe('credits for people', () => {
  const rows: ReadonlyArray<readonly [ucr: number, locale: string, text: string]> = [
    [5_218_000_000, 'en', '5,218'],
    [10_218_000_000, 'en', '10,218'],
    [10_218_000_000, 'de', '10.218'],
    [0, 'en', '0'],
    [1, 'en', '< 0.01'],
    [10_000, 'en', '0.01'],
    [9_250_000, 'en', '9.25'],
    [9_999_999, 'en', '9.99'],
    [99_600_000, 'en', '99'],
    [-120_000_000, 'en', '-120'],
    [Number.MAX_SAFE_INTEGER, 'en', '9,007,199,254'],
  ];
  for (const [ucr, locale, text] of rows) {
    it(`${ucr} ucr is ${text} in ${locale}`, () => equal(formatCredits(ucr, locale), text));
  }
});

describe('money for people', () => {
  const rows: ReadonlyArray<readonly [minor: number, currency: string, text: string]> = [
    [5_000, 'usd', '$50'],
    [1_250, 'usd', '$12.50'],
    [1_000_000, 'usd', '$10,000'],
    [5_000, 'jpy', '¥5,000'],
    [5_000, 'eur', '€50'],
    // Charged in hundredths, whatever a language would round to.
    [5_050, 'huf', 'HUF\u00a050.50'],
    [500_000, 'isk', 'ISK\u00a05,000'],
    // There is more than one dollar, and more than one yen.
    [5_000, 'cad', 'CA$50'],
    [5_000, 'cny', 'CN¥50'],
    [5_250, 'kwd', 'KWD\u00a05.250'],
  ];
  for (const [minor, currency, text] of rows) {
    it(`${minor} of ${currency} is ${text}`, () => equal(formatMoney(minor, currency, 'en'), text));
  }
});

describe('what an amount buys', () => {
  const rows: ReadonlyArray<readonly [minor: number, rate: number, currency: string, ucr: number]> = [
    [5_000, 100, 'usd', 5_000_000_000],
    [5_000, 150, 'usd', 7_500_000_000],
    [1, 100, 'usd', 1_000_000],
    [5_000, 1, 'jpy', 5_000_000_000],
    [5_000, 100, 'huf', 5_000_000_000],
  ];
  for (const [minor, rate, currency, ucr] of rows) {
    it(`${minor} of ${currency} at ${rate} is ${ucr} ucr`, () =>
      equal(creditsFor(minor, rate, currency), ucr));
  }

  it('throws rather than count wrongly', () => {
    throws(() => creditsFor(Number.MAX_SAFE_INTEGER, 100, 'usd'), RangeError);
    equal(minorPerMajor('KWD'), 1_000);
  });
});
