// What monitoring reads: counts and times, no names of organisations or people. Off until METRICS_TOKEN is set.
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from './database/database.ts';
import type { EventStreams } from './eventStreams.ts';
import { hashOf } from './ids.ts';
import type { BookKeeper } from './ledger/bookKeeper.ts';
import { frozenOrganisations } from './ledger/verify.ts';
import { RequestRefused } from './problems.ts';
import type { Reconciler } from './purchases/reconciler.ts';

interface Parts {
  readonly token: string;
  readonly database: Database;
  readonly streams: EventStreams;
  readonly bookKeeper: BookKeeper;
  readonly reconciler: Reconciler;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A figure that the database cannot tell now is missing, and is no reason to keep back all the others. */
const ifTold = <T>(figures: Promise<T>): Promise<T | undefined> => figures.catch(() => undefined);

export function measure(app: FastifyInstance, parts: Parts): void {
  const { token, database, streams, bookKeeper, reconciler } = parts;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'credits_' });

  const requests = new Histogram({
    name: 'credits_request_duration_seconds',
    help: 'Answered requests by route, method and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers,
  });
  const webhooks = new Counter({
    name: 'credits_webhooks_total',
    help: "Stripe's deliveries by what became of them: taken, refused (not signed by Stripe) or failed (Stripe sends again).",
    labelNames: ['result'],
    registers,
  });
  for (const result of ['taken', 'refused', 'failed']) {
    webhooks.inc({ result }, 0);
  }
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    requests.observe({ method: request.method, route, status }, reply.elapsedTime / 1_000);
    if (route === '/webhooks/stripe') {
      webhooks.inc({ result: status < 300 ? 'taken' : status < 500 ? 'refused' : 'failed' });
    }
  });

  new Gauge({
    name: 'credits_purchases',
    help: 'Purchases by status. needs_review wants a person.',
    labelNames: ['status'],
    registers,
    async collect() {
      this.reset();
      const rows = await ifTold(
        database.longReads
          .selectFrom('purchases')
          .select(({ fn }) => ['status', fn.countAll<bigint>().as('count')])
          .groupBy('status')
          .execute(),
      );
      for (const { status, count } of rows ?? []) {
        this.set({ status }, Number(count));
      }
    },
  });
  new Gauge({
    name: 'credits_webhooks_open',
    help: 'Deliveries taken in and not settled (received), or set aside for a person (quarantined).',
    labelNames: ['status'],
    registers,
    async collect() {
      this.reset();
      const rows = await ifTold(
        database.longReads
          .selectFrom('stripe_events')
          .select(({ fn }) => ['status', fn.countAll<bigint>().as('count')])
          .where('status', 'in', ['received', 'quarantined'])
          .groupBy('status')
          .execute(),
      );
      if (!rows) {
        return;
      }
      this.set({ status: 'received' }, 0);
      this.set({ status: 'quarantined' }, 0);
      for (const { status, count } of rows) {
        this.set({ status }, Number(count));
      }
    },
  });
  new Gauge({
    name: 'credits_event_streams_open',
    help: 'Open event streams of this process.',
    registers,
    collect() {
      this.set(streams.openCount);
    },
  });
  const looks = new Gauge({
    name: 'credits_reconcile_runs',
    help: 'Looks at purchases under way since this process started, by how they ended.',
    labelNames: ['result'],
    registers,
    collect() {
      looks.set({ result: 'done' }, reconciler.looks.done);
      looks.set({ result: 'broke_off' }, reconciler.looks.brokeOff);
    },
  });
  new Gauge({
    name: 'credits_ledger_drifts',
    help: 'Balances and transactions that were not in order when the books were last checked. Anything but 0 wants a person.',
    registers,
    collect() {
      this.set(bookKeeper.last?.drifts.length ?? 0);
    },
  });
  new Gauge({
    name: 'credits_ledgers_frozen',
    help: 'Organisations for which nothing is posted until their balances are repaired. Anything but 0 wants a person.',
    registers,
    async collect() {
      this.remove();
      const frozen = await ifTold(frozenOrganisations(database.longReads));
      if (frozen) {
        this.set(frozen.length);
      }
    },
  });
  new Gauge({
    name: 'credits_ledger_checked_timestamp_seconds',
    help: 'When the books were last checked.',
    registers,
    collect() {
      this.set((bookKeeper.last?.at.getTime() ?? 0) / 1_000);
    },
  });

  const expected = Buffer.from(hashOf(`Bearer ${token}`));
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    // Of equal length whatever was sent, so that the time taken tells nothing.
    if (!timingSafeEqual(Buffer.from(hashOf(request.headers.authorization ?? '')), expected)) {
      throw new RequestRefused('unauthenticated');
    }
    return reply
      .header('cache-control', 'no-store')
      .type(registry.contentType)
      .send(await registry.metrics());
  });
}
