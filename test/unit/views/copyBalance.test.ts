import { deepEqual, equal } from 'node:assert/strict';
import { settled } from '../../support/clock.ts';
import { balance, problem, unreachable } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { copyBalance } = await import('../../../src/views/copyBalance.ts');
const { did } = fake;

async function set(world = new World()) {
  did.reset();
  const { store } = world.start();
  await settled();
  return { world, store, copy: (locale = 'en-US') => copyBalance(store, world.clock, locale) };
}

/** As the editor's person reads it, whatever zone these tests run in. */
const timeText = (ms: number, locale: string) =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(ms);

describe('copying the balance', () => {
  it('takes organisation, figure and age to the clipboard, and says so', async () => {
    const { world, copy } = await set();
    await copy();
    equal(did.clipboard, `Analytical Engines: 5,218 credits as of ${timeText(world.clock.now(), 'en-US')}`);
    deepEqual(did.passing, ['The balance was copied.']);
  });

  it('writes figure and time as the language does', async () => {
    const { world, copy } = await set();
    await copy('de');
    equal(did.clipboard, `Analytical Engines: 5.218 credits as of ${timeText(world.clock.now(), 'de')}`);
  });

  it('F1 gives an old balance with the time it is from', async () => {
    const { world, store, copy } = await set();
    const readAtMs = world.clock.now();
    world.server.instead = () => Promise.reject(unreachable());
    await world.clock.advance(3_600_000);
    await store.refresh();
    await copy();
    equal(did.clipboard, `Analytical Engines: 5,218 credits as of ${timeText(readAtMs, 'en-US')}`);
  });

  it('copies nothing, least of all a 0, where none is known', async () => {
    const world = new World();
    world.server.instead = ({ path }) =>
      path.endsWith('/balance') ? problem(403, 'insufficient_role') : undefined;
    const { copy } = await set(world);
    await copy();
    equal(did.clipboard, '');
    deepEqual(
      did.messages.map(({ text }) => text),
      ['The balance is not known at the moment.'],
    );
  });

  it('copies a debt with its sign', async () => {
    const world = new World();
    world.server.balance = balance({ available_ucr: -120_000_000 });
    const { copy } = await set(world);
    await copy();
    equal(did.clipboard.startsWith('Analytical Engines: -120 credits'), true, did.clipboard);
  });
});
