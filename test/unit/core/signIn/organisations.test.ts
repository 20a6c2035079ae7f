// Two people, two organisations, two windows: everything that was shown is recorded, and no figure of one ever stands
// under another's name.
import { deepEqual, ok } from 'node:assert/strict';
import { accountKey, type SignIn } from '../../../../src/core/account.ts';
import { lastReading } from '../../../../src/core/balance.ts';
import { settled } from '../../../support/clock.ts';
import { account } from '../../../support/core.ts';
import { balance, json } from '../../../support/scriptedServer.ts';
import { House, type Window } from '../../../support/windows.ts';

const figures: Readonly<Record<string, number>> = { org_1: 5_218_000_000, org_2: 1_200_000_000 };

const ada: SignIn = { account, token: 'ada-1' };
const adaAtOrbit: SignIn = { account: { ...account, orgId: 'org_2', orgName: 'Orbit' }, token: 'ada-1' };
const max: SignIn = {
  account: { ...account, personId: 'usr_2', personName: 'Max', orgId: 'org_2', orgName: 'Orbit' },
  token: 'max-1',
};

interface Shown {
  readonly window: string;
  readonly orgId: string;
  readonly ofOrg: string | undefined;
  readonly availableUcr: number | undefined;
  /** Whether it is about whom the window is signed in as. */
  readonly isOwn: boolean;
}

function record(window: Window, shown: Shown[]): void {
  window.store.onDidChange(({ account: whose, balance: state }) => {
    const snapshot = lastReading(state)?.snapshot;
    if (whose) {
      const availableUcr = snapshot?.available_ucr;
      const { current } = window.sessions;
      const isOwn = current !== undefined && accountKey(whose) === accountKey(current.account);
      shown.push({ window: window.name, orgId: whose.orgId, ofOrg: snapshot?.org_id, availableUcr, isOwn });
    }
  });
}

describe('several organisations', () => {
  it("F17 b-11 never show one's figure under another's name: two people, two organisations, two windows", async () => {
    const house = new House();
    const late: Array<() => void> = [];
    let holds: boolean = false;
    house.server.instead = ({ path }) => {
      const orgId = /orgs\/(org_\d)\/balance$/.exec(path)?.[1];
      if (orgId === undefined) {
        return undefined;
      }
      const answer = json(balance({ org_id: orgId, available_ucr: figures[orgId] ?? 0, version: 7 }));
      // Answers that arrive after someone has switched are the dangerous ones.
      return holds ? new Promise(resolve => late.push(() => resolve(answer))) : answer;
    };
    const shown: Shown[] = [];
    const windows = [house.open(), house.open()];
    for (const window of windows) {
      record(window, shown);
    }
    const everywhere = async (signIn: SignIn | undefined) => {
      for (const window of windows) {
        window.sessions.set(signIn);
        // The folder's news of the one before may come in between the two windows' switching.
        await house.clock.advance(1_500);
      }
    };
    for (const signIn of [ada, adaAtOrbit, ada, max, undefined, adaAtOrbit, ada]) {
      await everywhere(signIn);
      await house.clock.advance(20_000);
      holds = true;
      for (const { store } of windows) {
        void store.refresh();
      }
      await settled();
      await everywhere(signIn === ada ? max : ada);
      for (const answer of late.splice(0)) {
        answer();
      }
      holds = false;
      await house.clock.advance(20_000);
    }
    for (const one of shown) {
      ok(one.isOwn, JSON.stringify(one));
      if (one.ofOrg !== undefined) {
        deepEqual([one.ofOrg, one.availableUcr], [one.orgId, figures[one.orgId]], JSON.stringify(one));
      }
    }
    const seen = new Set(shown.filter(one => one.ofOrg).map(one => `${one.window} ${one.orgId}`));
    deepEqual(seen, new Set(['w1 org_1', 'w1 org_2', 'w2 org_1', 'w2 org_2']));
    ok(shown.length > 50);
    for (const window of windows) {
      await window.close();
    }
  });
});
