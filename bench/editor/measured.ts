// What the measuring suite hands back from inside the extension host.

/** Names the file that the suite writes. */
export const resultFileVariable = 'CREDITS_BENCH_RESULT';

/** Holds a sign-in as the extension keeps it, for the rounds that are signed in. */
export const signInVariable = 'CREDITS_BENCH_SIGN_IN';

export interface MeasuredOnce {
  readonly requireMs: number;
  readonly activateMs: number;
  /** Of the host, after gc, with the extension active; less what it was right before. */
  readonly heapMb: number;
}

export interface Measured {
  readonly empty: readonly MeasuredOnce[];
  readonly ours: readonly MeasuredOnce[];
  readonly signedIn: readonly MeasuredOnce[];
  readonly cycles: {
    readonly count: number;
    readonly handlesBefore: number;
    readonly handlesAfter: number;
    readonly heapHalfwayMb: number;
    readonly heapAfterMb: number;
  };
}
