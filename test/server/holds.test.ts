// Holds: what a running request set aside is nobody else's, comes back when it ends, and is never more than was there.
import assert from 'node:assert/strict';
import { Hold } from '../../protocol/api.ts';
import { Desk } from './support/desk.ts';
import { booksAreInOrder, House } from './support/house.ts';

describe('a hold', () => {
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

  type Answer = Awaited<ReturnType<Desk['hold']>>;
  const ok = (answer: Answer): Hold => {
    assert.equal(answer.statusCode, 200, answer.body);
    return Hold.parse(answer.json());
  };
  const refused = (answer: Answer) => `${answer.statusCode} ${answer.json().code}`;

  it('takes from what is available, and is told with its balance', async () => {
    await desk.grant(100);
    const hold = ok(await desk.hold('h', 30));
    assert.deepEqual(
      [hold.status, hold.amount_ucr, hold.used_ucr, hold.duplicate, hold.balance_version, hold.available_ucr],
      ['open', 30, null, false, 2, 70],
    );
    assert.equal(hold.expires_at, desk.inMs(60_000).toISOString());
    assert.deepEqual(await desk.parts(), [0, 0, 100, 30, 0]);
    assert.deepEqual((await desk.told()).at(-1)?.available_ucr, 70);
    assert.equal((await desk.balance()).usage?.used_ucr, 0, 'not used yet');
  });

  it('finalized with less gives the rest back', async () => {
    await desk.grant(100);
    await desk.hold('h', 30);
    const hold = ok(await desk.finalize('h', 12));
    assert.deepEqual([hold.status, hold.used_ucr, hold.available_ucr], ['finalized', 12, 88]);
    assert.deepEqual(await desk.parts(), [0, 0, 88, 0, 0]);
    assert.equal(await desk.account('usage'), 12);
  });

  it('finalized with more takes the rest like any usage, into debt where nothing is left', async () => {
    await desk.grant(40, 'promotional');
    await desk.grant(10);
    await desk.hold('h', 30);
    assert.equal(ok(await desk.finalize('h', 45)).available_ucr, 5);
    assert.deepEqual(await desk.parts(), [0, 0, 5, 0, 0]);
    await desk.hold('i', 5);
    assert.equal(ok(await desk.finalize('i', 25)).available_ucr, -20);
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 20]);
  });

  it('finalized with nothing, or released, gives everything back', async () => {
    await desk.grant(100);
    await desk.hold('h', 30);
    await desk.hold('i', 30);
    assert.deepEqual([ok(await desk.finalize('h', 0)).available_ucr], [70]);
    assert.deepEqual([ok(await desk.release('i')).available_ucr], [100]);
    assert.deepEqual(await desk.parts(), [0, 0, 100, 0, 0]);
  });

  it('F72 is refused where less is available, and changes nothing then', async () => {
    await desk.grant(100);
    await desk.hold('h', 71);
    assert.equal(refused(await desk.hold('i', 30)), '402 insufficient_credits');
    assert.equal(ok(await desk.hold('i', 29)).available_ucr, 0);
    assert.equal(refused(await desk.hold('j', 1)), '402 insufficient_credits');
    assert.deepEqual(await desk.parts(), [0, 0, 100, 100, 0]);
  });

  it('F72 is never given for more than there is, when 40 are asked for at once', async () => {
    await desk.grant(60);
    await desk.grant(45, 'promotional');
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => desk.hold(`h${n}`, 10)));
    const held = answers.filter(answer => answer.statusCode === 200);
    assert.equal(held.length, 10);
    assert.ok(answers.every(answer => answer.statusCode === 200 || answer.statusCode === 402));
    assert.deepEqual(
      held.map(answer => answer.json().available_ucr).sort((a, b) => b - a),
      [95, 85, 75, 65, 55, 45, 35, 25, 15, 5],
    );
    assert.deepEqual(await desk.parts(), [0, 45, 60, 100, 0]);
  });

  it('F72 keeps what it holds from usage that comes meanwhile, which becomes debt and is paid back at the end', async () => {
    await desk.grant(100);
    await desk.hold('h', 80);
    await desk.use(50);
    assert.deepEqual(await desk.parts(), [0, 0, 80, 80, 30]);
    ok(await desk.finalize('h', 40));
    assert.deepEqual(await desk.parts(), [0, 0, 10, 0, 0]);
  });

  it('is one by its id, also when it is asked for, finalized and released 10 times at once', async () => {
    await desk.grant(100);
    const asked = (await Promise.all(Array.from({ length: 10 }, () => desk.hold('h', 30)))).map(ok);
    assert.equal(asked.filter(hold => !hold.duplicate).length, 1);
    const ended = (await Promise.all(Array.from({ length: 10 }, () => desk.finalize('h', 20)))).map(ok);
    assert.equal(ended.filter(hold => !hold.duplicate).length, 1);
    await desk.hold('i', 30);
    const freed = (await Promise.all(Array.from({ length: 10 }, () => desk.release('i')))).map(ok);
    assert.equal(freed.filter(hold => !hold.duplicate).length, 1);
    assert.deepEqual(await desk.parts(), [0, 0, 80, 0, 0]);
    assert.deepEqual(
      [ok(await desk.hold('h', 30)).status, ok(await desk.hold('h', 30)).duplicate],
      ['finalized', true],
    );
  });

  it('refuses its id for another amount or time, and another end than it had', async () => {
    await desk.grant(100);
    await desk.hold('h', 30);
    assert.equal(refused(await desk.hold('h', 31)), '422 idempotency_key_reused');
    assert.equal(refused(await desk.hold('h', 30, { expires_in_s: 61 })), '422 idempotency_key_reused');
    await desk.finalize('h', 5);
    assert.equal(refused(await desk.finalize('h', 6)), '422 idempotency_key_reused');
    assert.equal(refused(await desk.release('h')), '409 hold_not_open');
    await desk.hold('i', 30);
    await desk.release('i');
    assert.equal(refused(await desk.finalize('i', 5)), '409 hold_not_open');
    assert.equal(refused(await desk.release('none')), '404 hold_not_found');
    assert.equal(refused(await desk.finalize('none', 5)), '404 hold_not_found');
  });

  it('I6 may have the id of a usage event: both debit, each once', async () => {
    await desk.grant(100);
    await desk.use(10, 'same');
    await desk.hold('same', 30);
    for (let time = 0; time < 2; time++) {
      ok(await desk.finalize('same', 20));
      await desk.use(10, 'same');
    }
    assert.deepEqual(await desk.parts(), [0, 0, 70, 0, 0]);
  });

  for (const [who, look] of [
    ['a reader', () => desk.balance()],
    ['the job', () => house.app.parts.dueDates.look()],
  ] as const) {
    it(`is freed when its time is over, by ${who}, once, as of that moment`, async () => {
      await desk.grant(100);
      await desk.hold('h', 30);
      const end = desk.inMs(60_000);
      house.clock.advance(59_999);
      await look();
      assert.deepEqual(await desk.parts(), [0, 0, 100, 30, 0]);
      house.clock.advance(5_000);
      await Promise.all([look(), look(), look()]);
      const [release, ...more] = await desk.transactions('release');
      assert.deepEqual([release?.effective_at, release?.actor, more], [end, 'ledger', []]);
      assert.deepEqual(await desk.parts(), [0, 0, 100, 0, 0]);
      assert.deepEqual(
        [ok(await desk.release('h')).status, ok(await desk.hold('h', 30)).duplicate],
        ['expired', true],
      );
    });
  }

  it('that expired can still be finalized: what was used was used', async () => {
    await desk.grant(100);
    await desk.hold('h', 30);
    house.clock.advance(61_000);
    await desk.use(95);
    const hold = ok(await desk.finalize('h', 30));
    assert.deepEqual([hold.status, hold.available_ucr], ['finalized', -25]);
    assert.deepEqual([ok(await desk.finalize('h', 30)).duplicate, await desk.account('usage')], [true, 125]);
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 25]);
    await desk.grant(30);
    await desk.hold('i', 5);
    house.clock.advance(61_000);
    assert.deepEqual(
      [ok(await desk.finalize('i', 0)).status, ok(await desk.finalize('i', 0)).duplicate],
      ['finalized', true],
    );
    assert.deepEqual(await desk.parts(), [0, 0, 5, 0, 0]);
  });

  it('keeps credits usable beyond their end, and gives none of them back after it', async () => {
    await desk.grant(50, 'included', desk.inMs(30_000));
    await desk.grant(50);
    await desk.hold('h', 70);
    house.clock.advance(30_000);
    assert.deepEqual(await desk.parts(), [0, 50, 50, 70, 0], 'told beside the plan whose period is over');
    ok(await desk.finalize('h', 20));
    assert.deepEqual(await desk.parts(), [0, 0, 50, 0, 0]);
    assert.equal(await desk.account('breakage'), 30);
  });

  it('F72 pays what became debt meanwhile also with credits that ended on hold, and only the rest is gone', async () => {
    await desk.grant(100, 'promotional', desk.inMs(30_000));
    await desk.hold('h', 100);
    await desk.use(30);
    house.clock.advance(30_000);
    ok(await desk.finalize('h', 20));
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 0]);
    assert.deepEqual([await desk.account('usage'), await desk.account('breakage')], [50, 50]);
  });

  it('gives back credits that end when they would have, and that pay for nothing used after it', async () => {
    await desk.grant(100, 'promotional', desk.inMs(30_000));
    await desk.hold('h', 100, { expires_in_s: 3_600 });
    await desk.grant(5, 'promotional', desk.inMs(10_000));
    house.clock.advance(10_000);
    assert.deepEqual(
      await desk.parts(),
      [0, 100, 0, 100, 0],
      'what falls due was looked for while all was on hold',
    );
    ok(await desk.release('h'));
    house.clock.advance(20_000);
    await desk.use(10);
    house.clock.advance(3_600_000);
    assert.deepEqual(await desk.parts(), [0, 0, 0, 0, 10]);
    assert.equal(await desk.account('breakage'), 105);
  });

  it('may outlast its period: the old credits stay on hold beside the new ones', async () => {
    await desk.plan({ includedUcr: 100n, anchorDay: 1 });
    const { included } = await desk.balance();
    assert.ok(included.state === 'available');
    house.clock.advance(Date.parse(included.resets_at) - desk.now.getTime() - 1_000);
    await desk.hold('h', 100);
    house.clock.advance(1_000);
    assert.deepEqual(await desk.parts(), [200, 0, 0, 100, 0]);
    assert.deepEqual((await desk.balance()).usage?.used_ucr, 0);
    ok(await desk.release('h'));
    assert.deepEqual(await desk.parts(), [100, 0, 0, 0, 0]);
    assert.equal(await desk.account('breakage'), 100);
  });

  it('burns included before promotional before purchased', async () => {
    await desk.grant(10);
    await desk.grant(10, 'promotional');
    await desk.grant(10, 'included', desk.inMs(1e9));
    await desk.hold('h', 25);
    ok(await desk.finalize('h', 15));
    assert.deepEqual(await desk.parts(), [0, 5, 10, 0, 0]);
  });

  it('is for service tokens only, and one organisation knows nothing of the holds of another', async () => {
    await desk.grant(100);
    await desk.hold('h', 30);
    const other = new Desk(house, await house.org(100n));
    assert.equal(refused(await other.release('h')), '404 hold_not_found');
    for (const token of [desk.org.admin, desk.org.member]) {
      const body = { hold_id: 'x', amount_ucr: 1, expires_in_s: 1 };
      const path = `/v1/orgs/${desk.org.id}/holds`;
      assert.equal(refused(await house.post(path, token, body)), '403 insufficient_scope');
      assert.equal(refused(await house.post(`${path}/h/release`, token)), '403 insufficient_scope');
    }
  });

  for (const [change, name] of [
    [{ amount_ucr: 0 }, 'nothing'],
    [{ amount_ucr: 1.5 }, 'a fraction'],
    [{ expires_in_s: 0 }, 'no time'],
    [{ expires_in_s: 86_401 }, 'more than a day'],
    [{ hold_id: '' }, 'no id'],
    [{ hold_id: 'a/b' }, 'an id that is not one part of a path'],
  ] as const) {
    it(`refuses ${name}`, async () => {
      await desk.grant(100);
      assert.equal(refused(await desk.hold('h', 1, change)), '422 validation_failed');
      assert.equal((await desk.balance()).version, 1);
    });
  }
});
