// Buying from the palette, without the panel: as an administrator, and as someone who may not.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { OrgSettings, paths } from '../../protocol/api.ts';
import { orgId, readBalance } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';

describe('from the palette', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};

  before(async function () {
    this.timeout(180_000);
    stage = await openStage({ name: 'e2e-palette', balance: 5218, rate: 100 });
    closeStage = stage.close;
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  it('an admin types an amount, sees amount, credits and host, pays, and is told in the editor', async () => {
    const workbench = await open('admin');
    const before = await readBalance(stage.sandbox);
    const { keyboard } = workbench.page;
    const input = workbench.page.locator('.quick-input-widget input[type=text]');
    await workbench.run('Credits: Buy Credits');
    await pick(workbench, 'Another amount…');
    await workbench.page.getByText('From $10 to $10,000.').first().waitFor();
    await input.fill('12.345');
    await workbench.page.getByText('This could be two amounts.').first().waitFor();
    await input.fill('1.250,00');
    await keyboard.press('Enter');
    const pay = workbench.page.locator('.quick-input-list .monaco-list-row', {
      hasText: 'Pay $1,250 for 125,000 credits',
    });
    await pay.waitFor();
    assert.match(
      await pay.innerText(),
      new RegExp(new URL(stage.sandbox.payUrl).host.replaceAll('.', '\\.')),
    );
    const opening = workbench.context.waitForEvent('page');
    opening.catch(() => {});
    await keyboard.press('Enter');
    const payment = await opening;
    await payment.getByRole('button', { name: /^Pay/ }).click({ noWaitAfter: true });
    const expected = (before + 125_000).toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${expected}`, text => text === expected, 45_000);
    await eventually(
      'a message says what was added',
      () => workbench.toasts(),
      toasts => toasts.some(text => text.startsWith('125,000 credits added')),
    );
    await workbench.close();
  });

  it('an admin copies the balance, with the organisation and its age', async () => {
    const workbench = await open('admin');
    await workbench.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await workbench.run('Credits: Copy Balance');
    const figure = (await readBalance(stage.sandbox)).toLocaleString('en-US');
    await eventually(
      'the clipboard holds the balance',
      () => workbench.page.evaluate(() => navigator.clipboard.readText()),
      text => text.includes(`: ${figure} credits as of `),
    );
    await workbench.close();
  });

  it('an admin has the panel in the side bar, and sets the low balance there', async () => {
    const workbench = await open('admin');
    await workbench.run('Credits: Show in Side Bar');
    await workbench.waitForPanel(
      'the side bar shows the balance and who sees it',
      text => /Credit balance/.test(text) && /credits/.test(text),
      30_000,
    );
    assert.equal(await workbench.page.locator('.part.editor iframe.webview').count(), 0);
    const field = workbench.panel.locator('#low-below input');
    await field.fill('2,500');
    await field.press('Enter');
    await workbench.panel.locator('.saved').waitFor();
    const settings = await stage.sandbox.ask(paths.settings(orgId), stage.sandbox.tokens.admin);
    const { low_balance_threshold_ucr } = OrgSettings.parse(await settings.json());
    assert.equal(low_balance_threshold_ucr, 2_500_000_000);
    await workbench.close();
  });

  it('T20 a member is offered no way to buy or to manage billing', async () => {
    const workbench = await open('member');
    const rows = await workbench.findInPalette('Credits:', 'Credits: Export Usage as CSV');
    const offered = await rows.allInnerTexts();
    assert.ok(!offered.some(text => /Buy Credits|Manage Billing/.test(text)), offered.join(' | '));
    await workbench.close();
  });

  async function open(who: 'admin' | 'member'): Promise<Workbench> {
    const seat = await stage.seat({ name: `${who}-${seats++}`, token: stage.sandbox.tokens[who] });
    const workbench = await Workbench.open(stage.browser, seat);
    await workbench.waitForStatus('the status bar shows the balance', text => /^[\d,]+$/.test(text), 60_000);
    return workbench;
  }

  let seats = 0;

  async function pick(workbench: Workbench, label: string): Promise<void> {
    const row = workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: label });
    await row.waitFor();
    await row.click();
  }
});
