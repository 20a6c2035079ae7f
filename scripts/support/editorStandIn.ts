// Stands in for a desktop `code` program where there is none: takes the arguments with which @vscode/test-electron
// starts one, runs the suite in the editor host from npm with a headless browser in front, and ends with its exit code.
// Usage: node scripts/support/editorStandIn.ts --host=1.139 --extensionDevelopmentPath=DIR --extensionTestsPath=FILE
//          [--user-data-dir=DIR] [--extensions-dir=DIR] [FOLDER]      other flags of `code` are accepted and ignored
// Environment: EDITOR_STAND_IN_TIMEOUT_MS (default 120000), after which a hanging suite ends with code 124.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { format } from 'node:util';
import { launchBrowser } from './chromium.ts';
import { type EditorHostOptions, editorVersions, removeData, startEditorHost } from './editorHost.ts';
import { onStop } from './processes.ts';

/** The code `timeout` of coreutils ends with, so that a hang is told apart from a failed suite. */
const hung = 124;

/** What the workbenches of these versions say of themselves, also when all is well; the rest comes from the suite. */
const chatter = new RegExp(
  '^(Resolving connection token|Resolved connection token|Creating a socket|Ignoring fetching additional builtin' +
    '|Updating additional builtin|ChatSessionStore:|\\[reconnection-grace-time\\]|\\[AgentHost:remote\\]' +
    '|\\[AccountPolicyGate\\]|\\[Service Worker\\] registration|Canceled: Canceled)',
);

const timeoutMs = Number(process.env['EDITOR_STAND_IN_TIMEOUT_MS'] ?? 120_000);
const dataDir = await mkdtemp(join(tmpdir(), 'editor-stand-in-'));
const closing: (() => Promise<void>)[] = [() => removeData(dataDir)];
let closed: Promise<void> | undefined;
onStop(closeAll);

try {
  process.exitCode = await runSuite(optionsFrom(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await closeAll();
}

async function runSuite(options: EditorHostOptions): Promise<number> {
  const host = await startEditorHost(options);
  closing.push(() => host.stop());
  const browser = await launchBrowser();
  closing.push(() => browser.close());
  const page = await browser.newPage();

  const ended = defer<number>();
  // The two functions that VS Code for the web looks for on its window when it runs an extension's tests.
  // Source: src/vs/workbench/services/extensions/browser/extensionService.ts and its codeAutomationLog counterpart.
  await page.exposeFunction('codeAutomationExit', (code: number) => ended.resolve(code));
  await page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => {
    const line = format(...args);
    if (chatter.test(line)) return;
    if (type === 'error' || type === 'warn') process.stderr.write(`${line}\n`);
    else process.stdout.write(`${line}\n`);
  });
  page.once('crash', () => ended.reject(new Error('The browser page with the workbench crashed.')));
  browser.once('disconnected', () => ended.reject(new Error('The browser with the workbench ended early.')));
  const clock = setTimeout(() => {
    console.error(`The suite has not ended after ${timeoutMs / 1000} s; stopping it.`);
    ended.resolve(hung);
  }, timeoutMs);
  // Asked for without waiting, because the suite may end while the page is still loading.
  page.goto(host.url).catch((error: unknown) => ended.reject(error));
  try {
    return await ended.promise;
  } finally {
    clearTimeout(clock);
  }
}

/** A promise settled from outside. */
function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}

/** Closes once, however often it is asked: a signal can come while the suite's own end is closing things. */
function closeAll(): Promise<void> {
  closed ??= (async () => {
    // Newest first: the browser, the host, then the folder both write to.
    for (let close = closing.pop(); close; close = closing.pop()) await close();
  })();
  return closed;
}

function optionsFrom(args: readonly string[]): EditorHostOptions {
  const flag = (name: string): string | undefined =>
    args.find(arg => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const pathOf = (name: string): string | undefined => {
    const value = flag(name);
    return value === undefined ? undefined : resolve(value);
  };
  const version = editorVersions.find(known => known === flag('host'));
  if (!version)
    throw new Error(`Say which editor host to use: --host=${editorVersions.join(' or --host=')}.`);
  const extensionTestsPath = pathOf('extensionTestsPath');
  if (!extensionTestsPath) throw new Error('Say which suite to run: --extensionTestsPath=FILE.');
  const extensionDevelopmentPath = pathOf('extensionDevelopmentPath');
  const userDataDir = pathOf('user-data-dir');
  const extensionsDir = pathOf('extensions-dir');
  const folder = args.find(arg => !arg.startsWith('-'));
  return {
    version,
    dataDir,
    extensionTestsPath,
    ...(extensionDevelopmentPath ? { extensionDevelopmentPath } : {}),
    ...(userDataDir ? { userDataDir } : {}),
    ...(extensionsDir ? { extensionsDir } : {}),
    ...(folder ? { folder: resolve(folder) } : {}),
  };
}
