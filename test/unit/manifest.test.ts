import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Command {
  readonly command: string;
  readonly title: string;
  readonly category?: string;
}

interface Setting {
  readonly scope?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly markdownDescription?: string;
}

const manifest = JSON.parse(read('package.json')) as {
  main: string;
  browser: string;
  extensionKind: string[];
  activationEvents: string[];
  extensionDependencies?: string[];
  dependencies?: Record<string, string>;
  capabilities: { untrustedWorkspaces: { supported: unknown }; virtualWorkspaces: unknown };
  contributes: {
    commands: Command[];
    configuration: { properties: Record<string, Setting> };
    walkthroughs: Array<{ steps: Array<{ id: string; media: { svg: string }; completionEvents: string[] }> }>;
  };
};
const strings = JSON.parse(read('package.nls.json')) as Record<string, string>;

/** All source of the extension host, as one text. */
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => read(join('src', name)))
  .join('\n');

describe('the manifest', () => {
  const { commands, configuration } = manifest.contributes;

  for (const { command, title, category } of commands) {
    it(`${command} is registered, and has a title and our category`, () => {
      ok(source.includes(`register('${command}'`), 'not registered');
      ok(/^%.+%$/.test(title));
      equal(category, '%category%');
      ok(command.startsWith('credits.'));
    });
  }

  it('lists every command that is registered', () => {
    const registered = [...source.matchAll(/register\('(credits\.[a-zA-Z]+)'/g)].map(match => match[1]);
    deepEqual(new Set(registered), new Set(commands.map(({ command }) => command)));
  });

  for (const { id, media, completionEvents } of manifest.contributes.walkthroughs.flatMap(one => one.steps)) {
    it(`the walkthrough's step "${id}" has its picture, and ends with something that exists`, () => {
      ok(read(media.svg).startsWith('<svg'));
      ok(completionEvents.length > 0);
      const known = commands.map(({ command }) => command);
      const named = completionEvents.flatMap(event => /^onCommand:(.*)/.exec(event)?.[1] ?? []);
      // The editor's own are the editor's to keep.
      ok(named.every(command => command.startsWith('workbench.') || known.includes(command)));
      const changed = completionEvents.flatMap(event => /^onSettingChanged:(.*)/.exec(event)?.[1] ?? []);
      ok(changed.every(setting => setting in configuration.properties));
    });
  }

  it('defines every %key% it uses, and uses every one it defines', () => {
    const used = [...read('package.json').matchAll(/"%([^%"]+)%"/g)].map(match => match[1] ?? '');
    deepEqual(new Set(used), new Set(Object.keys(strings)));
    ok(Object.values(strings).every(text => text.trim() !== ''));
  });

  for (const [name, setting] of Object.entries(configuration.properties)) {
    it(`T1 ${name} cannot be set by a workspace, and is described`, () => {
      ok(name.startsWith('credits.'));
      if (/url|host|endpoint|proxy|origin|server/i.test(name)) {
        equal(setting.scope, 'application');
      }
      ok(/^%.+%$/.test(setting.markdownDescription ?? setting.description ?? ''));
      ok('default' in setting);
    });
  }

  it('reads the settings it offers, and no others (d-31)', () => {
    const wanted = [...source.matchAll(/#read(?:Own)?\('([a-zA-Z]+)'\)/g)].map(
      match => `credits.${match[1]}`,
    );
    deepEqual(new Set(wanted), new Set(Object.keys(configuration.properties)));
  });

  it('T2 T18 F34 works in untrusted, virtual and remote workspaces, near the person where it can', () => {
    equal(manifest.capabilities.untrustedWorkspaces.supported, true);
    equal(manifest.capabilities.virtualWorkspaces, true);
    deepEqual(manifest.extensionKind, ['ui', 'workspace']);
    deepEqual(manifest.activationEvents, ['onStartupFinished']);
    equal(manifest.extensionDependencies, undefined);
  });

  it('T38 ships no packages: everything is in the bundle', () => {
    equal(manifest.dependencies, undefined);
    equal(manifest.main, './dist/extension.cjs');
    equal(manifest.browser, './dist/extension.js');
  });
});

describe('the source', () => {
  it("T17 assumes no editor's address scheme", () => {
    ok(!/['"`](vscode|vscode-insiders|code-oss|vscodium):\/\//.test(source));
  });

  it('T36 switches no certificate check off', () => {
    ok(!/rejectUnauthorized|NODE_TLS_REJECT|strictSSL/.test(source));
  });

  it('T34 measures nobody: no telemetry of the editor or of our own, and one door to the network', () => {
    const files = ['src', 'webview', 'protocol'].flatMap(room =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith('.ts'))
        .map(name => join(room, name)),
    );
    const holding = (words: RegExp) => files.filter(file => words.test(read(file))).toSorted();
    deepEqual(holding(/telemetry|analytics|machineId|sessionId/i), []);
    deepEqual(holding(/XMLHttpRequest|sendBeacon|WebSocket|EventSource\b/), []);
    // Requests are the contract's, and go through the one fetch that the composition root hands on.
    deepEqual(holding(/from 'axios'/), ['src/core/creditsClient.ts']);
    deepEqual(holding(/globalThis\.fetch\(|window\.fetch\(/), ['src/vscode/editorFetch.ts']);
  });

  it('T7 evaluates no text as code', () => {
    ok(!/\beval\(|new Function\(|innerHTML/.test(source));
  });

  it('T5 writes no setting', () => {
    ok(!/getConfiguration\([^)]*\)\s*\.update/.test(source));
  });

  it('recognises no error by its sentence (d-27)', () => {
    ok(!/message\.(includes|match|startsWith)\(/.test(source));
  });
});
