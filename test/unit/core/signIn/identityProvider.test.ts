import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { SignInError, type SignInErrorReason } from '../../../../src/core/signIn/errors.ts';
import { discover, type IdentityProvider, openAgain } from '../../../../src/core/signIn/identityProvider.ts';
import { FakeClock, settled } from '../../../support/clock.ts';
import { SERVER } from '../../../support/core.ts';
import { CLIENT, ISSUER, ScriptedIssuer } from '../../../support/scriptedIssuer.ts';
import { json } from '../../../support/scriptedServer.ts';

const REDIRECT = 'http://127.0.0.1:4567/callback';
const META = { client_id: CLIENT, redirect_uri: `${SERVER}/sign-in/return` };

let issuer: ScriptedIssuer;
let clock: FakeClock;

const means = () => ({ fetch: issuer.fetch, clock, userAgent: 'test/1' });
const open = (): Promise<IdentityProvider> => discover(SERVER, META, means());

/** Signs in with an answer and a token that a test has tampered with. */
async function signIn(change: Record<string, string | undefined> = {}) {
  const attempt = await (await open()).begin(REDIRECT);
  return await attempt.redeem(issuer.answerTo(attempt.url, change));
}

function fails(act: Promise<unknown>, reason: SignInErrorReason): Promise<void> {
  return rejects(act, (error: unknown) => error instanceof SignInError && error.reason === reason);
}

const tokenRequests = () => issuer.seen.filter(one => one.url === `${ISSUER}/token`);

beforeEach(async () => {
  issuer = await ScriptedIssuer.create();
  clock = new FakeClock();
});

describe('signing in with a code', () => {
  it('asks for what is needed, with PKCE, for this server only', async () => {
    const { url, state } = await (await open()).begin(REDIRECT);
    const asked = new URL(url).searchParams;
    equal(
      asked.get('scope'),
      'openid offline_access credits:read credits:history credits:purchase credits:manage',
    );
    equal(asked.get('code_challenge_method'), 'S256');
    equal(asked.get('resource'), SERVER);
    equal(asked.get('redirect_uri'), REDIRECT);
    ok(/^[\w-]{43,128}$/.test(state));
    ok(!url.includes('code_verifier'));
  });

  it('gets tokens for the right answer, and knows when they end', async () => {
    const tokens = await signIn();
    deepEqual(tokens, { accessToken: 'at-1', refreshToken: 'rt-1', expiresAtMs: clock.now() + 600_000 });
    const [exchange] = tokenRequests();
    equal(exchange?.form.get('resource'), SERVER);
    ok((exchange?.form.get('code_verifier') ?? '').length >= 43);
  });

  for (const [title, change] of [
    [
      'T15.1 an answer with another state is refused, and its code is not sent anywhere',
      { state: 'x'.repeat(43) },
    ],
    ['T15.2 an answer without a state is refused, and its code is not sent anywhere', { state: undefined }],
    ['T15.3 an answer that names another issuer is refused (mix-up)', { iss: 'https://evil.example' }],
    ['T15.4 an answer that names no issuer is refused where the provider promised to', { iss: undefined }],
  ] as const) {
    it(title, async () => {
      await fails(signIn(change), 'mismatch');
      equal(tokenRequests().length, 0);
    });
  }

  it('T15.5 an answer is worth something once: replayed, it is refused', async () => {
    const attempt = await (await open()).begin(REDIRECT);
    const answer = issuer.answerTo(attempt.url);
    await attempt.redeem(answer);
    await fails(attempt.redeem(answer), 'mismatch');
    equal(tokenRequests().length, 1);
  });

  it('T15.6 an answer to one sign-in is none to another', async () => {
    const provider = await open();
    const first = await provider.begin(REDIRECT);
    const second = await provider.begin(REDIRECT);
    await fails(second.redeem(issuer.answerTo(first.url)), 'mismatch');
  });

  for (const [title, claims] of [
    ['T15.7 an ID token with another nonce is refused', { nonce: 'of-another' }],
    ['T15.8 an ID token without a nonce is refused', { nonce: undefined }],
    ['T15.9 an ID token for another audience is refused', { aud: 'another-client' }],
    ['T15.10 an ID token of another issuer is refused', { iss: 'https://evil.example' }],
    ['T15.11 an ID token that has expired is refused', { exp: 1_000_000 }],
    ['T15.12 an ID token that is not valid yet is refused', { nbf: 9_999_999_999 }],
  ] as const) {
    it(title, async () => {
      issuer.claims = claims as Record<string, string>;
      await fails(signIn(), 'mismatch');
    });
  }

  it('T15.13 an ID token that nobody signed (alg: none) is refused', async () => {
    issuer.signing = 'none';
    await fails(signIn(), 'mismatch');
  });

  it('T15.14 an ID token signed with another key is refused', async () => {
    issuer.signing = 'anothers';
    await fails(signIn(), 'mismatch');
  });

  it('accepts clocks that are a minute apart, and no more', async () => {
    issuer.claims = { exp: Math.floor(Date.now() / 1_000) - 30 };
    equal((await signIn()).accessToken, 'at-1');
    issuer.claims = { exp: Math.floor(Date.now() / 1_000) - 90 };
    await fails(signIn(), 'mismatch');
  });

  it('says so when the person declined', async () => {
    await fails(signIn({ code: undefined, error: 'access_denied' }), 'denied');
  });

  it('T15.15 a code that came too late is refused by the provider, and told as that', async () => {
    issuer.instead = url => (url.endsWith('/token') ? json({ error: 'invalid_grant' }, 400) : undefined);
    await fails(signIn(), 'expired');
  });
});

