import { deepEqual, equal } from 'node:assert/strict';
import { crossing, readSeen, type Seen, urgency } from '../../../src/core/warnings.ts';
import { balance } from '../../support/scriptedServer.ts';

const at = (percent: number, period_id = 'p1') =>
  balance({ usage: { basis: 'period', period_id, used_ucr: percent, total_ucr: 100 } });

/** Walks through readings and collects what is told. */
function told(readings: ReadonlyArray<readonly [percent: number, period?: string]>): number[] {
  let seen: Seen | undefined;
  const out: number[] = [];
  for (const [percent, period] of readings) {
    const crossed = crossing(seen, at(percent, period));
    seen = crossed?.seen;
    if (crossed?.tell !== undefined) {
      out.push(crossed.tell);
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
    equal(crossing(undefined, balance({ usage: null })), undefined);
    const nothing = balance({ usage: { basis: 'period', period_id: 'p', used_ucr: 5, total_ucr: 0 } });
    equal(crossing({ periodId: 'p', reached: 0 }, nothing), undefined);
  });

  it('F40 stay silent after a restart, because what was told is plain data', () => {
    const crossed = crossing({ periodId: 'p1', reached: 50 }, at(90));
    const restarted = readSeen(JSON.parse(JSON.stringify({ a: crossed?.seen })));
    equal(crossing(restarted?.['a'], at(90))?.tell, undefined);
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
