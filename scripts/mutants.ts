// Takes each defence of test/mutants.ts out of a copy of the sources and looks whether its own test turns red.
// Usage: npm run mutants -- [words of a row or parts of its file's path ...]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Mutant, mutants } from '../test/mutants.ts';
import { copySources, misplaced, whileBroken } from './support/sourceCopy.ts';

const words = process.argv.slice(2);
const chosen = mutants.filter(({ row, file }) => words.every(word => `${row} ${file}`.includes(word)));

/** Longer than the slowest test file takes on a busy machine. */
const limitMs = 180_000;

const copy = copySources('mutants');

let survived = 0;
for (const mutant of chosen) {
  const verdict = await judge(mutant);
  console.log(
    `${verdict === 'caught' ? 'caught  ' : 'SURVIVED'} ${mutant.row}${verdict === 'caught' ? '' : `: ${verdict}`}`,
  );
  survived += verdict === 'caught' ? 0 : 1;
}
console.log(`\n${chosen.length - survived} caught, ${survived} survived`);
process.exitCode = survived > 0 || chosen.length === 0 ? 1 : 0;

async function judge(mutant: Mutant): Promise<string> {
  const lost = misplaced(copy, [mutant]);
  if (lost !== undefined) {
    return lost;
  }
  if (!passes(mutant)) {
    return 'its test is red already';
  }
  return whileBroken(copy, [mutant], () => (passes(mutant) ? 'no test turned red' : 'caught'));
}

/** Whether the tests with the mutant's title pass; a title that names none is no pass. */
function passes({ test, title }: Mutant): boolean {
  const mocha = join('node_modules', 'mocha', 'bin', 'mocha.js');
  const { status } = spawnSync(
    process.execPath,
    [mocha, '--reporter', 'min', '--timeout', '30000', '--fail-zero', '--fgrep', title, test],
    { cwd: copy, stdio: 'ignore', timeout: limitMs },
  );
  return status === 0;
}
