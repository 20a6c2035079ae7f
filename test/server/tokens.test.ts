// Access tokens of this server: made, listed, used and revoked, by people for themselves and by admins for services.
import assert from 'node:assert/strict';
import type { AccessToken, NewAccessToken, Scope } from '../../protocol/api.ts';
import { paths } from '../../protocol/api.ts';
import { hashOf } from '../../server/src/ids.ts';
import { bearer, booksAreInOrder, type House, houseWithStripe, type Org } from './support/house.ts';

const DAY_MS = 24 * 3_600_000;

describe('access tokens of this server', () => {
  let house: House;
  let org: Org;
  before(async () => {
    ({ house } = await houseWithStripe());
  });
  beforeEach(async () => {
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const make = (token: string, scopes: readonly Scope[], path = paths.myTokens(), expires_in_days = 30) =>
    house.post(path, token, { name: 'laptop', scopes, expires_in_days });
  const made = async (token: string, scopes: readonly Scope[], path = paths.myTokens(), days = 30) => {
    const answer = await make(token, scopes, path, days);
    assert.equal(answer.statusCode, 201, answer.body);
    return answer.json<NewAccessToken>();
  };
  const revoke = (path: string, token: string) =>
    house.app.inject({ method: 'DELETE', url: path, headers: bearer(token) });
  const listed = async (path: string, token: string) =>
    (await house.get(path, token)).json<{ data: AccessToken[] }>().data;

  it('F65 makes ten for services at once without one waiting for another in a circle', async () => {
    const path = paths.tokens(org.id);
    const ten = await Promise.all(
      Array.from({ length: 10 }, () => make(org.admin, ['credits:usage.write'], path)),
    );
    assert.deepEqual(
      ten.map(({ statusCode }) => statusCode),
      Array.from({ length: 10 }, () => 201),
    );
  });

  it('T33 makes no more than 50 for a person, also when 60 are asked for at once', async () => {
    const sixty = await Promise.all(Array.from({ length: 60 }, () => make(org.admin, ['credits:read'])));
    const refused = sixty.filter(answer => answer.statusCode !== 201);
    assert.ok(refused.every(answer => answer.json().code === 'too_many_tokens'));
    assert.equal((await listed(paths.myTokens(), org.admin)).length, 50);
  });

  it('T5 shows a token once, and lists it with what it is for and when it was used', async () => {
    const { token, ...first } = await made(org.admin, ['credits:read']);
    assert.match(token, /^crd_pat_[0-9a-z]{32}$/);
    await house.get(paths.balance(org.id), token);
    const answer = await house.get(paths.myTokens(), org.admin);
    const row = answer.json<{ data: AccessToken[] }>().data.find(({ id }) => id === first.id);
    assert.deepEqual(
      [row?.name, row?.scopes, row?.last_used_at],
      ['laptop', ['credits:read'], house.clock.now().toISOString()],
    );
    assert.ok(!answer.body.includes(token) && !answer.body.includes(hashOf(token)));
  });

  it('T20 needs the scope besides the role: an admin’s token for reading buys nothing and sees no ledger', async () => {
    const { token } = await made(org.admin, ['credits:read']);
    assert.equal((await house.get(paths.balance(org.id), token)).statusCode, 200);
    for (const [answer, scope] of [
      [await house.buy({ ...org, admin: token }), 'credits:purchase'],
      [await house.get(paths.ledger(org.id), token), 'credits:history'],
      [await house.get(paths.audit(org.id), token), 'credits:history'],
      [await house.get(paths.tokens(org.id), token), 'credits:manage'],
      [await house.get(paths.myTokens(), token), 'credits:manage'],
    ] as const) {
      assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_scope']);
      assert.equal(answer.headers['www-authenticate'], `Bearer error="insufficient_scope", scope="${scope}"`);
    }
    const options = (await house.get(paths.purchaseOptions(org.id), token)).json();
    assert.deepEqual(
      [options.can_purchase, options.blocked_reason, options.can_manage_billing],
      [false, 'purchasing_disabled', false],
    );
    assert.equal((await house.get(paths.me(), token)).json().orgs[0].permissions.can_purchase, false);
  });

  it('T20 needs the role besides the scope: a member’s token for buying buys nothing', async () => {
    const { token } = await made(org.member, ['credits:read', 'credits:purchase']);
    const answer = await house.buy({ ...org, admin: token });
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
  });

  it('T20 cannot be used to make one that can do more or lasts longer', async () => {
    const { token, expires_at } = await made(org.admin, ['credits:manage', 'credits:read'], undefined, 2);
    const more = await make(token, ['credits:read', 'credits:purchase']);
    assert.deepEqual([more.statusCode, more.json().code], [403, 'insufficient_scope']);
    const longer = await made(token, ['credits:read'], undefined, 300);
    assert.equal(longer.expires_at, expires_at);
  });

  it('is worth nothing once revoked, and once its days are over', async () => {
    const first = await made(org.admin, ['credits:read']);
    assert.equal((await revoke(paths.myToken(first.id), org.admin)).statusCode, 204);
    assert.equal((await house.get(paths.me(), first.token)).statusCode, 401);
    assert.equal((await revoke(paths.myToken(first.id), org.admin)).json().code, 'token_not_found');
    const second = await made(org.admin, ['credits:read'], undefined, 1);
    house.clock.advance(DAY_MS - 1);
    assert.equal((await house.get(paths.me(), second.token)).statusCode, 200);
    house.clock.advance(1);
    assert.equal((await house.get(paths.me(), second.token)).statusCode, 401);
  });

  it('T21 is neither seen nor revoked by anybody else', async () => {
    const mine = await made(org.admin, ['credits:read']);
    const service = await made(org.admin, ['credits:usage.write'], paths.tokens(org.id));
    const other = await house.org();
    for (const answer of [
      await revoke(paths.myToken(mine.id), org.member),
      await revoke(paths.myToken(service.id), org.admin),
      await revoke(paths.token(org.id, mine.id), org.admin),
      await revoke(paths.token(other.id, service.id), other.admin),
    ]) {
      assert.deepEqual([answer.statusCode, answer.json().code], [404, 'token_not_found']);
    }
    assert.equal((await house.get(paths.tokens(org.id), other.admin)).statusCode, 404);
    assert.deepEqual(
      (await listed(paths.tokens(other.id), other.admin)).map(({ id }) => id).includes(service.id),
      false,
    );
    assert.equal((await house.get(paths.me(), service.token)).statusCode, 200);
  });

  it('T20 of a service reports usage and never buys or manages, whoever makes it', async () => {
    const { token } = await made(org.admin, ['credits:read', 'credits:usage.write'], paths.tokens(org.id));
    assert.match(token, /^crd_svc_/);
    const usage = await house.post(paths.usage(org.id), token, { event_id: 'e1', amount_ucr: 1 });
    assert.equal(usage.statusCode, 200, usage.body);
    assert.equal((await house.buy({ ...org, admin: token })).json().code, 'insufficient_scope');
    assert.equal((await make(token, ['credits:read'])).json().code, 'insufficient_scope');
    for (const scope of ['credits:purchase', 'credits:manage'] as const) {
      const answer = await make(org.admin, [scope], paths.tokens(org.id));
      assert.deepEqual([answer.statusCode, answer.json().errors[0].code], [422, 'not_for_a_service']);
    }
    assert.equal(
      (await make(org.member, ['credits:read'], paths.tokens(org.id))).json().code,
      'insufficient_role',
    );
  });

  it('is in the audit log with who made it, and never with the token', async () => {
    const { id, token, principal_id } = await made(org.admin, ['credits:read'], paths.tokens(org.id));
    await revoke(paths.token(org.id, id), org.admin);
    const log = await house.get(paths.audit(org.id), org.admin);
    const [revoked, created] = log.json().data;
    assert.deepEqual([revoked.action, created.action], ['token.revoked', 'token.created']);
    assert.deepEqual([created.actor.name, created.details.token_id], ['Ada', id]);
    assert.ok(!log.body.includes(token) && principal_id.startsWith('svc_'));
  });

  it('is refused beyond fifty in use, until one is revoked', async () => {
    const path = paths.tokens(org.id);
    let last: NewAccessToken | undefined;
    // The organisation has one already.
    for (let count = 1; count < 50; count++) {
      last = await made(org.admin, ['credits:read'], path);
    }
    assert.equal((await make(org.admin, ['credits:read'], path)).json().code, 'too_many_tokens');
    await revoke(paths.token(org.id, last?.id ?? ''), org.admin);
    assert.equal((await make(org.admin, ['credits:read'], path)).statusCode, 201);
  });
});
