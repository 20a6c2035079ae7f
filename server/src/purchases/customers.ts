// Who an organisation is on the payment side: one customer, made when it is first needed and kept, so that invoices,
// cards and the customer portal belong to the organisation and not to whoever happened to buy.
import type { Clock } from '../clock.ts';
import type { Database } from '../database/database.ts';
import type { Payments } from './payments.ts';

interface Parts {
  readonly database: Database;
  readonly clock: Clock;
}

export class Customers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `gone` is a customer that the payment side turned out not to know any more: another takes its place. */
  async of(payments: Payments, orgId: string, orgName: string, gone?: string): Promise<string> {
    const { database, clock } = this.#parts;
    const stored = await this.#stored(orgId);
    if (stored !== undefined && stored !== gone) {
      return stored;
    }
    // The key makes one customer of requests at once, and of a try that was cut off before its end was stored.
    const customerId = await payments.createCustomer(orgId, orgName, `customer:${orgId}:${gone ?? 'first'}`);
    await database.query
      .insertInto('payment_customers')
      .values({ org_id: orgId, customer_id: customerId, created_at: clock() })
      .onConflict(conflict =>
        conflict
          .column('org_id')
          .doUpdateSet({ customer_id: customerId, created_at: clock() })
          .where('payment_customers.customer_id', '=', gone ?? ''),
      )
      .execute();
    return (await this.#stored(orgId)) ?? customerId;
  }

  async #stored(orgId: string): Promise<string | undefined> {
    const row = await this.#parts.database.query
      .selectFrom('payment_customers')
      .select('customer_id')
      .where('org_id', '=', orgId)
      .executeTakeFirst();
    return row?.customer_id;
  }
}
