// What the tests under test/faults stand on: a sandbox whose every request passes a gate, and an editor host whose
// processes can be killed and whose files can be read.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from 'mocha';
import type { Browser } from 'playwright-core';
import { type Purchase, paths } from '../../protocol/api.ts';
import { orgId, type Sandbox, type SandboxOptions } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { Gate } from '../../scripts/support/gate.ts';
import { out } from '../../scripts/support/places.ts';
import { freePort } from '../../scripts/support/ports.ts';
import { openStage, type SeatOptions, type StartedSeat } from '../../scripts/support/stage.ts';
import { screenshot } from '../../scripts/support/workbench.ts';

/** Starting server, payment side, browser and editor, on a machine that is busy. */
export const startMs = 180_000;

/** The long runs: the watches as long as promised and the server's intervals as shipped, on demand. */
export const isLong = process.env['CREDITS_FAULTS'] === 'long';

export interface FaultStage {
  readonly sandbox: Sandbox;
  readonly browser: Browser;
  /** Between the extension and the server, and between the payment side's webhooks and the server. */
  readonly gate: Gate;
  seat(options: SeatOptions): Promise<StartedSeat>;
  close(): Promise<void>;
}

export async function openFaultStage(options: SandboxOptions): Promise<FaultStage> {
  const ports = { server: await freePort(), payment: await freePort(), issuer: await freePort() };
  const gate = await Gate.open(ports.server);
  const stage = await openStage({
    ...options,
    ports,
    audience: gate.url,
    webhookUrl: `${gate.url}/webhooks/stripe`,
  });
  return {
    sandbox: stage.sandbox,
    browser: stage.browser,
    gate,
    seat: seat => stage.seat({ serverUrl: gate.url, ...seat }),
    close: async () => {
      await stage.close();
      await gate.close();
    },
  };
}

export const requests = {
  order: { method: 'POST', path: /\/purchases$/ },
  purchase: { method: 'GET', path: /\/purchases\/[^/]+$/ },
  balance: { method: 'GET', path: /\/balance$/ },
  events: { method: 'GET', path: /\/events$/ },
  webhook: { method: 'POST', path: /^\/webhooks\/stripe$/ },
} as const;

/** The process numbers of the editor's extension hosts, one for each window. */
export function extensionHosts({ pid }: StartedSeat): number[] {
  const listing = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,command='], { encoding: 'utf8' });
  return listing
    .split('\n')
    .map(line => /^\s*(\d+)\s+(\d+)\s.*--type=extensionHost/.exec(line))
    .filter(match => match?.[2] === String(pid))
    .map(match => Number(match?.[1]));
}

/** As a crash or the system would end them: at once, with nothing said. */
export async function kill(hosts: readonly number[]): Promise<void> {
  for (const pid of hosts) process.kill(pid, 'SIGKILL');
  await eventually(
    'the extension hosts are dead',
    () => hosts.filter(isAlive),
    left => left.length === 0,
  );
}

function isAlive(pid: number): boolean {
  try {
    // A killed child that nobody has collected yet still has a number, and does nothing any more.
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state !== '' && !state.startsWith('Z');
  } catch {
    return false;
  }
}

/** What the extension keeps for all windows: file names and contents. */
export function sharedFiles({ dataDir }: StartedSeat): Map<string, string> {
  const folder = join(dataDir, 'user/User/globalStorage/studio-credits.code-studio-credits/windows');
  const names = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.json')) : [];
  return new Map(names.map(name => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** Every file under a folder. */
export function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name));
}

/** Its bytes as text; nothing of a file that was only there for a moment. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** The extension's own log, of all windows and restarts. */
export function extensionLog({ dataDir }: StartedSeat): string {
  const logs = filesUnder(dataDir).filter(file => /studio-credits[^/]*\/[^/]*\.log$/.test(file));
  assert.ok(logs.length > 0, 'the extension has written no log');
  return logs.map(file => readFileSync(file, 'utf8')).join('\n');
}

/** Newest first. */
export async function purchases(sandbox: Sandbox): Promise<Purchase[]> {
  const response = await sandbox.ask(paths.purchases(orgId), sandbox.tokens.admin);
  return ((await response.json()) as { data: Purchase[] }).data;
}

/** Ids of the payment side's orders. */
export async function sessions(sandbox: Sandbox): Promise<string[]> {
  const response = await fetch(`${sandbox.payApiUrl}/v1/checkout/sessions?limit=100`);
  return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
}

/**
 * Pays an order without the browser, so that no way back tells anyone. Settles when the payment side has delivered its
 * webhook, or given up on it.
 */
export async function pay(sandbox: Sandbox, session: string): Promise<void> {
  const response = await fetch(`${sandbox.payApiUrl}/checkout/${session}/complete`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: '',
  });
  await response.body?.cancel();
}

export function sessionOf(checkoutUrl: string | null | undefined): string {
  const session = new URL(checkoutUrl ?? '').pathname.split('/').at(-1);
  assert.ok(session, 'the purchase has a payment page');
  return session;
}

/** Pictures of every page after a failed test. */
export async function picturesOnFailure({ currentTest }: Context, browser: Browser): Promise<void> {
  if (currentTest?.state !== 'failed') return;
  const name = currentTest.title.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 60);
  const pages = browser.contexts().flatMap(context => context.pages());
  for (const [index, page] of pages.entries()) {
    await screenshot(page, join(out, 'faults', `${name}-${index + 1}.png`)).catch(() => {});
  }
}
