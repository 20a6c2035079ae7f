import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { SignInError } from '../../../src/core/signIn/errors.ts';
import { type Loopback, listen } from '../../../src/vscode/loopback.ts';
import { FakeClock, settled } from '../../support/clock.ts';

const STATE = 's'.repeat(43);
const PATIENCE_MS = 300_000;
const words = {
  language: 'de',
  done: { title: 'Back', text: '<b>close</b>' },
  refused: { title: 'Not signed in', text: 'again' },
};

interface Knock {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

describe('the loopback listener', () => {
  let clock: FakeClock;
  let loopback: Loopback;
  let canceling: AbortController;
  let answer: Promise<URLSearchParams>;

  beforeEach(async () => {
    clock = new FakeClock();
    loopback = await listen(words, clock, PATIENCE_MS);
    canceling = new AbortController();
    answer = loopback.wait(STATE, canceling.signal);
    answer.catch(() => undefined);
  });

  afterEach(() => loopback.dispose());

  const port = () => Number(new URL(loopback.redirectUri).port);

  /** A request over a real socket, with headers that fetch would not let through. */
  function knock({ path = `/callback?state=${STATE}&code=c`, method = 'GET', headers = {} }: Knock = {}) {
    return new Promise<{ status: number; body: string; headers: Record<string, unknown> }>(
      (resolve, reject) => {
        request({ host: '127.0.0.1', port: port(), path, method, headers, agent: false }, response => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            body += part;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
          );
        })
          .on('error', reject)
          .end();
      },
    );
  }

  async function isStillWaiting(): Promise<void> {
    equal((await knock()).status, 200);
    equal((await answer).get('code'), 'c');
  }

  it('takes the answer that carries its state, and says so in the browser', async () => {
    const { status, body, headers } = await knock();
    equal(status, 200);
    match(body, /<h1>Back<\/h1>/);
    ok(!body.includes('<b>'));
    equal(headers['cache-control'], 'no-store');
    match(String(headers['content-security-policy']), /default-src 'none'/);
    deepEqual(Object.fromEntries(await answer), { state: STATE, code: 'c' });
  });

  for (const [title, how, status] of [
    [
      'T15.21 a request for another host name is refused (DNS rebinding)',
      { headers: { Host: 'evil.example' } },
      421,
    ],
    [
      'T15.22 a request for localhost is refused: the port is promised for 127.0.0.1',
      { headers: { Host: 'localhost' } },
      421,
    ],
    [
      'T15.23 a script of another page is refused by its origin',
      { headers: { Origin: 'https://evil.example' } },
      403,
    ],
    [
      'T15.24 a picture or script of another page is refused by its fetch mode',
      { headers: { 'Sec-Fetch-Mode': 'no-cors' } },
      403,
    ],
    ['T15.25 a POST is refused', { method: 'POST' }, 405],
    [
      'T15.26 another state is refused, and the sign-in goes on',
      { path: '/callback?state=wrong&code=evil' },
      400,
    ],
    [
      'T15.27 a request without a state is refused, and the sign-in goes on',
      { path: '/callback?code=evil' },
      400,
    ],
    ['T15.28 another path is refused', { path: `/?state=${STATE}` }, 404],
    [
      'T15.29 an endless address is refused',
      { path: `/callback?state=${STATE}&x=${'x'.repeat(9_000)}` },
      404,
    ],
  ] as const) {
    it(title, async () => {
      equal((await knock(how)).status, status);
      await isStillWaiting();
    });
  }

  it('T15.30 takes one answer: a second callback is refused', async () => {
    await knock();
    await answer;
    equal((await knock({ path: `/callback?state=${STATE}&code=second` })).status, 400);
    equal((await answer).get('code'), 'c');
  });

  it('T15.31 T16 a late callback finds the door shut after five minutes', async () => {
    await clock.advance(PATIENCE_MS);
    await rejects(answer, (error: unknown) => error instanceof SignInError && error.reason === 'timeout');
    await rejects(knock(), { code: 'ECONNREFUSED' });
    equal(clock.pending, 0);
  });

  it('T16 listens on 127.0.0.1 alone, on a port of its own, and leaves no socket behind', async () => {
    const second = await listen(words, clock, PATIENCE_MS);
    ok(second.redirectUri !== loopback.redirectUri);
    second.dispose();
    const others = Object.values(networkInterfaces())
      .flatMap(list => list ?? [])
      .filter(one => !one.internal && one.family === 'IPv4')
      .map(one => one.address);
    for (const host of [...others, '127.0.0.2', '::1']) {
      equal(await canConnect(host, port()), false, host);
    }
    equal(await canConnect('127.0.0.1', port()), true);
    const before = sockets();
    ok(before >= 1);
    loopback.dispose();
    await settled();
    equal(await canConnect('127.0.0.1', port()), false);
    equal(sockets(), before - 1);
    equal(clock.pending, 0);
  });

  it('says in the browser that a refusal is one, and passes it on', async () => {
    const { status, body } = await knock({ path: `/callback?state=${STATE}&error=access_denied` });
    equal(status, 200);
    match(body, /Not signed in/);
    equal((await answer).get('error'), 'access_denied');
  });

  it('ends at once for someone who had left before it was waited for', async () => {
    canceling.abort();
    await rejects(
      loopback.wait(STATE, canceling.signal),
      (error: unknown) => error instanceof SignInError && error.reason === 'canceled',
    );
  });

  it('ends when the person cancels', async () => {
    canceling.abort();
    await rejects(answer, (error: unknown) => error instanceof SignInError && error.reason === 'canceled');
  });
});

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Listening sockets of this process. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'TCPServerWrap').length;
}
