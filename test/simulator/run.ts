// Runs a schedule, and makes a failing one short enough to be read.
import type { Database } from '../../server/src/database/database.ts';
import { type Operation, schedule } from './operations.ts';
import { type Counts, World } from './world.ts';

export interface Failure {
  readonly seed: number;
  readonly error: unknown;
  /** What is left when everything is left out that the failure can do without. */
  readonly operations: readonly Operation[];
}

export interface Run {
  /** Emptied first. */
  readonly database: Database;
  readonly seed: number;
  readonly operations: number;
  /** How many times a failing schedule is run again to make it shorter. */
  readonly shortenings: number;
}

/** Runs the schedule of a seed. */
export async function simulate(run: Run): Promise<{ counts: Counts; failure?: Failure }> {
  const operations = schedule(run.seed, run.operations);
  const { counts, error } = await live(run.database, operations);
  if (error === undefined) {
    return { counts };
  }
  const short = await shorten(run.database, operations, run.shortenings);
  const failure = { seed: run.seed, error: short.error ?? error, operations: short.operations };
  return { counts, failure };
}

/** A schedule from an empty database on. What went wrong, or nothing. */
async function live(
  database: Database,
  operations: readonly Operation[],
): Promise<{ counts: Counts; error?: unknown }> {
  const world = await World.open(database);
  try {
    for (const operation of operations) {
      await world.step(operation);
    }
    await world.finish();
    return { counts: world.counts };
  } catch (error) {
    return { counts: world.counts, error };
  } finally {
    await world.close();
  }
}

/** Leaves out halves, then quarters, and so on, for as long as it still fails. */
async function shorten(
  database: Database,
  whole: readonly Operation[],
  tries: number,
): Promise<{ operations: readonly Operation[]; error: unknown }> {
  let operations = whole;
  let error: unknown;
  let left = tries;
  for (
    let size = Math.ceil(whole.length / 2);
    size >= 1 && left > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < operations.length && left > 0; ) {
      const without = [...operations.slice(0, from), ...operations.slice(from + size)];
      left--;
      const { error: stillFails } = await live(database, without);
      if (stillFails === undefined) {
        from += size;
      } else {
        operations = without;
        error = stillFails;
      }
    }
  }
  return { operations, error };
}

export function describeFailure({ seed, error, operations }: Failure, of: number): string {
  return [
    `Seed ${seed} broke a rule, and does so again with --seed ${seed} --schedules 1 --operations ${of}:`,
    error instanceof Error ? (error.stack ?? error.message) : String(error),
    `It takes ${operations.length} operations:`,
    ...operations.map(operation => `  ${JSON.stringify(operation)}`),
  ].join('\n');
}
