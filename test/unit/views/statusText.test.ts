import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Balance } from '../../../src/core/balance.ts';
import { loading, signedOut } from '../../../src/core/balance.ts';
import type { Pending } from '../../../src/core/checkout.ts';
import type { CreditsState } from '../../../src/core/creditsStore.ts';
import { CreditsError } from '../../../src/core/errors.ts';
import { account } from '../../support/core.ts';
import { balance, options } from '../../support/scriptedServer.ts';
import '../../support/vscode.ts';

const { statusText } = await import('../../../src/views/statusText.ts');

const last = { snapshot: balance(), atMs: 0 };
const offline = new CreditsError('offline');
const waiting: Pending = {
  amountMinor: 5_000,
  currency: 'usd',
  creditsUcr: 5_000_000_000,
  phase: 'waiting',
  host: 'checkout.stripe.com',
  canCopyLink: true,
  error: undefined,
};

function say(
  of: Balance,
  more: {
    pending?: Pending;
    ageMs?: number;
    state?: Partial<CreditsState>;
    shown?: Partial<Parameters<typeof statusText>[0]>;
  } = {},
) {
  const state: CreditsState = { account, balance: of, options: options(), refreshing: false, ...more.state };
  return statusText({
    state,
    pending: more.pending,
    ageMs: () => more.ageMs ?? 0,
    nowMs: Date.parse('2026-11-22T12:00:00Z'),
    locale: 'en',
    format: 'credits',
    isOrgShown: false,
    ...more.shown,
  });
}

const withFigure = (available_ucr: number): Balance => ({
  kind: 'known',
  last: { snapshot: balance({ available_ucr }), atMs: 0 },
});

