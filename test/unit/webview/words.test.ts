import assert from 'node:assert/strict';
import { ageText, creditsParts, creditsText, nextAgeChangeMs, usableLocale } from '../../../webview/words.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0);
const SECOND = 1_000; // ms
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('the age of a balance', () => {
  const cases: ReadonlyArray<readonly [ageMs: number, words: string]> = [
    [0, 'as of just now'],
    [59 * SECOND, 'as of just now'],
    [-5 * MINUTE, 'as of just now'], // the server's clock is ahead
    [MINUTE, 'as of 1 min ago'],
    [6 * MINUTE + 59 * SECOND, 'as of 6 min ago'],
    [59 * MINUTE, 'as of 59 min ago'],
    [HOUR, 'as of 1 h ago'],
    [23 * HOUR + 59 * MINUTE, 'as of 23 h ago'],
  ];
  for (const [ageMs, words] of cases) {
    it(`of ${ageMs} ms reads "${words}"`, () => {
      assert.equal(ageText(NOW - ageMs, NOW, 'en'), words);
    });
  }

  it('of more than a day is a date', () => {
    assert.match(ageText(NOW - 72 * HOUR, NOW, 'en'), /^as of Nov 19, 2026/);
  });

  it('is looked at again exactly when its words change', () => {
    for (const ageMs of [0, 1, 59_999, MINUTE, 61_500, 59 * MINUTE, HOUR, 5 * HOUR + 1]) {
      const asOfMs = NOW - ageMs;
      const nextMs = nextAgeChangeMs(asOfMs, NOW);
      assert.ok(nextMs > 0);
      assert.equal(ageText(asOfMs, NOW + nextMs - 1, 'en'), ageText(asOfMs, NOW, 'en'));
      assert.notEqual(ageText(asOfMs, NOW + nextMs, 'en'), ageText(asOfMs, NOW, 'en'));
    }
  });
});

describe('credits in words', () => {
  it('count one and many', () => {
    assert.equal(creditsText(1_000_000, 'en'), '1 credit');
    assert.equal(creditsText(5_000_000_000, 'en'), '5,000 credits');
    assert.equal(creditsText(0, 'en'), '0 credits');
    assert.equal(creditsText(1_000_000_000_000_000, 'de'), '1.000.000.000 credits');
  });

  it('can be cut around the figure', () => {
    assert.deepEqual(creditsParts(5_218_000_000, 'en'), ['', '5,218', ' credits']);
  });
});

describe('the language of figures', () => {
  it('is the editor’s where the browser knows it, else English', () => {
    assert.equal(usableLocale('de'), 'de');
    assert.equal(usableLocale('zh-cn'), 'zh-CN');
    assert.equal(usableLocale('not a language'), 'en');
    assert.equal(usableLocale('<img src=x>'), 'en');
    assert.equal(usableLocale(''), 'en');
  });
});
