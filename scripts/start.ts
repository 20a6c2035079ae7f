// A sandbox to play with: a credits server, a payment side and an editor with the extension already signed in.
//
// Usage: npm start -- [--as admin|member] [--balance N] [--rate R] [--editor code|code-server|none] [--port N]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { styleText } from 'node:util';
import { paths } from '../protocol/api.ts';
import { formatMoney } from '../protocol/format.ts';
import { UCR_PER_CREDIT } from '../protocol/units.ts';
import { both, orgId, people, type Role, readBalance, type Sandbox, startSandbox } from './sandbox.ts';
import { step } from './support/bootstrap.mjs';
import { ensureEditorHost, quietSettings } from './support/editorHost.ts';
import { root } from './support/places.ts';
import { portHolder } from './support/ports.ts';
import { startProgram, waitUntil } from './support/processes.ts';
import { Refusal, readOneOf, readOptions, readWhole, runScript } from './support/script.ts';
import {
  buildSandboxExtension,
  creditsSettings,
  currentVersion,
  signInEnvironment,
  startSeat,
} from './support/stage.ts';

const help = `Usage: npm start -- [options]

Starts a credits server and a payment side on this machine and opens an editor with the extension signed in.
Everything is made anew each time, and no real money moves. Ctrl-C stops it all.

Options:
  --as admin|member                Who is signed in. A member sees the balance and cannot buy. [admin]
  --balance N                      Credits to start with. [5218]
  --rate R                         Credits that one dollar buys. [100]
  --editor code|code-server|none   code: code, codium or sfcode from the PATH, in a profile of its own.
                                   code-server: an editor in the browser, fetched from npm once.
                                   [code if there is one, else code-server]
  --port N                         The server's port; N+1 is the payment side's, N+2 the editor's,
                                   N+3 the identity provider's. [4310]
  --help                           This text.
`;

const desktopNames = ['code', 'codium', 'sfcode'];

interface Choice {
  readonly as: Role;
  readonly balance: number;
  readonly rate: number;
  readonly editor: 'code' | 'code-server' | 'none';
  /** The desktop editor's program, when that is the choice. */
  readonly desktop: string | undefined;
  readonly port: number;
}

/** An open editor: what to tell the person about it, and how to close it. */
interface OpenEditor {
  readonly where: string;
  close(): Promise<void>;
}

await runScript(async () => {
  const choice = readChoice(process.argv.slice(2));
  if (!choice) {
    process.stdout.write(help);
    return;
  }
  const stopping = stopOnSignal();
  if (choice.editor === 'code-server') {
    const holder = await portHolder(choice.port + 2);
    if (holder !== undefined) {
      throw new Refusal(`Port ${choice.port + 2} is in use by ${holder}: choose other ports with --port N.`);
    }
    await ensureEditorHost(currentVersion);
  }
  const sandbox = await step('Starting the credits server and the payment side', () =>
    startSandbox({
      name: 'start',
      balance: choice.balance,
      rate: choice.rate,
      ports: { server: choice.port, payment: choice.port + 1, issuer: choice.port + 3 },
    }),
  );
  stopping.add(() => sandbox.stop());
  try {
    const editor = await openEditor(choice, sandbox);
    stopping.add(() => editor.close());
    console.log(await guide(choice, sandbox, editor));
  } catch (error) {
    await stopping.now();
    throw error;
  }
  const sentence = await sandbox.broken;
  await stopping.now();
  throw new Error(sentence);
});

function readChoice(args: readonly string[]): Choice | undefined {
  const given = readOptions(args, ['as', 'balance', 'rate', 'editor', 'port']);
  if (given.help) {
    return undefined;
  }
  const asked =
    given.editor === undefined
      ? undefined
      : readOneOf('editor', given.editor, ['code', 'code-server', 'none']);
  const desktop = asked === undefined || asked === 'code' ? findDesktop(asked !== undefined) : undefined;
  if (asked === 'code' && !desktop) {
    throw new Refusal(`None of ${desktopNames.join(', ')} is on the PATH: use --editor code-server instead.`);
  }
  return {
    as: readOneOf('as', given.as ?? 'admin', ['admin', 'member']),
    balance: readWhole('balance', given.balance ?? '5218', 0, 1_000_000_000),
    rate: readWhole('rate', given.rate ?? '100', 1, 1_000_000),
    editor: asked ?? (desktop ? 'code' : 'code-server'),
    desktop,
    port: readWhole('port', given.port ?? '4310', 1, 65_532),
  };
}

/** @param insist whether the person asked for it; otherwise it also needs a screen to appear on */
function findDesktop(insist: boolean): string | undefined {
  const hasScreen =
    process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
  if (!insist && !hasScreen) {
    return undefined;
  }
  const endings = process.platform === 'win32' ? ['.cmd', '.exe'] : [''];
  for (const name of desktopNames) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      // In a remote window's terminal `code` only talks to that window; it cannot start an editor.
      const isRemote = /[\\/]remote-cli[\\/]?$/.test(folder);
      const found = endings.map(ending => join(folder, name + ending)).find(path => existsSync(path));
      if (found && !isRemote) {
        return found;
      }
    }
  }
  return undefined;
}

async function openEditor(choice: Choice, sandbox: Sandbox): Promise<OpenEditor> {
  if (choice.editor === 'none') {
    return { where: 'none (--editor none)', close: async () => {} };
  }
  const extension = await buildSandboxExtension();
  const token = sandbox.tokens[choice.as];
  if (choice.desktop !== undefined) {
    const program = choice.desktop;
    return await step('Opening the editor', () => openDesktop(program, extension, sandbox, token));
  }
  const seat = await step('Starting the editor', () =>
    startSeat(sandbox, extension, { name: 'editor', token, port: choice.port + 2 }),
  );
  return { where: `${styleText('bold', seat.url)}   <- open this in a browser`, close: seat.stop };
}

