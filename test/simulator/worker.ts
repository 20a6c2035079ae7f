// A process that runs schedules on a database of its own, one at a time, as workers.ts hands them out.
import { openInMemory } from '../../server/src/database/database.ts';
import { describeFailure, simulate } from './run.ts';
import type { Answer, Task } from './workers.ts';

const database = await openInMemory();
const answer = (what: Answer): void => void process.send?.(what);

process.on('message', ({ seed, operations, shortenings }: Task) => {
  void simulate({ database, seed, operations, shortenings }).then(({ counts, failure }) =>
    answer({ seed, counts, ...(failure && { failure: describeFailure(failure, operations) }) }),
  );
});
process.on('disconnect', () => process.exit());
answer({ ready: true });
