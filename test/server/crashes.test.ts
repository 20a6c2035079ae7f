// A few kills at each point in every test run; `npm run crashes` does it a hundred times.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crashes, points } from '../crashes/crashes.ts';

const TIMES = 1;

describe('a server killed with SIGKILL credits a payment once', function () {
  this.timeout(5 * 60_000);
  let directory: string;
  let crashes: Crashes | undefined;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'credits-crashes-'));
    crashes = await Crashes.begin(directory);
  });
  after(async () => {
    await crashes?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const point of points) {
    it(`T28 F60 F61 ${point.name}`, async () => {
      for (let n = 0; n < TIMES; n++) {
        await crashes?.kill(point);
      }
    });
  }
});
