import { deepEqual, equal, ok } from 'node:assert/strict';
import { type Balance, loading, signedOut } from '../../../src/core/balance.ts';
import { CreditsError } from '../../../src/core/errors.ts';
import { account, signIn } from '../../support/core.ts';
import { balance, options } from '../../support/scriptedServer.ts';
import '../../support/vscode.ts';

const { panelState } = await import('../../../src/views/panelState.ts');
const { panelHtml } = await import('../../../src/views/panelHtml.ts');

const now = Date.parse('2026-11-22T12:00:00Z');
const last = { snapshot: balance(), atMs: 0 };
const offline = new CreditsError('offline');

function state(of: Balance, more: Partial<Parameters<typeof panelState>[0]> = {}, offered = options()) {
  return panelState({
    state: { account, balance: of, options: offered, refreshing: false },
    pending: undefined,
    notice: null,
    ageMs: () => 60_000,
    nowMs: now,
    locale: 'en',
    serverUrl: undefined,
    ...more,
  });
}

const signedIn = (of: Balance, more?: Parameters<typeof state>[1], offered?: ReturnType<typeof options>) => {
  const made = state(of, more, offered);
  ok(made.kind === 'signedIn');
  return made;
};

describe("the panel's state", () => {
  it('is signed out, with the server a sign-in would go to', () => {
    deepEqual(state(signedOut, { serverUrl: 'https://credits.example.com/base' }), {
      kind: 'signedOut',
      locale: 'en',
      serverHost: 'credits.example.com',
      notice: null,
    });
    equal(state(signedOut, { serverUrl: 'not an address' }).kind, 'signedOut');
  });

  const rows: ReadonlyArray<readonly [title: string, of: Balance, shown: object]> = [
    ['loading', loading(), { kind: 'loading', lastUcr: null }],
    ['loading with a figure', loading(last), { kind: 'loading', lastUcr: 5_218_000_000 }],
    ['known', { kind: 'known', last }, { kind: 'known', availableUcr: 5_218_000_000, asOfMs: now - 60_000 }],
    [
      'F1 stale',
      { kind: 'stale', last, error: offline },
      {
        kind: 'stale',
        availableUcr: 5_218_000_000,
        asOfMs: now - 60_000,
        reason: 'The credits server cannot be reached. Check the connection.',
        signInAgain: false,
      },
    ],
    [
      'F1 failed',
      { kind: 'failed', error: offline },
      {
        kind: 'failed',
        reason: 'The credits server cannot be reached. Check the connection.',
        signInAgain: false,
      },
    ],
    [
      'F13 failed with a figure',
      { kind: 'failed', error: new CreditsError('unauthenticated'), last },
      {
        kind: 'stale',
        availableUcr: 5_218_000_000,
        asOfMs: now - 60_000,
        reason: 'The access token is no longer accepted. Sign in again.',
        signInAgain: true,
      },
    ],
    [
      'F15 forbidden',
      { kind: 'forbidden', error: new CreditsError('forbidden') },
      { kind: 'forbidden', reason: 'The balance is shown to administrators of your organisation.' },
    ],
  ];
  for (const [title, of, shown] of rows) {
    it(`shows the balance: ${title}`, () => deepEqual(signedIn(of).balance, shown));
  }

  it('says what stops the person, also where the server does not show the budget, or names no limit', () => {
    const stop = (change: object) =>
      signedIn({ kind: 'known', last: { ...last, snapshot: balance(change) } }).detail?.stop;
    deepEqual(stop({ stopped_by: { kind: 'budget', budget_id: 'bud_x' } }), { kind: 'budget', budget: null });
    deepEqual(stop({ stopped_by: undefined, available_ucr: 0 }), { kind: 'balance' });
    equal(stop({ stopped_by: null }), null);
  });

  it("offers what the server offers, at the server's rate", () => {
    const { buying } = signedIn({ kind: 'known', last });
    deepEqual(buying, {
      kind: 'allowed',
      payHost: 'checkout.stripe.com',
      offer: {
        currency: 'usd',
        creditsPerMajorUnit: 100,
        presets: [
          { amountMinor: 5_000, creditsUcr: 5_000_000_000, popular: false },
          { amountMinor: 10_000, creditsUcr: 10_000_000_000, popular: true },
        ],
        custom: { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 },
      },
    });
  });

  it('F16 T20 has no offer for someone who may not buy, whatever the role is called', () => {
    const offered = options({
      can_purchase: false,
      blocked_reason: 'not_admin',
      contact: { name: 'Grace', email: null },
    });
    deepEqual(signedIn({ kind: 'known', last }, {}, offered).buying, {
      kind: 'blocked',
      reason: 'Only administrators of your organisation can buy credits.',
      canAsk: true,
      contactName: 'Grace',
    });
  });

  it('F26 takes an unknown reason for a no', () => {
    const offered = options({ can_purchase: false, blocked_reason: 'moon_phase' });
    const { buying } = signedIn({ kind: 'known', last }, {}, offered);
    equal(buying.kind === 'blocked' && buying.canAsk, false);
  });

  it('T20 offers billing to whom the server lets, whatever it is that buying waits for', () => {
    const rows = [
      [{ can_manage_billing: true, can_purchase: false, blocked_reason: 'dispute_open' }, true],
      [{ can_manage_billing: false, can_purchase: false, blocked_reason: 'dispute_open' }, false],
      [{ can_manage_billing: false }, false],
      // Servers that do not tell.
      [{ can_purchase: false, blocked_reason: 'dispute_open' }, false],
      [{}, true],
    ] as const;
    for (const [change, expected] of rows) {
      const { canManageBilling } = signedIn({ kind: 'known', last }, {}, options(change));
      equal(canManageBilling, expected, JSON.stringify(change));
    }
  });

  it('marks TEST MODE unless payments are real', () => {
    equal(signedIn({ kind: 'known', last }).testMode, true);
    equal(signedIn({ kind: 'known', last }, {}, options({ payment_mode: 'live' })).testMode, false);
    equal(signedIn({ kind: 'known', last }, {}, options({ payment_mode: 'emulated' })).testMode, true);
  });

  it('T6 tells the page what is on this list and nothing else', () => {
    const pending = {
      amountMinor: 1,
      currency: 'usd',
      creditsUcr: 1,
      phase: 'waiting',
      host: 'h',
      canCopyLink: true,
      error: offline,
    } as const;
    const made = signedIn({ kind: 'known', last }, { pending });
    deepEqual(
      new Set(Object.keys(made)),
      new Set([
        'balance',
        'buying',
        'canManageBilling',
        'detail',
        'kind',
        'locale',
        'notice',
        'orgId',
        'orgName',
        'pending',
        'personName',
        'refreshing',
        'role',
        'serverHost',
        'testMode',
      ]),
    );
    deepEqual(
      new Set(Object.keys(made.pending ?? {})),
      new Set(['amountMinor', 'canCopyLink', 'creditsUcr', 'currency', 'host', 'phase']),
    );
    equal(JSON.stringify(made).includes(signIn.token), false);
  });
});

