// Puts the benches' figures into docs/performance.md.
// Usage: npm run bench:docs
import { readFileSync, writeFileSync } from 'node:fs';
import { withFigures } from '../bench/support/document.ts';
import { inRoot } from './support/places.ts';
import { runScript } from './support/script.ts';

await runScript(async () => {
  const file = inRoot('docs/performance.md');
  writeFileSync(file, withFigures(readFileSync(file, 'utf8')));
});
