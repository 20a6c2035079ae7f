import { deepEqual, equal, ok } from 'node:assert/strict';
import '../../support/vscode.ts';

const { ageText, balanceText, creditsText, dayText, daysText, inert } = await import(
  '../../../src/views/text.ts'
);

describe('figures in words', () => {
  it('d-7 says that a negative balance is over the limit', () => {
    equal(balanceText(-120_000_000, 'en'), '-120, over limit');
    equal(balanceText(0, 'en'), '0');
  });

  it('counts one credit as one', () => {
    equal(creditsText(1_000_000, 'en'), '1 credit');
    equal(creditsText(5_000_000_000, 'en'), '5,000 credits');
    equal(creditsText(1_004_000, 'en'), '1 credit');
  });

  it('never says that credits last 0 days', () => {
    deepEqual([daysText(0), daysText(1), daysText(2)], ['< 1 day', '1 day', '2 days']);
  });

  it('writes a month in full where its short form has a full stop of its own', () => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    const day = (locale: string) => dayText('2026-12-01T12:00:00Z', now, locale);
    deepEqual([day('de'), day('en'), day('ja')], ['1. Dezember', 'Dec 1', '12月1日']);
  });

  const ages: ReadonlyArray<readonly [ms: number, text: string]> = [
    [0, 'just now'],
    [59_999, 'just now'],
    [6 * 60_000, '6 min ago'],
    [3 * 3_600_000, '3 h ago'],
    [72 * 3_600_000, '3 days ago'],
  ];
  for (const [ms, text] of ages) {
    it(`${ms} ms is ${text}`, () => equal(ageText(ms), text));
  }
});

describe('text from the server in a notification', () => {
  const hostile = [
    '[pay](command:workbench.action.quit)',
    '[pay](https://attacker.example)',
    '[x](command:credits.buy?%5B%5D "title")',
    '![x](https://attacker.example/x.png)',
    '[x][y]\n[y]: command:z',
    '[ x ]( javascript:alert(1) )',
    '<a href="command:x">x</a>',
    'a\r\nb\u2028c\u0000d',
    '\u202eevil\u202c',
    'COMMAND:x',
  ];
  for (const text of hostile) {
    it(`T11 F25 makes no link of ${JSON.stringify(text)}`, () => {
      const shown = inert(text);
      ok(!/[[\]]/.test(shown), shown);
      ok(!/(command|javascript|vscode|file|data):/i.test(shown), shown);
      ok(!/\p{Cc}|[\u202a-\u202e]/u.test(shown), shown);
    });
  }

  it('F25 keeps a megabyte short', () => {
    equal(inert('x'.repeat(1_000_000)).length, 120);
  });

  it('leaves ordinary names alone', () => {
    equal(inert('Łódź & Søn, Ltd. (EU) 🙂'), 'Łódź & Søn, Ltd. (EU) 🙂');
  });
});
