// What the host says, in a language of accents: a letter without one is a sentence that no translation reaches.
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { englishBundle, pseudoBundle, readTranslation } from '../../../scripts/support/l10n.ts';
import { type Balance, loading, signedOut } from '../../../src/core/balance.ts';
import type { Pending, Settled } from '../../../src/core/checkout.ts';
import { CreditsError, type CreditsErrorReason } from '../../../src/core/errors.ts';
import type { Budget, Stop } from '../../../src/core/limits.ts';
import { SignInError, type SignInErrorReason } from '../../../src/core/signIn/errors.ts';
import type { News } from '../../../src/core/warnings.ts';
import { settled } from '../../support/clock.ts';
import { account } from '../../support/core.ts';
import { balance, options } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { statusText } = await import('../../../src/views/statusText.ts');
const { BalanceStatusBar } = await import('../../../src/views/statusBar.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { warningText } = await import('../../../src/views/warningText.ts');
const { Buying, endText } = await import('../../../src/views/buying.ts');
const { buyFromPalette } = await import('../../../src/views/buyCommand.ts');
const { Notices } = await import('../../../src/views/notices.ts');
const { askAdmin } = await import('../../../src/views/askAdmin.ts');
const { describeAddress, describeAmount, describeBlocked, describeError } = await import(
  '../../../src/views/describe.ts'
);
const { describeSignIn, nameOfWay } = await import('../../../src/views/describeSignIn.ts');
const { panelState } = await import('../../../src/views/panelState.ts');
const { pageOf } = await import('../../../src/views/deviceCodePage.ts');
const { ageText, creditsText, roleText } = await import('../../../src/views/text.ts');
const { did, l10n, env } = fake;

// Japanese writes dates without a letter that could pass for English.
const locale = 'ja';
const now = Date.parse('2026-11-22T12:00:00Z');
const order = { amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 };
const host = 'checkout.stripe.com';
const pending: Pending = { ...order, phase: 'waiting', host, canCopyLink: true, error: undefined };
const budget: Budget = {
  id: 'b1',
  scope: 'team',
  name: 'Engines',
  period: 'month',
  period_start: '2026-11-01T00:00:00Z',
  limit_ucr: 100_000_000,
  used_ucr: 95_000_000,
  resets_at: '2026-12-01T00:00:00Z',
};
const snapshot = balance({
  included: {
    state: 'available',
    granted_ucr: 9_000_000,
    remaining_ucr: 4_000_000,
    period_start: '2026-11-01T00:00:00Z',
    resets_at: '2026-12-01T00:00:00Z',
  },
  promotional: { remaining_ucr: 1_000_000 },
  next_expiry: { at: '2026-12-01T00:00:00Z', amount_ucr: 3_000_000 },
  budgets: [budget],
  stopped_by: { kind: 'budget', budget_id: 'b1' },
  runway: { days: 9, low_days: 7, high_days: 12, from_days: 7 },
});
const last = { snapshot, atMs: 0 };
const error = (reason: CreditsErrorReason) => new CreditsError(reason);

const balances: readonly Balance[] = [
  signedOut,
  loading(),
  loading(last),
  { kind: 'known', last },
  { kind: 'stale', last, error: error('offline') },
  { kind: 'failed', error: error('certificate') },
  { kind: 'failed', error: error('unauthenticated') },
  { kind: 'forbidden', error: error('forbidden') },
];
const reasons: readonly CreditsErrorReason[] = [
  'offline',
  'timeout',
  'unauthenticated',
  'forbidden',
  'notFound',
  'rejected',
  'rateLimited',
  'serverFault',
  'unreadable',
  'redirected',
  'proxy',
  'certificate',
];
const signInReasons: readonly SignInErrorReason[] = [
  'notOffered',
  'unsupported',
  'unreachable',
  'untrusted',
  'mismatch',
  'denied',
  'expired',
  'ended',
  'timeout',
  'canceled',
  'noWayBack',
  'refused',
];
const stops: readonly Stop[] = [
  { kind: 'balance' },
  { kind: 'budget', budget },
  { kind: 'budget', budget: undefined },
];
const news: readonly News[] = [
  ...stops.map(by => ({ kind: 'stopped', by }) as const),
  { kind: 'used', percent: 90 },
  { kind: 'used', percent: 100 },
  { kind: 'budget', budget, percent: 90 },
  { kind: 'budget', budget, percent: 100 },
  { kind: 'left' },
  { kind: 'runway', days: 1 },
  { kind: 'runway', days: 9 },
  { kind: 'includedUsedUp' },
  { kind: 'expiring', at: '2026-12-01T00:00:00Z', amountUcr: 3_000_000 },
  { kind: 'freed', budget },
  { kind: 'freed', budget: undefined },
  { kind: 'restored' },
];
const ends: readonly Settled[] = [
  { kind: 'credited', creditsUcr: order.creditsUcr, availableUcr: 1_000_000 },
  { kind: 'credited', creditsUcr: order.creditsUcr, availableUcr: undefined },
  { kind: 'expired', order },
  { kind: 'canceled', order },
  { kind: 'failed', order },
  { kind: 'needsReview', order },
];

/** Names, addresses and codes of the server's, which stay as they are. */
const data = [
  account.orgName,
  account.personName,
  budget.name,
  host,
  'ada@example.com',
  'credits.example.com',
  'USD',
];

function isTranslated(text: string): void {
  const rest = data
    .reduce((left, one) => left.replaceAll(one, ''), text)
    .replaceAll(/\$\([a-z-]+(~spin)?\)/g, '');
  ok(!/[a-z]/i.test(rest), `"${text}" is in English`);
}

describe('the host in a language of accents', () => {
  beforeEach(() => {
    did.reset();
    l10n.bundle = pseudoBundle(englishBundle());
    env.language = 'qps-ploc';
  });

  afterEach(() => {
    l10n.bundle = undefined;
    env.language = 'en';
  });

  it('has no English in the status bar and its tooltip, whatever the balance', () => {
    for (const one of balances) {
      for (const format of ['credits', 'percent', 'runway', 'compact'] as const) {
        for (const under of [undefined, pending, { ...pending, phase: 'processing' as const }]) {
          const state = { account, balance: one, options: options(), refreshing: false };
          const { text, label, tooltip } = statusText({
            state: one.kind === 'signedOut' ? { ...state, account: undefined, options: undefined } : state,
            pending: under,
            ageMs: () => 400_000,
            nowMs: now,
            locale,
            format,
            isOrgShown: true,
          });
          isTranslated(text);
          isTranslated(label);
          for (const line of tooltip) {
            for (const shown of line.kind === 'links' ? line.links.map(({ title }) => title) : [line.text]) {
              isTranslated(shown);
            }
          }
        }
      }
    }
  });

  it('has none in any fault, refusal, role, warning or end of a purchase', () => {
    for (const reason of reasons) {
      isTranslated(describeError(error(reason)));
    }
    for (const found of ['html', 'tooLarge', 'json'] as const) {
      isTranslated(describeError(new CreditsError('unreadable', { found })));
    }
    for (const reason of [
      null,
      'not_admin',
      'purchasing_disabled',
      'payments_unavailable',
      'dispute_open',
      'daily_limit',
      'past_due',
    ]) {
      isTranslated(describeBlocked(reason));
    }
    for (const problem of [
      'blank',
      'notAnAddress',
      'insecure',
      'userinfo',
      'queryOrFragment',
      'notAllowed',
    ] as const) {
      isTranslated(describeAddress(problem).replace('https://', ''));
    }
    const limits = { currency: 'usd', min_minor: 1_000, max_minor: 100_000, step_minor: 100 };
    for (const problem of [
      'blank',
      'not_a_number',
      'other_currency',
      'ambiguous',
      'not_a_step',
      'below_minimum',
      'above_maximum',
    ] as const) {
      isTranslated(describeAmount(problem, limits, locale));
    }
    for (const reason of signInReasons) {
      isTranslated(describeSignIn(new SignInError(reason)));
    }
    for (const way of ['loopback', 'editorUri', 'device', 'token'] as const) {
      isTranslated(nameOfWay(way));
    }
    for (const role of ['admin', 'team_owner', 'team_lead', 'user', 'service']) {
      isTranslated(roleText(role));
    }
    for (const one of news) {
      isTranslated(
        warningText(one, { org: account.orgName, snapshot, leftLimitUcr: 1_000_000, nowMs: now, locale }),
      );
    }
    for (const end of ends) {
      isTranslated(endText(end, locale));
    }
  });

  it('has none in what the panel is sent, nor in the page with a code', () => {
    for (const one of balances) {
      const state = panelState({
        state: {
          account: one.kind === 'signedOut' ? undefined : account,
          balance: one,
          options: options({ can_purchase: false, blocked_reason: 'not_admin' }),
          refreshing: false,
        },
        pending: undefined,
        notice: null,
        ageMs: () => 0,
        nowMs: now,
        locale,
        serverUrl: undefined,
      });
      JSON.stringify(state, (key, value: unknown) => {
        if (['reason', 'role', 'text'].includes(key) && typeof value === 'string') {
          isTranslated(value);
        }
        return value;
      });
    }
    const device = { userCode: '0000', url: `https://${host}`, urlWithCode: `https://${host}` };
    const page = pageOf(device as Parameters<typeof pageOf>[0], 'n');
    match(page, /<html lang="qps-ploc">/);
    const body = page.slice(page.indexOf('<main>'));
    isTranslated(body.replaceAll(/<[^>]*>/g, ' ').replaceAll('https://', ''));
    isTranslated(/aria-label="([^"]*)"/.exec(body)?.[1] ?? 'no label');
  });

  it('has none in a purchase from the palette, from the amounts to the end', async () => {
    const shown: string[] = [];
    did.pick = items => {
      for (const { label, description, detail } of items as Array<Record<string, string | undefined>>) {
        shown.push(label ?? '', description ?? '', detail ?? '');
      }
      return items[0];
    };
    const world = new World();
    const { checkout, store } = world.start();
    await settled();
    const notices = new Notices();
    const buying = new Buying({ checkout, store, notices, isPanelVisible: () => false, locale });
    const bar = new BalanceStatusBar(store, checkout, new Settings(), world.clock, locale);
    await buyFromPalette(store, buying, () => undefined, locale);
    await buying.copyLink();
    await buying.checkNow();
    world.server.credit();
    await world.clock.advance(60_000);
    await askAdmin({ store, notices, open: async () => true, nowMs: () => now, locale });
    ok(shown.length > 6);
    ok(did.messages.length >= 2);
    ok(did.items.length === 1);
    const said = did.messages.flatMap(({ text, actions }) => [text, ...actions]);
    const items = did.items.flatMap(({ texts, name, accessibilityInformation }) => [
      ...texts,
      name,
      accessibilityInformation?.label ?? '',
    ]);
    for (const text of [...shown, ...said, ...items, notices.current?.text ?? '', did.clipboard]) {
      isTranslated(text);
    }
    bar.dispose();
    buying.dispose();
  });
});

describe('figures in another language', () => {
  afterEach(() => {
    l10n.bundle = undefined;
  });

  it('German counts one credit as one, and writes figures and money its own way', () => {
    l10n.bundle = readTranslation('de').bundle;
    equal(creditsText(1_000_000, 'de'), '1 Credit');
    equal(creditsText(5_218_000_000, 'de'), '5.218 Credits');
    equal(
      endText({ kind: 'failed', order: { ...order, currency: 'eur' } }, 'de'),
      'Die Zahlung über 50\u00a0€ ist nicht zustande gekommen. Es wurde nichts berechnet.',
    );
    deepEqual([0, 6 * 60_000, 3 * 3_600_000].map(ageText), ['gerade eben', 'vor 6 Min.', 'vor 3 Std.']);
  });

  it('Japanese does not count, and writes yen without a fraction', () => {
    l10n.bundle = readTranslation('ja').bundle;
    equal(creditsText(1_000_000, 'ja'), '1 クレジット');
    equal(creditsText(5_218_000_000, 'ja'), '5,218 クレジット');
    match(
      endText({ kind: 'expired', order: { ...order, currency: 'jpy' } }, 'ja'),
      /^[¥￥]5,000 の支払いページ/,
    );
  });
});
