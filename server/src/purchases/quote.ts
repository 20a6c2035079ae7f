// What can be bought, what it costs, and whether an order is one of those.
import { checkAmount } from '../../../protocol/amount.ts';
import type { CreatePurchase, PurchaseOptions } from '../../../protocol/api.ts';
import { creditsFor } from '../../../protocol/units.ts';
import { type Config, isLoopback, type Offer } from '../config.ts';
import { RequestRefused } from '../problems.ts';

export function offerOnTheWire(
  offer: Offer,
): Pick<PurchaseOptions, 'currency' | 'credits_per_major_unit' | 'presets' | 'custom'> {
  return {
    currency: offer.currency,
    credits_per_major_unit: offer.creditsPerMajorUnit,
    presets: offer.presetsMinor.map((amountMinor, place) => ({
      amount_minor: amountMinor,
      credits_ucr: creditsFor(amountMinor, offer.creditsPerMajorUnit, offer.currency),
      popular: place === 1,
    })),
    custom: {
      min_minor: offer.custom.minMinor,
      max_minor: offer.custom.maxMinor,
      step_minor: offer.custom.stepMinor,
    },
  };
}

/** The credits the order buys. @throws {RequestRefused} when it is not on offer, or not at this rate. */
export function quote(offer: Offer, order: CreatePurchase): number {
  if (order.currency !== offer.currency) {
    throw new RequestRefused('currency_mismatch', {
      errors: [{ pointer: '/currency', code: 'not_sold_here' }],
    });
  }
  if (!offer.presetsMinor.includes(order.amount_minor)) {
    const { custom, currency } = offerOnTheWire(offer);
    const reading = custom && checkAmount(order.amount_minor, { currency, ...custom });
    if (!reading?.ok) {
      const code = reading?.problem ?? 'not_a_preset';
      throw new RequestRefused('amount_out_of_range', { errors: [{ pointer: '/amount_minor', code }] });
    }
  }
  const creditsUcr = creditsFor(order.amount_minor, offer.creditsPerMajorUnit, offer.currency);
  if (creditsUcr !== order.expected_credits_ucr) {
    throw new RequestRefused('quote_changed', { credits_ucr: creditsUcr });
  }
  return creditsUcr;
}

/** Whom people may be led back to. */
export type ReturnTargets = Pick<Config, 'returnUriSchemes' | 'webEditorOrigins'>;

/**
 * Where the return page may link to: an editor's own scheme, or the callback page of an editor in the browser that is
 * known here. Anybody can ask for a sign-in's answer, so a page of just anybody would be handed other people's codes.
 * The text is kept as it came, because the editor's part of it is encoded inside the query.
 */
export function checkReturnUri(
  returnUri: string,
  { returnUriSchemes, webEditorOrigins }: ReturnTargets,
  pointer = '/return_uri',
): void {
  // No control characters or spaces: URL parsing would quietly drop some of them.
  const url = /^[\x21-\x7e]+$/.test(returnUri) ? URL.parse(returnUri) : null;
  const web =
    url !== null &&
    (webEditorOrigins.includes(url.origin) ||
      (['http:', 'https:'].includes(url.protocol) && isLoopback(url.hostname))) &&
    url.pathname.endsWith('/callback') &&
    url.username === '' &&
    url.password === '';
  if (!url || !(web || returnUriSchemes.includes(url.protocol.slice(0, -1)))) {
    throw new RequestRefused('return_uri_not_allowed', {
      errors: [{ pointer, code: 'not_allowed' }],
    });
  }
}
