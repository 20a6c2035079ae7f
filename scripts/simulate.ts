// Lets random schedules of everything that can happen to money run against two real servers on one real database.
// Usage: npm run simulate -- [--schedules 1000] [--seed N] [--operations 200] [--shortenings 40] [--workers N]
// A failing schedule is printed with its seed, and runs again with --seed N --schedules 1.
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { DEFAULT_OPERATIONS, simulateInParallel } from '../test/simulator/workers.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';

await runScript(async () => {
  const options = readOptions(process.argv.slice(2), [
    'schedules',
    'seed',
    'operations',
    'shortenings',
    'workers',
  ]);
  if (options.help) {
    console.log(
      `Usage: npm run simulate -- [--schedules 1000] [--seed N] [--operations ${DEFAULT_OPERATIONS}] [--shortenings 40] [--workers N]`,
    );
    return;
  }
  const schedules = readWhole('schedules', options.schedules ?? '1000', 1, 1_000_000);
  const operations = readWhole('operations', options.operations ?? String(DEFAULT_OPERATIONS), 1, 10_000);
  const shortenings = readWhole('shortenings', options.shortenings ?? '40', 0, 10_000);
  const workers = readWhole('workers', options.workers ?? String(availableParallelism()), 1, 256);
  const seed =
    options.seed === undefined ? randomInt(1_000_000_000) : readWhole('seed', options.seed, 0, 2 ** 31 - 1);
  console.log(`${schedules} schedules of ${operations} operations, from seed ${seed} on.`);
  const started = performance.now();
  const { done, counts, failure } = await simulateInParallel({
    schedules,
    seed,
    operations,
    shortenings,
    workers,
    onSchedule: soFar => {
      if (soFar % 10 === 0) {
        console.log(`${soFar} done`);
      }
    },
  });
  const seconds = (performance.now() - started) / 1_000;
  if (failure) {
    throw new Error(`${failure.said}\nAfter ${done} schedules and ${seconds.toFixed(0)} s.`);
  }
  const { credits, faults, payments } = counts;
  console.log(
    `${seconds.toFixed(0)} s with ${workers} workers, ${(seconds / schedules).toFixed(2)} s a schedule.`,
  );
  console.log(
    `${schedules} schedules, ${counts.operations} operations, ${faults} faults, ${payments} payments, ${credits} credits: 0 lost, 0 doubled, 0 broken rules`,
  );
});
