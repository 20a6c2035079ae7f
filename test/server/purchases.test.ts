// Buying, from the order to the credits, with Stripe's SDK against the emulator and against the double.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type Stripe from 'stripe';
import type { Purchase, PurchaseList } from '../../protocol/api.ts';
import { IdempotencyKeys } from '../../server/src/purchases/idempotencyKeys.ts';
import {
  bearer,
  booksAreInOrder,
  type Emulated,
  House,
  houseWithStripe,
  type Org,
  sessionEvent,
  startEmulator,
  TestClock,
} from './support/house.ts';
import { join } from './support/people.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('a purchase in the sandbox, on the emulator', () => {
  let emulator: Emulated;
  let house: House;
  before(async () => {
    emulator = await startEmulator();
    house = await House.build({ environment: emulator.environment });
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
    await emulator.close();
  });

  it('turns 5,218 credits into 10,218 for $50', async () => {
    const org = await house.org();
    const before = await house.balance(org);
    const purchase = await house.bought(org);
    assert.equal(purchase.status, 'open');
    assert.ok(purchase.checkout_url?.includes('/checkout/cs_'), purchase.checkout_url ?? 'no address');
    await emulator.pay(purchase.checkout_url ?? '');
    const sessionId = new URL(purchase.checkout_url ?? '').pathname.split('/').pop() ?? '';
    // As the emulator sends it: no id, no object.
    const event = {
      type: 'checkout.session.completed',
      data: { object: { id: sessionId, object: 'checkout.session', livemode: false } },
    };
    assert.equal((await house.deliver(event)).statusCode, 200);
    const credited = await house.purchase(org, purchase.id);
    assert.equal(credited.status, 'credited');
    assert.equal(credited.checkout_url, null);
    const after = await house.balance(org);
    assert.deepEqual([before.available_ucr, after.available_ucr], [5_218_000_000, 10_218_000_000]);
    assert.equal(after.version, credited.balance_version);
    assert.deepEqual(after.usage, {
      basis: 'since_top_up',
      period_id: `top_up_${after.version}`,
      used_ucr: 0,
      total_ucr: 10_218_000_000,
    });
  });

  it('F48 F49 is credited by looking at it when the webhook never comes', async () => {
    const org = await house.org();
    const purchase = await house.bought(org);
    await emulator.pay(purchase.checkout_url ?? '');
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
    assert.equal((await house.purchase(org, purchase.id)).status, 'credited');
    assert.equal((await house.balance(org)).available_ucr, 10_218_000_000);
  });

  it('F63 is credited by the reconciler when nobody looks', async () => {
    const org = await house.org();
    const purchase = await house.bought(org);
    await emulator.pay(purchase.checkout_url ?? '');
    house.clock.advance(2_000);
    await house.app.parts.reconciler.look();
    assert.equal((await house.balance(org)).available_ucr, 10_218_000_000);
  });

  it('is closed on the payment side when it is canceled, twice or once', async () => {
    const org = await house.org();
    const purchase = await house.bought(org);
    for (const _ of [1, 2]) {
      const answer = await house.post(`/v1/orgs/${org.id}/purchases/${purchase.id}/cancel`, org.admin);
      assert.equal(answer.statusCode, 200, answer.body);
      assert.equal(answer.json<Purchase>().status, 'canceled');
    }
    const page = await fetch(`${emulator.url}${new URL(purchase.checkout_url ?? '').pathname}`);
    assert.match(await page.text(), /Session Expired/);
  });
});

