// Builds what is shipped: the extension's bundles for Node and for web workers, and the panel's page.
//
// Usage: node esbuild.js [--production] [--watch] [--sandbox]
//   --production  minified, without source maps, as it is packaged
//   --watch       builds again at each change
//   --sandbox     writes a loadable extension to out/sandbox/extension/, which takes its sign-in from the environment

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { context } from 'esbuild';

const flags = new Set(process.argv.slice(2));
const unknown = [...flags].filter(flag => !['--production', '--watch', '--sandbox'].includes(flag));
if (unknown.length > 0) {
  console.error(
    `Unknown option ${unknown.join(' ')}. Usage: node esbuild.js [--production] [--watch] [--sandbox]`,
  );
  process.exit(1);
}
const production = flags.has('--production');
const sandbox = flags.has('--sandbox');
const target = sandbox ? 'out/sandbox/extension' : '.';

/** @type {import('esbuild').BuildOptions} */
const shared = {
  bundle: true,
  minify: production,
  sourcemap: production ? false : 'linked',
  legalComments: 'none',
  logLevel: 'info',
  metafile: production,
};

/** @type {import('esbuild').BuildOptions} */
const host = {
  ...shared,
  entryPoints: ['src/extension.ts'],
  outfile: join(target, 'dist/extension.cjs'),
  format: 'cjs',
  // Node 20 is the oldest host of the editors this runs in. The platform is `browser` although it runs in Node: that
  // picks the build of axios that uses fetch and nothing of Node's, a quarter of the other's size.
  target: 'node20',
  platform: 'browser',
  // Node's http is for a desktop's sign-in, and is not asked for before that.
  external: ['vscode', 'node:http'],
  define: { __SANDBOX__: String(sandbox) },
};

/** The same sources for hosts that are web workers, which load one file and have no Node. */
/** @type {import('esbuild').BuildOptions} */
const web = {
  ...host,
  outfile: join(target, 'dist/web/extension.js'),
  target: 'chrome128',
  external: ['vscode'],
  alias: { 'node:http': './src/vscode/noHttp.ts' },
};

/** @type {import('esbuild').BuildOptions} */
const page = {
  ...shared,
  entryPoints: ['webview/main.ts'],
  outfile: join(target, 'dist/panel/panel.js'),
  format: 'iife',
  platform: 'browser',
  target: 'chrome128',
};

/** @type {import('esbuild').BuildOptions} */
const style = {
  ...shared,
  entryPoints: ['webview/panel.css'],
  outfile: join(target, 'dist/panel/panel.css'),
};

if (sandbox) {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const part of [
    'package.json',
    ...(await readdir('.')).filter(name => name.startsWith('package.nls.')),
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'media',
    'l10n',
  ]) {
    if (existsSync(part)) {
      await cp(part, join(target, part), { recursive: true });
    }
  }
} else {
  await rm('dist', { recursive: true, force: true });
}

const builds = await Promise.all([host, web, page, style].map(options => context(options)));
if (flags.has('--watch')) {
  await Promise.all(builds.map(build => build.watch()));
} else {
  try {
    const results = await Promise.all(builds.map(build => build.rebuild()));
    if (production) {
      // What went into which bundle: for `npm run bundle:why` and the notices of what is shipped.
      await mkdir('out', { recursive: true });
      const outputs = Object.assign({}, ...results.map(({ metafile }) => metafile.outputs));
      await writeFile('out/bundle.json', JSON.stringify({ outputs }));
    }
  } catch {
    // esbuild has already said what and where.
    process.exitCode = 1;
  }
  await Promise.all(builds.map(build => build.dispose()));
}
