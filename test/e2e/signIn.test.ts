// Signing in by hand, as a person does it: every mistake is told in the box where it was made.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readBalance, type Sandbox } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { out } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';

describe('signing in', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};
  let sandbox: Sandbox;
  let workbench: Workbench;

  before(async function () {
    this.timeout(180_000);
    stage = await openStage({ name: 'e2e-sign-in', balance: 9, rate: 100 });
    closeStage = stage.close;
    sandbox = stage.sandbox;
    const seat = await stage.seat({ name: 'stranger', token: '', settings: { 'credits.serverUrl': '' } });
    workbench = await Workbench.open(stage.browser, seat);
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  it('says "sign in" and shows no figure to someone who is signed out', async () => {
    const text = await workbench.waitForStatus(
      'the status bar asks to sign in',
      seen => /sign in/i.test(seen),
      30_000,
    );
    assert.doesNotMatch(text, /\d/);
  });

  it('refuses a server address that is not https', async () => {
    await workbench.clickStatus();
    await answer('http://credits.example.com');
    await expectProblem(/must begin with https/);
  });

  it('says so when a web page answers instead of a credits server', async () => {
    // The payment side has pages, and none of them is the credits API.
    await answer(`${sandbox.payApiUrl}/checkout/nothing-here`);
    await expectProblem(/web page|not one a credits server gives|not found/i);
  });

  it('says so when a token is not accepted, and keeps the box open', async () => {
    await answer(sandbox.serverUrl);
    await workbench.passOverBrowserSignIn();
    await eventually(
      'the box asks for the token',
      () => workbench.page.locator('.quick-input-widget').innerText(),
      text => text.includes('Access token'),
    );
    await answer(`crd_pat_${'x'.repeat(32)}`);
    await expectProblem(/does not accept this token/);
    await workbench.screenshot(join(out, 'e2e', 'wrong-token.png'));
    assert.match(await workbench.statusText(), /sign in/i);
  });

  it('shows the balance, with its fraction when it is small, once the token is right', async () => {
    await answer(sandbox.tokens.member);
    const text = await workbench.waitForStatus(
      'the status bar shows the balance',
      seen => /\d/.test(seen),
      20_000,
    );
    assert.equal(text, (await readBalance(sandbox)).toLocaleString('en-US'));
  });

  async function answer(text: string): Promise<void> {
    const box = workbench.page.locator('.quick-input-widget input');
    await box.first().waitFor();
    await box.first().fill(text);
    await workbench.page.keyboard.press('Enter');
  }

  async function expectProblem(problem: RegExp): Promise<void> {
    await eventually(
      `the box says ${problem}`,
      () => workbench.page.locator('.quick-input-widget').innerText(),
      text => problem.test(text),
    );
  }
});
