// Kills a server at every enumerated point of a purchase, with SIGKILL and on a database on disk.
// Usage: npm run crashes -- [--times 100] [--only WORDS]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crashes, points } from '../test/crashes/crashes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';

await runScript(async () => {
  const options = readOptions(process.argv.slice(2), ['times', 'only']);
  if (options.help) {
    console.log('Usage: npm run crashes -- [--times 100] [--only WORDS]');
    return;
  }
  const times = readWhole('times', options.times ?? '100', 1, 100_000);
  const chosen = points.filter(({ name }) => name.includes(options.only ?? ''));
  const directory = mkdtempSync(join(tmpdir(), 'credits-crashes-'));
  const crashes = await Crashes.begin(directory);
  try {
    for (const point of chosen) {
      const started = performance.now();
      for (let n = 0; n < times; n++) {
        await crashes.kill(point);
      }
      const seconds = (performance.now() - started) / 1_000;
      console.log(
        `${times} kills, ${times} credited once: ${point.name} (${(seconds / times).toFixed(1)} s each)`,
      );
    }
    console.log(`\n${chosen.length * times} kills at ${chosen.length} points: 0 lost, 0 doubled`);
  } finally {
    await crashes.end();
    rmSync(directory, { recursive: true, force: true });
  }
});
