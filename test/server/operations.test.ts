// What those who run the server see of it, and how it keeps callers that ran away from everyone else.
import assert from 'node:assert/strict';
import { DatabaseUnavailable } from '../../server/src/database/database.ts';
import { sharedDatabase } from './support/databases.ts';
import { bearer, House, houseWithStripe, sessionEvent } from './support/house.ts';

describe('rate limits', () => {
  let house: House;
  before(async () => {
    house = await House.build({
      environment: { RATE_LIMIT_PER_MINUTE: '5', RATE_LIMIT_SERVICE_PER_MINUTE: '8' },
    });
  });
  after(() => house.close());

  it('T33 ends a loop of one caller with 429 rate_limited and Retry-After, and nobody else’s', async () => {
    const org = await house.org();
    const ask = (token: string) => house.get(`/v1/orgs/${org.id}/balance`, token);
    for (let n = 0; n < 5; n++) {
      assert.equal((await ask(org.member)).statusCode, 200);
    }
    const refused = await ask(org.member);
    assert.deepEqual([refused.statusCode, refused.json().code], [429, 'rate_limited']);
    assert.match(String(refused.headers['content-type']), /^application\/problem\+json\b/);
    const retryAfter = Number(refused.headers['retry-after']);
    assert.ok(retryAfter >= 1 && retryAfter <= 60, `${retryAfter} s`);
    assert.equal(refused.json().retry_after_s, retryAfter);
    assert.equal((await ask(org.admin)).statusCode, 200, 'another person');
    assert.equal((await ask(org.service)).statusCode, 200, 'a service');
  });

  it('lets a service ask more often, to its own end', async () => {
    const org = await house.org();
    const statuses: number[] = [];
    for (let n = 0; n < 9; n++) {
      const answer = await house.post(`/v1/orgs/${org.id}/usage`, org.service, {
        event_id: `e${n}`,
        amount_ucr: 1,
      });
      statuses.push(answer.statusCode);
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 429]);
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000 - 8);
  });

  it('T33 counts whoever has no token by the address they ask from, and believes nobody about it', async () => {
    const from = (address: string) =>
      house.app.inject({ url: '/v1/meta', headers: { 'x-forwarded-for': address } });
    const statuses = [];
    for (let n = 0; n < 6; n++) {
      statuses.push((await from(`192.0.2.${n}`)).statusCode);
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
  });

  it('T33 counts made-up tokens by the address where no token is asked for', async () => {
    const strict = await House.build({ environment: { RATE_LIMIT_PER_MINUTE: '5' } });
    const statuses = [];
    for (let n = 0; n < 6; n++) {
      statuses.push((await strict.get('/v1/meta', `crd_pat_${String(n).repeat(32)}`)).statusCode);
    }
    await strict.close();
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
  });

  it('T33 counts whoever comes by a trusted proxy by the address that it names', async () => {
    const behind = await House.build({
      environment: { RATE_LIMIT_PER_MINUTE: '1', TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' },
    });
    const from = async (addresses: string) =>
      (await behind.app.inject({ url: '/v1/meta', headers: { 'x-forwarded-for': addresses } })).statusCode;
    assert.equal(await from('192.0.2.1'), 200);
    assert.equal(await from('192.0.2.2, 10.1.2.3'), 200);
    assert.equal(await from('192.0.2.2'), 429);
    // What a caller writes there itself stands before what the proxy adds.
    assert.equal(await from('192.0.2.9, 192.0.2.1'), 429);
    await behind.close();
  });

  it('T33 counts a token as one caller, however its header is written', async () => {
    const { member } = await house.org();
    const statuses: number[] = [];
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ', 'Bearer   ', 'bearer ']) {
      const headers = { authorization: `${scheme} ${member}` };
      statuses.push((await house.app.inject({ url: '/v1/me', headers })).statusCode);
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
  });

  it('counts whoever has no valid token too', async () => {
    const token = `crd_pat_${'z'.repeat(32)}`;
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) {
      statuses.push((await house.get('/v1/me', token)).statusCode);
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
  });

  it('T33 counts made-up tokens by the address they come from, and lets those go on that are known to be good', async () => {
    const guarded = await House.build({ environment: { RATE_LIMIT_PER_MINUTE: '5' } });
    const { member, service } = await guarded.org();
    const status = async (token: string, remoteAddress = '192.0.2.1') =>
      (await guarded.app.inject({ url: '/v1/me', headers: bearer(token), remoteAddress })).statusCode;
    assert.equal(await status(member), 200);
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) {
      statuses.push(await status(`crd_${n % 2 ? 'svc' : 'pat'}_${`${n}`.repeat(32)}`));
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 401, 429, 429]);
    assert.equal(await status(member), 200, 'somebody of the same address');
    assert.equal(await status(service, '192.0.2.2'), 200, 'somebody of another address');
    await guarded.close();
  });

  it('never refuses Stripe or a health check', async () => {
    for (let n = 0; n < 10; n++) {
      assert.equal((await house.get('/health')).statusCode, 200);
      assert.equal((await house.deliver('{}')).statusCode, 404, 'this server takes no payments');
    }
  });
});

