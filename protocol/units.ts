// The units everyone counts in: credits as integer micro-credits, money as integer minor units.

/** Integer micro-credits. 1 credit = 1,000,000 ucr, because one model call costs a fraction of a credit. */
export type Ucr = number;

export const UCR_PER_CREDIT = 1_000_000;

/** The largest amount of anything that JSON carries exactly: 2^53 - 1. */
export const MAX_SAFE_AMOUNT = Number.MAX_SAFE_INTEGER;

/**
 * Currencies whose minor unit is not a hundredth, as Stripe charges them. Languages round some others for display, such
 * as huf and idr to whole ones, so it is not for `Intl` to say. Source: https://docs.stripe.com/currencies
 */
const WITHOUT_FRACTION = /^(?:bif|clp|djf|gnf|jpy|kmf|krw|mga|pyg|rwf|vnd|vuv|xaf|xof|xpf)$/i;
const IN_THOUSANDTHS = /^(?:bhd|jod|kwd|omr|tnd)$/i;

/**
 * Decimals of a currency's minor unit: 2 for usd, 0 for jpy, 3 for kwd.
 * @param currency ISO 4217 code, any case.
 */
export function fractionDigits(currency: string): number {
  return WITHOUT_FRACTION.test(currency) ? 0 : IN_THOUSANDTHS.test(currency) ? 3 : 2;
}

/** Minor units in one major unit of a currency: 100 for usd, 1 for jpy, 1,000 for kwd. */
export function minorPerMajor(currency: string): number {
  return 10 ** fractionDigits(currency);
}

/**
 * The credits a charge buys at a rate; exact, because a rate is a whole number of credits.
 * @throws {RangeError} when the result is not a whole number of ucr that JSON can carry.
 */
export function creditsFor(amountMinor: number, creditsPerMajorUnit: number, currency: string): Ucr {
  const ucr =
    (BigInt(amountMinor) * BigInt(creditsPerMajorUnit) * BigInt(UCR_PER_CREDIT)) /
    BigInt(minorPerMajor(currency));
  if (ucr > BigInt(MAX_SAFE_AMOUNT)) {
    throw new RangeError(`${amountMinor} minor units of ${currency} buy more credits than can be counted`);
  }
  return Number(ucr);
}
