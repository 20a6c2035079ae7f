// What the person has chosen to buy: read, checked and said. Pure; the server still decides what it costs.
import { t } from '@vscode/l10n';
import { type AmountLimits, type AmountProblem, readAmount } from '../protocol/amount.ts';
import { formatMoney } from '../protocol/format.ts';
import type { OfferView } from '../protocol/messages.ts';
import { creditsFor, fractionDigits, minorPerMajor, type Ucr } from '../protocol/units.ts';
import { creditsText } from './words.ts';

export type Choice =
  | { readonly kind: 'none' }
  | { readonly kind: 'preset'; readonly amountMinor: number }
  | { readonly kind: 'custom' };

/** The person's own part of the page: kept over re-renders, hidden tabs and reloads. */
export interface Draft {
  readonly choice: Choice;
  readonly typed: string;
  /** The organisation that it is for, by its id. */
  readonly org?: string;
  /** Typed as the balance that counts as low, and not saved; absent: what is kept is shown. */
  readonly lowBelow?: string;
}

export const EMPTY_DRAFT: Draft = { choice: { kind: 'none' }, typed: '' };

/** Longer than any amount; it bounds what a paste can put into the saved state. */
export const MAX_TYPED_LENGTH = 32;

export type Order =
  | { readonly kind: 'none' }
  | { readonly kind: 'ready'; readonly amountMinor: number; readonly creditsUcr: Ucr }
  | { readonly kind: 'problem'; readonly problem: AmountProblem };

/** The order as it stands; a preset that the server no longer offers is no choice. */
export function readOrder(draft: Draft, offer: OfferView): Order {
  const { choice } = draft;
  if (choice.kind === 'preset') {
    const preset = offer.presets.find(({ amountMinor }) => amountMinor === choice.amountMinor);
    return preset
      ? { kind: 'ready', amountMinor: preset.amountMinor, creditsUcr: preset.creditsUcr }
      : { kind: 'none' };
  }
  if (choice.kind === 'custom' && offer.custom) {
    return readCustom(draft.typed, offer, offer.custom);
  }
  return { kind: 'none' };
}

export function readCustom(typed: string, offer: OfferView, limits: AmountLimits): Order {
  const reading = readAmount(typed, limits);
  if (!reading.ok) {
    return { kind: 'problem', problem: reading.problem };
  }
  try {
    const creditsUcr = creditsFor(reading.amountMinor, offer.creditsPerMajorUnit, offer.currency);
    return { kind: 'ready', amountMinor: reading.amountMinor, creditsUcr };
  } catch {
    // creditsFor throws a RangeError when the credits cannot be counted exactly: too much, for any wallet.
    return { kind: 'problem', problem: 'above_maximum' };
  }
}

/** What is said beside the custom field: the credits it buys, or why not. */
export function customHint(order: Order, limits: AmountLimits, locale: string): string {
  const money = (amountMinor: number) => formatMoney(amountMinor, limits.currency, locale);
  if (order.kind === 'ready') {
    return t('= {0}', creditsText(order.creditsUcr, locale));
  }
  switch (order.kind === 'problem' ? order.problem : 'blank') {
    case 'blank':
      return t('From {0} to {1}', money(limits.min_minor), money(limits.max_minor));
    case 'not_a_number':
      return t('Type digits only, like {0}.', plainExample(limits));
    case 'other_currency':
      return t('Payments are in {0} here.', limits.currency.toUpperCase());
    case 'ambiguous':
      return t('This could be two amounts. Type digits only, like {0}.', plainExample(limits));
    case 'below_minimum':
      return t('The smallest amount is {0}.', money(limits.min_minor));
    case 'above_maximum':
      return t('The largest amount is {0}.', money(limits.max_minor));
    case 'not_a_step':
      return limits.step_minor === minorPerMajor(limits.currency)
        ? t('Use a whole amount, like {0}.', plainExample(limits))
        : t('Use steps of {0}.', money(limits.step_minor));
  }
}

