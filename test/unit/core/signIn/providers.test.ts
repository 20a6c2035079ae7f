// The whole conversation with two real identity providers that know nothing of each other: oidc-provider, over real
// sockets and with the loopback listener, and an offline counterpart of Okta.
import { equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import { get } from 'node:http';
import { createEmulator, type Emulator } from 'emulate';
import { paths, scopes } from '../../../../protocol/api.ts';
import { freePort } from '../../../../scripts/support/ports.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { SignInError, type SignInErrorReason } from '../../../../src/core/signIn/errors.ts';
import { discover, openAgain, type Tokens } from '../../../../src/core/signIn/identityProvider.ts';
import { listen } from '../../../../src/vscode/loopback.ts';
import { AUDIENCE, CLIENT_ID, IdentitySide, REDIRECT_URI } from '../../../server/support/signIn.ts';
import { json } from '../../../support/scriptedServer.ts';

const ada = { id: 'subject-ada', name: 'Ada', email: 'ada@acme.example' };
const words = { language: 'en', done: { title: 'Back', text: '' }, refused: { title: '', text: '' } };
const META = { client_id: CLIENT_ID, redirect_uri: REDIRECT_URI };

/** The credits server's own word on who its provider is; all else goes out over the network. */
function means(issuer: string) {
  const through: typeof fetch = async (input, init) =>
    String(input) === AUDIENCE + paths.protectedResource()
      ? json({
          resource: AUDIENCE,
          authorization_servers: [issuer],
          scopes_supported: [...scopes],
          bearer_methods_supported: ['header'],
        })
      : await fetch(input, init);
  return { fetch: through, clock: systemClock, userAgent: 'test/1' };
}

function fails(act: Promise<unknown>, reason: SignInErrorReason): Promise<void> {
  return rejects(act, (error: unknown) => error instanceof SignInError && error.reason === reason);
}

describe('signing in at oidc-provider', () => {
  let side: IdentitySide;

  before(async function () {
    this.timeout(20_000);
    side = await IdentitySide.start([ada]);
  });
  after(() => side.close());

  const open = () => discover(AUDIENCE, META, means(side.issuer.url));

  /** From the browser's first page to the tokens, by a port of this machine. */
  async function byLoopback(): Promise<Tokens> {
    const provider = await open();
    const loopback = await listen(words, systemClock, 20_000);
    try {
      const attempt = await provider.begin(loopback.redirectUri);
      const answer = loopback.wait(attempt.state, new AbortController().signal);
      const back = await side.browse(ada.email, attempt.url);
      equal(await visit(back), 200);
      return await attempt.redeem(await answer);
    } finally {
      loopback.dispose();
    }
  }

  const grantOf = ({ refreshToken }: Tokens) => ({
    id: 'g',
    generation: 0,
    issuer: side.issuer.url,
    clientId: CLIENT_ID,
    refreshToken,
    expiresAtMs: 0,
  });

  it('T15 comes back to a port of this machine with a token for this server, and stays signed in', async () => {
    const tokens = await byLoopback();
    const [, body = ''] = tokens.accessToken.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    equal(claims['aud'], AUDIENCE);
    match(String(claims['scope']), /credits:read/);
    ok(tokens.refreshToken);
    const again = await openAgain(grantOf(tokens), AUDIENCE, means(side.issuer.url));
    const renewed = await again.refresh(tokens.refreshToken);
    notEqual(renewed.refreshToken, tokens.refreshToken);
    notEqual(renewed.accessToken, tokens.accessToken);
  });

  it('T15.36 a refresh token shown a second time ends the sign-in at the provider', async () => {
    const tokens = await byLoopback();
    const provider = await openAgain(grantOf(tokens), AUDIENCE, means(side.issuer.url));
    const renewed = await provider.refresh(tokens.refreshToken ?? '');
    await fails(provider.refresh(tokens.refreshToken ?? ''), 'ended');
    await fails(provider.refresh(renewed.refreshToken ?? ''), 'ended');
  });

  it('T15.37 a signed-out sign-in is worthless to whoever has its refresh token', async () => {
    const tokens = await byLoopback();
    const provider = await openAgain(grantOf(tokens), AUDIENCE, means(side.issuer.url));
    await provider.revoke(tokens.refreshToken ?? '');
    await fails(provider.refresh(tokens.refreshToken ?? ''), 'ended');
  });

  it('T15.38 a code caught on its way is worth nothing to another sign-in (PKCE)', async () => {
    const provider = await open();
    const ours = await provider.begin(REDIRECT_URI);
    const theirs = await provider.begin(REDIRECT_URI);
    const caught = (await side.browse(ada.email, ours.url)).searchParams;
    const forged = new URLSearchParams(caught);
    forged.set('state', theirs.state);
    await fails(theirs.redeem(forged), 'expired');
  });

  it('T15.39 others get a token that can read and no more, and ours keeps what it had', async () => {
    const tokens = await byLoopback();
    const provider = await openAgain(grantOf(tokens), AUDIENCE, means(side.issuer.url));
    const narrowed = await provider.refresh(tokens.refreshToken ?? '', 'credits:read');
    equal(scopeOf(narrowed), 'credits:read');
    match(scopeOf(await provider.refresh(narrowed.refreshToken ?? '')), /credits:purchase/);
  });
});

/** As a browser comes by: fetch would say of itself that it is a script. */
function visit(url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, response => resolve(response.resume().statusCode ?? 0)).on('error', reject);
  });
}

