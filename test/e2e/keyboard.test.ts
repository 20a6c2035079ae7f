// The whole journey by keyboard in a real workbench, from opening the panel to the credits; and what has been typed
// outlives a reload of the window.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { readBalance } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { type Seat, Workbench } from '../../scripts/support/workbench.ts';

describe('by keyboard alone', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};
  let seat: Seat;
  let workbench: Workbench;

  before(async function () {
    this.timeout(180_000);
    stage = await openStage({ name: 'e2e-keyboard', balance: 5218, rate: 100 });
    closeStage = stage.close;
    seat = await stage.seat({ name: 'admin', token: stage.sandbox.tokens.admin });
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  beforeEach(async () => {
    workbench = await Workbench.open(stage.browser, seat);
    await workbench.waitForStatus('the status bar shows the balance', text => /^[\d,]+$/.test(text), 60_000);
  });

  afterEach(() => workbench.close());

  it('opens the panel, types an amount, pays, and sees it credited', async () => {
    const { keyboard } = workbench.page;
    const before = await readBalance(stage.sandbox);
    await openPanel();
    await tabTo('the field for an amount', '#custom-amount');
    await keyboard.type('$75');
    const opening = workbench.context.waitForEvent('page');
    opening.catch(() => {});
    await keyboard.press('Enter');
    const payment = await opening;
    await payment.getByRole('button', { name: /^Pay/ }).focus();
    await payment.keyboard.press('Enter');
    const expected = (before + 7500).toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${expected}`, text => text === expected, 45_000);
    await eventually(
      'the panel says what was added',
      () => workbench.panelNotice(),
      text => text.startsWith('7,500 credits added'),
    );
    assert.equal(await readBalance(stage.sandbox), before + 7500);
  });

  it('as a member asks an admin, with the request in the clipboard', async () => {
    const member = await stage.seat({ name: 'member', token: stage.sandbox.tokens.member });
    await workbench.close();
    workbench = await Workbench.open(stage.browser, member);
    await workbench.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await workbench.waitForStatus('the status bar shows the balance', text => /^[\d,]+$/.test(text), 60_000);
    await openPanel('.blocked');
    assert.equal(await workbench.buyingControls.count(), 0);
    await tabTo('the button that asks', '.blocked vscode-button');
    await workbench.page.keyboard.press('Enter');
    await eventually(
      'the panel says that the request was copied',
      () => workbench.panelNotice(),
      text => text.startsWith('The request was copied.'),
    );
    const request = await workbench.page.evaluate(() => navigator.clipboard.readText());
    assert.match(request, /^Could you add credits for /);
  });

  it('clears the amount by Escape, and steps it by the arrows', async () => {
    const { keyboard } = workbench.page;
    await openPanel();
    await tabTo('the field for an amount', '#custom-amount');
    await keyboard.type('75');
    await keyboard.press('ArrowUp');
    await expectTyped('76');
    await keyboard.press('Shift+ArrowDown');
    await expectTyped('66');
    await keyboard.press('Escape');
    await expectTyped('');
  });

  it('keeps the typed amount over a reload of the window', async () => {
    await openPanel();
    await tabTo('the field for an amount', '#custom-amount');
    await workbench.page.keyboard.type('123');
    await workbench.waitForPanel('the amount is understood', text => /= 12,300 credits/.test(text));
    await eventually(
      'the editor has written it down',
      () => leaveWindow('123'),
      kept => kept,
    );
    await workbench.reload();
    await workbench.panel.locator('#custom-amount').waitFor({ timeout: 60_000 });
    await expectTyped('123');
  });

  async function openPanel(shows = '#custom-amount'): Promise<void> {
    await workbench.run('Credits: Open Credits');
    await workbench.panel.locator(shows).waitFor();
    // A page just opened is in front, and takes the keys once it has been given the focus by the editor.
    await eventually(
      'the page has the keyboard',
      () => workbench.panel.locator('body').evaluate(() => document.hasFocus()),
      has => has,
    );
  }

  /** An editor in a browser writes down what is open when its window is left; whether that with `typed` in it is there. */
  async function leaveWindow(typed: string): Promise<boolean> {
    return workbench.page.evaluate(async text => {
      for (const hasFocus of [true, false]) {
        document.hasFocus = () => hasFocus;
        window.dispatchEvent(new Event(hasFocus ? 'focus' : 'blur'));
      }
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const kept: string[] = [];
      for (const { name } of await indexedDB.databases()) {
        if (name?.startsWith('vscode-web-state-db')) {
          const database = await done(indexedDB.open(name));
          kept.push(
            ...(await done(database.transaction('ItemTable').objectStore('ItemTable').getAll())).map(String),
          );
          database.close();
        }
      }
      // As JSON within JSON: whole, because the digits alone are also in ids and times.
      const draft = new RegExp(String.raw`"typed\\*":\\*"${text}\\*"`);
      return kept.some(value => value.includes('credits.panel') && draft.test(value));
    }, typed);
  }

  async function tabTo(what: string, selector: string): Promise<void> {
    await eventually(
      `Tab leads to ${what}`,
      async () => {
        await workbench.page.keyboard.press('Tab');
        return workbench.panel
          .locator('body')
          .evaluate((_, wanted) => document.activeElement?.matches(wanted) ?? false, selector);
      },
      there => there,
    );
  }

  async function expectTyped(text: string): Promise<void> {
    await eventually(
      `the field holds "${text}"`,
      () => workbench.panel.locator('#custom-amount input').inputValue(),
      held => held === text,
    );
  }
});
