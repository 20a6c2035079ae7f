// A real VS Code workbench and extension host for the browser: VS Code's own server, out of the npm package
// code-server, set up without building anything native.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { npm, step, withLock } from './bootstrap.mjs';
import { inRoot } from './places.ts';
import { freePort } from './ports.ts';
import { answers, startProgram, waitUntil } from './processes.ts';

/** 1.100 is the floor of `engines.vscode`, 1.139 a current version. */
export const editorVersions = ['1.100', '1.139'] as const;
export type EditorVersion = (typeof editorVersions)[number];

export interface EditorHostOptions {
  readonly version: EditorVersion;
  /** A free one is taken when it is not given. */
  readonly port?: number;
  /** Everything the host writes goes here; an empty folder is a new profile. */
  readonly dataDir: string;
  /** Instead of `dataDir`/user and `dataDir`/extensions. */
  readonly userDataDir?: string;
  readonly extensionsDir?: string;
  /** Packages to install before the start. */
  readonly extensions?: readonly string[];
  /** The folder of an extension to run from its sources; it comes in through the address (`url`). */
  readonly extensionDevelopmentPath?: string;
  /** A module whose `run()` the extension host calls; it comes in through the address too. */
  readonly extensionTestsPath?: string;
  /** The folder or .code-workspace file that the workbench opens. */
  readonly folder?: string;
  /** Whether what a folder says counts; true unless told. An untrusted one opens in Restricted Mode, unasked. */
  readonly isTrusted?: boolean;
  /** User settings, laid over `quietSettings`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Reaches the extension host. */
  readonly env?: NodeJS.ProcessEnv;
  /** Links that open without a question, such as "http://pay.localhost:*". */
  readonly trustedDomains?: readonly string[];
  /** Needed by 1.139 to heed what comes in through the address; on by itself when something does. */
  readonly smokeTestDriver?: boolean;
  readonly logFile?: string;
}

type Folders = Pick<EditorHostOptions, 'dataDir' | 'userDataDir' | 'extensionsDir' | 'isTrusted'>;

export interface EditorHost {
  /** What to open in a browser. */
  readonly url: string;
  readonly port: number;
  readonly version: EditorVersion;
  readonly pid: number;
  stop(): Promise<void>;
}

/** What keeps a workbench still: no greeting, no half-faded toasts in pictures, no AI panel, no trust question. */
export const quietSettings: Readonly<Record<string, unknown>> = {
  'workbench.startupEditor': 'none',
  'workbench.reduceMotion': 'on',
  'workbench.tips.enabled': false,
  'chat.disableAIFeatures': true,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'window.commandCenter': false,
};

/** What a person's editor does with a folder of strangers. */
const restricted: Readonly<Record<string, unknown>> = {
  'security.workspace.trust.enabled': true,
  'security.workspace.trust.startupPrompt': 'never',
};

/** Raise it when the set-up below changes, so that it is done again where the old one was done. */
const recipe = 1;

// VS Code's server loads these two native modules only to log to files and to end with its parent. It imports them
// as ES modules, which find the names only if each is assigned to `exports`.
const nothing = 'const nothing = () => {};\n';
const stubs: Readonly<Record<string, string>> = {
  '@vscode/spdlog':
    `${nothing}class Logger {}\n` +
    ['trace', 'debug', 'info', 'warn', 'error', 'critical', 'flush', 'drop', 'setLevel', 'clearFormatters']
      .map(name => `Logger.prototype.${name} = nothing;\n`)
      .join('') +
    'Logger.prototype.setPattern = nothing;\n' +
    'exports.version = 0;\nexports.setLevel = nothing;\nexports.setFlushOn = nothing;\nexports.Logger = Logger;\n' +
    'exports.createRotatingLogger = async () => new Logger();\n' +
    'exports.createAsyncRotatingLogger = async () => new Logger();\n',
  '@vscode/native-watchdog': `${nothing}exports.start = nothing;\nexports.exit = code => process.exit(code);\n`,
  // The name of the same module in 1.100.
  'native-watchdog': `${nothing}exports.start = nothing;\nexports.exit = code => process.exit(code);\n`,
};

/** Installs that version if it is not there yet (about half a minute, 300 MB to fetch); returns its VS Code folder. */
export async function ensureEditorHost(version: EditorVersion): Promise<string> {
  if (process.platform === 'win32') {
    throw new Error(
      'The editor host from npm does not run on Windows: install VS Code and put `code` on the PATH.',
    );
  }
  const home = inRoot('editor-host', version);
  const vscode = join(home, 'node_modules/code-server/lib/vscode');
  const stamp = join(home, 'node_modules/.ready');
  const lockfile = createHash('sha256').update(readFileSync(join(home, 'package-lock.json')));
  const wanted = `${recipe} ${lockfile.digest('hex')}`;
  const isReady = (): boolean => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  if (isReady()) return vscode;
  await withLock(inRoot('.tools', `editor-host-${version}.lock`), async () => {
    if (isReady()) return;
    await step(`Fetching the editor host: VS Code ${version} (once, about 300 MB)`, async () => {
      // Their install scripts would compile native modules that nothing here needs.
      await npm(['ci', '--ignore-scripts'], { cwd: home });
      // Not `npm ci`: the list of exact versions inside the package contradicts its own package.json.
      await npm(['install', '--omit=dev', '--ignore-scripts', '--no-package-lock'], { cwd: vscode });
      for (const [name, code] of Object.entries(stubs)) {
        const folder = join(vscode, 'node_modules', name);
        if (existsSync(folder)) writeFileSync(join(folder, 'index.js'), code);
      }
    });
    writeFileSync(stamp, wanted);
  });
  return vscode;
}