describe('finding the identity provider', () => {
  it('looks where the standard has it for a server under a path, and then beneath that path', async () => {
    const server = `${SERVER}/team`;
    const asked = () =>
      issuer.seen.map(({ url }) => url).filter(url => url.includes('oauth-protected-resource'));
    const metadata = {
      resource: server,
      authorization_servers: [ISSUER],
      scopes_supported: ['credits:read'],
      bearer_methods_supported: ['header'],
    };
    const standard = `${SERVER}/.well-known/oauth-protected-resource/team`;
    const beneath = `${server}/.well-known/oauth-protected-resource`;
    issuer.instead = url => (url === standard ? json(metadata) : undefined);
    equal((await discover(server, META, means())).issuer, ISSUER);
    deepEqual(asked(), [standard]);
    issuer.instead = url => (url === standard ? json({}, 404) : url === beneath ? json(metadata) : undefined);
    equal((await discover(server, META, means())).issuer, ISSUER);
    deepEqual(asked(), [standard, standard, beneath]);
  });

  it('T15.16 trusts no metadata about another server', async () => {
    issuer.resource = { resource: 'https://other.example' };
    await fails(open(), 'untrusted');
  });

  it('T15.17 trusts no provider that names itself differently, by one character even', async () => {
    issuer.metadata = { issuer: 'https://evil.example' };
    await fails(open(), 'untrusted');
    issuer.metadata = { issuer: `${ISSUER}/` };
    await fails(open(), 'untrusted');
  });

  it('T15.18 sends nothing to an address without https', async () => {
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint']) {
      issuer.metadata = { [name]: 'http://id.example.com/x' };
      await fails(open(), 'untrusted');
    }
    issuer.metadata = {};
    issuer.resource = { authorization_servers: ['http://id.example.com'] };
    await fails(open(), 'untrusted');
  });

  it('T15.19 follows no redirect of the provider', async () => {
    issuer.instead = url =>
      url.endsWith('/token') ? Response.redirect('https://evil.example/token', 307) : undefined;
    await fails(signIn(), 'untrusted');
    ok(issuer.seen.every(one => !one.url.startsWith('https://evil.example')));
  });

  it('refuses a provider that says it cannot do S256', async () => {
    issuer.metadata = { code_challenge_methods_supported: ['plain'] };
    await fails(signIn(), 'unsupported');
  });

  it('says so when the server takes access tokens only', async () => {
    await fails(discover(SERVER, undefined, means()), 'notOffered');
    issuer.resource = { authorization_servers: [] };
    await fails(open(), 'notOffered');
  });

  it('waits ten seconds for it, and no longer', async () => {
    const never: typeof fetch = (_input, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const asked = discover(SERVER, META, { ...means(), fetch: never });
    const told = fails(asked, 'unreachable');
    await settled();
    await clock.advance(10_000);
    await told;
    equal(clock.pending, 0);
  });

  it('reads no answer of any length', async () => {
    issuer.instead = url => (url.endsWith('configuration') ? json({ x: 'x'.repeat(1_100_000) }) : undefined);
    await fails(open(), 'untrusted');
  });
});

