// Reading the balance: what it says, and how cheaply it says "nothing has changed".
import assert from 'node:assert/strict';
import { Balance, CREDITS_VERSION, Meta } from '../../protocol/api.ts';
import { booksAreInOrder, House, type Org } from './support/house.ts';

describe('the balance', () => {
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

  const read = (headers: Record<string, string> = {}) =>
    house.get(`/v1/orgs/${org.id}/balance`, org.member, headers);

  it('is of the form that the contract says, with unknown parts said to be unknown', async () => {
    const balance = Balance.parse((await read()).json());
    assert.equal(balance.available_ucr, 5_218_000_000);
    assert.equal(balance.version, 1);
    assert.deepEqual(balance.included, { state: 'unavailable', reason: 'no_plan' });
    assert.equal(balance.as_of, house.clock.now().toISOString());
  });

  it('is negative, in debt and depleted after more was used than was there', async () => {
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'e', amount_ucr: 5_338_000_000 });
    const balance = Balance.parse((await read()).json());
    assert.deepEqual(
      [balance.available_ucr, balance.debt_ucr, balance.promotional.remaining_ucr, balance.low_balance.level],
      [-120_000_000, 120_000_000, 0, 'depleted'],
    );
  });

  it('of a new organisation is nothing, and nothing is a percentage of it', async () => {
    org = await house.org(0n);
    const balance = Balance.parse((await read()).json());
    assert.deepEqual([balance.available_ucr, balance.version, balance.usage], [0, 0, null]);
  });

  it('has the credits that a server with a clock ahead has granted, and they can be used', async () => {
    house.clock.advance(-7_200_000);
    assert.equal(Balance.parse((await read()).json()).available_ucr, 5_218_000_000);
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'e', amount_ucr: 218_000_000 });
    const balance = Balance.parse((await read()).json());
    assert.deepEqual([balance.available_ucr, balance.debt_ucr], [5_000_000_000, 0]);
    house.clock.advance(7_200_000);
  });

  it('answers 304 while nothing has changed but the time', async () => {
    const first = await read();
    assert.equal(first.headers['cache-control'], 'private, no-cache');
    const etag = String(first.headers.etag);
    assert.match(etag, /^"1-[\w-]{16}"$/);
    house.clock.advance(60_000);
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await read({ 'if-none-match': header });
      assert.deepEqual([again.statusCode, again.body, again.headers.etag], [304, '', etag]);
    }
  });

  it('answers anew after a change', async () => {
    const etag = String((await read()).headers.etag);
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'e', amount_ucr: 1 });
    const again = await read({ 'if-none-match': etag });
    assert.deepEqual([again.statusCode, again.json().version], [200, 2]);
    assert.notEqual(again.headers.etag, etag);
  });

  it('carries the version of the contract in every answer, good or bad', async () => {
    for (const path of ['/v1/meta', '/v1/me', '/nowhere', '/health', `/v1/orgs/${org.id}/balance`]) {
      assert.equal((await house.get(path)).headers['credits-version'], CREDITS_VERSION, path);
    }
  });

  it('comes from a server that says what it is and that nothing can be bought without a payment side', async () => {
    const meta = Meta.parse((await house.get('/v1/meta')).json());
    assert.deepEqual(
      [meta.payment_mode, meta.features],
      ['none', { checkout: false, events: true, portal: false }],
    );
    const options = (await house.get(`/v1/orgs/${org.id}/purchase-options`, org.admin)).json();
    assert.deepEqual(
      [options.can_purchase, options.blocked_reason, options.can_manage_billing],
      [false, 'payments_unavailable', false],
    );
    const answer = await house.buy(org);
    assert.deepEqual([answer.statusCode, answer.json().code], [409, 'purchasing_blocked']);
    assert.equal((await house.deliver({})).statusCode, 404);
  });
});
