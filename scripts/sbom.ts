// Writes what is shipped down for machines, as CycloneDX: the extension's bundled packages, and the server's dependencies.
// Usage: npm run sbom      writes out/sbom-extension.cdx.json and out/sbom-server.cdx.json
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundlePackages, productionBuild } from './support/bundle.ts';
import { inRoot, out, root } from './support/places.ts';
import { runScript } from './support/script.ts';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly group?: string;
  readonly [field: string]: unknown;
}

interface Bom {
  readonly bomFormat: string;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
  readonly [field: string]: unknown;
}

await runScript(async () => {
  await productionBuild();
  const server = npmSbom(['--workspace', 'server', '--omit', 'dev']);
  const bundled = new Map(
    bundlePackages().map(({ name, version, licence }) => [`${name}@${version}`, licence]),
  );
  // npm knows the whole tree; the extension ships only what its bundles hold.
  const whole = npmSbom([]);
  const components = whole.components.filter(one => bundled.has(nameOf(one)));
  const missing = [...bundled.keys()].filter(name => !components.some(one => nameOf(one) === name));
  if (missing.length > 0) throw new Error(`npm does not know what is bundled: ${missing.join(', ')}.`);
  const kept = new Set(components.map(one => one['bom-ref']));
  const extension: Bom = {
    ...whole,
    components,
    dependencies: whole.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(other => kept.has(other)) })),
  };
  mkdirSync(out, { recursive: true });
  for (const [name, bom] of Object.entries({ extension, server })) {
    const file = join(out, `sbom-${name}.cdx.json`);
    writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`);
    console.log(`${relative(root, file)}: ${bom.components.length} components`);
  }
});

function nameOf({ group, name, version }: Component): string {
  return `${group ? `${group}/` : ''}${name}@${version}`;
}

function npmSbom(args: readonly string[]): Bom {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const text = execFileSync(
    npm,
    ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--sbom-type', 'application', ...args],
    {
      cwd: inRoot(),
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  return JSON.parse(text) as Bom;
}
