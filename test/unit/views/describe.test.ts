import { equal, ok } from 'node:assert/strict';
import { problemStatus } from '../../../protocol/api.ts';
import { CreditsError, type CreditsErrorReason } from '../../../src/core/errors.ts';
import '../../support/vscode.ts';

const { describeAddress, describeAmount, describeBlocked, describeError } = await import(
  '../../../src/views/describe.ts'
);

const reasons: CreditsErrorReason[] = [
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

describe('every fault in words', () => {
  for (const reason of reasons) {
    it(`says what happened: ${reason}`, () => {
      const sentence = describeError(new CreditsError(reason));
      ok(/^[A-Z].*\.$/s.test(sentence), sentence);
    });
  }

  it('tells each of them apart', () => {
    equal(new Set(reasons.map(reason => describeError(new CreditsError(reason)))).size, reasons.length);
  });

  it('has a sentence for every code of the contract', () => {
    for (const [code, status] of Object.entries(problemStatus)) {
      const reason =
        status === 401
          ? 'unauthenticated'
          : status === 403
            ? 'forbidden'
            : status >= 500
              ? 'serverFault'
              : 'rejected';
      ok(describeError(new CreditsError(reason, { code, status })).length > 20, code);
    }
  });

  it('F7 tells a page of the network from a fault of the server', () => {
    ok(describeError(new CreditsError('unreadable', { found: 'html' })).includes('sign in'));
  });

  it('F8 names the proxy settings', () => {
    ok(describeError(new CreditsError('proxy', { status: 407 })).includes('proxy'));
  });

  it('d-39 calls no refusal a low balance', () => {
    for (const reason of reasons) {
      ok(!/\blow\b|run out|\bbuy\b/i.test(describeError(new CreditsError(reason))), reason);
    }
  });

  it('F25 lets no code of the server become a link', () => {
    ok(!/[[\]]/.test(describeError(new CreditsError('rejected', { code: '[x](command:y)' }))));
    ok(!/[[\]]/.test(describeBlocked('[x](command:y)')));
  });

  it('says each reason of the contract in a sentence, and not by its name', () => {
    for (const reason of [
      'not_admin',
      'purchasing_disabled',
      'payments_unavailable',
      'dispute_open',
      'daily_limit',
      'past_due',
    ]) {
      ok(!describeBlocked(reason).includes(reason), reason);
    }
  });

  it('F26 names a blocked reason it does not know', () => {
    ok(describeBlocked('moon_phase').includes('moon_phase'));
    ok(describeBlocked(null).length > 0);
  });

  it('says what is wrong with an address and with an amount', () => {
    for (const problem of [
      'blank',
      'notAnAddress',
      'insecure',
      'userinfo',
      'queryOrFragment',
      'notAllowed',
    ] as const) {
      ok(describeAddress(problem).endsWith('.'));
    }
    const limits = { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 };
    equal(describeAmount('below_minimum', limits, 'en'), 'The smallest amount is $10.');
    equal(describeAmount('above_maximum', limits, 'en'), 'The largest amount is $10,000.');
    equal(describeAmount('not_a_step', limits, 'en'), 'Enter a multiple of $1.');
    equal(describeAmount('blank', limits, 'en'), 'Enter an amount from $10 to $10,000.');
  });
});
