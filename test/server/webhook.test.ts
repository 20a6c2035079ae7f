// Stripe's deliveries: who is believed, how often one counts, and what a delivery may not do.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { LightMyRequestResponse as Response } from 'fastify';
import {
  booksAreInOrder,
  House,
  houseWithStripe,
  type Org,
  sessionEvent,
  WEBHOOK_SECRET,
} from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('the webhook', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  let sessionId: string;
  let purchaseId: string;
  before(async () => {
    ({ house, stripe } = await houseWithStripe({
      environment: { STRIPE_WEBHOOK_SECRETS: `${WEBHOOK_SECRET},whsec_the_new_one` },
    }));
  });
  beforeEach(async () => {
    org = await house.org();
    purchaseId = (await house.bought(org)).id;
    sessionId = stripe.sessionOf(purchaseId).id;
    stripe.double.pay(sessionId);
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const available = async () => (await house.balance(org)).available_ucr;
  const events = async () => {
    const rows = await house.database.query
      .selectFrom('stripe_events')
      .select(['type', 'status'])
      .where('session_id', '=', sessionId)
      .execute();
    return rows.map(row => `${row.type} ${row.status}`);
  };

  async function refusedWithoutATrace(answer: Response): Promise<void> {
    assert.equal(answer.statusCode, 400);
    const { code, detail } = answer.json();
    assert.deepEqual(
      [code, detail],
      ['invalid_signature', 'The signature of this delivery is not valid.'],
      'no reason is given away',
    );
    assert.deepEqual(await events(), []);
    assert.equal(await available(), 5_218_000_000);
  }

  it('credits what was paid, and answers 200', async () => {
    const answer = await house.deliver(sessionEvent(sessionId));
    assert.deepEqual([answer.statusCode, answer.json()], [200, { received: true }]);
    assert.equal(await available(), 10_218_000_000);
    assert.deepEqual(await events(), ['checkout.session.completed done']);
  });

  describe('refuses', () => {
    const body = () => JSON.stringify(sessionEvent(sessionId));
    const send = (payload: string | Buffer, headers: Record<string, string>) =>
      house.app.inject({
        method: 'POST',
        url: '/webhooks/stripe',
        payload,
        headers: { 'content-type': 'application/json', ...headers },
      });

    it('T23 F58 no signature', async () => refusedWithoutATrace(await send(body(), {})));
    it('T23 F58 an empty signature', async () =>
      refusedWithoutATrace(await send(body(), { 'stripe-signature': '' })));
    it('T23 F58 a signature that is none', async () =>
      refusedWithoutATrace(await send(body(), { 'stripe-signature': 'not a signature' })));
    it('T23 F58 a signature of another secret', async () =>
      refusedWithoutATrace(await house.deliver(body(), { secret: 'whsec_of_somebody_else' })));
    it('T24 F58 a delivery 301 seconds old', async () =>
      refusedWithoutATrace(await house.deliver(body(), { ageS: 301 })));
    it('T24 F58 a delivery 301 seconds ahead', async () =>
      refusedWithoutATrace(await house.deliver(body(), { ageS: -301 })));
    it('T24 F58 a delivery ten years ahead', async () =>
      refusedWithoutATrace(await house.deliver(body(), { ageS: -10 * 365 * 86_400 })));
    it('T24 F58 two times in one signature', async () => {
      const ahead = house.signature(body(), WEBHOOK_SECRET, -86_400);
      const now = Math.floor(house.clock.now().getTime() / 1_000);
      return refusedWithoutATrace(await send(body(), { 'stripe-signature': `t=${now},${ahead}` }));
    });
    it('T23 F58 a body that was parsed and written again', async () => {
      const pretty = JSON.stringify(sessionEvent(sessionId), null, 2);
      return refusedWithoutATrace(
        await send(JSON.stringify(JSON.parse(pretty)), { 'stripe-signature': house.signature(pretty) }),
      );
    });
    it('T23 F58 a newline at the end', async () => {
      const text = body();
      return refusedWithoutATrace(await send(`${text}\n`, { 'stripe-signature': house.signature(text) }));
    });
    it('T23 F58 a byte order mark at the beginning', async () => {
      const text = body();
      return refusedWithoutATrace(
        await send(`\u{feff}${text}`, { 'stripe-signature': house.signature(text) }),
      );
    });
    it('T23 F58 bytes that only look the same when decoded', async () => {
      const text = body().replace('"livemode":false', '"note":"\u{fffd}"');
      const bytes = Buffer.from(text);
      const at = bytes.indexOf(Buffer.from('\u{fffd}'));
      const forged = Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff]), bytes.subarray(at + 3)]);
      return refusedWithoutATrace(await send(forged, { 'stripe-signature': house.signature(text) }));
    });
    it('T23 F58 an empty body', async () =>
      refusedWithoutATrace(await send('', { 'stripe-signature': house.signature('') })));
    it('T23 F58 a signed text that is not JSON', async () =>
      refusedWithoutATrace(await send('hello', { 'stripe-signature': house.signature('hello') })));
    it('T23 F58 the signature of another scheme', async () => {
      const text = body();
      return refusedWithoutATrace(
        await send(text, { 'stripe-signature': house.signature(text).replace('v1=', 'v0=') }),
      );
    });

    it('T23 10,000 deliveries with one bit changed in body or signature', async () => {
      const text = body();
      const signature = house.signature(text);
      await fc.assert(
        fc.asyncProperty(fc.boolean(), fc.nat(), fc.nat(7), async (inBody, place, bit) => {
          const bytes = Buffer.from(inBody ? text : signature, 'latin1');
          const at = place % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
          const changed = inBody ? bytes : bytes.toString('latin1');
          const answer = await house.app.inject({
            method: 'POST',
            url: '/webhooks/stripe',
            payload: inBody ? changed : text,
            headers: {
              'content-type': 'application/json',
              'stripe-signature': inBody ? signature : String(changed),
            },
          });
          assert.equal(answer.statusCode, 400);
        }),
        { numRuns: 10_000 },
      );
      assert.equal((await house.deliver(text)).statusCode, 200, 'the delivery itself is good');
    }).timeout(60_000);
  });

  it('T24 believes a delivery 299 seconds old or ahead', async () => {
    for (const ageS of [299, -299]) {
      assert.equal((await house.deliver(sessionEvent(sessionId), { ageS })).statusCode, 200);
    }
  });

  it('T25 believes the old and the new secret while one is rotated', async () => {
    for (const secret of [WEBHOOK_SECRET, 'whsec_the_new_one']) {
      assert.equal((await house.deliver(sessionEvent(sessionId), { secret })).statusCode, 200);
    }
    assert.equal(await available(), 10_218_000_000);
  });

  it('T25 believes one good signature among several', async () => {
    const event = JSON.stringify(sessionEvent(sessionId));
    const signature = `${house.signature(event)},v1=${'0'.repeat(64)}`;
    assert.equal(
      (await house.deliver(event, { headers: { 'stripe-signature': signature } })).statusCode,
      200,
    );
  });

  it('T27 F55 credits once for 50 deliveries of one event at once, and answers all of them with 200', async () => {
    const event = sessionEvent(sessionId);
    const answers = await Promise.all(Array.from({ length: 50 }, () => house.deliver(event)));
    assert.deepEqual([...new Set(answers.map(answer => answer.statusCode))], [200]);
    assert.equal(await available(), 10_218_000_000);
    assert.equal((await house.balance(org)).version, 2);
  });

  it('T27 F56 credits once for two events about one session, and for every way of asking at once', async () => {
    const returnPage = new URL(stripe.double.session(sessionId).success_url ?? '').pathname;
    house.clock.advance(2_000);
    await Promise.all([
      ...Array.from({ length: 10 }, () => house.deliver(sessionEvent(sessionId))),
      ...Array.from({ length: 10 }, () =>
        house.deliver(sessionEvent(sessionId, 'checkout.session.async_payment_succeeded')),
      ),
      ...Array.from({ length: 10 }, () => house.get(returnPage)),
      ...Array.from({ length: 10 }, () => house.app.parts.fulfilment.fulfil(sessionId)),
      house.app.parts.reconciler.look(),
    ]);
    assert.equal(await available(), 10_218_000_000);
    assert.equal((await house.balance(org)).version, 2);
  });

  it('F57 comes to the same end in whatever order the deliveries come', async () => {
    await house.deliver(sessionEvent(sessionId, 'checkout.session.expired'));
    await house.deliver(sessionEvent(sessionId, 'checkout.session.async_payment_succeeded'));
    await house.deliver(sessionEvent(sessionId));
    await house.deliver(sessionEvent(sessionId, 'checkout.session.async_payment_failed'));
    assert.equal((await house.purchase(org, purchaseId)).status, 'credited');
    assert.equal(await available(), 10_218_000_000);
  });

  it('F64 credits nothing again for the same event a year later', async () => {
    const event = sessionEvent(sessionId);
    await house.deliver(event);
    house.clock.advance(400 * 86_400_000);
    assert.equal((await house.deliver(event)).statusCode, 200);
    assert.equal(await available(), 10_218_000_000);
  });

  it('T28 F61 credits on redelivery when the first one was cut off before its commit', async () => {
    const event = sessionEvent(sessionId);
    stripe.failing = /./;
    assert.equal((await house.deliver(event)).statusCode, 503);
    assert.deepEqual(await events(), ['checkout.session.completed received']);
    stripe.failing = undefined;
    assert.equal((await house.deliver(event)).statusCode, 200);
    assert.equal(await available(), 10_218_000_000);
    assert.deepEqual(await events(), ['checkout.session.completed done']);
  });

  it('T26 ignores events of live mode at a test server, and records them', async () => {
    const event = sessionEvent(sessionId, 'checkout.session.completed', { livemode: true });
    assert.equal((await house.deliver(event)).statusCode, 200);
    assert.deepEqual(await events(), ['checkout.session.completed ignored']);
    assert.equal(await available(), 5_218_000_000);
  });

  it('F59 records events it does not act on', async () => {
    assert.equal(
      (await house.deliver(sessionEvent(sessionId, 'checkout.session.unheard_of'))).statusCode,
      200,
    );
    assert.deepEqual(await events(), ['checkout.session.unheard_of ignored']);
    assert.equal(await available(), 5_218_000_000);
  });

  it('F59 quarantines a payment of an unknown order', async () => {
    const foreign = [
      await stripe.foreignSession({}),
      await stripe.foreignSession({ org_id: org.id, purchase_id: 'pur_unknown' }),
      'cs_of_nobody',
    ];
    for (const id of foreign) {
      assert.equal((await house.deliver(sessionEvent(id))).statusCode, 200);
    }
    const rows = await house.database.query
      .selectFrom('stripe_events')
      .select('status')
      .where('session_id', 'in', foreign)
      .execute();
    assert.deepEqual(
      rows.map(row => row.status),
      ['quarantined', 'quarantined', 'quarantined'],
    );
    assert.equal(await available(), 5_218_000_000);
  });

  it('F59 T21 credits nothing for a second session that names a purchase with a session of its own', async () => {
    const second = await stripe.foreignSession({ org_id: org.id, purchase_id: purchaseId });
    await house.deliver(sessionEvent(second));
    assert.equal(await available(), 5_218_000_000);
  });

  it('F62 answers in time when the payment side is slow, and the credits follow', async () => {
    const slow = await House.build({
      clock: house.clock,
      answerWithinMs: 10,
      sdk: stripe.sdk,
      environment: { STRIPE_SECRET_KEY: 'sk_test_of_the_tests' },
    });
    stripe.holding = /^GET/;
    const completed = stripe.double.events.find(
      ({ type, data }) =>
        type === 'checkout.session.completed' && 'id' in data.object && data.object.id === sessionId,
    );
    assert.equal((await slow.deliver(completed ?? {})).statusCode, 200);
    assert.deepEqual(await events(), ['checkout.session.completed received']);
    stripe.letGo();
    await slow.app.parts.reconciler.look();
    assert.deepEqual(await events(), ['checkout.session.completed done']);
    assert.equal(await available(), 10_218_000_000);
    await slow.close();
  });
});
