import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { OfferView } from '../../../protocol/messages.ts';
import {
  buyLabel,
  type Choice,
  currencySign,
  customHint,
  EMPTY_DRAFT,
  isMistake,
  MAX_TYPED_LENGTH,
  orderLine,
  parseDraft,
  readCustom,
  readOrder,
  stepped,
} from '../../../webview/order.ts';

const credits = (whole: number) => whole * 1_000_000;
const LIMITS = { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 };
const OFFER: OfferView = {
  currency: 'usd',
  creditsPerMajorUnit: 100,
  presets: [
    { amountMinor: 5_000, creditsUcr: credits(5_000), popular: false },
    { amountMinor: 10_000, creditsUcr: credits(10_000), popular: true },
  ],
  custom: LIMITS,
};
const preset = (amountMinor: number): Choice => ({ kind: 'preset', amountMinor });
const typed = (text: string, offer = OFFER) => readOrder({ choice: { kind: 'custom' }, typed: text }, offer);
const FIFTY = typed('50');

describe('the order', () => {
  it('is none until an amount is chosen', () => {
    assert.deepEqual(readOrder(EMPTY_DRAFT, OFFER), { kind: 'none' });
    assert.deepEqual(readOrder({ choice: { kind: 'none' }, typed: '75' }, OFFER), { kind: 'none' });
  });

  it('takes a preset with the credits the server named for it', () => {
    const bonus = { ...OFFER, presets: [{ amountMinor: 5_000, creditsUcr: credits(6_000), popular: false }] };
    assert.deepEqual(readOrder({ choice: preset(5_000), typed: '' }, bonus), {
      kind: 'ready',
      amountMinor: 5_000,
      creditsUcr: credits(6_000),
    });
  });

  it('is none again when the server no longer offers what was chosen', () => {
    assert.deepEqual(readOrder({ choice: preset(20_000), typed: '' }, OFFER), { kind: 'none' });
    assert.deepEqual(typed('75', { ...OFFER, custom: null }), { kind: 'none' });
  });

  it('reckons the credits of a custom amount at the rate of the offer', () => {
    assert.deepEqual(typed(' 75 '), { kind: 'ready', amountMinor: 7_500, creditsUcr: credits(7_500) });
    const dearer = { ...OFFER, creditsPerMajorUnit: 150 };
    assert.deepEqual(typed('75', dearer), {
      kind: 'ready',
      amountMinor: 7_500,
      creditsUcr: credits(11_250),
    });
  });

  it('refuses an amount whose credits cannot be counted exactly', () => {
    const offer = { ...OFFER, creditsPerMajorUnit: 10_000_000_000 };
    assert.deepEqual(typed('5000', offer), { kind: 'problem', problem: 'above_maximum' });
  });

  it('never throws, and is ready only within the limits, whatever is typed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), text => {
        const order = typed(text);
        assert.ok(customHint(order, LIMITS, 'en').length > 0);
        if (order.kind === 'ready') {
          assert.ok(order.amountMinor >= 1_000 && order.amountMinor <= 1_000_000);
          assert.equal(order.amountMinor % 100, 0);
        }
      }),
    );
  });
});

