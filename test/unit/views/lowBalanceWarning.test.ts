import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import type { Balance, Budget } from '../../../protocol/api.ts';
import { claim } from '../../../src/core/claim.ts';
import { SharedFile } from '../../../src/core/sharedState.ts';
import { readWarned } from '../../../src/core/warnings.ts';
import type { AdminRequest } from '../../../src/views/askAdmin.ts';
import { settled } from '../../support/clock.ts';
import { account } from '../../support/core.ts';
import { balance, options, problem } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { House, type Window } from '../../support/windows.ts';
import { alone, World } from '../../support/wired.ts';

const { LowBalanceWarning } = await import('../../../src/views/lowBalanceWarning.ts');
const { askAdmin } = await import('../../../src/views/askAdmin.ts');
const { Notices } = await import('../../../src/views/notices.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { did } = fake;

const used = (
  percent: number,
  version: number,
  more: { period?: string; left?: number; org?: string } = {},
) =>
  balance({
    version,
    available_ucr: (more.left ?? 100 - percent) * 1_000_000,
    usage: { basis: 'period', period_id: more.period ?? 'p1', used_ucr: percent, total_ucr: 100 },
  });

async function set(world = new World(), given: { isReset?: boolean; claim?: () => Promise<boolean> } = {}) {
  if (given.isReset !== false) {
    did.reset();
  }
  const editor = world.start();
  const acts: string[] = [];
  const warning = new LowBalanceWarning({
    store: editor.store,
    settings: new Settings(),
    attention: editor.attention,
    leading: alone,
    warned: new SharedFile(world.folder, 'warned.v1', readWarned),
    claim: given.claim ?? (key => claim(key, { folder: world.folder, windowId: 'w1', clock: world.clock })),
    purchases: editor.checkout,
    open: () => acts.push('open'),
    ask: ({ kind }) => acts.push(`ask for ${kind}`),
    clock: world.clock,
    log: editor.log,
    locale: 'en',
  });
  await settled();
  let version = world.server.balance.version;
  const reach = async (percent: number, more?: Parameters<typeof used>[2]) => {
    version++;
    world.server.balance = used(percent, version, more);
    await editor.store.refresh();
    await world.clock.advance(500);
  };
  return { world, ...editor, warning, acts, reach };
}

const texts = () => did.messages.map(({ text }) => text);

describe('the low-balance warning', () => {
  it('is silent at first, then tells 90 % once, with what is left and whose it is', async () => {
    const { reach } = await set();
    await reach(60);
    await reach(90);
    await reach(92);
    deepEqual(texts(), ['Analytical Engines has used 90 % of its credits for this period: 10 credits left.']);
  });

  it('F40 is not told again after a restart', async () => {
    const world = new World();
    const first = await set(world);
    await first.reach(90);
    equal(did.messages.length, 1);
    first.stop();
    first.warning.dispose();
    const second = await set(world, { isReset: false });
    await second.reach(93);
    equal(did.messages.length, 1);
  });

  it('d-10 waits for no notification: the next threshold is told while the first is still open', async () => {
    const { reach } = await set();
    did.answer = () => {
      throw new Error('never closed');
    };
    did.answer = (() => new Promise(() => undefined)) as unknown as typeof did.answer;
    await reach(90);
    await reach(100, { left: 0 });
    deepEqual(texts(), [
      'Analytical Engines has used 90 % of its credits for this period: 10 credits left.',
      'Analytical Engines has no credits left. AI requests may stop until credits are added.',
    ]);
  });

  it('lets an admin buy, and a member ask', async () => {
    const admin = await set();
    did.answer = ({ actions }) => actions[0];
    await admin.reach(90);
    deepEqual(did.messages[0]?.actions, ['Buy Credits', 'Remind Me Later', "Don't Warn Again"]);
    deepEqual(admin.acts, ['open']);
    const world = new World();
    world.server.options = options({ can_purchase: false, blocked_reason: 'not_admin' });
    const member = await set(world);
    did.answer = ({ actions }) => actions[0];
    await member.reach(90);
    deepEqual(did.messages[0]?.actions, ['Ask an Admin', 'Remind Me Later', "Don't Warn Again"]);
    await member.reach(100, { left: 5 });
    deepEqual(did.messages[1]?.actions, ['Remind Me Later', "Don't Warn Again"], 'asked a moment ago');
    deepEqual(member.acts, ['ask for credits']);
  });

  it('sends an admin whose buying is paused to the panel, which says why, and to nobody else', async () => {
    for (const blocked_reason of ['past_due', 'daily_limit', 'payments_unavailable']) {
      const world = new World();
      world.server.options = options({ can_purchase: false, blocked_reason });
      const { reach, acts } = await set(world);
      did.answer = ({ actions }) => actions[0];
      await reach(90);
      deepEqual(did.messages[0]?.actions, ['Open Credits', 'Remind Me Later', "Don't Warn Again"]);
      deepEqual(acts, ['open']);
    }
  });

  it('names what is used by now, however far beyond the limit that was passed', async () => {
    const { reach } = await set();
    await reach(60);
    await reach(97);
    deepEqual(texts(), ['Analytical Engines has used 97 % of its credits for this period: 3 credits left.']);
  });

  it('tells each time that a top-up is used up, though the measure of the plan comes back', async () => {
    const { world, store } = await set();
    let version = 1;
    const show = async (period_id: string, used_ucr: number) => {
      world.server.balance = balance({
        version: ++version,
        available_ucr: (100 - used_ucr) * 1_000_000,
        usage: { basis: 'period', period_id, used_ucr, total_ucr: 100 },
        stopped_by: used_ucr < 100 ? null : { kind: 'balance', budget_id: null },
      });
      await store.refresh();
      await world.clock.advance(500);
    };
    await show('plan', 50);
    for (let topUp = 1; topUp <= 4; topUp++) {
      await show('plan', 100);
      await show('plan', 100);
      await show(`top_up_${topUp}`, 0);
      await show(`top_up_${topUp}`, 50);
    }
    const told = texts().filter(text => text.includes('has no credits left'));
    equal(told.length, 4);
  });

  it('d-9 is silent on every other refresh while low', async () => {
    const { reach, store } = await set();
    await reach(90);
    for (let round = 0; round < 20; round++) {
      await store.refresh();
    }
    equal(did.messages.length, 1);
  });

  it('d-39 says nothing at a refusal that is not about credits', async () => {
    const { world, reach, store } = await set();
    await reach(89);
    for (const answer of [
      () => problem(403, 'insufficient_role'),
      () => problem(429, 'rate_limited'),
      () => problem(500, 'internal_error'),
    ]) {
      world.server.instead = answer;
      await store.refresh();
    }
    equal(did.messages.length, 0);
  });

  it('is quiet when switched off, and does not catch up when switched on', async () => {
    const { reach } = await set();
    did.settings.set('lowBalanceWarnings', { globalValue: false });
    await reach(90);
    did.settings.set('lowBalanceWarnings', { globalValue: true });
    await reach(91);
    equal(did.messages.length, 0);
  });

  it('T1 is not switched off by a workspace', async () => {
    const { reach } = await set();
    did.settings.set('lowBalanceWarnings', { workspaceValue: false, defaultValue: true });
    await reach(90);
    equal(did.messages.length, 1);
  });

  it("T11 makes no link of the organisation's name", async () => {
    const world = new World();
    world.server.orgName = '[x](command:y)';
    const editor = await set(world);
    await editor.reach(50);
    await editor.reach(90);
    equal(
      did.messages.every(({ text }) => !/[[\]]|command:/.test(text)),
      true,
    );
  });

  it('names which limit is near: the period, the last top-up, or the figure the person chose', async () => {
    const { world, store } = await set();
    world.server.balance = balance({
      version: 40,
      available_ucr: 30_000_000,
      usage: { basis: 'since_top_up', period_id: 'p1', used_ucr: 92, total_ucr: 100 },
    });
    await store.refresh();
    await world.clock.advance(500);
    did.settings.set('warnWhenCreditsLeft', { globalValue: 20 });
    world.server.balance = balance({ version: 41, available_ucr: 19_000_000, usage: null });
    await store.refresh();
    await world.clock.advance(500);
    deepEqual(texts(), [
      'Analytical Engines has used 92 % of its credits since the last top-up: 30 credits left.',
      'Analytical Engines has fewer than 20 credits left: 19 credits.',
    ]);
  });

  it('tells once that credits are there again, and only after a warning', async () => {
    const { reach } = await set();
    await reach(60);
    await reach(10, { period: 'p2' });
    equal(did.messages.length, 0);
    await reach(95, { period: 'p2' });
    await reach(5, { period: 'p3', left: 95 });
    await reach(6, { period: 'p3', left: 94 });
    deepEqual(texts().slice(1), ['Analytical Engines has credits again: 95 credits left.']);
  });

  it('leads from "Don\'t Warn Again" to the setting', async () => {
    const { reach } = await set();
    const run: unknown[] = [];
    const { executeCommand } = fake.commands;
    fake.commands.executeCommand = async (...parts: unknown[]) => void run.push(parts);
    did.answer = () => "Don't Warn Again";
    await reach(90);
    fake.commands.executeCommand = executeCommand;
    deepEqual(run, [['workbench.action.openSettings', 'credits.lowBalanceWarnings']]);
  });

  const snoozes: ReadonlyArray<readonly [label: string, hours: number, isQuiet: boolean]> = [
    ['In 1 hour', 0.5, true],
    ['In 1 hour', 1.1, false],
    ['Tomorrow', 2, true],
    ['Tomorrow', 25, false],
    ['After the next top-up', 500, true],
  ];
  for (const [label, hours, isQuiet] of snoozes) {
    it(`${isQuiet ? 'is quiet' : 'tells again'} ${hours} h after "${label}"`, async () => {
      const { world, reach } = await set();
      did.answer = () => 'Remind Me Later';
      did.pick = items => (items as Array<{ label: string }>).find(item => item.label === label);
      await reach(90);
      // Hours go by for the wall clock only: the test need not live through them.
      world.clock.setWall(hours * 3_600_000);
      await reach(92);
      equal(did.messages.length, isQuiet ? 1 : 2);
    });
  }

  it('tells a limit of the person’s own anew when it was changed, at once', async () => {
    const { reach, world } = await set();
    const warnings = () => did.messages.filter(({ level }) => level === 'warning');
    const limit = (credits: number) => did.settings.set('warnWhenCreditsLeft', { globalValue: credits });
    limit(60);
    await reach(30);
    await reach(45);
    limit(20);
    await reach(50);
    await reach(85);
    equal(warnings().length, 2, texts().join(' | '));
    limit(0);
    await reach(86);
    limit(15);
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
    await world.clock.advance(500);
    equal(warnings().length, 3, texts().join(' | '));
  });

  it('F17 asks nobody in the name of an organisation that was switched to since', async () => {
    const world = new World();
    world.server.options = options({ can_purchase: false, blocked_reason: 'not_admin' });
    const { reach, sessions, acts } = await set(world);
    let press: (label: string) => void = () => undefined;
    did.answer = (() =>
      new Promise(resolve => {
        press = resolve;
      })) as unknown as typeof did.answer;
    await reach(60);
    await reach(90);
    sessions.set({ account: { ...account, orgId: 'org_2', orgName: 'Babbage Ltd' }, token: 't' });
    await settled();
    press('Ask an Admin');
    await settled();
    deepEqual(acts, ['open']);
  });

  it('F40 tells what was put off for an hour once after it, though nothing worse has come', async () => {
    const { world, reach } = await set();
    did.answer = () => 'Remind Me Later';
    did.pick = items => items[0];
    await reach(90);
    world.clock.setWall(2 * 3_600_000);
    did.answer = () => undefined;
    await reach(91);
    await reach(92);
    world.clock.setWall(48 * 3_600_000);
    await reach(93);
    equal(did.messages.length, 2);
  });

  it('tells after a snooze that what was warned of is over', async () => {
    const { world, reach } = await set();
    did.answer = () => 'Remind Me Later';
    did.pick = items => items[0];
    await reach(90);
    await reach(5, { period: 'p2', left: 95 });
    world.clock.setWall(2 * 3_600_000);
    await reach(6, { period: 'p2', left: 94 });
    equal(did.messages.length, 2);
    ok(texts()[1]?.startsWith('Analytical Engines has credits again'), texts()[1]);
  });

  it('ends "After the next top-up" with the top-up', async () => {
    const { reach } = await set();
    did.answer = () => 'Remind Me Later';
    did.pick = items => (items as Array<{ label: string }>).find(item => item.label.startsWith('After'));
    await reach(90);
    await reach(5, { period: 'p2', left: 95 });
    await reach(91, { period: 'p2' });
    equal(did.messages.filter(({ level }) => level === 'warning').length, 2);
  });

  it('F43 ends a snooze when the wall clock is set back before it', async () => {
    const { world, reach } = await set();
    did.answer = () => 'Remind Me Later';
    did.pick = items => items[0];
    await reach(90);
    world.clock.setWall(-86_400_000);
    await reach(100, { left: 5 });
    equal(did.messages.length, 2);
  });
});

const mine: Budget = {
  id: 'bud_1',
  scope: 'user',
  name: 'Ada',
  limit_ucr: 100_000_000,
  used_ucr: 80_000_000,
  period: 'month',
  period_start: '2026-11-01T00:00:00Z',
  resets_at: '2026-12-01T00:00:00Z',
};

describe('the warning of a budget', () => {
  async function stopped(canBuy: boolean, change: Partial<Balance> = {}) {
    const world = new World();
    world.server.options = options({ can_purchase: canBuy, blocked_reason: canBuy ? null : 'not_admin' });
    world.server.balance = balance({ budgets: [mine], stopped_by: null });
    const editor = await set(world);
    did.answer = ({ actions }) => actions[0];
    world.server.balance = balance({
      version: 2,
      budgets: [{ ...mine, used_ucr: 100_000_000 }],
      stopped_by: { kind: 'budget', budget_id: 'bud_1' },
      ...change,
    });
    await editor.store.refresh();
    await world.clock.advance(500);
    return editor;
  }

  const text =
    'Your budget at Analytical Engines is used up, so your AI requests stop until Dec 1. The organisation itself has 5,218 credits left.';

  it('b-10 lets a member ask for more of the budget, not for credits', async () => {
    const { acts } = await stopped(false);
    deepEqual(did.messages, [
      { level: 'warning', text, actions: ['Ask an Admin', 'Remind Me Later', "Don't Warn Again"] },
    ]);
    deepEqual(acts, ['ask for budget']);
  });

  it('b-10 does not offer credits to an admin, whom they would not help', async () => {
    const { acts } = await stopped(true);
    deepEqual(did.messages, [
      { level: 'warning', text, actions: ['Open Credits', 'Remind Me Later', "Don't Warn Again"] },
    ]);
    deepEqual(acts, ['open']);
  });

  it('b-10 says it of the balance when that is what stops', async () => {
    await stopped(false, {
      available_ucr: 0,
      budgets: [mine],
      stopped_by: { kind: 'balance', budget_id: null },
    });
    deepEqual(texts(), [
      'Analytical Engines has no credits left. AI requests may stop until credits are added.',
    ]);
  });

  it('tells how long credits last, what expires and that the plan is used up, each in words of its own', async () => {
    const { world, store } = await set();
    did.settings.set('warnWhenDaysLeft', { globalValue: 7 });
    const changes: Array<Partial<Balance>> = [
      { runway: { days: 6, low_days: 4, high_days: 9, from_days: 7 } },
      { next_expiry: { at: '2026-11-26T00:00:00Z', amount_ucr: 50_000_000 } },
      {
        included: {
          state: 'available',
          granted_ucr: 1_000_000_000,
          remaining_ucr: 0,
          period_start: '2026-11-01T00:00:00Z',
          resets_at: '2026-12-01T00:00:00Z',
        },
      },
      { budgets: [mine] },
      { budgets: [{ ...mine, used_ucr: 93_000_000 }] },
    ];
    for (const [nth, change] of changes.entries()) {
      world.server.balance = balance({ ...world.server.balance, version: 50 + nth, ...change });
      await store.refresh();
      await world.clock.advance(500);
    }
    deepEqual(texts(), [
      'The credits of Analytical Engines last about 6 days at the present pace: 5,218 credits left.',
      '50 credits of Analytical Engines will expire on Nov 26 unless used.',
      'Analytical Engines has used up the credits its plan includes; add-on credits are next: 5,218 credits left.',
      'Your budget at Analytical Engines is 93 % used: 7 credits left until Dec 1.',
    ]);
  });
});

describe('the low-balance warning and a purchase', () => {
  const order = { amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 };
  const again = () => texts().filter(text => text.includes('has credits again')).length;

  it('leaves it to the purchase to say that credits are there', async () => {
    const { world, checkout, reach } = await set();
    await reach(95);
    await checkout.buy(order);
    world.server.credit();
    await world.clock.advance(60_000);
    equal(world.told.length, 1);
    await reach(1, { period: 'p2' });
    await world.clock.advance(60_000);
    equal(again(), 0);
  });

  it('says it itself when the purchase came to nothing', async () => {
    const { world, checkout, reach } = await set();
    await reach(95);
    await checkout.buy(order);
    await reach(1, { period: 'p2', left: 99 });
    equal(again(), 0);
    await checkout.cancel();
    await world.clock.advance(12_000);
    equal(again(), 1);
  });

  it('leaves it to the purchase in all windows, whichever bought', async () => {
    const { house, reach } = await fiveWarning();
    await reach(95);
    const buyer = house.windows[3];
    ok(buyer);
    await buyer.checkout.buy(order);
    await house.clock.advance(5_000);
    house.server.credit();
    await house.clock.advance(60_000);
    equal(house.told.length, 1);
    equal(again(), 0);
  });
});

describe('asking an administrator', () => {
  async function asking(email: string | null, request?: AdminRequest, change: Partial<Balance> = {}) {
    did.reset();
    const world = new World();
    world.server.balance = balance(change);
    world.server.options = options({ can_purchase: false, contact: { name: 'Grace', email } });
    const { store } = world.start();
    await settled();
    const opened: string[] = [];
    const open = async (url: string) => opened.push(url) > 0;
    did.answer = ({ actions }) => actions[0];
    await askAdmin(
      { store, notices: new Notices(), open, nowMs: () => world.clock.now(), locale: 'en' },
      request,
    );
    return opened;
  }

  it('b-9 offers a mail with the request in it where the server names an address', async () => {
    const [url = '', more] = await asking('grace@navy.example', { kind: 'budget', budget: mine });
    equal(more, undefined);
    ok(
      url.startsWith('mailto:grace@navy.example?subject=AI%20budget%20at%20Analytical%20Engines&body='),
      url,
    );
    equal(
      new URL(url).searchParams.get('body'),
      'Could you raise my AI budget at Analytical Engines? 80 credits of 100 credits are used, and it is renewed on Dec 1.',
    );
    equal(did.clipboard, new URL(url).searchParams.get('body'));
  });

  it('b-10 asks for the budget that stops the person, whichever button was pressed', async () => {
    const budgets = [mine];
    await asking(null, undefined, { budgets, stopped_by: { kind: 'budget', budget_id: 'bud_1' } });
    ok(did.clipboard.startsWith('Could you raise my AI budget at Analytical Engines?'), did.clipboard);
    await asking(null, undefined, { available_ucr: -120_000_000 });
    ok(did.clipboard.includes('? No credits are left. '), did.clipboard);
  });

  it('T12 offers no mail to what is no address, but the request all the same', async () => {
    for (const email of [null, 'x', 'a@b.example?bcc=c@d.example', 'https://attacker.example']) {
      deepEqual(await asking(email), []);
      ok(did.clipboard.startsWith('Could you add credits for Analytical Engines'));
    }
  });
});

/** Windows that wanted to tell, in order. */
const claimants: string[] = [];

function warn(window: Window) {
  const { store, attention, lease, folder, name, log } = window;
  return new LowBalanceWarning({
    store,
    settings: new Settings(),
    attention,
    leading: lease,
    warned: new SharedFile(folder, 'warned.v1', readWarned),
    claim: key => {
      claimants.push(name);
      return claim(key, { folder, windowId: name, clock: window.clock });
    },
    purchases: window.checkout,
    open: () => undefined,
    ask: () => undefined,
    clock: window.clock,
    log,
    locale: 'en',
  });
}

const fiveWarning = () => warningHouse(5);

async function warningHouse(count: number) {
  did.reset();
  claimants.length = 0;
  const house = new House();
  const open = async (more: number) => {
    for (let nth = 0; nth < more; nth++) {
      const window = house.open();
      warn(window);
    }
    await house.clock.advance(5_000);
  };
  await open(count);
  let version = 1;
  const reach = async (percent: number, more?: Parameters<typeof used>[2]) => {
    version++;
    house.server.balance = used(percent, version, more);
    house.server.emit('balance.updated', {
      version,
      available_ucr: house.server.balance.available_ucr,
      level: 'ok',
      as_of: '2026-11-22T12:00:00Z',
    });
    await house.clock.advance(10_000);
    house.server.beat();
  };
  return { house, open, reach };
}

describe('the low-balance warning and five windows', function () {
  this.timeout(60_000);

  for (const where of ['the leader', 'another', 'none', 'all'] as const) {
    it(`F40 is told once when ${where} has the focus`, async () => {
      const { house, reach } = await fiveWarning();
      for (const window of house.windows) {
        const isHere =
          where === 'all' ||
          (where === 'the leader' ? window.lease.isHeld : where === 'another' && window.name === 'w4');
        window.attention.isFocused = isHere && (where !== 'another' || !window.lease.isHeld);
      }
      await reach(60);
      await reach(90);
      await reach(93);
      deepEqual(texts(), [
        'Analytical Engines has used 90 % of its credits for this period: 10 credits left.',
      ]);
    });
  }

  it('F40 is told in the window someone looks at', async () => {
    const { house, reach } = await fiveWarning();
    for (const window of house.windows) {
      window.attention.isFocused = window.name === 'w4';
    }
    await reach(90);
    deepEqual(claimants, ['w4']);
  });

  it('F40 is read again before it is told: a window that was late finds it told', async () => {
    const { world, reach } = await set();
    // With the second lock open, so that the first shows.
    const late = await set(world, { isReset: false, claim: async () => true });
    late.attention.leave();
    await reach(90);
    equal(did.messages.length, 1);
    await late.store.refresh();
    late.attention.comeBack();
    await world.clock.advance(5_000);
    equal(did.messages.length, 1);
  });

  it('F40 is told by nobody whose claim was refused', async () => {
    const { house, reach } = await fiveWarning();
    house.folder.write = async (name, text) => {
      // Someone else decides in the very moment.
      house.folder.files.set(name, text);
      if (/^claim\..*\.w\d\.json$/.test(name)) {
        house.folder.files.set(name.replace(/\.w\d\.json$/, '.json'), '{}');
      }
    };
    await reach(90);
    equal(claimants.length > 0, true);
    equal(did.messages.length, 0);
  });

  it('F40 is told, and once, also where it cannot be noted', async () => {
    const { house, reach } = await fiveWarning();
    const { write } = house.folder;
    house.folder.write = async (name, text) => {
      if (name.startsWith('warned.')) {
        throw new Error('the disk is full');
      }
      await write.call(house.folder, name, text);
    };
    await reach(90);
    await reach(93);
    equal(did.messages.length, 1);
  });

  it('F40 is not told again after all were closed and opened, and again after a top-up and a new crossing', async () => {
    const { house, open, reach } = await fiveWarning();
    await reach(90);
    for (const window of house.living) {
      await Promise.all([window.close(), house.clock.advance(100)]);
    }
    await open(5);
    await reach(92);
    equal(did.messages.length, 1);
    await reach(1, { period: 'p2' });
    await reach(91, { period: 'p2' });
    equal(did.messages.filter(({ level }) => level === 'warning').length, 2);
  });

  it('F40 F38 is told at most once whatever is killed, and exactly once unless its teller was', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(4),
        fc.array(fc.record({ waitMs: fc.nat(4_000), kill: fc.boolean(), nth: fc.nat(4) }), { maxLength: 6 }),
        async (focused, acts) => {
          const { house, open } = await fiveWarning();
          for (const [nth, window] of house.windows.entries()) {
            window.attention.isFocused = nth === focused;
          }
          house.server.balance = used(90, 20);
          house.server.emit('balance.updated', {
            version: 20,
            available_ucr: 1,
            level: 'ok',
            as_of: '2026-11-22T12:00:00Z',
          });
          let kills = 0;
          for (const { waitMs, kill, nth } of acts) {
            await house.clock.advance(waitMs);
            const one = house.living[nth % Math.max(1, house.living.length)];
            if (kill && one) {
              one.kill();
              kills++;
            }
          }
          await open(1);
          await house.clock.advance(30_000);
          await house.leaders[0]?.store.refresh();
          await house.clock.advance(10_000);
          const count = did.messages.length;
          equal(count <= 1, true, `${count} told`);
          if (kills === 0) {
            equal(count, 1);
          }
        },
      ),
      { numRuns: 25, seed: 40 },
    );
  });

  it('F40 is told exactly once for each threshold and period, over 1,000 schedules of windows, focus and restarts', async function () {
    this.timeout(300_000);
    const reading = fc.record({
      percent: fc.constantFrom(5, 50, 76, 89, 90, 95, 100, 104),
      isTopUp: fc.boolean(),
      focused: fc.option(fc.nat(2)),
      isRestart: fc.nat(3).map(one => one === 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(reading, { minLength: 1, maxLength: 5 }), async readings => {
        const { house, open, reach } = await warningHouse(3);
        let period = 1;
        await reach(5, { period: 'p1' });
        // What a person should be told, by counting.
        let highest = 0;
        const expected: string[] = [];
        for (const { percent, isTopUp, focused, isRestart } of readings) {
          if (isTopUp) {
            period++;
            highest = 0;
          }
          if (isRestart) {
            for (const window of house.living) {
              await Promise.all([window.close(), house.clock.advance(100)]);
            }
            await open(3);
          }
          for (const [nth, window] of house.living.entries()) {
            window.attention.isFocused = nth === focused;
          }
          await reach(percent, { period: `p${period}`, left: 50 });
          const reached = percent >= 100 ? 100 : percent >= 90 ? 90 : 0;
          if (reached > highest) {
            highest = reached;
            expected.push(
              reached === 100
                ? 'Analytical Engines has used all its credits for this period: 50 credits left.'
                : `Analytical Engines has used ${percent} % of its credits for this period: 50 credits left.`,
            );
          }
        }
        deepEqual(
          did.messages.filter(({ level }) => level === 'warning').map(({ text }) => text),
          expected,
        );
        for (const window of house.living) {
          window.kill();
        }
      }),
      { numRuns: 1_000, seed: 41 },
    );
  });
});
