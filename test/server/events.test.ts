// The push: what a stream says, in what order, and how it is taken up again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { mock } from 'node:test';
import { createParser } from 'eventsource-parser';
import { lockOrganisation } from '../../server/src/ledger/ledger.ts';
import { forgetOldRows, OUTBOX_KEPT_MS, tell } from '../../server/src/outbox.ts';
import { bearer, House, houseWithStripe, type Org } from './support/house.ts';

interface Told {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A listener that waits for what it wants to hear, for as long as the test may take. */
class Listener {
  readonly told: Told[] = [];
  readonly headers: Record<string, unknown>;
  beats = 0;
  retryMs: number | undefined;
  ended = false;
  #wake = () => {};

  private constructor(stream: NodeJS.ReadableStream, headers: Record<string, unknown>) {
    this.headers = headers;
    const parser = createParser({
      onEvent: ({ id, event = 'message', data }) => this.told.push({ id, event, data: JSON.parse(data) }),
      onComment: () => this.beats++,
      onRetry: ms => {
        this.retryMs = ms;
      },
    });
    stream.on('data', (chunk: Buffer) => {
      parser.feed(chunk.toString());
      this.#wake();
    });
    stream.on('end', () => {
      this.ended = true;
      this.#wake();
    });
  }

  static async open(house: House, org: Org, headers: Record<string, string> = {}): Promise<Listener> {
    const answer = await house.app.inject({
      method: 'GET',
      url: `/v1/orgs/${org.id}/events`,
      headers: { ...bearer(org.member), ...headers },
      payloadAsStream: true,
    });
    assert.equal(answer.statusCode, 200);
    const listener = new Listener(answer.stream(), answer.headers);
    await listener.until(() => listener.told.some(({ event }) => event === 'balance.updated'));
    return listener;
  }

  async until(heard: () => boolean): Promise<void> {
    while (!heard()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  names(): string[] {
    return this.told.map(({ event }) => event);
  }
}

describe('the event stream', () => {
  let house: House;
  let org: Org;
  let events = 0;
  beforeEach(async () => {
    house = await House.build();
    org = await house.org();
  });
  afterEach(() => house.close());

  const use = () =>
    house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: `e${events++}`, amount_ucr: 1_000_000 });

  it('F57 tells nothing twice when something happens while a stream is taken up again', async () => {
    const use = (event_id: string) =>
      house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id, amount_ucr: 1_000_000 });
    await use('e1');
    await use('e2');
    const { dueDates } = house.app.parts;
    const read = dueDates.readBalance.bind(dueDates);
    mock.method(
      dueDates,
      'readBalance',
      async (orgId: string) => {
        const figures = await read(orgId);
        await use('e3');
        return figures;
      },
      { times: 1 },
    );
    const listener = await Listener.open(house, org, { 'last-event-id': '1' });
    await use('e4');
    await listener.until(() => listener.told.some(({ data }) => data['version'] === 5));
    const versions = listener.told.map(({ data }) => data['version']);
    assert.deepEqual(versions, versions.toSorted());
    assert.equal(versions.filter(version => version === 4).length, 1);
  });

  it('begins with the balance as it is, unbuffered and uncached', async () => {
    const listener = await Listener.open(house, org);
    const balance = await house.balance(org);
    assert.equal(listener.headers['content-type'], 'text/event-stream');
    assert.equal(listener.headers['cache-control'], 'no-store');
    assert.equal(listener.headers['x-accel-buffering'], 'no');
    assert.ok(listener.headers['credits-version']);
    assert.equal(listener.retryMs, 3_000);
    assert.deepEqual(listener.told, [
      {
        id: '1',
        event: 'balance.updated',
        data: { version: 1, available_ucr: 5_218_000_000, level: 'ok', as_of: balance.as_of },
      },
    ]);
  });

  it('tells every listener of the organisation each change once, in order, and nobody else', async () => {
    const other = await house.org();
    const [a, b, stranger] = [
      await Listener.open(house, org),
      await Listener.open(house, org),
      await Listener.open(house, other),
    ];
    await Promise.all(Array.from({ length: 20 }, use));
    for (const listener of [a, b]) {
      await listener.until(() => listener.told.length >= 21);
      assert.deepEqual(
        listener.told.map(({ id }) => Number(id)),
        Array.from({ length: 21 }, (_, n) => n + 1),
      );
      assert.deepEqual(
        listener.told.map(({ data }) => data['version']),
        Array.from({ length: 21 }, (_, n) => n + 1),
      );
    }
    assert.equal(stranger.told.length, 1);
  });

