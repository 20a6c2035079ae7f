import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { CreditsClient } from '../../../src/core/creditsClient.ts';
import { CreditsError, type CreditsErrorReason } from '../../../src/core/errors.ts';
import { FakeClock, settled } from '../../support/clock.ts';
import { ORG, SERVER } from '../../support/core.ts';
import { balance, html, json, problem, ScriptedServer, unreachable } from '../../support/scriptedServer.ts';

const TOKEN = 'crd_pat_canary';

function set(fetchInstead?: typeof fetch) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const client = new CreditsClient(SERVER, TOKEN, {
    fetch: fetchInstead ?? server.fetch,
    clock,
    userAgent: 'test/1',
  });
  return { clock, server, client };
}

/** What a call comes to: its value, or the error's reason and facts. */
async function outcome(call: Promise<unknown>): Promise<CreditsError | 'answered'> {
  try {
    await call;
    return 'answered';
  } catch (error) {
    ok(error instanceof CreditsError, `not a CreditsError: ${String(error)}`);
    return error;
  }
}

describe('the credits client', function () {
  this.timeout(20_000);

  it('reads a balance and sends its token to its own server', async () => {
    const { client, server } = set();
    const read = await client.balance(ORG);
    equal(read.available_ucr, 5_218_000_000);
    equal(server.seen[0]?.headers.get('authorization'), `Bearer ${TOKEN}`);
    equal(server.seen[0]?.headers.get('user-agent'), 'test/1');
  });

  it('asks with If-None-Match, and takes "unchanged" for the balance it has', async () => {
    const { client, server } = set();
    const first = await client.balance(ORG);
    const second = await client.balance(ORG);
    equal(server.seen[1]?.headers.get('if-none-match'), '"1-5218000000-ok"');
    equal(second, first);
    server.balance = balance({ version: 2, available_ucr: 1 });
    equal((await client.balance(ORG)).available_ucr, 1);
  });

  it('sends a purchase with its idempotency key', async () => {
    const { client, server } = set();
    const body = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
    const purchase = await client.createPurchase(ORG, body, 'key-1');
    equal(purchase.status, 'open');
    equal(server.seen[0]?.headers.get('idempotency-key'), 'key-1');
    equal(server.seen[0]?.headers.get('content-type'), 'application/json');
    deepEqual(server.seen[0]?.body, body);
  });

  const rows: ReadonlyArray<readonly [title: string, answer: () => Response, reason: CreditsErrorReason]> = [
    ['F13 401', () => problem(401, 'unauthenticated'), 'unauthenticated'],
    ['F15 403', () => problem(403, 'insufficient_role'), 'forbidden'],
    ['F17 404', () => problem(404, 'org_not_found'), 'notFound'],
    ['F8 407', () => html(407), 'proxy'],
    ['F18 409', () => problem(409, 'request_in_progress'), 'rejected'],
    ['F18 422', () => problem(422, 'amount_out_of_range'), 'rejected'],
    ['F12 429', () => problem(429, 'rate_limited'), 'rateLimited'],
    ['F12 429 without words', () => new Response('', { status: 429 }), 'rateLimited'],
    ['F11 500', () => problem(500, 'internal_error'), 'serverFault'],
    ['F11 502 of a gateway', () => html(502), 'serverFault'],
    ['F11 503', () => problem(503, 'unavailable'), 'serverFault'],
    ['F11 504', () => html(504), 'serverFault'],
    ['F7 a captive portal: 200 and a page', () => html(200), 'unreadable'],
    ['F7 a captive portal: 511', () => html(511), 'unreadable'],
    ['a 404 of some other web site', () => html(404), 'unreadable'],
    ['a 403 of some other web site', () => html(403), 'unreadable'],
    [
      'F6 a cut body',
      () => new Response('{"org_id":"or', { headers: { 'content-type': 'application/json' } }),
      'unreadable',
    ],
    ['F21 a missing field', () => json({ ...balance(), version: undefined }), 'unreadable'],
    ['F22 a figure as text', () => json({ ...balance(), available_ucr: '5218' }), 'unreadable'],
    ['F22 a broken figure', () => json({ ...balance(), available_ucr: 0.5 }), 'unreadable'],
    ['F22 a figure beyond 2^53', () => json({ ...balance(), available_ucr: 2 ** 53 }), 'unreadable'],
    ['304 that nobody asked for', () => new Response(null, { status: 304 }), 'unreadable'],
  ];
  for (const [title, answer, reason] of rows) {
    it(`${title} is "${reason}"`, async () => {
      const { client, server } = set();
      server.instead = answer;
      const error = await outcome(client.balance(ORG));
      equal(error instanceof CreditsError && error.reason, reason);
    });
  }

  it('F8 a proxy that opens no tunnel without a sign-in is "proxy"', async () => {
    const { client, server } = set();
    // As Node's fetch tells it.
    const refusal = new Error('Proxy response (407) !== 200 when HTTP Tunneling');
    const canceled = new Error('Request was cancelled.', { cause: refusal });
    server.instead = () => Promise.reject(new TypeError('fetch failed', { cause: canceled }));
    const error = await outcome(client.balance(ORG));
    equal(error instanceof CreditsError && error.reason, 'proxy');
  });

  it('F21 ignores fields it does not know', async () => {
    const { client, server } = set();
    server.instead = () => json({ ...balance(), surprise: { deep: true } });
    equal('surprise' in (await client.balance(ORG)), false);
  });

  it('F22 reads a negative balance as it is', async () => {
    const { client, server } = set();
    server.balance = balance({ available_ucr: -120_000_000 });
    equal((await client.balance(ORG)).available_ucr, -120_000_000);
  });

  const thrown: ReadonlyArray<readonly [code: string, reason: CreditsErrorReason]> = [
    ['ENOTFOUND', 'offline'],
    ['ECONNREFUSED', 'offline'],
    ['ECONNRESET', 'offline'],
    ['UND_ERR_SOCKET', 'offline'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate'],
    ['CERT_HAS_EXPIRED', 'certificate'],
  ];
  for (const [code, reason] of thrown) {
    it(`${reason === 'certificate' ? 'T36' : 'F1 F2'} ${code} is "${reason}", and is not tried another way`, async () => {
      let asked = 0;
      const { client } = set(async () => {
        asked++;
        throw unreachable(code);
      });
      const error = await outcome(client.balance(ORG));
      equal(error instanceof CreditsError && error.reason, reason);
      equal(error instanceof CreditsError && error.cause, code);
      equal(asked, 1);
    });
  }

  for (const status of [301, 302, 303, 307, 308]) {
    it(`T4 F10 does not follow a ${status} to another origin`, async () => {
      const asked: string[] = [];
      const { client } = set(async (input, init) => {
        const request = new Request(input, init);
        asked.push(request.url);
        equal(request.redirect, 'manual');
        return new Response(null, { status, headers: { location: 'https://attacker.example/v1/me' } });
      });
      const error = await outcome(client.me());
      equal(error instanceof CreditsError && error.reason, 'redirected');
      const streaming = await outcome(client.openEvents(ORG, undefined, new AbortController().signal));
      equal(streaming instanceof CreditsError && streaming.reason, 'redirected');
      deepEqual(asked, [`${SERVER}/v1/me`, `${SERVER}/v1/orgs/${ORG}/events`]);
    });
  }

  it('F3 F5 gives up after ten seconds, and ends the request', async () => {
    let signal: AbortSignal | undefined;
    const { client, clock } = set((input, init) => {
      signal = new Request(input, init).signal;
      return new Promise(() => undefined);
    });
    const waiting = outcome(client.balance(ORG));
    await clock.advance(9_999);
    equal(signal?.aborted, false);
    await clock.advance(1);
    const error = await waiting;
    equal(error instanceof CreditsError && error.reason, 'timeout');
    equal(signal?.aborted, true);
    equal(clock.pending, 0);
  });

  it('F4 counts the deadline over the whole answer, not between drips', async () => {
    const clock = new FakeClock();
    const drip: typeof fetch = async () =>
      new Response(
        new ReadableStream({
          pull: async controller => {
            // One byte a second, for ever.
            await new Promise<void>(resolve => clock.after(1_000)(resolve));
            controller.enqueue(new TextEncoder().encode(' '));
          },
        }),
        { headers: { 'content-type': 'application/json' } },
      );
    const client = new CreditsClient(SERVER, TOKEN, { fetch: drip, clock, userAgent: 'test/1' });
    const waiting = outcome(client.balance(ORG));
    await clock.advance(10_000);
    const error = await waiting;
    equal(error instanceof CreditsError && error.reason, 'timeout');
  });

  it('F5 leaves no timer behind after a hundred answers', async () => {
    const { client, clock } = set();
    for (let round = 0; round < 100; round++) {
      await client.balance(ORG);
    }
    equal(clock.pending, 0);
  });

  describe('T35 reads nothing dangerous', () => {
    it('a body of 10 MB', async () => {
      const { client, server } = set();
      server.instead = () =>
        new Response(`{"x":"${'y'.repeat(10_000_000)}"}`, {
          headers: { 'content-type': 'application/json' },
        });
      const error = await outcome(client.balance(ORG));
      equal(error instanceof CreditsError && error.found, 'tooLarge');
    });

    it('a depth of 10,000', async () => {
      const { client, server } = set();
      server.instead = () =>
        new Response('['.repeat(10_000) + ']'.repeat(10_000), {
          headers: { 'content-type': 'application/json' },
        });
      const error = await outcome(client.balance(ORG));
      equal(error instanceof CreditsError && error.reason, 'unreadable');
    });

    it('__proto__ in the answer', async () => {
      const { client, server } = set();
      const text = JSON.stringify(balance()).replace('{', '{"__proto__":{"polluted":true},');
      server.instead = () => new Response(text, { headers: { 'content-type': 'application/json' } });
      const read = await client.balance(ORG);
      equal('polluted' in read, false);
      equal('polluted' in {}, false);
    });

    it('a field named twice: the last one counts, as in JSON.parse', async () => {
      const { client, server } = set();
      const text = JSON.stringify(balance()).replace('{', '{"version":9,');
      server.instead = () => new Response(text, { headers: { 'content-type': 'application/json' } });
      equal((await client.balance(ORG)).version, 1);
    });
  });

  it('carries code, request id and pause of a refusal as facts', async () => {
    const { client, server } = set();
    server.instead = () => problem(429, 'rate_limited', { request_id: 'req_9' }, { 'retry-after': '7' });
    const error = await outcome(client.balance(ORG));
    ok(error instanceof CreditsError);
    deepEqual(
      [error.code, error.requestId, error.retryAfterMs, error.status],
      ['rate_limited', 'req_9', 7_000, 429],
    );
  });

  it("F12 F43 measures a Retry-After date by the server's own clock", async () => {
    const { client, server, clock } = set();
    clock.setWall(86_400_000);
    server.instead = () =>
      problem(
        503,
        'unavailable',
        {},
        {
          date: 'Sun, 22 Nov 2026 12:00:00 GMT',
          'retry-after': 'Sun, 22 Nov 2026 12:00:20 GMT',
        },
      );
    const error = await outcome(client.balance(ORG));
    equal(error instanceof CreditsError && error.retryAfterMs, 20_000);
  });

  it('T5 names the token in no error, whatever failed', async () => {
    for (const answer of [() => html(500), () => problem(401, 'unauthenticated'), () => html(200)]) {
      const { client, server } = set();
      server.instead = answer;
      const error = await outcome(client.balance(ORG));
      ok(error instanceof CreditsError);
      equal(JSON.stringify([error, error.message, error.stack, error.cause]).includes(TOKEN), false);
    }
    const { client } = set(async () => {
      throw new TypeError(`Headers.append: "Bearer ${TOKEN}" is an invalid header value`);
    });
    const error = await outcome(client.balance(ORG));
    ok(error instanceof CreditsError);
    equal(JSON.stringify([error, error.message, error.stack, error.cause]).includes(TOKEN), false);
  });

  describe('opening the event stream', () => {
    it('hands over the body, and says where it left off', async () => {
      const { client, server } = set();
      const body = await client.openEvents(ORG, '41', new AbortController().signal);
      ok(body instanceof ReadableStream);
      equal(server.seen[0]?.headers.get('last-event-id'), '41');
      equal(server.seen[0]?.headers.get('accept'), 'text/event-stream');
      await body.cancel();
    });

    it('refuses a page, an error and a redirect', async () => {
      for (const [answer, reason] of [
        [() => html(200), 'unreadable'],
        [() => problem(404, 'not_found'), 'notFound'],
        [() => problem(403, 'insufficient_scope'), 'forbidden'],
        [() => problem(401, 'unauthenticated'), 'unauthenticated'],
        [
          () => new Response(null, { status: 302, headers: { location: 'https://attacker.example' } }),
          'redirected',
        ],
      ] as const) {
        const { client, server } = set();
        server.instead = answer;
        const error = await outcome(client.openEvents(ORG, undefined, new AbortController().signal));
        equal(error instanceof CreditsError && error.reason, reason);
      }
    });

    it('ends when it is told to', async () => {
      const { client, server } = set();
      const controller = new AbortController();
      await client.openEvents(ORG, undefined, controller.signal);
      ok(server.isStreaming);
      controller.abort();
      await settled();
      equal(server.isStreaming, false);
    });
  });

  it('asks "meta" without a token', async () => {
    const server = new ScriptedServer();
    const client = new CreditsClient(SERVER, undefined, {
      fetch: server.fetch,
      clock: new FakeClock(),
      userAgent: 'test/1',
    });
    await client.meta();
    equal(server.seen[0]?.headers.has('authorization'), false);
    server.instead = () => json({ service: 'something else' });
    await rejects(client.meta(), { reason: 'unreadable' });
  });
});
