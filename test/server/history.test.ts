// Looking back: adjustments that stay visible, the ledger page by page, grants, and usage in groups.
import assert from 'node:assert/strict';
import { GrantList, LedgerList, UsageReport } from '../../protocol/api.ts';
import { Desk } from './support/desk.ts';
import { booksAreInOrder, House } from './support/house.ts';

const DAY = 86_400_000; // ms

describe('history', () => {
  let house: House;
  let desk: Desk;
  before(async () => {
    house = await House.build();
  });
  beforeEach(async () => {
    desk = new Desk(house, await house.org(0n));
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const read = async (path: string, token = desk.org.admin) => {
    const answer = await house.get(`/v1/orgs/${desk.org.id}/${path}`, token);
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  };
  const ledger = async (query = '') => LedgerList.parse(await read(`ledger${query}`));
  const grants = async (query = '') => GrantList.parse(await read(`grants${query}`));

  describe('of adjustments', () => {
    it('has a new transaction for each, with who and why; I4 nothing is edited', async () => {
      await desk.grant(100);
      const before = (await ledger()).data;
      await desk.adjust(50, 'goodwill for an outage');
      await desk.adjust(-30, 'granted twice by mistake');
      assert.deepEqual(await desk.parts(), [0, 20, 100, 0, 0]);
      const { data } = await ledger();
      assert.deepEqual(
        data.map(({ version, type, actor, reason, change_ucr }) => [
          version,
          type,
          actor,
          reason,
          change_ucr,
        ]),
        [
          [3, 'adjustment', 'operator', 'granted twice by mistake', -30],
          [2, 'adjustment', 'operator', 'goodwill for an outage', 50],
          [1, 'grant', 'test', null, 100],
        ],
      );
      assert.deepEqual(data.slice(2), before);
      assert.equal(await desk.account('adjustments'), -20);
    });

    it('takes more than there is as debt, and gives to debt first', async () => {
      await desk.grant(10);
      await desk.adjust(-25);
      assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 15]);
      await desk.adjust(20);
      assert.deepEqual(await desk.parts(), [0, 5, 0, 0, 0]);
    });

    it('adjusts once by its id, and not at all without an amount or a reason', async () => {
      await desk.adjust(20, 'goodwill', 'adj-1');
      assert.equal((await desk.adjust(20, 'goodwill', 'adj-1')).duplicate, true);
      await assert.rejects(desk.adjust(0));
      await assert.rejects(desk.adjust(5, ' '));
      assert.equal((await desk.balance()).version, 1);
    });
  });

  describe('of the ledger', () => {
    it('tells what each transaction moved, and by how much it changed what is available', async () => {
      await desk.grant(100, 'purchased', desk.inMs(DAY));
      await desk.hold('h', 30);
      await desk.finalize('h', 10);
      house.clock.advance(2 * DAY);
      const { data, next_cursor } = await ledger();
      assert.deepEqual(
        data.map(({ type, change_ucr }) => `${type} ${change_ucr}`),
        ['expiry -90', 'usage 20', 'hold -30', 'grant 100'],
      );
      for (const { entries } of data) {
        assert.equal(
          entries.reduce((sum, { amount_ucr }) => sum + amount_ucr, 0),
          0,
        );
      }
      const total = data.reduce((sum, { change_ucr }) => sum + change_ucr, 0);
      assert.deepEqual([total, next_cursor], [(await desk.balance()).available_ucr, null]);
    });

    it('comes in pages that miss nothing, also when more is posted between two of them', async () => {
      for (let n = 1; n <= 7; n++) {
        await desk.grant(n);
      }
      const versions: number[] = [];
      let cursor: string | null = '';
      do {
        const page: LedgerList = await ledger(`?limit=3${cursor && `&cursor=${cursor}`}`);
        versions.push(...page.data.map(({ version }) => version));
        cursor = page.next_cursor;
        await desk.use(1);
      } while (cursor);
      assert.deepEqual(versions, [7, 6, 5, 4, 3, 2, 1]);
    });

    for (const query of ['limit=0', 'limit=201', 'cursor=0', 'cursor=x', "cursor=1'"]) {
      it(`refuses ${query}`, async () => {
        const answer = await house.get(`/v1/orgs/${desk.org.id}/ledger?${query}`, desk.org.admin);
        assert.equal(answer.statusCode, 422);
      });
    }
  });

  it('of grants tells what is left, what is on hold and when it ends', async () => {
    await desk.grant(100, 'purchased', desk.inMs(DAY));
    await desk.use(100);
    house.clock.advance(1);
    await desk.grant(100, 'purchased', desk.inMs(DAY));
    house.clock.advance(1);
    await desk.grant(100, 'promotional');
    await desk.hold('h', 30);
    house.clock.advance(10 * DAY);
    await desk.hold('i', 25);
    const { data } = await grants();
    assert.deepEqual(
      data.map(grant => [grant.kind, grant.status, grant.granted_ucr, grant.remaining_ucr, grant.held_ucr]),
      [
        ['promotional', 'active', 100, 100, 25],
        ['purchased', 'expired', 100, 0, 0],
        ['purchased', 'expired', 100, 0, 0],
      ],
    );
    const first = await grants('?limit=1');
    assert.deepEqual(first.data, data.slice(0, 1));
    assert.deepEqual((await grants(`?cursor=${first.next_cursor}`)).data, data.slice(1));
  });

  it('of the ledger and of grants is for admins; members are told that their role cannot', async () => {
    for (const path of ['ledger', 'grants']) {
      const answer = await house.get(`/v1/orgs/${desk.org.id}/${path}`, desk.org.member);
      assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
    }
  });

  describe('of usage', () => {
    const report = async (query: string, token?: string) =>
      UsageReport.parse(await read(`usage?${query}`, token));
    const rows = async (query: string, token?: string) =>
      (await report(query, token)).data.map(({ key, used_ucr, events }) => `${key} ${used_ucr} ${events}`);
    const post = async (event_id: string, amount_ucr: number, more: object = {}) => {
      const body = { event_id, amount_ucr, ...more };
      const answer = await house.post(`/v1/orgs/${desk.org.id}/usage`, desk.org.service, body);
      assert.equal(answer.statusCode, 200, answer.body);
    };
    let member: string;
    let start: Date;
    beforeEach(async () => {
      // Begins at a midnight, so that the days are known.
      house.clock.advance(DAY - (desk.now.getTime() % DAY));
      start = desk.now;
      member = `usr_Max_${desk.org.id.slice(4)}`;
      await desk.grant(1_000);
      await post('a', 10, { user_id: member, model: 'small' });
      await post('b', 200, { user_id: 'usr_gone', model: 'large' });
      house.clock.advance(DAY);
      await post('c', 30, { user_id: member, model: 'large' });
      await post('d', 4);
      await desk.hold('h', 50, { user_id: member, model: 'small' });
      await desk.finalize('h', 5);
    });
    const day = (n: number) => new Date(start.getTime() + n * DAY).toISOString();

    it('is grouped by day, model or user, with finalized holds in it', async () => {
      assert.deepEqual(await rows('group_by=day'), [
        `${day(0).slice(0, 10)} 210 2`,
        `${day(1).slice(0, 10)} 39 3`,
      ]);
      assert.deepEqual(await rows('group_by=model'), ['large 230 2', 'small 15 2', 'null 4 1']);
      const { data, total_ucr, scope } = await report('group_by=user');
      assert.deepEqual(
        data.map(({ key, name, used_ucr }) => [key, name, used_ucr]),
        [
          ['usr_gone', null, 200],
          [member, 'Max', 45],
          [null, null, 4],
        ],
      );
      assert.deepEqual([total_ucr, scope], [249, 'all']);
    });

    it('is of the time asked for, with its beginning and without its end', async () => {
      assert.deepEqual(await rows(`group_by=model&from=${day(0)}&to=${day(1)}`), [
        'large 200 1',
        'small 10 1',
      ]);
      assert.equal((await report(`group_by=day&from=${day(1)}&to=${day(2)}`)).total_ucr, 39);
      assert.deepEqual(await rows(`group_by=day&from=${day(5)}&to=${day(6)}`), []);
    });

    it('is refused where the balance could not tell it, and told as the most there is where only the sum is beyond', async () => {
      const most = Number.MAX_SAFE_INTEGER;
      const alone = new Desk(house, await house.org(0n));
      const { org } = alone;
      await alone.grant(1_000, 'purchased');
      await alone.use(most);
      await assert.rejects(alone.use(999), { problem: 'amount_out_of_range' });
      assert.equal((await alone.balance()).usage?.used_ucr, most);
      await alone.adjust(5_000);
      await alone.use(2_000);
      const report = await house.get(`/v1/orgs/${org.id}/usage?group_by=model`, org.admin);
      const { total_ucr, data } = UsageReport.parse(report.json());
      assert.deepEqual([total_ucr, data.map(({ used_ucr }) => used_ucr)], [most, [most]]);
    });

    it('is their own for members, whatever they group by, and nothing of another organisation', async () => {
      assert.deepEqual(await rows('group_by=user', desk.org.member), [`${member} 45 3`]);
      assert.deepEqual(await rows('group_by=model', desk.org.member), ['large 30 1', 'small 15 2']);
      assert.equal((await report('group_by=day', desk.org.member)).scope, 'own');
      const other = new Desk(house, await house.org(0n));
      const answer = await house.get(`/v1/orgs/${desk.org.id}/usage?group_by=day`, other.org.admin);
      assert.deepEqual([answer.statusCode, answer.json().code], [404, 'org_not_found']);
    });

    for (const query of [
      '',
      'group_by=colour',
      'group_by=day&from=yesterday',
      'group_by=day&from=2027-01-02T00:00:00Z&to=2027-01-02T00:00:00Z',
      'group_by=day&from=2020-01-02T00:00:00Z',
      'group_by=day&from=0000-12-31T00:00:00Z&to=0001-01-02T00:00:00Z',
      'group_by=day&from=0001-01-01T00:00:00%2B05:00&to=0001-01-02T00:00:00Z',
      'group_by=day&from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59-12:00',
    ]) {
      it(`refuses ${query || 'no grouping'}`, async () => {
        const answer = await house.get(`/v1/orgs/${desk.org.id}/usage?${query}`, desk.org.admin);
        assert.deepEqual([answer.statusCode, answer.json().code], [422, 'validation_failed']);
      });
    }
  });
});
