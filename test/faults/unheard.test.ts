// News that do not arrive: the payment side's webhooks are lost, or the event stream is cut off. The balance comes
// right by itself, with nobody doing anything.
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'mocha';
import { type CreatePurchase, type Purchase, paths } from '../../protocol/api.ts';
import { creditsFor } from '../../protocol/units.ts';
import { orgId, postUsage, readBalance } from '../../scripts/sandbox.ts';
import { Workbench } from '../../scripts/support/workbench.ts';
import {
  type FaultStage,
  isLong,
  openFaultStage,
  pay,
  picturesOnFailure,
  requests,
  sessionOf,
  startMs,
} from '../support/faultStage.ts';

const rate = 100;
const amountMinor = 5_000;
/** As shipped in the long run; shortened where only the way counts. */
const reconcileMs = isLong ? 60_000 : 2_000;
/** Once a minute, up to a quarter later, and a second for the way. */
const pollMs = 75_000 + 1_000;

describe('F49 F63 news that do not arrive', () => {
  let stage: FaultStage;
  let close = async (): Promise<void> => {};
  let workbench: Workbench;

  before(async function () {
    this.timeout(startMs);
    stage = await openFaultStage({
      name: 'faults-unheard',
      balance: 5218,
      rate,
      serverEnvironment: { RECONCILE_MS: String(reconcileMs) },
    });
    close = stage.close;
    const seat = await stage.seat({ name: 'admin', token: stage.sandbox.tokens.admin });
    workbench = await Workbench.open(stage.browser, seat);
    await shows(await readBalance(stage.sandbox), 30_000);
  });

  after(async function () {
    this.timeout(30_000);
    await close();
  });

  afterEach(async function () {
    await picturesOnFailure(this, stage.browser);
  });

  it('F49 with the webhook lost, the server finds the payment, and the status bar shows it within 5 minutes', async function () {
    this.timeout(330_000);
    const { sandbox, gate } = stage;
    const restore = gate.refuse(requests.webhook);
    const before = await readBalance(sandbox);
    // Someone else's purchase: this editor knows of no order it could ask about.
    const body: CreatePurchase = {
      amount_minor: amountMinor,
      currency: 'usd',
      expected_credits_ucr: creditsFor(amountMinor, rate, 'usd'),
    };
    const response = await sandbox.ask(paths.purchases(orgId), sandbox.tokens.admin, {
      method: 'POST',
      headers: { 'idempotency-key': randomUUID() },
      body: JSON.stringify(body),
    });
    const { checkout_url } = (await response.json()) as Purchase;
    const paidMs = performance.now();
    await pay(sandbox, sessionOf(checkout_url));
    await shows(before + 5_000, 300_000);
    report('webhook lost: shown', paidMs);
    restore();
  });

  it('F2 with the event stream cut off, a change is shown within the poll interval and a second', async function () {
    this.timeout(120_000);
    const restore = stage.gate.refuse(requests.events);
    const usedMs = performance.now();
    await postUsage(stage.sandbox, randomUUID(), 18);
    await shows(await readBalance(stage.sandbox), pollMs);
    report('stream cut off: shown', usedMs);
    restore();
  });

  async function shows(balance: number, withinMs: number): Promise<void> {
    const figure = balance.toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${figure}`, text => text === figure, withinMs);
  }

  function report(what: string, sinceMs: number): void {
    console.log(`      ${what} after ${((performance.now() - sinceMs) / 1000).toFixed(1)} s`);
  }
});
