// What is said between the runner and the server that dies.
export const ORG = 'org_acme';
export const ADMIN = `crd_pat_${'a'.repeat(32)}`;
export const WEBHOOK_SECRET = 'whsec_of_the_crashes';

export type Order =
  | { readonly do: 'open'; readonly directory: string }
  | { readonly do: 'dieAt'; readonly step: string }
  /** The server looks at payments by itself, as it did this long ago. */
  | { readonly do: 'look'; readonly agoMs: number };
export type Report =
  | { readonly is: 'listening'; readonly address: string; readonly drifts: number }
  | { readonly is: 'armed' }
  | { readonly is: 'looked' };
