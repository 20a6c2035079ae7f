import { deepEqual, equal } from 'node:assert/strict';
import {
  answered,
  type Balance,
  failed,
  loading,
  percentUsed,
  type Reading,
  signedOut,
} from '../../../src/core/balance.ts';
import { CreditsError, type CreditsErrorReason } from '../../../src/core/errors.ts';
import { ORG } from '../../support/core.ts';
import { balance } from '../../support/scriptedServer.ts';

const reading = (version: number, atMs = 0): Reading => ({ snapshot: balance({ version }), atMs });
const known = (version: number): Balance => ({ kind: 'known', last: reading(version) });
const error = (reason: CreditsErrorReason) => new CreditsError(reason);

describe('a balance that is answered', () => {
  it('is known', () => {
    deepEqual(answered(loading(), reading(1), ORG), known(1));
  });

  it('F19 keeps the newer version when an older one comes late', () => {
    const before = known(7);
    equal(answered(before, reading(6), ORG), before);
  });

  it('takes the same version again, which is younger news', () => {
    deepEqual(answered(known(7), reading(7, 99), ORG), { kind: 'known', last: reading(7, 99) });
  });

  it('F19 keeps a stale newer version over a fresh older one', () => {
    const stale: Balance = { kind: 'stale', last: reading(7), error: error('offline') };
    equal(answered(stale, reading(6), ORG), stale);
  });

  it('F17 never shows the figure of another organisation', () => {
    const after = answered(known(1), reading(9), 'org_2');
    equal(after.kind, 'stale');
    equal(after.kind === 'stale' && after.last.snapshot.version, 1);
  });

  it('stays signed out when the answer comes after the sign-out', () => {
    equal(answered(signedOut, reading(1), ORG), signedOut);
  });
});

describe('a balance that is not answered', () => {
  const healing: CreditsErrorReason[] = [
    'offline',
    'timeout',
    'rateLimited',
    'serverFault',
    'unreadable',
    'redirected',
    'proxy',
    'certificate',
  ];
  for (const reason of healing) {
    it(`F1 F11 keeps the last figure, marked as stale: ${reason}`, () => {
      const after = failed(known(3), error(reason));
      equal(after.kind, 'stale');
      equal(after.kind === 'stale' && after.last.snapshot.available_ucr, 5_218_000_000);
    });

    it(`is not known, and no zero, when there was no figure yet: ${reason}`, () => {
      deepEqual(failed(loading(), error(reason)), { kind: 'failed', error: error(reason) });
    });
  }

  it('F13 is no sign-out when the token is refused; the figure stays', () => {
    const after = failed(known(3), error('unauthenticated'));
    equal(after.kind, 'failed');
    equal(after.kind === 'failed' && after.last?.snapshot.version, 3);
  });

  it('F15 is no fault when the person may not see it', () => {
    equal(failed(known(3), error('forbidden')).kind, 'forbidden');
  });

  it('F17 lets go of the figure when the organisation is gone', () => {
    deepEqual(failed(known(3), error('notFound')), { kind: 'failed', error: error('notFound') });
  });

  it('stays signed out', () => {
    equal(failed(signedOut, error('offline')), signedOut);
  });
});

describe('percent used', () => {
  const rows: ReadonlyArray<readonly [used: number, total: number, percent: number | undefined]> = [
    [0, 100, 0],
    [499, 1_000, 49],
    // 0.29 is a little less than that in binary.
    [29, 100, 29],
    [9_999_999, 10_000_000, 99],
    [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER, 99],
    [100, 100, 100],
    [125, 100, 125],
    [5, 0, undefined],
    [0, 0, undefined],
  ];
  for (const [used_ucr, total_ucr, percent] of rows) {
    it(`${used_ucr} of ${total_ucr} is ${percent} (F23, d-35)`, () => {
      equal(
        percentUsed(balance({ usage: { basis: 'period', period_id: 'p', used_ucr, total_ucr } })),
        percent,
      );
    });
  }

  it('F23 is not known where there is nothing to measure against', () => {
    equal(percentUsed(balance({ usage: null })), undefined);
  });
});
