// The limits a person can run into: their organisation's balance, and budgets of their own and of their teams.
import type { Budget } from '../../protocol/api.ts';
import type { Snapshot } from './balance.ts';

export type { Budget };

/** What refuses the next request. `budget` is undefined where the server names one that it does not show. */
export type Stop =
  | { readonly kind: 'balance' }
  | { readonly kind: 'budget'; readonly budget: Budget | undefined };

/** Undefined when nothing refuses. A server that does not say is judged by what is left. */
export function stopOf({ stopped_by, budgets, available_ucr }: Snapshot): Stop | undefined {
  if (stopped_by === undefined) {
    return available_ucr <= 0 ? { kind: 'balance' } : undefined;
  }
  if (stopped_by === null) {
    return undefined;
  }
  return stopped_by.kind === 'budget'
    ? { kind: 'budget', budget: budgets?.find(({ id }) => id === stopped_by.budget_id) }
    : { kind: 'balance' };
}

/** In whole percent rounded down; a budget of nothing is used up. */
export function percentOf({ used_ucr, limit_ucr }: Budget): number {
  return limit_ucr > 0 ? Math.floor((used_ucr * 100) / limit_ucr) : 100;
}

/** The budget that would stop the person before the balance does, if there is one. */
export function nearestBudget({ budgets, available_ucr }: Snapshot): Budget | undefined {
  const left = ({ limit_ucr, used_ucr }: Budget) => limit_ucr - used_ucr;
  const [first] = (budgets ?? []).toSorted((a, b) => left(a) - left(b));
  return first && left(first) < available_ucr ? first : undefined;
}
