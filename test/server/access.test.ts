// Who may do what: every role at every door, other organisations, tokens that are none.
import assert from 'node:assert/strict';
import { allowed } from '../../server/src/access.ts';
import type { Role } from '../../server/src/database/tables.ts';
import { hashOf, newSecret } from '../../server/src/ids.ts';
import { bearer, booksAreInOrder, type House, houseWithStripe, type Org } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

const budget = { limit_ucr: 1, period: 'month' };
const settings = { low_balance_threshold_ucr: null, contact: null };
const order = { amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };

describe('access', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  before(async () => {
    ({ house, stripe } = await houseWithStripe());
  });
  beforeEach(async () => {
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  type Door = readonly [
    name: string,
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: (org: string) => string,
    body?: object,
  ];
  const doors: readonly Door[] = [
    ['balance', 'GET', id => `/v1/orgs/${id}/balance`],
    ['purchase options', 'GET', id => `/v1/orgs/${id}/purchase-options`],
    ['purchases', 'GET', id => `/v1/orgs/${id}/purchases`],
    ['a purchase', 'GET', id => `/v1/orgs/${id}/purchases/pur_none`],
    ['cancel', 'POST', id => `/v1/orgs/${id}/purchases/pur_none/cancel`],
    ['buy', 'POST', id => `/v1/orgs/${id}/purchases`, order],
    ['portal', 'POST', id => `/v1/orgs/${id}/portal-sessions`],
    ['audit', 'GET', id => `/v1/orgs/${id}/audit`],
    ['usage', 'POST', id => `/v1/orgs/${id}/usage`, { event_id: 'e', amount_ucr: 1 }],
    ['a hold', 'POST', id => `/v1/orgs/${id}/holds`, { hold_id: 'h', amount_ucr: 1, expires_in_s: 60 }],
    ['usage report', 'GET', id => `/v1/orgs/${id}/usage?group_by=day`],
    ['ledger', 'GET', id => `/v1/orgs/${id}/ledger`],
    ['grants', 'GET', id => `/v1/orgs/${id}/grants`],
    ['members', 'GET', id => `/v1/orgs/${id}/members`],
    ['a role', 'PUT', id => `/v1/orgs/${id}/members/usr_none/role`, { role: 'user' }],
    ['a person’s budget', 'PUT', id => `/v1/orgs/${id}/members/usr_none/budget`, budget],
    ['no person’s budget', 'DELETE', id => `/v1/orgs/${id}/members/usr_none/budget`],
    ['teams', 'GET', id => `/v1/orgs/${id}/teams`],
    ['a new team', 'POST', id => `/v1/orgs/${id}/teams`, { name: 'Robotics' }],
    ['a team’s name', 'PUT', id => `/v1/orgs/${id}/teams/team_none`, { name: 'Robotics' }],
    ['no team', 'DELETE', id => `/v1/orgs/${id}/teams/team_none`],
    ['into a team', 'PUT', id => `/v1/orgs/${id}/teams/team_none/members/usr_none`],
    ['out of a team', 'DELETE', id => `/v1/orgs/${id}/teams/team_none/members/usr_none`],
    ['a team’s budget', 'PUT', id => `/v1/orgs/${id}/teams/team_none/budget`, budget],
    ['no team’s budget', 'DELETE', id => `/v1/orgs/${id}/teams/team_none/budget`],
    ['settings', 'GET', id => `/v1/orgs/${id}/settings`],
    ['new settings', 'PUT', id => `/v1/orgs/${id}/settings`, settings],
    ['alerts', 'GET', id => `/v1/orgs/${id}/alerts`],
  ];
  const knock = ([, method, path, body]: Door, orgId: string, token: string | undefined) =>
    house.app.inject({
      method,
      url: path(orgId),
      headers: { ...bearer(token), 'idempotency-key': newSecret() },
      ...(body && { payload: body }),
    });

  const expected: Record<string, Partial<Record<string, readonly number[]>>> = {
    // all: [balance, options, purchases, a purchase, cancel, buy, portal, audit, usage, a hold, usage report, ledger, grants]
    // organisation: [members, a role, a person's budget, none, teams, a new team, its name, none, into, out of, its budget, none, settings, new ones, alerts]
    admin: {
      all: [200, 200, 200, 404, 404, 201, 201, 200, 403, 403, 200, 200, 200],
      organisation: [200, 404, 404, 404, 200, 201, 404, 404, 404, 404, 404, 404, 200, 200, 200],
    },
    team_owner: {
      all: [200, 200, 200, 404, 404, 403, 403, 403, 403, 403, 200, 403, 403],
      organisation: [200, 403, 404, 404, 200, 403, 403, 403, 404, 404, 404, 404, 403, 403, 200],
    },
    team_lead: {
      all: [200, 200, 200, 404, 404, 403, 403, 403, 403, 403, 200, 403, 403],
      organisation: [200, 403, 404, 404, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200],
    },
    user: {
      all: [200, 200, 200, 404, 404, 403, 403, 403, 403, 403, 200, 403, 403],
      organisation: [403, 403, 403, 403, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200],
    },
    service: {
      all: [200, 403, 403, 403, 403, 403, 403, 403, 200, 200, 403, 403, 403],
      organisation: [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403],
    },
  };
  for (const role of Object.keys(allowed) as Role[]) {
    it(`T20 opens to ${role} what is its own, and nothing else`, async () => {
      const token = role === 'service' ? org.service : org.member;
      await house.database.query
        .updateTable('memberships')
        .set({ role })
        .where('org_id', '=', org.id)
        .where('principal_id', 'like', 'usr_Max%')
        .execute();
      const statuses: number[] = [];
      for (const door of doors) {
        statuses.push((await knock(door, org.id, token)).statusCode);
      }
      assert.deepEqual(statuses, [
        ...(expected[role]?.['all'] ?? []),
        ...(expected[role]?.['organisation'] ?? []),
      ]);
    });
  }

  it('T20 I8 makes no order for a member who asks by hand, whatever the body says', async () => {
    const asked = stripe.requests().length;
    for (const body of [order, { ...order, role: 'admin' }, {}]) {
      const answer = await house.post(`/v1/orgs/${org.id}/purchases`, org.member, body, {
        'idempotency-key': newSecret(),
      });
      assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
    }
    const stored = await house.database.query
      .selectFrom('purchases')
      .selectAll()
      .where('org_id', '=', org.id)
      .execute();
    assert.deepEqual([stored, stripe.requests().length - asked], [[], 0]);
  });

  it('T20 looks the role up live: a demoted admin cannot buy, but can close what is theirs', async () => {
    const purchase = await house.bought(org);
    await house.database.query
      .updateTable('memberships')
      .set({ role: 'user' })
      .where('org_id', '=', org.id)
      .where('principal_id', 'like', 'usr_Ada%')
      .execute();
    assert.equal((await house.buy(org)).statusCode, 403);
    const answer = await house.post(`/v1/orgs/${org.id}/purchases/${purchase.id}/cancel`, org.admin);
    assert.equal(answer.json().status, 'canceled');
  });

  it('T20 lets a service never buy, even when somebody gave it the role of an admin', async () => {
    await house.database.query
      .updateTable('memberships')
      .set({ role: 'admin' })
      .where('org_id', '=', org.id)
      .where('principal_id', 'like', 'svc_%')
      .execute();
    const answer = await house.buy({ ...org, admin: org.service });
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_scope']);
  });

  it('tells a member why not, and whom to ask', async () => {
    const options = (await house.get(`/v1/orgs/${org.id}/purchase-options`, org.member)).json();
    assert.deepEqual(
      [options.can_purchase, options.blocked_reason, options.can_manage_billing, options.contact],
      [false, 'not_admin', false, { name: 'Ada', email: null }],
    );
  });

  it('T21 answers the same for an organisation that is not there and for one that is another’s', async () => {
    const other = await house.org();
    for (const door of doors) {
      const [foreign, unknown] = [
        await knock(door, other.id, org.admin),
        await knock(door, 'org_none', org.admin),
      ];
      for (const answer of [foreign, unknown]) {
        assert.deepEqual([answer.statusCode, answer.json().code], [404, 'org_not_found'], door[0]);
      }
      const { request_id: _a, ...first } = foreign.json();
      const { request_id: _b, ...second } = unknown.json();
      assert.deepEqual(first, second);
    }
    assert.equal((await house.balance(other)).version, 1);
  });

  it('T21 does not find another organisation’s purchase under one’s own', async () => {
    const other = await house.org();
    const theirs = await house.bought(other);
    for (const answer of [
      await house.get(`/v1/orgs/${org.id}/purchases/${theirs.id}`, org.admin),
      await house.post(`/v1/orgs/${org.id}/purchases/${theirs.id}/cancel`, org.admin),
      await house.get(`/v1/orgs/${other.id}/purchases/${theirs.id}`, other.member),
    ]) {
      assert.deepEqual([answer.statusCode, answer.json().code], [404, 'purchase_not_found']);
    }
    assert.equal((await house.purchase(other, theirs.id)).status, 'open');
  });

  describe('a token', () => {
    for (const [name, header] of [
      ['missing', undefined],
      ['empty', 'Bearer '],
      ['unknown', 'Bearer crd_pat_00000000000000000000000000000000'],
      ['of another scheme', 'Basic YTpi'],
      ['with a quote in it', "Bearer crd_pat_' or '1'='1"],
      ['of 10,000 characters', `Bearer crd_pat_${'a'.repeat(10_000)}`],
    ] as const) {
      it(`that is ${name} is refused with 401`, async () => {
        const headers: Record<string, string> = header === undefined ? {} : { authorization: header };
        for (const path of ['/v1/me', `/v1/orgs/${org.id}/balance`, `/v1/orgs/${org.id}/events`]) {
          const answer = await house.get(path, undefined, headers);
          assert.deepEqual([answer.statusCode, answer.json().code], [401, 'unauthenticated']);
          assert.equal(answer.headers['www-authenticate'], 'Bearer');
        }
      });
    }

    for (const [name, change] of [
      ['revoked', { revoked_at: new Date() }],
      ['expired', { expires_at: new Date(0) }],
    ] as const) {
      it(`that is ${name} is refused with 401`, async () => {
        await house.database.query
          .updateTable('tokens')
          .set(change)
          .where('token_hash', '=', hashOf(org.member))
          .execute();
        assert.equal((await house.get('/v1/me', org.member)).statusCode, 401);
      });
    }

    it('T5 is stored as a hash only', async () => {
      const rows = await house.database.query.selectFrom('tokens').selectAll().execute();
      assert.ok(rows.length > 0);
      assert.doesNotMatch(JSON.stringify(rows), /crd_(pat|svc)_/);
    });
  });

  it('says who the token belongs to, and what it may do where', async () => {
    assert.deepEqual((await house.get('/v1/me', org.admin)).json().orgs, [
      { id: org.id, name: 'Acme Robotics', role: 'admin', permissions: { can_purchase: true } },
    ]);
    const member = (await house.get('/v1/me', org.member)).json();
    assert.deepEqual(
      [member.principal.kind, member.orgs[0].permissions],
      ['person', { can_purchase: false }],
    );
    const service = (await house.get('/v1/me', org.service)).json();
    assert.deepEqual(
      [service.principal.kind, service.orgs[0].permissions],
      ['service', { can_purchase: false }],
    );
  });
});
