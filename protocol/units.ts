// The units everyone counts in: credits as integer micro-credits, money as integer minor units.

/** Integer micro-credits. 1 credit = 1,000,000 ucr, because one model call costs a fraction of a credit. */
export type Ucr = number;

export const UCR_PER_CREDIT = 1_000_000;

/** The largest amount of anything that JSON carries exactly: 2^53 - 1. */
export const MAX_SAFE_AMOUNT = Number.MAX_SAFE_INTEGER;

/**
 * Minor units in one major unit of a currency: 100 for usd, 1 for jpy, 1,000 for kwd.
 * @param currency ISO 4217 code, any case.
 * @throws {RangeError} when the code is not of ISO 4217's form.
 */
export function minorPerMajor(currency: string): number {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions()
    .maximumFractionDigits;
  return 10 ** (digits ?? 2);
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