describe("the panel's page", () => {
  const html = (name = 'Engines', words?: Record<string, string>) => {
    const made = panelState({
      state: {
        account: { ...account, orgName: name },
        balance: { kind: 'known', last },
        options: options(),
        refreshing: false,
      },
      pending: undefined,
      notice: { id: 1, tone: 'info', text: name },
      ageMs: () => 0,
      nowMs: now,
      locale: 'en',
      serverUrl: undefined,
    });
    return panelHtml({
      state: made,
      nonce: 'n0nce',
      cspSource: 'https://*.vscode-cdn.net',
      script: 'https://file/panel.js',
      style: 'https://file/panel.css',
      title: 'Credits',
      words,
      language: 'en',
    });
  };

  it('T8 loads our files only and runs what has the nonce only', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html())?.[1] ?? '';
    ok(policy.startsWith("default-src 'none'; script-src 'nonce-n0nce'; "), policy);
    ok(!/unsafe|\shttps:;|\s\*[;\s]|data:/.test(policy), policy);
    ok(html().includes('<meta property="csp-nonce" content="n0nce">'));
  });

  it('T7 T40 has no frame, no form and no field for a card', () => {
    ok(!/<(iframe|form|input|object|embed)/i.test(html()));
  });

  const hostile = [
    '</script><script>alert(1)</script>',
    '<!--<script>',
    ']]>',
    '"><img src=x onerror=alert(1)>',
    '\u2028\u2029',
    '&lt;b&gt;',
    '$' + '{alert(1)}',
    '\\u003cscript\\u003e',
    '\u202edrowssap',
    '🙂'.repeat(1_000),
  ];
  for (const name of hostile) {
    it(`T7 carries ${JSON.stringify(name).slice(0, 50)} as data`, () => {
      const page = html(name);
      equal(page.match(/<script/g)?.length, 2);
      equal(page.match(/<\/script>/g)?.length, 2);
      ok(!page.includes('<img'));
      const embedded = /id="credits-state">(.*?)<\/script>/s.exec(page)?.[1];
      ok(embedded);
      equal((JSON.parse(embedded) as { orgName: string }).orgName, name);
    });
  }

  it('T7 carries the words of another language as data', () => {
    const words = { Credits: '</script><img src=x>' };
    const page = html('Engines', words);
    equal(page.match(/<\/script>/g)?.length, 3);
    ok(!page.includes('<img'));
    const embedded = /id="credits-words">(.*?)<\/script>/s.exec(page)?.[1];
    ok(embedded);
    deepEqual(JSON.parse(embedded), words);
  });
});