  it('misses and repeats nothing when it is opened in the middle of changes', async () => {
    const changes = Array.from({ length: 30 }, use);
    const listeners = await Promise.all(Array.from({ length: 10 }, () => Listener.open(house, org)));
    await Promise.all(changes);
    for (const listener of listeners) {
      await listener.until(() => listener.told.at(-1)?.data['version'] === 31);
      const ids = listener.told.map(({ id }) => Number(id));
      assert.deepEqual(
        ids,
        ids.map((_, n) => (ids[0] ?? 0) + n),
      );
    }
  });

  it('F2 takes up after Last-Event-ID: what was missed, then the balance as it is', async () => {
    await use();
    await use();
    const listener = await Listener.open(house, org, { 'last-event-id': '1' });
    await listener.until(() => listener.told.length >= 3);
    assert.deepEqual(
      listener.told.map(({ id, data }) => [id, data['version']]),
      [
        ['2', 2],
        ['3', 3],
        ['3', 3],
      ],
    );
  });

  it('tells purchases, and the balance with them', async () => {
    const { house: selling, stripe } = await houseWithStripe();
    try {
      const buyer = await selling.org();
      const listener = await Listener.open(selling, buyer);
      const purchase = await selling.bought(buyer);
      stripe.double.pay(stripe.sessionOf(purchase.id).id);
      const { balance_version } = await selling.purchase(buyer, purchase.id);
      await listener.until(() => listener.told.some(({ data }) => data['status'] === 'credited'));
      assert.deepEqual(
        listener.told.slice(1).map(({ event, data }) => [event, data['status'] ?? data['version']]),
        [
          ['purchase.updated', 'creating'],
          ['purchase.updated', 'open'],
          ['balance.updated', balance_version],
          ['purchase.updated', 'credited'],
        ],
      );
    } finally {
      await selling.close();
    }
  });

  it('says resync when what was missed is no longer kept', async () => {
    await use();
    house.clock.advance(OUTBOX_KEPT_MS + 1);
    await forgetOldRows(house.database.query, house.clock.now());
    await use();
    assert.deepEqual((await Listener.open(house, org, { 'last-event-id': '1' })).names(), [
      'resync',
      'balance.updated',
    ]);
    await use();
    assert.deepEqual((await Listener.open(house, org, { 'last-event-id': '0' })).names(), [
      'resync',
      'balance.updated',
    ]);
    const upToDate = await Listener.open(house, org, { 'last-event-id': '3' });
    assert.deepEqual(upToDate.names().slice(0, 1), ['balance.updated']);
  });

  it('F69 says resync to a listener that knows more than a restored database', async () => {
    assert.deepEqual((await Listener.open(house, org, { 'last-event-id': '99' })).names(), [
      'resync',
      'balance.updated',
    ]);
  });

  it('F69 tells those who listen, and those who heard of the lost time, when a backup was restored', async () => {
    const listening = await Listener.open(house, org);
    await house.database.transaction(async tx => {
      const { ledger } = house.app.parts;
      await lockOrganisation(tx, org.id);
      await ledger.leapAhead(tx, org.id, 'operator');
    });
    await use();
    const { version } = await house.balance(org);
    assert.ok(version > 500_000_000);
    await listening.until(() => listening.told.at(-1)?.data['version'] === version);
    const returned = await Listener.open(house, org, { 'last-event-id': '99' });
    assert.deepEqual(returned.names(), ['resync', 'balance.updated']);
    assert.equal(returned.told.at(-1)?.data['version'], version);
    const since = await Listener.open(house, org, { 'last-event-id': listening.told.at(-1)?.id ?? '' });
    assert.deepEqual(since.names(), ['balance.updated']);
  });

  it('begins anew for a Last-Event-ID that is none', async () => {
    for (const id of ['x', '-1', '1.5', '9'.repeat(30)]) {
      assert.deepEqual((await Listener.open(house, org, { 'last-event-id': id })).names(), [
        'balance.updated',
      ]);
    }
  });

  it('gives signs of life on a quiet stream', async () => {
    await house.close();
    house = await House.build({ environment: { HEARTBEAT_MS: '50' } });
    const listener = await Listener.open(house, org);
    await listener.until(() => listener.beats >= 2);
    assert.equal(listener.told.length, 1);
  });

