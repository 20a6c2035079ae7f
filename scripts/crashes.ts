// Kills a server at every enumerated point of a purchase, with SIGKILL and on a database on disk.
// Usage: npm run crashes -- [--times 100] [--only WORDS] [--lanes N]
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crashes, points } from '../test/crashes/crashes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';

await runScript(async () => {
  const options = readOptions(process.argv.slice(2), ['times', 'only', 'lanes']);
  if (options.help) {
    console.log('Usage: npm run crashes -- [--times 100] [--only WORDS] [--lanes N]');
    return;
  }
  const times = readWhole('times', options.times ?? '100', 1, 100_000);
  // Each with a server and a database of its own.
  const lanes = readWhole('lanes', options.lanes ?? String(availableParallelism()), 1, 64);
  const chosen = points.filter(({ name }) => name.includes(options.only ?? ''));
  const directories = Array.from({ length: lanes }, () => mkdtempSync(join(tmpdir(), 'credits-crashes-')));
  const servers: Crashes[] = [];
  try {
    for (const directory of directories) {
      servers.push(await Crashes.begin(directory));
    }
    for (const point of chosen) {
      const started = performance.now();
      let left = times;
      await Promise.all(
        servers.map(async server => {
          while (left > 0) {
            left--;
            await server.kill(point);
          }
        }),
      );
      const seconds = (performance.now() - started) / 1_000;
      console.log(
        `${times} kills, ${times} credited once: ${point.name} (${(seconds / times).toFixed(1)} s each)`,
      );
    }
    console.log(`\n${chosen.length * times} kills at ${chosen.length} points: 0 lost, 0 doubled`);
  } finally {
    await Promise.all(servers.map(server => server.end()));
    for (const directory of directories) {
      rmSync(directory, { recursive: true, force: true });
    }
  }
});
