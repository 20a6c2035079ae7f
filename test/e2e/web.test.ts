// The bundle in Web Workers of a real browser: no Node, requests under the browser's rules.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { after, before, describe, it } from 'mocha';
import type { Browser } from 'playwright-core';
import { orgId, people, type Sandbox, startSandbox } from '../../scripts/sandbox.ts';
import { launchBrowser } from '../../scripts/support/chromium.ts';
import { installVsix, startEditorHost } from '../../scripts/support/editorHost.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { inRoot, out, root } from '../../scripts/support/places.ts';
import { freePort } from '../../scripts/support/ports.ts';
import { press, Workbench } from '../../scripts/support/workbench.ts';
import type { WebHostNews, WebHostOrder } from '../support/webHost.ts';

interface Page {
  /** Everything the worker has said. */
  news: WebHostNews[];
  worker: Worker;
}

describe('a web-worker host', () => {
  let sandbox: Sandbox;
  let browser: Browser;
  let port: number;
  let editorPort: number;
  /** What was opened, to be closed. */
  const close: (() => unknown)[] = [];

  before(async function () {
    this.timeout(180_000);
    execFileSync(process.execPath, ['esbuild.js', '--production'], { cwd: root, stdio: 'pipe' });
    const host = await build({
      entryPoints: [inRoot('test/support/webHost.ts')],
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
    });
    const served = new Map([
      ['/', ['text/html', '<!doctype html><title>Editor</title>']],
      ['/host.js', ['text/javascript', host.outputFiles[0]?.text ?? '']],
      ['/extension.js', ['text/javascript', readFileSync(inRoot('dist/extension.js'), 'utf8')]],
    ]);
    port = await freePort();
    editorPort = await freePort();
    const pages = createServer((request, response) => {
      const [type = 'text/plain', text] = served.get(request.url ?? '') ?? [];
      response.writeHead(text === undefined ? 404 : 200, { 'content-type': type }).end(text);
    });
    await new Promise<void>(resolve => pages.listen(port, '127.0.0.1', resolve));
    close.push(() => pages.close());
    sandbox = await startSandbox({
      name: 'e2e-web',
      balance: 5218,
      rate: 100,
      serverEnvironment: { CORS_ORIGINS: `http://127.0.0.1:${port},http://127.0.0.1:${editorPort}` },
    });
    close.push(() => sandbox.stop());
    browser = await launchBrowser();
    close.push(() => browser.close());
  });

  after(async function () {
    this.timeout(30_000);
    await Promise.all(close.map(one => one()));
  });

  it('T42 starts from one file without Node, shows the balance over CORS, and leaves nothing behind', async () => {
    const bundle = readFileSync(inRoot('dist/extension.js'), 'utf8');
    assert.deepEqual([...new Set(bundle.match(/require\("[^"]+"\)/g))], ['require("vscode")']);

    const page = await open(`http://127.0.0.1:${port}/`);
    const seen = await until(page, 'the balance is shown', news =>
      news.some(({ status }) => /\b5,218\b/.test(status ?? '')),
    );
    assert.deepEqual(
      seen.flatMap(({ error }) => error ?? []),
      [],
    );
    const { contributes } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as {
      contributes: { commands: { command: string }[] };
    };
    const registered = new Set(seen.find(news => news.registered)?.registered);
    for (const { command } of contributes.commands) assert.ok(registered.has(`command ${command}`), command);

    await page.evaluate(() => (globalThis as unknown as Page).worker.postMessage('end'));
    const ended = await until(page, 'it ends', news => news.some(({ ended }) => ended));
    assert.deepEqual(ended.at(-1), { ended: true, registered: [] });
    await page.close();
  });

  it('T42 shows no figure where the server does not name the page among its origins', async () => {
    const page = await open(`http://localhost:${port}/`);
    // Neither 0 nor signed out: it says that it could not ask.
    const seen = await until(page, 'it says that it could not ask', news =>
      news.some(({ status }) => /\$\((?:warning|cloud-offline)\)/.test(status ?? '')),
    );
    assert.ok(!seen.some(({ status }) => /\d/.test(status ?? '')), JSON.stringify(seen));
    await page.close();
  });

  it("T42 signs in and shows the balance in the editor's own worker host", async function () {
    this.timeout(120_000);
    const dataDir = join(sandbox.directory, 'worker');
    const extensionsDir = join(dataDir, 'extensions');
    const vsix = join(out, 'e2e', 'web.vsix');
    execFileSync(process.execPath, [inRoot('scripts/package.ts'), '--out', vsix], {
      cwd: root,
      stdio: 'pipe',
    });
    await installVsix(vsix, { version: '1.139', dataDir, extensionsDir });
    // An editor that has a Node host prefers it; told of no other kind, this one does as an editor without Node.
    const [folder = ''] = globSync(join(extensionsDir, 'studio-credits.*'));
    const extension = join(dataDir, 'extension');
    cpSync(folder, extension, { recursive: true });
    rmSync(folder, { recursive: true });
    const { main: _, ...manifest } = JSON.parse(readFileSync(join(extension, 'package.json'), 'utf8'));
    writeFileSync(join(extension, 'package.json'), JSON.stringify({ ...manifest, extensionKind: ['web'] }));
    const host = await startEditorHost({
      version: '1.139',
      dataDir,
      port: editorPort,
      extensionDevelopmentPath: extension,
      settings: { 'credits.serverUrl': sandbox.serverUrl },
      logFile: join(dataDir, 'editor.log'),
    });
    close.unshift(() => host.stop());
    const settingsFile = join(dataDir, 'user/User/settings.json');
    const workbench = await Workbench.open(browser, { url: host.url, settingsFile });
    await workbench.waitForStatus('it asks to sign in', text => /sign in/i.test(text), 30_000);
    await workbench.clickStatus();
    const notices = workbench.page.locator('.notification-list-item');
    // What was said while the workbench was still being laid out is not shown as a toast.
    const trouble = notices.getByText('Having trouble?');
    await eventually('another way is offered', () => workbench.openCentreFor(trouble), Boolean, {
      everyMs: 500,
    });
    // The provider of the sandbox lets no page of another origin ask it for a code; the next way is offered.
    await workbench.anotherWay(/in your browser|did not open/);
    const paste = notices.getByRole('button', { name: 'Paste an Access Token' });
    const box = workbench.page.locator('.quick-input-widget input').first();
    // A notification that is just being drawn again has no button, or loses the click.
    await eventually(
      'the box for a token is open',
      async () => {
        if ((await workbench.openCentreFor(paste)) && (await press(paste))) {
          await box.waitFor({ timeout: 2_000 }).catch(() => undefined);
        }
        return box.isVisible();
      },
      Boolean,
      { everyMs: 500 },
    );
    await box.fill(sandbox.tokens.member);
    await workbench.page.keyboard.press('Enter');
    await workbench.waitForStatus('the balance appears', text => /\b5,218\b/.test(text), 30_000);
    await workbench.screenshot(join(out, 'e2e', 'worker.png'));
    // It was asked for from inside a worker, so nothing of it ran in the server's Node.
    const asked = await Promise.all(
      workbench.page
        .workers()
        .map(worker => worker.evaluate(() => performance.getEntries().map(({ name }) => name)))
        // Other workers of the editor come and go.
        .map(entries => entries.catch(() => [])),
    );
    const balance = `${sandbox.serverUrl}/v1/orgs/${orgId}/balance`;
    assert.ok(asked.flat().includes(balance), JSON.stringify(asked.flat().slice(-20)));
    await workbench.close();
  });

  async function open(url: string) {
    const page = await browser.newPage();
    await page.goto(url);
    const account = {
      serverUrl: sandbox.serverUrl,
      personId: people.member.id,
      personName: people.member.name,
      orgId,
      orgName: 'Acme',
      role: 'member',
    };
    const order: WebHostOrder = {
      url: '/extension.js',
      secrets: { 'credits.signIn.v1': JSON.stringify({ account, token: sandbox.tokens.member }) },
    };
    await page.evaluate(given => {
      const own = globalThis as unknown as Page;
      own.news = [];
      own.worker = new Worker('/host.js');
      own.worker.onmessage = ({ data }) => own.news.push(data);
      own.worker.onerror = ({ message }) => own.news.push({ error: message });
      own.worker.postMessage(given);
    }, order);
    return page;
  }

  type BrowserPage = Awaited<ReturnType<typeof open>>;

  function until(
    page: BrowserPage,
    what: string,
    isThere: (news: WebHostNews[]) => boolean,
  ): Promise<WebHostNews[]> {
    const read = () => page.evaluate(() => (globalThis as unknown as Page).news);
    return eventually(what, read, isThere, { withinMs: 30_000 });
  }
});