describe('the words beside the custom amount', () => {
  const cases: ReadonlyArray<readonly [typed: string, hint: string, mistakeWhenDone: boolean]> = [
    ['', 'From $10 to $10,000', false],
    ['   ', 'From $10 to $10,000', false],
    ['75', '= 7,500 credits', false],
    ['75.00', '= 7,500 credits', false],
    ['0', 'The smallest amount is $10.', true],
    ['9', 'The smallest amount is $10.', true],
    ['-5', 'The smallest amount is $10.', true],
    ['10001', 'The largest amount is $10,000.', true],
    ['1000000000', 'The largest amount is $10,000.', true],
    ['12.345', 'This could be two amounts. Type digits only, like 10.', true],
    ['12.50', 'Use a whole amount, like 10.', true],
    ['abc', 'Type digits only, like 10.', true],
    ['1e3', 'Type digits only, like 10.', true],
    ['$75', '= 7,500 credits', false],
    ['1,000', 'This could be two amounts. Type digits only, like 10.', true],
    ['٥٠', '= 5,000 credits', false],
  ];
  for (const [text, hint, mistakeWhenDone] of cases) {
    it(`answer "${text}" with "${hint}"`, () => {
      const order = readCustom(text, OFFER, LIMITS);
      assert.equal(customHint(order, LIMITS, 'en'), hint);
      assert.equal(isMistake(order, false), mistakeWhenDone);
    });
  }

  it('name the step where it is not one whole unit', () => {
    const limits = { ...LIMITS, min_minor: 1_200, step_minor: 500 };
    assert.equal(customHint(readCustom('12', OFFER, limits), limits, 'en'), 'Use steps of $5.');
    assert.equal(customHint(readCustom('x', OFFER, limits), limits, 'en'), 'Type digits only, like 15.');
  });

  it('do not call a number that is still growing a mistake', () => {
    assert.equal(isMistake(typed('7'), true), false);
    assert.equal(isMistake(typed('7x'), true), true);
    assert.equal(isMistake(typed('99999'), true), true);
  });

  it('follow the language for figures and the offer for the currency', () => {
    const yen = { currency: 'jpy', min_minor: 1_000, max_minor: 1_000_000, step_minor: 1 };
    const offer = { ...OFFER, currency: 'jpy', creditsPerMajorUnit: 1, custom: yen };
    assert.equal(customHint(readCustom('7500', offer, yen), yen, 'de'), '= 7.500 credits');
    assert.equal(customHint(readCustom('', offer, yen), yen, 'ja'), 'From ￥1,000 to ￥1,000,000');
  });
});

describe('the order line and the Buy button', () => {
  it('say the sum, the credits and the place before anything happens', () => {
    assert.equal(
      orderLine(FIFTY, 'usd', 'pay.example.com', 'en'),
      'You pay $50 and get 5,000 credits. Payment opens in your browser at pay.example.com.',
    );
    assert.equal(
      orderLine(FIFTY, 'usd', null, 'en'),
      'You pay $50 and get 5,000 credits. Payment opens in your browser.',
    );
    assert.equal(buyLabel(FIFTY, 'usd', 'en'), 'Buy 5,000 credits for $50');
  });

  it('ask for an amount while there is none', () => {
    for (const order of [typed(''), typed('abc'), readOrder(EMPTY_DRAFT, OFFER)]) {
      assert.equal(orderLine(order, 'usd', 'pay.example.com', 'en'), 'Choose an amount to continue.');
      assert.equal(buyLabel(order, 'usd', 'en'), 'Buy credits');
    }
  });

  it('know the sign of a currency', () => {
    assert.equal(currencySign('usd', 'en'), '$');
    assert.equal(currencySign('eur', 'de'), '€');
    assert.equal(currencySign('chf', 'en'), 'CHF');
  });
});

describe('the draft that survives a reload', () => {
  it('comes back as it was kept', () => {
    for (const choice of [EMPTY_DRAFT.choice, preset(5_000), { kind: 'custom' }] as const) {
      const draft = { choice, typed: '75', org: 'org_1', lowBelow: '100' };
      assert.deepEqual(parseDraft(structuredClone(draft)), draft);
    }
  });

  it('is empty where the saved state is none of ours', () => {
    const strangers = [
      undefined,
      null,
      7,
      'x',
      [],
      { typed: 7 },
      { choice: 'custom' },
      { choice: { kind: 'preset', amountMinor: '5000' } },
      { choice: { kind: 'preset', amountMinor: 0.5 } },
    ];
    for (const saved of strangers) {
      assert.deepEqual(parseDraft(saved), EMPTY_DRAFT);
    }
  });

  it('is bounded in length', () => {
    assert.equal(parseDraft({ typed: '9'.repeat(10_000) }).typed.length, MAX_TYPED_LENGTH);
  });
});

describe('the stepper', () => {
  const limits = { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 };
  const rows: ReadonlyArray<readonly [typed: string, steps: number, becomes: string]> = [
    ['', 1, '10'],
    ['', -1, '10'],
    ['nonsense', 1, '10'],
    ['75', 1, '76'],
    ['75', -1, '74'],
    ['75', 10, '85'],
    ['75.50', 1, '76'],
    ['75.50', -1, '75'],
    ['10', -1, '10'],
    ['10000', 1, '10000'],
    ['$1,250', 1, '1251'],
  ];
  for (const [typed, steps, becomes] of rows) {
    it(`takes ${JSON.stringify(typed)} by ${steps} to ${becomes}`, () => {
      assert.equal(stepped(typed, steps, limits), becomes);
    });
  }
});
