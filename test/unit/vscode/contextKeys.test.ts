import { deepEqual, equal } from 'node:assert/strict';
import { settled } from '../../support/clock.ts';
import { balance, options, problem } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { ContextKeys } = await import('../../../src/vscode/contextKeys.ts');
const { did } = fake;

const open: Array<{ dispose(): void }> = [];

async function set(world = new World()) {
  did.reset();
  const { store } = world.start();
  const keys = new ContextKeys(store);
  open.push(keys);
  await settled();
  await store.refreshOptions();
  return { world, store, keys };
}

const isSet = (key: string) => did.contexts.get(`credits.${key}`);

describe('the context keys', () => {
  afterEach(() => {
    for (const keys of open.splice(0)) {
      keys.dispose();
    }
  });

  it('tell what is possible for an administrator', async () => {
    await set();
    deepEqual(Object.fromEntries(did.contexts), {
      'credits.signedIn': true,
      'credits.tokenRefused': false,
      'credits.canPurchase': true,
      'credits.canManageBilling': true,
      'credits.balanceKnown': true,
      'credits.low': false,
      'credits.depleted': false,
    });
  });

  it('T20 let a member neither buy nor manage billing, whatever buying waits for', async () => {
    const world = new World();
    world.server.options = options({
      can_purchase: false,
      can_manage_billing: false,
      blocked_reason: 'dispute_open',
    });
    await set(world);
    deepEqual([isSet('canPurchase'), isSet('canManageBilling')], [false, false]);
  });

  it('let an administrator manage billing while buying is blocked', async () => {
    const world = new World();
    world.server.options = options({
      can_purchase: false,
      can_manage_billing: true,
      blocked_reason: 'dispute_open',
    });
    await set(world);
    deepEqual([isSet('canPurchase'), isSet('canManageBilling')], [false, true]);
  });

  it('tell low from all used', async () => {
    const { world, store } = await set();
    for (const [level, expected] of [
      ['low', [true, false]],
      ['depleted', [true, true]],
      ['ok', [false, false]],
    ] as const) {
      world.server.balance = balance({
        version: world.server.balance.version + 1,
        low_balance: { ...world.server.balance.low_balance, level },
      });
      await store.refresh();
      deepEqual([isSet('low'), isSet('depleted')], expected, level);
    }
  });

  it('count a refused token as no sign-in, and forget nothing that is known of the balance', async () => {
    const { world, store } = await set();
    world.server.instead = () => problem(401, 'unauthenticated');
    await store.refresh();
    deepEqual([isSet('signedIn'), isSet('tokenRefused'), isSet('balanceKnown')], [false, true, true]);
  });

  it('are all off once the extension is', async () => {
    const { keys } = await set();
    keys.dispose();
    equal(did.contexts.size, 7);
    deepEqual(new Set(did.contexts.values()), new Set([false]));
  });
});
