import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'mocha';
import { hintText, readCredits } from '../../../webview/wholeCredits.ts';

describe('a number of credits', () => {
  const rows: ReadonlyArray<readonly [typed: string, read: ReturnType<typeof readCredits>]> = [
    ['1000', { ok: true, ucr: 1_000_000_000 }],
    ['0', { ok: true, ucr: 0 }],
    ['', { ok: true, ucr: null }],
    ['  ', { ok: true, ucr: null }],
    ['12 500', { ok: true, ucr: 12_500_000_000 }],
    ['1,250,000', { ok: true, ucr: 1_250_000_000_000 }],
    ['1.250.000', { ok: true, ucr: 1_250_000_000_000 }],
    ['١٠٠٠', { ok: true, ucr: 1_000_000_000 }],
    ['1.250', { ok: false, problem: 'ambiguous' }],
    ['1,250', { ok: true, ucr: 1_250_000_000 }],
    ['¥1000', { ok: false, problem: 'notCredits' }],
    ['$50', { ok: false, problem: 'notCredits' }],
    ['50 EUR', { ok: false, problem: 'notCredits' }],
    ['12.5', { ok: false, problem: 'notCredits' }],
    ['-5', { ok: false, problem: 'notCredits' }],
    ['many', { ok: false, problem: 'notCredits' }],
    ['9007199254', { ok: true, ucr: 9_007_199_254_000_000 }],
    ['9007199255', { ok: false, problem: 'tooMany' }],
  ];
  for (const [typed, read] of rows) {
    it(`"${typed}" is ${read.ok ? `${read.ucr} ucr` : read.problem}`, () => {
      deepEqual(readCredits(typed), read);
    });
  }

  it('is said back, or refused with what to type instead', () => {
    const said = (typed: string) => hintText(readCredits(typed), 'en');
    equal(said('2500'), 'Low below 2,500 credits.');
    equal(said(''), 'Empty means: low when a quarter is left.');
    equal(said('$50'), 'Type whole credits in digits, like 1000.');
    equal(said('1.250'), 'This could be two numbers. Type digits only, like 1000.');
    equal(said('99999999999'), 'The largest number is 9,007,199,254.');
  });
});
