// A sandbox with an editor in front of it: builds the extension that signs itself in, and seats a person at it.
import { cpSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { type Sandbox, type SandboxOptions, startSandbox } from '../sandbox.ts';
import { step } from './bootstrap.mjs';
import { launchBrowser } from './chromium.ts';
import { type EditorVersion, ensureEditorHost, startEditorHost } from './editorHost.ts';
import { inRoot, out, root } from './places.ts';
import { startProgram } from './processes.ts';
import { followBrowserTheme, type Seat } from './workbench.ts';

/** The version people and tests see unless they ask for another. */
export const currentVersion: EditorVersion = '1.139';

/** Builds the extension for the sandbox; only this build takes its sign-in from the environment. */
export async function buildSandboxExtension(): Promise<string> {
  const folder = join(out, 'sandbox', 'extension');
  await step('Building the extension', async () => {
    const build = await startProgram(process.execPath, [inRoot('esbuild.js'), '--sandbox'], { cwd: root });
    if ((await build.exited) !== 0 || !existsSync(join(folder, 'package.json'))) {
      throw new Error(`The extension could not be built:\n${build.lastLines()}`);
    }
  });
  return folder;
}

/** What the sandbox's extension reads from its environment. */
export function signInEnvironment(serverUrl: string, token: string): Record<string, string> {
  return { CREDITS_SANDBOX_SERVER_URL: serverUrl, CREDITS_SANDBOX_TOKEN: token };
}

/** What a person would have set: their server, and the one payment page outside Stripe that may be opened. */
export function creditsSettings(
  sandbox: Sandbox,
  serverUrl: string = sandbox.serverUrl,
): Record<string, unknown> {
  return { 'credits.serverUrl': serverUrl, 'credits.allowedCheckoutOrigins': [sandbox.payUrl] };
}

export interface StartedSeat extends Seat {
  readonly pid: number;
  /** Everything the editor writes is under it. */
  readonly dataDir: string;
  stop(): Promise<void>;
}

export interface SeatOptions {
  /** Folder of its profile, inside the sandbox's. */
  readonly name: string;
  readonly token: string;
  readonly port?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly version?: EditorVersion;
  /** The server as the extension reaches it, where something stands in between. */
  readonly serverUrl?: string;
  /** Folders of further extensions. */
  readonly neighbours?: readonly string[];
  /** Reaches the extension host. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder or .code-workspace file to open, and whether what it says is trusted; trusted unless told. */
  readonly folder?: string;
  readonly isTrusted?: boolean;
}

/** Starts an editor host with the sandbox's extension installed and signed in. */
export async function startSeat(
  sandbox: Sandbox,
  extension: string,
  options: SeatOptions,
): Promise<StartedSeat> {
  const dataDir = join(sandbox.directory, options.name);
  // Installed rather than brought in by the address, so that the address is one a person can type.
  const extensionsDir = join(dataDir, 'extensions');
  cpSync(extension, join(extensionsDir, 'studio-credits.code-studio-credits'), { recursive: true });
  for (const neighbour of options.neighbours ?? []) {
    cpSync(neighbour, join(extensionsDir, basename(neighbour)), { recursive: true });
  }
  const serverUrl = options.serverUrl ?? sandbox.serverUrl;
  const host = await startEditorHost({
    version: options.version ?? currentVersion,
    dataDir,
    extensionsDir,
    logFile: join(dataDir, 'editor.log'),
    env: {
      ...signInEnvironment(serverUrl, options.token),
      // With it "Credits: Show Log" has something to show.
      NODE_OPTIONS: `--require=${inRoot('scripts/support/fileLogger.cjs')}`,
      ...options.env,
    },
    settings: { ...creditsSettings(sandbox, serverUrl), ...options.settings },
    isTrusted: options.isTrusted ?? true,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.folder === undefined ? {} : { folder: options.folder }),
  });
  const { url, pid, stop } = host;
  return { url, pid, dataDir, settingsFile: join(dataDir, 'user/User/settings.json'), stop };
}

export interface Stage {
  readonly sandbox: Sandbox;
  readonly browser: Browser;
  /** Another editor on the same sandbox; stopped with the stage. */
  seat(options: SeatOptions): Promise<StartedSeat>;
  close(): Promise<void>;
}

/** Sandbox, browser and editors for a script that plays the person. */
export async function openStage(options: SandboxOptions): Promise<Stage> {
  const [extension] = await Promise.all([buildSandboxExtension(), ensureEditorHost(currentVersion)]);
  const sandbox = await step('Starting the credits server and the payment side', () => startSandbox(options));
  const seats: StartedSeat[] = [];
  let browser: Browser;
  try {
    browser = await launchBrowser();
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
  return {
    sandbox,
    browser,
    seat: async seatOptions => {
      const settings = { ...followBrowserTheme, ...seatOptions.settings };
      const seat = await startSeat(sandbox, extension, { ...seatOptions, settings });
      seats.push(seat);
      return seat;
    },
    close: async () => {
      await browser.close().catch(() => {});
      await Promise.all([...seats.map(seat => seat.stop()), sandbox.stop()]);
    },
  };
}
