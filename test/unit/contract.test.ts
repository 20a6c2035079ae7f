// The extension's real client against the real server, in memory and without a port: each is the other's contract test.
import { equal, ok } from 'node:assert/strict';
import { connector } from '../../src/core/connect.ts';
import { CreditsClient } from '../../src/core/creditsClient.ts';
import { CreditsStore } from '../../src/core/creditsStore.ts';
import { CreditsError } from '../../src/core/errors.ts';
import { type House, houseWithStripe, type Org, sessionEvent } from '../server/support/house.ts';
import type { StripeSide } from '../server/support/stripeSide.ts';
import { FakeClock } from '../support/clock.ts';
import { CollectingLog, FakeSessions, MemorySlot } from '../support/core.ts';

const SERVER = 'http://127.0.0.1:1';

/** A fetch that hands each request to the server's router. */
function fetchOf(house: House): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const payload = await request.text();
    const answer = await house.app.inject({
      method: request.method as 'GET' | 'POST',
      url: pathname + search,
      headers: Object.fromEntries(request.headers),
      ...(payload === '' ? {} : { payload }),
    });
    const headers = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) {
        headers.set(name, String(value));
      }
    }
    const isEmpty = answer.statusCode === 304 || answer.statusCode === 204;
    return new Response(isEmpty ? null : answer.body, { status: answer.statusCode, headers });
  };
}

describe("client and server, each the other's contract", function () {
  this.timeout(60_000);
  let house: House;
  let stripe: StripeSide;
  let org: Org;

  const client = (token: string | undefined) =>
    new CreditsClient(SERVER, token, { fetch: fetchOf(house), clock: new FakeClock(), userAgent: 'test/1' });

  const refusal = async (call: Promise<unknown>): Promise<CreditsError> => {
    try {
      await call;
    } catch (error) {
      ok(error instanceof CreditsError);
      return error;
    }
    throw new Error('was not refused');
  };

  before(async () => {
    ({ house, stripe } = await houseWithStripe());
    org = await house.org();
  });

  after(async () => {
    await house?.close();
  });

  it('agree on meta, me, balance and what may be bought', async () => {
    equal((await client(undefined).meta()).service, 'credits');
    const me = await client(org.admin).me();
    equal(me.orgs[0]?.id, org.id);
    equal((await client(org.admin).balance(org.id)).available_ucr, 5_218_000_000);
    const offered = await client(org.admin).purchaseOptions(org.id);
    equal(offered.credits_per_major_unit, 100);
  });

  it('agree on "unchanged": the second answer is a 304, and the same balance', async () => {
    const asked: number[] = [];
    const through = fetchOf(house);
    const counting: typeof fetch = async (input, init) => {
      const response = await through(input, init);
      asked.push(response.status);
      return response;
    };
    const asking = new CreditsClient(SERVER, org.admin, {
      fetch: counting,
      clock: new FakeClock(),
      userAgent: 'test/1',
    });
    equal(await asking.balance(org.id), await asking.balance(org.id));
    equal(asked.join(), '200,304');
  });

  it('T20 agree that a member does not buy', async () => {
    const member = client(org.member);
    const offered = await member.purchaseOptions(org.id);
    equal(offered.can_purchase, false);
    equal(offered.blocked_reason, 'not_admin');
    const order = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
    const error = await refusal(member.createPurchase(org.id, order, 'contract-member'));
    equal(error.reason, 'forbidden');
    equal(error.code, 'insufficient_role');
    ok(error.requestId);
  });

  it('agree on refusals: a wrong token, an organisation of others, an amount out of range', async () => {
    equal((await refusal(client('crd_pat_wrong').balance(org.id))).reason, 'unauthenticated');
    const other = await house.org();
    equal((await refusal(client(org.admin).balance(other.id))).reason, 'notFound');
    const order = { amount_minor: 1, currency: 'usd', expected_credits_ucr: 1_000_000 };
    const tooSmall = await refusal(client(org.admin).createPurchase(org.id, order, 'contract-small'));
    equal(tooSmall.reason, 'rejected');
    equal(tooSmall.code, 'amount_out_of_range');
    const stale = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 7_500_000_000 };
    const changed = await refusal(client(org.admin).createPurchase(org.id, stale, 'contract-stale'));
    equal(changed.code, 'quote_changed');
    equal(changed.problem?.credits_ucr, 5_000_000_000);
  });

  it('T32 agree on a purchase: one key is one order, paid it is credited, and the balance version says when', async () => {
    const buyer = await house.org();
    const admin = client(buyer.admin);
    const order = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
    const first = await admin.createPurchase(buyer.id, order, 'contract-buy');
    const second = await admin.createPurchase(buyer.id, order, 'contract-buy');
    equal(first.id, second.id);
    equal(first.status, 'open');
    equal(
      (await refusal(admin.createPurchase(buyer.id, { ...order, amount_minor: 10_000 }, 'contract-buy')))
        .code,
      'idempotency_key_reused',
    );
    const { id } = stripe.sessionOf(first.id);
    stripe.double.pay(id);
    await house.deliver(sessionEvent(id));
    const credited = await admin.purchase(buyer.id, first.id);
    equal(credited.status, 'credited');
    const { version, available_ucr } = await admin.balance(buyer.id);
    ok(credited.balance_version !== null && version >= credited.balance_version);
    equal(available_ucr, 10_218_000_000);
    equal((await refusal(admin.cancelPurchase(buyer.id, first.id))).code, 'purchase_not_open');
  });

  it('agree on a purchase that is taken back', async () => {
    const buyer = await house.org();
    const admin = client(buyer.admin);
    const order = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
    const open = await admin.createPurchase(buyer.id, order, 'contract-cancel');
    equal((await admin.cancelPurchase(buyer.id, open.id)).status, 'canceled');
    equal((await admin.purchase(buyer.id, open.id)).checkout_url, null);
  });

  it('agree on a balance that has moved: the store shows it, and its version has grown', async () => {
    const clock = new FakeClock();
    const account = {
      serverUrl: SERVER,
      personId: 'p',
      personName: 'P',
      orgId: org.id,
      orgName: 'O',
      role: 'admin',
    };
    const store = new CreditsStore({
      sessions: new FakeSessions({ account, token: org.admin }),
      connect: connector({ fetch: fetchOf(house), clock, userAgent: 'test/1' }),
      clock,
      cache: new MemorySlot(),
      log: new CollectingLog(),
    });
    await store.refresh();
    const usage = { event_id: 'contract-1', amount_ucr: 218_000_000 };
    const posted = await house.post(`/v1/orgs/${org.id}/usage`, org.service, usage);
    ok(posted.statusCode < 300, posted.body);
    const { balance_version } = posted.json<{ balance_version: number }>();
    await store.refresh(balance_version);
    const { balance } = store.state;
    equal(balance.kind === 'known' && balance.last.snapshot.available_ucr, 5_000_000_000);
    equal(balance.kind === 'known' && balance.last.snapshot.version, balance_version);
    store.dispose();
  });
});
