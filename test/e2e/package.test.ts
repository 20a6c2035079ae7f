// The packaged extension, as people get it: nothing in it but what they need, and it works where it is installed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readBalance } from '../../scripts/sandbox.ts';
import { type EditorVersion, installVsix, startEditorHost } from '../../scripts/support/editorHost.ts';
import { inRoot, out, root } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';

const shipped = [
  'CHANGELOG.md',
  'LICENSE.txt',
  'dist/extension.cjs',
  'dist/panel/panel.css',
  'dist/panel/panel.js',
  'media/icon.png',
  'media/icon.svg',
  'package.json',
  'package.nls.json',
  'readme.md',
];

/** Our budget for what people download, in bytes. */
const largestPackage = 300_000;

describe('the packaged extension', () => {
  const vsix = join(out, 'e2e', 'credits.vsix');
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};

  before(async function () {
    this.timeout(240_000);
    execFileSync(process.execPath, [inRoot('scripts/package.ts'), '--out', vsix], {
      cwd: root,
      stdio: 'pipe',
    });
    stage = await openStage({ name: 'e2e-package', balance: 5218, rate: 100 });
    closeStage = stage.close;
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  it('is at most 300 kB', () => {
    assert.ok(statSync(vsix).size <= largestPackage, `${statSync(vsix).size} bytes`);
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

function versionOf(): string {
  return (JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as { version: string }).version;
}