function scopeOf({ accessToken }: Tokens): string {
  const [, body = ''] = accessToken.split('.');
  return String((JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>)['scope']);
}

describe('signing in at a counterpart of Okta', () => {
  const REDIRECT = 'http://127.0.0.1:4567/callback';
  let okta: Emulator;
  let issuer: string;

  before(async function () {
    this.timeout(20_000);
    okta = await createEmulator({
      service: 'okta',
      port: await freePort(),
      seed: {
        okta: {
          users: [{ login: ada.email, email: ada.email, first_name: 'Ada', last_name: 'L' }],
          oauth_clients: [
            {
              client_id: CLIENT_ID,
              name: 'Credits',
              redirect_uris: [REDIRECT],
              token_endpoint_auth_method: 'none',
              auth_server_id: 'default',
            },
          ],
        },
      },
    });
    issuer = `${okta.url}/oauth2/default`;
  });
  after(() => okta.close());

  const open = () => discover(AUDIENCE, META, means(issuer));

  /** Chooses Ada on its page, as a browser would; the address it sends her back to. */
  async function browse(url: string): Promise<URLSearchParams> {
    const html = await (await fetch(url)).text();
    const form =
      [...html.matchAll(/<form[\s\S]*?<\/form>/g)].map(([one]) => one).find(one => one.includes(ada.email)) ??
      '';
    const fields = [...form.matchAll(/name="([^"]*)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('&amp;', '&'),
    ]);
    const action = /action="([^"]*)"/.exec(form)?.[1] ?? '';
    const answer = await fetch(new URL(action, url), {
      method: 'POST',
      body: new URLSearchParams(fields),
      redirect: 'manual',
    });
    return new URL(answer.headers.get('location') ?? '').searchParams;
  }

  it('finds it, signs in and renews, with the same code as for any other', async () => {
    const provider = await open();
    equal(provider.issuer, issuer);
    equal(provider.hasDeviceCodes, false);
    const attempt = await provider.begin(REDIRECT);
    const tokens = await attempt.redeem(await browse(attempt.url));
    ok(tokens.accessToken);
    const grant = {
      id: 'g',
      generation: 0,
      issuer,
      clientId: CLIENT_ID,
      refreshToken: tokens.refreshToken,
      expiresAtMs: 0,
    };
    ok(tokens.refreshToken);
    const again = await openAgain(grant, AUDIENCE, means(issuer));
    ok((await again.refresh(tokens.refreshToken)).accessToken);
  });

  it('T15.40 an answer of one provider is refused by a sign-in at the other (mix-up)', async function () {
    this.timeout(20_000);
    const side = await IdentitySide.start([ada]);
    try {
      const honest = await (await discover(AUDIENCE, META, means(side.issuer.url))).begin(REDIRECT_URI);
      const mixed = await (await open()).begin(REDIRECT);
      const answer = (await side.browse(ada.email, honest.url)).searchParams;
      answer.set('state', mixed.state);
      await fails(mixed.redeem(answer), 'mismatch');
    } finally {
      await side.close();
    }
  });
});