async function openDesktop(
  program: string,
  extension: string,
  sandbox: Sandbox,
  token: string,
): Promise<OpenEditor> {
  const profile = join(sandbox.directory, 'editor');
  mkdirSync(join(profile, 'User'), { recursive: true });
  writeFileSync(
    join(profile, 'User/settings.json'),
    JSON.stringify({ ...quietSettings, ...creditsSettings(sandbox) }, null, 2),
  );
  const isRoot = process.getuid?.() === 0;
  const starter = await startProgram(
    program,
    [
      `--extensionDevelopmentPath=${extension}`,
      ...['--user-data-dir', profile, '--extensions-dir', join(profile, 'extensions')],
      ...['--new-window', '--disable-workspace-trust', '--skip-welcome', '--skip-release-notes'],
      // Chromium's own sandbox refuses to run as root.
      ...(isRoot ? ['--no-sandbox'] : []),
    ],
    {
      env: { ...process.env, ...signInEnvironment(sandbox.serverUrl, token) },
      logFile: join(sandbox.directory, 'editor.log'),
    },
  );
  // The program on the PATH starts the editor and ends; the editor writes its own number down.
  const lock = join(profile, 'code.lock');
  await waitUntil('The editor', () => existsSync(lock) || (starter.code ?? 0) !== 0, { timeoutMs: 60_000 });
  if (!existsSync(lock)) {
    throw new Error(
      `${program} ended with code ${starter.code}: use --editor code-server.\n${starter.lastLines()}`,
    );
  }
  return {
    where: `${program}, in a window of its own`,
    close: async () => {
      const pid = Number(readFileSync(lock, 'utf8'));
      endProcess(pid);
      await waitUntil('The editor', () => !isAlive(pid), { timeoutMs: 10_000 }).catch(() => {});
      await starter.stop();
    },
  };
}

async function guide(choice: Choice, sandbox: Sandbox, editor: OpenEditor): Promise<string> {
  const { tokens } = sandbox;
  const balance = await readBalance(sandbox, choice.as);
  const offered = await sandbox.ask(paths.purchaseOptions(orgId), tokens.admin);
  const { presets, currency } = (await offered.json()) as {
    presets: { amount_minor: number; credits_ucr: number }[];
    currency: string;
  };
  const [preset] = presets;
  const price = preset ? formatMoney(preset.amount_minor, currency, 'en') : '';
  const buys = preset ? (preset.credits_ucr / UCR_PER_CREDIT).toLocaleString('en') : '';
  const shown = balance.toLocaleString('en');
  const asAdmin = [
    `1. Click "${shown}" at the right of the status bar. The Credits panel opens.`,
    `2. Choose ${price} and press Buy. The payment page opens in the browser.`,
    `3. Press Pay there. It asks for no card, and no real money moves.`,
    `4. Look at the editor: ${buys} credits have been added.`,
  ];
  const asMember = [
    `1. Click "${shown}" at the right of the status bar. The Credits panel opens.`,
    `2. A member sees the balance but cannot buy; the panel says whom to ask.`,
  ];
  const heading = (text: string) => styleText('bold', text);
  const indent = (lines: readonly string[]) => lines.map(line => `  ${line}`).join('\n');
  const bearer = (token: string) => `-H 'Authorization: Bearer ${token}'`;
  return `
${heading('The sandbox is running.')}

${indent([
  `Editor        ${editor.where}`,
  `Signed in as  ${people[choice.as].name} (${choice.as})`,
  `Server        ${sandbox.serverUrl}`,
  `Payment side  ${sandbox.payUrl}`,
  `Sign-in       ${sandbox.issuerUrl}`,
  `Logs          ${relative(root, sandbox.directory) || '.'}`,
])}

${heading('What to do')}
${indent(choice.as === 'admin' ? asAdmin : asMember)}

${heading('Sign in as somebody else')} (in the browser, at the sandbox's own identity provider)
${indent([
  `${people.admin.email}, ${people.member.email}, or ${both.email}, who is in two organisations`,
  `password  ${sandbox.password}`,
])}

${heading('Access tokens')} (new ones each time; any editor can sign in to the server above with them)
${indent([`admin    ${tokens.admin}`, `member   ${tokens.member}`, `service  ${tokens.service}`])}

${heading('Ask for the balance')} (available_ucr counts millionths of a credit)
  curl -s ${bearer(tokens[choice.as])} ${sandbox.serverUrl}${paths.balance(orgId)}

${heading('Use 100 credits')} (event_id is yours to choose; the same one is never charged twice)
  curl -s ${bearer(tokens.service)} -H 'Content-Type: application/json' \\
    -d '{"event_id":"use-1","amount_ucr":100000000}' ${sandbox.serverUrl}${paths.usage(orgId)}

Ctrl-C stops it all.`;
}

/** What has been started, to be stopped in reverse order when the person presses Ctrl-C. That is no failure: code 0. */
function stopOnSignal(): { add(stop: () => Promise<void>): void; now(): Promise<void> } {
  const stops: (() => Promise<void>)[] = [];
  const now = async () => {
    for (const stop of stops.splice(0)) {
      await stop();
    }
  };
  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // One Ctrl-C can arrive twice, from the terminal and from npm; a later one means "at once".
      if (askedAt !== undefined) {
        if (performance.now() - askedAt > 1000) {
          process.exit(1);
        }
        return;
      }
      askedAt = performance.now();
      console.log('\nStopping.');
      void now()
        .catch((error: unknown) => console.error(error instanceof Error ? error.message : error))
        .finally(() => process.exit(0));
    });
  }
  return { add: stop => void stops.unshift(stop), now };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // Closed by the person already.
  }
}
