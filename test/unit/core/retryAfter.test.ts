import { equal } from 'node:assert/strict';
import { readRetryAfter } from '../../../src/core/retryAfter.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const HOUR = 3_600_000; // ms

describe('Retry-After', () => {
  const rows: ReadonlyArray<readonly [header: string | undefined, ms: number | undefined]> = [
    [undefined, undefined],
    ['', undefined],
    ['  ', undefined],
    ['soon', undefined],
    ['1.5', undefined],
    ['NaN', undefined],
    ['0', 0],
    ['2', 2_000],
    [' 30 ', 30_000],
    ['3600', HOUR],
    ['3601', HOUR],
    ['315360000', HOUR], // ten years
    ['99999999999999999999999', HOUR],
    ['-5', 0],
    ['Sun, 22 Nov 2026 12:00:10 GMT', 10_000],
    ['Sun, 22 Nov 2026 11:59:00 GMT', 0],
    ['Sun, 22 Nov 2036 12:00:00 GMT', HOUR],
    ['2026-11-22T12:00:10Z', undefined],
    ['Sun, 99 Nov 2026 12:00:10 GMT', undefined],
  ];
  for (const [header, ms] of rows) {
    it(`F12 reads ${JSON.stringify(header)} as ${ms}`, () => {
      equal(readRetryAfter(header, now), ms);
    });
  }
});