describe('/metrics', () => {
  const token = 'a-token-of-monitoring';

  it('is not there until it has a token', async () => {
    const house = await House.build();
    assert.equal((await house.get('/metrics', token)).statusCode, 404);
    await house.close();
  });

  it('T41 tells requests, purchases, deliveries, streams, looks and drift, and names nobody', async () => {
    const { house, stripe } = await houseWithStripe({ environment: { METRICS_TOKEN: token } });
    const org = await house.org();
    const purchase = await house.bought(org);
    const session = stripe.sessionOf(purchase.id);
    stripe.double.pay(session.id);
    await house.deliver(sessionEvent(session.id));
    await house.deliver(sessionEvent(session.id), { secret: 'whsec_of_somebody_else' });
    house.app.parts.reconciler.start(60_000);
    await house.app.parts.bookKeeper.check();
    const stream = await house.app.inject({
      url: `/v1/orgs/${org.id}/events`,
      headers: bearer(org.member),
      payloadAsStream: true,
    });
    while (house.app.parts.reconciler.looks.done === 0) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }

    for (const wrong of [undefined, 'another-token-of-monitoring', org.admin]) {
      assert.equal((await house.get('/metrics', wrong)).statusCode, 401);
    }
    const answer = await house.get('/metrics', token);
    assert.equal(answer.statusCode, 200, answer.body);
    const line = (start: string) =>
      Number(
        answer.body
          .split('\n')
          .find(text => text.startsWith(start))
          ?.split(' ')
          .at(-1),
      );
    assert.equal(line('credits_webhooks_total{result="taken"}'), 1);
    assert.equal(line('credits_webhooks_total{result="refused"}'), 1);
    assert.equal(line('credits_webhooks_total{result="failed"}'), 0);
    assert.ok(line('credits_purchases{status="credited"}') >= 1);
    assert.equal(line('credits_event_streams_open'), 1);
    assert.equal(line('credits_reconcile_runs{result="done"}'), 1);
    assert.equal(line('credits_ledger_drifts'), 0);
    assert.ok(line('credits_ledger_checked_timestamp_seconds') > 1_000_000_000);
    const posted = 'method="POST",route="/v1/orgs/:org/purchases",status="201"';
    assert.equal(line(`credits_request_duration_seconds_count{${posted}}`), 1);
    for (const name of [org.id, org.admin, purchase.id, session.id, 'Ada']) {
      assert.ok(!answer.body.includes(name), name);
    }
    stream.stream().destroy();
    await house.close();
  });

  it('F67 tells of the process while the database is away, and no figure of the database', async () => {
    const shared = await sharedDatabase();
    const longReads = shared.longReads.withPlugin({
      transformQuery() {
        throw new DatabaseUnavailable('busy');
      },
      transformResult: async ({ result }) => result,
    });
    const house = await House.build({
      database: { ...shared, longReads },
      environment: { METRICS_TOKEN: token },
    });
    const answer = await house.get('/metrics', token);
    assert.equal(answer.statusCode, 200, answer.body);
    assert.match(answer.body, /^credits_event_streams_open 0$/m);
    assert.doesNotMatch(answer.body, /^credits_(purchases|webhooks_open|ledgers_frozen)\b/m);
    await house.close();
  });
});
