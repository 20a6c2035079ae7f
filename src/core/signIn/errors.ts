// What can go wrong between the person, the browser and the identity provider, as facts; the sentences are in
// views/describeSignIn.ts.

export type SignInErrorReason =
  /** The credits server names no identity provider: it takes access tokens only. */
  | 'notOffered'
  /** The identity provider cannot do what is asked of it. */
  | 'unsupported'
  /** The identity provider was not reached, or has a fault. */
  | 'unreachable'
  /** What the provider or the server says of itself does not add up. */
  | 'untrusted'
  /** The answer is not one to this sign-in: another state, nonce, issuer, audience or signature. */
  | 'mismatch'
  /** The person or the provider said no. */
  | 'denied'
  /** The code was used or waited for too long. */
  | 'expired'
  /** The provider no longer takes the sign-in: revoked, or the account is gone. */
  | 'ended'
  /** Nobody came back in time. */
  | 'timeout'
  | 'canceled'
  /** The way back from the browser could not be opened. */
  | 'noWayBack'
  /** Any other refusal of the provider's, with its `code`. */
  | 'refused';

export class SignInError extends Error {
  override readonly name = 'SignInError';
  readonly reason: SignInErrorReason;
  /** The provider's or the library's own name for it. Never anything that was sent. */
  readonly code: string | undefined;

  constructor(reason: SignInErrorReason, code?: string) {
    super(code === undefined ? reason : `${reason} ${code}`);
    this.reason = reason;
    this.code = code;
  }
}
