// Access tokens of an identity provider, good and bad: only what it has signed for this server and for now is taken.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock } from 'node:test';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { paths, scopes } from '../../protocol/api.ts';
import { newSecret } from '../../server/src/ids.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';

const AUDIENCE = 'http://credits.localhost:4310';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

/** An identity provider as far as this server sees one: its metadata and its keys, counted as they are asked for. */
class Provider {
  readonly asked = { metadata: 0, keys: 0 };
  readonly #server: Server;
  readonly keys: Keys;
  /** Changes what it says of itself. */
  metadata: object = {};
  isDown = false as boolean;
  /** What its key is called. */
  kid = 'one';

  private constructor(server: Server, keys: Keys) {
    this.#server = server;
    this.keys = keys;
  }

  static async start(): Promise<Provider> {
    const keys = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'RS256', use: 'sig' };
    const server = createServer();
    const provider = new Provider(server, keys);
    server.on('request', (request, response) => {
      const isMetadata = request.url === '/.well-known/openid-configuration';
      provider.asked[isMetadata ? 'metadata' : 'keys']++;
      const body = isMetadata
        ? { issuer: provider.url, jwks_uri: `${provider.url}/keys`, ...provider.metadata }
        : { keys: [{ ...jwk, kid: provider.kid }] };
      response.writeHead(provider.isDown ? 500 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise(resolve => void this.#server.close(() => resolve()));
  }
}

describe('an identity provider’s token', () => {
  const subject = newSecret();
  let provider: Provider;
  let house: House;
  let org: Org;
  before(async () => {
    provider = await Provider.start();
    house = await House.build({ environment: environmentOf(provider) });
  });
  beforeEach(async () => {
    org = await house.org();
    await house.database.query.deleteFrom('identities').where('issuer', '=', provider.url).execute();
    await house.database.query
      .insertInto('identities')
      .values({ issuer: provider.url, subject, principal_id: adaOf(org), created_at: new Date() })
      .execute();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
    await provider.stop();
  });

  const environmentOf = ({ url }: Provider) => ({ OIDC_ISSUERS: url, OIDC_CLIENT_ID: 'editor' });
  const adaOf = ({ id }: Org) => `usr_Ada_${id.slice('org_'.length)}`;
  const nowS = () => Math.floor(house.clock.now().getTime() / 1_000);

  interface Forgery {
    readonly claims?: JWTPayload;
    readonly head?: object;
    readonly key?: Parameters<SignJWT['sign']>[0];
  }
  const good = () => ({
    iss: provider.url,
    aud: AUDIENCE,
    sub: subject,
    scope: scopes.join(' '),
    iat: nowS(),
    exp: nowS() + 300,
  });
  const token = ({ claims = {}, head = {}, key = provider.keys.privateKey }: Forgery = {}) =>
    new SignJWT({ ...good(), ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'at+jwt', ...head })
      .sign(key);
  const base64 = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const refused = async (bad: string) => {
    const answer = await house.get(paths.balance(org.id), bad);
    assert.deepEqual([answer.statusCode, answer.json().code], [401, 'unauthenticated'], answer.body);
    assert.match(String(answer.headers['www-authenticate']), /resource_metadata=/);
  };

  it('opens what its person’s role and its scopes allow', async () => {
    const answer = await house.get(paths.balance(org.id), await token());
    assert.equal(answer.statusCode, 200, answer.body);
  });

  it('T15 of another issuer is refused without asking that one for anything', async () => {
    const other = await Provider.start();
    await refused(await token({ claims: { iss: other.url }, key: other.keys.privateKey }));
    assert.deepEqual(other.asked, { metadata: 0, keys: 0 });
    await other.stop();
  });

  it('T15 for another audience is refused', async () => {
    await refused(await token({ claims: { aud: 'https://other.example' } }));
    await refused(await token({ claims: { aud: `${AUDIENCE}.evil.example` } }));
  });

  it('T15 without a signature is refused', async () => {
    await refused(`${base64({ alg: 'none', typ: 'at+jwt' })}.${base64(good())}.`);
    await refused(`${base64({ alg: 'none', typ: 'at+jwt' })}.${base64(good())}.${'A'.repeat(20)}`);
  });

  it('T15 signed with the public key as a shared secret is refused', async () => {
    const secret = new TextEncoder().encode(await exportSPKI(provider.keys.publicKey));
    await refused(await token({ head: { alg: 'HS256' }, key: secret }));
  });

  it('T15 signed by somebody else under a known key’s name is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await refused(await token({ key: privateKey }));
  });

  it('T15 F44 that has expired, or is not valid yet, is refused beyond a minute of tolerance', async () => {
    await refused(await token({ claims: { exp: nowS() - 61 } }));
    await refused(await token({ claims: { nbf: nowS() + 90 } }));
    for (const claims of [{ exp: nowS() - 30 }, { nbf: nowS() + 30 }]) {
      const answer = await house.get(paths.balance(org.id), await token({ claims }));
      assert.equal(answer.statusCode, 200, answer.body);
    }
  });

  it('T15 without an end or without a person is refused', async () => {
    const { exp: _exp, ...endless } = good();
    const { sub: _sub, ...nobody } = good();
    for (const claims of [endless, nobody]) {
      await refused(
        await new SignJWT(claims)
          .setProtectedHeader({ alg: 'RS256', kid: 'one' })
          .sign(provider.keys.privateKey),
      );
    }
  });

  it('T15 with an unknown key is refused, and many of them make the provider no work', async () => {
    await house.get(paths.balance(org.id), await token());
    const before = provider.asked.keys;
    for (let count = 0; count < 20; count++) {
      await refused(await token({ head: { kid: `unknown-${count}` } }));
    }
    assert.ok(provider.asked.keys - before <= 1, `asked ${provider.asked.keys - before} times`);
  });

  it('T20 without the scope is 403, with the scope to ask for', async () => {
    const answer = await house.get(
      paths.ledger(org.id),
      await token({ claims: { scope: 'openid credits:read' } }),
    );
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_scope']);
    assert.match(String(answer.headers['www-authenticate']), /scope="credits:history"/);
  });

  it('T15 made to tell who signed in, and not for us, opens nothing', async () => {
    const answer = await house.get(paths.me(), await token({ claims: { scope: 'openid email' } }));
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_scope']);
  });

  it('reads scopes as other providers write them', async () => {
    for (const scp of ['credits:read openid', ['credits:read']]) {
      const { scope: _scope, ...claims } = good();
      const other = await new SignJWT({ ...claims, scp })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .sign(provider.keys.privateKey);
      assert.equal((await house.get(paths.balance(org.id), other)).statusCode, 200);
    }
  });

  it('T20 gives no role, whatever it claims: the role is looked up live', async () => {
    const boast = await token({ claims: { role: 'admin', roles: ['admin'], groups: ['admin'] } });
    assert.equal((await house.get(paths.ledger(org.id), boast)).statusCode, 200);
    await house.database.query
      .updateTable('memberships')
      .set({ role: 'user' })
      .where('principal_id', '=', adaOf(org))
      .execute();
    const answer = await house.get(paths.ledger(org.id), boast);
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
  });

  it('T21 opens no other organisation', async () => {
    const other = await house.org();
    assert.equal((await house.get(paths.balance(other.id), await token())).statusCode, 404);
  });

  describe('of somebody new', () => {
    const email = () => `${newSecret()}@acme.example`;
    const as = (claims: JWTPayload) => token({ claims: { sub: newSecret(), ...claims } });
    const address = async (mail: string) => {
      await house.database.query
        .updateTable('principals')
        .set({ email: mail })
        .where('principal_id', '=', adaOf(org))
        .execute();
      await house.database.query.deleteFrom('identities').where('issuer', '=', provider.url).execute();
    };

    it('T15 is a stranger’s without a verified e-mail address: signed in, and a member of nothing', async () => {
      const mail = email();
      await address(mail);
      for (const claims of [{ email: mail }, { email: mail, email_verified: false }, {}]) {
        const stranger = await as(claims);
        const me = await house.get(paths.me(), stranger);
        assert.deepEqual([me.statusCode, me.json().orgs], [200, []]);
        assert.equal((await house.get(paths.balance(org.id), stranger)).statusCode, 404);
        const body = { name: 'mine', scopes: ['credits:read'], expires_in_days: 1 };
        assert.equal((await house.post(paths.myTokens(), stranger, body)).statusCode, 403);
      }
    });

    it('T15 does not open the account of whoever had the e-mail address before', async () => {
      const mail = email();
      await address(mail);
      const first = await as({ email: mail, email_verified: true });
      assert.equal((await house.get(paths.me(), first)).json().principal.id, adaOf(org));
      const next = await house.get(paths.me(), await as({ email: mail, email_verified: true }));
      assert.deepEqual(next.json().orgs, []);
      const log = (await house.get(paths.audit(org.id), org.admin)).json().data;
      assert.equal(log.filter((entry: { action: string }) => entry.action === 'user.linked').length, 1);
    });
  });

  describe('while the provider cannot be asked', () => {
    for (const [name, change] of [
      ['does not answer', { isDown: true }],
      ['says it is another', { metadata: { issuer: 'https://other.example' } }],
      ['names keys without https', { metadata: { jwks_uri: 'http://keys.example/keys' } }],
    ] as const) {
      it(`because it ${name}, is answered with 503 and never with 401`, async () => {
        const own = await Provider.start();
        Object.assign(own, change);
        const other = await House.build({ environment: environmentOf(own), clock: house.clock });
        try {
          const unsure = await token({ claims: { iss: own.url }, key: own.keys.privateKey });
          for (let count = 0; count < 3; count++) {
            const answer = await other.get(paths.me(), unsure);
            assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
            assert.equal(answer.headers['retry-after'], '5');
          }
          assert.equal(own.asked.metadata, 1, 'is not asked again at once');
        } finally {
          await other.close();
          await own.stop();
        }
      });
    }

    it('goes on with keys that are known, answers 503 for others, and finds a new one when it is back', async () => {
      const own = await Provider.start();
      const other = await House.build({ environment: environmentOf(own), clock: house.clock });
      try {
        const status = async (kid: string) => {
          const signed = await token({ claims: { iss: own.url }, head: { kid }, key: own.keys.privateKey });
          return (await other.get(paths.me(), signed)).statusCode;
        };
        assert.equal(await status('one'), 200);
        own.isDown = true;
        // Past the pause in which a key that the provider did not have is not asked for again.
        mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
        assert.deepEqual([await status('one'), await status('two'), await status('one')], [200, 503, 200]);
        own.isDown = false;
        assert.equal(await status('two'), 401, 'known not to be among its keys');
        own.kid = 'two';
        mock.timers.setTime(Date.now() + 31_000);
        assert.deepEqual([await status('two'), await status('one')], [200, 401], 'the key was rotated');
      } finally {
        mock.timers.reset();
        await other.close();
        await own.stop();
      }
    });

    it('is not asked by each request when its keys are too old to be believed', async () => {
      const own = await Provider.start();
      const other = await House.build({ environment: environmentOf(own), clock: house.clock });
      try {
        const good = await token({ claims: { iss: own.url }, key: own.keys.privateKey });
        assert.equal((await other.get(paths.me(), good)).statusCode, 200);
        own.isDown = true;
        mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_601_000 });
        const { keys } = own.asked;
        for (let count = 0; count < 3; count++) {
          assert.equal((await other.get(paths.me(), good)).statusCode, 503);
        }
        assert.equal(own.asked.keys - keys, 1);
      } finally {
        mock.timers.reset();
        await other.close();
        await own.stop();
      }
    });

    it('leaves tokens of this server as they are', async () => {
      const other = await House.build({
        environment: { OIDC_ISSUERS: 'http://127.0.0.1:9', OIDC_CLIENT_ID: 'x' },
      });
      assert.equal((await other.get(paths.balance(org.id), org.admin)).statusCode, 200);
      await other.close();
    });
  });
});
