// Builds the extension for people and packs it as a .vsix: what to install, or to publish.
// Usage: npm run package -- [--out FILE] [--pre-release]      default out/code-studio-credits-VERSION.vsix
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { checkBudget, productionBuild } from './support/bundle.ts';
import { out, root } from './support/places.ts';

const { values } = parseArgs({ options: { out: { type: 'string' }, 'pre-release': { type: 'boolean' } } });
const manifest = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
};
const file = resolve(values.out ?? resolve(out, `${manifest.name}-${manifest.version}.vsix`));

try {
  await productionBuild();
  mkdirSync(dirname(file), { recursive: true });
  // Fixed times make the same sources the same bytes. This is 1980-01-01, the oldest date a zip file can hold.
  process.env['SOURCE_DATE_EPOCH'] ??= '315532800';
  // Everything is bundled, so nothing of node_modules is packed. It lists the files itself.
  await createVSIX({
    cwd: root,
    packagePath: file,
    dependencies: false,
    preRelease: values['pre-release'] === true,
  });
  checkBudget(file);
  console.log(`${file} (${(statSync(file).size / 1000).toFixed(1)} kB)`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
