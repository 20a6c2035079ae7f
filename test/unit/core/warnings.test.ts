import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Balance, Budget } from '../../../protocol/api.ts';
import { crossing, isSameSeen, readSeen, type Seen, urgency } from '../../../src/core/warnings.ts';
import { balance } from '../../support/scriptedServer.ts';

const at = (percent: number, period_id = 'p1') =>
  balance({ usage: { basis: 'period', period_id, used_ucr: percent, total_ucr: 100 } });

/** Walks through readings and collects what is told. */
function told(readings: ReadonlyArray<readonly [percent: number, period?: string]>): number[] {
  let seen: Seen | undefined;
  const out: number[] = [];
  for (const [percent, period] of readings) {
    const crossed = crossing(seen, at(percent, period));
    seen = crossed.seen;
    if (crossed.news?.kind === 'used') {
      out.push(crossed.news.percent);
    }
  }
  return out;
}

describe('low-balance warnings', () => {
  const rows: ReadonlyArray<readonly [title: string, readings: Parameters<typeof told>[0], tells: number[]]> =
    [
      ['are silent at the first reading, however high', [[95]], []],
      ['are silent at 50 and 75, which only colour the bar', [[10], [50], [74], [75], [89]], []],
      ['F40 tell 90 once', [[10], [90], [91], [95], [99]], [90]],
      ['F40 tell 100 once', [[95], [100], [104]], [100]],
      ['tell only the highest that is new', [[10], [100]], [100]],
      ['tell 90 and then 100', [[10], [92], [100]], [90, 100]],
      ['do not repeat when the figure swings around a threshold', [[80], [90], [89], [90], [85], [91]], [90]],
      ['are armed again by a new period', [[10], [91], [5, 'p2'], [91, 'p2']], [90, 90]],
      ["F45 are armed again by the server's period id, once", [[91], [91], [91, 'p2'], [91, 'p2']], [90]],
      [
        'are armed again by a top-up, which starts a new measure',
        [[10], [100], [0, 'top-up'], [90, 'top-up']],
        [100, 90],
      ],
      ['do not tell 99.9 % as 100 (d-35)', [[10], [90], [99]], [90]],
    ];
  for (const [title, readings, tells] of rows) {
    it(title, () => deepEqual(told(readings), tells));
  }

  it('F23 say nothing where there is nothing to measure against', () => {
    equal(crossing(undefined, balance({ usage: null })).news, undefined);
    const nothing = balance({ usage: { basis: 'period', period_id: 'p', used_ucr: 5, total_ucr: 0 } });
    equal(crossing({ periodId: 'p', reached: 0 }, nothing).news, undefined);
  });

  it('F40 stay silent after a restart, because what was told is plain data', () => {
    const crossed = crossing({ periodId: 'p1', reached: 50 }, at(90));
    const restarted = readSeen(JSON.parse(JSON.stringify({ a: crossed.seen })));
    equal(crossing(restarted?.['a'], at(90)).news, undefined);
  });

  const budget = (used: number, change: Partial<Budget> = {}): Budget => ({
    id: 'bud_1',
    scope: 'user',
    name: 'Ada',
    limit_ucr: 100,
    used_ucr: used,
    period: 'month',
    period_start: '2026-11-01T00:00:00Z',
    resets_at: '2026-12-01T00:00:00Z',
    ...change,
  });
  const stoppedBy = (kind: string, budget_id: string | null = null) => ({ stopped_by: { kind, budget_id } });
  const plan = (remaining_ucr: number, period_start = '2026-11-01T00:00:00Z') => ({
    included: {
      state: 'available' as const,
      granted_ucr: 1_000,
      remaining_ucr,
      period_start,
      resets_at: '2026-12-01T00:00:00Z',
    },
  });
  const lasts = (days: number) => ({ runway: { days, low_days: days, high_days: days, from_days: 7 } });
  const expires = (at: string) => ({ next_expiry: { at, amount_ucr: 5 } });
  const next: ReadonlyArray<
    readonly [title: string, readings: ReadonlyArray<Partial<Balance>>, tells: readonly string[]]
  > = [
    [
      'tell a budget at 90 and at 100',
      [[10], [91], [95], [100], [110]].map(([used = 0]) => ({ budgets: [budget(used)] })),
      ['budget 90', 'budget 100'],
    ],
    ['are silent about a budget at its first reading', [{}, { budgets: [budget(95)] }], []],
    [
      'are armed again by a budget that is renewed, and by one that is raised',
      [
        { budgets: [budget(10)] },
        { budgets: [budget(90)] },
        { budgets: [budget(0, { period_start: '2026-12-01T00:00:00Z' })] },
        { budgets: [budget(90, { period_start: '2026-12-01T00:00:00Z' })] },
        { budgets: [budget(190, { limit_ucr: 200, period_start: '2026-12-01T00:00:00Z' })] },
      ],
      ['budget 90', 'budget 90', 'budget 90'],
    ],
    [
      'tell only the worst of two budgets',
      [
        { budgets: [budget(1), budget(1, { id: 'bud_2', scope: 'team' })] },
        { budgets: [budget(92), budget(100, { id: 'bud_2', scope: 'team' })] },
        { budgets: [budget(93), budget(100, { id: 'bud_2', scope: 'team' })] },
      ],
      ['budget 100'],
    ],
    [
      'b-10 tell a budget that stops the person, not the balance, and that it has room again',
      [
        { budgets: [budget(95)], stopped_by: null },
        { budgets: [budget(100)], ...stoppedBy('budget', 'bud_1') },
        { budgets: [budget(100)], stopped_by: null },
        { budgets: [budget(100)], ...stoppedBy('budget', 'bud_1') },
      ],
      ['stopped by budget', 'freed'],
    ],
    [
      'tell that the balance stops requests once, though holds come and go',
      [{}, { available_ucr: 0 }, { available_ucr: 5 }, { available_ucr: 0 }, { available_ucr: -3 }],
      ['stopped by balance', 'restored'],
    ],
    [
      'believe a server that says what stops and what does not',
      [
        { stopped_by: null },
        { available_ucr: 0, stopped_by: null },
        { available_ucr: 4, ...stoppedBy('balance') },
      ],
      ['stopped by balance'],
    ],
    [
      'tell once a period that the included credits are used up',
      [
        plan(10),
        plan(0),
        plan(3),
        plan(0),
        plan(900, '2026-12-01T00:00:00Z'),
        plan(0, '2026-12-01T00:00:00Z'),
      ],
      ['includedUsedUp', 'includedUsedUp'],
    ],
    [
      'b-12 tell once of credits that expire within a week',
      [expires('2026-12-22T00:00:00Z'), expires('2026-11-27T00:00:00Z'), expires('2026-11-27T00:00:00Z')],
      ['expiring'],
    ],
    [
      'tell a runway below the limit once, until it is clearly longer',
      [lasts(30), lasts(9), lasts(11), lasts(9)],
      ['runway'],
    ],
    ['tell nothing of a runway that is not known', [lasts(30), { runway: null }, {}], []],
  ];
  for (const [title, readings, tells] of next) {
    it(title, () => {
      let seen: Seen | undefined;
      const heard: string[] = [];
      for (const change of readings) {
        const usage = { basis: 'period', period_id: 'p1', used_ucr: 10, total_ucr: 100 };
        const crossed = crossing(seen, balance({ usage, ...change }), { percent: 90, leftUcr: 0, days: 10 });
        // As a restart finds it.
        seen = readSeen(JSON.parse(JSON.stringify({ a: crossed.seen })))?.['a'];
        ok(isSameSeen(seen, crossed.seen));
        const { news } = crossed;
        if (news) {
          heard.push(
            news.kind === 'budget'
              ? `budget ${news.percent}`
              : news.kind === 'stopped'
                ? `stopped by ${news.by.kind}`
                : news.kind,
          );
        }
      }
      deepEqual(heard, tells);
    });
  }

  it('b-4 tell from the percentage the person chose, and at 100 in any case', () => {
    let seen: Seen | undefined;
    const heard: number[] = [];
    for (const percent of [10, 60, 75, 90, 100]) {
      const crossed = crossing(seen, at(percent), { percent: 60, leftUcr: 0, days: 0 });
      seen = crossed.seen;
      if (crossed.news?.kind === 'used') {
        heard.push(crossed.news.percent);
      }
    }
    deepEqual(heard, [60, 100]);
  });

  it('F32 start anew from damaged storage', () => {
    for (const damaged of [null, 7, 'x', [], { a: 1 }, { a: { periodId: 3 } }]) {
      deepEqual(Object.keys(readSeen(damaged) ?? {}), []);
    }
  });

  const colours: ReadonlyArray<readonly [title: string, snapshot: ReturnType<typeof at>, urgency: string]> = [
    ['half used', at(50), 'calm'],
    ['75 % used', at(75), 'low'],
    ['said to be low by the server', balance({ low_balance: { threshold_ucr: 1, level: 'low' } }), 'low'],
    [
      'said to be critical by the server',
      balance({ low_balance: { threshold_ucr: 1, level: 'critical' } }),
      'low',
    ],
    ['nothing left', balance({ available_ucr: 0 }), 'out'],
    ['over the limit', balance({ available_ucr: -1 }), 'out'],
    ['a level of a later server', balance({ low_balance: { threshold_ucr: 1, level: 'breezy' } }), 'calm'],
  ];
  for (const [title, snapshot, expected] of colours) {
    it(`looks ${expected} with ${title}`, () => equal(urgency(snapshot), expected));
  }
});
