// What an editor costs the server while nobody does anything: editors with some windows each, some idle minutes, and
// every request counted where it passes.
//
// Usage: npm run idle -- [--windows N,N,...] [--minutes M]
import { setTimeout as pause } from 'node:timers/promises';
import { isMet, type Row, show, writeResults } from '../bench/support/table.ts';
import { step } from './support/bootstrap.mjs';
import { eventually } from './support/eventually.ts';
import { Gate, type Passed } from './support/gate.ts';
import { inRoot } from './support/places.ts';
import { freePort } from './support/ports.ts';
import { onStop } from './support/processes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';
import { openStage, type Stage } from './support/stage.ts';
import { Workbench } from './support/workbench.ts';

const help = `Usage: npm run idle -- [options]

Opens editors with some windows each, signed in, and counts what each editor asks of the credits server while nobody
does anything, its start included. A whole run is written to bench/idle.json. Ends with code 1 when an editor asks more
than 11 times in 10 minutes, or does not have exactly one event stream.

Options:
  --windows N,N,...  Windows of each editor. [1,5,10]
  --minutes M        How long they stand idle. [10]
  --help             This text.
`;

/** However many windows there are. */
const allowedIn10Min = 11;

const balance = 5218;
const figure = balance.toLocaleString('en-US');

/** One editor on its own way to the server. */
interface Watched {
  readonly windows: number;
  readonly gate: Gate;
  /** Requests until the last window showed the balance. */
  readonly atStart: number;
}

async function main(): Promise<void> {
  const given = readOptions(process.argv.slice(2), ['windows', 'minutes']);
  if (given.help) {
    process.stdout.write(help);
    return;
  }
  const sizes = (given.windows ?? '1,5,10').split(',').map(text => readWhole('windows', text, 1, 20));
  const minutes = readWhole('minutes', given.minutes ?? '10', 1, 24 * 60);

  const ports = { server: await freePort(), payment: await freePort(), issuer: await freePort() };
  const stage = await openStage({ name: 'idle', balance, rate: 100, ports });
  const gates: Gate[] = [];
  const close = async (): Promise<void> => {
    await stage.close();
    await Promise.all(gates.map(gate => gate.close()));
  };
  onStop(close);
  try {
    const editors: Watched[] = [];
    for (const windows of sizes) {
      const gate = await Gate.open(ports.server);
      gates.push(gate);
      editors.push(await step(`Opening ${windows} windows`, () => open(stage, gate, windows)));
    }
    await step(`Doing nothing for ${minutes} min`, () => pause(minutes * 60_000));
    const rows = editors.flatMap(editor => rowsOf(editor, minutes));
    console.log('');
    show(rows);
    if (given.windows === undefined && minutes === 10) {
      writeResults(inRoot('bench/idle.json'), rows);
    } else {
      console.log('\nNot written down: only a whole run is.');
    }
    process.exitCode = rows.every(isMet) ? 0 : 1;
  } finally {
    await close();
  }
}

async function open({ sandbox, browser, seat: start }: Stage, gate: Gate, windows: number): Promise<Watched> {
  const seat = await start({ name: `editor-${windows}`, token: sandbox.tokens.admin, serverUrl: gate.url });
  const first = await Workbench.open(browser, seat);
  const all = [first];
  while (all.length < windows) all.push(await first.another());
  for (const window of all) {
    await window.waitForStatus(`the window shows ${figure}`, text => text === figure, 60_000);
  }
  await eventually(
    'one window listens to the events',
    () => streams(gate.passed).filter(one => one.isOpen).length,
    standing => standing === 1,
  );
  return { windows, gate, atStart: gate.passed.length };
}

function rowsOf({ windows, gate: { passed }, atStart }: Watched, minutes: number): Row[] {
  const listening = streams(passed);
  const name = windows === 1 ? '1 window' : `${windows} windows of one editor`;
  return [
    {
      id: `idle-requests-${windows}`,
      what: `asked by ${name} in ${minutes} idle minutes and the start before`,
      figure: passed.length,
      unit: 'requests',
      limit: { atMost: Math.ceil((allowedIn10Min * Math.max(minutes, 10)) / 10) },
      details: { atStart, whileIdle: passed.length - atStart, ...counted(passed) },
    },
    {
      id: `idle-streams-${windows}`,
      what: `event streams of ${name}, at the end`,
      figure: listening.filter(one => one.isOpen).length,
      unit: 'streams',
      limit: { exactly: 1 },
      details: { opened: listening.length },
    },
  ];
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

await runScript(main);
