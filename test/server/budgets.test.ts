// Budgets, alerts and runway: what limits whom, told once, and how long it lasts.
import assert from 'node:assert/strict';
import type { Alert, Balance } from '../../protocol/api.ts';
import { DAY_MS } from '../../server/src/clock.ts';
import { runwayOf } from '../../server/src/ledger/runway.ts';
import { bearer, booksAreInOrder, House, type Org, TestClock } from './support/house.ts';

const CREDIT = 1_000_000;

/** A clock at a moment of the tests' choice. */
function clockAt(moment: string): TestClock {
  const clock = new TestClock();
  clock.advance(Date.parse(moment) - clock.now().getTime());
  return clock;
}

describe('budgets', () => {
  let house: House;
  let org: Org;
  let max: string;
  let count = 0;
  before(async () => {
    house = await House.build({ clock: clockAt('2027-02-10T12:00:00Z') });
  });
  beforeEach(async () => {
    org = await house.org();
    max = (await house.get('/v1/me', org.member)).json().principal.id;
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const put = async (path: string, body: object) => {
    const url = `/v1/orgs/${org.id}${path}`;
    const answer = await house.app.inject({ method: 'PUT', url, headers: bearer(org.admin), payload: body });
    assert.ok(answer.statusCode < 300, answer.body);
    return answer;
  };
  const limit = (credits: number, period = 'month') =>
    put(`/members/${max}/budget`, { limit_ucr: credits * CREDIT, period });
  const use = async (credits: number, user_id: string | null = max, event_id = `e${++count}`) => {
    const body = { event_id, amount_ucr: credits * CREDIT, ...(user_id && { user_id }) };
    const answer = await house.post(`/v1/orgs/${org.id}/usage`, org.service, body);
    assert.equal(answer.statusCode, 200, answer.body);
  };
  const hold = (credits: number, hold_id = `h${++count}`, expires_in_s = 600) =>
    house.post(`/v1/orgs/${org.id}/holds`, org.service, {
      hold_id,
      amount_ucr: credits * CREDIT,
      expires_in_s,
      user_id: max,
    });
  const seen = async (token = org.member): Promise<Balance> =>
    (await house.get(`/v1/orgs/${org.id}/balance`, token)).json<Balance>();
  const used = async () => (await seen()).budgets?.map(budget => budget.used_ucr / CREDIT);
  const alerts = async (token = org.admin): Promise<Alert[]> =>
    (await house.get(`/v1/orgs/${org.id}/alerts`, token)).json().data;
  const team = async () => {
    const { id } = (await house.post(`/v1/orgs/${org.id}/teams`, org.admin, { name: 'Robotics' })).json();
    const url = `/v1/orgs/${org.id}/teams/${id}/members/${max}`;
    await house.app.inject({ method: 'PUT', url, headers: bearer(org.admin) });
    return id as string;
  };

  it('are told to those they limit, and to nobody else', async () => {
    await limit(100);
    const id = await team();
    await put(`/teams/${id}/budget`, { limit_ucr: 300 * CREDIT, period: 'half_year' });
    await use(30);
    const { budgets, stopped_by } = await seen();
    assert.deepEqual(
      budgets?.map(({ id: _, ...budget }) => budget),
      [
        {
          scope: 'user',
          name: 'Max',
          limit_ucr: 100 * CREDIT,
          used_ucr: 30 * CREDIT,
          period: 'month',
          period_start: '2027-02-01T00:00:00.000Z',
          resets_at: '2027-03-01T00:00:00.000Z',
          resets_to_ucr: 100 * CREDIT,
        },
        {
          scope: 'team',
          name: 'Robotics',
          limit_ucr: 300 * CREDIT,
          used_ucr: 30 * CREDIT,
          period: 'half_year',
          period_start: '2027-01-01T00:00:00.000Z',
          resets_at: '2027-07-01T00:00:00.000Z',
          resets_to_ucr: 300 * CREDIT,
        },
      ],
    );
    assert.equal(stopped_by, null);
    assert.deepEqual((await seen(org.admin)).budgets, []);
  });

  it('refuse a hold that would pass them with what is running, and say which', async () => {
    await limit(100);
    await use(50);
    assert.equal((await hold(40)).statusCode, 200);
    const refused = await hold(11);
    const [budget] = (await seen()).budgets ?? [];
    assert.deepEqual(
      [refused.statusCode, refused.json().code, refused.json().budget],
      [402, 'budget_exceeded', { id: budget?.id, name: 'Max' }],
    );
    assert.equal((await hold(10)).statusCode, 200);
    assert.deepEqual((await seen()).stopped_by, { kind: 'budget', budget_id: budget?.id });
  });

  it('of a team count what its members hold and use together', async () => {
    const id = await team();
    const ada = (await house.get('/v1/me', org.admin)).json().principal.id;
    await put(`/teams/${id}/members/${ada}`, {});
    await put(`/teams/${id}/budget`, { limit_ucr: 100 * CREDIT, period: 'year' });
    await use(60, ada);
    const refused = await hold(41);
    assert.deepEqual([refused.json().code, refused.json().budget.name], ['budget_exceeded', 'Robotics']);
    assert.equal((await hold(40)).statusCode, 200);
  });

  it('are not what refuses where the balance does not cover it: that is said first', async () => {
    await limit(100);
    const refused = await hold(6_000);
    assert.deepEqual([refused.statusCode, refused.json().code], [402, 'insufficient_credits']);
    await use(5_218);
    assert.deepEqual((await seen()).stopped_by, { kind: 'balance', budget_id: null });
  });

  it('never refuse usage that has happened: it goes past the limit', async () => {
    await limit(10);
    await hold(10, 'running');
    await use(25);
    const url = `/v1/orgs/${org.id}/holds/running/finalize`;
    assert.equal((await house.post(url, org.service, { amount_ucr: 12 * CREDIT })).statusCode, 200);
    assert.deepEqual(await used(), [37]);
  });

  it('free what a hold set aside when it ends', async () => {
    await limit(10);
    await hold(10, 'short', 60);
    assert.equal((await hold(1)).statusCode, 402);
    house.clock.advance(60_000);
    assert.equal((await hold(10, 'next')).statusCode, 200);
    await house.post(`/v1/orgs/${org.id}/holds/next/release`, org.service);
    assert.equal((await seen()).stopped_by, null);
  });

  it('count an event once, however often it is sent', async () => {
    await limit(100);
    await Promise.all(Array.from({ length: 10 }, () => use(7, max, 'same')));
    assert.deepEqual(await used(), [7]);
  });

  it('start from what was used in the running period, and keep counting under another limit', async () => {
    await use(3);
    house.clock.advance(DAY_MS);
    await use(4);
    await limit(100, 'month');
    assert.deepEqual(await used(), [7]);
    await use(2);
    await limit(50, 'month');
    assert.deepEqual(await used(), [9]);
    await limit(50, 'year');
    assert.deepEqual(await used(), [9]);
  });

  it('that are raised for one period go back by themselves, to what each one after it may use', async () => {
    const clock = clockAt('2027-02-10T00:00:00Z');
    const other = await House.build({ clock });
    const theirs = await other.org();
    const person = (await other.get('/v1/me', theirs.member)).json().principal.id;
    const set = (payload: object) =>
      other.app.inject({
        method: 'PUT',
        url: `/v1/orgs/${theirs.id}/members/${person}/budget`,
        headers: bearer(theirs.admin),
        payload: { period: 'month', ...payload },
      });
    const limits = async () =>
      (await other.get(`/v1/orgs/${theirs.id}/balance`, theirs.member))
        .json<Balance>()
        .budgets?.map(({ limit_ucr, resets_to_ucr }) => [limit_ucr, resets_to_ucr]);
    const holdOf = (amount_ucr: number, hold_id: string) =>
      other.post(`/v1/orgs/${theirs.id}/holds`, theirs.service, {
        hold_id,
        amount_ucr,
        expires_in_s: 60,
        user_id: person,
      });
    await set({ limit_ucr: 100, reset_ucr: 40 });
    assert.deepEqual(await limits(), [[100, 40]]);
    assert.equal((await holdOf(100, 'in_february')).statusCode, 200);
    for (const month of ['2027-03', '2027-04']) {
      clock.advance(Date.parse(`${month}-01T00:00:00Z`) - clock.now().getTime());
      assert.deepEqual(await limits(), [[40, 40]]);
      assert.equal((await holdOf(41, `too_much_in_${month}`)).json().code, 'budget_exceeded');
      assert.equal((await holdOf(40, `all_of_${month}`)).statusCode, 200);
    }
    await set({ limit_ucr: 70 });
    clock.advance(31 * DAY_MS);
    assert.deepEqual(await limits(), [[70, 70]], 'until it is told otherwise');
    await booksAreInOrder(other);
    await other.close();
  });

  it('renew themselves at the calendar’s period, in UTC', async () => {
    for (const [period, start, end] of [
      ['month', '2028-05-01', '2028-06-01'],
      ['quarter', '2028-04-01', '2028-07-01'],
      ['half_year', '2028-01-01', '2028-07-01'],
      ['year', '2028-01-01', '2029-01-01'],
    ] as const) {
      const clock = clockAt(`${start}T00:00:00Z`);
      const other = await House.build({ clock });
      const theirs = await other.org();
      const person = (await other.get('/v1/me', theirs.member)).json().principal.id;
      await other.app.inject({
        method: 'PUT',
        url: `/v1/orgs/${theirs.id}/members/${person}/budget`,
        headers: bearer(theirs.admin),
        payload: { limit_ucr: 9, period },
      });
      const read = async () =>
        (await other.get(`/v1/orgs/${theirs.id}/balance`, theirs.member)).json<Balance>().budgets?.[0];
      const spend = (event_id: string, amount_ucr: number) =>
        other.post(`/v1/orgs/${theirs.id}/usage`, theirs.service, { event_id, amount_ucr, user_id: person });
      await spend('first', 9);
      clock.advance(Date.parse(`${end}T00:00:00Z`) - clock.now().getTime() - 1);
      const before = await read();
      assert.deepEqual(
        [before?.used_ucr, before?.period_start, before?.resets_at],
        [9, `${start}T00:00:00.000Z`, `${end}T00:00:00.000Z`],
      );
      clock.advance(1);
      const after = await read();
      assert.deepEqual([after?.used_ucr, after?.period_start], [0, `${end}T00:00:00.000Z`], period);
      await spend('second', 4);
      assert.equal((await read())?.used_ucr, 4);
      await other.close();
    }
  });

  it('change the balance’s ETag and are pushed when they are set, renamed or lifted', async () => {
    const tag = async () => (await house.get(`/v1/orgs/${org.id}/balance`, org.member)).headers['etag'];
    const pushes = async () =>
      (
        await house.database.query
          .selectFrom('outbox')
          .select('sequence')
          .where('org_id', '=', org.id)
          .where('event', '=', 'balance.updated')
          .execute()
      ).length;
    const id = await team();
    const url = `/v1/orgs/${org.id}/members/${max}/budget`;
    for (const change of [
      () => limit(10),
      () => limit(20),
      () => put(`/teams/${id}/budget`, { limit_ucr: 5, period: 'month' }),
      () => put(`/teams/${id}`, { name: 'Robots' }),
      () => house.app.inject({ method: 'DELETE', url, headers: bearer(org.admin) }),
    ]) {
      const [before, told] = [await tag(), await pushes()];
      await change();
      assert.notEqual(await tag(), before);
      assert.equal(await pushes(), told + 1);
    }
  });

  it('go with their team', async () => {
    const id = await team();
    await put(`/teams/${id}/budget`, { limit_ucr: 0, period: 'month' });
    assert.equal((await hold(1)).statusCode, 402);
    const url = `/v1/orgs/${org.id}/teams/${id}`;
    await house.app.inject({ method: 'DELETE', url, headers: bearer(org.admin) });
    assert.equal((await hold(1)).statusCode, 200);
  });

  describe('alerts', () => {
    const told = async (token?: string) =>
      (await alerts(token)).map(({ kind, percent }) => `${kind} ${percent}`).reverse();
    const raised = async () =>
      (
        await house.database.query
          .selectFrom('outbox')
          .select('data')
          .where('org_id', '=', org.id)
          .where('event', '=', 'alert.raised')
          .orderBy('sequence')
          .execute()
      ).map(({ data }) => `${data['kind']} ${data['percent']}`);

    it('are told once for each line, however often it is crossed and by whomever at once', async () => {
      await use(3_900, null);
      await Promise.all(Array.from({ length: 10 }, () => use(20, null)));
      await use(600, null);
      await use(400, null);
      assert.deepEqual(await told(), ['usage 75', 'usage 90']);
      assert.deepEqual(await raised(), ['usage 75', 'usage 90']);
      await use(1_000, null);
      assert.deepEqual(await told(), ['usage 75', 'usage 90', 'usage 100']);
    });

    it('push the furthest of several lines crossed at once, and list all', async () => {
      await use(5_300, null);
      assert.deepEqual(await told(), ['usage 75', 'usage 90', 'usage 100']);
      assert.deepEqual(await raised(), ['usage 100']);
    });

    it('come anew after a top-up, which is another measure', async () => {
      await use(4_000, null);
      await house.database.transaction(tx =>
        house.app.parts.ledger.grant(tx, org.id, {
          kind: 'promotional',
          amountUcr: 1_000_000_000n,
          type: 'grant',
          source: { type: 'test', id: 'again' },
          actor: 'test',
        }),
      );
      await use(1_900, null);
      assert.deepEqual(await told(), ['usage 75', 'usage 75']);
    });

    it('tell the organisation’s own threshold', async () => {
      await put('/settings', { low_balance_threshold_ucr: 5_000 * CREDIT, contact: null });
      await use(100, null);
      assert.deepEqual(await told(), []);
      await use(118, null);
      await use(1, null);
      assert.deepEqual(await told(), ['low_balance null']);
    });

    it('T20 of a budget are seen by those it limits and by admins, of the rest by admins only', async () => {
      await limit(100);
      const id = await team();
      await put(`/teams/${id}/budget`, { limit_ucr: 4_000 * CREDIT, period: 'month' });
      await use(90);
      await use(4_000, null);
      assert.deepEqual(await told(), ['budget 75', 'budget 90', 'usage 75']);
      assert.deepEqual(await told(org.member), ['budget 75', 'budget 90']);
      const other = (await alerts(org.member))[0];
      assert.deepEqual([other?.budget?.name, other?.period_id], ['Max', 'month_2027-02-01']);
    });

    it('of a budget come again in its next period', async () => {
      await limit(10);
      await use(8);
      house.clock.advance(31 * DAY_MS);
      await use(8);
      assert.deepEqual(await told(), ['budget 75', 'budget 75']);
    });

    it('of a budget come again when its period is another one, which may begin on the same day', async () => {
      const now = house.clock.now();
      house.clock.advance(Date.UTC(now.getUTCFullYear() + 1, 0, 10, 12) - now.getTime());
      await limit(10);
      await use(10);
      await limit(100, 'year');
      await use(85);
      assert.deepEqual(await told(), ['budget 75', 'budget 90', 'budget 100', 'budget 75', 'budget 90']);
    });

    it('are read page by page', async () => {
      await use(5_300, null);
      const first = (await house.get(`/v1/orgs/${org.id}/alerts?limit=2`, org.admin)).json();
      const next = `/v1/orgs/${org.id}/alerts?limit=2&cursor=${first.next_cursor}`;
      const second = (await house.get(next, org.admin)).json();
      assert.deepEqual(
        [first.data, second.data].map(page => page.map(({ percent }: Alert) => percent)),
        [[100, 90], [75]],
      );
      assert.equal(second.next_cursor, null);
    });
  });

  describe('the runway', () => {
    it('is what is available at the pace of the last complete days', async () => {
      for (let day = 0; day < 5; day++) {
        await use(100, null);
        if (day < 3) {
          assert.equal((await seen()).runway, null);
        }
        house.clock.advance(DAY_MS);
      }
      const { runway } = await seen();
      assert.deepEqual(runway, { days: 47, low_days: 47, high_days: 47, from_days: 5 });
      await use(1_000, null);
      assert.equal((await seen()).runway?.days, 37, 'today is not over, and counts only as used');
    });

    it('has days without usage in its pace, and a range that grows with the spread', () => {
      const even = runwayOf(1_000n, [0, 0, 10, 10, 10, 10]);
      assert.deepEqual(even, { days: 100, low_days: 100, high_days: 100, from_days: 4 });
      const uneven = runwayOf(1_000n, [30, 0, 5, 5]);
      assert.equal(uneven?.days, 100);
      assert.ok(uneven.low_days < 100 && uneven.high_days > 100);
    });

    it('is not told from less than three days, and is none when nothing is left', () => {
      assert.equal(runwayOf(1_000n, [0, 10, 0, 10]), null);
      assert.equal(runwayOf(-5n, [1, 1, 1])?.days, 0);
    });
  });
});
