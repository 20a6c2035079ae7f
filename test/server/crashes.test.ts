// A few kills at each point in every test run; `npm run crashes` does it a hundred times.
import { Crashes, points } from '../crashes/crashes.ts';
import { temporaryFolder } from '../support/folder.ts';

const TIMES = 2;

describe('a server killed with SIGKILL credits a payment once', function () {
  this.timeout(5 * 60_000);
  let crashes: Crashes;
  before(async () => {
    crashes = await Crashes.begin(temporaryFolder());
  });
  after(() => crashes?.end());

  for (const point of points) {
    it(`T28 F60 F61 ${point.name}`, async () => {
      for (let n = 0; n < TIMES; n++) {
        await crashes.kill(point);
      }
    });
  }
});
