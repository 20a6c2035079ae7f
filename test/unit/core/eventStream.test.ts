import { deepEqual, equal, ok } from 'node:assert/strict';
import { HEARTBEAT_MS } from '../../../protocol/api.ts';
import { connector } from '../../../src/core/connect.ts';
import type { CreditsEvent } from '../../../src/core/eventReader.ts';
import { EventStream } from '../../../src/core/eventStream.ts';
import { FakeClock, settled } from '../../support/clock.ts';
import { CollectingLog, FakeSessions, seededRandom, signIn } from '../../support/core.ts';
import { html, problem, ScriptedServer } from '../../support/scriptedServer.ts';

async function set(sessions = new FakeSessions()) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  server.greets = false;
  const log = new CollectingLog();
  const connect = connector({ fetch: server.fetch, clock, userAgent: 'test/1' });
  const stream = new EventStream({ sessions, connect, clock, random: seededRandom(1), log });
  const events: CreditsEvent[] = [];
  const liveness: boolean[] = [];
  stream.onDidReceive(event => events.push(event));
  stream.onDidChangeLiveness(isLive => liveness.push(isLive));
  await settled();
  return { clock, server, sessions, log, stream, events, liveness };
}

const updated = { version: 2, available_ucr: 10, level: 'ok', as_of: '2026-11-22T12:00:00Z' };

describe('the event stream', function () {
  this.timeout(20_000);

  it('F2 comes back soon each time that it stood and was cut, however often', async () => {
    const { clock, server, stream } = await set();
    for (let cut = 0; cut < 12; cut++) {
      await clock.advance(30_000);
      server.beat();
      server.cutStream();
      await clock.advance(10_000);
      equal(stream.isLive, true, `after cut ${cut}`);
    }
  });

  it('is opened at a sign-in and not before', async () => {
    const sessions = new FakeSessions();
    sessions.current = undefined;
    const { server, stream } = await set(sessions);
    equal(server.seen.length, 0);
    sessions.set(signIn);
    await settled();
    equal(server.count(/events$/), 1);
    equal(stream.isLive, true);
  });

  it('passes on the events of the contract', async () => {
    const { server, events } = await set();
    server.emit('balance.updated', updated);
    server.emit('purchase.updated', { id: 'pur_1', status: 'credited', balance_version: 2 });
    await settled();
    deepEqual(
      events.map(event => event.name),
      ['balance.updated', 'purchase.updated'],
    );
  });

  it('ignores names it does not know, and events it cannot read, with a line in the log', async () => {
    const { server, events, log } = await set();
    server.emit('alert.from.the.future', {});
    server.emit('balance.updated', { version: 'two' });
    await settled();
    deepEqual(events, []);
    deepEqual(
      log.lines.filter(line => line.includes('read')),
      ['events: balance.updated could not be read'],
    );
  });

  it('comes back after the server has ended it, from where it was', async () => {
    const { server, clock, events } = await set();
    server.emit('balance.updated', updated);
    server.emit('stream.closing', { reason: 'shutdown' });
    await settled();
    server.endStream();
    await clock.advance(5_000);
    equal(server.count(/events$/), 2);
    equal(server.seen.at(-1)?.headers.get('last-event-id'), '2');
    equal(events.length, 1);
  });

  it('starts from the beginning after a resync', async () => {
    const { server, clock, events } = await set();
    server.emit('resync', {});
    await settled();
    server.endStream();
    await clock.advance(5_000);
    equal(server.seen.at(-1)?.headers.get('last-event-id'), null);
    deepEqual(events, [{ name: 'resync', data: {} }]);
  });

  it("lives as long as the server's heart beats", async () => {
    const { server, clock, stream, liveness } = await set();
    for (let beat = 0; beat < 20; beat++) {
      await clock.advance(HEARTBEAT_MS);
      server.beat();
    }
    equal(stream.isLive, true);
    deepEqual(liveness, [true]);
    equal(server.count(/events$/), 1);
  });

  it('F5 notices a line that is dead, and opens another', async () => {
    const { server, clock, liveness } = await set();
    await clock.advance(3 * HEARTBEAT_MS - 1);
    deepEqual(liveness, [true]);
    await clock.advance(1);
    deepEqual(liveness, [true, false]);
    await clock.advance(60_000);
    ok(server.count(/events$/) >= 2);
    equal(liveness.at(-1), true);
  });

  it('T33 F11 tries fewer than 250 times in a day of refusals', async () => {
    const { server, clock } = await set();
    server.instead = () => problem(500, 'internal_error');
    server.endStream();
    const before = server.seen.length;
    await clock.advance(24 * 3_600_000);
    const tries = server.seen.length - before;
    ok(tries > 20 && tries < 250, `${tries} tries`);
  });

  it('F12 waits as long as the server says, even when hurried', async () => {
    const { server, clock, stream } = await set();
    server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '600' });
    server.endStream();
    await clock.advance(3_000);
    const before = server.seen.length;
    equal(await stream.hurry(), false);
    await clock.advance(595_000);
    equal(server.seen.length, before);
    await clock.advance(10_000);
    ok(server.seen.length > before);
  });

  it('is hurried when the server is known to be back', async () => {
    const { server, clock, stream } = await set();
    server.instead = () => html(502);
    server.endStream();
    await clock.advance(3_600_000);
    server.instead = undefined;
    const before = server.seen.length;
    equal(await stream.hurry(), true);
    equal(server.seen.length, before + 1);
    equal(stream.isLive, true);
  });

  it('says when hurrying did not help, whatever ended the try', async () => {
    const { server, clock, stream } = await set();
    server.instead = () => html(502);
    server.endStream();
    await clock.advance(60_000);
    equal(await stream.hurry(), false);
    const never = new Promise<Response>(() => undefined);
    server.instead = () => never;
    const unanswered = stream.hurry();
    const alsoUnanswered = stream.hurry();
    stream.dispose();
    deepEqual(await Promise.all([unanswered, alsoUnanswered, stream.hurry()]), [false, false, false]);
  });

  it('F13 stops when the token is refused, until someone signs in again', async () => {
    const { server, clock, sessions } = await set();
    server.instead = () => problem(401, 'unauthenticated');
    server.endStream();
    await clock.advance(24 * 3_600_000);
    equal(server.count(/events$/), 2);
    server.instead = undefined;
    sessions.set({ ...signIn });
    await settled();
    equal(server.count(/events$/), 3);
  });

  it('F39 closes at a sign-out', async () => {
    const { server, clock, sessions, stream } = await set();
    sessions.set(undefined);
    await settled();
    equal(server.isStreaming, false);
    equal(stream.isLive, false);
    await clock.advance(3_600_000);
    equal(server.count(/events$/), 1);
  });

  it('F35 leaves no timer and no connection behind', async () => {
    for (let round = 0; round < 20; round++) {
      const { server, clock, stream } = await set();
      stream.dispose();
      await settled();
      equal(server.isStreaming, false);
      equal(clock.pending, 0);
    }
  });
});