describe('a purchase', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  before(async () => {
    ({ house, stripe } = await houseWithStripe({
      environment: { WEB_EDITOR_ORIGINS: 'https://editor.example' },
    }));
  });
  beforeEach(async () => {
    stripe.failing = undefined;
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const available = async () => (await house.balance(org)).available_ucr;

  it('T20 orders nothing for an admin who was demoted while the order was on its way', async () => {
    const eve = await join(house, org, 'Eve', 'admin');
    const slowly = async function* () {
      const path = `/v1/orgs/${org.id}/members/${eve.id}/role`;
      const demoted = {
        method: 'PUT' as const,
        url: path,
        headers: bearer(org.admin),
        payload: { role: 'user' },
      };
      assert.equal((await house.app.inject(demoted)).statusCode, 204);
      yield JSON.stringify({ amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 });
    };
    const answer = await house.app.inject({
      method: 'POST',
      url: `/v1/orgs/${org.id}/purchases`,
      headers: { ...bearer(eve.token), 'content-type': 'application/json', 'idempotency-key': 'late' },
      payload: Readable.from(slowly()),
    });
    assert.deepEqual([answer.statusCode, answer.json().code], [403, 'insufficient_role']);
    assert.deepEqual((await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data, []);
  });

  it('offers $50, $100 and $500 at 100 credits per dollar, and a custom amount', async () => {
    const answer = await house.get(`/v1/orgs/${org.id}/purchase-options`, org.admin);
    assert.deepEqual(answer.json(), {
      currency: 'usd',
      credits_per_major_unit: 100,
      presets: [
        { amount_minor: 5000, credits_ucr: 5_000_000_000, popular: false },
        { amount_minor: 10000, credits_ucr: 10_000_000_000, popular: true },
        { amount_minor: 50000, credits_ucr: 50_000_000_000, popular: false },
      ],
      custom: { min_minor: 1000, max_minor: 1000000, step_minor: 100 },
      can_purchase: true,
      blocked_reason: null,
      can_manage_billing: true,
      contact: null,
      payment_mode: 'test',
      payment_host: 'checkout.stripe.com',
    });
  });

  it('tells Stripe what is bought, for whom, and where people go afterwards', async () => {
    const purchase = await house.bought(org, { amount_minor: 12300, expected_credits_ucr: 12_300_000_000 });
    const session = stripe.sessionOf(purchase.id);
    assert.equal(session.amount_subtotal, 12300);
    assert.equal(session.currency, 'usd');
    assert.equal(session.client_reference_id, org.id);
    assert.match(session.success_url ?? '', /^http:\/\/credits\.localhost:4310\/return\/[0-9a-z]{32}$/);
    assert.equal(session.cancel_url, `${session.success_url}/canceled`);
    assert.equal(session.expires_at, Math.floor(Date.parse(purchase.expires_at) / 1_000));
  });

  for (const [name, amount] of [
    ['blank', ''],
    ['missing', undefined],
    ['0', 0],
    ['negative', -5000],
    ['12.345', 12.345],
    ['1e21', 1e21],
    ['2^53', 2 ** 53],
    ['a text', '50'],
    ['null', null],
    ['a list', [5000]],
  ] as const) {
    it(`T22 F54 is refused when the amount is ${name}`, async () => {
      const answer = await house.buy(org, { amount_minor: amount });
      assert.equal(answer.statusCode, 422);
      assert.equal(answer.json().code, 'validation_failed');
      assert.deepEqual(
        [...new Set(answer.json().errors.map((error: { pointer: string }) => error.pointer))],
        ['/amount_minor'],
      );
    });
  }

  for (const [name, amount, code] of [
    ['below the minimum', 999, 'below_minimum'],
    ['above the maximum', 1_000_100, 'above_maximum'],
    ['between two steps', 1050, 'not_a_step'],
  ] as const) {
    it(`T22 F54 is refused when the amount is ${name}`, async () => {
      const answer = await house.buy(org, { amount_minor: amount, expected_credits_ucr: amount * 1_000_000 });
      assert.equal(answer.statusCode, 422);
      assert.equal(answer.json().code, 'amount_out_of_range');
      assert.deepEqual(answer.json().errors, [{ pointer: '/amount_minor', code }]);
    });
  }

  it('T22 is refused in another currency', async () => {
    const answer = await house.buy(org, { currency: 'eur' });
    assert.deepEqual([answer.statusCode, answer.json().code], [422, 'currency_mismatch']);
  });

  it('F24 is refused when the rate has changed since it was shown, with the credits it buys now', async () => {
    const answer = await house.buy(org, { expected_credits_ucr: 7_500_000_000 });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.json().code, 'quote_changed');
    assert.equal(answer.json().credits_ucr, 5_000_000_000);
    assert.equal((await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data.length, 0);
  });

  describe('return address', () => {
    for (const uri of [
      'vscode://publisher.ext/credits?purchase=1%252F2',
      'code-oss://publisher.ext',
      'http://127.0.0.1:8080/callback?vscode-reqid=1&x=%257B%257D',
      'https://editor.example/stable-abc/callback?a=b',
    ]) {
      it(`T12 may be ${uri}, kept as it came`, async () => {
        const purchase = await house.bought(org, { return_uri: uri });
        const page = await house.get(new URL(stripe.sessionOf(purchase.id).success_url ?? '').pathname);
        assert.ok(page.body.includes(`href="${uri.replaceAll('&', '&amp;')}"`), page.body);
      });
    }
    for (const uri of [
      'javascript:alert(1)',
      'data:text/html,x/callback',
      'file:///etc/passwd',
      'https://evil.example/',
      'https://user@evil.example/callback',
      'http://evil.example/callback',
      'https://evil.example/callback',
      'https://evil.example/callback/more',
      'ms-settings:privacy',
      'java\nscript:alert(1)',
      ' vscode://a.b',
      'not an address',
      '',
    ]) {
      it(`T12 may not be ${JSON.stringify(uri)}`, async () => {
        const answer = await house.buy(org, { return_uri: uri });
        assert.deepEqual([answer.statusCode, answer.json().code], [422, 'return_uri_not_allowed']);
      });
    }
  });

  describe('idempotency key', () => {
    for (const [name, key] of [
      ['missing', undefined],
      ['empty', ''],
      ['longer than 255 characters', 'k'.repeat(256)],
      ['with a space', 'a b'],
    ] as const) {
      it(`T31 is asked for when it is ${name}`, async () => {
        const order = { amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
        const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
        const answer = await house.post(`/v1/orgs/${org.id}/purchases`, org.admin, order, headers);
        assert.deepEqual([answer.statusCode, answer.json().code], [400, 'idempotency_key_required']);
      });
    }

    it('T31 replays the same answer for the same order', async () => {
      const first = await house.buy(org, {}, 'same');
      const second = await house.buy(org, {}, 'same');
      assert.equal(first.headers['idempotency-replayed'], undefined);
      assert.equal(second.headers['idempotency-replayed'], 'true');
      assert.equal(second.statusCode, 201);
      assert.deepEqual(second.json(), first.json());
      assert.equal(second.headers.location, first.headers.location);
    });

    it('T31 refuses another order under the same key', async () => {
      await house.buy(org, {}, 'same');
      const answer = await house.buy(
        org,
        { amount_minor: 10000, expected_credits_ucr: 10_000_000_000 },
        'same',
      );
      assert.deepEqual([answer.statusCode, answer.json().code], [422, 'idempotency_key_reused']);
      assert.equal((await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data.length, 1);
    });

    it('T31 means nothing to another organisation', async () => {
      const other = await house.org();
      const [a, b] = [await house.buy(org, {}, 'same'), await house.buy(other, {}, 'same')];
      assert.deepEqual([a.statusCode, b.statusCode], [201, 201]);
      assert.notEqual(a.json().id, b.json().id);
    });

    it('T31 F18 answers 409 while the first request is being worked on, then replays it', async () => {
      stripe.holding = /^POST \/v1\/checkout\/sessions$/;
      const asked = stripe.requests().length;
      const first = house.buy(org, {}, 'same');
      while (stripe.requests().length === asked) {
        await new Promise(setImmediate);
      }
      const second = await house.buy(org, {}, 'same');
      assert.deepEqual([second.statusCode, second.json().code], [409, 'request_in_progress']);
      assert.equal(second.headers['retry-after'], '1');
      stripe.letGo();
      const answer = await first;
      assert.equal(answer.statusCode, 201);
      assert.deepEqual((await house.buy(org, {}, 'same')).json(), answer.json());
    });

    it('T31 makes one purchase of 20 requests at once', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => house.buy(org, {}, 'same')));
      for (const answer of answers) {
        assert.ok([201, 409].includes(answer.statusCode), answer.body);
      }
      assert.equal((await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data.length, 1);
    });

    it('T31 leaves a key with the process that has taken it over, when a slow one fails at last', async () => {
      const { id: purchaseId } = await house.bought(org);
      const principalId = (await house.get('/v1/me', org.admin)).json().principal.id;
      const use = { orgId: org.id, route: 'POST purchases', principalId, key: 'slow', requestHash: 'order' };
      const shared = { ...house.database, exclusive: false };
      const [slow, next, third] = Array.from(
        { length: 3 },
        () => new IdempotencyKeys(shared, house.clock.now),
      );
      await shared.transaction(async tx => slow?.begin(tx, use, purchaseId));
      house.clock.advance(2 * 60_000 + 1);
      assert.deepEqual(await next?.claim(use), { kind: 'resume', purchaseId });
      await slow?.release(use);
      await assert.rejects(async () => third?.claim(use), { problem: 'request_in_progress' });
      await next?.release(use);
      assert.deepEqual(await third?.claim(use), { kind: 'resume', purchaseId });
    });

    it('F53 goes on with the same purchase after the payment side was down, and the 503 is not replayed', async () => {
      stripe.failing = /./;
      const failed = await house.buy(org, {}, 'same');
      assert.deepEqual([failed.statusCode, failed.json().code], [503, 'payment_provider_unavailable']);
      assert.equal(failed.headers['retry-after'], '5');
      const [waiting] = (await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data;
      assert.equal(waiting.status, 'creating');
      stripe.failing = undefined;
      const again = await house.buy(org, {}, 'same');
      assert.equal(again.statusCode, 201);
      assert.deepEqual([again.json().id, again.json().status], [waiting.id, 'open']);
    });

    it('F27 of a server that died is taken over by the next one', async () => {
      stripe.failing = /./;
      await house.buy(org, {}, 'same');
      await house.database.query
        .updateTable('idempotency_keys')
        .set({ held_by: 'srv_that_died' })
        .where('org_id', '=', org.id)
        .execute();
      stripe.failing = undefined;
      if (!house.database.exclusive) {
        // It may be at work in another process, and is given the time that a request can take.
        assert.equal((await house.buy(org, {}, 'same')).json().code, 'request_in_progress');
        house.clock.advance(121_000);
      }
      assert.equal((await house.buy(org, {}, 'same')).json().status, 'open');
    });
  });

  it('T29 F50 is not credited while unpaid, and credited once when a delayed payment arrives', async () => {
    const { id } = await house.bought(org);
    const session = stripe.sessionOf(id);
    stripe.double.pay(session.id, { async: true });
    await house.deliver(sessionEvent(session.id));
    assert.equal((await house.purchase(org, id)).status, 'processing');
    assert.equal(await available(), 5_218_000_000);
    stripe.double.settleAsync(session.id, true);
    await house.deliver(sessionEvent(session.id, 'checkout.session.async_payment_succeeded'));
    await house.deliver(sessionEvent(session.id, 'checkout.session.async_payment_succeeded'));
    assert.equal((await house.purchase(org, id)).status, 'credited');
    assert.equal(await available(), 10_218_000_000);
  });

  it('T29 F50 is failed when a delayed payment fails, and nothing is credited', async () => {
    const { id } = await house.bought(org);
    const session = stripe.sessionOf(id);
    stripe.double.pay(session.id, { async: true });
    stripe.double.settleAsync(session.id, false);
    await house.deliver(sessionEvent(session.id, 'checkout.session.async_payment_failed'));
    const purchase = await house.purchase(org, id);
    assert.deepEqual([purchase.status, purchase.failure?.code], ['failed', 'payment_failed']);
    assert.equal(await available(), 5_218_000_000);
  });

  for (const end of ['expired', 'canceled', 'failed'] as const) {
    it(`F46 T28 is credited when the money comes late, although it was ${end}`, async () => {
      const { id } = await house.bought(org);
      const session = stripe.sessionOf(id);
      if (end === 'canceled') {
        await house.post(`/v1/orgs/${org.id}/purchases/${id}/cancel`, org.admin);
      } else if (end === 'expired') {
        stripe.double.expireNow(session.id);
      } else {
        stripe.double.pay(session.id, { async: true });
        stripe.double.settleAsync(session.id, false);
      }
      assert.equal((await house.purchase(org, id)).status, end);
      if (end === 'failed') {
        stripe.double.tamper(session.id, { payment_status: 'paid' });
      } else {
        stripe.double.pay(session.id, { evenIfExpired: true });
      }
      assert.equal((await house.deliver(sessionEvent(session.id))).statusCode, 200);
      assert.equal((await house.purchase(org, id)).status, 'credited');
      assert.equal(await available(), 10_218_000_000);
    });
  }

  for (const [name, change] of [
    ['another amount', { amount_subtotal: 4999 }],
    ['no amount', { amount_subtotal: null }],
    ['another currency', { currency: 'eur' }],
    ['another organisation', { client_reference_id: 'org_other' }],
    ['other metadata', { metadata: { org_id: 'org_other', purchase_id: 'pur_other' } }],
    ['nothing to pay', { payment_status: 'no_payment_required' as const }],
    ['real money at a test server', { livemode: true }],
  ] as const) {
    it(`T22 F59 is parked for review when the payment shows ${name}, and nothing is credited`, async () => {
      const { id } = await house.bought(org);
      const session = stripe.sessionOf(id);
      stripe.double.pay(session.id);
      stripe.double.tamper(session.id, change as object);
      assert.equal((await house.deliver(sessionEvent(session.id))).statusCode, 200);
      assert.equal((await house.purchase(org, id)).status, 'needs_review');
      assert.equal(await available(), 5_218_000_000);
    });
  }

  it('F51 credits the order, never the total with tax or in the payer’s currency', async () => {
    const { id } = await house.bought(org);
    const session = stripe.sessionOf(id);
    stripe.double.pay(session.id, { taxMinor: 950, presentment: { currency: 'inr', amountMinor: 520_000 } });
    assert.equal(stripe.double.session(session.id).amount_total, 5950);
    const purchase = await house.purchase(org, id);
    assert.equal(purchase.receipt_url, stripe.double.charge(session.id).receipt_url);
    assert.ok(purchase.invoice_url);
    assert.equal(await available(), 10_218_000_000);
  });

  it('F47 is credited once when the payment was faster than the cancel', async () => {
    const { id } = await house.bought(org);
    stripe.double.pay(stripe.sessionOf(id).id);
    const answer = await house.post(`/v1/orgs/${org.id}/purchases/${id}/cancel`, org.admin);
    assert.deepEqual([answer.statusCode, answer.json().code], [409, 'purchase_not_open']);
    assert.equal(await available(), 10_218_000_000);
  });

  it('pays debt first, and says so in the balance', async () => {
    const poor = await house.org(1_000_000n);
    const usage = { event_id: 'e1', amount_ucr: 3_000_000 };
    await house.post(`/v1/orgs/${poor.id}/usage`, poor.service, usage);
    const owing = await house.balance(poor);
    assert.deepEqual(
      [owing.available_ucr, owing.debt_ucr, owing.low_balance.level],
      [-2_000_000, 2_000_000, 'depleted'],
    );
    const purchase = await house.bought(poor);
    stripe.double.pay(stripe.sessionOf(purchase.id).id);
    await house.purchase(poor, purchase.id);
    const after = await house.balance(poor);
    assert.deepEqual(
      [after.available_ucr, after.debt_ucr, after.purchased.remaining_ucr],
      [4_998_000_000, 0, 4_998_000_000],
    );
  });

  it('F63 is credited by looking though a hundred orders have no page yet, and the list of events cannot be read', async () => {
    const { id } = await house.bought(org);
    await house.app.parts.reconciler.look();
    stripe.failing = /checkout/;
    const others = await house.org();
    for (let order = 0; order < 100; order++) {
      assert.equal((await house.buy(others)).statusCode, 503);
    }
    stripe.failing = /events/;
    stripe.double.pay(stripe.sessionOf(id).id);
    for (let look = 0; look < 2; look++) {
      house.clock.advance(60_000);
      await house.app.parts.reconciler.look();
    }
    assert.equal((await house.balance(org)).available_ucr, 10_218_000_000);
    house.clock.advance(26 * 60_000);
    for (let look = 0; look < 2; look++) {
      await house.app.parts.reconciler.look();
    }
    const { data } = (await house.get(`/v1/orgs/${others.id}/purchases?limit=200`, others.admin)).json();
    assert.ok(
      data.every(({ status }: Purchase) => status === 'failed'),
      'orders that never got one are given up',
    );
    stripe.failing = undefined;
  });

  it('F62 is delivered again while the payment side is down, and settled by the reconciler all the same', async () => {
    const { id } = await house.bought(org);
    const session = stripe.sessionOf(id);
    stripe.double.pay(session.id);
    stripe.failing = /./;
    const refused = await house.deliver(sessionEvent(session.id));
    assert.equal(refused.statusCode, 503, 'Stripe is asked to deliver again');
    stripe.failing = undefined;
    await house.app.parts.reconciler.look();
    assert.equal(await available(), 10_218_000_000);
    const unsettled = await house.app.parts.fulfilment.unsettled(10);
    assert.deepEqual(
      unsettled.filter(event => event.sessionId === session.id),
      [],
    );
  });

  it('F27 whose page was made but not stored is found again by its payment', async () => {
    const { id } = await house.bought(org);
    const session = stripe.sessionOf(id);
    // As if the server had died between Stripe's answer and storing it.
    await house.database.query
      .updateTable('purchases')
      .set({ status: 'creating', session_id: null, checkout_url: null })
      .where('org_id', '=', org.id)
      .execute();
    stripe.double.pay(session.id);
    await house.deliver(sessionEvent(session.id));
    assert.equal((await house.purchase(org, id)).status, 'credited');
    assert.equal(await available(), 10_218_000_000);
  });

  it('is given up when its page could not be opened for 25 minutes', async () => {
    stripe.failing = /./;
    await house.buy(org, {}, 'same');
    house.clock.advance(26 * 60_000);
    await house.app.parts.reconciler.look();
    const [purchase] = (await house.get(`/v1/orgs/${org.id}/purchases`, org.admin)).json().data;
    assert.deepEqual([purchase.status, purchase.failure.code], ['failed', 'not_opened']);
  });

  it('F59 whose page the payment side does not know stays open, and waits for a person a day after its end', async () => {
    const { id } = await house.bought(org);
    const session_id = `cs_test_anotherAccount${id}`;
    await house.database.query
      .updateTable('purchases')
      .set({ session_id })
      .where('purchase_id', '=', id)
      .execute();
    const statusAfter = async (ms: number) => {
      house.clock.advance(ms);
      await house.app.parts.reconciler.look();
      return (await house.purchase(org, id)).status;
    };
    const cancel = await house.post(`/v1/orgs/${org.id}/purchases/${id}/cancel`, org.admin);
    assert.deepEqual([cancel.statusCode, cancel.json().code], [503, 'payment_provider_unavailable']);
    assert.deepEqual(
      [await statusAfter(24 * 60 * 60_000), await statusAfter(61 * 60_000)],
      ['open', 'needs_review'],
    );
    assert.equal(await available(), 5_218_000_000);
  });

  it('is listed newest first, page by page', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      house.clock.advance(1);
      ids.unshift((await house.bought(org)).id);
    }
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: PurchaseList = (
        await house.get(`/v1/orgs/${org.id}/purchases?limit=2${cursor && `&cursor=${cursor}`}`, org.admin)
      ).json();
      seen.push(...page.data.map((purchase: Purchase) => purchase.id));
      cursor = page.next_cursor;
    }
    assert.deepEqual(seen, ids);
  });

  for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1.5', 'cursor=x', "cursor=' or 1=1"]) {
    it(`is not listed for ${query}`, async () => {
      assert.equal(
        (await house.get(`/v1/orgs/${org.id}/purchases?${encodeURI(query)}`, org.admin)).statusCode,
        422,
      );
    });
  }

  it('F60 is not shown as it was while somebody is already looking: the answer waits for that look', async () => {
    const { id } = await house.bought(org);
    stripe.double.pay(stripe.sessionOf(id).id);
    const asked = stripe.requests().length;
    stripe.holding = /^GET/;
    house.clock.advance(2_000);
    const first = house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin);
    while (stripe.requests().length === asked) {
      await new Promise(setImmediate);
    }
    const second = house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin);
    await new Promise(setImmediate);
    stripe.letGo();
    for (const answer of await Promise.all([first, second])) {
      assert.equal(answer.json().status, 'credited');
    }
    assert.equal(stripe.requests().length - asked, 1);
  });

  it('asks the payment side at most every two seconds, however often it is looked at', async () => {
    const { id } = await house.bought(org);
    house.clock.advance(2_000);
    const reads = () => stripe.requests().filter(line => line.startsWith('GET')).length;
    const before = reads();
    await Promise.all(
      Array.from({ length: 10 }, () => house.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin)),
    );
    assert.equal(reads() - before, 1);
  });
});

