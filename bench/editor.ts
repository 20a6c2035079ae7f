// The extension's own weight: what it costs the editor beside an extension that shows one status bar item, measured in
// the same extension host and run, in turns; and how large it is.
// Usage: npm run bench -- [--version 1.139]      prints the table and writes bench/results.json
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { editorOf } from '../scripts/hostTests.ts';
import { orgId, people, type Sandbox, startSandbox } from '../scripts/sandbox.ts';
import { productionBuild, readBudget } from '../scripts/support/bundle.ts';
import { editorVersions } from '../scripts/support/editorHost.ts';
import { inRoot, out, root } from '../scripts/support/places.ts';
import { startProgram } from '../scripts/support/processes.ts';
import { readOneOf, readOptions, runScript } from '../scripts/support/script.ts';
import {
  type Kept,
  keptVariable,
  type Measured,
  type MeasuredOnce,
  resultFileVariable,
} from './editor/measured.ts';
import { isMet, median, type Row, readResults, show, writeResults } from './support/table.ts';

/** Rows that other benches write; they join the table when they are there. */
const others = ['bench/panel.json', 'bench/updates.json', 'bench/idle.json'];

await runScript(async () => {
  const given = readOptions(process.argv.slice(2), ['version']);
  const version = readOneOf('version', given.version ?? '1.139', editorVersions);
  await productionBuild();
  const rows = [...(await sizeRows()), ...activationRows(await measureIn(version))];
  const joined = others.map(name => inRoot(name)).filter(file => existsSync(file));
  show([...rows, ...joined.flatMap(file => [...readResults(file).rows])]);
  writeResults(inRoot('bench/results.json'), rows);
  process.exitCode = rows.every(isMet) ? 0 : 1;
});

async function sizeRows(): Promise<Row[]> {
  const vsix = join(out, 'bench/credits.vsix');
  const program = await startProgram(process.execPath, [inRoot('scripts/package.ts'), '--out', vsix], {
    cwd: root,
  });
  if ((await program.exited) !== 0) throw new Error(program.lastLines());
  return Object.entries(readBudget()).map(([name, most]) => ({
    id: name === 'vsix' ? 'size-vsix' : `size-${name.replace('dist/', '').replaceAll('/', '-')}`,
    what: name === 'vsix' ? 'the package people download' : name,
    figure: statSync(name === 'vsix' ? vsix : inRoot(name)).size / 1_000,
    unit: 'kB',
    limit: { atMost: most / 1_000 },
    details: {},
  }));
}

/** Runs the measuring suite in a real extension host. Its extension is ours, told not to start by itself. */
async function measureIn(version: (typeof editorVersions)[number]): Promise<Measured> {
  const extension = join(out, 'bench/extension');
  rmSync(extension, { recursive: true, force: true });
  mkdirSync(extension, { recursive: true });
  for (const part of ['dist', 'media', 'package.nls.json'])
    cpSync(inRoot(part), join(extension, part), { recursive: true });
  const manifest = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(extension, 'package.json'), JSON.stringify({ ...manifest, activationEvents: [] }));
  await build({
    entryPoints: { 'dist/empty': inRoot('bench/editor/empty.ts'), suite: inRoot('bench/editor/suite.ts') },
    outdir: extension,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    logLevel: 'error',
  });
  const editor = await editorOf(version);
  const profile = mkdtempSync(join(tmpdir(), 'bench-'));
  const file = join(profile, 'measured.json');
  const sandbox = await startSandbox({ name: 'bench', balance: 5218, rate: 100 });
  try {
    await runTests({
      vscodeExecutablePath: editor.program,
      extensionDevelopmentPath: extension,
      extensionTestsPath: join(extension, 'suite.cjs'),
      extensionTestsEnv: {
        [resultFileVariable]: file,
        [keptVariable]: JSON.stringify(await keptOf(sandbox)),
      },
      launchArgs: [
        `--user-data-dir=${join(profile, 'user')}`,
        `--extensions-dir=${join(profile, 'extensions')}`,
      ],
    });
    return JSON.parse(readFileSync(file, 'utf8')) as Measured;
  } finally {
    await sandbox.stop();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** What an editor has kept in which the admin signed in. */
async function keptOf({ serverUrl, tokens }: Sandbox): Promise<Kept> {
  const { id: personId, name: personName } = people.admin;
  const account = { serverUrl, personId, personName, orgId, orgName: 'Acme', role: 'admin' };
  const answer = await fetch(`${serverUrl}/v1/orgs/${orgId}/balance`, {
    headers: { authorization: `Bearer ${tokens.admin}` },
  });
  return {
    signIn: JSON.stringify({ account, token: tokens.admin }),
    balance: { account, snapshot: await answer.json(), savedAtMs: Date.now() },
  };
}

function activationRows({ first, empty, ours, signedIn, cycles }: Measured): Row[] {
  const of = (runs: readonly MeasuredOnce[], figure: keyof MeasuredOnce): number =>
    median(runs.map(run => run[figure]));
  const beside = (figure: keyof MeasuredOnce, runs: readonly MeasuredOnce[]): Row['details'] => ({
    empty: Number(of(empty, figure).toFixed(3)),
    ours: Number(of(runs, figure).toFixed(3)),
    rounds: runs.length,
  });
  const more = (
    id: string,
    what: string,
    figure: keyof MeasuredOnce,
    unit: Row['unit'],
    atMost: number,
    runs = ours,
  ): Row => ({
    id,
    what: `${what}, more than the empty extension`,
    figure: of(runs, figure) - of(empty, figure),
    unit,
    limit: { atMost },
    details: beside(figure, runs),
  });
  return [
    {
      id: 'load-first',
      what: 'require() of the entry when nothing of it was compiled before, more than the empty extension',
      figure: median(first.ours) - median(first.empty),
      unit: 'ms',
      limit: { atMost: 5 },
      details: {
        empty: Number(median(first.empty).toFixed(3)),
        ours: Number(median(first.ours).toFixed(3)),
        rounds: first.ours.length,
      },
    },
    more('require', 'require() of the entry, compiled before', 'requireMs', 'ms', 2),
    more('activate', 'activate(), to its return', 'activateMs', 'ms', 1),
    more(
      'cached-paint',
      'activate() with the last balance in the status bar at its return',
      'activateMs',
      'ms',
      5,
      signedIn,
    ),
    more('heap-signed-out', 'heap after gc, signed out', 'heapMb', 'MB', 0.3),
    more(
      'heap-signed-in',
      'heap after gc, signed in, with a balance and a stream',
      'heapMb',
      'MB',
      2,
      signedIn,
    ),
    {
      id: 'cycles-handles',
      what: `handles left by ${cycles.count} times activate and deactivate in one process`,
      figure: cycles.handlesAfter - cycles.handlesBefore,
      unit: 'handles',
      limit: { atMost: 0 },
      details: { before: cycles.handlesBefore, after: cycles.handlesAfter },
    },
    {
      id: 'cycles-heap',
      what: `heap after gc, grown by the last half of ${cycles.count} cycles`,
      figure: cycles.heapAfterMb - cycles.heapHalfwayMb,
      unit: 'MB',
      limit: { atMost: 0.5 },
      details: {
        halfway: Number(cycles.heapHalfwayMb.toFixed(2)),
        after: Number(cycles.heapAfterMb.toFixed(2)),
      },
    },
  ];
}
