// Schedules over several processes. A schedule depends on its seed alone, so what comes out does not depend on how many
// processes there are; of several failures the one with the lowest seed is told.
import { type ChildProcess, fork } from 'node:child_process';
import { type Counts, none, plus } from './world.ts';

export const DEFAULT_OPERATIONS = 200;

export interface Task {
  readonly seed: number;
  readonly operations: number;
  readonly shortenings: number;
}

export type Answer =
  | { readonly ready: true }
  | { readonly seed: number; readonly counts: Counts; readonly failure?: string };

export interface Run {
  readonly schedules: number;
  /** Of the first schedule; the next one has the next number. */
  readonly seed: number;
  readonly operations: number;
  readonly shortenings: number;
  readonly workers: number;
  readonly onSchedule?: (done: number) => void;
}

export interface Outcome {
  readonly done: number;
  readonly counts: Counts;
  readonly failure?: { readonly seed: number; readonly said: string };
}

export async function simulateInParallel({ workers, onSchedule, ...run }: Run): Promise<Outcome> {
  const file = new URL('./worker.ts', import.meta.url).pathname;
  const end = run.seed + run.schedules;
  const { operations, shortenings } = run;
  let next = run.seed;
  let done = 0;
  let counts = none;
  const failures: { seed: number; said: string }[] = [];

  const work = (child: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      child.once('exit', code => reject(new Error(`A worker ended by itself, with code ${code}.`)));
      child.once('error', reject);
      child.on('message', (answer: Answer) => {
        if ('seed' in answer) {
          done++;
          counts = plus(counts, answer.counts);
          if (answer.failure !== undefined) {
            failures.push({ seed: answer.seed, said: answer.failure });
          }
          onSchedule?.(done);
        }
        // Those with a lower seed than the one that failed have all been handed out.
        if (failures.length > 0 || next === end) {
          resolve();
        } else {
          child.send({ seed: next++, operations, shortenings } satisfies Task);
        }
      });
    });

  const children = Array.from({ length: Math.min(workers, run.schedules) }, () =>
    fork(file, { execArgv: ['--disable-warning=ExperimentalWarning'] }),
  );
  try {
    await Promise.all(children.map(work));
  } finally {
    for (const child of children) {
      child.removeAllListeners();
      child.kill();
    }
  }
  const [failure] = failures.sort((a, b) => a.seed - b.seed);
  return { done, counts, ...(failure && { failure }) };
}
