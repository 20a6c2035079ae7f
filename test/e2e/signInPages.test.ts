// Every page and box of a sign-in as people see it, in a dark and a light theme: pictures to look at, and what can be
// checked of them without looking.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Page } from 'playwright-core';
import { people, type Sandbox } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { findAxeFaults } from '../../scripts/support/gallery.ts';
import { out } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { screenshot, type Theme, Workbench } from '../../scripts/support/workbench.ts';

const themes: readonly Theme[] = ['dark', 'light'];
const picture = (name: string, theme: Theme) => join(out, 'sign-in', `${name}-${theme}.png`);

describe('the pages of a sign-in', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};
  let sandbox: Sandbox;
  let workbench: Workbench;
  let others: Server;

  before(async function () {
    this.timeout(240_000);
    stage = await openStage({ name: 'e2e-sign-in-pages', balance: 5218, rate: 100 });
    closeStage = stage.close;
    sandbox = stage.sandbox;
    others = await otherServers();
    const { port } = others.address() as AddressInfo;
    const env = { HTTPS_PROXY: `http://127.0.0.1:${port}`, NO_PROXY: '127.0.0.1,localhost' };
    const settings = { 'credits.serverUrl': '' };
    workbench = await Workbench.open(
      stage.browser,
      await stage.seat({ name: 'stranger', token: '', settings, env }),
    );
    await workbench.waitForStatus('nobody is signed in', text => /sign in/i.test(text), 60_000);
  });

  after(async function () {
    this.timeout(30_000);
    others?.close();
    await closeStage();
  });

  it('the walkthrough has its four steps, each with its picture', async () => {
    const { page } = workbench;
    await workbench.run('Welcome: Open Walkthrough...');
    await page.locator('.quick-input-widget input[type=text]').fill('Get started with Credits');
    const entry = page.locator('.quick-input-list .monaco-list-row', { hasText: 'Get started with Credits' });
    await entry.first().click();
    const steps = page.locator('.getting-started-step');
    await steps.first().waitFor();
    const titles = await page.locator('.getting-started-step .step-title').allInnerTexts();
    assert.deepEqual(titles, [
      'Connect to your organisation',
      'See the balance',
      'Choose when to be warned',
      'Buy, or ask',
    ]);
    for (const [nth, name] of ['connect', 'balance', 'warnings', 'buy'].entries()) {
      await steps.nth(nth).click();
      await workbench.panel.locator(`svg#${name}`).waitFor();
      await inBothThemes(`walkthrough-${nth + 1}`, workbench);
    }
    await workbench.run('View: Close All Editors');
  });

  it('the question for the server says what is wrong, and keeps what was typed', async () => {
    const { port } = others.address() as AddressInfo;
    const base = `http://127.0.0.1:${port}`;
    await workbench.clickStatus();
    const box = workbench.page.locator('.quick-input-widget');
    const input = box.locator('input[type=text]').first();
    await input.waitFor();
    await inBothThemes('server', workbench);
    for (const [name, typed, words] of [
      ['no-address', 'credits', /not a web address/],
      ['insecure', 'http://credits.example.com', /must begin with https/],
      ['web-page', `${base}/page`, /A web page answered/],
      ['other-service', `${base}/other`, /not one a credits server gives/],
      ['network-sign-in', `${base}/portal`, /Your network may want you to sign in first/],
      ['proxy', 'https://credits.example.com', /proxy asks for a sign-in/],
      ['too-old', `${base}/old`, /too old for this extension/],
      ['too-new', `${base}/new`, /This extension is too old/],
      ['nobody', 'http://127.0.0.1:1', /cannot be reached/],
    ] as const) {
      await input.fill(typed);
      await workbench.page.keyboard.press('Enter');
      await eventually(
        `the box says ${words}`,
        () => box.innerText(),
        text => words.test(text),
      );
      assert.equal(await input.inputValue(), typed);
      await inBothThemes(`server-${name}`, workbench);
    }
    await input.fill(sandbox.serverUrl);
  });

  it('the provider’s pages can be read, say who is signed in, and pass a refusal on', async () => {
    const asked = workbench.context.waitForEvent('request', request => /\/auth\?/.test(request.url()));
    const opened = workbench.context.waitForEvent('page');
    await workbench.page.keyboard.press('Enter');
    const page = await opened;
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await inBothThemes('waiting', workbench);
    await readProvider((await asked).url());
    await logIn(page);
    await page.getByText(people.admin.email).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await toast(/declined in the browser/);
    await page.close();
    await inBothThemes('declined', workbench);
    assert.equal(await workbench.page.locator('.monaco-hover:visible').count(), 0, 'something covers it');
    await workbench.pressInNotification('Use a Code on Any Device');
  });

  it('the code for another device stands in the editor, and its pages can be read', async () => {
    const frame = workbench.panel;
    const code = (await frame.locator('.code').innerText()).trim();
    await inBothThemes('device-code', workbench);
    const address = await frame.locator('main a').first().getAttribute('href');
    const phone = await stage.browser.newContext({ viewport: { width: 390, height: 800 } });
    const page = await phone.newPage();
    await page.goto(new URL('/device', address ?? '').href);
    await readable('device-enter', page);
    await page.locator('input[name=user_code]').fill('AAAA-AAAA');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('That code is not known').waitFor();
    await readable('device-unknown', page);
    await page.locator('input[name=user_code]').fill(code);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText(code).waitFor();
    await readable('device-confirm', page);
    await page.getByRole('button', { name: /Yes/ }).click();
    await logIn(page);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByRole('heading', { name: 'Signed in' }).waitFor();
    await readable('device-done', page);
    await phone.close();
    await workbench.waitForStatus('the balance is shown', text => /5,218/.test(text), 30_000);
    await workbench.clickStatus();
    await workbench.waitForPanel('the panel shows the balance', text => /5,218/.test(text), 30_000);
    await inBothThemes('panel', workbench);
    await workbench.statusTooltip();
    await inBothThemes('tooltip', workbench);
  });

  it('the server’s own page says so when a sign-in is over', async () => {
    const context = await stage.browser.newContext();
    const page = await context.newPage();
    await page.goto(`${sandbox.pagesUrl}/sign-in/return?state=${'x'.repeat(43)}&code=y`);
    await page.getByRole('heading', { name: 'Start again from your editor' }).waitFor();
    await readable('return-lost', page);
    await context.close();
  });

  /** In a browser of its own: beside axe at work the workbench's service worker falls mute, and its webviews stay empty. */
  async function readProvider(url: string): Promise<void> {
    const context = await stage.browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await readable('provider-login', page);
    await page.locator('input[name=password]').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await readable('provider-wrong-password', page);
    await logIn(page);
    await page.getByText(people.admin.email).waitFor();
    await readable('provider-consent', page);
    await context.close();
  }

  async function inBothThemes(name: string, seen: Workbench): Promise<void> {
    for (const theme of themes) {
      await seen.setTheme(theme);
      await seen.screenshot(picture(name, theme));
    }
  }

  async function readable(name: string, page: Page): Promise<void> {
    for (const theme of themes) {
      await page.emulateMedia({ colorScheme: theme });
      assert.deepEqual(await findAxeFaults(page), [], `${name}, ${theme}`);
      await screenshot(page, picture(name, theme));
    }
  }

  async function logIn(page: Page): Promise<void> {
    await page.locator(`input[value="${people.admin.email}"]`).check();
    await page.locator('input[name=password]').fill(sandbox.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async function toast(words: RegExp): Promise<void> {
    await eventually(
      `a notification says ${words}`,
      () => workbench.toasts(),
      texts => texts.some(text => words.test(text)),
    );
  }
});

/** What people type in by mistake, or what stands between them and the server. */
async function otherServers(): Promise<Server> {
  const meta = (versions: string[]) =>
    JSON.stringify({
      service: 'credits',
      api_versions: versions,
      server_version: '9.9.9',
      payment_mode: 'test',
      features: { checkout: true, events: true },
    });
  const server = createServer((request, response) => {
    const [, kind] = (request.url ?? '').split('/');
    switch (kind) {
      case 'old':
      case 'new':
        return response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(meta([kind === 'old' ? 'v0' : 'v2']));
      case 'portal':
        return response.writeHead(302, { location: 'https://portal.example/sign-in' }).end();
      case 'other':
        return response.writeHead(200, { 'content-type': 'application/json' }).end('{"hello":"world"}');
      default:
        return response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<!doctype html><h1>Welcome</h1>');
    }
  });
  // As a proxy it opens no tunnel to anywhere.
  server.on('connect', (_request, socket) =>
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}
