import { deepEqual, equal } from 'node:assert/strict';
import type { OrgSettings, Purchase } from '../../../protocol/api.ts';
import { minutes } from '../../../src/core/clock.ts';
import { connector } from '../../../src/core/connect.ts';
import { Records } from '../../../src/core/records.ts';
import { FakeClock, settled } from '../../support/clock.ts';
import { account, CollectingLog, FakeSessions, signIn } from '../../support/core.ts';
import { json, problem, ScriptedServer, unreachable } from '../../support/scriptedServer.ts';

const purchase = (id: string): Purchase => ({
  id,
  org_id: account.orgId,
  status: 'credited',
  amount_minor: 5_000,
  currency: 'usd',
  credits_ucr: 5_000_000_000,
  checkout_url: null,
  expires_at: '2026-11-22T12:00:00Z',
  created_by: { id: 'usr_1', name: 'Ada' },
  created_at: '2026-11-22T12:00:00Z',
  credited_at: null,
  balance_version: null,
  refunded_minor: 0,
  dispute: null,
  receipt_url: null,
  invoice_url: null,
  failure: null,
});

const report = {
  group_by: 'day',
  scope: 'all',
  from: '2026-10-23T12:00:00Z',
  to: '2026-11-22T12:00:00Z',
  total_ucr: 0,
  data: [],
};

function world() {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const sessions = new FakeSessions();
  const quiet = {
    quietUntilMs: Number.NEGATIVE_INFINITY,
    pauses: [] as number[],
    pause: (ms: number) => void quiet.pauses.push(ms),
  };
  let page = 0;
  let settings: OrgSettings = {
    low_balance_threshold_ucr: null,
    contact: { name: 'Ada', email: 'ada@example.com' },
  };
  server.instead = ({ method, path, body }) => {
    if (path.endsWith('/usage')) {
      return json(report);
    }
    if (path.endsWith('/settings')) {
      settings = method === 'PUT' ? (body as OrgSettings) : settings;
      return json(settings);
    }
    if (path.endsWith('/purchases')) {
      page++;
      return json({ data: [purchase(`pur_${page}`)], next_cursor: page < 3 ? `c${page}` : null });
    }
    return undefined;
  };
  const connect = connector({ fetch: server.fetch, clock, userAgent: 'test/0' });
  const records = new Records({ sessions, connect, clock, quiet, log: new CollectingLog() });
  const ids = () => records.state.payments.value?.purchases.map(({ id }) => id);
  return { clock, server, sessions, quiet, records, ids };
}

describe('past payments and usage', () => {
  it('asks for nothing until someone looks, and once for all who look at the same time', async () => {
    const { server, records } = world();
    await settled();
    equal(server.seen.length, 0);
    await Promise.all([records.look(), records.look()]);
    equal(server.count(/\/purchases$/), 1);
    equal(server.count(/\/usage$/), 1);
    equal(server.count(/\/settings$/), 1);
    equal(server.count(/\/me$/), 1);
    await records.look();
    equal(server.seen.length, 4, 'what is fresh is not asked for again');
  });

  it('brings further pages when wanted, to the last', async () => {
    const { records, server, ids } = world();
    await records.look();
    await records.morePayments();
    await records.morePayments();
    deepEqual(ids(), ['pur_1', 'pur_2', 'pur_3']);
    await records.morePayments();
    equal(server.count(/\/purchases$/), 3);
  });

  it('F1 tells a failure in its place, and keeps what was known', async () => {
    const { records, server, ids } = world();
    await records.look();
    server.instead = () => Promise.reject(unreachable());
    await records.refreshPayments();
    equal(records.state.payments.error?.reason, 'offline');
    equal(records.state.payments.busy, false);
    deepEqual(ids(), ['pur_1']);
    equal(records.state.usage.error, undefined);
  });

  it('F5 passes a pause on, and asks nothing while there is one', async () => {
    const { records, server, quiet } = world();
    server.instead = () => problem(429, 'rate_limited', { retry_after_s: 7 });
    await records.refreshPayments();
    deepEqual(quiet.pauses, [7_000]);
    quiet.quietUntilMs = Number.POSITIVE_INFINITY;
    const before = server.seen.length;
    await records.refreshPayments();
    equal(server.seen.length, before);
    equal(records.state.payments.error?.reason, 'rateLimited');
  });

  it('lets go of everything with the sign-in, and of an answer that comes too late', async () => {
    const { records, sessions, ids } = world();
    const asked = records.look();
    sessions.set({ ...signIn, account: { ...account, orgId: 'org_2' } });
    await asked;
    equal(ids(), undefined);
    equal(records.state.usage.value, undefined);
  });

  it('counts the organisations, once in an hour', async () => {
    const { records, clock, server } = world();
    await records.look();
    equal(records.state.organisations.value, 1);
    await clock.advance(minutes(2));
    await records.look();
    equal(server.count(/\/me$/), 1);
    equal(server.count(/\/settings$/), 2);
  });

  it('sets the low balance, and leaves the contact as the server has it by now', async () => {
    const { records, server } = world();
    await records.look();
    await records.setLowBalance(2_500_000_000);
    const put = server.seen.filter(({ method }) => method === 'PUT').map(({ body }) => body);
    deepEqual(put, [
      { low_balance_threshold_ucr: 2_500_000_000, contact: { name: 'Ada', email: 'ada@example.com' } },
    ]);
    equal(records.state.settings.value?.low_balance_threshold_ucr, 2_500_000_000);
    await records.setLowBalance(null);
    equal(records.state.settings.value?.low_balance_threshold_ucr, null);
  });

  it('F21 sends back what a newer server has besides', async () => {
    const { records, server } = world();
    const others = server.instead;
    server.instead = seen =>
      seen.method === 'GET' && seen.path.endsWith('/settings')
        ? json({ low_balance_threshold_ucr: null, contact: null, auto_top_up: { below_ucr: 5 } })
        : others?.(seen);
    await records.setLowBalance(2_500_000_000);
    const put = server.seen.find(({ method }) => method === 'PUT')?.body;
    deepEqual(put, {
      low_balance_threshold_ucr: 2_500_000_000,
      contact: null,
      auto_top_up: { below_ucr: 5 },
    });
  });

  it('F1 keeps the setting there was where a new one cannot be saved, and says why', async () => {
    const { records, server } = world();
    await records.look();
    server.instead = () => Promise.reject(unreachable());
    await records.setLowBalance(1_000_000);
    equal(records.state.settings.value?.low_balance_threshold_ucr, null);
    equal(records.state.settings.error?.reason, 'offline');
    equal(records.state.settings.busy, false);
  });

  it('T20 takes no for an answer where settings are not the person’s, and does not ask at every look', async () => {
    const { records, server, clock } = world();
    const others = server.instead;
    server.instead = seen =>
      seen.path.endsWith('/settings') ? problem(403, 'insufficient_role') : others?.(seen);
    await records.look();
    equal(records.state.settings.error?.reason, 'forbidden');
    await records.look();
    equal(server.count(/\/settings$/), 1);
    await clock.advance(minutes(1));
    await records.look();
    equal(server.count(/\/settings$/), 2, 'who becomes an administrator is told');
  });
});
