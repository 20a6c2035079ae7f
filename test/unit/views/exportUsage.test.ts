import { equal } from 'node:assert/strict';
import type { UsageReport } from '../../../protocol/api.ts';
import '../../support/vscode.ts';

const { usageCsv } = await import('../../../src/views/exportUsage.ts');

const report = (key: string | null, name: string | null = null, used_ucr = 12_000_345): UsageReport => ({
  group_by: 'user',
  scope: 'all',
  from: '2026-10-23T12:00:00Z',
  to: '2026-11-22T12:00:00Z',
  total_ucr: used_ucr,
  data: [{ key, name, used_ucr, events: 3 }],
});
const row = (key: string | null, name?: string, used?: number) =>
  usageCsv(report(key, name, used)).split('\r\n')[1];

describe('usage as comma-separated values', () => {
  it('names its columns with their units, the same in every language', () => {
    equal(usageCsv(report('usr_1')).split('\r\n')[0], 'user,name,used_credits,requests');
    equal(usageCsv({ ...report('2026-11-01'), group_by: 'day' }).split(',')[0], 'day_utc');
  });

  it('writes figures exactly', () => {
    equal(row('usr_1', 'Ada'), 'usr_1,Ada,12.000345,3');
    equal(row('usr_1', 'Ada', 5_000_000_000), 'usr_1,Ada,5000,3');
    equal(row(null, undefined, 100_000), ',,0.1,3');
  });

  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '  =cmd()', '＝1+1', '|calc', '%0A=1'];
  for (const name of formulas) {
    it(`T7 gives ${JSON.stringify(name)} as text, not as a formula`, () => {
      equal(row('usr_1', name)?.startsWith(`usr_1,"'`), true, row('usr_1', name));
    });
  }

  it('keeps a name with commas, quotes and lines in its cell', () => {
    equal(
      usageCsv(report('usr_1', 'Lovelace, "Ada"\nCountess')),
      'user,name,used_credits,requests\r\nusr_1,"Lovelace, ""Ada""\nCountess",12.000345,3\r\n',
    );
  });
});