/** Starts the workbench's server; ready when the promise settles. */
export async function startEditorHost(options: EditorHostOptions): Promise<EditorHost> {
  const { version } = options;
  const vscode = await ensureEditorHost(version);
  const port = options.port ?? (await freePort());
  const args = serverArgs(vscode, options);

  for (const extension of options.extensions ?? []) await installVsix(extension, options);
  writeFileSync(
    join(userFolder(options), 'User/settings.json'),
    JSON.stringify(
      { ...quietSettings, ...(options.isTrusted === false ? restricted : {}), ...options.settings },
      null,
      2,
    ),
  );
  // Without a folder the workbench would open the last one.
  const query = new URLSearchParams(opened(options.folder));
  const payload = payloadOf(options, port);
  if (payload.length > 0) query.set('payload', JSON.stringify(payload));

  const program = await startProgram(
    process.execPath,
    [
      ...args,
      ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
      ...((options.smokeTestDriver ?? payload.length > 0) ? ['--enable-smoke-test-driver'] : []),
      ...(options.trustedDomains ?? []).flatMap(domain => ['--link-protection-trusted-domains', domain]),
    ],
    {
      env: hostEnvironment(options.env),
      ...(options.logFile ? { logFile: options.logFile } : {}),
    },
  );
  const stop = (): Promise<void> => program.stop();
  try {
    await waitUntil(
      `The editor host (VS Code ${version})`,
      () => answers(`http://127.0.0.1:${port}/version`),
      {
        program,
      },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}/?${query}`, port, version, pid: program.pid, stop };
}

/** Installs a packaged extension into the host's folders; the host need not run. */
export async function installVsix(
  vsix: string,
  options: Folders & Pick<EditorHostOptions, 'version'>,
): Promise<void> {
  const vscode = await ensureEditorHost(options.version);
  const program = await startProgram(
    process.execPath,
    [...serverArgs(vscode, options), '--install-extension', vsix, '--force'],
    { env: hostEnvironment() },
  );
  const code = await program.exited;
  const said = program.lastLines();
  await program.stop();
  // It answers 0 also to a package that it could not read.
  if (code !== 0 || !/successfully installed/.test(said))
    throw new Error(`${vsix} could not be installed:\n${said}`);
}

/** Removes what a stopped host wrote. */
export async function removeData(dataDir: string): Promise<void> {
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function serverArgs(vscode: string, folders: Folders): string[] {
  const user = userFolder(folders);
  const extensions = folders.extensionsDir ?? join(folders.dataDir, 'extensions');
  // Version 1.100 ends with a stack trace when it is to install into folders that are not there yet.
  for (const folder of [join(user, 'User'), extensions]) mkdirSync(folder, { recursive: true });
  return [
    join(vscode, 'out/server-main.js'),
    ...['--server-data-dir', join(folders.dataDir, 'server'), '--user-data-dir', user],
    ...['--extensions-dir', extensions],
    ...['--telemetry-level', 'off', '--accept-server-license-terms'],
    ...(folders.isTrusted === false ? [] : ['--disable-workspace-trust']),
  ];
}

function opened(folder: string | undefined): Record<string, string> {
  if (folder === undefined) return { ew: 'true' };
  return folder.endsWith('.code-workspace') ? { workspace: folder } : { folder };
}

function userFolder({ dataDir, userDataDir }: Folders): string {
  return userDataDir ?? join(dataDir, 'user');
}

/** What the workbench reads as if it were a desktop program's arguments. */
function payloadOf(options: EditorHostOptions, port: number): [string, string][] {
  const remote = (path: string): string => `vscode-remote://127.0.0.1:${port}${path}`;
  const payload: [string, string][] = [];
  if (options.extensionDevelopmentPath) {
    payload.push(['extensionDevelopmentPath', remote(options.extensionDevelopmentPath)]);
  }
  if (options.extensionTestsPath) payload.push(['extensionTestsPath', remote(options.extensionTestsPath)]);
  return payload;
}

function hostEnvironment(own: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  // Started from a terminal inside VS Code, the outer editor's variables would tell the server that it is part of it.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name),
  );
  // An empty gallery: no call leaves the machine.
  return { ...Object.fromEntries(inherited), EXTENSIONS_GALLERY: '{}', ...own };
}
