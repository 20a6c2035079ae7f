// Whether the server can do its work: for load balancers and operators. Names no organisation.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { sql } from 'kysely';
import * as z from 'zod/mini';
import type { Database } from '../database/database.ts';
import type { BookKeeper } from '../ledger/bookKeeper.ts';
import type { WebhookWatch } from '../purchases/watch.ts';
import { problemsUnlimited } from './answers.ts';

const Health = z.object({
  /** `degraded` when the ledger has drifted or the webhook is silent: it serves, and a person must look. */
  status: z.enum(['ok', 'degraded']),
  ledger: z.object({ drift: z.boolean(), checked_at: z.nullable(z.string()) }),
  /** What the last look of the reconciler found; `checked_at` is null before the first. */
  webhooks: z.object({
    silent: z.boolean(),
    last_received_at: z.nullable(z.string()),
    /** Payments of the last day whose news never came; they were credited by looking. */
    missed: z.int(),
    /** Deliveries of the last week about orders that are not known here. */
    quarantined: z.int(),
    checked_at: z.nullable(z.string()),
  }),
});

export const healthRoutes: FastifyPluginAsyncZod<{
  database: Database;
  bookKeeper: BookKeeper;
  watch: WebhookWatch;
}> = async (app, { database, bookKeeper, watch }) => {
  app.get(
    '/health',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'Whether the server can do its work',
        response: { 200: Health, ...problemsUnlimited() },
      },
    },
    async (_request, reply) => {
      await sql`select 1`.execute(database.query);
      const drift = (bookKeeper.last?.drifts.length ?? 0) + (bookKeeper.last?.frozen.length ?? 0) > 0;
      const webhooks = watch.last;
      reply.header('cache-control', 'no-store');
      return {
        status: drift || webhooks?.silent ? ('degraded' as const) : ('ok' as const),
        ledger: { drift, checked_at: bookKeeper.last?.at.toISOString() ?? null },
        webhooks: {
          silent: webhooks?.silent ?? false,
          last_received_at: webhooks?.lastReceivedAt?.toISOString() ?? null,
          missed: webhooks?.missed ?? 0,
          quarantined: webhooks?.quarantined ?? 0,
          checked_at: webhooks?.checkedAt.toISOString() ?? null,
        },
      };
    },
  );
};
