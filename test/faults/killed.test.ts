// The extension host killed at each step between "Buy" and the credits, in a real workbench with a real server and
// payment side: one order, one credit, told once.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import type { Purchase } from '../../protocol/api.ts';
import { readBalance } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import type { StartedSeat } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';
import {
  extensionHosts,
  extensionLog,
  type FaultStage,
  isLong,
  kill,
  openFaultStage,
  pay,
  picturesOnFailure,
  purchases,
  requests,
  sessionOf,
  sessions,
  sharedFiles,
  startMs,
} from '../support/faultStage.ts';

/** A dead window's lead is another's after this at the latest. */
const TAKEN_OVER_WITHIN_MS = 30_000;

describe('F27 F28 T32 the extension host killed', () => {
  let stage: FaultStage;
  let close = async (): Promise<void> => {};
  let seat: StartedSeat;
  let workbench: Workbench;
  let was: { balance: number; purchases: number; sessions: number; requests: number; told: number };

  before(async function () {
    this.timeout(startMs);
    stage = await openFaultStage({ name: 'faults-killed', balance: 5218, rate: 100 });
    close = stage.close;
    seat = await stage.seat({ name: 'admin', token: stage.sandbox.tokens.admin });
    workbench = await Workbench.open(stage.browser, seat);
    await showsBalance();
    await workbench.clickStatus();
  });

  after(async function () {
    this.timeout(30_000);
    await close();
  });

  beforeEach(async () => {
    await showsBalance();
    was = {
      balance: await readBalance(stage.sandbox),
      purchases: (await purchases(stage.sandbox)).length,
      sessions: (await sessions(stage.sandbox)).length,
      requests: stage.gate.passed.length,
      told: timesTold(),
    };
    await workbench.chooseAmount(50);
  });

  afterEach(async function () {
    await picturesOnFailure(this, stage.browser);
  });

  it('after the press, before anything was kept: nothing was ordered, and pressing again is the one order', async () => {
    const buy = await workbench.buyButton();
    // Standing still, it cannot get further than having been told.
    for (const pid of extensionHosts(seat)) process.kill(pid, 'SIGSTOP');
    await buy.click();
    await restart();
    await showsBalance();
    assert.equal((await purchases(stage.sandbox)).length, was.purchases, 'nothing was ordered');
    await workbench.chooseAmount(50);
    const opening = workbench.context.waitForEvent('page');
    await press();
    await (await opening).close();
    await payOnce();
    await creditedOnce();
  });

  it('after the intent was kept, before the request arrived: it is sent again with the same key', async () => {
    const held = stage.gate.hold(requests.order, 'request');
    await press();
    const lost = await held.caught;
    assert.equal(keptIntents().length, 1, 'kept before it is sent');
    await restart(() => held.drop());
    await orderArrived(lost.headers['idempotency-key']);
    await payOnce();
    await creditedOnce();
  });

  it('after the request was made, before its answer: the server knows the key again', async () => {
    const held = stage.gate.hold(requests.order, 'answer');
    await press();
    const lost = await held.caught;
    assert.equal((await purchases(stage.sandbox)).length, was.purchases + 1, 'the server has the order');
    await restart(() => held.drop());
    await orderArrived(lost.headers['idempotency-key']);
    await payOnce();
    await creditedOnce();
  });

  it('twice, each time before the answer: the third start still has the same key', async () => {
    const first = stage.gate.hold(requests.order, 'answer');
    await press();
    const lost = await first.caught;
    const second = stage.gate.hold(requests.order, 'answer');
    await restart(() => first.drop());
    await workbench.button('Try again').click();
    await second.caught;
    await restart(() => second.drop());
    await orderArrived(lost.headers['idempotency-key']);
    await payOnce();
    await creditedOnce();
  });

  it('after the answer, while the browser is being asked for the page: the purchase waits, and can be resumed', async () => {
    const asked = await workbench.page.evaluateHandle(() => {
      const state = { times: 0 };
      window.open = () => {
        state.times++;
        return null;
      };
      return state;
    });
    await press();
    await eventually(
      'the editor asks for the page',
      () => asked.evaluate(({ times }) => times),
      n => n > 0,
    );
    await restart();
    await waits();
    const opening = workbench.context.waitForEvent('page');
    await workbench.button('Open payment page').click();
    await (await opening).close();
    await payOnce();
    await creditedOnce();
  });

  it('while the payment page is open: paying there is credited', async () => {
    const opening = workbench.context.waitForEvent('page');
    await press();
    const payment = await opening;
    const button = payment.getByRole('button', { name: /^Pay/ });
    await button.waitFor();
    await restart();
    await waits();
    await button.click({ noWaitAfter: true });
    await creditedOnce();
    await payment.close();
  });

  it('after the payment, before the webhook arrived', async () => {
    const session = await open();
    const asking = stage.gate.hold(requests.purchase, 'request');
    const webhook = stage.gate.hold(requests.webhook, 'request');
    const paid = pay(stage.sandbox, session);
    await webhook.caught;
    assert.equal((await purchases(stage.sandbox))[0]?.status, 'open', 'the server knows of nothing');
    await restart(() => asking.drop());
    webhook.release();
    await paid;
    await creditedOnce();
  });

  it('after the webhook was taken, before the editor has heard of it', async () => {
    const session = await open();
    const asking = stage.gate.hold(requests.purchase, 'request');
    await pay(stage.sandbox, session);
    await creditedAtServer();
    await asking.caught;
    await restart(() => asking.drop());
    await creditedOnce();
  });

  it('after the editor has read that it is credited, before the new balance has come', async () => {
    const session = await open();
    const balance = stage.gate.hold(requests.balance, 'answer');
    let credited = 0;
    const restore = stage.gate.change(requests.purchase, answer => {
      credited += (answer as Purchase).status === 'credited' ? 1 : 0;
      return answer;
    });
    await pay(stage.sandbox, session);
    await balance.caught;
    await eventually(
      'the editor has read the purchase',
      () => credited > 0 && stage.gate.seen(requests.purchase).every(one => !one.isOpen),
      read => read,
    );
    restore();
    assert.equal(timesTold(), was.told, 'nothing is told before the balance includes it');
    await restart(() => balance.drop());
    await creditedOnce();
  });

  it('after it was told: it is not told again', async () => {
    const session = await open();
    await pay(stage.sandbox, session);
    await creditedOnce();
    await restart();
    await showsBalance();
    await workbench.waitForPanel('the panel is there again', text => /Custom amount/.test(text));
    assert.deepEqual(await news(), { notice: 0, toasts: 0 });
    assert.equal(timesTold(), was.told + 1);
  });

  async function press(): Promise<void> {
    await (await workbench.buyButton()).click();
  }

  /** Presses, waits for the payment page, and closes it unpaid. Returns its session. */
  async function open(): Promise<string> {
    const opening = workbench.context.waitForEvent('page');
    await press();
    await (await opening).close();
    await waits();
    return sessionOf((await purchases(stage.sandbox))[0]?.checkout_url);
  }

  /** @param atDeath what becomes of a request that was under way */
  async function restart(atDeath: () => void = () => {}): Promise<void> {
    await kill(extensionHosts(seat));
    atDeath();
    await workbench.reload();
    await workbench.waitForStatus('the extension is there again', text => /\d/.test(text), 30_000);
    await workbench.clickStatus();
  }

  async function waits(): Promise<void> {
    await workbench.waitForPanel('the panel waits', text => /Waiting for payment/.test(text), 30_000);
  }

  /** The order is sent again, at once because the person asks for it, under the key of the one before. */
  async function orderArrived(key: string | undefined): Promise<void> {
    await workbench.waitForPanel('the panel has its card', text => /Starting your purchase/.test(text));
    if (!isLong) {
      const opening = workbench.context.waitForEvent('page');
      await workbench.button('Try again').click();
      await (await opening).close();
    }
    // Left alone, the new window first gives the one before the time to be still alive.
    await workbench.waitForPanel('the panel waits', text => /Waiting for payment/.test(text), 90_000);
    assert.ok(key);
    assert.equal(keys().at(-1), key);
  }

  async function payOnce(): Promise<void> {
    await pay(stage.sandbox, sessionOf((await purchases(stage.sandbox))[0]?.checkout_url));
  }

  async function creditedAtServer(): Promise<void> {
    await eventually(
      'the server has credited it',
      async () => (await purchases(stage.sandbox))[0]?.status,
      status => status === 'credited',
    );
  }

  /** One order here and at the payment side, one credit, one telling, and nothing left behind. */
  async function creditedOnce(): Promise<void> {
    await workbench.waitForStatus(
      'the status bar shows the credits',
      text => text === (was.balance + 5000).toLocaleString('en-US'),
      90_000,
    );
    // Before it looks after a purchase, a new window gives the one before the time to be still alive.
    await eventually('it is told', timesTold, times => times > was.told, { withinMs: TAKEN_OVER_WITHIN_MS });
    await eventually('it is shown', news, ({ notice, toasts }) => notice + toasts > 0);
    assert.ok((await news()).toasts <= 1, 'one notification at most');
    await eventually(
      'nothing is kept any more',
      () => keptIntents().length,
      left => left === 0,
    );
    assert.equal(timesTold(), was.told + 1, 'told once');
    assert.equal(await readBalance(stage.sandbox), was.balance + 5000);
    const all = await purchases(stage.sandbox);
    assert.equal(all.length, was.purchases + 1);
    assert.equal(all[0]?.status, 'credited');
    assert.equal((await sessions(stage.sandbox)).length, was.sessions + 1);
    assert.equal(new Set(keys()).size, 1, 'one key, however often it was sent');
  }

  /** How often the screen says that credits have come: in the panel, and as a notification. */
  async function news(): Promise<{ notice: number; toasts: number }> {
    const count = (texts: readonly string[]) => texts.filter(text => text.includes('credits added')).length;
    return { notice: count([await workbench.panelNotice()]), toasts: count(await workbench.toasts()) };
  }

  function timesTold(): number {
    return extensionLog(seat).split('purchase: credited').length - 1;
  }

  function keptIntents(): string[] {
    return [...sharedFiles(seat).keys()].filter(name => name.startsWith('purchase'));
  }

  function keys(): (string | undefined)[] {
    return stage.gate.passed
      .slice(was.requests)
      .filter(({ method, path }) => method === 'POST' && /\/purchases$/.test(path))
      .map(({ headers }) => headers['idempotency-key']);
  }

  async function showsBalance(): Promise<void> {
    const figure = (await readBalance(stage.sandbox)).toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${figure}`, text => text === figure, 30_000);
  }
});
