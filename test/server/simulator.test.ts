// The simulator as part of every test run; `npm run simulate` runs it for longer.
import assert from 'node:assert/strict';
import { type Database, openInMemory } from '../../server/src/database/database.ts';
import { describeFailure, simulate } from '../simulator/run.ts';

/** Another one for each run of a build server finds what this one does not. */
const SEED = Number(process.env['SIMULATOR_SEED'] ?? 20_270_110);
const SCHEDULES = 50;
/** Fewer than `npm run simulate` takes, so that a test run stays short. */
const OPERATIONS = 60;

describe('random schedules of everything that can happen', function () {
  this.timeout(10 * 60_000);
  let database: Database;
  before(async () => {
    // One of its own: each schedule begins with an empty database.
    database = await openInMemory();
  });
  after(() => database.close());

  it(`I1 I2 I3 I4 I5 I6 I7 I8 T27 T28 T29 T30 F55 F56 F57 F60 F61 keep every rule: ${SCHEDULES} from seed ${SEED} on`, async () => {
    const { failure } = await simulate({
      database,
      schedules: SCHEDULES,
      seed: SEED,
      operations: OPERATIONS,
    });
    assert.ok(!failure, failure && describeFailure(failure, OPERATIONS));
  });
});
