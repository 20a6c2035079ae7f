// Web pages that ask from a browser, a process that is behind with its work, and one that stops.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { paths } from '../../protocol/api.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { bearer, House } from './support/house.ts';

describe('a web page that asks from a browser', () => {
  const asked = (house: House, origin: string) => house.get(paths.meta(), undefined, { origin });

  it('reads nothing unless its origin is listed', async () => {
    const closed = await House.build();
    const open = await House.build({ environment: { CORS_ORIGINS: 'https://console.acme.example' } });
    const allowed = 'access-control-allow-origin';
    assert.equal((await asked(closed, 'https://console.acme.example')).headers[allowed], undefined);
    assert.equal(
      (await asked(open, 'https://console.acme.example')).headers[allowed],
      'https://console.acme.example',
    );
    for (const origin of ['https://evil.example', 'https://console.acme.example.evil.example', 'null']) {
      assert.equal((await asked(open, origin)).headers[allowed], undefined, origin);
    }
    await closed.close();
    await open.close();
  });

  it('T42 may send every header that the extension sends, its own name too, where the browser lets a page do so', async () => {
    const house = await House.build({ environment: { CORS_ORIGINS: 'https://console.acme.example' } });
    const { headers } = await house.app.inject({
      method: 'OPTIONS',
      url: paths.meta(),
      headers: {
        origin: 'https://console.acme.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,user-agent',
      },
    });
    const allowed = String(headers['access-control-allow-headers']).toLowerCase().split(/, */);
    for (const name of [
      'authorization',
      'user-agent',
      'content-type',
      'if-none-match',
      'last-event-id',
      'idempotency-key',
    ]) {
      assert.ok(allowed.includes(name), `${name} in ${allowed}`);
    }
    await house.close();
  });
});

describe('a server that is behind with its work', () => {
  it('F68 turns requests away at once and says when to come again, and still tells its health', async () => {
    const house = await House.build({
      environment: { MAX_EVENT_LOOP_DELAY_MS: '1', CORS_ORIGINS: 'https://console.acme.example' },
    });
    const block = () => {
      const until = performance.now() + 100;
      while (performance.now() < until);
    };
    const answer = await eventually(
      'the server turns a request away',
      () => {
        block();
        return house.get(paths.meta(), undefined, { origin: 'https://console.acme.example' });
      },
      ({ statusCode }) => statusCode === 503,
    );
    assert.deepEqual([answer.json().code, answer.headers['retry-after']], ['unavailable', '2']);
    // A page can read when.
    assert.equal(answer.headers['access-control-allow-origin'], 'https://console.acme.example');
    assert.equal((await house.get('/health')).statusCode, 200);
    await house.close();
  });

  it('turns nobody away for delays below the limit, however long they are', async () => {
    const house = await House.build({ environment: { MAX_EVENT_LOOP_DELAY_MS: '60000' } });
    for (let turn = 0; turn < 3; turn++) {
      const until = performance.now() + 1_050;
      while (performance.now() < until);
      await new Promise(resolve => setImmediate(resolve));
    }
    assert.equal((await house.get(paths.meta())).statusCode, 200);
    await house.close();
  });
});

describe('a server that stops', () => {
  for (const [what, request] of [
    ['has asked nothing yet', () => ''],
    ['stopped in the middle of its head', () => 'GET /v1/meta HTTP/1.1\r\nHost: x\r\n'],
    [
      'stopped in the middle of its body',
      (head: string) => `${head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{`,
    ],
  ] as const) {
    it(`does not wait for ever for a connection that ${what}`, async () => {
      const house = await House.build({ leaveWithinMs: 200 });
      const org = await house.org();
      const { port } = new URL(await house.app.listen({ host: '127.0.0.1', port: 0 }));
      const { authorization } = bearer(org.admin);
      const socket = connect(Number(port), '127.0.0.1')
        .on('error', () => {})
        .resume();
      const [peer] = (await once(house.app.server, 'connection')) as [Socket];
      const sent = request(
        `PUT /v1/orgs/${org.id}/settings HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n`,
      );
      socket.write(sent);
      await eventually(
        'the server reads what was sent',
        () => peer.bytesRead,
        read => read === sent.length,
      );
      const gone = once(socket, 'close');
      await house.close();
      await gone;
    });
  }

  it('lets a request that is under way come to its end', async () => {
    const house = await House.build({ leaveWithinMs: 5_000 });
    const org = await house.org();
    const address = await house.app.listen({ host: '127.0.0.1', port: 0 });
    const asked = once(house.app.server, 'request');
    const answer = fetch(address + paths.balance(org.id), { headers: bearer(org.admin) });
    await asked;
    await house.close();
    assert.equal((await answer).status, 200);
  });
});
