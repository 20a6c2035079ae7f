import { equal, ok } from 'node:assert/strict';
import { lastReading } from '../../../src/core/balance.ts';
import { settled } from '../../support/clock.ts';
import { signIn } from '../../support/core.ts';
import { balance, problem, unreachable } from '../../support/scriptedServer.ts';
import { World } from '../../support/wired.ts';

const DAY = 24 * 3_600_000; // ms

async function started(given: Parameters<World['start']>[0] = {}) {
  const world = new World();
  const editor = world.start(given);
  await settled();
  return { ...world, world, ...editor };
}

const asked = (world: World) => world.server.count(/balance$/);

describe('asking again', function () {
  this.timeout(20_000);

  it('does nothing at all when signed out', async () => {
    const { world, clock, attention } = await started({ signIn: undefined });
    attention.leave();
    attention.comeBack();
    await clock.advance(DAY);
    equal(world.server.seen.length, 0);
    equal(clock.pending, 0);
  });

  it('starts at a sign-in and stops at a sign-out', async () => {
    const { world, clock, sessions, store } = await started({ signIn: undefined });
    sessions.set(signIn);
    await settled();
    equal(store.state.balance.kind, 'known');
    ok(store.state.options);
    sessions.set(undefined);
    await settled();
    const before = world.server.seen.length;
    await clock.advance(DAY);
    equal(world.server.seen.length, before);
  });

  it('asks nothing by the clock while the stream is up', async () => {
    const { world, clock } = await started();
    const before = world.server.seen.length;
    for (let beat = 0; beat < 180; beat++) {
      await clock.advance(20_000);
      world.server.beat();
    }
    equal(world.server.seen.length, before);
  });

  it('hears of a new balance by the stream, at once', async () => {
    const { world, store } = await started();
    world.server.balance = balance({ version: 2, available_ucr: 10_218_000_000 });
    world.server.emit('balance.updated', {
      version: 2,
      available_ucr: 10_218_000_000,
      level: 'ok',
      as_of: '2026-11-22T12:00:00Z',
    });
    await settled();
    equal(lastReading(store.state.balance)?.snapshot.available_ucr, 10_218_000_000);
  });

  it('hears a burst of events as two', async () => {
    const { world, clock, store } = await started();
    const before = asked(world);
    for (let version = 2; version <= 50; version++) {
      world.server.balance = balance({ version, available_ucr: version });
      world.server.emit('balance.updated', {
        version,
        available_ucr: version,
        level: 'ok',
        as_of: '2026-11-22T12:00:00Z',
      });
      await clock.advance(30);
    }
    await clock.advance(2_000);
    equal(lastReading(store.state.balance)?.snapshot.version, 50);
    ok(asked(world) - before <= 2, `${asked(world) - before} questions`);
  });

  it('asks nothing for an event that tells what is known', async () => {
    const { world } = await started();
    const before = asked(world);
    world.server.emit('balance.updated', {
      version: 1,
      available_ucr: 1,
      level: 'ok',
      as_of: '2026-11-22T12:00:00Z',
    });
    await settled();
    equal(asked(world), before);
  });

  it('polls without a stream, at most once a minute, and sees the change within the interval', async () => {
    const { world, clock, store } = await started({ isStreaming: false });
    const before = asked(world);
    await clock.advance(3_600_000);
    const polls = asked(world) - before;
    ok(polls >= 45 && polls <= 60, `${polls} polls in an hour`);
    world.server.balance = balance({ version: 2, available_ucr: 7 });
    await clock.advance(76_000);
    equal(lastReading(store.state.balance)?.snapshot.available_ucr, 7);
  });

  it('F1 asks seldom while nobody looks, so that what is in sight is of the last quarter of an hour, and when someone comes back', async () => {
    const { world, clock, attention } = await started({ isStreaming: false });
    attention.leave();
    const before = asked(world);
    await clock.advance(DAY);
    const seldom = asked(world) - before;
    ok(seldom > 24 * 4 && seldom < 24 * 6, `${seldom} in a day`);
    attention.comeBack();
    await settled();
    equal(asked(world), before + seldom + 1);
  });

  it('does not ask at each return to the window: a figure of the last 30 s is fresh', async () => {
    const { world, clock, attention } = await started();
    const before = asked(world);
    for (let turn = 0; turn < 20; turn++) {
      attention.leave();
      attention.comeBack();
      await clock.advance(1_000);
    }
    equal(asked(world), before);
    await clock.advance(11_000);
    attention.comeBack();
    await settled();
    equal(asked(world), before + 1);
  });

  it('F9 asks once after a long sleep, not once for each timer that was missed', async () => {
    const { world, clock, attention } = await started({ isStreaming: false });
    attention.leave();
    await clock.advance(8 * 3_600_000);
    const before = asked(world);
    attention.comeBack();
    await settled();
    equal(asked(world), before + 1);
  });

  it('F9 asks once when the machine wakes after 8 h, whatever timers were missed', async () => {
    const { world, clock, attention } = await started({ isStreaming: false });
    await clock.advance(10_000);
    const before = asked(world);
    clock.sleep(8 * 3_600_000);
    await clock.advance(100);
    attention.comeBack();
    await clock.advance(20_000);
    equal(asked(world), before + 1);
  });

  it('F9 asks once after a sleep, also when the stream is back and tells what is known', async () => {
    const { world, clock, attention, hints } = await started();
    await clock.advance(10_000);
    const before = asked(world);
    clock.sleep(8 * 3_600_000);
    await clock.advance(100);
    attention.comeBack();
    await clock.advance(20_000);
    equal(hints.isLive, true);
    equal(asked(world), before + 1);
  });

  it('F2 asks once more when the stream is back after a while, and when it tells of a newer balance', async () => {
    const { world, clock, store, attention } = await started();
    attention.leave();
    world.server.hasEvents = false;
    world.server.instead = () => Promise.reject(unreachable());
    world.server.endStream();
    await clock.advance(60_000);
    world.server.hasEvents = true;
    world.server.instead = undefined;
    world.server.balance = balance({ version: 2, available_ucr: 7 });
    const before = asked(world);
    await clock.advance(120_000);
    equal(asked(world), before + 1);
    equal(lastReading(store.state.balance)?.snapshot.available_ucr, 7);
  });

  it('T33 F20 asks once when the server is back, and not again for the stream', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { world, clock, hints, store } = await started({ seed });
      await clock.advance(20_000);
      world.server.instead = () => problem(503, 'unavailable');
      world.server.endStream();
      await clock.advance(180_000);
      const before = asked(world);
      world.server.instead = undefined;
      for (let beat = 0; beat < 20; beat++) {
        await clock.advance(15_000);
        world.server.beat();
      }
      equal(hints.isLive, true);
      equal(store.state.balance.kind, 'known');
      ok(asked(world) - before <= 1, `seed ${seed}`);
    }
  });

  it('T33 F20 is back with one request when nobody was there: the stream tells that nothing has changed', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { world, clock, hints, store } = await started({ seed });
      await clock.advance(20_000);
      world.server.instead = () => Promise.reject(unreachable());
      world.server.endStream();
      await clock.advance(300_000);
      equal(store.state.balance.kind, 'stale');
      const before = world.server.seen.length;
      world.server.instead = undefined;
      await clock.advance(30_000);
      for (let beat = 0; beat < 6; beat++) {
        world.server.beat();
        await clock.advance(15_000);
      }
      equal(hints.isLive, true);
      equal(store.state.balance.kind, 'known');
      // The one is the stream; what it does not tell is asked for within five minutes.
      ok(world.server.seen.length - before <= 2, `seed ${seed}`);
      ok(asked(world) === 0 || world.server.seen[before]?.path.endsWith('/events'), `seed ${seed}`);
    }
  });

  it('F2 F20 asks for the figure where the stream comes up after an outage and is cut before it tells anything', async () => {
    const { world, clock, store } = await started();
    await clock.advance(20_000);
    world.server.instead = () => Promise.reject(unreachable());
    world.server.endStream();
    await clock.advance(600_000);
    equal(store.state.balance.kind, 'stale');
    world.server.instead = ({ path }) =>
      path.endsWith('/events')
        ? new Response(new ReadableStream({ start: body => body.close() }), {
            headers: { 'content-type': 'text/event-stream' },
          })
        : undefined;
    await clock.advance(300_000);
    equal(store.state.balance.kind, 'known');
  });

  it('F12 asks after a pause for what the stream told during it', async () => {
    const { world, clock, store } = await started();
    await clock.advance(20_000);
    world.server.instead = ({ path }) =>
      path.endsWith('/balance') ? problem(503, 'unavailable', {}, { 'retry-after': '600' }) : undefined;
    await store.refresh();
    equal(store.state.balance.kind, 'stale');
    world.server.endStream();
    await clock.advance(10_000);
    world.server.instead = undefined;
    const tell = (version: number) =>
      world.server.emit('balance.updated', {
        version,
        available_ucr: version,
        level: 'ok',
        as_of: '2026-11-22T12:00:00Z',
      });
    world.server.balance = balance({ version: 2, available_ucr: 2 });
    tell(2);
    for (let beat = 0; beat < 50; beat++) {
      await clock.advance(15_000);
      world.server.beat();
    }
    equal(lastReading(store.state.balance)?.snapshot.version, 2);
    equal(store.state.balance.kind, 'known');
  });

  it('asks where the stream begins with the same version and another figure or level: not all is posted', async () => {
    for (const change of [{ available_ucr: 7 }, { low_balance: { threshold_ucr: 9, level: 'critical' } }]) {
      const { world, clock, store } = await started();
      await clock.advance(20_000);
      world.server.endStream();
      world.server.greets = false;
      world.server.balance = balance(change);
      const before = asked(world);
      await clock.advance(2_100);
      world.server.emit('balance.updated', {
        version: 1,
        available_ucr: world.server.balance.available_ucr,
        level: world.server.balance.low_balance.level,
        as_of: '2026-11-22T12:00:00Z',
      });
      await settled();
      equal(asked(world) - before, 1);
      equal(lastReading(store.state.balance)?.snapshot.available_ucr, world.server.balance.available_ucr);
    }
  });

  it('asks for a stale figure when the stream that stands tells it again: something without a version has changed', async () => {
    const { world, clock, store } = await started();
    await clock.advance(20_000);
    world.server.instead = ({ path }) =>
      path.endsWith('/balance') ? problem(500, 'internal_error') : undefined;
    await store.refresh();
    equal(store.state.balance.kind, 'stale');
    world.server.instead = undefined;
    const before = asked(world);
    world.server.emit('balance.updated', {
      version: 1,
      available_ucr: 5_218_000_000,
      level: 'ok',
      as_of: '2026-11-22T12:00:00Z',
    });
    await settled();
    equal(asked(world) - before, 1);
    equal(store.state.balance.kind, 'known');
  });

  it('T33 F20 asks for an old figure that the stream confirms within five minutes, not at once', async () => {
    const { world, clock, store } = await started();
    await clock.advance(20_000);
    world.server.instead = () => Promise.reject(unreachable());
    world.server.endStream();
    await clock.advance(1_200_000);
    const before = asked(world);
    world.server.instead = undefined;
    const beats = async (count: number) => {
      for (let beat = 0; beat < count; beat++) {
        world.server.beat();
        await clock.advance(15_000);
      }
    };
    await beats(8);
    equal(store.state.balance.kind, 'known');
    equal(asked(world) - before, 0);
    await beats(20);
    equal(asked(world) - before, 1);
  });

  it('F2 F20 asks for the figure where the stream alone is kept away after an outage', async () => {
    const { world, clock, store } = await started();
    world.server.instead = () => Promise.reject(unreachable());
    world.server.endStream();
    await clock.advance(600_000);
    equal(store.state.balance.kind, 'stale');
    world.server.instead = ({ path }) =>
      path.endsWith('/events') ? Promise.reject(unreachable('ECONNRESET')) : undefined;
    await clock.advance(120_000);
    equal(store.state.balance.kind, 'known');
  });

  it('T33 F20 1,000 clients come back after an outage of ten minutes at no more than twice their steady rate', async function () {
    this.timeout(240_000);
    const world = new World();
    const { clock, server } = world;
    const atMs: number[] = [];
    const ordinarily = () => void atMs.push(clock.monotonic());
    server.instead = ordinarily;
    const stops: Array<() => void> = [];
    for (let nth = 0; nth < 1_000; nth++) {
      stops.push(world.start({ isStreaming: false, seed: nth }).stop);
      await clock.advance(75);
    }
    const perSecond = async (minutes: number) => {
      atMs.length = 0;
      const fromMs = clock.monotonic();
      await clock.advance(minutes * 60_000);
      const counts = new Array<number>(minutes * 60).fill(0);
      for (const ms of atMs) {
        const second = Math.min(counts.length - 1, Math.floor((ms - fromMs) / 1_000));
        counts[second] = (counts[second] ?? 0) + 1;
      }
      return counts;
    };
    const mean = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0) / counts.length;
    const steady = mean(await perSecond(2));
    server.instead = () => {
      ordinarily();
      return problem(503, 'unavailable');
    };
    const outage = await perSecond(10);
    server.instead = ordinarily;
    const back = await perSecond(6);
    for (const stop of stops) {
      stop();
    }
    ok(mean(outage) <= 1.5 * steady, `${mean(outage)} a second while it is out, ${steady} before`);
    ok(Math.max(...back) <= 2 * steady, `${Math.max(...back)} in a second, ${steady} before`);
    ok(mean(back.slice(-60)) > steady / 3, `${mean(back.slice(-60))} a second: they are coming back`);
  });

  it('T33 F11 asks at most 400 times in 24 h of 500s, stream and balance together', async () => {
    const { world, clock } = await started();
    world.server.instead = () => problem(500, 'internal_error');
    world.server.endStream();
    const before = world.server.seen.length;
    await clock.advance(DAY);
    const requests = world.server.seen.length - before;
    ok(requests <= 400, `${requests} requests`);
    ok(requests >= 100, `${requests} requests: it must not give up`);
  });

  it('F20 recovers by itself after an outage, stream and all', async () => {
    const { world, clock, store, hints } = await started();
    world.server.instead = () => problem(503, 'unavailable');
    world.server.endStream();
    await clock.advance(3_600_000);
    equal(store.state.balance.kind, 'stale');
    world.server.instead = undefined;
    world.server.balance = balance({ version: 5, available_ucr: 5 });
    for (let beat = 0; beat < 45; beat++) {
      await clock.advance(20_000);
      world.server.beat();
    }
    equal(store.state.balance.kind, 'known');
    equal(hints.isLive, true);
  });

  it('F1 is back within two minutes when only the network was gone', async () => {
    const { world, clock, store } = await started({ isStreaming: false });
    world.server.instead = () => Promise.reject(unreachable('ENOTFOUND'));
    await clock.advance(3_600_000);
    equal(store.state.balance.kind, 'stale');
    world.server.instead = undefined;
    await clock.advance(120_000);
    equal(store.state.balance.kind, 'known');
  });

  it('F12 keeps quiet for as long as the server asks', async () => {
    const { world, clock, attention } = await started({ isStreaming: false });
    world.server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '1800' });
    await clock.advance(80_000);
    const before = world.server.seen.length;
    attention.leave();
    attention.comeBack();
    await clock.advance(1_700_000);
    equal(world.server.seen.length, before);
  });

  it('F13 does not go on asking with a token that is refused', async () => {
    const { world, clock, store } = await started({ isStreaming: false });
    world.server.instead = () => problem(401, 'unauthenticated');
    await clock.advance(80_000);
    equal(store.state.balance.kind, 'failed');
    const before = world.server.seen.length;
    await clock.advance(DAY);
    equal(world.server.seen.length, before);
  });

  it('F15 asks seldom where the balance is not shown to this person', async () => {
    const { world, clock, store } = await started({ isStreaming: false });
    world.server.instead = () => problem(403, 'insufficient_role');
    await clock.advance(80_000);
    equal(store.state.balance.kind, 'forbidden');
    const before = asked(world);
    await clock.advance(3_600_000);
    ok(asked(world) - before <= 4);
  });

  for (const days of [1, -1]) {
    it(`T39 F43 polls as before when the wall clock is set by ${days} day`, async () => {
      const { world, clock } = await started({ isStreaming: false });
      clock.setWall(days * DAY);
      const before = asked(world);
      await clock.advance(3_600_000);
      const polls = asked(world) - before;
      ok(polls >= 45 && polls <= 60, `${polls} polls in an hour`);
    });
  }

  it('F35 leaves nothing running after 100 starts and stops', async () => {
    const world = new World();
    for (let round = 0; round < 100; round++) {
      const editor = world.start();
      await settled();
      editor.stop();
    }
    await settled();
    equal(world.clock.pending, 0);
    equal(world.server.isStreaming, false);
  });
});
