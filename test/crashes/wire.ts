// What is said between the runner and the server that dies.
export const ORG = 'org_acme';
export const ADMIN = `crd_pat_${'a'.repeat(32)}`;
export const WEBHOOK_SECRET = 'whsec_of_the_crashes';

export type Order = { readonly do: 'dieAt'; readonly step: string } | { readonly do: 'look' };
export type Report =
  | { readonly is: 'listening'; readonly address: string; readonly drifts: number }
  | { readonly is: 'armed' }
  | { readonly is: 'looked' };