describe('a key of another account', () => {
  let house: House;
  let stripe: StripeSide;
  let wrong: House;
  let org: Org;
  let id: string;
  let sessionId: string;
  before(async () => {
    const clock = new TestClock();
    ({ house, stripe } = await houseWithStripe({ clock }));
    // On the same database, with an account that has none of the sessions.
    ({ house: wrong } = await houseWithStripe({ clock }));
  });
  beforeEach(async () => {
    org = await house.org();
    ({ id } = await house.bought(org));
    sessionId = stripe.sessionOf(id).id;
  });
  after(async () => {
    await booksAreInOrder(house);
    await wrong.close();
    await house.close();
  });

  const deliver = async (to: House, events: readonly Stripe.Event[]) => {
    for (const event of events) {
      assert.equal((await to.deliver(event)).statusCode, 200);
    }
  };
  const available = async () => (await house.balance(org)).available_ucr;

  it('F59 for one look costs no payment that is on its way for days', async () => {
    await deliver(house, stripe.double.pay(sessionId, { async: true }));
    house.clock.advance(3 * 24 * 60 * 60_000);
    await wrong.app.parts.reconciler.look();
    house.clock.advance(60_000);
    await deliver(house, stripe.double.settleAsync(sessionId, true));
    assert.equal((await house.purchase(org, id)).status, 'credited');
  });

  it('F59 loses no refund that is told of meanwhile: it is taken back when the key is right again', async () => {
    await deliver(house, stripe.double.pay(sessionId));
    await deliver(wrong, stripe.double.refund(sessionId));
    assert.equal(await available(), 10_218_000_000);
    house.clock.advance(60_000);
    await house.app.parts.reconciler.look();
    assert.equal(await available(), 5_218_000_000);
  });

  it('F59 puts what is told of aside after a day, and takes it up when it is sent again', async () => {
    await deliver(house, stripe.double.pay(sessionId));
    house.clock.advance(2 * 60 * 60_000);
    const news = stripe.double.refund(sessionId);
    await deliver(wrong, news);
    house.clock.advance(25 * 60 * 60_000);
    await wrong.app.parts.reconciler.look();
    const { status } = await house.database.query
      .selectFrom('stripe_events')
      .select('status')
      .where('event_id', '=', news[0]?.id ?? '')
      .executeTakeFirstOrThrow();
    assert.equal(status, 'quarantined');
    await deliver(house, news);
    assert.equal(await available(), 5_218_000_000);
  });
});
