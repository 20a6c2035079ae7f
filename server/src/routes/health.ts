// Whether the server can do its work: for load balancers and operators. Names no organisation.

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { sql } from 'kysely';
import * as z from 'zod/mini';
import type { Database } from '../database/database.ts';
import type { BookKeeper } from '../ledger/bookKeeper.ts';
import { problems } from './answers.ts';

const Health = z.object({
  /** `degraded` when the ledger has drifted: it serves, and a person must look. */
  status: z.enum(['ok', 'degraded']),
  ledger: z.object({ drift: z.boolean(), checked_at: z.nullable(z.string()) }),
});

export const healthRoutes: FastifyPluginAsyncZod<{ database: Database; bookKeeper: BookKeeper }> = async (
  app,
  { database, bookKeeper },
) => {
  app.get(
    '/health',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'Whether the server can do its work',
        response: { 200: Health, ...problems() },
      },
    },
    async (_request, reply) => {
      await sql`select 1`.execute(database.query);
      const drift = (bookKeeper.last?.drifts.length ?? 0) > 0;
      reply.header('cache-control', 'no-store');
      return {
        status: drift ? ('degraded' as const) : ('ok' as const),
        ledger: { drift, checked_at: bookKeeper.last?.at.toISOString() ?? null },
      };
    },
  );
};
