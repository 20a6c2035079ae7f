// The Stripe double as the server's tests use it: reached by the server's own SDK without a socket, and able to be slow
// or away for as long as a test likes.
import { randomUUID } from 'node:crypto';
import type Stripe from 'stripe';
import { StripeDouble } from '../../support/stripeDouble.ts';

export class StripeSide {
  readonly double: StripeDouble;
  /** Requests whose method and path match get no answer. */
  failing: RegExp | undefined;
  /** Requests that match wait until `letGo()`. */
  holding: RegExp | undefined;
  /** Requests that match have their effect, and their answers are on their way until `letGo()`. */
  delaying: RegExp | undefined;
  readonly #waiting: Array<() => void> = [];

  constructor(now: () => Date) {
    this.double = new StripeDouble({
      now: () => now().getTime(),
      // All tests share one database, where ids of sessions are what they are at Stripe: never the same twice.
      nextId: prefix => `${prefix}${randomUUID().replaceAll('-', '')}`,
      onCall: async ({ method, path, params }, moment) => {
        const line = `${method} ${path}${'starting_after' in params ? ', next page' : ''}`;
        if (moment === 'before' && this.failing?.test(line)) {
          throw new Error('away');
        }
        if ((moment === 'before' ? this.holding : this.delaying)?.test(line)) {
          await new Promise<void>(resolve => this.#waiting.push(resolve));
        }
      },
    });
  }

  /** What the server's SDK is made with. */
  get sdk(): Stripe.StripeConfig {
    return { httpClient: this.double.httpClient(), maxNetworkRetries: 0 };
  }

  /** `GET /v1/checkout/sessions/…`, in order. */
  requests(): string[] {
    return this.double.calls.map(({ method, path }) => `${method} ${path}`);
  }

  /** The session that the server made for a purchase, as it is now. */
  sessionOf(purchaseId: string): Stripe.Checkout.Session {
    const found = this.double.sessions().find(session => session.metadata?.['purchase_id'] === purchaseId);
    if (!found) {
      throw new Error(`there is no session of ${purchaseId}`);
    }
    return found;
  }

  letGo(): void {
    this.holding = undefined;
    this.delaying = undefined;
    for (const go of this.#waiting.splice(0)) {
      go();
    }
  }

  /** A paid session that the server did not make. */
  async foreignSession(metadata: Record<string, string>): Promise<string> {
    const { id } = await this.double.client().checkout.sessions.create({
      mode: 'payment',
      success_url: 'https://shop.example/',
      metadata,
      line_items: [
        {
          quantity: 1,
          price_data: { currency: 'usd', unit_amount: 5000, product_data: { name: 'Credits' } },
        },
      ],
    });
    this.double.pay(id, { email: 'someone@shop.example' });
    return id;
  }
}
