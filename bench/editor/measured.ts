// What the measuring suite hands back from inside the extension host.

/** Names the file that the suite writes. */
export const resultFileVariable = 'CREDITS_BENCH_RESULT';

/** Holds what is kept of an earlier start, for the rounds that have one. */
export const keptVariable = 'CREDITS_BENCH_KEPT';

/** As the extension keeps it. */
export interface Kept {
  /** A secret. */
  readonly signIn: string;
  /** In its memory: the last balance, painted before anything is asked. */
  readonly balance: { readonly account: unknown; readonly snapshot: unknown; readonly savedAtMs: number };
}

export interface MeasuredOnce {
  readonly requireMs: number;
  /** To its return; a kept balance stands in the status bar by then. */
  readonly activateMs: number;
  /** Of the host, after gc, with the extension active; less what it was right before. */
  readonly heapMb: number;
}

export interface Measured {
  /** ms, a round each. */
  readonly first: { readonly empty: readonly number[]; readonly ours: readonly number[] };
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
