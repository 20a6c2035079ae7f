// Builds the extension for people and tells what each bundle is made of, by package, largest first.
// Usage: npm run bundle:why
import { ownerOf, productionBuild, readMetafile } from './support/bundle.ts';
import { runScript } from './support/script.ts';

await runScript(async () => {
  await productionBuild();
  for (const [output, { bytes, inputs }] of Object.entries(readMetafile().outputs)) {
    console.log(`\n${output}: ${(bytes / 1000).toFixed(1)} kB`);
    const owners = new Map<string, number>();
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const owner = ownerOf(input);
      owners.set(owner, (owners.get(owner) ?? 0) + bytesInOutput);
    }
    for (const [owner, size] of [...owners].sort((a, b) => b[1] - a[1])) {
      console.log(`${(size / 1000).toFixed(1).padStart(9)} kB  ${owner}`);
    }
  }
});
