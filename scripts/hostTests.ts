// Runs test/host inside real extension hosts: a desktop VS Code where one can be had, else the stand-in from npm.
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadAndUnzipVSCode, runTests, TestRunFailedError } from '@vscode/test-electron';
import { build } from 'esbuild';
import { type Summary, summaryFileVariable } from '../test/support/summary.ts';
import { type EditorVersion, editorVersions, ensureEditorHost } from './support/editorHost.ts';
import { inRoot, out, root } from './support/places.ts';
import { startProgram } from './support/processes.ts';

/** One run of the suite in one editor; `error` when it ended otherwise than by its own count. */
export interface HostRun {
  readonly editor: string;
  readonly summary: Summary | undefined;
  readonly error: string | undefined;
}

interface Editor {
  readonly name: string;
  readonly program: string;
}

/** Builds extension and suite, then runs the suite in every editor in turn. */
export async function runHostTests(extension: string = root): Promise<HostRun[]> {
  if (extension === root) await buildExtension();
  const suite = await bundleSuite();
  const runs: HostRun[] = [];
  const wanted = process.env['VSCODE_VERSION'];
  if (wanted) {
    // Nothing stands in for what was named: a build server that asked for a desktop editor is not to pass without it.
    const program = await downloadAndUnzipVSCode({ version: wanted, cachePath: inRoot('.vscode-test') });
    return [await runIn({ name: `desktop VS Code ${wanted}`, program }, extension, suite)];
  }
  for (const version of editorVersions) {
    const editor = await editorOf(version);
    console.log(`\nin ${editor.name}`);
    runs.push(await runIn(editor, extension, suite));
    // A named program is the one version that it is.
    if (process.env['VSCODE_EXECUTABLE']) break;
  }
  return runs;
}

async function runIn(editor: Editor, extension: string, suite: string): Promise<HostRun> {
  // Short, because the editor puts a socket in it and a socket's path ends at 107 characters.
  const profile = mkdtempSync(join(tmpdir(), 'host-tests-'));
  const file = join(profile, 'summary.json');
  let error: string | undefined;
  try {
    await runTests({
      vscodeExecutablePath: editor.program,
      extensionDevelopmentPath: extension,
      extensionTestsPath: suite,
      extensionTestsEnv: {
        [summaryFileVariable]: file,
        ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}),
      },
      launchArgs: [
        `--user-data-dir=${join(profile, 'user')}`,
        `--extensions-dir=${join(profile, 'extensions')}`,
      ],
    });
  } catch (failure) {
    error =
      failure instanceof TestRunFailedError || failure instanceof Error ? failure.message : String(failure);
  }
  const summary = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Summary) : undefined;
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  return { editor: editor.name, summary, error };
}

/** An editor that @vscode/test-electron can start. */
export async function editorOf(version: EditorVersion): Promise<Editor> {
  return (await desktopEditor(version)) ?? (await standIn(version));
}

/** A desktop VS Code: the one that VSCODE_EXECUTABLE names, or a download of that version, or none. */
async function desktopEditor(version: EditorVersion): Promise<Editor | undefined> {
  const named = process.env['VSCODE_EXECUTABLE'];
  if (named) {
    if (!existsSync(named))
      throw new Error(`VSCODE_EXECUTABLE names ${named}, which does not exist: correct it.`);
    return { name: named, program: named };
  }
  // Its window needs a display; a machine without one (a build server) uses the stand-in.
  if (process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY'])
    return undefined;
  try {
    const program = await downloadAndUnzipVSCode({
      version: `${version}.0`,
      cachePath: inRoot('.vscode-test'),
      timeout: 15_000, // ms of silence
    });
    return { name: `VS Code ${version}`, program };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`No desktop VS Code could be downloaded (${reason}); using the editor host from npm.`);
    return undefined;
  }
}

/** A program file that @vscode/test-electron can start as if it were `code`. */
async function standIn(version: EditorVersion): Promise<Editor> {
  await ensureEditorHost(version);
  mkdirSync(join(out, 'host'), { recursive: true });
  const program = join(out, 'host', `editor-${version}`);
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const command = [process.execPath, '--disable-warning=ExperimentalWarning'];
  const call = [...command, inRoot('scripts/support/editorStandIn.ts'), `--host=${version}`]
    .map(quote)
    .join(' ');
  writeFileSync(program, `#!/bin/sh\nexec ${call} "$@"\n`);
  chmodSync(program, 0o755);
  return { name: `VS Code ${version} (editor host from npm)`, program };
}

async function buildExtension(): Promise<void> {
  const program = await startProgram(process.execPath, [inRoot('esbuild.js')], { cwd: root });
  if ((await program.exited) !== 0)
    throw new Error(`The extension does not build:\n${program.lastLines(60)}`);
}

/** The suite as one CommonJS file, the only form that every extension host loads. */
async function bundleSuite(): Promise<string> {
  const file = join(out, 'host/index.cjs');
  mkdirSync(join(out, 'host'), { recursive: true });
  const tests = globSync('**/*.test.ts', { cwd: inRoot('test/host') });
  if (tests.length === 0) throw new Error('There is no test in test/host.');
  await build({
    entryPoints: [inRoot('test/host/index.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // The oldest host's Node. VS Code 1.100 is Electron 34 with Node 20.
    target: 'node20',
    sourcemap: 'inline',
    external: ['vscode'],
    define: { hostTests: JSON.stringify(tests.sort().map(test => test.slice(0, -'.test.ts'.length))) },
    logLevel: 'error',
  });
  return file;
}
