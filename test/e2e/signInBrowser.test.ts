// Signing in as people do: in the browser, with the organisation's identity provider. The editor is in a browser too,
// so the way back is by the credits server's page; a code on another device is the next way.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Page } from 'playwright-core';
import { both, orgId, people, readBalance, type Sandbox } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { out } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { screenshot, Workbench } from '../../scripts/support/workbench.ts';

const picture = (name: string) => join(out, 'e2e', `${name}.png`);

describe('signing in in the browser', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};
  let sandbox: Sandbox;
  let workbench: Workbench;

  before(async function () {
    this.timeout(180_000);
    stage = await openStage({ name: 'e2e-sign-in-browser', balance: 5218, rate: 100 });
    closeStage = stage.close;
    sandbox = stage.sandbox;
    workbench = await Workbench.open(stage.browser, await stage.seat({ name: 'stranger', token: '' }));
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  it('T15 opens the provider at a click in the status bar, and comes back with the balance', async () => {
    await signedOut();
    const opened = workbench.context.waitForEvent('page');
    await workbench.clickStatus();
    const page = await opened;
    await page.waitForURL(/^http:\/\/sign-in\.localhost:/);
    await toast(/Go on in your browser/);
    await workbench.screenshot(picture('sign-in-waiting'));
    await logIn(page, people.admin.email);
    await page.waitForURL(/callback/);
    const text = await workbench.waitForStatus('the balance is shown', seen => /\d/.test(seen), 30_000);
    assert.equal(text, (await readBalance(sandbox)).toLocaleString('en-US'));
    await workbench.screenshot(picture('signed-in'));
    assert.match(await workbench.statusTooltip(), /Ada Admin|Acme/i);
    await page.close();
  });

  it('shows the person and the organisation in the Accounts menu, and signs out there or by command', async () => {
    const entry = workbench.page
      .locator('.monaco-menu')
      .getByText(/Ada Admin/)
      .first();
    await eventually(
      'the Accounts menu names the person',
      async () => {
        // What stands in the menu is found when it is opened.
        await workbench.page.keyboard.press('Escape');
        await workbench.page.locator('.activitybar [aria-label^="Accounts"]').first().click();
        await entry.waitFor({ timeout: 2_000 });
        return true;
      },
      isThere => isThere,
    );
    await workbench.screenshot(picture('accounts-menu'));
    await workbench.page.keyboard.press('Escape');
    await workbench.run('Credits: Sign Out');
    await signedOut();
  });

  it('signs in with a code on another device when the browser gives trouble', async () => {
    const opened = workbench.context.waitForEvent('page');
    await workbench.clickStatus();
    await (await opened).close();
    await workbench.anotherWay(/in your browser|did not open/);
    const frame = workbench.panel;
    const code = (await frame.locator('.code').innerText()).trim();
    await frame.locator('.qr svg').waitFor();
    await workbench.screenshot(picture('device-code'));
    const phone = await stage.browser.newContext();
    const page = await phone.newPage();
    await page.goto((await frame.locator('main a').first().getAttribute('href')) ?? '');
    if ((await page.locator('.code').count()) === 0) {
      await page.locator('input[name=user_code]').fill(code);
      await page.getByRole('button', { name: 'Continue' }).click();
    }
    assert.match((await page.locator('.code').innerText()).trim(), new RegExp(code));
    await page.getByRole('button', { name: /Yes/ }).click();
    await logIn(page, both.email);
    await page.getByText('Signed in').first().waitFor();
    await screenshot(page, picture('device-signed-in'));
    await phone.close();
  });

  it('asks someone of two organisations which one, and shows no figure before that', async () => {
    const list = workbench.page.locator('.quick-input-list');
    await list.getByText(/Orbit/i).first().waitFor({ timeout: 30_000 });
    assert.doesNotMatch(await workbench.statusText(), /\d/);
    await workbench.screenshot(picture('pick-organisation'));
    await list.getByText(/Acme/i).first().click();
    const text = await workbench.waitForStatus('the balance is shown', seen => /\d/.test(seen), 30_000);
    assert.equal(text, (await readBalance(sandbox)).toLocaleString('en-US'));
    assert.ok(orgId);
  });

  it("switches the organisation, and never shows the old one's figure under the new one's name", async () => {
    const acme = await workbench.statusText();
    await workbench.run('Credits: Switch Organisation');
    const list = workbench.page.locator('.quick-input-list');
    await list.getByText(/Orbit/i).first().click();
    await eventually(
      'the tooltip names the other organisation',
      () => workbench.statusTooltip(),
      text => /orbit/i.test(text) && !/acme/i.test(text),
      { withinMs: 20_000 },
    );
    // Read after the name: a figure that outlives its organisation's name would be seen here.
    const orbit = await workbench.waitForStatus('a figure is shown', seen => /\d/.test(seen));
    assert.notEqual(orbit, acme);
    await workbench.screenshot(picture('switched-organisation'));
  });

  async function signedOut(): Promise<void> {
    await workbench.waitForStatus('the status bar asks to sign in', seen => /sign in/i.test(seen), 30_000);
  }

  async function toast(words: RegExp): Promise<void> {
    await eventually(
      `a notification says ${words}`,
      () => workbench.toasts(),
      texts => texts.some(text => words.test(text)),
    );
  }

  async function logIn(page: Page, email: string): Promise<void> {
    await page.locator(`input[value="${email}"]`).check();
    await page.locator('input[name=password]').fill(sandbox.password);
    await screenshot(page, picture('provider-login'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Allow' }).waitFor();
    await screenshot(page, picture('provider-consent'));
    await page.getByRole('button', { name: 'Allow' }).click();
  }
});
