// Programs that scripts start: each in a process group of its own, so that stopping one leaves nothing behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Everything the program says is also written here. */
  readonly logFile?: string;
  /** Called with every full line the program says. */
  readonly onLine?: (line: string) => void;
}

export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Settles with the exit code (128 + n after signal n) and never rejects. */
  readonly exited: Promise<number>;
  /** The exit code, once there is one. */
  readonly code: number | undefined;
  /** The last lines it said, newest last. */
  lastLines(count?: number): string;
  /** SIGTERM to the whole group, SIGKILL to what is left after `graceMs`; settles when the group is gone. */
  stop(graceMs?: number): Promise<void>;
}

const keptLines = 200;
/** A crash inside bundled code quotes its whole line, which can be a megabyte. */
const keptColumns = 400;
const groups = new Set<number>();
let watching = false;

/** Starts a program in a group of its own; rejects in one sentence when it cannot be started. */
export async function startProgram(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Program> {
  const name = basename(command);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', error => reject(new Error(`${name} could not be started: ${error.message}.`)));
  });
  const pid = child.pid as number;
  groups.add(pid);
  killGroupsAtExit();

  const lines = collectLines(child, options);
  let code: number | undefined;
  const exited = new Promise<number>(resolve => {
    child.once('exit', (exitCode, signal) => {
      code = exitCode ?? 128 + (signal ? constants.signals[signal] : 0);
      resolve(code);
    });
  });
  return {
    name,
    pid,
    exited,
    get code() {
      return code;
    },
    lastLines: (count = 20) => lines.slice(-count).join('\n'),
    stop: async (graceMs = 5000) => {
      signalGroup(pid, 'SIGTERM');
      // Waits for the group and not only for its leader: an extension host goes on writing for seconds, and the folder
      // it writes to could not be removed.
      if (!(await isGone(pid, graceMs))) {
        signalGroup(pid, 'SIGKILL');
        await isGone(pid, 5000);
      }
      groups.delete(pid);
      await exited;
    },
  };
}

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** A program whose early end makes further waiting pointless. */
  readonly program?: Program;
}

/** Waits until `check` holds; a check that throws counts as "not yet". `what` completes "... was not ready". */
export async function waitUntil(
  what: string,
  check: () => boolean | Promise<boolean>,
  { timeoutMs = 30_000, everyMs = 50, program }: WaitOptions = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (program?.code !== undefined) {
      throw new Error(`${what} ended with code ${program.code} instead of starting:\n${program.lastLines()}`);
    }
    if (
      await Promise.resolve()
        .then(check)
        .catch(() => false)
    )
      return;
    if (performance.now() > deadline) {
      const said = program ? `; it said:\n${program.lastLines()}` : '.';
      throw new Error(`${what} was not ready after ${timeoutMs / 1000} s${said}`);
    }
    await pause(everyMs);
  }
}

/** Whether an HTTP GET of this address is answered with success. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.ok;
}

/**
 * Runs `stop` once when the script is asked to end (Ctrl-C, a closed terminal, SIGTERM), then ends it with the code
 * that says so. Asked a second time, it ends at once.
 */
export function onStop(stop: () => Promise<void> | void): void {
  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const code = 128 + constants.signals[signal];
      // One Ctrl-C can arrive twice, from the terminal and from a parent: only a later one is a second wish.
      if (askedAt !== undefined && performance.now() - askedAt > 500) process.exit(code);
      if (askedAt !== undefined) return;
      askedAt = performance.now();
      void Promise.resolve()
        .then(stop)
        .catch((error: unknown) => console.error(error))
        .finally(() => process.exit(code));
    });
  }
}

function collectLines(child: ChildProcess, { logFile, onLine }: StartOptions): string[] {
  if (logFile) mkdirSync(dirname(logFile), { recursive: true });
  const log = logFile ? createWriteStream(logFile) : undefined;
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log?.write(text);
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line.slice(0, keptColumns));
        onLine?.(line);
      }
      lines.splice(0, lines.length - keptLines);
    });
    stream?.once('end', () => {
      if (rest === '') return;
      lines.push(rest.slice(0, keptColumns));
      onLine?.(rest);
    });
  }
  child.once('close', () => log?.end());
  return lines;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    // Windows has no process groups; taskkill walks the tree instead.
    if (process.platform === 'win32') spawn('taskkill', ['/pid', String(pid), '/t', '/f']);
    else process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

async function isGone(pid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  do {
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 0);
    } catch {
      return true;
    }
    await pause(25);
  } while (performance.now() < deadline);
  return false;
}

function killGroupsAtExit(): void {
  if (watching) return;
  watching = true;
  // A script that dies without a word (its output cut off by `| head`) must not leave servers behind.
  process.once('exit', () => {
    for (const pid of groups) signalGroup(pid, 'SIGKILL');
  });
}
