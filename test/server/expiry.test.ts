// Credits that end: posted as of the moment they end, once, whoever looks first.
import assert from 'node:assert/strict';
import { Desk } from './support/desk.ts';
import { booksAreInOrder, House } from './support/house.ts';

const DAY = 86_400_000; // ms

describe('expiry', () => {
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

  it('posts what is left of a grant to breakage, dated at the moment it ended', async () => {
    const end = desk.inMs(DAY);
    await desk.grant(10, 'purchased', end);
    await desk.use(4);
    house.clock.advance(3 * DAY);
    const balance = await desk.balance();
    assert.deepEqual([balance.available_ucr, balance.version, balance.next_expiry], [0, 3, null]);
    const [expiry, ...more] = await desk.transactions('expiry');
    assert.deepEqual([expiry?.effective_at, expiry?.created_at, more], [end, desk.now, []]);
    assert.equal(await desk.account('breakage'), 6);
  });

  it('leaves a credit usable until the moment it ends, and not at it', async () => {
    await desk.grant(10, 'purchased', desk.inMs(1_000));
    house.clock.advance(999);
    await desk.use(4);
    assert.deepEqual(await desk.parts(), [0, 0, 6, 0, 0]);
    house.clock.advance(1);
    await desk.use(4);
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 4]);
    assert.equal(await desk.account('breakage'), 6);
  });

  it('posts nothing for a grant that was used up, and says so to nobody', async () => {
    await desk.grant(10, 'purchased', desk.inMs(DAY));
    await desk.use(10);
    house.clock.advance(2 * DAY);
    await house.app.parts.dueDates.look();
    assert.equal((await desk.balance()).version, 2);
    assert.equal((await desk.told()).length, 2);
  });

  for (const [who, look] of [
    ['a reader of the balance', () => desk.balance()],
    ['usage', () => desk.use(1)],
    ['a new grant', () => desk.grant(5)],
    ['a hold', async () => assert.equal((await desk.hold('h', 1)).statusCode, 200)],
    ['an adjustment', () => desk.adjust(-1)],
    ['a plan', () => desk.plan({ includedUcr: 5n, anchorDay: 1 })],
    ['the job', () => house.app.parts.dueDates.look()],
  ] as const) {
    it(`is posted by ${who}, before anything else`, async () => {
      await desk.grant(10, 'purchased', desk.inMs(DAY));
      await desk.grant(1);
      house.clock.advance(DAY);
      await look();
      const [expiry] = await desk.transactions('expiry');
      assert.equal(expiry?.version, 3n);
    });
  }

  it('is posted once, also when 10 readers, 10 events and 3 jobs come at once', async () => {
    for (const days of [1, 2, 2, 3]) {
      await desk.grant(10, 'purchased', desk.inMs(days * DAY));
    }
    house.clock.advance(5 * DAY);
    await Promise.all([
      ...Array.from({ length: 10 }, () => desk.balance()),
      ...Array.from({ length: 10 }, () => desk.use(1)),
      ...Array.from({ length: 3 }, () => house.app.parts.dueDates.look()),
    ]);
    const expiries = await desk.transactions('expiry');
    assert.deepEqual([expiries.length, new Set(expiries.map(expiry => expiry.source_id)).size], [4, 4]);
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 10]);
    assert.equal(await desk.account('breakage'), 40);
  });

  it('is told to listeners with the version that has it', async () => {
    await desk.grant(10, 'purchased', desk.inMs(DAY));
    await desk.grant(3);
    house.clock.advance(DAY);
    await house.app.parts.dueDates.look();
    const told = (await desk.told()).at(-1);
    assert.deepEqual([told?.version, told?.available_ucr], [3, 3]);
  });

  it('names the next credits to end, those of the same moment together', async () => {
    const [soon, later] = [desk.inMs(DAY), desk.inMs(2 * DAY)];
    await desk.grant(10, 'purchased', later);
    await desk.grant(7, 'promotional', soon);
    await desk.grant(5, 'purchased', soon);
    await desk.grant(1);
    assert.deepEqual((await desk.balance()).next_expiry, { at: soon.toISOString(), amount_ucr: 12 });
    house.clock.advance(DAY);
    assert.deepEqual((await desk.balance()).next_expiry, { at: later.toISOString(), amount_ucr: 10 });
    house.clock.advance(DAY);
    assert.equal((await desk.balance()).next_expiry, null);
  });

  it('of one organisation that fails leaves the others their expiry', async () => {
    const other = new Desk(house, await house.org(0n));
    await desk.grant(10, 'purchased', desk.inMs(DAY));
    await other.grant(10, 'purchased', desk.inMs(2 * DAY));
    house.clock.advance(3 * DAY);
    const { ledger, dueDates } = house.app.parts;
    const settle = ledger.settle;
    ledger.settle = async (tx, orgId) => {
      if (orgId === desk.org.id) {
        throw new Error('broken');
      }
      return settle.call(ledger, tx, orgId);
    };
    try {
      await dueDates.look();
    } finally {
      ledger.settle = settle;
    }
    assert.equal((await other.transactions('expiry')).length, 1);
    assert.deepEqual(await desk.transactions('expiry'), []);
  });
});
