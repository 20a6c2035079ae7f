// Builds the extension for people and packs it as a .vsix: what to install, or to publish.
// Usage: npm run package -- [--out FILE] [--pre-release]      default out/code-studio-credits-VERSION.vsix
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX, listFiles, PackageManager } from '@vscode/vsce';
import { checkBudget, productionBuild } from './support/bundle.ts';
import { out, root } from './support/places.ts';

const { values } = parseArgs({ options: { out: { type: 'string' }, 'pre-release': { type: 'boolean' } } });
const manifest = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  [field: string]: unknown;
};
/** What of the manifest is for those who build. */
const ofTheSources = ['private', 'type', 'scripts', 'devDependencies', 'allowScripts', 'workspaces'];
const file = resolve(values.out ?? resolve(out, `${manifest.name}-${manifest.version}.vsix`));

try {
  await productionBuild();
  mkdirSync(dirname(file), { recursive: true });
  // Fixed times make the same sources the same bytes. This is 1980-01-01, the oldest date a zip file can hold.
  process.env['SOURCE_DATE_EPOCH'] ??= '315532800';
  // Everything is bundled, so nothing of node_modules is packed. It lists the files itself.
  await createVSIX({
    cwd: await stage(),
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

/**
 * The files that .vscodeignore lets through, with a manifest for people: a web worker takes `"type": "module"` for the
 * bundle's own and refuses it, and nobody who installs it builds it.
 */
async function stage(): Promise<string> {
  const folder = resolve(out, 'package');
  rmSync(folder, { recursive: true, force: true });
  const files = await listFiles({ cwd: root, packageManager: PackageManager.None });
  for (const name of [...files, '.vscodeignore']) {
    cpSync(join(root, name), join(folder, name));
  }
  const shipped = Object.entries(manifest).filter(([field]) => !ofTheSources.includes(field));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(Object.fromEntries(shipped), null, 2)}\n`);
  return folder;
}
