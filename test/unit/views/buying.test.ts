import { deepEqual, equal, ok } from 'node:assert/strict';
import { settled } from '../../support/clock.ts';
import { html, options, problem, unreachable } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { Buying, endText } = await import('../../../src/views/buying.ts');
const { buyFromPalette } = await import('../../../src/views/buyCommand.ts');
const { Notices } = await import('../../../src/views/notices.ts');
const { askAdmin } = await import('../../../src/views/askAdmin.ts');
const { did } = fake;

async function set(world = new World()) {
  did.reset();
  const editor = world.start();
  await settled();
  const notices = new Notices();
  const panel = { isVisible: false };
  const { checkout, store } = editor;
  const buying = new Buying({
    checkout,
    store,
    notices,
    isPanelVisible: () => panel.isVisible,
    locale: 'en',
  });
  return { world, ...editor, notices, panel, buying };
}

const texts = () => did.messages.map(({ text }) => text);

describe('the conversation around a purchase', () => {
  it('ends with "5,000 credits added. Balance 10,218.", once', async () => {
    const { world, buying, notices } = await set();
    await buying.buy(5_000, 5_000_000_000);
    deepEqual(texts(), []);
    world.server.credit();
    await world.clock.advance(60_000);
    deepEqual(texts(), ['5,000 credits added. Balance 10,218.']);
    equal(notices.current?.text, '5,000 credits added. Balance 10,218.');
    equal(notices.current?.tone, 'success');
  });

  it('tells the end in the panel alone while the panel is in sight', async () => {
    const { world, buying, notices, panel } = await set();
    panel.isVisible = true;
    await buying.buy(5_000, 5_000_000_000);
    world.server.credit();
    await world.clock.advance(60_000);
    deepEqual(texts(), []);
    equal(notices.current?.text, '5,000 credits added. Balance 10,218.');
  });

  it('takes the notice back when the balance it names has moved on', async () => {
    const { world, buying, notices, store } = await set();
    await buying.buy(5_000, 5_000_000_000);
    world.server.credit();
    await world.clock.advance(60_000);
    equal(notices.current?.tone, 'success');
    world.server.use(1_000_000_000);
    await store.refresh();
    equal(notices.current, null);
  });

  it('F41 asks Resume or New when one is open', async () => {
    const { world, buying } = await set();
    await buying.buy(5_000, 5_000_000_000);
    did.answer = () => undefined;
    await buying.buy(10_000, 10_000_000_000);
    deepEqual(did.messages[0]?.actions, ['Resume', 'New Purchase']);
    equal(world.server.orders.size, 1);
    did.answer = () => 'Resume';
    await buying.buy(10_000, 10_000_000_000);
    equal(world.opened.length, 2);
    equal(world.server.orders.size, 1);
    did.answer = () => 'New Purchase';
    await buying.buy(10_000, 10_000_000_000);
    equal(world.server.orders.size, 2);
  });

  it('F16 says why when the right to buy was taken away, and sends nothing the next time', async () => {
    const { world, buying, notices } = await set();
    world.server.options = options({ can_purchase: false, blocked_reason: 'not_admin' });
    world.server.instead = seen => (seen.method === 'POST' ? problem(403, 'insufficient_role') : undefined);
    await buying.buy(5_000, 5_000_000_000);
    deepEqual(texts(), ['Only administrators of your organisation can buy credits. Nothing was charged.']);
    const before = world.server.seen.length;
    await buying.buy(5_000, 5_000_000_000);
    equal(world.server.seen.length, before);
    equal(notices.current?.tone, 'warning');
  });

  it('F24 shows the new figure when the rate has changed', async () => {
    const { world, buying } = await set();
    world.server.instead = seen =>
      seen.method === 'POST' ? problem(409, 'quote_changed', { credits_ucr: 7_500_000_000 }) : undefined;
    await buying.buy(5_000, 5_000_000_000);
    deepEqual(texts(), ['The price has changed: $50 now buys 7,500 credits. Nothing was ordered.']);
  });

  it('F53 says that nothing was charged when nobody answers', async () => {
    const { world, buying } = await set();
    world.server.instead = seen => (seen.method === 'POST' ? html(502) : undefined);
    const done = buying.buy(5_000, 5_000_000_000);
    await world.clock.advance(20_000);
    await done;
    ok(texts()[0]?.includes('Nothing was charged.'), texts()[0]);
  });

  it('F53 claims of no payment page that could not be closed that nothing was charged, and says it of an order once', async () => {
    const { world, buying, notices } = await set();
    await buying.buy(5_000, 5_000_000_000);
    world.server.instead = () => problem(503, 'payment_provider_unavailable');
    await buying.cancel();
    equal(
      notices.current?.text,
      'The purchase could not be canceled. The payment provider cannot be reached at the moment.',
    );
    const other = await set();
    other.world.server.instead = seen =>
      seen.method === 'POST' ? problem(503, 'payment_provider_unavailable') : undefined;
    const done = other.buying.buy(5_000, 5_000_000_000);
    await other.world.clock.advance(30_000);
    await done;
    equal(
      texts()
        .at(-1)
        ?.match(/Nothing was charged/g)?.length,
      1,
      texts().at(-1),
    );
  });

  it('T12 names the host that was not opened', async () => {
    const { world, buying } = await set();
    world.server.checkoutUrl = () => 'https://attacker.example/pay';
    await buying.buy(5_000, 5_000_000_000);
    ok(texts()[0]?.includes('attacker.example'), texts()[0]);
    deepEqual(world.opened, []);
  });

  it('F36 offers the link when the browser did not open', async () => {
    const world = new World();
    world.open = async () => false;
    const { buying } = await set(world);
    did.answer = ({ actions }) => actions[0];
    await buying.buy(5_000, 5_000_000_000);
    deepEqual(did.messages[0]?.actions, ['Copy Link']);
    equal(did.clipboard, 'https://checkout.stripe.com/c/pay/pur_1');
  });

  it('says "not yet" to "I have paid", and that nobody pays twice', async () => {
    const { buying, notices } = await set();
    await buying.buy(5_000, 5_000_000_000);
    await buying.checkNow();
    ok(notices.current?.text.includes('not be charged twice'), notices.current?.text);
  });

  it('F53 says why it is not known, not "not yet", where the server does not answer "I have paid"', async () => {
    const { world, buying, notices } = await set();
    await buying.buy(5_000, 5_000_000_000);
    world.server.credit();
    world.server.instead = () => Promise.reject(unreachable());
    await buying.checkNow();
    equal(notices.current?.text, 'The credits server cannot be reached. Check the connection.');
  });

  it('F53 says of an order of before a restart, which may be paid, only that nobody answers', async () => {
    const first = await set();
    await first.buying.buy(5_000, 5_000_000_000);
    first.stop();
    first.world.server.credit();
    first.world.server.instead = () => Promise.reject(unreachable());
    const { buying, notices } = await set(first.world);
    await buying.resume();
    equal(notices.current?.text, 'The credits server cannot be reached. Check the connection.');
  });

  it('F50 says nothing of an address to someone who resumes what is being processed', async () => {
    const first = await set();
    await first.buying.buy(5_000, 5_000_000_000);
    first.stop();
    first.world.server.settle({ status: 'processing', checkout_url: null });
    const { buying, notices, checkout } = await set(first.world);
    await buying.resume();
    equal(notices.current, null);
    equal(checkout.pending?.phase, 'processing');
  });

  it('F41 says why the open one could not be taken back for another', async () => {
    const { world, buying } = await set();
    await buying.buy(5_000, 5_000_000_000);
    world.server.instead = ({ path }) =>
      path.endsWith('/cancel') ? problem(503, 'payment_provider_unavailable') : undefined;
    did.answer = () => 'New Purchase';
    await buying.buy(10_000, 10_000_000_000);
    equal(world.server.orders.size, 1);
    equal(
      texts().at(-1),
      'The purchase could not be canceled. The payment provider cannot be reached at the moment.',
    );
  });

  it('ends quietly when the purchase was canceled', async () => {
    const { buying, notices } = await set();
    await buying.buy(5_000, 5_000_000_000);
    await buying.cancel();
    await settled();
    deepEqual(texts(), []);
    equal(notices.current?.text, 'The purchase of $50 was canceled. Nothing was charged.');
  });

  it('has a sentence for each end', () => {
    const order = { amountMinor: 5_000, currency: 'usd', creditsUcr: 1 };
    const sentences = (['expired', 'canceled', 'failed', 'needsReview'] as const).map(kind =>
      endText({ kind, order }, 'en'),
    );
    equal(new Set(sentences).size, 4);
    equal(
      endText({ kind: 'credited', creditsUcr: 5_000_000_000, availableUcr: undefined }, 'en'),
      '5,000 credits added.',
    );
  });
});

