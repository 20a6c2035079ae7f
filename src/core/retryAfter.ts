// How long a server asks us to wait, read from its `Retry-After` (RFC 9110 section 10.2.3) without trusting it far.
import { hours } from './clock.ts';

/** A longer wish is taken for a mistake: an hour, and then one careful try. */
const LONGEST_MS = hours(1);

/**
 * Milliseconds to wait, or undefined when the header is absent or means nothing.
 * @param nowMs the server's idea of now (its `Date` header) where there is one, so that a wrong clock here is harmless
 */
export function readRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const value = header?.trim();
  if (!value) {
    return undefined;
  }
  if (/^[+-]?\d+$/.test(value)) {
    return clamp(Number(value) * 1_000);
  }
  // Only dates that name a weekday and GMT, as HTTP's do; Date.parse alone would accept almost anything.
  const at = /^[A-Za-z]+,? .*GMT$/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : clamp(at - nowMs);
}

export function clamp(ms: number): number {
  return Math.min(Math.max(0, ms), LONGEST_MS);
}
