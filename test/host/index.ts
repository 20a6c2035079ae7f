// The suite's front door inside the extension host: the editor calls `run()`, which runs every test/host/**/*.test.ts.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { type Summary, summarise, summaryFileVariable } from '../support/summary.ts';

/** The names of the test files without `.test.ts`: filled in when the suite is bundled. */
declare const hostTests: readonly string[];

export async function run(): Promise<void> {
  // Inside the editor everything else is alive too; 20 s is for a busy machine's activation, not for one assertion.
  const mocha = new Mocha({
    ui: 'bdd',
    reporter: 'spec',
    timeout: 20_000,
    color: process.env['FORCE_COLOR'] === '1',
  });
  // Puts `describe` and `it` where the test files look for them; otherwise mocha does so for each file it loads itself.
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  for (const name of hostTests) await import(`./${name}.test.ts`);

  const summary = await new Promise<Summary>(resolve => {
    const runner = mocha.run(() => resolve(counted));
    const counted = summarise(runner);
  });
  const file = process.env[summaryFileVariable];
  if (file) writeFileSync(file, JSON.stringify(summary));
  if (summary.failures.length > 0) throw new Error(`${summary.failures.length} of the suite's tests failed.`);
}
