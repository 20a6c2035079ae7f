// The browser that drives the workbench and the checkout page: the machine's own Chromium or Chrome.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type LaunchOptions } from 'playwright-core';
import { step, versionOf, withLock } from './bootstrap.mjs';
import { inRoot } from './places.ts';
import { startProgram } from './processes.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const wellKnown = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

// Quiet: a test browser asks nobody for updates and shows no greeting.
const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser's path: CHROME_PATH, else what is installed; on Debian and Ubuntu, as root, installs `chromium`. */
export async function findChromium(): Promise<string> {
  const named = process.env['CHROME_PATH'];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROME_PATH names ${named}, which does not exist: correct it or leave it unset.`);
  }
  const there = installed();
  if (there) return there;
  if (canInstall()) {
    await withLock(inRoot('.tools', 'chromium.lock'), async () => {
      if (installed()) return;
      await step('No Chromium here; installing Debian package `chromium` (once, about 100 MB)', async () => {
        await apt(['update']);
        // The fonts too: without any, pictures of the workbench show boxes for letters.
        await apt(['install', '--yes', '--no-install-recommends', 'chromium', 'fonts-dejavu-core']);
      });
    });
    const now = installed();
    if (now) return now;
  }
  throw new Error(
    'No browser was found: install Chromium (Debian, Ubuntu: `sudo apt-get install chromium`) or Google Chrome, ' +
      'or set CHROME_PATH to one.',
  );
}

/**
 * Starts that browser with an empty profile of its own; headless unless told otherwise. Close it when asked to stop:
 * Playwright's own signal handlers are off, because they end the process while the script is still cleaning up.
 */
export async function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  const executablePath = await findChromium();
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  return chromium.launch({
    ...signals,
    ...options,
    executablePath,
    args: [...flags, ...(options.args ?? [])],
  });
}

function installed(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = [...folders.flatMap(folder => names.map(name => join(folder, name))), ...wellKnown];
  // Asked for its version, because Ubuntu's `chromium-browser` may be a script that only says to install the snap.
  return candidates.find(path => existsSync(path) && (process.platform !== 'linux' || versionOf(path)));
}

function canInstall(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  return (
    existsSync('/usr/bin/apt-get') && /\b(debian|ubuntu)\b/.test(readFileSync('/etc/os-release', 'utf8'))
  );
}

async function apt(args: readonly string[]): Promise<void> {
  // Another apt may be at work, on a machine that has just started for instance: wait for it, 5 minutes at most.
  const waiting = ['-q', '-o', 'DPkg::Lock::Timeout=300'];
  const program = await startProgram('apt-get', [...waiting, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if ((await program.exited) !== 0) {
    throw new Error(
      `apt-get ${args[0]} failed; install the package \`chromium\` by hand:\n${program.lastLines()}`,
    );
  }
}