describe('the status bar', () => {
  const rows: ReadonlyArray<
    readonly [title: string, of: Balance, more: Parameters<typeof say>[1], text: string, tone: string]
  > = [
    ['signed out', signedOut, {}, 'Sign in for credits', 'plain'],
    ['loading, nothing known', loading(), {}, '–', 'plain'],
    ['loading, with the figure of last time', loading(last), {}, '5,218', 'plain'],
    [
      'loading, with the figure of yesterday',
      loading(last),
      { ageMs: 16 * 3_600_000 },
      '5,218 · 16 h ago',
      'plain',
    ],
    ['known', { kind: 'known', last }, {}, '5,218', 'plain'],
    [
      'F1 stale',
      { kind: 'stale', last, error: offline },
      { ageMs: 6 * 60_000 },
      '5,218 · 6 min ago',
      'plain',
    ],
    [
      'waiting for a payment',
      { kind: 'known', last },
      { pending: waiting },
      '5,218 · Waiting for payment',
      'plain',
    ],
    [
      'F50 payment in progress',
      { kind: 'known', last },
      { pending: { ...waiting, phase: 'processing' } },
      '5,218 · Payment in progress',
      'plain',
    ],
    ['F15 forbidden', { kind: 'forbidden', error: new CreditsError('forbidden') }, {}, 'Credits', 'plain'],
    ['F1 failed, nothing known: never 0', { kind: 'failed', error: offline }, {}, '–', 'plain'],
    [
      'F13 token refused',
      { kind: 'failed', error: new CreditsError('unauthenticated'), last },
      {},
      'Sign in again for credits',
      'warning',
    ],
    ['d-1 zero', withFigure(0), {}, '0', 'error'],
    ['F22 d-7 negative', withFigure(-120_000_000), {}, '-120, over limit', 'error'],
    [
      '75 % used',
      {
        kind: 'known',
        last: {
          snapshot: balance({ usage: { basis: 'period', period_id: 'p', used_ucr: 75, total_ucr: 100 } }),
          atMs: 0,
        },
      },
      {},
      '5,218',
      'warning',
    ],
    [
      'a unit of another vendor',
      { kind: 'known', last: { snapshot: balance({ unit: 'usd', available_ucr: 9_250_000 }), atMs: 0 } },
      {},
      '9.25 USD',
      'plain',
    ],
  ];
  for (const [title, of, more, text, tone] of rows) {
    it(`says "${text}" when ${title}`, () => {
      const status = say(of, more);
      equal(status.text, text);
      equal(status.tone, tone);
    });
  }

  it('d-36 speaks no icon names', () => {
    for (const [, of, more] of rows) {
      ok(!/\$\(/.test(say(of, more).label));
    }
  });

  it('leads to signing in when that is what helps, else to the panel', () => {
    equal(say(signedOut).command, 'credits.signIn');
    equal(say({ kind: 'failed', error: new CreditsError('unauthenticated') }).command, 'credits.signIn');
    equal(say({ kind: 'known', last }).command, 'credits.open');
  });

  it('says TEST MODE in the tooltip unless payments are real', () => {
    const lines = (mode: string) =>
      say({ kind: 'known', last }, { state: { options: options({ payment_mode: mode }) } }).tooltip.map(
        line => (line.kind === 'links' ? '' : line.text),
      );
    ok(lines('test').some(line => line.startsWith('TEST MODE')));
    ok(lines('sandbox').some(line => line.startsWith('TEST MODE')));
    ok(!lines('live').some(line => line.startsWith('TEST MODE')));
  });

  it('names organisation, parts and time of the balance', () => {
    const snapshot = balance({
      included: {
        state: 'available',
        granted_ucr: 1_000_000_000,
        remaining_ucr: 218_000_000,
        period_start: '2026-11-01T00:00:00Z',
        resets_at: '2026-12-01T00:00:00Z',
      },
      purchased: { remaining_ucr: 5_000_000_000 },
      usage: { basis: 'period', period_id: 'p', used_ucr: 129, total_ucr: 1_000 },
    });
    const lines = say({ kind: 'known', last: { snapshot, atMs: 0 } }).tooltip.map(line =>
      line.kind === 'links' ? '' : line.text,
    );
    deepEqual(lines.slice(0, 6), [
      'Analytical Engines',
      '5,218 credits available',
      'Included: 218 of 1,000 left, renewed Dec 1',
      'Add-on: 5,000',
      'Included credits are spent first, add-on credits last.',
      '12 % used',
    ]);
    ok(lines[6]?.startsWith('As of '));
  });

  const tooltip = (change: Parameters<typeof balance>[0]) =>
    say({ kind: 'known', last: { snapshot: balance(change), atMs: 0 } })
      .tooltip.flatMap(line => (line.kind === 'text' ? [line.text] : []))
      .filter(text => !/^As of|^Signed in as|^TEST MODE/.test(text));
  const mine = {
    id: 'bud_1',
    scope: 'user',
    name: 'Ada',
    limit_ucr: 100_000_000,
    used_ucr: 80_000_000,
    period: 'month',
    period_start: '2026-11-01T00:00:00Z',
    resets_at: '2026-12-01T00:00:00Z',
  };

  it('counts what was given with what was bought, as the panel does', () => {
    const promotional = { remaining_ucr: 218_000_000 };
    const purchased = { remaining_ucr: 5_000_000_000 };
    deepEqual(tooltip({ usage: null, purchased, promotional }), ['5,218 credits available', 'Add-on: 5,218']);
  });

  it('has no line for what there is nothing to say about', () => {
    deepEqual(tooltip({ usage: null }), ['5,218 credits available', 'Add-on: 5,218']);
    deepEqual(tooltip({ usage: null, included: { state: 'unavailable', reason: 'plan_service_down' } }), [
      '5,218 credits available',
      'Included: not known',
      'Add-on: 5,218',
    ]);
  });

  it('b-10 b-12 names budgets, how long it lasts, what expires, and which limit comes first', () => {
    const team = { ...mine, id: 'bud_2', scope: 'team', name: 'Compilers', limit_ucr: 900_000_000 };
    deepEqual(
      tooltip({
        usage: null,
        budgets: [mine, team],
        runway: { days: 41, low_days: 30, high_days: 55, from_days: 14 },
        next_expiry: { at: '2027-01-15T00:00:00Z', amount_ucr: 50_000_000 },
        stopped_by: null,
      }),
      [
        '5,218 credits available',
        'Add-on: 5,218',
        '50 credits will expire on Jan 15, 2027',
        'Your budget: 80 of 100 used, renewed Dec 1',
        'The budget of Compilers: 80 of 900 used, renewed Dec 1',
        'Lasts about 41 days at the present pace (30 to 55)',
        'Your budget would stop you before the balance does.',
      ],
    );
    deepEqual(
      tooltip({
        budgets: [{ ...mine, used_ucr: 100_000_000 }],
        stopped_by: { kind: 'budget', budget_id: 'bud_1' },
      }).at(-1),
      'Your budget stops your requests; an administrator can raise it.',
    );
    deepEqual(
      tooltip({ available_ucr: 0, stopped_by: { kind: 'balance', budget_id: null } }).at(-1),
      'The balance stops your requests until credits are added.',
    );
  });

  it('falls back to credits where a format has no figure, and when nothing is left', () => {
    const text = (format: 'percent' | 'runway' | 'compact', change: Parameters<typeof balance>[0]) =>
      say({ kind: 'known', last: { snapshot: balance(change), atMs: 0 } }, { shown: { format } }).text;
    equal(text('percent', { usage: null }), '5,218');
    equal(text('runway', { runway: null }), '5,218');
    equal(text('compact', { available_ucr: 999_900_000 }), '999');
    equal(text('percent', { available_ucr: -5_000_000 }), '-5, over limit');
  });
});