describe('signing in with a code on another device', () => {
  /** Starts it, and lets the provider answer each look in turn. */
  async function start(answers: ReadonlyArray<string | undefined>) {
    let looks = 0;
    issuer.instead = url => {
      if (!url.endsWith('/token')) {
        return undefined;
      }
      const error = answers[Math.min(looks++, answers.length - 1)];
      return error === undefined ? undefined : json({ error }, 400);
    };
    const device = await (await open()).beginDevice();
    const canceling = new AbortController();
    const done = device.wait(canceling.signal);
    done.catch(() => undefined);
    return { device, done, canceling, looks: () => looks };
  }

  it('looks at the pace it was told, slower when asked to, until someone has agreed', async () => {
    const { device, done, looks } = await start(['authorization_pending', 'slow_down', undefined]);
    equal(device.userCode, 'WDJB-MJHT');
    await clock.advance(5_000);
    await clock.advance(5_000);
    equal(looks(), 2);
    await clock.advance(9_000);
    equal(looks(), 2);
    await clock.advance(1_000);
    equal((await done).refreshToken, 'rt-1');
  });

  it('ends when the person says no, and when the code has expired', async () => {
    const no = await start(['access_denied']);
    await clock.advance(5_000);
    await fails(no.done, 'denied');
    const late = await start(['expired_token']);
    await clock.advance(5_000);
    await fails(late.done, 'expired');
  });

  it('T15.20 gives up after five minutes, however long the code would last', async () => {
    const { done, looks } = await start(['authorization_pending']);
    await clock.advance(301_000);
    await fails(done, 'timeout');
    const before = looks();
    await clock.advance(60_000);
    equal(looks(), before);
    equal(clock.pending, 0);
  });

  it('can be left at any time', async () => {
    const { done, canceling } = await start(['authorization_pending']);
    canceling.abort();
    await fails(done, 'canceled');
    equal(clock.pending, 0);
  });

  it('says so when the provider gives no codes', async () => {
    issuer.metadata = { device_authorization_endpoint: undefined };
    await fails((await open()).beginDevice(), 'unsupported');
  });
});

describe('a kept sign-in at the provider', () => {
  const grant = {
    id: 'g',
    generation: 0,
    issuer: ISSUER,
    clientId: CLIENT,
    refreshToken: 'rt-1',
    expiresAtMs: 0,
  };

  it('is renewed, for the same server', async () => {
    const tokens = await (await openAgain(grant, SERVER, means())).refresh('rt-1');
    equal(tokens.accessToken, 'at-1');
    const [asked] = tokenRequests();
    deepEqual([asked?.form.get('refresh_token'), asked?.form.get('resource')], ['rt-1', SERVER]);
  });

  it('F14 keeps its refresh token where the provider gives no new one', async () => {
    issuer.instead = url =>
      url.endsWith('/token')
        ? json({ access_token: 'at-2', token_type: 'Bearer', expires_in: 60 })
        : undefined;
    equal((await (await openAgain(grant, SERVER, means())).refresh('rt-1')).refreshToken, 'rt-1');
  });

  it('F13 is over when the provider says so, and only then', async () => {
    issuer.instead = url => (url.endsWith('/token') ? json({ error: 'invalid_grant' }, 400) : undefined);
    await fails((await openAgain(grant, SERVER, means())).refresh('rt-1'), 'ended');
    issuer.instead = url => (url.endsWith('/token') ? json({}, 503) : undefined);
    await fails((await openAgain(grant, SERVER, means())).refresh('rt-1'), 'unreachable');
  });

  it('is made worthless there when someone signs out', async () => {
    await (await openAgain(grant, SERVER, means())).revoke('rt-1');
    const [revoked] = issuer.seen.filter(one => one.url === `${ISSUER}/revoke`);
    equal(revoked?.form.get('token'), 'rt-1');
  });
});
