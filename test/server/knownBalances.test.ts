// A balance that was read before is told again only while it would be read the same.
import assert from 'node:assert/strict';
import { readBalance } from '../../server/src/ledger/balance.ts';
import { repairProjection } from '../../server/src/ledger/verify.ts';
import { Desk } from './support/desk.ts';
import { drift } from './support/drift.ts';
import { bearer, booksAreInOrder, House, type Org, TestClock } from './support/house.ts';

const DAY = 86_400_000; // ms

describe('a balance that was read before', () => {
  let house: House;
  let org: Org;
  let desk: Desk;
  const clock = new TestClock();
  const turnTo = (text: string) => clock.advance(new Date(text).getTime() - clock.now().getTime());
  before(async () => {
    house = await House.build({ clock });
  });
  beforeEach(async () => {
    turnTo('2027-01-10T12:00:00Z');
    org = await house.org(1_000n);
    desk = new Desk(house, org);
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const told = (by = house) => by.app.parts.dueDates.readBalance(org.id);
  /** As it is at this moment, whatever was read before. */
  const asItIs = () => readBalance(house.database.query, org.id, clock.now());

  async function setThreshold(low_balance_threshold_ucr: number): Promise<void> {
    const answer = await house.app.inject({
      method: 'PUT',
      url: `/v1/orgs/${org.id}/settings`,
      headers: bearer(org.admin),
      payload: { low_balance_threshold_ucr, contact: null },
    });
    assert.equal(answer.statusCode, 200, answer.body);
  }

  it('is told again as it was while nothing has changed, and read anew after whatever has', async () => {
    const first = await told();
    clock.advance(DAY);
    assert.equal(await told(), first);
    for (const change of [
      () => desk.use(10),
      () => desk.grant(10, 'promotional', desk.inMs(DAY)),
      () => desk.hold(`hold_${org.id}`, 10),
      () => desk.adjust(-10),
      () => desk.plan({ includedUcr: 100n, anchorDay: 15 }),
      () => setThreshold(500),
    ]) {
      const before = await told();
      await change();
      const after = await told();
      assert.notEqual(after, before, String(change));
      assert.deepEqual(after, await asItIs());
    }
  });

  it('is read anew after what another server posted', async () => {
    const other = await House.build({ clock, database: house.database });
    try {
      assert.deepEqual(await told(other), await told());
      await desk.use(10);
      assert.equal((await told(other)).availableUcr, 990n);
      await new Desk(other, org).use(10);
      assert.equal((await told()).availableUcr, 980n);
    } finally {
      await other.close();
    }
  });

  it('ends at the moment from which time alone makes it another', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 15 });
    await desk.use(100);
    await desk.plan(null);
    await desk.grant(10, 'promotional', desk.inMs(DAY));
    clock.advance(DAY);
    // Nothing is left to be posted, and the period still ends.
    assert.ok((await told()).period);
    assert.equal((await told()).nextDueAt, null);
    turnTo('2027-01-15T00:00:00Z');
    assert.equal((await told()).period, null);
    await desk.grant(10, 'promotional', desk.inMs(DAY));
    assert.equal((await told()).promotionalUcr, 1_010n);
    clock.advance(DAY);
    assert.equal((await told()).promotionalUcr, 1_000n);
  });

  it('is not told to a clock that was set back', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 15 });
    turnTo('2027-01-15T00:00:00Z');
    assert.equal((await told()).period?.start.toISOString(), '2027-01-15T00:00:00.000Z');
    clock.advance(-DAY);
    assert.deepEqual(await told(), await asItIs());
  });

  it('ends when a plan begins that a server with a clock ahead has granted already', async () => {
    turnTo('2027-01-14T23:30:00Z');
    const ahead = new TestClock();
    ahead.advance(new Date('2027-01-15T00:10:00Z').getTime() - ahead.now().getTime());
    const other = await House.build({ clock: ahead, database: house.database });
    try {
      await new Desk(other, org).plan({ includedUcr: 100n, anchorDay: 15 });
    } finally {
      await other.close();
    }
    assert.equal((await told()).period, null);
    turnTo('2027-01-15T00:00:00Z');
    assert.equal((await told()).period?.grantedUcr, 100n);
  });

  it('F71 is read anew when its accounts were rebuilt, though nothing was posted', async () => {
    await drift(house, org, 1n);
    assert.equal((await told()).availableUcr, 999n);
    await repairProjection(house.database, org.id);
    assert.equal((await told()).availableUcr, 1_000n);
  });
});
