// The running time: what stands still while a machine sleeps is added, what people do to the wall clock is not taken back.
import { equal } from 'node:assert/strict';
import { throughSleep } from '../../../src/core/clock.ts';

const HOUR = 3_600_000; // ms

/** A machine whose running time stands still while it sleeps, as on Linux. */
function machine() {
  let wallMs = Date.parse('2026-11-22T12:00:00Z');
  let runningMs = 5_000;
  return {
    elapsed: throughSleep(
      () => wallMs,
      () => runningMs,
    ),
    run(ms: number) {
      wallMs += ms;
      runningMs += ms;
    },
    sleep(ms: number) {
      wallMs += ms;
    },
    setWall(byMs: number) {
      wallMs += byMs;
    },
  };
}

describe('the running time', () => {
  it('F9 time goes by while the machine sleeps, each time it does', () => {
    const { elapsed, run, sleep } = machine();
    const startMs = elapsed();
    run(1_000);
    sleep(10 * HOUR);
    equal(elapsed() - startMs, 10 * HOUR + 1_000);
    run(HOUR);
    equal(elapsed() - startMs, 11 * HOUR + 1_000);
    sleep(HOUR);
    equal(elapsed() - startMs, 12 * HOUR + 1_000);
  });

  it('F43 never goes back, and takes no small correction of the wall clock for time', () => {
    const { elapsed, run, setWall } = machine();
    const startMs = elapsed();
    setWall(-5 * HOUR);
    equal(elapsed(), startMs);
    setWall(2_000);
    equal(elapsed(), startMs);
    run(500);
    setWall(-2_000);
    equal(elapsed(), startMs + 500);
  });

  it('F43 counts a wall clock that was set ahead as time that went by: old is the safe side', () => {
    const { elapsed, setWall } = machine();
    const startMs = elapsed();
    setWall(HOUR);
    equal(elapsed() - startMs, HOUR);
    setWall(-HOUR);
    equal(elapsed() - startMs, HOUR);
  });
});
