// Runs schedules one after another, and makes a failing one short enough to be read.
import type { Database } from '../../server/src/database/database.ts';
import { type Operation, schedule } from './operations.ts';
import { World } from './world.ts';

export const DEFAULT_OPERATIONS = 200;

export interface Failure {
  readonly seed: number;
  /** How many schedules were run, the failing one included. */
  readonly after: number;
  readonly error: unknown;
  /** What is left when everything is left out that the failure can do without. */
  readonly operations: readonly Operation[];
}

export interface Run {
  readonly database: Database;
  readonly schedules: number;
  /** Of the first schedule; the next one has the next number. */
  readonly seed: number;
  readonly operations?: number;
  /** How many times a failing schedule is run again to make it shorter. */
  readonly shortenings?: number;
  readonly onSchedule?: (done: number) => void;
}

/** The first failure, if there is one. */
export async function simulate(run: Run): Promise<Failure | undefined> {
  for (let n = 0; n < run.schedules; n++) {
    const seed = run.seed + n;
    const operations = schedule(seed, run.operations ?? DEFAULT_OPERATIONS);
    const error = await live(run.database, operations);
    if (error !== undefined) {
      const short = await shorten(run.database, operations, run.shortenings ?? 40);
      return { seed, after: n + 1, error: short.error ?? error, operations: short.operations };
    }
    run.onSchedule?.(n + 1);
  }
  return undefined;
}

/** What went wrong, or nothing. */
async function live(database: Database, operations: readonly Operation[]): Promise<unknown> {
  const world = await World.open(database);
  try {
    for (const operation of operations) {
      await world.step(operation);
    }
    await world.finish();
    return undefined;
  } catch (error) {
    return error;
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
      const stillFails = await live(database, without);
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

export function describeFailure(
  { seed, after, error, operations }: Failure,
  of = DEFAULT_OPERATIONS,
): string {
  return [
    `Schedule ${after} broke a rule, and does so again with --seed ${seed} --schedules 1 --operations ${of}:`,
    error instanceof Error ? (error.stack ?? error.message) : String(error),
    `It takes ${operations.length} operations:`,
    ...operations.map(operation => `  ${JSON.stringify(operation)}`),
  ].join('\n');
}
