import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import type { SignIn } from '../../../src/core/account.ts';
import { lastReading } from '../../../src/core/balance.ts';
import { connector } from '../../../src/core/connect.ts';
import { type CachedBalance, CreditsStore, readCachedBalance } from '../../../src/core/creditsStore.ts';
import { FakeClock, settled } from '../../support/clock.ts';
import { account, CollectingLog, FakeSessions, MemorySlot, ORG, signIn } from '../../support/core.ts';
import { balance, html, json, problem, ScriptedServer, unreachable } from '../../support/scriptedServer.ts';

function set(given: { cached?: CachedBalance; sessions?: FakeSessions; fetch?: typeof fetch } = {}) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const sessions = given.sessions ?? new FakeSessions();
  const cache = new MemorySlot<CachedBalance>(given.cached);
  const log = new CollectingLog();
  const connect = connector({ fetch: given.fetch ?? server.fetch, clock, userAgent: 'test/1' });
  const store = new CreditsStore({ sessions, connect, clock, cache, log });
  return { clock, server, sessions, cache, log, store };
}

const cached = (clock: FakeClock, agoMs: number, version = 1): CachedBalance => ({
  account,
  snapshot: balance({ version }),
  savedAtMs: clock.now() - agoMs,
});

/** The figure on screen, or undefined for none. */
const shown = (store: CreditsStore) => lastReading(store.state.balance)?.snapshot.available_ucr;

