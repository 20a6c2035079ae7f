// Lets random schedules of everything that can happen to money run against two real servers on one real database.
// Usage: npm run simulate -- [--schedules 1000] [--seed N] [--operations 200] [--shortenings 40]
// A failing schedule is printed with its seed, and runs again with --seed N --schedules 1.
import { randomInt } from 'node:crypto';
import { openInMemory } from '../server/src/database/database.ts';
import { DEFAULT_OPERATIONS, describeFailure, simulate } from '../test/simulator/run.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';

await runScript(async () => {
  const options = readOptions(process.argv.slice(2), ['schedules', 'seed', 'operations', 'shortenings']);
  if (options.help) {
    console.log(
      `Usage: npm run simulate -- [--schedules 1000] [--seed N] [--operations ${DEFAULT_OPERATIONS}] [--shortenings 40]`,
    );
    return;
  }
  const schedules = readWhole('schedules', options.schedules ?? '1000', 1, 1_000_000);
  const operations = readWhole('operations', options.operations ?? String(DEFAULT_OPERATIONS), 1, 10_000);
  const shortenings = readWhole('shortenings', options.shortenings ?? '40', 0, 10_000);
  const seed =
    options.seed === undefined ? randomInt(1_000_000_000) : readWhole('seed', options.seed, 0, 2 ** 31 - 1);
  console.log(`${schedules} schedules of ${operations} operations, from seed ${seed} on.`);
  const database = await openInMemory();
  const started = performance.now();
  const failure = await simulate({
    database,
    schedules,
    seed,
    operations,
    shortenings,
    onSchedule: done => {
      if (done % 10 === 0) {
        console.log(`${done} done`);
      }
    },
  });
  const seconds = (performance.now() - started) / 1_000;
  await database.close();
  if (failure) {
    throw new Error(describeFailure(failure, operations));
  }
  console.log(
    `${schedules} schedules, 0 lost, 0 doubled, 0 broken rules, in ${seconds.toFixed(0)} s (${(seconds / schedules).toFixed(2)} s each).`,
  );
});
