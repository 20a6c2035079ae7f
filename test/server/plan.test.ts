// Plans: a grant for each period, once; what it leaves ends with it or rolls over; percent used follows what is spent.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastAnchor, nextAnchor } from '../../server/src/ledger/plan.ts';
import { plant, readSeedFile, type Seed } from '../../server/src/seed.ts';
import { Desk } from './support/desk.ts';
import { bearer, booksAreInOrder, House, TestClock } from './support/house.ts';

const DAY = 86_400_000; // ms

describe('a plan', () => {
  let house: House;
  let desk: Desk;
  /** Each test begins on the 10th of a January, at noon. */
  const clock = new TestClock();
  const turnTo = (text: string) => clock.advance(new Date(text).getTime() - clock.now().getTime());
  before(async () => {
    house = await House.build({ clock });
  });
  beforeEach(async () => {
    turnTo('2027-01-10T12:00:00Z');
    desk = new Desk(house, await house.org(0n));
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  it('grants the period that is running at once, and each other one when it begins', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 15 });
    await desk.use(30);
    assert.deepEqual((await desk.balance()).included, {
      state: 'available',
      granted_ucr: 100,
      remaining_ucr: 70,
      period_start: '2026-12-15T00:00:00.000Z',
      resets_at: '2027-01-15T00:00:00.000Z',
    });
    turnTo('2027-01-15T00:00:00Z');
    const { included, available_ucr, next_expiry } = await desk.balance();
    assert.deepEqual(included, {
      state: 'available',
      granted_ucr: 100,
      remaining_ucr: 100,
      period_start: '2027-01-15T00:00:00.000Z',
      resets_at: '2027-02-15T00:00:00.000Z',
    });
    assert.deepEqual([available_ucr, next_expiry?.amount_ucr], [100, 100]);
    assert.equal(await desk.account('breakage'), 70);
  });

  it('grants a period once, also when 20 ask at the moment it begins and the plan is set again', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 1 });
    turnTo('2027-02-01T00:00:00Z');
    await Promise.all([
      ...Array.from({ length: 20 }, () => desk.balance()),
      house.app.parts.dueDates.look(),
      desk.plan({ includedUcr: 100n, anchorDay: 1 }),
    ]);
    await desk.plan(null);
    await desk.plan({ includedUcr: 100n, anchorDay: 20 });
    assert.equal((await desk.transactions('grant')).length, 2);
    assert.deepEqual(await desk.parts(), [100, 0, 0, 0, 0]);
  });

  it('makes up for the periods that nobody looked at, each with its grant and its end', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 31 });
    turnTo('2027-04-30T00:00:00Z');
    assert.deepEqual(await desk.parts(), [100, 0, 0, 0, 0]);
    const effective = (await desk.transactions('grant')).map(({ effective_at }) =>
      effective_at.toISOString().slice(0, 10),
    );
    assert.deepEqual(effective, ['2026-12-31', '2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30']);
    assert.deepEqual(
      (await desk.transactions('expiry')).map(({ effective_at }) => effective_at.toISOString().slice(0, 10)),
      effective.slice(1),
    );
    assert.equal(await desk.account('breakage'), 400);
  });

  it('counts a change of its terms from the next period on, which begins where the last one ends', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 15 });
    await desk.plan({ includedUcr: 300n, anchorDay: 20 });
    assert.deepEqual(await desk.parts(), [100, 0, 0, 0, 0]);
    turnTo('2027-01-15T00:00:00Z');
    const { included } = await desk.balance();
    assert.ok(included.state === 'available');
    assert.deepEqual([included.granted_ucr, included.resets_at], [300, '2027-01-20T00:00:00.000Z']);
  });

  it('that ended grants no more, and is not made up for when there is one again', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 1 });
    await desk.plan(null);
    assert.deepEqual(await desk.parts(), [100, 0, 0, 0, 0]);
    turnTo('2027-04-10T00:00:00Z');
    assert.deepEqual((await desk.balance()).included, { state: 'unavailable', reason: 'no_plan' });
    await desk.plan({ includedUcr: 50n, anchorDay: 1 });
    assert.deepEqual(await desk.parts(), [50, 0, 0, 0, 0]);
    assert.equal((await desk.transactions('grant')).length, 2);
  });

  it('pays debt first', async () => {
    await desk.use(30);
    await desk.plan({ includedUcr: 100n, anchorDay: 1 });
    assert.deepEqual(await desk.parts(), [70, 0, 0, 0, 0]);
  });

  it('rolls over what is left up to its cap, as a new grant that ends with the next period', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 1, rolloverCapUcr: 40n });
    await desk.use(35);
    turnTo('2027-02-01T00:00:00Z');
    assert.deepEqual(await desk.parts(), [140, 0, 0, 0, 0]);
    assert.equal(await desk.account('breakage'), 25);
    const { included, usage } = await desk.balance();
    assert.ok(included.state === 'available');
    assert.deepEqual([included.granted_ucr, usage?.total_ucr], [140, 140]);
    await desk.use(130);
    turnTo('2027-03-01T00:00:00Z');
    assert.deepEqual(await desk.parts(), [110, 0, 0, 0, 0]);
    turnTo('2027-05-01T00:00:00Z');
    assert.deepEqual(await desk.parts(), [140, 0, 0, 0, 0], 'never more than the cap');
  });

  describe('and percent used', () => {
    const told = async () => {
      const { usage, low_balance } = await desk.balance();
      return `${usage?.period_id.replace(/_\d+$/, '_N')} ${usage?.used_ucr}/${usage?.total_ucr} ${low_balance.level}`;
    };

    it('F45 is of the period, by an id that is new with each period', async () => {
      await desk.plan({ includedUcr: 100n, anchorDay: 1 });
      assert.equal(await told(), 'period_2027-01-01 0/100 ok');
      await desk.use(75);
      assert.equal(await told(), 'period_2027-01-01 75/100 low');
      await desk.use(25);
      assert.equal(await told(), 'period_2027-01-01 100/100 depleted');
      await desk.use(20);
      assert.equal(await told(), 'period_2027-01-01 120/100 depleted');
      turnTo('2027-02-01T00:00:00Z');
      assert.equal(await told(), 'period_2027-02-01 20/100 ok');
    });

    it('is of what was bought once the included part is spent, so that a full purse is no alarm', async () => {
      await desk.plan({ includedUcr: 100n, anchorDay: 1 });
      await desk.grant(1_000);
      await desk.use(99);
      assert.equal(await told(), 'period_2027-01-01 99/100 ok');
      await desk.use(1);
      assert.equal(await told(), 'top_up_N 0/1000 ok');
      await desk.use(900);
      assert.equal(await told(), 'top_up_N 900/1000 critical');
      turnTo('2027-02-01T00:00:00Z');
      assert.equal(await told(), 'period_2027-02-01 0/100 ok');
    });

    it('does not begin anew for what was bought when a period begins', async () => {
      await desk.grant(1_000);
      const before = (await desk.balance()).usage;
      await desk.use(500);
      await desk.plan({ includedUcr: 100n, anchorDay: 1 });
      await desk.use(100);
      assert.deepEqual((await desk.balance()).usage, { ...before, used_ucr: 500 });
    });
  });

  it('is in the seed, and reading the seed again changes nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'seed-'));
    try {
      const file = join(directory, 'seed.json');
      const seed: Seed = {
        organisations: [
          {
            id: `org_seeded_${process.pid}`,
            name: 'Seeded',
            plan: { included_ucr: 2_000, anchor_day: 10, rollover_cap_ucr: 500 },
            people: [
              {
                id: 'usr_seeded',
                name: 'S',
                email: null,
                role: 'admin',
                token: `crd_pat_seeded_${'x'.repeat(16)}`,
              },
            ],
          },
        ],
      };
      writeFileSync(file, JSON.stringify(seed));
      for (let time = 0; time < 3; time++) {
        await plant(house.database, house.app.parts.ledger, clock.now, readSeedFile(file));
        clock.advance(DAY);
      }
      const token = seed.organisations[0]?.people[0]?.token;
      const answer = await house.get(`/v1/orgs/org_seeded_${process.pid}/balance`, token);
      assert.deepEqual([answer.json().available_ucr, answer.json().version], [2_000, 1]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('in the seed comes with people, who keep the role that they were given since, or none', async () => {
    const person = (name: string) => ({
      id: `usr_${name}_${process.pid}`,
      name,
      email: null,
      role: 'admin' as const,
      token: `crd_pat_${name.padEnd(20, name)}_${process.pid}`,
    });
    const [ada, max, eve] = [person('ada'), person('max'), person('eve')];
    const org = `org_people_${process.pid}`;
    const sow = (people: Array<ReturnType<typeof person>>) =>
      plant(house.database, house.app.parts.ledger, clock.now, {
        organisations: [{ id: org, name: 'People', people }],
      });
    const ask = async (method: 'PUT' | 'DELETE', path: string, payload = {}) => {
      const url = `/v1/orgs/${org}/members/${path}`;
      const answer = await house.app.inject({ method, url, headers: bearer(ada.token), payload });
      assert.equal(answer.statusCode, 204, answer.body);
    };
    await sow([ada, max, eve]);
    await ask('PUT', `${max.id}/role`, { role: 'user' });
    await ask('DELETE', eve.id);
    const kim = person('kim');
    await sow([ada, max, eve, kim]);
    const roles = [ada, max, eve, kim].map(async ({ token }) =>
      (await house.get('/v1/me', token)).json().orgs.map(({ role }: { role: string }) => role),
    );
    assert.deepEqual(await Promise.all(roles), [['admin'], ['user'], [], ['admin']]);
  });

  for (const [at, day, last, next] of [
    ['2027-01-10T12:00:00Z', 1, '2027-01-01', '2027-02-01'],
    ['2027-01-01T00:00:00Z', 1, '2027-01-01', '2027-02-01'],
    ['2027-12-31T23:59:59.999Z', 1, '2027-12-01', '2028-01-01'],
    ['2027-01-10T12:00:00Z', 31, '2026-12-31', '2027-01-31'],
    ['2027-01-31T00:00:00Z', 31, '2027-01-31', '2027-02-28'],
    ['2028-02-29T00:00:00Z', 30, '2028-02-29', '2028-03-30'],
    ['2027-03-01T00:00:00Z', 29, '2027-02-28', '2027-03-29'],
  ] as const) {
    it(`of day ${day} has a period from ${last} to ${next} at ${at}`, () => {
      const dates = [lastAnchor(new Date(at), day), nextAnchor(new Date(at), day)];
      assert.deepEqual(
        dates.map(date => date.toISOString()),
        [`${last}T00:00:00.000Z`, `${next}T00:00:00.000Z`],
      );
    });
  }
});
