import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { lastReading } from '../../../src/core/balance.ts';
import { settled } from '../../support/clock.ts';
import { balance, problem, unreachable } from '../../support/scriptedServer.ts';
import { House, type Window } from '../../support/windows.ts';

const shown = ({ store }: Window) => lastReading(store.state.balance)?.snapshot.available_ucr;

async function five(house = new House()) {
  for (let nth = 0; nth < 5; nth++) {
    house.open();
  }
  await house.clock.advance(4_000);
  return house;
}

const changed = (house: House, version: number, available_ucr: number) => {
  house.server.balance = balance({ version, available_ucr });
  house.server.emit('balance.updated', {
    version,
    available_ucr,
    level: 'ok',
    as_of: '2026-11-22T12:00:00Z',
  });
};

describe('five windows', function () {
  this.timeout(60_000);

  it('F37 are one to the server: one stream, one question, one number', async () => {
    const house = await five();
    equal(house.leaders.length, 1);
    equal(house.streams.size, 1);
    ok(house.asked() <= 2, `${house.asked()} questions`);
    equal(house.server.count(/purchase-options$/), 1);
    deepEqual(new Set(house.windows.map(shown)), new Set([5_218_000_000]));
    ok(house.windows.every(({ store }) => store.state.options?.can_purchase));
  });

  it('F37 all show a change at most 2 s later, with no help of the file system', async () => {
    const house = await five();
    changed(house, 2, 10_218_000_000);
    await house.clock.advance(2_000);
    deepEqual(house.windows.map(shown), Array(5).fill(10_218_000_000));
  });

  it('F37 show it at once where the file system tells', async () => {
    const house = await five();
    house.folder.tells = true;
    changed(house, 2, 10_218_000_000);
    await settled();
    await settled();
    deepEqual(house.windows.map(shown), Array(5).fill(10_218_000_000));
  });

  it('F37 ask nothing over ten idle minutes', async () => {
    const house = await five();
    const before = house.server.seen.length;
    for (let beat = 0; beat < 30; beat++) {
      await house.clock.advance(20_000);
      house.server.beat();
    }
    equal(house.server.seen.length, before);
    equal(house.leaders.length, 1);
  });

  it('F37 without a stream ask as often as one does, also when the leader is not the one looked at', async () => {
    const house = new House();
    house.server.hasEvents = false;
    await five(house);
    const [leader] = house.leaders;
    for (const window of house.windows) {
      window.attention.isFocused = false;
    }
    const other = house.windows.find(window => window !== leader);
    other?.attention.comeBack();
    const before = house.asked();
    await house.clock.advance(10 * 60_000);
    const asked = house.asked() - before;
    ok(asked >= 7 && asked <= 11, `${asked} questions`);
  });

  it('F37 a person may ask from any of them, and all see the answer', async () => {
    const house = await five();
    const follower = house.windows.find(({ lease }) => !lease.isHeld);
    house.server.balance = balance({ version: 3, available_ucr: 7 });
    await follower?.store.refresh();
    await house.clock.advance(2_000);
    deepEqual(house.windows.map(shown), Array(5).fill(7));
  });

  it('F37 a hint from any of them makes one question', async () => {
    const house = await five();
    const before = house.asked();
    house.server.balance = balance({ version: 3, available_ucr: 7 });
    for (let burst = 0; burst < 20; burst++) {
      for (const { windows } of house.windows) {
        windows.hint();
      }
    }
    await house.clock.advance(5_000);
    ok(house.asked() - before <= 3, `${house.asked() - before} questions`);
    deepEqual(house.windows.map(shown), Array(5).fill(7));
  });

  it('F38 are led by another within 30 s when the leader is killed', async () => {
    const house = await five();
    const [leader] = house.leaders;
    leader?.kill();
    await house.clock.advance(25_000);
    equal(house.leaders.length, 1);
    equal(house.streams.size, 1);
    changed(house, 2, 42);
    await house.clock.advance(2_000);
    deepEqual(house.living.map(shown), Array(4).fill(42));
  });

  it('F38 ask for the stream alone when another takes over, and for what the stream tells that is new', async () => {
    const house = await five();
    const asked = async () => {
      const before = house.server.seen.length;
      house.leaders[0]?.kill();
      await house.clock.advance(30_000);
      equal(house.leaders.length, 1);
      return house.server.seen.slice(before).map(({ path }) => path.split('/').at(-1));
    };
    deepEqual(await asked(), ['events']);
    house.server.balance = balance({ version: 2, available_ucr: 42_000_000 });
    deepEqual(await asked(), ['events', 'balance']);
    deepEqual(house.living.map(shown), Array(3).fill(42_000_000));
  });

  it('F38 ask for the balance where the one who takes over gets no stream', async () => {
    const house = await five();
    house.server.instead = ({ path }) => (path.endsWith('/events') ? problem(503, 'unavailable') : undefined);
    const before = house.asked();
    house.leaders[0]?.kill();
    house.server.balance = balance({ version: 2, available_ucr: 42_000_000 });
    await house.clock.advance(30_000);
    equal(house.asked(), before + 1);
    deepEqual(house.living.map(shown), Array(4).fill(42_000_000));
  });

  it('F38 are led by another within 3 s when the leader is closed', async () => {
    const house = await five();
    await house.leaders[0]?.close();
    await house.clock.advance(3_000);
    equal(house.leaders.length, 1);
    equal(house.streams.size, 1);
  });

  it('F38 a window looked at after a kill asks at once when its figure is old, before it leads', async () => {
    const house = new House();
    const only = house.open();
    await house.clock.advance(4_000);
    only.kill();
    await house.clock.advance(5_000);
    const soon = house.open();
    soon.attention.isFocused = true;
    await house.clock.advance(1_000);
    equal(house.asked(), 1, 'a figure 9 s old is young enough');
    soon.kill();
    await house.clock.advance(60_000);
    house.server.balance = balance({ version: 2, available_ucr: 7 });
    const later = house.open();
    later.attention.isFocused = true;
    await house.clock.advance(1_000);
    equal(shown(later), 7);
    ok(!later.lease.isHeld, 'it does not lead yet');
  });

  it('F38 do not keep two leaders when one that stood still comes back', async () => {
    const house = await five();
    const [leader] = house.leaders;
    // Another has taken over while it was stopped: the file is no longer its own.
    house.folder.files.set('lease.v1.json', JSON.stringify({ holder: 'someone', beat: 1_000 }));
    await house.clock.advance(2_000);
    equal(leader?.lease.isHeld, false);
    equal(house.leaders.length, 0);
    await house.clock.advance(25_000);
    equal(house.leaders.length, 1);
  });

  it('F38 keep the leader that is late by 12 s, and one late by more where all are late', async () => {
    for (const { lateMs, stillMs } of [
      { lateMs: 0, stillMs: 12_000 },
      { lateMs: 2_500, stillMs: 24_000 },
    ]) {
      const house = await five();
      const [leader] = house.leaders;
      house.lateMs = lateMs;
      for (let time = 0; time < 3; time++) {
        leader?.standStill();
        await house.clock.advance(stillMs);
        leader?.goOn();
        await house.clock.advance(8_000);
        house.server.beat();
        deepEqual(house.leaders, [leader]);
      }
      equal(house.streamsOpened, 1);
    }
  });

  it('F38 have two streams for some seconds at most, when a leader that stood still too long goes on', async () => {
    const house = await five();
    const [leader] = house.leaders;
    leader?.standStill();
    await house.clock.advance(25_000);
    equal(house.leaders.length, 1);
    leader?.goOn();
    await house.clock.advance(2_000);
    equal(house.leaders.length, 1);
    equal(house.streams.size, 1);
  });

  it('F38 do not each go on alone because one look at the folder failed', async () => {
    const house = await five();
    for (let time = 0; time < 5; time++) {
      house.folder.fails = true;
      await house.clock.advance(1_600);
      house.folder.fails = false;
      await house.clock.advance(5_000);
      house.server.beat();
    }
    equal(house.leaders.length, 1);
    equal(house.streamsOpened, 1);
  });

  it('F9 F37 ask together when the machine wakes after 8 h, not each for itself', async () => {
    const house = await five();
    const before = house.asked();
    house.clock.sleep(8 * 3_600_000);
    await house.clock.advance(100);
    for (const window of house.windows) {
      window.attention.comeBack();
    }
    await house.clock.advance(10_000);
    equal(house.leaders.length, 1);
    equal(house.streams.size, 1);
    equal(house.asked() - before, 1);
  });

  it('F43 are not disturbed by a wall clock set a day ahead or back', async () => {
    const house = await five();
    const [leader] = house.leaders;
    const before = house.server.seen.length;
    for (const byMs of [86_400_000, -2 * 86_400_000, 3_600_000]) {
      house.clock.setWall(byMs);
      await house.clock.advance(10_000);
      house.server.beat();
      deepEqual(house.leaders, [leader]);
    }
    equal(house.server.seen.length, before);
  });

  it('F12 wait together when one was told to wait, a window that opens later too', async () => {
    const house = await five();
    house.server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '600' });
    await house.windows[3]?.store.refresh();
    await house.clock.advance(2_000);
    const before = house.asked();
    house.open();
    await house.clock.advance(2_000);
    for (const { store } of house.windows) {
      await store.refresh();
    }
    await house.clock.advance(9 * 60_000);
    equal(house.asked(), before);
    house.server.instead = undefined;
    await house.clock.advance(60_000);
    await house.windows[0]?.store.refresh();
    ok(house.asked() > before);
  });

  it('F12 a pause outlives a sign-out and a sign-in', async () => {
    const house = await five();
    house.server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '600' });
    const [window] = house.windows;
    await window?.store.refresh();
    house.server.instead = undefined;
    const signIn = window?.sessions.current;
    window?.sessions.set(undefined);
    await house.clock.advance(2_000);
    const before = house.asked();
    window?.sessions.set(signIn && { ...signIn });
    await house.clock.advance(2_000);
    await window?.store.refresh();
    equal(house.asked(), before);
  });

  it('F12 a pause is not made longer by a wall clock set back', async () => {
    const house = await five();
    house.server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '60' });
    await house.windows[3]?.store.refresh();
    house.server.instead = undefined;
    house.clock.setWall(-86_400_000);
    const late = house.open();
    await house.clock.advance(62_000);
    const before = house.asked();
    await late.store.refresh();
    equal(house.asked(), before + 1);
  });

  it('show together that the server is not reached, and that it is again', async () => {
    const house = await five();
    house.server.instead = () => Promise.reject(unreachable());
    house.leaders[0]?.attention.comeBack();
    await house.clock.advance(40_000);
    const [leader] = house.leaders;
    leader?.attention.leave();
    leader?.attention.comeBack();
    await house.clock.advance(3_000);
    deepEqual(new Set(house.windows.map(({ store }) => store.state.balance.kind)), new Set(['stale']));
    house.server.instead = undefined;
    await leader?.store.refresh();
    await house.clock.advance(3_000);
    deepEqual(new Set(house.windows.map(({ store }) => store.state.balance.kind)), new Set(['known']));
  });

  it('T5 keep no token in what they share', async () => {
    const house = await five();
    await house.windows[2]?.checkout.buy({ amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 });
    equal(house.folder.text.includes('crd_pat_canary'), false);
  });

  it('do nothing at all while signed out', async () => {
    const house = new House();
    house.open({ isSignedIn: false });
    house.open({ isSignedIn: false });
    await house.clock.advance(3_600_000);
    equal(house.server.seen.length, 0);
    equal(house.clock.pending, 0);
    equal(house.folder.files.size, 0);
  });

  it('each stand alone where they share no folder', async () => {
    const house = new House();
    house.folder.isShared = Promise.resolve(false);
    await five(house);
    equal(house.leaders.length, 5);
    equal(house.streams.size, 5);
  });

  it('F9 go on as before when a machine wakes on which each stands alone', async () => {
    const house = new House();
    house.folder.isShared = Promise.resolve(false);
    const window = house.open();
    await house.clock.advance(1_000);
    const told: boolean[] = [];
    window.lease.onDidChange(isHeld => told.push(isHeld));
    house.clock.sleep(8 * 3_600_000);
    equal(window.lease.isHeld, false, 'not sure yet');
    await house.clock.advance(5_000);
    equal(window.lease.isHeld, true);
    deepEqual(told, [true]);
  });

  it('each go on alone when the folder fails', async () => {
    const house = await five();
    house.folder.fails = true;
    await house.clock.advance(6_000);
    equal(house.leaders.length, 5);
    house.folder.fails = false;
    await house.clock.advance(20_000);
    equal(house.leaders.length, 1);
  });

  it('F32 start anew from damaged files', async () => {
    const house = new House();
    for (const name of ['lease', 'balance', 'pause', 'wish', 'purchase']) {
      house.folder.files.set(`${name}.v1.json`, '{"holder":7');
    }
    await five(house);
    equal(house.leaders.length, 1);
    deepEqual(house.windows.map(shown), Array(5).fill(5_218_000_000));
  });

  it('F33 leave the files of a newer version alone', async () => {
    const house = new House();
    house.folder.files.set('lease.v2.json', 'theirs');
    house.folder.files.set('balance.v2.json', 'theirs');
    await five(house);
    equal(house.folder.files.get('lease.v2.json'), 'theirs');
    equal(house.folder.files.get('balance.v2.json'), 'theirs');
  });

  it('F37 F38 whatever is opened, closed or killed, come to one leader and one stream', async () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constantFrom('open', 'close', 'kill', 'killLeader', 'focus'), nth: fc.nat(6) }),
      fc.record({ kind: fc.constant('wait'), nth: fc.nat(12_000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 12 }), async acts => {
        const house = new House();
        house.open();
        for (const { kind, nth } of acts) {
          const { living } = house;
          const one = living[nth % Math.max(1, living.length)];
          if (kind === 'open' && living.length < 6) {
            house.open();
          } else if (kind === 'close') {
            await Promise.race([one?.close(), settled()]);
          } else if (kind === 'kill') {
            one?.kill();
          } else if (kind === 'killLeader') {
            house.leaders[0]?.kill();
          } else if (kind === 'focus') {
            one?.attention.comeBack();
          } else {
            await house.clock.advance(nth);
          }
        }
        house.open();
        house.server.beat();
        await house.clock.advance(24_000);
        equal(house.leaders.length, 1);
        equal(house.streams.size, 1);
        changed(house, 9, 99);
        await house.clock.advance(2_500);
        deepEqual(new Set(house.living.map(shown)), new Set([99]));
      }),
      { numRuns: 25, seed: 4 },
    );
  });
});

