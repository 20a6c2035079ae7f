import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { parseToHost } from '../../../protocol/messages.ts';

const good = [
  { type: 'ready' },
  { type: 'signIn' },
  { type: 'refresh' },
  { type: 'buy', amountMinor: 5_000, expectedCreditsUcr: 5_000_000_000 },
  { type: 'resumePurchase' },
  { type: 'copyCheckoutLink' },
  { type: 'checkPurchase' },
  { type: 'cancelPurchase' },
  { type: 'askAdmin' },
  { type: 'dismissNotice', id: 1 },
  { type: 'showUsage', group: 'model' },
  { type: 'showPayments' },
  { type: 'showMorePayments' },
  { type: 'openDocument', paymentId: 'pur_1', document: 'receipt' },
  { type: 'manageBilling' },
  { type: 'exportUsage' },
  { type: 'openSettings' },
  { type: 'switchOrganisation' },
  { type: 'showLowBalance' },
  { type: 'setLowBalance', belowUcr: 1_000_000_000 },
];
const types = new Set(good.map(({ type }) => type));

describe('what the page says', () => {
  for (const message of good) {
    it(`is understood: ${message.type}`, () => deepEqual(parseToHost(message), message));
  }

  const bad: unknown[] = [
    undefined,
    null,
    '',
    'refresh',
    7,
    [],
    {},
    { type: 'open', url: 'file:///etc/passwd' },
    { type: 'command', command: 'workbench.action.terminal.new' },
    { type: 'buy' },
    { type: 'buy', amountMinor: '5000', expectedCreditsUcr: 1 },
    { type: 'buy', amountMinor: -1, expectedCreditsUcr: 1 },
    { type: 'buy', amountMinor: 0, expectedCreditsUcr: 1 },
    { type: 'buy', amountMinor: 0.5, expectedCreditsUcr: 1 },
    { type: 'buy', amountMinor: 1e21, expectedCreditsUcr: 1 },
    { type: 'buy', amountMinor: Number.NaN, expectedCreditsUcr: 1 },
    { type: 'dismissNotice', id: 'x' },
    { type: 'showUsage', group: 'password' },
    { type: 'openDocument', paymentId: 'pur_1', document: 'https://attacker.example' },
    { type: 'openDocument', paymentId: 'x'.repeat(101), document: 'receipt' },
    { type: 'setLowBalance' },
    { type: 'setLowBalance', belowUcr: -1 },
    { type: 'setLowBalance', belowUcr: 0.5 },
    { type: 'setLowBalance', belowUcr: '1000' },
    { type: ['refresh'] },
    { type: { toString: () => 'refresh' } },
  ];
  for (const message of bad) {
    it(`T9 is ignored: ${JSON.stringify(message)}`, () => equal(parseToHost(message), undefined));
  }

  it('T9 carries nothing along that it should not', () => {
    deepEqual(parseToHost({ type: 'refresh', url: 'https://attacker.example' }), { type: 'refresh' });
  });

  it('T9 has an effect in the known shapes only, over 10,000 random messages', function () {
    this.timeout(30_000);
    const random = fc.oneof(
      fc.anything(),
      fc.record({
        type: fc.oneof(fc.string(), fc.constantFrom(...types)),
        amountMinor: fc.anything(),
        id: fc.anything(),
      }),
    );
    fc.assert(
      fc.property(random, message => {
        const parsed = parseToHost(message);
        return parsed === undefined || types.has(parsed.type);
      }),
      { numRuns: 10_000, seed: 9 },
    );
  });
});
