// What must not be guessed, from the platform's cryptographic source.

/** For idempotency keys and one-time states: 122 random bits. */
export function newId(): string {
  return crypto.randomUUID();
}

/** For one page's Content-Security-Policy: 128 random bits. */
export function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}
