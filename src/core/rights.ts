// What the person may do, as the server tells it.
import type { PurchaseOptions } from '../../protocol/api.ts';

/** A server that does not tell lets those manage billing who may buy; a guess too few shows one button less. */
export function canManageBilling(options: PurchaseOptions | undefined): boolean {
  return options?.can_manage_billing ?? options?.can_purchase ?? false;
}