describe('the credits store', function () {
  this.timeout(20_000);

  it('is signed out, with nothing asked, when nobody is signed in', async () => {
    const sessions = new FakeSessions();
    sessions.current = undefined;
    const { store, server } = set({ sessions });
    await store.refresh();
    equal(store.state.balance.kind, 'signedOut');
    equal(server.seen.length, 0);
  });

  it('knows the balance after a refresh', async () => {
    const { store } = set();
    await store.refresh();
    equal(store.state.balance.kind, 'known');
    equal(shown(store), 5_218_000_000);
  });

  it('shows the balance of last time at once, with its age, before anything is asked', () => {
    const clock = new FakeClock();
    const { store, server } = set({ cached: cached(clock, 6 * 60_000) });
    equal(store.state.balance.kind, 'loading');
    const last = lastReading(store.state.balance);
    ok(last);
    equal(store.ageMs(last), 6 * 60_000);
    equal(server.seen.length, 0);
  });

  it('shows it even while the secret storage has not answered yet', () => {
    const sessions = new FakeSessions();
    sessions.isRead = false;
    sessions.current = undefined;
    const { store } = set({ sessions, cached: cached(new FakeClock(), 0) });
    equal(shown(store), 5_218_000_000);
  });

  it("F17 shows nothing of another account's last balance", async () => {
    const { store, sessions } = set({ cached: cached(new FakeClock(), 0) });
    const other: SignIn = { token: 'other', account: { ...account, orgId: 'org_2' } };
    sessions.set(other);
    equal(shown(store), undefined);
    equal(store.state.account?.orgId, 'org_2');
  });

  it('keeps the last balance on screen while a refresh is under way (d-6)', async () => {
    const { store, server } = set();
    await store.refresh();
    let answer: (response: Response) => void = () => undefined;
    server.instead = () =>
      new Promise(resolve => {
        answer = resolve;
      });
    const waiting = store.refresh();
    await settled();
    equal(store.state.refreshing, true);
    equal(shown(store), 5_218_000_000);
    answer(json(balance({ version: 2, available_ucr: 7 })));
    await waiting;
    equal(store.state.refreshing, false);
    equal(shown(store), 7);
  });

  it('shares one request among all who ask at the same time', async () => {
    const { store, server } = set();
    await Promise.all(Array.from({ length: 20 }, () => store.refresh()));
    equal(server.count(/balance$/), 1);
  });

  it('asks again until a version that is known to exist is there', async () => {
    const { store, server, clock } = set();
    const refreshed = store.refresh(2);
    await clock.advance(400);
    server.balance = balance({ version: 2, available_ucr: 10_218_000_000 });
    await clock.advance(1_000);
    await refreshed;
    equal(shown(store), 10_218_000_000);
  });

  it('stops asking for a version that never comes', async () => {
    const { store, server, clock } = set();
    const refreshed = store.refresh(1_000);
    await clock.advance(60_000);
    await refreshed;
    equal(server.count(/balance$/), 5);
    await store.refresh();
    equal(server.count(/balance$/), 6);
  });

  it('F19 does not show an older version than an earlier session saw, unless the server insists', async () => {
    const { store, server, clock } = set({ cached: cached(new FakeClock(), 0, 50) });
    server.balance = balance({ version: 3, available_ucr: 1 });
    const refreshed = store.refresh();
    await clock.advance(3_000);
    equal(shown(store), 5_218_000_000);
    equal(store.state.balance.kind, 'loading');
    await clock.advance(60_000);
    await refreshed;
    equal(store.state.balance.kind, 'known');
    equal(shown(store), 1);
  });

  it('drops an answer that comes after the account has changed', async () => {
    const { store, server, sessions } = set();
    let answer: (response: Response) => void = () => undefined;
    server.instead = () =>
      new Promise(resolve => {
        answer = resolve;
      });
    const waiting = store.refresh();
    await settled();
    sessions.set({ token: 'other', account: { ...account, personId: 'usr_2' } });
    answer(json(balance({ available_ucr: 666 })));
    await waiting;
    equal(shown(store), undefined);
    equal(store.state.balance.kind, 'loading');
  });

  it('F17 b-11 takes nothing in from a window of another account or organisation', async () => {
    const { store, clock } = set();
    const other = { ...account, orgId: 'org_2', orgName: 'Orbit' };
    const snapshot = balance({ org_id: 'org_2', available_ucr: 666 });
    const last = { account: other, snapshot, savedAtMs: clock.now() };
    for (const whose of [other, { ...account, personId: 'usr_2' }]) {
      store.take({ account: whose, last, options: undefined, problem: undefined });
      deepEqual(store.state.account, account);
      equal(shown(store), undefined);
    }
  });

  it('forgets the figure at a sign-out, on screen and on disk', async () => {
    const { store, sessions, cache } = set();
    await store.refresh();
    sessions.set(undefined);
    equal(store.state.balance.kind, 'signedOut');
    equal(cache.read(), undefined);
  });

  it('F1 keeps the figure when the server cannot be reached, and says so in the log, once, without the token', async () => {
    const { store, server, log } = set();
    await store.refresh();
    server.instead = () => Promise.reject(unreachable());
    await store.refresh();
    equal(store.state.balance.kind, 'stale');
    equal(shown(store), 5_218_000_000);
    deepEqual(log.lines, ['balance: offline ECONNREFUSED']);
    equal(log.lines.join().includes(signIn.token), false);
  });

  it('F12 asks nothing while the server wants its peace', async () => {
    const { store, server, clock } = set();
    server.instead = () => problem(429, 'rate_limited', {}, { 'retry-after': '30' });
    await store.refresh();
    server.instead = undefined;
    await clock.advance(29_999);
    await store.refresh();
    await store.refreshOptions();
    equal(server.seen.length, 1);
    await clock.advance(1);
    await store.refresh();
    equal(store.state.balance.kind, 'known');
  });

  for (const days of [1, -1]) {
    it(`T39 F43 shows the same age when the wall clock is set by ${days} day`, async () => {
      const { store, clock } = set();
      await store.refresh();
      await clock.advance(90_000);
      clock.setWall(days * 86_400_000);
      const last = lastReading(store.state.balance);
      ok(last);
      equal(store.ageMs(last), 90_000);
    });
  }

  it('T39 does not make a stored figure younger than now when the wall clock was set back', () => {
    const clock = new FakeClock();
    const { store } = set({ cached: cached(clock, -86_400_000) });
    const last = lastReading(store.state.balance);
    ok(last);
    equal(store.ageMs(last), 0);
  });

  it('F16 learns of a role that was taken away', async () => {
    const { store, server } = set();
    await store.refreshOptions();
    equal(store.state.options?.can_purchase, true);
    server.role = 'user';
    server.options = { ...server.options, can_purchase: false, blocked_reason: 'not_admin' };
    await store.refreshOptions();
    equal(store.state.options?.can_purchase, false);
    equal(store.state.account?.role, 'user');
  });

  it('F35 writes nothing after it is disposed', async () => {
    const { store, server } = set();
    let fired = 0;
    let answer: (response: Response) => void = () => undefined;
    server.instead = () =>
      new Promise(resolve => {
        answer = resolve;
      });
    void store.refresh();
    await settled();
    store.onDidChange(() => fired++);
    store.dispose();
    answer(json(balance()));
    await settled();
    equal(fired, 0);
  });
});

