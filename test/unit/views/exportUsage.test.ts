import { deepEqual, equal } from 'node:assert/strict';
import type { UsageReport } from '../../../protocol/api.ts';
import { CreditsError } from '../../../src/core/errors.ts';
import type { Records } from '../../../src/core/records.ts';
import { fake } from '../../support/vscode.ts';

const { exportUsage, usageCsv } = await import('../../../src/views/exportUsage.ts');

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

describe('exporting usage', () => {
  beforeEach(() => {
    fake.did.reset();
    fake.disk.files.clear();
    fake.disk.fails = false;
  });

  after(() => {
    fake.disk.fails = false;
  });

  async function run(usage: { value?: UsageReport; error?: CreditsError }) {
    const asked: unknown[] = [];
    const records = {
      state: { group: 'user', usage: { busy: false, value: undefined, error: undefined, ...usage } },
      refreshUsage: async (group: string) => void asked.push(group),
    } as unknown as Records;
    await exportUsage({ records, folder: undefined });
    return { asked, said: fake.did.messages.map(({ text }) => text) };
  }

  it('asks anew, asks where, writes it there, and says so', async () => {
    fake.did.saveAs = ({ defaultUri }) => {
      equal(defaultUri?.path, '/credits-usage-user-2026-11-22.csv');
      return fake.Uri.parse('file:///home/ada/usage.csv');
    };
    const { asked, said } = await run({ value: report('usr_1', '=1+1') });
    deepEqual(asked, ['user']);
    equal(fake.disk.files.get('/home/ada/usage.csv'), usageCsv(report('usr_1', '=1+1')));
    deepEqual(said, ['Usage was exported to usage.csv.']);
  });

  it('writes nothing where the question is left', async () => {
    const { said } = await run({ value: report('usr_1') });
    equal(fake.disk.files.size, 0);
    deepEqual(said, []);
  });

  it('F1 writes no old figures as if they were new, and says why', async () => {
    fake.did.saveAs = () => fake.Uri.parse('file:///home/ada/usage.csv');
    await run({ value: report('usr_1'), error: new CreditsError('offline') });
    equal(fake.disk.files.size, 0);
    deepEqual(
      fake.did.messages.map(({ text }) => text),
      ['Usage could not be exported. The credits server cannot be reached. Check the connection.'],
    );
  });

  it('says when the file cannot be written', async () => {
    fake.did.saveAs = () => fake.Uri.parse('file:///root/usage.csv');
    fake.disk.fails = true;
    const { said } = await run({ value: report('usr_1') });
    deepEqual(said, ['usage.csv could not be written. Choose another place.']);
  });
});
