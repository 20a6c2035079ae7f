// A thousand payments, each told of a hundred times at once: half by the webhook, half by people coming back.
import assert from 'node:assert/strict';
import Stripe from 'stripe';
import { type Purchase, paths } from '../../protocol/api.ts';
import { newSecret } from '../../server/src/ids.ts';
import { verifyLedger } from '../../server/src/ledger/verify.ts';
import { StripeSide } from '../../test/server/support/stripeSide.ts';
import type { Row } from '../support/table.ts';
import { type Bench, newOrganisation, openOnPostgres, serverOn, webhookSecret } from './bench.ts';

const creditsUcr = 5_000_000_000n;

export async function paymentRows({ postgresUrl, quick }: Bench): Promise<Row[]> {
  const payments = quick ? 20 : 1_000;
  const stripe = new StripeSide(() => new Date());
  const database = await openOnPostgres(postgresUrl);
  const app = await serverOn(database, stripe.sdk);
  await app.ready();
  try {
    const org = await newOrganisation(app, database, 'payers', 1n);
    const headers = { authorization: `Bearer ${org.token}` };
    const statuses = new Map<string, number>();
    const started = performance.now();
    for (let n = 0; n < payments; n++) {
      const created = await app.inject({
        method: 'POST',
        url: paths.purchases(org.id),
        headers: { ...headers, 'idempotency-key': `payment-${n}` },
        payload: { amount_minor: 5000, currency: 'usd', expected_credits_ucr: Number(creditsUcr) },
      });
      assert.equal(created.statusCode, 201, created.body);
      const session = stripe.sessionOf(created.json<Purchase>().id);
      assert.ok(session.success_url);
      const [event] = stripe.double
        .pay(session.id)
        .filter(({ type }) => type === 'checkout.session.completed');
      assert.ok(event);
      const returnPath = new URL(session.success_url).pathname;
      const deliveries = Array.from({ length: 100 }, async (_, place) => {
        const answer =
          place % 2 === 0
            ? await app.inject({ method: 'POST', url: '/webhooks/stripe', ...signed(event) })
            : await app.inject({ method: 'GET', url: returnPath });
        const kind = `${place % 2 === 0 ? 'webhook' : 'return page'} answered ${answer.statusCode}`;
        statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
      });
      await Promise.all(deliveries);
    }
    const seconds = (performance.now() - started) / 1_000;
    const { availableUcr } = await app.parts.dueDates.readBalance(org.id);
    const { count } = await database.query
      .selectFrom('ledger_transactions')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('org_id', '=', org.id)
      .where('type', '=', 'purchase')
      .where('source_type', '<>', 'opening_balance')
      .executeTakeFirstOrThrow();
    assert.deepEqual(await verifyLedger(database.longReads), []);
    assert.equal(availableUcr, 1n + BigInt(count) * creditsUcr);
    return [
      {
        id: 'payments-once',
        what: `credits given for ${payments} payments, each told of 100 times at once (postgres)`,
        figure: Number(count),
        unit: 'credits',
        limit: { exactly: payments },
        details: {
          ...Object.fromEntries(statuses),
          'deliveries per second': Math.round((payments * 100) / seconds),
        },
      },
    ];
  } finally {
    await app.close();
    await database.close();
  }
}

/** As Stripe delivers it; told twice, an event often has an id of its own each time. */
function signed(event: Stripe.Event): { payload: string; headers: Record<string, string> } {
  const payload = JSON.stringify({ ...event, id: `evt_${newSecret()}` });
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
  return { payload, headers: { 'content-type': 'application/json', 'stripe-signature': signature } };
}