describe('"Buy Credits" from the palette', () => {
  const start = async (world?: World) => {
    const made = await set(world);
    const asked: string[] = [];
    const run = () => buyFromPalette(made.store, made.buying, () => asked.push('ask'), 'en');
    return { ...made, run, asked };
  };

  it('T40 names amount, credits and host before anything opens', async () => {
    const { world, run } = await start();
    const seen: unknown[][] = [];
    did.pick = items => {
      seen.push([...items]);
      return items[0];
    };
    await run();
    equal(seen.length, 2);
    const [pay] = seen[1] as Array<{ label: string; detail: string }>;
    equal(pay?.label, '$(link-external) Pay $50 for 5,000 credits');
    equal(pay?.detail, 'Opens checkout.stripe.com in your browser.');
    equal(world.opened.length, 1);
  });

  it('opens nothing and leaves nothing behind when that is declined', async () => {
    const { world, run, checkout } = await start();
    did.pick = items => ((items[0] as { label: string }).label.includes('Pay') ? undefined : items[0]);
    await run();
    await settled();
    deepEqual(world.opened, []);
    equal(checkout.pending, undefined);
    equal(world.server.order.status, 'canceled');
  });

  it('F54 takes a typed amount only when it is one', async () => {
    const { world, run } = await start();
    const verdicts: unknown[] = [];
    did.pick = items => ((items[0] as { label: string }).label.includes('Pay') ? items[0] : items.at(-1));
    did.type = ({ validateInput }) => {
      for (const text of ['', '0', '-5', '12.345', '1e3', 'abc', '9', '10001', '75']) {
        verdicts.push(validateInput?.(text));
      }
      return '75';
    };
    await run();
    equal(verdicts.filter(verdict => typeof verdict === 'string').length, 8);
    equal(verdicts.at(-1), undefined);
    equal(world.server.order.amount_minor, 7_500);
    equal(world.server.order.credits_ucr, 7_500_000_000);
  });

  it('T20 d-29 gives someone who may not buy a way forward instead', async () => {
    const world = new World();
    world.server.options = options({
      can_purchase: false,
      blocked_reason: 'not_admin',
      contact: { name: 'Grace', email: 'grace@example.com' },
    });
    const { run, asked, store, notices } = await start(world);
    did.answer = ({ actions }) => actions[0];
    await run();
    deepEqual(asked, ['ask']);
    equal(world.server.count(/purchases$/, 'POST'), 0);
    await askAdmin({ store, notices, open: async () => true, nowMs: () => world.clock.now(), locale: 'en' });
    ok(
      did.clipboard.includes('Analytical Engines') && did.clipboard.includes('5,218 credits left.'),
      did.clipboard,
    );
    ok(notices.current?.text.includes('grace@example.com'));
  });
});
