// What an editor costs the server while nobody does anything: windows of one editor, some idle minutes, and every
// request counted where it passes.
//
// Usage: npm run idle -- [--windows N] [--minutes M]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from './support/bootstrap.mjs';
import { eventually, NotTrue } from './support/eventually.ts';
import { Gate, type Passed } from './support/gate.ts';
import { root } from './support/places.ts';
import { freePort } from './support/ports.ts';
import { onStop } from './support/processes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';
import { openStage } from './support/stage.ts';
import { Workbench } from './support/workbench.ts';

const help = `Usage: npm run idle -- [options]

Opens windows of one editor, signed in, and counts what they ask of the credits server while nobody does anything.
Writes the figures to bench/idle.json. Ends with code 1 when there is more than one event stream, or when five windows
ask more than 11 times in 10 minutes, their start included.

Options:
  --windows N  Windows of one editor. [5]
  --minutes M  How long they stand idle. [10]
  --help       This text.
`;

/** For 10 minutes, however many windows. */
const allowedIn10Min = 11;

const balance = 5218;
const figure = balance.toLocaleString('en-US');

interface Figures {
  readonly windows: number;
  readonly minutes: number;
  /** Until the last window showed the balance. */
  readonly requestsAtStart: number;
  readonly requestsWhileIdle: number;
  /** Streams that stood at the end. */
  readonly openStreams: number;
  readonly streamsOpened: number;
  readonly byPath: Readonly<Record<string, number>>;
  readonly measuredAt: string;
}

async function main(): Promise<void> {
  const given = readOptions(process.argv.slice(2), ['windows', 'minutes']);
  if (given.help) {
    process.stdout.write(help);
    return;
  }
  const windows = readWhole('windows', given.windows ?? '5', 1, 20);
  const minutes = readWhole('minutes', given.minutes ?? '10', 1, 24 * 60);

  const ports = { server: await freePort(), payment: await freePort(), issuer: await freePort() };
  const gate = await Gate.open(ports.server);
  const stage = await openStage({ name: 'idle', balance, rate: 100, ports });
  const close = async (): Promise<void> => {
    await stage.close();
    await gate.close();
  };
  onStop(close);
  try {
    const token = stage.sandbox.tokens.admin;
    const seat = await stage.seat({ name: 'admin', token, serverUrl: gate.url });
    await step(`Opening ${windows} windows`, async () => {
      const first = await Workbench.open(stage.browser, seat);
      const all = [first];
      while (all.length < windows) all.push(await first.another());
      for (const window of all) {
        await window.waitForStatus(`the window shows ${figure}`, text => text === figure, 60_000);
      }
    });
    await eventually(
      'one window listens to the events',
      () => streams(gate.passed).filter(one => one.isOpen).length,
      open => open === 1,
    );
    const requestsAtStart = gate.passed.length;
    await step(`Doing nothing for ${minutes} min`, () => pause(minutes * 60_000));
    const { passed } = gate;
    const figures: Figures = {
      windows,
      minutes,
      requestsAtStart,
      requestsWhileIdle: passed.length - requestsAtStart,
      openStreams: streams(passed).filter(one => one.isOpen).length,
      streamsOpened: streams(passed).length,
      byPath: counted(passed),
      measuredAt: new Date().toISOString(),
    };
    print(figures);
    keep(figures);
    const allowed = Math.ceil((allowedIn10Min * Math.max(minutes, 10)) / 10);
    const requests = figures.requestsAtStart + figures.requestsWhileIdle;
    if (figures.openStreams !== 1) {
      throw new NotTrue(`${figures.openStreams} event streams stand; it should be one.`);
    }
    if (windows <= 5 && requests > allowed) {
      throw new NotTrue(
        `${windows} windows asked ${requests} times in ${minutes} min; ${allowed} are allowed.`,
      );
    }
  } finally {
    await close();
  }
}

function streams(passed: readonly Passed[]): readonly Passed[] {
  return passed.filter(({ path }) => path.split('?')[0]?.endsWith('/events'));
}

function counted(passed: readonly Passed[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { method, path } of passed) {
    const name = `${method} ${path.split('?')[0]}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function print(figures: Figures): void {
  const { windows, minutes, requestsAtStart, requestsWhileIdle, byPath } = figures;
  console.log(`\n${windows} windows, ${minutes} min`);
  const rows: readonly (readonly [string, number])[] = [
    ...Object.entries(byPath),
    ['until every window showed the balance', requestsAtStart],
    ['while idle', requestsWhileIdle],
    ['in all', requestsAtStart + requestsWhileIdle],
    ['event streams at the end', figures.openStreams],
    ['event streams opened', figures.streamsOpened],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, count] of rows) console.log(`  ${name.padEnd(width)}  ${String(count).padStart(4)}`);
}

/** The newest figures for each number of windows. */
function keep(figures: Figures): void {
  const file = join(root, 'bench', 'idle.json');
  const before = readBefore(file).filter(one => one.windows !== figures.windows);
  mkdirSync(join(root, 'bench'), { recursive: true });
  const all = [...before, figures].sort((a, b) => a.windows - b.windows);
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}

function readBefore(file: string): readonly Figures[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as readonly Figures[];
  } catch {
    return [];
  }
}

await runScript(main);
