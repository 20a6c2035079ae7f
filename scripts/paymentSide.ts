// The sandbox's payment side: an offline counterpart of Stripe with a hosted page a person can pay on. It runs in a
// process of its own, because its orders live in memory and must outlast a restart of the credits server.
//
// Usage: node scripts/paymentSide.ts   (npm start does; everything comes from the environment, see PaymentSide)
import { createEmulator } from 'emulate';

/** The environment this process reads. */
export interface PaymentSideEnvironment {
  readonly PAYMENT_PORT: string;
  /** Base of the pages for people. A name under `.localhost`, because a web editor rewrites plain loopback addresses. */
  readonly PAYMENT_PUBLIC_URL: string;
  readonly PAYMENT_WEBHOOK_URL: string;
  readonly PAYMENT_WEBHOOK_SECRET: string;
  /** The price of one minor unit: an order of $50 is 5,000 of it. The counterpart knows no free amounts. */
  readonly PAYMENT_PRICE_ID: string;
  readonly PAYMENT_CURRENCY: string;
}

const events = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
];

function read(name: keyof PaymentSideEnvironment): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

if (import.meta.main) {
  const product = 'Credits (counted in cents)';
  const emulator = await createEmulator({
    service: 'stripe',
    port: Number(read('PAYMENT_PORT')),
    baseUrl: read('PAYMENT_PUBLIC_URL'),
    seed: {
      stripe: {
        products: [{ name: product }],
        prices: [
          {
            id: read('PAYMENT_PRICE_ID'),
            product_name: product,
            unit_amount: 1,
            currency: read('PAYMENT_CURRENCY'),
          },
        ],
        webhooks: [{ url: read('PAYMENT_WEBHOOK_URL'), events, secret: read('PAYMENT_WEBHOOK_SECRET') }],
      },
    },
  });
  console.log(`payment side ready at ${emulator.url}`);
  const stop = () => void emulator.close().finally(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