describe('the balance kept for the next start', () => {
  const good = { account, snapshot: balance(), savedAtMs: 1 };

  it('is read back as it was', () => {
    deepEqual(readCachedBalance(JSON.parse(JSON.stringify(good))), good);
  });

  it('F32 is ignored when it is damaged anywhere', () => {
    const spoil = (path: string[], value: unknown): unknown => {
      const copy: unknown = JSON.parse(JSON.stringify(good));
      let at = copy as Record<string, unknown>;
      for (const key of path.slice(0, -1)) {
        at = at[key] as Record<string, unknown>;
      }
      at[path.at(-1) ?? ''] = value;
      return copy;
    };
    const damaged = [
      undefined,
      null,
      5,
      'x',
      [],
      {},
      spoil(['account'], undefined),
      spoil(['account', 'orgId'], 'org_2'),
      spoil(['savedAtMs'], 'yesterday'),
      spoil(['snapshot'], null),
      spoil(['snapshot', 'available_ucr'], null),
      spoil(['snapshot', 'available_ucr'], 1.5),
      spoil(['snapshot', 'available_ucr'], 2 ** 60),
      spoil(['snapshot', 'version'], '1'),
      spoil(['snapshot', 'usage'], 3),
      spoil(['snapshot', 'usage', 'total_ucr'], null),
      spoil(['snapshot', 'included'], undefined),
      spoil(['snapshot', 'purchased'], 5),
      spoil(['snapshot', 'low_balance'], {}),
    ];
    deepEqual(
      damaged.map(readCachedBalance),
      damaged.map(() => undefined),
    );
  });
});

describe('whatever the server answers, in whatever order', () => {
  type Step =
    | { kind: 'answer'; version: number; org: string }
    | { kind: 'fail'; how: number }
    | { kind: 'switch'; org: string | undefined }
    | { kind: 'late' };

  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('answer' as const),
        version: fc.integer({ min: 1, max: 30 }),
        org: fc.constantFrom('org_1', 'org_1', 'org_1', 'org_2'),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('fail' as const), how: fc.nat(6) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('switch' as const),
        org: fc.constantFrom('org_1', 'org_2', undefined),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'late' as const }) },
  );

  /** So that a figure tells where it comes from: organisation and version. Never 0. */
  const figure = (org: string, version: number) => (org === 'org_1' ? 1_000_000 : 2_000_000) + version;

  it("never shows an older version after a newer one, a zero for an error, or another organisation's number (I7)", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async steps => {
        const server = new ScriptedServer();
        const { store, sessions, clock } = set({ fetch: server.fetch });
        let org: string | undefined = ORG;
        let newest = 0;
        store.onDidChange(state => {
          const last = lastReading(state.balance);
          if (!last) {
            return;
          }
          const { available_ucr, version, org_id } = last.snapshot;
          equal(org_id, org, 'another organisation');
          equal(available_ucr, figure(org_id, version), 'a number that nobody sent');
          if (state.balance.kind !== 'loading') {
            // What an earlier session kept is shown, but it does not outvote a server that insists on less.
            ok(version >= newest, `version ${version} after ${newest}`);
            newest = version;
          }
        });
        const held: Array<() => void> = [];
        const refresh = async () => {
          const refreshed = store.refresh();
          await clock.advance(10_000);
          await refreshed;
        };
        for (const step of steps) {
          switch (step.kind) {
            case 'answer': {
              const { version, org: of } = step;
              server.instead = () =>
                json(balance({ org_id: of, version, available_ucr: figure(of, version) }));
              await refresh();
              break;
            }
            case 'fail': {
              const { how } = step;
              const failures = [
                () => Promise.reject(unreachable()),
                () => html(200),
                () => problem(500, 'internal_error'),
                () => problem(401, 'unauthenticated'),
                () => json({ available_ucr: 0 }),
                () => new Response('', { status: 204 }),
                () => json(0),
              ];
              server.instead = failures[how] ?? (() => html());
              await refresh();
              notEqualKind(store.state.balance.kind, org === undefined);
              break;
            }
            case 'switch':
              org = step.org;
              newest = 0;
              sessions.set(
                org === undefined ? undefined : { token: 't', account: { ...account, orgId: org } },
              );
              break;
            case 'late': {
              // An answer that is held back until the very end, with an old version of the organisation of now.
              const of = org ?? ORG;
              server.instead = () =>
                new Promise(resolve =>
                  held.push(() =>
                    resolve(json(balance({ org_id: of, version: 1, available_ucr: figure(of, 1) }))),
                  ),
                );
              void store.refresh();
              await settled();
              if (org !== undefined) {
                // Signing in again abandons it; the account stays the same.
                newest = 0;
                sessions.set({ token: `t${held.length}`, account: { ...account, orgId: org } });
              }
              break;
            }
          }
        }
        for (const release of held) {
          release();
        }
        await clock.advance(10_000);
        store.dispose();
      }),
      { numRuns: 300, seed: 20_261_122 },
    );
  });
});

function notEqualKind(kind: string, isSignedOut: boolean): void {
  equal(kind === 'signedOut', isSignedOut, 'a failure is no sign-out');
}
