// What a mocha run came to, as a file that the test runner reads: counted from mocha's own events.

export interface Summary {
  readonly passed: number;
  /** Failed tests, and skipped ones: a test that does not run shows nothing. */
  readonly failures: readonly { readonly title: string; readonly reason: string }[];
}

interface Test {
  fullTitle(): string;
}

/** As much of mocha's runner as is needed, so that its Node build and its browser build both fit. */
export interface RunEvents {
  on(event: 'pass' | 'pending', listener: (test: Test) => void): unknown;
  on(event: 'fail', listener: (test: Test, error?: { message?: string }) => void): unknown;
}

/** Counts while the run goes on; the summary grows with it. */
export function summarise(run: RunEvents): Summary {
  const summary = { passed: 0, failures: [] as { title: string; reason: string }[] };
  const failed = (test: Test, reason: string): void => {
    summary.failures.push({ title: test.fullTitle(), reason });
  };
  run.on('pass', () => summary.passed++);
  run.on('pending', test => failed(test, 'skipped'));
  run.on('fail', (test, error) => failed(test, error?.message?.split('\n')[0] ?? 'failed'));
  return summary;
}

/** The environment variable that names the file. */
export const summaryFileVariable = 'CREDITS_TEST_SUMMARY';
