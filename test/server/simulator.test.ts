// The simulator as part of every test run; `npm run simulate` runs it for longer.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { simulateInParallel } from '../simulator/workers.ts';

/** Another one for each run of a build server finds what this one does not. */
const SEED = Number(process.env['SIMULATOR_SEED'] ?? 20_270_110);
const SCHEDULES = 50;
/** Fewer than `npm run simulate` takes, so that a test run stays short. */
const OPERATIONS = 160;

describe('random schedules of everything that can happen', function () {
  this.timeout(15 * 60_000);

  it(`I1 I2 I3 I4 I5 I6 I7 I8 T27 T28 T29 T30 T31 F55 F56 F57 F60 F61 keep every rule: ${SCHEDULES} from seed ${SEED} on`, async () => {
    const { counts, failure } = await simulateInParallel({
      schedules: SCHEDULES,
      seed: SEED,
      operations: OPERATIONS,
      shortenings: 40,
      workers: availableParallelism(),
    });
    assert.ok(!failure, failure?.said);
    assert.equal(counts.operations, SCHEDULES * OPERATIONS);
    // A schedule in which nothing breaks and nobody pays would keep every rule.
    assert.ok(counts.faults > 0 && counts.credits > 0, JSON.stringify(counts));
  });
});
