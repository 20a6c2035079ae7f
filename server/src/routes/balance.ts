// The balance: the one figure everything else is about.
import { createHash } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { Balance } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { balanceOnTheWire } from '../ledger/balance.ts';
import { budgetOnTheWire, budgetsOf, stoppedBy } from '../ledger/budgets.ts';
import type { DueDates } from '../ledger/dueDates.ts';
import { DailyUsage, runwayOf } from '../ledger/runway.ts';
import { needsToken, problems } from './answers.ts';

export const OrgParams = z.object({ org: z.string().check(z.minLength(1), z.maxLength(100)) });

export const balanceRoutes: FastifyPluginAsyncZod<{
  access: Access;
  database: Database;
  dueDates: DueDates;
  clock: Clock;
}> = async (app, { access, database, dueDates, clock }) => {
  const dailyUsage = new DailyUsage();
  app.get(
    '/v1/orgs/:org/balance',
    {
      onRequest: access.allow('read_balance'),
      schema: {
        operationId: 'getBalance',
        summary: 'The balance of an organisation',
        description:
          '`budgets` and `stopped_by` are the asker’s own. Answers with an `ETag`; send it back as `If-None-Match` and get 304 while nothing has changed but `as_of`.',
        ...needsToken,
        params: OrgParams,
        headers: z.object({ 'if-none-match': z.optional(z.string()) }),
        response: {
          200: Balance,
          304: { description: 'The balance is as it was.', content: { 'text/plain': { schema: z.null() } } },
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found'),
        },
      },
    },
    async (request, reply) => {
      const { orgId, principal } = request.member;
      const figures = await dueDates.readBalance(orgId);
      const now = clock();
      const budgets = await budgetsOf(database.query, orgId, principal.id, now);
      const balance = {
        ...balanceOnTheWire(figures, now),
        budgets: budgets.map(budgetOnTheWire),
        stopped_by: stoppedBy(figures, budgets),
        runway: runwayOf(figures.availableUcr, await dailyUsage.read(database.query, figures, now)),
      };
      const etag = etagOf(balance);
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (namesTag(request.headers['if-none-match'], etag)) {
        return reply.status(304).send();
      }
      return balance;
    },
  );
};

/** The version for whoever reads it, and a hash because a moment's passing can change what is said without a transaction. */
function etagOf({ as_of, ...lasting }: Balance): string {
  const hash = createHash('sha256').update(JSON.stringify(lasting)).digest('base64url').slice(0, 16);
  return `"${lasting.version}-${hash}"`;
}

/** Proxies that compress answers make an ETag weak; for reading that is the same answer. */
function namesTag(header: string | undefined, etag: string): boolean {
  return header?.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag) ?? false;
}
