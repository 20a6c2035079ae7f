import { deepEqual, equal, throws } from 'node:assert/strict';
import type { CreditsApi } from '../../../src/api.ts';
import { Owned } from '../../../src/core/event.ts';
import { publicApi } from '../../../src/core/outlook.ts';
import { settled } from '../../support/clock.ts';
import { signIn } from '../../support/core.ts';
import { balance, unreachable } from '../../support/scriptedServer.ts';
import { House } from '../../support/windows.ts';

async function set() {
  const house = new House();
  const window = house.open();
  const owned = new Owned();
  const api: CreditsApi = publicApi(
    window.store,
    () => window.windows.hint(),
    part => owned.own(part),
  );
  await house.clock.advance(2_000);
  return { house, window, api, owned };
}

describe('what other extensions get', () => {
  it('is exactly four things, and cannot be changed', async () => {
    const { api } = await set();
    deepEqual(new Set(Object.keys(api)), new Set(['getSnapshot', 'onDidChange', 'hintUsage', 'hasCredits']));
    equal(Object.isFrozen(api), true);
    equal(Object.isFrozen(api.getSnapshot()), true);
  });

  it('tells figures and nothing else', async () => {
    const { api } = await set();
    deepEqual(api.getSnapshot(), {
      state: 'current',
      available: 5_218,
      unit: 'credits',
      percentUsed: 0,
      version: 1,
    });
  });

  it('T5 has no token, no account and no address in it', async () => {
    const { api } = await set();
    const text = JSON.stringify([api, api.getSnapshot()]);
    for (const secret of [signIn.token, signIn.account.serverUrl, signIn.account.orgName, 'usr_1', 'org_1']) {
      equal(text.includes(secret), false);
    }
  });

  it('says whether credits are there, and undefined when that is not known', async () => {
    const { api, window } = await set();
    equal(api.hasCredits(), true);
    equal(api.hasCredits(5_218), true);
    equal(api.hasCredits(5_218.5), false);
    equal(api.hasCredits(0), true);
    for (const nonsense of [Number.NaN, -1, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
      throws(() => api.hasCredits(nonsense), RangeError);
    }
    window.sessions.set(undefined);
    equal(api.hasCredits(), undefined);
    equal(api.getSnapshot().state, 'signedOut');
  });

  it('goes on with the last figure while the server is not reached, and says that it is outdated', async () => {
    const { house, api, window } = await set();
    house.server.instead = () => Promise.reject(unreachable());
    await window.store.refresh();
    equal(api.getSnapshot().state, 'outdated');
    equal(api.hasCredits(), true);
  });

  it('fires for a change and for nothing else, and no longer after its end', async () => {
    const { house, window, api, owned } = await set();
    const heard: Array<number | undefined> = [];
    api.onDidChange(({ available }) => heard.push(available));
    await window.store.refresh();
    house.server.balance = balance({ version: 2, available_ucr: 1_500_000 });
    await window.store.refresh();
    deepEqual(heard, [1.5]);
    owned.dispose();
    house.server.balance = balance({ version: 3, available_ucr: 0 });
    await window.store.refresh();
    deepEqual(heard, [1.5]);
  });

  it('T33 hears a thousand hints in five seconds as a question every two', async () => {
    const { house, api } = await set();
    const before = house.asked();
    for (let nth = 0; nth < 1_000; nth++) {
      api.hintUsage();
      if (nth % 10 === 0) {
        await house.clock.advance(50);
      }
    }
    await house.clock.advance(5_000);
    const asked = house.asked() - before;
    // One at once, then one every two seconds.
    equal(asked >= 1 && asked <= 5, true, `${asked} questions`);
  });

  it('asks nothing by a hint when signed out', async () => {
    const { house, api, window } = await set();
    window.sessions.set(undefined);
    await settled();
    const before = house.server.seen.length;
    api.hintUsage();
    await house.clock.advance(10_000);
    equal(house.server.seen.length, before);
  });
});
