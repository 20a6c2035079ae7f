// Time as it is passed in: what the wall says, what has truly gone by, and a timer that is an event.
import type { Disposable, Event } from './event.ts';

export interface Clock {
  /** Wall time in ms since the epoch. People set it, so it is for showing and storing, never for measuring. */
  now(): number;
  /** Milliseconds that only ever grow, also while the machine sleeps: for ages, intervals and deadlines. */
  monotonic(): number;
  /** Fires once after `ms`, counted from the moment of listening; whoever stops listening stops the clock. */
  after(ms: number): Event<void>;
}

/** The longest a timer can be set for; beyond it the platform would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** So far ahead at once, the wall clock tells of a sleep. One that was set instead makes figures look older and ends waits: the safe side. */
const SLEPT_MS = 30_000;

/** On Linux the running time stands still while the machine sleeps; what the wall gained meanwhile is added to it. */
export function throughSleep(now: () => number, running: () => number): () => number {
  let aheadMs = now() - running();
  let sleptMs = 0;
  return () => {
    const ms = running();
    const gainedMs = now() - ms - aheadMs;
    aheadMs += gainedMs;
    sleptMs += gainedMs > SLEPT_MS ? gainedMs : 0;
    return ms + sleptMs;
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: throughSleep(Date.now, () => performance.now()),
  after: ms => listener => {
    const timer = setTimeout(() => listener(), Math.min(Math.max(0, ms), MAX_TIMER_MS));
    return { dispose: () => clearTimeout(timer) };
  },
};

/** Resolves after `ms`, or as soon as `signal` aborts; the caller looks whether it is still wanted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    let timer: Disposable | undefined;
    const wake = () => {
      timer?.dispose();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    if (signal?.aborted) {
      resolve();
      return;
    }
    signal?.addEventListener('abort', wake);
    timer = clock.after(ms)(wake);
  });
}

export const seconds = (n: number) => n * 1_000;
export const minutes = (n: number) => n * 60_000;
export const hours = (n: number) => n * 3_600_000;