  it('is renewed after 15 minutes, so that a token taken back counts', async () => {
    await house.close();
    house = await House.build({ environment: { HEARTBEAT_MS: '50' } });
    const listener = await Listener.open(house, org);
    house.clock.advance(15 * 60_000 + 1);
    await listener.until(() => listener.ended);
    assert.deepEqual(listener.told.at(-1), {
      id: undefined,
      event: 'stream.closing',
      data: { reason: 'renew' },
    });
  });

  it('says goodbye when the server stops', async () => {
    const listener = await Listener.open(house, org);
    await house.close();
    await listener.until(() => listener.ended);
    assert.deepEqual(listener.told.at(-1), {
      id: undefined,
      event: 'stream.closing',
      data: { reason: 'shutdown' },
    });
    house = await House.build();
  });

  it('is refused to whoever has 20 of them open, and given again when one is closed', async () => {
    const address = await house.app.listen({ host: '127.0.0.1', port: 0 });
    const open = (token: string, signal?: AbortSignal) =>
      fetch(`${address}/v1/orgs/${org.id}/events`, { headers: bearer(token), ...(signal && { signal }) });
    const first = new AbortController();
    await open(org.member, first.signal);
    for (let n = 1; n < 20; n++) {
      assert.equal((await open(org.member)).status, 200);
    }
    const refused = await open(org.member);
    const { code } = (await refused.json()) as { code: string };
    assert.deepEqual([refused.status, code, refused.headers.get('retry-after')], [429, 'rate_limited', '60']);
    assert.equal((await open(org.admin)).status, 200, 'another person');
    first.abort();
    // The server hears of the end in its own time.
    while ((await open(org.member)).status === 429) {}
  });

  it('is not counted any more when its listener left while the database took its time', async () => {
    const { port } = new URL(await house.app.listen({ host: '127.0.0.1', port: 0 }));
    const { streams } = house.app.parts;
    const { openCount } = streams;
    const open = streams.open.bind(streams);
    const socket = connect(Number(port), '127.0.0.1');
    const done = new Promise<void>(resolve => {
      mock.method(streams, 'open', async (...args: Parameters<typeof open>) => {
        socket.destroy();
        await once(args[2], 'close');
        await open(...args).finally(resolve);
      });
    });
    const head = [`GET /v1/orgs/${org.id}/events HTTP/1.1`, 'Host: x', `Authorization: Bearer ${org.admin}`];
    socket.write([...head, '', ''].join('\r\n'));
    await done;
    mock.restoreAll();
    assert.equal(streams.openCount, openCount);
  });

  describe('to somebody who reads nothing', () => {
    /** A connection that takes the first piece and none after it. */
    const stalled = () => new Writable({ write() {} });
    const member = () => ({
      principal: {
        id: `usr_Max_${org.id.slice('org_'.length)}`,
        kind: 'person' as const,
        name: 'Max',
        email: null,
      },
      orgId: org.id,
      orgName: 'Acme Robotics',
      role: 'user' as const,
      credential: { scopes: undefined, expiresAt: null, tokenId: null },
    });
    const open = (out: Writable, lastEventId?: bigint) =>
      house.app.parts.streams.open(member(), lastEventId, out as unknown as ServerResponse);
    const happen = (times: number) =>
      house.database.transaction(async tx => {
        await lockOrganisation(tx, org.id);
        for (let n = 0; n < times; n++) {
          await tell(
            tx,
            org.id,
            'purchase.updated',
            { id: 'p'.repeat(1_000), status: 'open', balance_version: null },
            house.clock.now(),
          );
        }
      });

    it('T33 ends when 256 KB wait, so that what is kept for them is bounded', async () => {
      const out = stalled();
      await open(out);
      const gone = once(out, 'close');
      await happen(400);
      await gone;
      assert.ok(out.writableLength < 300_000, `${out.writableLength} bytes`);
    });

    it('T33 is told to ask anew when more was missed than the connection holds, and keeps it', async () => {
      await happen(1_500);
      const out = stalled();
      await open(out, 1n);
      assert.deepEqual([out.destroyed, out.writableLength < 2_000], [false, true]);
      out.destroy();
    });

    it('T33 ends when its renewal was not read by the next sign of life', async () => {
      await house.close();
      house = await House.build({ environment: { HEARTBEAT_MS: '50' } });
      const out = stalled();
      await open(out);
      const gone = once(out, 'close');
      house.clock.advance(15 * 60_000 + 1);
      await gone;
      assert.equal(house.app.parts.streams.openCount, 0);
    });
  });

  it('T20 is refused to a service', async () => {
    assert.equal((await house.get(`/v1/orgs/${org.id}/events`, org.service)).statusCode, 403);
  });
});
