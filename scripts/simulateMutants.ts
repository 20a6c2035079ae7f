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
    const verdict = await judge(copy, bug, schedules);
    survived += verdict.isCaught ? 0 : 1;
    console.log(`${verdict.isCaught ? 'caught  ' : 'SURVIVED'} ${bug.name}: ${verdict.said}`);
  }
  console.log(`\n${chosen.length - survived} caught, ${survived} survived`);
  process.exitCode = survived > 0 || chosen.length === 0 ? 1 : 0;
});

async function judge(
  copy: string,
  bug: Bug,
  schedules: number,
): Promise<{ readonly isCaught: boolean; readonly said: string }> {
  const lost = misplaced(copy, bug.edits);
  if (lost !== undefined) {
    return { isCaught: false, said: lost };
  }
  const seed = randomInt(1_000_000_000);
  const args = ['--schedules', schedules, '--seed', seed, '--shortenings', 0].map(String);
  const said = await whileBroken(copy, bug.edits, async () => {
    const lines: string[] = [];
    running = await startProgram(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(copy, 'scripts/simulate.ts'), ...args],
      { onLine: line => lines.push(line) },
    );
    await running.exited;
    return lines.join('\n');
  });
  const broken = /^Schedule (\d+) broke a rule.*\n(.+)/m.exec(said);
  if (broken) {
    return { isCaught: true, said: `after ${broken[1]} from seed ${seed} on; ${broken[2]?.slice(0, 150)}` };
  }
  // A bug that keeps the server from starting proves nothing.
  return { isCaught: false, said: said.split('\n').slice(-3).join(' ') };
}
