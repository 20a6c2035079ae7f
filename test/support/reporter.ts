// Mocha's "spec" reporter, which also leaves the summary of the run in a file.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { summarise, summaryFileVariable } from './summary.ts';

export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const summary = summarise(runner);
    const file = process.env[summaryFileVariable];
    if (file) runner.once('end', () => writeFileSync(file, JSON.stringify(summary)));
  }
}