describe('a purchase and several windows', function () {
  this.timeout(20_000);
  const fifty = { amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 };

  it('F41 begun in one is found by Buy in another, at once', async () => {
    const house = await five();
    await house.windows[1]?.checkout.buy(fifty);
    const second = await house.windows[3]?.checkout.buy(fifty);
    equal(second?.kind, 'alreadyPending');
    equal(house.server.orders.size, 1);
  });

  it('F41 begun in one is shown by all, and its end is told once', async () => {
    const house = await five();
    await house.windows[1]?.checkout.buy(fifty);
    await house.clock.advance(2_000);
    ok(house.windows.every(({ checkout }) => checkout.pending?.phase === 'waiting'));
    house.server.credit();
    house.server.emit('purchase.updated', { id: 'pur_1', status: 'credited', balance_version: 2 });
    await house.clock.advance(20_000);
    equal(house.told.length, 1);
    ok(house.windows.every(({ checkout }) => checkout.pending === undefined));
    deepEqual(house.windows.map(shown), Array(5).fill(10_218_000_000));
  });

  it('F27 F38 of a killed window is followed to its end by another', async () => {
    const house = await five();
    const buyer = house.windows[1];
    await buyer?.checkout.buy(fifty);
    buyer?.kill();
    await house.clock.advance(20_000);
    house.server.credit();
    house.server.emit('purchase.updated', { id: 'pur_1', status: 'credited', balance_version: 2 });
    await house.clock.advance(20_000);
    equal(house.told.length, 1);
    equal(house.server.orders.size, 1);
  });

  it('F27 F38 of a killed window is followed by the leader without a stream too', async () => {
    const house = new House();
    house.server.hasEvents = false;
    await five(house);
    const buyer = house.windows.find(({ lease }) => !lease.isHeld);
    await buyer?.checkout.buy(fifty);
    buyer?.kill();
    house.server.credit();
    await house.clock.advance(60_000);
    equal(house.told.length, 1);
  });

  it('F37 is not asked for by the clock in windows that have nothing to do with it', async () => {
    const house = new House();
    house.server.hasEvents = false;
    await five(house);
    await house.windows[1]?.checkout.buy(fifty);
    await house.clock.advance(60_000);
    const asked = house.server.count(/purchases\/pur_1$/);
    ok(asked >= 15 && asked <= 45, `${asked} questions`);
  });

  it('T32 F41 pressed in two at the same moment makes two orders with a key each, and no third', async () => {
    const house = await five();
    await Promise.all([house.windows[1]?.checkout.buy(fifty), house.windows[3]?.checkout.buy(fifty)]);
    await house.clock.advance(60_000);
    ok(house.server.orders.size <= 2);
    const keys = house.server.seen.filter(({ method }) => method === 'POST');
    equal(keys.length, house.server.orders.size);
  });
});
