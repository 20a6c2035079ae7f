// What is really in the bundles: by package, with its licence, and within its budget.
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { inRoot, root } from './places.ts';
import { startProgram } from './processes.ts';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly licenceText: string;
  /** Bytes in each bundle that it is part of. */
  readonly bytes: ReadonlyMap<string, number>;
}

/** What esbuild tells of its bundles, as far as we read it. */
interface Metafile {
  readonly outputs: Readonly<
    Record<
      string,
      { readonly bytes: number; readonly inputs: Readonly<Record<string, { bytesInOutput: number }>> }
    >
  >;
}

/** As it is packaged: minified, with the notices of what is in it. */
export async function productionBuild(): Promise<void> {
  const program = await startProgram(process.execPath, ['esbuild.js', '--production'], { cwd: root });
  if ((await program.exited) !== 0)
    throw new Error(`The extension does not build:\n${program.lastLines(60)}`);
  writeFileSync(inRoot('dist/ThirdPartyNotices.txt'), notices(bundlePackages()));
}

export function readMetafile(): Metafile {
  return JSON.parse(readFileSync(inRoot('out/bundle.json'), 'utf8')) as Metafile;
}

/** Ours are named by their room. */
export function ownerOf(input: string): string {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? `our ${input.split('/', 1)[0]}/`;
}

/** The packages whose code is in a bundle, by name. */
export function bundlePackages(metafile: Metafile = readMetafile()): BundledPackage[] {
  const found = new Map<string, { folder: string; bytes: Map<string, number> }>();
  for (const [output, { inputs }] of Object.entries(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const end = input.lastIndexOf('node_modules/');
      if (end < 0 || bytesInOutput === 0) continue;
      const name = ownerOf(input);
      const folder = join(root, input.slice(0, end), 'node_modules', name);
      const bundled = found.get(folder) ?? { folder, bytes: new Map<string, number>() };
      bundled.bytes.set(output, (bundled.bytes.get(output) ?? 0) + bytesInOutput);
      found.set(folder, bundled);
    }
  }
  return [...found.values()]
    .map(({ folder, bytes }) => ({ ...describePackage(folder), bytes }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws {Error} when a package does not say under what licence we may ship it. */
function describePackage(folder: string): Omit<BundledPackage, 'bytes'> {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const [file] = globSync('{LICENSE,LICENCE,License,license,COPYRIGHT,CopyrightNotice}*', { cwd: folder })
    .filter(found => !found.includes(sep) && !/\.(js|json)$/.test(found))
    .sort();
  if (!license) throw new Error(`${name} ${version} names no licence: find out, or do without it.`);
  // Some say it by the licence's name alone.
  const licenceText = file ? readFileSync(join(folder, file), 'utf8') : `Licensed under ${license}.`;
  return { name, version, licence: license, licenceText };
}

/** Line ends and trailing spaces alike on every machine, because they are part of a package that is to be the same. */
export function notices(packages: readonly BundledPackage[]): string {
  const parts = packages.map(
    ({ name, version, licence, licenceText }) =>
      `${name} ${version} (${licence})\n\n${licenceText
        .replaceAll('\r\n', '\n')
        .replaceAll(/[ \t]+$/gm, '')
        .trim()}\n`,
  );
  const opening = 'This extension contains code of these packages, under the licences that follow.\n';
  return [opening, ...parts].join(`\n${'-'.repeat(80)}\n\n`);
}

/** Bytes at most, by file of the package; `vsix` is the package itself. */
export function readBudget(): { readonly vsix: number; readonly [file: string]: number } {
  return JSON.parse(readFileSync(inRoot('bench/budget.json'), 'utf8')) as ReturnType<typeof readBudget>;
}

/** @throws {Error} naming all that is too large. */
export function checkBudget(vsix: string, budget = readBudget()): void {
  const sizes = Object.entries(budget).map(([name, most]) => {
    const file = name === 'vsix' ? vsix : inRoot(name);
    if (!existsSync(file)) throw new Error(`bench/budget.json names ${name}, which is not built.`);
    return { name, most, bytes: statSync(file).size };
  });
  const tooLarge = sizes.filter(({ bytes, most }) => bytes > most);
  if (tooLarge.length > 0) {
    const faults = tooLarge.map(({ name, bytes, most }) => `  ${name} is ${bytes} bytes, at most ${most}`);
    throw new Error(['Over its budget (npm run bundle:why shows what is in it):', ...faults].join('\n'));
  }
}
