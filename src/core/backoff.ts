// How long to wait before trying again: capped, doubling, and with full jitter, so that many clients do not return at once.
// Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

/** @param failures how many tries in a row have failed, 1 or more. @param random a number from 0 up to 1 */
export function backoffMs({ baseMs, capMs }: Backoff, failures: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(Math.max(0, failures - 1), 30));
}
