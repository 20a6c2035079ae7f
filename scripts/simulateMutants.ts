// Puts one bug after another into a copy of the server's sources, and looks how many schedules it takes to notice it.
// Usage: npm run simulate:mutants -- [--schedules 1000] [--only WORD]
// Each bug meets seeds that nobody has chosen; a bug that is not noticed ends this with code 1.
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { type Bug, bugs } from '../test/simulator/mutants.ts';
import { onStop, type Program, startProgram } from './support/processes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';
import { copySources, misplaced, whileBroken } from './support/sourceCopy.ts';

let running: Program | undefined;
onStop(() => running?.stop());

await runScript(async () => {
  const options = readOptions(process.argv.slice(2), ['schedules', 'only']);
  if (options.help) {
    console.log('Usage: npm run simulate:mutants -- [--schedules 1000] [--only WORD]');
    return;
  }
  const schedules = readWhole('schedules', options.schedules ?? '1000', 1, 1_000_000);
  const chosen = bugs.filter(({ name }) => name.includes(options.only ?? ''));
  const copy = copySources('simulate-mutants');
  let survived = 0;
  for (const bug of chosen) {
    const { isCaught, said } = await judge(copy, bug, schedules);
    survived += isCaught ? 0 : 1;
    console.log(`${isCaught ? 'caught  ' : 'SURVIVED'} ${bug.name}: ${said}`);
  }
  console.log(`\n${chosen.length - survived} caught, ${survived} survived`);
  process.exitCode = survived > 0 || chosen.length === 0 ? 1 : 0;
});

async function judge(
  copy: string,
  { edits, behind = [], rule }: Bug,
  schedules: number,
): Promise<{ readonly isCaught: boolean; readonly said: string }> {
  const lost = misplaced(copy, [...behind, ...edits]);
  if (lost !== undefined) {
    return { isCaught: false, said: lost };
  }
  const seed = randomInt(1_000_000_000);
  const started = performance.now();
  const broken = await whileBroken(copy, [...behind, ...edits], () => run(copy, seed, schedules));
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  // A bug that keeps the server from starting proves nothing, nor does one that shows as something else.
  if (broken.failedAt === undefined || !rule.test(broken.said)) {
    return { isCaught: false, said: `from seed ${seed} on, in ${seconds} s: ${broken.said}` };
  }
  const needed = broken.failedAt - seed + 1;
  const sound = await whileBroken(copy, behind, () => run(copy, seed, needed));
  const isCaught = sound.failedAt === undefined && sound.passed;
  const said = `${needed} schedules, ${seconds} s, from seed ${seed} on: ${broken.said}`;
  return { isCaught, said: isCaught ? said : `${said}\n  without the bug: ${sound.said}` };
}

/** The seed that failed first, if one did, and the sentence about it. */
async function run(copy: string, seed: number, schedules: number) {
  const options = { schedules, seed, shortenings: 0 };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const lines: string[] = [];
  running = await startProgram(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(copy, 'scripts/simulate.ts'), ...args],
    { onLine: line => lines.push(line) },
  );
  const passed = (await running.exited) === 0;
  const broken = /^Seed (\d+) broke a rule.*\n(.+)/m.exec(lines.join('\n'));
  return {
    passed,
    failedAt: broken ? Number(broken[1]) : undefined,
    said: (broken?.[2] ?? lines.slice(-3).join(' ')).slice(0, 200),
  };
}
