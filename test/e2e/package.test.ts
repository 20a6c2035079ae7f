// The packaged extension, as people get it: nothing in it but what they need, and it works where it is installed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readBalance } from '../../scripts/sandbox.ts';
import { checkBudget, readBudget } from '../../scripts/support/bundle.ts';
import { type EditorVersion, installVsix, startEditorHost } from '../../scripts/support/editorHost.ts';
import { languages } from '../../scripts/support/l10n.ts';
import { inRoot, out, root } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';

const shipped = [
  'CHANGELOG.md',
  'LICENSE.txt',
  'dist/ThirdPartyNotices.txt',
  'dist/extension.cjs',
  'dist/extension.js',
  'dist/package.json',
  'dist/panel/panel.css',
  'dist/panel/panel.js',
  ...languages.map(language => `l10n/bundle.l10n.${language}.json`),
  'media/icon.png',
  'media/icon.svg',
  ...['balance', 'buy', 'connect', 'warnings'].map(step => `media/walkthrough/${step}.svg`),
  'package.json',
  'package.nls.json',
  ...languages.map(language => `package.nls.${language}.json`),
  'readme.md',
];

const vsix = join(out, 'e2e', 'credits.vsix');

describe('the package', () => {
  before(function () {
    this.timeout(120_000);
    pack(vsix);
  });

  it('keeps to its budget, and would not be packed otherwise', () => {
    checkBudget(vsix);
    const { vsix: most } = readBudget();
    assert.ok(most <= 300_000);
    const tight = { ...readBudget(), 'dist/extension.js': 1 };
    assert.throws(() => checkBudget(vsix, tight), /dist\/extension\.js is \d+ bytes, at most 1/);
  });

  it('T38 is the same to the byte when it is packed again', () => {
    const again = join(out, 'e2e', 'again.vsix');
    pack(again);
    assert.equal(hashOf(again), hashOf(vsix));
  });

  it('names each package whose code is in it, with the text of its licence', () => {
    const bundles = readFileSync(inRoot('out/bundle.json'), 'utf8');
    const shippedPackages = new Set(
      [...bundles.matchAll(/node_modules\/((?:@[^/"]+\/)?[^/"]+)\/[^"]+":\{"bytesInOutput":[1-9]/g)].map(
        match => match[1] ?? '',
      ),
    );
    assert.ok(shippedPackages.size > 5);
    const notices = readFileSync(inRoot('dist/ThirdPartyNotices.txt'), 'utf8').split(
      `\n${'-'.repeat(80)}\n\n`,
    );
    const named = notices
      .slice(1)
      .map(notice => /^(\S+) \S+ \([^)]+\)\n\n[\s\S]{20}/.exec(notice)?.[1] ?? '');
    assert.deepEqual(new Set(named), shippedPackages);
  });

  it('is told to machines as CycloneDX: each package in it by name, version and licence', () => {
    execFileSync(process.execPath, [inRoot('scripts/sbom.ts')], { cwd: root, stdio: 'pipe' });
    for (const name of ['extension', 'server']) {
      const bom = JSON.parse(readFileSync(join(out, `sbom-${name}.cdx.json`), 'utf8'));
      assert.deepEqual([bom.bomFormat, bom.specVersion], ['CycloneDX', '1.5']);
      assert.ok(bom.components.length > 5);
      for (const component of bom.components) {
        assert.match(component.purl, /^pkg:npm\//);
        assert.ok(component.licenses?.length > 0, `${component.name} has no licence`);
      }
    }
  });

  it('runs nothing when it is installed or removed', () => {
    const { scripts } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
    assert.deepEqual(
      Object.keys(scripts).filter(name => /^(pre|post)?(install|uninstall|prepare)$|^vscode:/.test(name)),
      [],
    );
  });
});

describe('the packaged extension', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};

  before(async function () {
    this.timeout(240_000);
    stage = await openStage({ name: 'e2e-package', balance: 5218, rate: 100 });
    closeStage = stage.close;
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  for (const version of ['1.100', '1.139'] as const) {
    it(`T38 holds what users need and nothing else, and shows the balance in VS Code ${version}`, async function () {
      this.timeout(240_000);
      const dataDir = join(stage.sandbox.directory, `package-${version}`);
      const extensionsDir = join(dataDir, 'extensions');
      await installVsix(vsix, { version, dataDir, extensionsDir });
      const folder = join(extensionsDir, `studio-credits.code-studio-credits-${versionOf()}`);

      const files = globSync('**', { cwd: folder, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .filter(name => name !== '.vsixmanifest');
      assert.deepEqual(
        new Set(files.map(name => name.toLowerCase())),
        new Set(shipped.map(name => name.toLowerCase())),
      );
      for (const file of files) {
        const text = readFileSync(join(folder, file), 'latin1');
        assert.doesNotMatch(text, /CREDITS_SANDBOX/, `${file} can sign itself in`);
        assert.doesNotMatch(text, /sourceMappingURL/, `${file} names a source map`);
        assert.ok(!text.includes(root), `${file} tells where it was built`);
      }

      assert.equal(await signInByHand(version, dataDir, extensionsDir), '5,218');
    });
  }

  async function signInByHand(
    version: EditorVersion,
    dataDir: string,
    extensionsDir: string,
  ): Promise<string> {
    const { sandbox, browser } = stage;
    const host = await startEditorHost({
      version,
      dataDir,
      extensionsDir,
      logFile: join(dataDir, 'editor.log'),
      settings: { 'credits.serverUrl': sandbox.serverUrl },
      // What the sandbox's own build would sign in with; the shipped one must not care.
      env: { CREDITS_SANDBOX_SERVER_URL: sandbox.serverUrl, CREDITS_SANDBOX_TOKEN: sandbox.tokens.admin },
    });
    try {
      const workbench = await Workbench.open(browser, {
        url: host.url,
        settingsFile: join(dataDir, 'user/User/settings.json'),
      });
      await workbench.waitForStatus('the status bar asks to sign in', text => /sign in/i.test(text), 30_000);
      await workbench.clickStatus();
      await workbench.passOverBrowserSignIn();
      const box = workbench.page.locator('.quick-input-widget input').first();
      await box.waitFor();
      await box.fill(sandbox.tokens.member);
      await workbench.page.keyboard.press('Enter');
      const shown = await workbench.waitForStatus('the balance appears', text => /\d/.test(text), 30_000);
      assert.equal(Number(shown.replaceAll(',', '')), await readBalance(sandbox));
      await workbench.close();
      return shown;
    } finally {
      await host.stop();
    }
  }
});

function pack(file: string): void {
  execFileSync(process.execPath, [inRoot('scripts/package.ts'), '--out', file], { cwd: root, stdio: 'pipe' });
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function versionOf(): string {
  return (JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as { version: string }).version;
}