/** Something `readAmount` accepts, as it would be typed. */
function plainExample(limits: AmountLimits): string {
  const firstStep = Math.ceil(limits.min_minor / limits.step_minor) * limits.step_minor;
  return String(firstStep / minorPerMajor(limits.currency));
}

/** The typed amount some steps up or down, within the limits; from nothing or nonsense it starts at the smallest. */
export function stepped(typed: string, steps: number, limits: AmountLimits): string {
  const { min_minor, max_minor, step_minor, currency } = limits;
  const reading = readAmount(typed, {
    ...limits,
    min_minor: 0,
    max_minor: Number.MAX_SAFE_INTEGER,
    step_minor: 1,
  });
  const firstStep = Math.ceil(min_minor / step_minor) * step_minor;
  const lastStep = Math.floor(max_minor / step_minor) * step_minor;
  // Between two steps, the next one in that direction.
  const present = reading.ok
    ? (steps > 0 ? Math.floor : Math.ceil)(reading.amountMinor / step_minor) * step_minor
    : firstStep - Math.max(0, steps) * step_minor;
  const minor = Math.min(lastStep, Math.max(firstStep, present + steps * step_minor));
  const perMajor = minorPerMajor(currency);
  return (minor / perMajor).toFixed(minor % perMajor === 0 ? 0 : fractionDigits(currency));
}

/** Whether the hint is to be shown as an error. Someone still typing `7` on the way to `75` has made no mistake yet. */
export function isMistake(order: Order, stillTyping: boolean): boolean {
  return (
    order.kind === 'problem' &&
    order.problem !== 'blank' &&
    !(stillTyping && order.problem === 'below_minimum')
  );
}

/** What happens on Buy, before it happens: `You pay $50 and get 5,000 credits.` and where. */
export function orderLine(order: Order, currency: string, payHost: string | null, locale: string): string {
  if (order.kind !== 'ready') {
    return t('Choose an amount to continue.');
  }
  const money = formatMoney(order.amountMinor, currency, locale);
  const credits = creditsText(order.creditsUcr, locale);
  return payHost === null
    ? t('You pay {0} and get {1}. Payment opens in your browser.', money, credits)
    : t('You pay {0} and get {1}. Payment opens in your browser at {2}.', money, credits, payHost);
}

export function buyLabel(order: Order, currency: string, locale: string): string {
  return order.kind === 'ready'
    ? t(
        'Buy {0} for {1}',
        creditsText(order.creditsUcr, locale),
        formatMoney(order.amountMinor, currency, locale),
      )
    : t('Buy credits');
}

/** The currency's sign as it stands before the custom field: `$`, `€`, `CHF`. */
export function currencySign(currency: string, locale: string): string {
  const parts = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
  }).formatToParts(0);
  return parts.find(({ type }) => type === 'currency')?.value ?? currency.toUpperCase();
}

/** The draft out of the editor's saved state, which an older version of this page may have written. */
export function parseDraft(saved: unknown): Draft {
  if (typeof saved !== 'object' || saved === null) {
    return EMPTY_DRAFT;
  }
  const { choice, typed, org, lowBelow } = saved as { readonly [K in keyof Draft]?: unknown };
  return {
    choice: parseChoice(choice),
    typed: typeof typed === 'string' ? typed.slice(0, MAX_TYPED_LENGTH) : '',
    ...(typeof org === 'string' ? { org } : {}),
    ...(typeof lowBelow === 'string' ? { lowBelow: lowBelow.slice(0, MAX_TYPED_LENGTH) } : {}),
  };
}

function parseChoice(saved: unknown): Choice {
  if (typeof saved !== 'object' || saved === null) {
    return EMPTY_DRAFT.choice;
  }
  const { kind, amountMinor } = saved as { kind?: unknown; amountMinor?: unknown };
  if (kind === 'custom') {
    return { kind };
  }
  return kind === 'preset' && Number.isSafeInteger(amountMinor)
    ? { kind, amountMinor: amountMinor as number }
    : EMPTY_DRAFT.choice;
}
