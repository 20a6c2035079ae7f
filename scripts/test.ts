// Runs every check there is and counts what really happened.
// Usage: npm test -- [lint|types|unit|server|host|e2e|faults ...] [mocha options, such as --grep WORD]
// Without a name all of them, in that order, of `faults` a selection. The last line is "N passed, N failed"; the code is 1 if anything failed.
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Summary, summaryFileVariable } from '../test/support/summary.ts';
import { runHostTests } from './hostTests.ts';
import { inRoot, out, root } from './support/places.ts';
import { ensureBinaries } from './support/postgres.ts';
import { onStop, type Program, startProgram } from './support/processes.ts';

interface Tally {
  passed: number;
  readonly failures: string[];
}

const steps: Readonly<Record<string, (tally: Tally) => Promise<void>>> = {
  lint,
  types: checkTypes,
  unit: tally => mocha(tally, 'unit', { timeoutMs: 5000 }),
  server: serverTests,
  host: hostTests,
  e2e: endToEnd,
  faults,
};

/** Of the faults, when they are not named: all of them take a quarter of an hour. */
const someFaults: readonly { readonly file: string; readonly title?: string }[] = [
  { file: 'canary' },
  { file: 'killed', title: 'after the request was made, before its answer' },
];

/** About the embedded database's files, or about no database at all: nothing else would come of them on PostgreSQL. */
const onceOnly = [
  'config',
  'crashes',
  'olderSchema',
  'openapi',
  'postgres',
  'process',
  'simulator',
  'stripeDouble',
];

/** A step that says nothing of its end for this long has hung: the longest takes some minutes. */
const stepLimitMs = 30 * 60_000;

const wanted = process.argv.slice(2);
const firstOption = wanted.findIndex(arg => arg.startsWith('-'));
const mochaOptions = firstOption < 0 ? [] : wanted.splice(firstOption);
const unknown = wanted.filter(name => !(name in steps));
let running: Program | undefined;
onStop(() => running?.stop());

if (unknown.length > 0 || mochaOptions.includes('--help')) {
  console.error(
    `Usage: npm test -- [${Object.keys(steps).join('|')} ...] [mocha options, such as --grep WORD]`,
  );
  process.exitCode = mochaOptions.includes('--help') ? 0 : 1;
} else {
  const total: Tally = { passed: 0, failures: [] };
  for (const [name, run] of Object.entries(steps)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await runStep(name, run, total);
  }
  if (total.failures.length > 0)
    console.log(`\nFailed:\n${total.failures.map(text => `  ${text}`).join('\n')}`);
  console.log(`\n${total.passed} passed, ${total.failures.length} failed`);
  process.exitCode = total.failures.length > 0 || total.passed === 0 ? 1 : 0;
}

async function runStep(name: string, run: (tally: Tally) => Promise<void>, total: Tally): Promise<void> {
  console.log(`\n=== ${name} ===`);
  const started = performance.now();
  const tally: Tally = { passed: 0, failures: [] };
  try {
    await run(tally);
    if (tally.passed + tally.failures.length === 0) tally.failures.push('nothing ran');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    tally.failures.push(error instanceof Error ? (error.message.split('\n')[0] ?? 'failed') : String(error));
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`--- ${name}: ${tally.passed} passed, ${tally.failures.length} failed in ${seconds} s`);
  total.passed += tally.passed;
  total.failures.push(...tally.failures.map(failure => `${name}: ${failure}`));
}

async function lint(tally: Tally): Promise<void> {
  // Biome takes a build server's log for a terminal.
  const colours = `--colors=${process.stdout.isTTY ? 'force' : 'off'}`;
  await check(tally, 'biome ci', inRoot('node_modules/@biomejs/biome/bin/biome'), ['ci', colours, '.']);
  await check(tally, 'actionlint', inRoot('scripts/lintWorkflows.ts'), []);
}

/** A program whose exit code is the whole result. */
async function check(tally: Tally, title: string, script: string, args: readonly string[]): Promise<void> {
  const code = await runVisibly(script, args);
  if (code === 0) tally.passed++;
  else tally.failures.push(`${title} ended with code ${code}`);
}

/** Each room is a project of its own; two at a time, because the compiler itself uses more than one core. */
async function checkTypes(tally: Tally): Promise<void> {
  const { references } = JSON.parse(withoutComments(readFileSync(inRoot('tsconfig.json'), 'utf8'))) as {
    references: { path: string }[];
  };
  const queue = references.map(({ path }) => path);
  const work = async (): Promise<void> => {
    for (let project = queue.shift(); project; project = queue.shift()) {
      const args = [inRoot('node_modules/typescript/bin/tsc'), '-p', project, '--pretty', 'false'];
      const { ok, said } = await quietly(process.execPath, args);
      console.log(ok ? `ok ${project}` : `FAILED ${project}\n${said}`);
      if (ok) tally.passed++;
      else tally.failures.push(`tsc -p ${project}`);
    }
  };
  await Promise.all([work(), work()]);
}

