// What went wrong while nobody looked, and comes right by itself: no figure stays unmarked, and nothing waits for a restart.
import { equal, ok } from 'node:assert/strict';
import { lastReading } from '../../../src/core/balance.ts';
import type { CreditsStore } from '../../../src/core/creditsStore.ts';
import { outlook } from '../../../src/core/outlook.ts';
import { settled } from '../../support/clock.ts';
import { signIn } from '../../support/core.ts';
import { balance, html, problem, unreachable } from '../../support/scriptedServer.ts';
import { House } from '../../support/windows.ts';
import { World } from '../../support/wired.ts';

const fifty = { amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 };
const drained = { version: 2, available_ucr: 0, level: 'depleted', as_of: '2026-11-22T12:00:00Z' } as const;

/** Time goes by, and the stream beats as it does. */
async function pass(world: World | House, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 20_000) {
    await world.clock.advance(20_000);
    world.server.beat();
  }
}

const versionOf = (store: CreditsStore) => lastReading(store.state.balance)?.snapshot.version;

describe('what heals by itself', () => {
  it('F1 what may be bought is asked for again when the network was not there at the start', async () => {
    const world = new World();
    world.server.instead = () => {
      throw unreachable();
    };
    const { store } = world.start();
    await settled();
    await world.clock.advance(2_000);
    world.server.instead = undefined;
    await pass(world, 60_000);
    equal(store.state.balance.kind, 'known');
    ok(store.state.options);
  });

  it('F1 is asked for ever more seldom where it alone cannot be had', async () => {
    const world = new World();
    world.server.instead = seen =>
      /purchase-options$/.test(seen.path) ? problem(500, 'internal') : undefined;
    world.start();
    await pass(world, 2 * 3_600_000);
    const asked = world.server.count(/purchase-options$/);
    ok(asked > 5 && asked < 60, String(asked));
  });

  it('polling goes on when its time came while nobody looked', async () => {
    const world = new World();
    const { store, attention } = world.start({ isStreaming: false });
    await settled();
    await world.clock.advance(50_000);
    await store.refresh();
    attention.leave();
    await world.clock.advance(25_500);
    attention.comeBack();
    world.server.balance = balance({ version: 2, available_ucr: 7 });
    await world.clock.advance(90_000);
    equal(versionOf(store), 2);
  });

  it('F1 a window in sight where nobody works does not keep a figure of hours ago as one of now', async () => {
    const world = new World();
    const { store, attention } = world.start();
    await settled();
    attention.leave();
    world.server.instead = () => Promise.reject(unreachable());
    world.server.cutStream();
    await world.clock.advance(900_000);
    equal(store.state.balance.kind, 'stale');
  });

  it('F21 a state of the plan that only a newer server has leaves the rest to be read', async () => {
    const world = new World();
    const { store } = world.start();
    const included = { state: 'paused', until: '2027-01-01T00:00:00Z' } as never;
    world.server.balance = balance({ version: 2, included });
    await settled();
    await store.refresh();
    equal(store.state.balance.kind, 'known');
    equal(lastReading(store.state.balance)?.snapshot.included.state, 'unavailable');
  });

  it('F19 a balance that was told of, and comes much later, is asked for once more', async () => {
    const world = new World();
    const { store } = world.start();
    await settled();
    world.server.emit('balance.updated', drained);
    await pass(world, 20_000);
    world.server.balance = balance({ version: 2, available_ucr: 0 });
    await pass(world, 90_000);
    equal(versionOf(store), 2);
  });

  it('F19 a balance that was told of is asked for once more also by someone who looks away and back meanwhile', async () => {
    const world = new World();
    const { store, attention } = world.start();
    await settled();
    world.server.emit('balance.updated', drained);
    await pass(world, 20_000);
    attention.leave();
    attention.comeBack();
    world.server.balance = balance({ version: 2, available_ucr: 0 });
    await pass(world, 90_000);
    equal(versionOf(store), 2);
  });

  it('F12 a figure that is known to be outdated is marked, also while the server wants to be left alone', async () => {
    const world = new World();
    const { store } = world.start();
    await settled();
    world.server.instead = seen =>
      /purchase-options$/.test(seen.path)
        ? problem(429, 'rate_limited', {}, { 'retry-after': '3600' })
        : undefined;
    await store.refreshOptions();
    world.server.emit('balance.updated', drained);
    await pass(world, 60_000);
    equal(store.state.balance.kind, 'stale');
  });

  it('F12 what is told of during a pause puts nothing off after it', async () => {
    const world = new World();
    const { store } = world.start();
    await settled();
    store.pause(60_000);
    for (let version = 2; version < 17; version++) {
      world.server.balance = balance({ version, available_ucr: 7 });
      world.server.emit('balance.updated', { ...drained, version });
      await world.clock.advance(3_900);
    }
    await pass(world, 60_000);
    equal(versionOf(store), 16);
  });

  it('F37 a window that begins long after the last answer shows what the leading one does', async () => {
    const house = new House();
    const leader = house.open();
    await pass(house, 3 * 3_600_000);
    const late = house.open();
    late.attention.isFocused = false;
    await pass(house, 60_000);
    equal(late.lease.isHeld, false);
    equal(late.store.state.balance.kind, leader.store.state.balance.kind);
  });

  it('F12 a start within a pause shows what was kept as old', async () => {
    const house = new House();
    const one = house.open();
    await house.clock.advance(4_000);
    house.clock.sleep(10 * 3_600_000);
    house.server.instead = () => problem(503, 'unavailable', {}, { 'retry-after': '3600' });
    await one.store.refresh();
    await house.clock.advance(1_000);
    await one.close();
    // The secrets are slower than the folder.
    const two = house.open({ isSignedIn: false });
    await Promise.all([two.shared.pause.load(), two.shared.balance.load()]);
    two.sessions.set(signIn);
    await house.clock.advance(60_000);
    equal(two.store.state.balance.kind, 'stale');
  });

  for (const how of ['close', 'kill'] as const) {
    it(`F1 yesterday's figure is not today's answer after a ${how}`, async () => {
      const house = new House();
      const one = house.open();
      await house.clock.advance(4_000);
      await one[how]();
      house.clock.sleep(16 * 3_600_000);
      house.server.instead = () => new Promise<Response>(() => undefined);
      const two = house.open();
      const seen = new Set<string>();
      for (let step = 0; step < 80; step++) {
        await house.clock.advance(500);
        seen.add(outlook(two.store.state).state);
      }
      equal(seen.has('current'), false, [...seen].join());
    });

    it(`F27 an order without its answer goes out again by itself after a ${how}`, async () => {
      const house = new House();
      const one = house.open();
      await house.clock.advance(2_000);
      house.server.instead = seen =>
        seen.method === 'POST' ? new Promise<Response>(() => undefined) : undefined;
      void one.checkout.buy(fifty);
      await settled();
      await one[how]();
      house.server.instead = undefined;
      house.open().attention.isFocused = true;
      await pass(house, 180_000);
      equal(house.server.orders.size, 1);
    });
  }

  it('F37 a window whose own try failed shows what the others show', async () => {
    const house = new House();
    const windows = [house.open(), house.open()];
    await house.clock.advance(4_000);
    const follower = windows.find(({ lease }) => !lease.isHeld);
    ok(follower);
    house.server.instead = seen => (/balance$/.test(seen.path) ? problem(503, 'unavailable') : undefined);
    await follower.store.refresh();
    house.server.instead = undefined;
    equal(follower.store.state.balance.kind, 'stale');
    await pass(house, 60_000);
    equal(follower.store.state.balance.kind, 'known');
  });

  it('a purchase whose page is made opens it, though the disk is full by now', async () => {
    const world = new World();
    const { checkout } = world.start();
    await settled();
    const keep = world.records.keep.bind(world.records);
    let kept = 0;
    world.records.keep = record => (++kept === 2 ? Promise.reject(new Error('ENOSPC')) : keep(record));
    const { kind } = await checkout.buy(fifty);
    equal(kind, 'opened');
    world.server.credit();
    await pass(world, 60_000);
    equal(world.told.length, 1);
  });

  it('F7 a page of a proxy in place of the stream does not end it for the session', async () => {
    const world = new World();
    const { hints } = world.start();
    await settled();
    world.server.instead = seen => (/events$/.test(seen.path) ? html(404) : undefined);
    world.server.endStream();
    await world.clock.advance(60_000);
    world.server.instead = undefined;
    await pass(world, 180_000);
    equal(hints.isLive, true);
  });
});
