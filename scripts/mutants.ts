// Takes each defence of test/mutants.ts out of a copy of the sources and looks whether its own test turns red.
// Usage: npm run mutants -- [words of a row ...]
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mutant, mutants } from '../test/mutants.ts';
import { inRoot, out } from './support/places.ts';

const copy = join(out, 'mutants');
const copied = [
  'protocol',
  'src',
  'server/src',
  'server/package.json',
  'webview',
  'test',
  'scripts',
  'docs',
  'media',
];
const words = process.argv.slice(2);
const chosen = mutants.filter(({ row }) => words.every(word => row.includes(word)));

/** Longer than the slowest test file takes on a busy machine. */
const limitMs = 180_000;

rmSync(copy, { recursive: true, force: true });
for (const path of [...copied, 'package.json', 'package.nls.json', 'tsconfig.base.json']) {
  cpSync(inRoot(path), join(copy, path), { recursive: true });
}
mkdirSync(copy, { recursive: true });
symlinkSync(inRoot('node_modules'), join(copy, 'node_modules'), 'dir');

let survived = 0;
for (const mutant of chosen) {
  const verdict = judge(mutant);
  console.log(
    `${verdict === 'caught' ? 'caught  ' : 'SURVIVED'} ${mutant.row}${verdict === 'caught' ? '' : `: ${verdict}`}`,
  );
  survived += verdict === 'caught' ? 0 : 1;
}
console.log(`\n${chosen.length - survived} caught, ${survived} survived`);
process.exitCode = survived > 0 || chosen.length === 0 ? 1 : 0;

function judge(mutant: Mutant): string {
  const file = join(copy, mutant.file);
  const sound = readFileSync(file, 'utf8');
  if (sound.split(mutant.from).length !== 2) {
    return `its text is not found once in ${mutant.file}`;
  }
  if (!passes(mutant)) {
    return 'its test is red already';
  }
  try {
    writeFileSync(
      file,
      sound.replace(mutant.from, () => mutant.to),
    );
    return passes(mutant) ? 'no test turned red' : 'caught';
  } finally {
    writeFileSync(file, sound);
  }
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
