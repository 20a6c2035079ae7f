// Signing in by an identity provider: a real one, from the browser's first page to the answer of this server.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { paths, scopes } from '../../protocol/api.ts';
import { newSecret } from '../../server/src/ids.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';
import { AUDIENCE, CLIENT_ID, IdentitySide, REDIRECT_URI } from './support/signIn.ts';

describe('signing in by an identity provider', () => {
  const name = newSecret().slice(0, 12);
  const ada = { id: `subject-ada-${name}`, name: 'Ada', email: `ada-${name}@acme.example` };
  const eve = { id: `subject-eve-${name}`, name: 'Eve', email: `eve-${name}@acme.example` };
  let provider: IdentitySide;
  let house: House;
  let org: Org;
  let adaId: string;
  before(async () => {
    provider = await IdentitySide.start([ada, eve]);
    house = await House.build({ environment: provider.environment });
    org = await house.org();
    adaId = `usr_Ada_${org.id.slice('org_'.length)}`;
    await house.database.query
      .updateTable('principals')
      .set({ email: ada.email.toUpperCase() })
      .where('principal_id', '=', adaId)
      .execute();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
    await provider.close();
  });

  it('tells clients where to sign in, and as whom', async () => {
    const resource = (await house.get(paths.protectedResource())).json();
    assert.deepEqual(
      [resource.resource, resource.authorization_servers, resource.scopes_supported],
      [AUDIENCE, [provider.issuer.url], [...scopes]],
    );
    const meta = (await house.get(paths.meta())).json();
    assert.deepEqual(meta.sign_in, { client_id: CLIENT_ID, redirect_uri: REDIRECT_URI });
    const answer = await house.get(paths.me());
    assert.equal(
      answer.headers['www-authenticate'],
      `Bearer resource_metadata="${AUDIENCE}/.well-known/oauth-protected-resource"`,
    );
  });

  it('knows a person by the verified e-mail address at first, and by the subject from then on', async () => {
    const { access_token } = await provider.signIn(ada.email);
    const me = await house.get(paths.me(), access_token);
    assert.deepEqual([me.statusCode, me.json().principal.id], [200, adaId], me.body);
    assert.equal((await house.get(paths.balance(org.id), access_token)).statusCode, 200);
    await house.database.query
      .updateTable('principals')
      .set({ email: 'moved@acme.example' })
      .where('principal_id', '=', adaId)
      .execute();
    assert.equal((await house.get(paths.me(), access_token)).json().principal.id, adaId);
  });

  it('T15 refuses a request without PKCE, and takes any port of this machine', async () => {
    const bare = await provider.answerTo(ada.email, { redirect_uri: REDIRECT_URI, scope: 'openid' });
    assert.equal(bare.searchParams.get('error'), 'invalid_request');
    const { access_token } = await provider.signIn(ada.email, {
      redirectUri: 'http://127.0.0.1:49152/callback',
    });
    assert.equal((await house.get(paths.balance(org.id), access_token)).statusCode, 200);
  });

  it('takes no token that says who signed in for one that opens something', async () => {
    const { id_token } = await provider.signIn(ada.email);
    assert.equal((await house.get(paths.me(), id_token)).statusCode, 401);
  });

  it('F14 goes on with a refresh token, which is good once', async () => {
    const first = await provider.signIn(ada.email);
    const form = { grant_type: 'refresh_token', refresh_token: first.refresh_token };
    const second = await provider.token(form);
    assert.equal((await house.get(paths.me(), second.access_token)).statusCode, 200);
    assert.notEqual(second.refresh_token, first.refresh_token);
    const again = await provider.ask('/token', form);
    assert.deepEqual([again.status, again.body['error']], [400, 'invalid_grant']);
  });

  it('works with a code that is typed in on another device', async () => {
    const { body } = await provider.ask('/device/auth', {
      scope: 'openid credits:read',
      resource: AUDIENCE,
    });
    await provider.browse(ada.email, body['verification_uri_complete'] ?? '');
    const { access_token } = await provider.token({
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: body['device_code'] ?? '',
    });
    assert.equal((await house.get(paths.balance(org.id), access_token)).statusCode, 200);
    const answer = await house.get(paths.ledger(org.id), access_token);
    assert.equal(answer.json().code, 'insufficient_scope');
  });

  it('leaves a person whom nobody has added a member of nothing', async () => {
    const { access_token } = await provider.signIn(eve.email);
    const me = await house.get(paths.me(), access_token);
    assert.deepEqual([me.statusCode, me.json().orgs], [200, []]);
  });

  describe('the way back into the editor', () => {
    const callback = 'vscode://studio-credits.code-studio-credits/signed-in?window=1';
    const expectReturn = (state: string, callback_uri = callback) =>
      house.post(paths.signInReturns(), undefined, { state, callback_uri });
    const newState = () => `${newSecret()}${newSecret()}`;
    const back = (query: Record<string, string>) =>
      house.get(`/sign-in/return?${new URLSearchParams(query)}`);

    it('T15 passes an answer on to the editor that asked for it, once', async () => {
      const state = newState();
      assert.equal((await expectReturn(state)).statusCode, 201);
      const answer = await back({ state, code: 'the-code', iss: provider.issuer.url });
      const target = `${callback}&state=${state}&code=the-code&iss=${encodeURIComponent(provider.issuer.url)}`;
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.body.split(`url=${target.replaceAll('&', '&amp;')}"`).length, 2);
      assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
      assert.equal(answer.headers['referrer-policy'], 'no-referrer');
      const again = await back({ state, code: 'the-code' });
      assert.equal(again.statusCode, 404);
      assert.ok(!again.body.includes('the-code') && !again.body.includes('vscode:'));
    });

    it('T15 passes nothing on for a state that is unknown, or older than five minutes', async () => {
      const state = newState();
      await expectReturn(state);
      house.clock.advance(5 * 60_000);
      for (const answer of [await back({ state, code: 'c' }), await back({ state: newState(), code: 'c' })]) {
        assert.equal(answer.statusCode, 404);
        assert.match(answer.body, /Start again from your editor/);
        assert.ok(!answer.body.includes('vscode:'));
      }
    });

    it('T15 passes one answer on of many at once', async () => {
      const state = newState();
      await expectReturn(state);
      const answers = await Promise.all(Array.from({ length: 10 }, () => back({ state, code: 'c' })));
      assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1);
    });

    it('passes on that it was refused', async () => {
      const state = newState();
      await expectReturn(state);
      const answer = await back({ state, error: 'access_denied', error_description: '<b>no</b>' });
      assert.match(answer.body, /error=access_denied/);
      assert.match(answer.body, /Not signed in/);
      assert.ok(!answer.body.includes('<b>no'));
    });

    it('T15 never takes another address for a state, not even after it was used', async () => {
      const state = newState();
      await expectReturn(state);
      assert.equal((await expectReturn(state)).statusCode, 201);
      assert.equal((await expectReturn(state, 'vscode://evil.ext/x')).statusCode, 422);
      await back({ state, code: 'c' });
      assert.equal((await expectReturn(state)).statusCode, 422);
    });

    it('T15 hands nobody’s code to a page of somebody else who has asked for it', async () => {
      // A sign-in that a stranger has begun, with a verifier of their own, and whose address they send to Ada.
      const state = newState();
      const theirs = 'https://evil.example/callback';
      const asked = await expectReturn(state, theirs);
      const code_challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url');
      const answer = await provider.answerTo(ada.email, {
        state,
        scope: 'openid credits:purchase',
        redirect_uri: REDIRECT_URI,
        code_challenge,
        code_challenge_method: 'S256',
      });
      assert.ok(answer.searchParams.get('code'));
      const page = await house.get(answer.pathname + answer.search);
      assert.ok(!page.body.includes('evil.example'), page.body);
      assert.deepEqual([asked.statusCode, asked.json().code], [422, 'return_uri_not_allowed']);
    });

    it('T15 leads back to an editor in a browser that is known here, and to any on this machine', async () => {
      const known = await House.build({
        environment: { ...provider.environment, WEB_EDITOR_ORIGINS: 'https://code.example' },
      });
      for (const [uri, status] of [
        ['https://code.example/stable-abc/callback?a=b', 201],
        ['http://127.0.0.1:8080/callback?a=b', 201],
        ['https://code.example:8443/callback', 422],
        ['https://code.example.evil.example/callback', 422],
      ] as const) {
        const answer = await known.post(paths.signInReturns(), undefined, {
          state: newState(),
          callback_uri: uri,
        });
        assert.equal(answer.statusCode, status, uri);
      }
      await known.close();
    });

    it('T12 refuses an address that is no editor’s', async () => {
      for (const uri of ['https://evil.example/', 'javascript:alert(1)', 'file:///etc/passwd', 'x y']) {
        const answer = await expectReturn(newState(), uri);
        assert.deepEqual(
          [answer.statusCode, answer.json().code, answer.json().errors[0].pointer],
          [422, 'return_uri_not_allowed', '/callback_uri'],
          uri,
        );
      }
    });

    it('is not there without an identity provider', async () => {
      const plain = await House.build();
      const state = newState();
      for (const answer of [
        await plain.post(paths.signInReturns(), undefined, { state, callback_uri: callback }),
        await plain.get(paths.protectedResource()),
      ]) {
        assert.deepEqual([answer.statusCode, answer.json().code], [404, 'not_found']);
      }
      assert.equal((await plain.get(paths.meta())).json().sign_in, undefined);
      await plain.close();
    });
  });
});
