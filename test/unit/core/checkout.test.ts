import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Order } from '../../../src/core/checkout.ts';
import { nextCheckMs, readPurchaseRecord } from '../../../src/core/purchaseRecord.ts';
import { settled } from '../../support/clock.ts';
import { account, signIn } from '../../support/core.ts';
import { html, problem, unreachable } from '../../support/scriptedServer.ts';
import { World } from '../../support/wired.ts';

const fifty: Order = { amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 };
const MINUTE = 60_000; // ms

async function started(world = new World(), given: Parameters<World['start']>[0] = {}) {
  const editor = world.start(given);
  await settled();
  return { world, ...world, ...editor };
}

/** Keys of the purchases asked for so far, in order. */
const keys = (world: World) =>
  world.server.seen
    .filter(one => one.method === 'POST' && one.path.endsWith('/purchases'))
    .map(one => one.headers.get('idempotency-key'));

const told = (world: World) => world.told.map(({ kind }) => kind);

describe('a purchase', function () {
  // Hours go by on the test's clock; on a busy machine that takes its while.
  this.timeout(20_000);

  it('turns 5,218 credits into 10,218, and says so once', async () => {
    const { world, checkout, store } = await started();
    const result = await checkout.buy(fifty);
    deepEqual(result, { kind: 'opened', host: 'checkout.stripe.com' });
    deepEqual(world.opened, ['https://checkout.stripe.com/c/pay/pur_1']);
    equal(checkout.pending?.phase, 'waiting');
    world.server.credit();
    world.server.emit('purchase.updated', { id: 'pur_1', status: 'credited', balance_version: 2 });
    await settled();
    deepEqual(world.told, [{ kind: 'credited', creditsUcr: 5_000_000_000, availableUcr: 10_218_000_000 }]);
    equal(
      store.state.balance.kind === 'known' && store.state.balance.last.snapshot.available_ucr,
      10_218_000_000,
    );
    equal(checkout.pending, undefined);
    await world.clock.advance(2 * 3_600_000);
    equal(world.told.length, 1);
    deepEqual(world.records.read(), []);
  });

  it('T32 keeps its key before it is sent', async () => {
    const { world, checkout } = await started();
    let kept: string | undefined;
    world.server.instead = seen => {
      if (seen.method === 'POST') {
        kept = world.records.read()[0]?.idempotencyKey;
      }
      return undefined;
    };
    await checkout.buy(fifty);
    ok(kept);
    deepEqual(keys(world), [kept]);
  });

  it('is not sent at all when its key cannot be kept', async () => {
    const { world, checkout } = await started();
    world.records.keep = () => Promise.reject(new Error('disk full'));
    await checkout.buy(fifty).then(
      () => ok(false, 'it went on'),
      () => undefined,
    );
    deepEqual(keys(world), []);
    equal(checkout.pending, undefined);
  });

  it('T32 F27 killed between press and answer: the same key goes out at the next start, and it is one order', async () => {
    const world = new World();
    const first = await started(world);
    // The order arrives; its answer never does, because the editor is killed.
    const { server } = world;
    server.instead = seen => {
      if (seen.method !== 'POST') {
        return undefined;
      }
      server.instead = undefined;
      void server.fetch(`https://credits.example.com${seen.path}`, {
        method: 'POST',
        headers: seen.headers,
        body: JSON.stringify(seen.body),
      });
      return new Promise<Response>(() => undefined);
    };
    void first.checkout.buy(fifty);
    await settled();
    first.stop();
    const second = await started(world);
    equal(server.orders.size, 1);
    equal(new Set(keys(world)).size, 1);
    equal(second.checkout.pending?.phase, 'waiting');
    deepEqual(world.opened, [], 'a start of the editor opens no browser');
    server.credit();
    await world.clock.advance(10_000);
    deepEqual(told(world), ['credited']);
  });

  it('F27 sends the very same body again, way back included', async () => {
    const world = new World();
    const first = await started(world);
    world.server.instead = seen =>
      seen.method === 'POST' ? new Promise<Response>(() => undefined) : undefined;
    void first.checkout.buy(fifty);
    await settled();
    first.stop();
    world.server.instead = undefined;
    world.returnUri = async () => 'vscode-test://somewhere/else';
    await started(world);
    const bodies = world.server.seen
      .filter(one => one.method === 'POST')
      .map(one => JSON.stringify(one.body));
    equal(bodies.length, 2);
    equal(bodies[0], bodies[1]);
  });

  it('F28 killed after the page opened: followed at the next start, told once', async () => {
    const world = new World();
    const first = await started(world);
    await first.checkout.buy(fifty);
    first.stop();
    world.server.credit();
    const second = await started(world);
    deepEqual(told(world), ['credited']);
    second.stop();
    await started(world);
    deepEqual(told(world), ['credited']);
  });

  it('is one order, however often Buy is pressed', async () => {
    const { world, checkout } = await started();
    const results = await Promise.all(Array.from({ length: 10 }, () => checkout.buy(fifty)));
    deepEqual(
      results.map(({ kind }) => kind),
      ['opened', ...Array.from({ length: 9 }, () => 'alreadyPending')],
    );
    equal(world.server.orders.size, 1);
  });

  it('F41 offers the open one at the next press', async () => {
    const { world, checkout } = await started();
    await checkout.buy(fifty);
    const again = await checkout.buy(fifty);
    equal(again.kind === 'alreadyPending' && again.pending.amountMinor, 5_000);
    await checkout.resume();
    equal(world.opened.length, 2);
    equal(world.opened[0], world.opened[1]);
    equal(world.server.orders.size, 1);
  });

  it('F41 takes the open one back before another is begun', async () => {
    const { world, checkout } = await started();
    await checkout.buy(fifty);
    const result = await checkout.buy({ ...fifty, amountMinor: 10_000 }, { another: true });
    equal(result.kind, 'opened');
    deepEqual(
      [...world.server.orders.values()].map(({ status }) => status),
      ['canceled', 'open'],
    );
    equal(new Set(keys(world)).size, 2);
  });

  it('begins no other when the open one has been paid in the meantime', async () => {
    const { world, checkout } = await started();
    await checkout.buy(fifty);
    world.server.credit();
    await checkout.buy(fifty, { another: true });
    await settled();
    deepEqual(told(world), ['credited']);
  });

  it('may be followed by another while a bank transfer is on its way', async () => {
    const { world, checkout } = await started();
    await checkout.buy(fifty);
    world.server.settle({ status: 'processing', checkout_url: null });
    await checkout.checkNow();
    equal(checkout.pending?.phase, 'processing');
    const result = await checkout.buy({ ...fifty, amountMinor: 10_000 }, { another: true });
    equal(result.kind, 'opened');
    equal(world.server.orders.size, 2);
  });

  describe('whose first answer is lost', () => {
    it('F53 is sent again with the same key', async () => {
      const { world, checkout, clock } = await started();
      let failures = 2;
      world.server.instead = seen =>
        seen.method === 'POST' && failures-- > 0 ? Promise.reject(unreachable('ECONNRESET')) : undefined;
      const buying = checkout.buy(fifty);
      await clock.advance(20_000);
      equal((await buying).kind, 'opened');
      equal(keys(world).length, 3);
      equal(new Set(keys(world)).size, 1);
    });

    for (const [title, answer] of [
      ['F53 503 of the payment provider', () => problem(503, 'payment_provider_unavailable')],
      ['F11 500', () => problem(500, 'internal_error')],
      ['F7 a page of the network', () => html(200)],
      ['F18 409 still in progress', () => problem(409, 'request_in_progress')],
    ] as const) {
      it(`${title}: told as unanswered, kept, and finished later under the same key`, async () => {
        const { world, checkout, clock } = await started();
        world.server.instead = seen => (seen.method === 'POST' ? answer() : undefined);
        const buying = checkout.buy(fifty);
        await clock.advance(20_000);
        equal((await buying).kind, 'unanswered');
        equal(checkout.pending?.phase, 'starting');
        world.server.instead = undefined;
        await clock.advance(10 * MINUTE);
        equal(checkout.pending?.phase, 'waiting');
        equal(new Set(keys(world)).size, 1);
        equal(world.server.orders.size, 1);
        deepEqual(world.opened, [], 'nobody is waiting for a browser any more');
        await checkout.resume();
        equal(world.opened.length, 1);
      });
    }

    it('can be sent again by hand, which opens the page', async () => {
      const { world, checkout, clock } = await started();
      world.server.instead = seen => (seen.method === 'POST' ? html(502) : undefined);
      const buying = checkout.buy(fifty);
      await clock.advance(20_000);
      await buying;
      world.server.instead = undefined;
      equal((await checkout.resume()).kind, 'opened');
      equal(new Set(keys(world)).size, 1);
    });

    it('can be given up', async () => {
      const { world, checkout, clock } = await started();
      world.server.instead = seen => (seen.method === 'POST' ? html(502) : undefined);
      const buying = checkout.buy(fifty);
      await clock.advance(20_000);
      await buying;
      await checkout.cancel();
      equal(checkout.pending, undefined);
      deepEqual(world.records.read(), []);
      deepEqual(told(world), ['canceled']);
    });

    it('is not repeated after half a day, when the server might take it for a new one', async () => {
      const world = new World();
      const first = await started(world);
      world.server.instead = seen => (seen.method === 'POST' ? html(502) : undefined);
      void first.checkout.buy(fifty);
      await settled();
      first.stop();
      world.server.instead = undefined;
      await world.clock.advance(13 * 3_600_000);
      const second = await started(world);
      equal(second.checkout.pending, undefined);
      equal(world.server.orders.size, 0);
    });
  });

  describe('that is refused', () => {
    it('F16 because the person is no longer an admin: what may be bought is asked again', async () => {
      const { world, checkout, store } = await started();
      world.server.options = { ...world.server.options, can_purchase: false, blocked_reason: 'not_admin' };
      world.server.instead = seen => (seen.method === 'POST' ? problem(403, 'insufficient_role') : undefined);
      const result = await checkout.buy(fifty);
      equal(result.kind === 'refused' && result.error.code, 'insufficient_role');
      equal(store.state.options?.can_purchase, false);
      equal(checkout.pending, undefined);
      deepEqual(world.records.read(), []);
    });

    it('F24 because the rate has changed: the new figure is told, nothing is ordered', async () => {
      const { world, checkout, store } = await started();
      world.server.options = { ...world.server.options, credits_per_major_unit: 150 };
      world.server.instead = seen =>
        seen.method === 'POST' ? problem(409, 'quote_changed', { credits_ucr: 7_500_000_000 }) : undefined;
      deepEqual(await checkout.buy(fifty), { kind: 'quoteChanged', creditsUcr: 7_500_000_000 });
      equal(store.state.options?.credits_per_major_unit, 150);
      equal(checkout.pending, undefined);
    });

    for (const code of [
      'amount_out_of_range',
      'currency_mismatch',
      'validation_failed',
      'idempotency_key_reused',
    ]) {
      it(`F18 with ${code}: told, not repeated`, async () => {
        const { world, checkout, clock } = await started();
        world.server.instead = seen => (seen.method === 'POST' ? problem(422, code) : undefined);
        equal((await checkout.buy(fifty)).kind, 'refused');
        await clock.advance(3_600_000);
        equal(keys(world).length, 1);
      });
    }

    it('for its way back: goes on without one, under a new key', async () => {
      const { world, checkout } = await started();
      world.server.instead = seen =>
        seen.method === 'POST' && (seen.body as { return_uri?: string }).return_uri
          ? problem(422, 'return_uri_not_allowed')
          : undefined;
      equal((await checkout.buy(fifty)).kind, 'opened');
      equal(new Set(keys(world)).size, 2);
      equal(world.server.orders.size, 1);
      equal(world.records.read().length, 1);
    });
  });

  describe('and its payment page', () => {
    for (const url of [
      'https://checkout.stripe.com.attacker.example/c/pay/1',
      'http://checkout.stripe.com/c/pay/1',
      'file:///etc/passwd',
      'vscode://attacker.ext/x',
      'javascript:alert(1)',
    ]) {
      it(`T12 is not opened at ${url}; the order is taken back`, async () => {
        const { world, checkout } = await started();
        world.server.checkoutUrl = () => url;
        equal((await checkout.buy(fifty)).kind, 'badAddress');
        deepEqual(world.opened, []);
        equal(world.server.order.status, 'canceled');
        equal(checkout.pending, undefined);
      });
    }

    it('is opened at an address the person has allowed', async () => {
      const { world, checkout } = await started();
      world.extraOrigins = ['http://pay.localhost:4100'];
      world.server.checkoutUrl = () => 'http://pay.localhost:4100/checkout/cs_1';
      deepEqual(await checkout.buy(fifty), { kind: 'opened', host: 'pay.localhost:4100' });
    });

    for (const [title, open] of [
      ['answers no', async () => false],
      ['throws', () => Promise.reject(new Error('policy'))],
    ] as const) {
      it(`F36 can be copied when the browser ${title}`, async () => {
        const { world, checkout } = await started();
        world.open = open;
        deepEqual(await checkout.buy(fifty), { kind: 'notOpened', host: 'checkout.stripe.com' });
        equal(checkout.pending?.canCopyLink, true);
        equal(await checkout.link(), 'https://checkout.stripe.com/c/pay/pur_1');
      });
    }

    it('T40 is opened only after its host was agreed to', async () => {
      const { world, checkout } = await started();
      const asked: Array<[Order, string]> = [];
      const result = await checkout.buy(fifty, {
        confirm: async (order, host) => {
          asked.push([order, host]);
          return false;
        },
      });
      deepEqual(asked, [[fifty, 'checkout.stripe.com']]);
      equal(result.kind, 'declined');
      deepEqual(world.opened, []);
      equal(world.server.order.status, 'canceled');
    });

    it('F30 is found again after a reload', async () => {
      const world = new World();
      const first = await started(world);
      await first.checkout.buy(fifty);
      first.stop();
      const second = await started(world);
      equal(second.checkout.pending?.canCopyLink, true);
      equal((await second.checkout.resume()).kind, 'opened');
    });
  });

  describe('that ends otherwise', () => {
    for (const [status, kind] of [
      ['expired', 'expired'],
      ['canceled', 'canceled'],
      ['failed', 'failed'],
      ['needs_review', 'needsReview'],
    ] as const) {
      it(`F46 is told once: ${status}`, async () => {
        const { world, checkout, clock } = await started();
        await checkout.buy(fifty);
        world.server.settle({ status, checkout_url: null });
        await clock.advance(2 * 3_600_000);
        deepEqual(world.told, [{ kind, order: fifty }]);
        equal(checkout.pending, undefined);
      });
    }

    it('is taken back at the server by Cancel', async () => {
      const { world, checkout } = await started();
      await checkout.buy(fifty);
      equal(await checkout.cancel(), undefined);
      await settled();
      equal(world.server.order.status, 'canceled');
      deepEqual(told(world), ['canceled']);
    });

    it('is told as credited when Cancel came too late', async () => {
      const { world, checkout } = await started();
      await checkout.buy(fifty);
      world.server.credit();
      await checkout.cancel();
      await settled();
      deepEqual(told(world), ['credited']);
    });

    it('stays when Cancel did not reach the server', async () => {
      const { world, checkout } = await started();
      await checkout.buy(fifty);
      world.server.instead = seen => (seen.path.endsWith('/cancel') ? html(502) : undefined);
      equal((await checkout.cancel())?.reason, 'serverFault');
      equal(checkout.pending?.phase, 'waiting');
    });

    it('can be left when a later server has ended it in a way of its own', async () => {
      const { world, checkout } = await started();
      await checkout.buy(fifty);
      world.server.settle({ status: 'pondered', checkout_url: null });
      world.server.instead = seen =>
        seen.path.endsWith('/cancel') ? problem(409, 'purchase_not_open') : undefined;
      equal(await checkout.cancel(), undefined);
      equal(checkout.pending, undefined);
    });

    it('goes on under a status of a later server', async () => {
      const { world, checkout, clock } = await started();
      await checkout.buy(fifty);
      world.server.settle({ status: 'pondering' });
      await clock.advance(10_000);
      equal(checkout.pending?.phase, 'waiting');
      deepEqual(told(world), []);
    });
  });

  describe('and the way back', () => {
    const stateOf = (world: World) => world.records.read()[0]?.returnState ?? '';

    it('T14 is a hint, not a proof: nothing is credited by it', async () => {
      const { world, checkout, returned } = await started();
      await checkout.buy(fifty);
      returned.fire(stateOf(world));
      await settled();
      deepEqual(told(world), []);
      equal(checkout.pending?.phase, 'waiting');
    });

    it('makes the server be asked at once', async () => {
      const { world, checkout, returned } = await started();
      await checkout.buy(fifty);
      world.server.credit();
      returned.fire(stateOf(world));
      await settled();
      deepEqual(told(world), ['credited']);
    });

    it('T13 is worth nothing with a made-up or used state, a thousand times over', async () => {
      const { world, checkout, returned } = await started();
      await checkout.buy(fifty);
      const used = stateOf(world);
      returned.fire(used);
      await settled();
      const before = world.server.seen.length;
      for (let round = 0; round < 1_000; round++) {
        returned.fire(`${used}${round}`);
      }
      returned.fire(used);
      returned.fire('');
      await settled();
      equal(world.server.seen.length, before);
    });

    it('F42 works in a window that did not buy', async () => {
      const world = new World();
      const buyer = await started(world);
      const other = await started(world);
      await buyer.checkout.buy(fifty);
      world.server.credit();
      other.returned.fire(stateOf(world));
      await settled();
      deepEqual(told(world), ['credited']);
    });

    it('F42 is told in one window when two of them see the end', async () => {
      const world = new World();
      const buyer = await started(world);
      await buyer.checkout.buy(fifty);
      const other = await started(world);
      equal(other.checkout.pending?.phase, 'waiting');
      world.server.credit();
      await Promise.all([buyer.checkout.checkNow(), other.checkout.checkNow()]);
      await world.clock.advance(10_000);
      deepEqual(told(world), ['credited']);
      equal(buyer.checkout.pending, undefined);
      equal(other.checkout.pending, undefined);
    });

    it("is none of another account's business", async () => {
      const world = new World();
      const first = await started(world);
      await first.checkout.buy(fifty);
      const state = stateOf(world);
      first.stop();
      const other = await started(world, {
        signIn: { token: 'x', account: { ...account, personId: 'usr_2' } },
      });
      equal(other.checkout.pending, undefined);
      const before = world.server.seen.length;
      other.returned.fire(state);
      await settled();
      equal(world.server.seen.length, before);
    });

    it('is left out where the editor has none', async () => {
      const world = new World();
      world.returnUri = () => Promise.reject(new Error('no such thing'));
      const { checkout } = await started(world);
      await checkout.buy(fifty);
      equal(JSON.stringify(world.server.seen.at(-1)?.body).includes('return_uri'), false);
    });
  });

  describe('with the session', () => {
    it('is put aside at a sign-out and picked up at the next sign-in', async () => {
      const { world, checkout, sessions } = await started();
      await checkout.buy(fifty);
      sessions.set(undefined);
      equal(checkout.pending, undefined);
      const before = world.server.seen.length;
      await world.clock.advance(MINUTE);
      equal(world.server.seen.length, before);
      world.server.credit();
      sessions.set({ ...signIn });
      await settled();
      deepEqual(told(world), ['credited']);
    });

    it('opens nothing when the person signed out while it was being made', async () => {
      const { world, checkout, sessions } = await started();
      let answer: () => void = () => undefined;
      world.server.instead = seen =>
        seen.method === 'POST' && seen.path.endsWith('/purchases')
          ? new Promise(resolve => {
              answer = () => resolve(problem(500, 'internal_error'));
            })
          : undefined;
      const buying = checkout.buy(fifty);
      await settled();
      sessions.set(undefined);
      answer();
      equal((await buying).kind, 'signedOut');
      deepEqual(world.opened, []);
    });

    it('opens nothing when the person signed out while they were being asked, and takes it back', async () => {
      const { world, checkout, sessions } = await started();
      const result = await checkout.buy(fifty, {
        confirm: async () => {
          sessions.set(undefined);
          await settled();
          return true;
        },
      });
      equal(result.kind, 'declined');
      deepEqual(world.opened, []);
      equal(world.server.order.status, 'canceled');
    });

    it('is impossible when signed out', async () => {
      const { checkout, world } = await started(new World(), { signIn: undefined });
      deepEqual(await checkout.buy(fifty), { kind: 'signedOut' });
      equal(world.server.seen.length, 0);
    });
  });

  it('F48 F49 is found by asking, when stream and way back are both lost', async () => {
    const { world, checkout, clock } = await started(new World(), { isStreaming: false });
    await checkout.buy(fifty);
    await clock.advance(MINUTE);
    world.server.credit();
    await clock.advance(3_000);
    deepEqual(told(world), ['credited']);
  });

  it('F49 is found an hour later, too', async () => {
    const { world, checkout, clock } = await started(new World(), { isStreaming: false });
    await checkout.buy(fifty);
    await clock.advance(55 * MINUTE);
    world.server.credit();
    await clock.advance(5 * MINUTE);
    deepEqual(told(world), ['credited']);
  });

  it('F43 is found although the wall clock jumps about', async () => {
    const { world, checkout, clock } = await started(new World(), { isStreaming: false });
    clock.setWall(-86_400_000);
    await checkout.buy(fifty);
    clock.setWall(3 * 86_400_000);
    await clock.advance(MINUTE);
    world.server.credit();
    await clock.advance(3_000);
    deepEqual(told(world), ['credited']);
  });

  it('says how much was added even when the balance cannot be read', async () => {
    const { world, checkout, clock } = await started();
    await checkout.buy(fifty);
    world.server.credit();
    world.server.instead = seen => (seen.path.endsWith('/balance') ? html(502) : undefined);
    void checkout.checkNow();
    await clock.advance(30_000);
    deepEqual(world.told, [{ kind: 'credited', creditsUcr: 5_000_000_000, availableUcr: undefined }]);
  });

  it('F12 heeds a pause the server asks for', async () => {
    const { world, checkout, clock } = await started(new World(), { isStreaming: false });
    await checkout.buy(fifty);
    world.server.instead = seen =>
      /purchases\/pur_1$/.test(seen.path)
        ? problem(429, 'rate_limited', {}, { 'retry-after': '60' })
        : undefined;
    await clock.advance(3_000);
    const before = world.server.count(/purchases\/pur_1$/);
    await clock.advance(59_000);
    equal(world.server.count(/purchases\/pur_1$/), before);
  });

  it('F35 leaves no timer behind', async () => {
    const { checkout, clock, stop } = await started();
    await checkout.buy(fifty);
    stop();
    await settled();
    equal(clock.pending, 0);
  });

  it('lets go of a purchase the server no longer knows', async () => {
    const { world, checkout, clock } = await started();
    await checkout.buy(fifty);
    world.server.orders.clear();
    await clock.advance(10_000);
    equal(checkout.pending, undefined);
    deepEqual(world.records.read(), []);
  });
});

