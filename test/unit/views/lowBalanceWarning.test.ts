import { deepEqual, equal } from 'node:assert/strict';
import type { SeenByAccount } from '../../../src/core/warnings.ts';
import { settled } from '../../support/clock.ts';
import { MemorySlot } from '../../support/core.ts';
import { balance, options, problem } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { LowBalanceWarning } = await import('../../../src/views/lowBalanceWarning.ts');
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

async function set(
  world = new World(),
  seen = new MemorySlot<SeenByAccount>(),
  given: { isReset?: boolean } = {},
) {
  if (given.isReset !== false) {
    did.reset();
  }
  const editor = world.start();
  const acts: string[] = [];
  const warning = new LowBalanceWarning({
    store: editor.store,
    settings: new Settings(),
    seen,
    buy: () => acts.push('buy'),
    ask: () => acts.push('ask'),
    locale: 'en',
  });
  await settled();
  let version = world.server.balance.version;
  const reach = async (percent: number, more?: Parameters<typeof used>[2]) => {
    version++;
    world.server.balance = used(percent, version, more);
    await editor.store.refresh();
    await settled();
  };
  return { world, ...editor, warning, acts, reach, seen };
}

const texts = () => did.messages.map(({ text }) => text);

describe('the low-balance warning', () => {
  it('is silent at first, then tells 90 % once, with what is left and whose it is', async () => {
    const { reach } = await set();
    await reach(60);
    await reach(90);
    await reach(92);
    deepEqual(texts(), ['Analytical Engines has used 90 % of its credits: 10 credits left.']);
  });

  it('F40 is not told again after a restart', async () => {
    const world = new World();
    const first = await set(world);
    await first.reach(90);
    equal(did.messages.length, 1);
    first.stop();
    first.warning.dispose();
    const second = await set(world, first.seen, { isReset: false });
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
      'Analytical Engines has used 90 % of its credits: 10 credits left.',
      'Analytical Engines has no credits left. AI requests may stop until credits are added.',
    ]);
  });

  it('lets an admin buy, and a member ask', async () => {
    const admin = await set();
    did.answer = ({ actions }) => actions[0];
    await admin.reach(90);
    deepEqual(did.messages[0]?.actions, ['Buy Credits']);
    deepEqual(admin.acts, ['buy']);
    const world = new World();
    world.server.options = options({ can_purchase: false, blocked_reason: 'not_admin' });
    const member = await set(world);
    did.answer = ({ actions }) => actions[0];
    await member.reach(90);
    deepEqual(did.messages[0]?.actions, ['Ask an Admin']);
    deepEqual(member.acts, ['ask']);
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
});