function isOnceOnly(file: string): boolean {
  return onceOnly.includes(basename(file, '.test.ts'));
}

function isForPostgres(file: string): boolean {
  return file.endsWith('.postgres.test.ts');
}

/** The same suite on the embedded database and on PostgreSQL, each run counted. */
async function serverTests(tally: Tally): Promise<void> {
  await ensureBinaries();
  // A test's own database takes up to some seconds to open on a busy machine.
  const timeoutMs = 30_000;
  for (const [database, belongs] of [
    ['pglite', (file: string) => !isForPostgres(file)],
    ['postgres', (file: string) => !isOnceOnly(file)],
  ] as const) {
    console.log(`\n--- server on ${database}`);
    await mocha(tally, 'server', { timeoutMs, belongs, env: { CREDITS_TEST_DATABASE: database } });
  }
}

interface MochaRun {
  readonly timeoutMs: number;
  /** All of the folder's files unless told. */
  readonly belongs?: (file: string) => boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** Part of the titles of the tests to run, where no option of the caller's chooses them. */
  readonly title?: string;
}

/** The tests under test/`folder`, run by Node from their sources. */
async function mocha(
  tally: Tally,
  folder: string,
  { timeoutMs, belongs = () => true, env = {}, title }: MochaRun,
): Promise<void> {
  const files = globSync(`test/${folder}/**/*.test.ts`, { cwd: root }).filter(belongs).sort();
  if (files.length === 0) throw new Error(`there is no test in test/${folder}`);
  const summaryFile = join(out, 'test', `${folder}.json`);
  mkdirSync(join(out, 'test'), { recursive: true });
  rmSync(summaryFile, { force: true });
  const options = ['--reporter', 'test/support/reporter.ts', '--timeout', String(timeoutMs), '--forbid-only'];
  if (title !== undefined && mochaOptions.length === 0) options.push('--fgrep', title);
  const code = await runVisibly(
    inRoot('node_modules/mocha/bin/mocha.js'),
    [...options, ...mochaOptions, ...files],
    { ...env, [summaryFileVariable]: summaryFile },
  );
  const summary = existsSync(summaryFile)
    ? (JSON.parse(readFileSync(summaryFile, 'utf8')) as Summary)
    : undefined;
  add(tally, summary, code === 0 ? undefined : `mocha ended with code ${code}`);
}

async function hostTests(tally: Tally): Promise<void> {
  for (const { editor, summary, error } of await runHostTests()) add(tally, summary, error, `${editor}: `);
}

async function endToEnd(tally: Tally): Promise<void> {
  await check(tally, 'journey', inRoot('scripts/journey.ts'), []);
  // Opening a workbench takes seconds; a journey through it, with a payment, up to a minute.
  if (globSync('test/e2e/**/*.test.ts', { cwd: root }).length > 0)
    await mocha(tally, 'e2e', { timeoutMs: 120_000 });
}

/** Each test of them starts an editor or kills one; CREDITS_FAULTS=long watches as long as is promised. */
async function faults(tally: Tally): Promise<void> {
  const timeoutMs = 150_000;
  if (wanted.includes('faults')) {
    await mocha(tally, 'faults', { timeoutMs });
    return;
  }
  for (const { file, ...chosen } of someFaults) {
    const belongs = (path: string) => basename(path, '.test.ts') === file;
    await mocha(tally, 'faults', { timeoutMs, belongs, ...chosen });
  }
}

/** Adds a run's own count; `error` counts by itself only where no failed test explains it. */
function add(tally: Tally, summary: Summary | undefined, error: string | undefined, where = ''): void {
  tally.passed += summary?.passed ?? 0;
  for (const { title, reason } of summary?.failures ?? []) tally.failures.push(`${where}${title}: ${reason}`);
  if (!summary) tally.failures.push(`${where}${error ?? 'ended'} before its tests were done`);
  else if (error !== undefined && summary.failures.length === 0) tally.failures.push(`${where}${error}`);
}

/** Runs a script with everything it says passed on; its exit code. */
async function runVisibly(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const program = await startProgram(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, ...args],
    {
      cwd: root,
      env: { ...process.env, ...colour, ...env },
      onLine: line => console.log(line),
    },
  );
  running = program;
  const clock = setTimeout(() => {
    console.error(`No end after ${stepLimitMs / 60_000} minutes; stopping it.`);
    void program.stop();
  }, stepLimitMs);
  try {
    return await program.exited;
  } finally {
    clearTimeout(clock);
    running = undefined;
    // What a crashed suite left running would keep its ports and its database.
    await program.stop(1000);
  }
}

function quietly(command: string, args: readonly string[]): Promise<{ ok: boolean; said: string }> {
  return new Promise(resolve => {
    execFile(command, args, { cwd: root, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ ok: !error, said: `${stdout}${stderr}`.trim() }),
    );
  });
}

/** tsconfig.json is JSON with line comments; none of its strings holds two slashes. */
function withoutComments(json: string): string {
  return json.replaceAll(/\/\/.*$/gm, '');
}