describe('how often a purchase is asked for', function () {
  this.timeout(20_000);

  const rows: ReadonlyArray<
    readonly [title: string, sinceActMs: number, sinceStartMs: number, ms: number | undefined]
  > = [
    ['just opened', 0, 0, 3_000],
    ['after a minute', MINUTE, MINUTE, 3_000],
    ['just before two minutes', 2 * MINUTE - 1, 2 * MINUTE, 3_000],
    ['after two minutes', 2 * MINUTE, 2 * MINUTE, 3_000],
    ['half-way to a quarter of an hour', 8.5 * MINUTE, 8.5 * MINUTE, 16_500],
    ['after a quarter of an hour', 15 * MINUTE, 15 * MINUTE, 5 * MINUTE],
    ['an hour on, someone comes back to the window', 0, 60 * MINUTE, 3_000],
    ["near the page's end", 62 * MINUTE, 62 * MINUTE, 3 * MINUTE],
    ["after the page's end and five minutes", 65 * MINUTE, 65 * MINUTE, undefined],
  ];
  for (const [title, sinceAct, sinceStart, ms] of rows) {
    it(`F46 ${title}: ${ms === undefined ? 'no more' : `in ${ms} ms`}`, () => {
      equal(nextCheckMs(sinceAct, sinceStart, 60 * MINUTE, 'waiting'), ms);
    });
  }

  it('F50 goes on hourly for a bank transfer, which can take days', () => {
    equal(nextCheckMs(24 * 60 * MINUTE, 24 * 60 * MINUTE, 60 * MINUTE, 'processing'), 60 * MINUTE);
  });

  it('F46 asks fewer than 120 times for a page that nobody finishes', async () => {
    const { world, checkout, clock } = await started(new World(), { isStreaming: false });
    await checkout.buy(fifty);
    await clock.advance(24 * 60 * MINUTE);
    const asked = world.server.count(/purchases\/pur_1$/);
    ok(asked > 60 && asked < 120, `${asked} times`);
  });
});

describe('what is kept of a purchase', () => {
  it('F32 is ignored where it is damaged, and read where it is not', () => {
    const good = {
      account: 'a',
      idempotencyKey: 'k',
      body: { amount_minor: 1, currency: 'usd', expected_credits_ucr: 1 },
      returnState: 's',
      startedAtMs: 1,
      purchase: { id: 'p', lifeMs: 1 },
    };
    const damaged = [
      null,
      1,
      'x',
      {},
      { ...good, idempotencyKey: 5 },
      { ...good, body: null },
      { ...good, body: { ...good.body, amount_minor: 1.5 } },
      { ...good, body: { ...good.body, currency: 'USD!' } },
      { ...good, startedAtMs: '1' },
    ];
    for (const one of [...damaged, undefined]) {
      equal(readPurchaseRecord(one), undefined);
    }
    deepEqual(readPurchaseRecord(JSON.parse(JSON.stringify(good))), good);
  });

  it('T5 names neither token nor payment page', async () => {
    const { world, checkout, log } = await started();
    await checkout.buy(fifty);
    for (const text of [world.folder.text, world.cache.text ?? '', log.lines.join('\n')]) {
      equal(text.includes(signIn.token), false);
      equal(text.includes('/c/pay/'), false);
    }
  });
});
