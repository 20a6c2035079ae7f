// An organisation's own order: roles, teams, who may set what for whom, settings, and all of it in the audit log.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { mock } from 'node:test';
import type { AuditList, OrgMember, Team } from '../../protocol/api.ts';
import { note } from '../../server/src/audit.ts';
import { bearer, booksAreInOrder, House, type Org } from './support/house.ts';
import { join, type Newcomer } from './support/people.ts';

describe('the organisation', () => {
  let house: House;
  let org: Org;
  before(async () => {
    house = await House.build();
  });
  beforeEach(async () => {
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, token: string, body?: object) =>
    house.app.inject({
      method,
      url: `/v1/orgs/${org.id}${path}`,
      headers: bearer(token),
      ...(body && { payload: body }),
    });
  const idOf = async (token: string): Promise<string> =>
    (await house.get('/v1/me', token)).json().principal.id;
  const team = async (name: string, ...people: Newcomer[]): Promise<string> => {
    const { id } = (await ask('POST', '/teams', org.admin, { name })).json<Team>();
    for (const { id: person } of people) {
      assert.equal((await ask('PUT', `/teams/${id}/members/${person}`, org.admin)).statusCode, 204);
    }
    return id;
  };
  const audited = async (): Promise<AuditList['data']> =>
    (await ask('GET', '/audit', org.admin))
      .json<AuditList>()
      .data.filter(entry => !entry.action.startsWith('credits.'));

  it('gives a person another role, which counts from the next request on', async () => {
    const max = await idOf(org.member);
    assert.equal((await ask('GET', '/settings', org.member)).statusCode, 403);
    assert.equal((await ask('PUT', `/members/${max}/role`, org.admin, { role: 'admin' })).statusCode, 204);
    assert.equal((await ask('GET', '/settings', org.member)).statusCode, 200);
    assert.equal((await ask('PUT', `/members/${max}/role`, org.admin, { role: 'service' })).statusCode, 422);
  });

  it('keeps its last admin, also when two admins demote each other at once', async () => {
    const [ada, max] = [await idOf(org.admin), await idOf(org.member)];
    const refused = await ask('PUT', `/members/${ada}/role`, org.admin, { role: 'user' });
    assert.deepEqual([refused.statusCode, refused.json().code], [409, 'last_admin']);
    await ask('PUT', `/members/${max}/role`, org.admin, { role: 'admin' });
    const both = await Promise.all([
      ask('PUT', `/members/${ada}/role`, org.member, { role: 'user' }),
      ask('PUT', `/members/${max}/role`, org.admin, { role: 'user' }),
    ]);
    // The second is the last admin, or is an admin no longer when its request is looked at.
    const [done, refusedOne] = both.map(answer => answer.statusCode).sort();
    assert.equal(done, 204);
    assert.ok(refusedOne === 409 || refusedOne === 403);
    const admins = await house.database.query
      .selectFrom('memberships')
      .select('principal_id')
      .where('org_id', '=', org.id)
      .where('role', '=', 'admin')
      .execute();
    assert.equal(admins.length, 1);
  });

  it('T20 removes a person at once, from teams too, and keeps what they used', async () => {
    const eve = await join(house, org, 'Eve', 'user');
    const id = await team('Robots', eve);
    await ask('PUT', `/members/${eve.id}/budget`, org.admin, { limit_ucr: 7, period: 'year' });
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, {
      event_id: 'e1',
      amount_ucr: 5,
      user_id: eve.id,
    });
    const stream = await house.app.inject({
      url: `/v1/orgs/${org.id}/events`,
      headers: bearer(eve.token),
      payloadAsStream: true,
    });
    const adas = await house.app.inject({
      url: `/v1/orgs/${org.id}/events`,
      headers: bearer(org.admin),
      payloadAsStream: true,
    });
    assert.equal((await ask('DELETE', `/members/${eve.id}`, org.member)).statusCode, 403);
    assert.equal((await ask('DELETE', `/members/${eve.id}`, org.admin)).statusCode, 204);
    let heard = '';
    for await (const chunk of stream.stream()) {
      heard += chunk;
    }
    assert.ok(heard.endsWith('event: stream.closing\ndata: {"reason":"removed"}\n\n'), heard);
    assert.equal(adas.raw.res.writableEnded, false, 'others go on listening');
    adas.stream().destroy();
    assert.equal((await ask('GET', '/balance', eve.token)).statusCode, 404);
    const again = await ask('DELETE', `/members/${eve.id}`, org.admin);
    assert.deepEqual([again.statusCode, again.json().code], [404, 'member_not_found']);
    const teams = (await ask('GET', '/teams', org.admin)).json().data as Team[];
    assert.equal(teams.find(each => each.id === id)?.members, 0);
    const used = await house.database.query
      .selectFrom('usage_events')
      .select('amount_ucr')
      .where('org_id', '=', org.id)
      .where('user_id', '=', eve.id)
      .execute();
    assert.deepEqual(used, [{ amount_ucr: 5n }]);
    const [removed] = (await audited()).filter(({ action }) => action === 'member.removed');
    assert.deepEqual(
      [removed?.actor.id, removed?.details],
      [await idOf(org.admin), { member: eve.id, before: 'user', after: null }],
    );
    // Whoever comes back is not shut out by what was told before, nor told of it.
    await join(house, org, 'Eve', 'user');
    const back = await house.app.inject({
      url: `/v1/orgs/${org.id}/events`,
      headers: { ...bearer(eve.token), 'last-event-id': '1' },
      payloadAsStream: true,
    });
    let resumed = '';
    for await (const chunk of back.stream()) {
      resumed += chunk;
      if (resumed.lastIndexOf('balance.updated') > resumed.indexOf('balance.updated')) {
        break;
      }
    }
    assert.doesNotMatch(resumed, /member\.removed|stream\.closing/);
  });

  const idsOf = async (token: string): Promise<string[]> =>
    (await house.get('/v1/me/tokens', token)).json().data.map((each: { id: string }) => each.id);
  /** By its owner, with itself. */
  const revoked = async ({ token }: Newcomer) => {
    const url = `/v1/me/tokens/${(await idsOf(token))[0]}`;
    return house.app.inject({ method: 'DELETE', url, headers: bearer(token) });
  };

  it('T20 ends the streams of a token that is revoked, and of no other', async () => {
    const eve = await join(house, org, 'Eve', 'user');
    const second = await house.post('/v1/me/tokens', eve.token, {
      name: 'second',
      scopes: ['credits:read'],
      expires_in_days: 1,
    });
    const listen = (token: string) =>
      house.app.inject({ url: `/v1/orgs/${org.id}/events`, headers: bearer(token), payloadAsStream: true });
    const [first, other] = [await listen(eve.token), await listen(second.json().token)];
    const url = `/v1/me/tokens/${(await idsOf(eve.token)).find(id => id !== second.json().id)}`;
    assert.equal(
      (await house.app.inject({ method: 'DELETE', url, headers: bearer(eve.token) })).statusCode,
      204,
    );
    const heard = await text(first.stream());
    assert.ok(heard.endsWith('event: stream.closing\ndata: {"reason":"revoked"}\n\n'), heard);
    assert.equal(other.raw.res.writableEnded, false);
    other.stream().destroy();
  });

  it('T20 makes no token with one that was revoked while the request was on its way', async () => {
    const eve = await join(house, org, 'Eve', 'user');
    const slowly = async function* () {
      assert.equal((await revoked(eve)).statusCode, 204);
      yield JSON.stringify({ name: 'heir', scopes: ['credits:read'], expires_in_days: 1 });
    };
    const answer = await house.app.inject({
      method: 'POST',
      url: '/v1/me/tokens',
      headers: { ...bearer(eve.token), 'content-type': 'application/json' },
      payload: Readable.from(slowly()),
    });
    assert.equal(answer.json().code, 'unauthenticated', answer.body);
  });

  const changes: Array<[string, 'POST' | 'PUT' | 'DELETE', string, object]> = [
    ['give a role', 'PUT', '/members/MAX/role', { role: 'admin' }],
    [
      'make a token',
      'POST',
      '/tokens',
      { name: 'backdoor', scopes: ['credits:usage.write'], expires_in_days: 30 },
    ],
    ['revoke a token', 'DELETE', '/tokens/TOKEN', {}],
    ['change settings', 'PUT', '/settings', { low_balance_threshold_ucr: 1, contact: null }],
    ['make a team', 'POST', '/teams', { name: 'Robots' }],
    ['set a budget', 'PUT', '/members/MAX/budget', { limit_ucr: 7, period: 'year' }],
  ];
  for (const [what, method, path, body] of changes) {
    it(`T20 lets nobody ${what} who was removed, demoted, or whose token was revoked, while the request was on its way`, async () => {
      const max = await idOf(org.member);
      const [token] = (await ask('GET', '/tokens', org.admin)).json().data;
      const removed = (eve: Newcomer) => ask('DELETE', `/members/${eve.id}`, org.admin);
      const demoted = (eve: Newcomer) => ask('PUT', `/members/${eve.id}/role`, org.admin, { role: 'user' });
      for (const [code, meanwhile] of [
        ['org_not_found', removed],
        ['insufficient_role', demoted],
        ['unauthenticated', revoked],
      ] as const) {
        const eve = await join(house, org, code, 'admin');
        // The body is read after the door is passed.
        const slowly = async function* () {
          assert.equal((await meanwhile(eve)).statusCode, 204);
          yield JSON.stringify(body);
        };
        const answer = await house.app.inject({
          method,
          url: `/v1/orgs/${org.id}${path.replace('MAX', max).replace('TOKEN', token.id)}`,
          headers: { ...bearer(eve.token), 'content-type': 'application/json' },
          payload: Readable.from(slowly()),
        });
        assert.equal(answer.json().code, code);
      }
    });
  }

  it('T20 ends the stream of a person who was let in just before, and whose first balance was read just after', async () => {
    const eve = await join(house, org, 'Eve', 'user');
    const { dueDates } = house.app.parts;
    const read = dueDates.readBalance.bind(dueDates);
    mock.method(dueDates, 'readBalance', async (orgId: string) => {
      assert.equal((await ask('DELETE', `/members/${eve.id}`, org.admin)).statusCode, 204);
      return read(orgId);
    });
    try {
      const stream = await house.app.inject({
        url: `/v1/orgs/${org.id}/events`,
        headers: bearer(eve.token),
        payloadAsStream: true,
      });
      const heard = await text(stream.stream());
      assert.equal(
        heard.replace(/^retry.*\n\n/, ''),
        'event: stream.closing\ndata: {"reason":"removed"}\n\n',
      );
    } finally {
      mock.restoreAll();
    }
  });

  it('T20 removes neither the last admin nor a service, also when two admins remove each other at once', async () => {
    const [ada, max] = [await idOf(org.admin), await idOf(org.member)];
    const refused = await ask('DELETE', `/members/${ada}`, org.admin);
    assert.deepEqual([refused.statusCode, refused.json().code], [409, 'last_admin']);
    const service = `svc_${org.id.slice('org_'.length)}`;
    assert.equal((await ask('DELETE', `/members/${service}`, org.admin)).statusCode, 404);
    await ask('PUT', `/members/${max}/role`, org.admin, { role: 'admin' });
    const both = await Promise.all([
      ask('DELETE', `/members/${ada}`, org.member),
      ask('DELETE', `/members/${max}`, org.admin),
    ]);
    const [done, other] = both.map(answer => answer.statusCode).sort();
    assert.equal(done, 204);
    // The second is the last admin, or is a member no longer when its request is looked at.
    assert.ok(other === 404 || other === 409, `${other}`);
  });

  it('does not count a service among its admins, and does not show it among its people', async () => {
    await house.database.query
      .updateTable('memberships')
      .set({ role: 'admin' })
      .where('org_id', '=', org.id)
      .where('principal_id', 'like', 'svc_%')
      .execute();
    const ada = await idOf(org.admin);
    assert.equal((await ask('PUT', `/members/${ada}/role`, org.admin, { role: 'user' })).statusCode, 409);
    const listed = (await ask('GET', '/members', org.admin)).json().data as OrgMember[];
    assert.deepEqual(
      listed.map(({ name, role }) => [name, role]),
      [
        ['Ada', 'admin'],
        ['Max', 'user'],
      ],
    );
  });

  it('lists people page by page', async () => {
    const first = (await ask('GET', '/members?limit=1', org.admin)).json();
    const second = (await ask('GET', `/members?limit=1&cursor=${first.next_cursor}`, org.admin)).json();
    assert.deepEqual([first.data[0].name, second.data[0].name, second.next_cursor], ['Ada', 'Max', null]);
  });

  it('notes each change in the audit log with its actor, before and after', async () => {
    const [ada, max] = [await idOf(org.admin), await idOf(org.member)];
    await ask('PUT', `/members/${max}/role`, org.admin, { role: 'team_lead' });
    const id = await team('Robots', { id: max, token: org.member });
    await ask('PUT', `/teams/${id}`, org.admin, { name: 'Robotics' });
    await ask('PUT', `/teams/${id}/budget`, org.admin, { limit_ucr: 5, period: 'month' });
    await ask('PUT', `/members/${max}/budget`, org.admin, { limit_ucr: 7, period: 'year' });
    await ask('PUT', `/members/${max}/budget`, org.admin, { limit_ucr: 8, period: 'quarter' });
    await ask('DELETE', `/members/${max}/budget`, org.admin);
    await ask('DELETE', `/teams/${id}/members/${max}`, org.admin);
    await ask('DELETE', `/teams/${id}`, org.admin);
    const contact = { name: 'Finance', email: 'finance@acme.example' };
    await ask('PUT', '/settings', org.admin, { low_balance_threshold_ucr: 9, contact });
    const entries = (await audited()).reverse();
    const none = { before_ucr: null, before_period: null, after_ucr: null, after_period: null };
    assert.deepEqual(
      entries.map(({ action, details }) => [action, details]),
      [
        ['member.role_changed', { member: max, before: 'user', after: 'team_lead' }],
        ['team.created', { team: id, before: null, after: 'Robots' }],
        ['team.member_added', { team: id, member: max }],
        ['team.renamed', { team: id, before: 'Robots', after: 'Robotics' }],
        ['budget.set', { ...none, team: id, after_ucr: 5, after_period: 'month' }],
        ['budget.set', { ...none, member: max, after_ucr: 7, after_period: 'year' }],
        [
          'budget.set',
          { member: max, before_ucr: 7, before_period: 'year', after_ucr: 8, after_period: 'quarter' },
        ],
        ['budget.lifted', { ...none, member: max, before_ucr: 8, before_period: 'quarter' }],
        ['team.member_removed', { team: id, member: max }],
        ['team.deleted', { team: id, before: 'Robotics', after: null }],
        [
          'settings.changed',
          {
            before_threshold_ucr: null,
            after_threshold_ucr: 9,
            before_contact: null,
            after_contact: 'Finance <finance@acme.example>',
          },
        ],
      ],
    );
    assert.deepEqual(new Set(entries.map(({ actor }) => actor.id)), new Set([ada]));
  });

  it('notes a change in the transaction that makes it: what cannot be noted is not done', async () => {
    const max = await idOf(org.member);
    await assert.rejects(
      house.database.transaction(async tx => {
        await tx
          .updateTable('memberships')
          .set({ role: 'admin' })
          .where('org_id', '=', org.id)
          .where('principal_id', '=', max)
          .execute();
        await note(tx, 'org_none', { action: 'member.role_changed', actor: max }, house.clock.now());
      }),
    );
    assert.equal((await ask('GET', '/settings', org.member)).statusCode, 403);
  });

  it('notes nothing where nothing changes', async () => {
    const max = await idOf(org.member);
    await ask('PUT', `/members/${max}/role`, org.admin, { role: 'user' });
    await ask('DELETE', `/members/${max}/budget`, org.admin);
    assert.deepEqual(await audited(), []);
  });

  describe('a team owner and a team lead', () => {
    let owner: Newcomer;
    let lead: Newcomer;
    let mate: Newcomer;
    let stranger: Newcomer;
    let own: string;
    let others: string;
    beforeEach(async () => {
      owner = await join(house, org, 'Olga', 'team_owner');
      lead = await join(house, org, 'Lea', 'team_lead');
      mate = await join(house, org, 'Mia', 'user');
      stranger = await join(house, org, 'Sam', 'user');
      own = await team('Own', owner, lead, mate);
      others = await team('Others', stranger);
    });
    const budget = { limit_ucr: 1_000_000, period: 'month' };

    it('T20 see their own team and its people, and no others', async () => {
      for (const { token } of [owner, lead]) {
        const teams = (await ask('GET', '/teams', token)).json().data as Team[];
        assert.deepEqual(
          teams.map(({ id, members }) => [id, members]),
          [[own, 3]],
        );
        const people = (await ask('GET', '/members', token)).json().data as OrgMember[];
        assert.deepEqual(new Set(people.map(({ id }) => id)), new Set([owner.id, lead.id, mate.id]));
      }
      assert.deepEqual((await ask('GET', '/teams', org.member)).json().data, []);
    });

    it('T20 the owner looks after the own team and its budget, the lead does not', async () => {
      const attempts = (token: string) =>
        Promise.all([
          ask('PUT', `/teams/${own}/budget`, token, budget),
          ask('PUT', `/teams/${own}/members/${stranger.id}`, token),
          ask('DELETE', `/teams/${own}/members/${mate.id}`, token),
          ask('DELETE', `/teams/${own}/budget`, token),
          ask('PUT', `/teams/${own}`, token, { name: 'Mine' }),
          ask('DELETE', `/teams/${own}`, token),
        ]);
      assert.deepEqual(
        (await attempts(lead.token)).map(answer => answer.statusCode),
        [403, 403, 403, 403, 403, 403],
      );
      assert.deepEqual(
        (await attempts(owner.token)).map(answer => answer.statusCode),
        [200, 204, 204, 204, 403, 403],
      );
    });

    it('T20 limit people of lower role in their team, never themselves or those above', async () => {
      const set = async (by: Newcomer, of: Newcomer) =>
        (await ask('PUT', `/members/${of.id}/budget`, by.token, budget)).statusCode;
      assert.deepEqual(
        [await set(owner, mate), await set(owner, lead), await set(owner, owner)],
        [200, 200, 403],
      );
      assert.deepEqual(
        [await set(lead, mate), await set(lead, owner), await set(lead, lead)],
        [200, 403, 403],
      );
      assert.deepEqual([await set(owner, stranger), await set(lead, stranger)], [404, 404]);
      assert.equal(
        (await ask('DELETE', `/members/${lead.id}/budget`, lead.token)).statusCode,
        403,
        'nor lift what limits themselves',
      );
    });

    it('T21 find neither another team nor its people: it looks as if they were not there', async () => {
      for (const path of [`/teams/${others}/budget`, '/teams/team_none/budget']) {
        const answer = await ask('PUT', path, owner.token, budget);
        assert.deepEqual([answer.statusCode, answer.json().code], [404, 'team_not_found']);
      }
      for (const who of [stranger.id, 'usr_none']) {
        const answer = await ask('PUT', `/members/${who}/budget`, owner.token, budget);
        assert.deepEqual([answer.statusCode, answer.json().code], [404, 'member_not_found']);
      }
    });

    it('T20 read what their team used, by team too, and a member only the own', async () => {
      for (const [who, amount] of [
        [mate, 5],
        [stranger, 7],
        [lead, 11],
      ] as const) {
        await house.post(`/v1/orgs/${org.id}/usage`, org.service, {
          event_id: who.id,
          amount_ucr: amount,
          user_id: who.id,
        });
      }
      await house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'nobody', amount_ucr: 13 });
      const report = async (token: string) => {
        const { scope, total_ucr, data } = (await ask('GET', '/usage?group_by=team', token)).json();
        return [scope, total_ucr, data.map((row: Record<string, unknown>) => [row['name'], row['used_ucr']])];
      };
      assert.deepEqual(await report(lead.token), ['team', 16, [['Own', 16]]]);
      assert.deepEqual(await report(mate.token), ['own', 5, [['Own', 5]]]);
      assert.deepEqual(await report(org.admin), [
        'all',
        36,
        [
          ['Own', 16],
          [null, 13],
          ['Others', 7],
        ],
      ]);
    });
  });

  it('T21 does not find another organisation’s team or person under one’s own', async () => {
    const other = await house.org();
    const theirs = (await house.post(`/v1/orgs/${other.id}/teams`, other.admin, { name: 'Theirs' })).json()
      .id;
    const person = await idOf(other.member);
    const budget = { limit_ucr: 1, period: 'month' };
    const own = await team('Own');
    for (const [answer, code] of [
      [await ask('PUT', `/teams/${theirs}`, org.admin, { name: 'Ours' }), 'team_not_found'],
      [await ask('DELETE', `/teams/${theirs}`, org.admin), 'team_not_found'],
      [await ask('PUT', `/teams/${theirs}/budget`, org.admin, budget), 'team_not_found'],
      [await ask('PUT', `/teams/${own}/members/${person}`, org.admin), 'member_not_found'],
      [await ask('PUT', `/members/${person}/role`, org.admin, { role: 'user' }), 'member_not_found'],
      [await ask('PUT', `/members/${person}/budget`, org.admin, budget), 'member_not_found'],
    ] as const) {
      assert.deepEqual([answer.statusCode, answer.json().code], [404, code]);
    }
  });

  it('tells members whom to ask: the contact that was set, else the first admin', async () => {
    const contact = { name: 'Finance', email: 'finance@acme.example' };
    const settings = { low_balance_threshold_ucr: 6_000_000_000, contact };
    assert.deepEqual((await ask('PUT', '/settings', org.admin, settings)).json(), settings);
    assert.deepEqual((await ask('GET', '/settings', org.admin)).json(), settings);
    assert.deepEqual((await ask('GET', '/purchase-options', org.member)).json().contact, contact);
    assert.deepEqual((await house.balance(org)).low_balance, {
      threshold_ucr: 6_000_000_000,
      level: 'low',
    });
    await ask('PUT', '/settings', org.admin, { low_balance_threshold_ucr: null, contact: null });
    assert.equal((await ask('GET', '/purchase-options', org.member)).json().contact.name, 'Ada');
  });
});
