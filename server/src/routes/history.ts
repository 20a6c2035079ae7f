// Looking back: the ledger, the grants, and where the credits went.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { sql } from 'kysely';
import * as z from 'zod/mini';
import { GrantList, LedgerList, UsageReport } from '../../../protocol/api.ts';
import { type Access, may } from '../access.ts';
import { type Clock, DAY_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import type { DueDates } from '../ledger/dueDates.ts';
import { listGrants, listTransactions, reportUsage, usageGroups } from '../ledger/history.ts';
import { visiblePeople, visibleTeams } from '../organisation/members.ts';
import { RequestRefused } from '../problems.ts';
import { needsToken, pageOf, problems, rowsOf } from './answers.ts';
import { OrgParams } from './balance.ts';

interface Parts {
  access: Access;
  database: Database;
  dueDates: DueDates;
  clock: Clock;
}

const UsageQuery = z.object({
  group_by: z.enum(usageGroups),
  from: z.optional(z.iso.datetime({ offset: true })),
  to: z.optional(z.iso.datetime({ offset: true })),
});
const DEFAULT_SPAN_MS = 30 * DAY_MS;
const MAX_SPAN_MS = 366 * DAY_MS;

export const historyRoutes: FastifyPluginAsyncZod<Parts> = async (
  app,
  { access, database, dueDates, clock },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'private, no-store');
  });
  const refusals = problems(
    'unauthenticated',
    'insufficient_role',
    'insufficient_scope',
    'org_not_found',
    'validation_failed',
  );

  app.get(
    '/v1/orgs/:org/ledger',
    {
      onRequest: access.allow('read_history'),
      schema: {
        operationId: 'listLedger',
        summary: 'Transactions of the ledger, newest first (admins)',
        description:
          'Transactions are never changed: what was wrong is put right by another one. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: pageOf(/^[1-9]\d{0,15}$/),
        response: { 200: LedgerList, ...refusals },
      },
    },
    async ({ member, query }) => {
      await dueDates.settle(member.orgId);
      const before = query.cursor === undefined ? undefined : BigInt(query.cursor);
      return listTransactions(database.query, member.orgId, rowsOf(query), before);
    },
  );

  app.get(
    '/v1/orgs/:org/grants',
    {
      onRequest: access.allow('read_history'),
      schema: {
        operationId: 'listGrants',
        summary: 'Grants, with what is left of each and when it ends, newest first (admins)',
        description: '`limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: pageOf(/^gr_[0-9a-z]{26}$/),
        response: { 200: GrantList, ...refusals },
      },
    },
    async ({ member, query }) => {
      await dueDates.settle(member.orgId);
      const page = rowsOf(query);
      return listGrants(database.query, member.orgId, page, query.cursor, clock());
    },
  );

  app.get(
    '/v1/orgs/:org/usage',
    {
      onRequest: access.allow('read_usage'),
      schema: {
        operationId: 'getUsage',
        summary: 'Usage by day, model, user or team',
        description: [
          'Admins see all of their organisation, team owners and team leads the people of their teams, others what was used in their name. Days are UTC. A team’s usage is that of the people who are in it now.',
          '`from` is in the report, `to` is not; the last 30 days when not given, 366 days at most. Days come in their order, the others by how much they used, at most 1,000 groups.',
        ].join('\n\n'),
        ...needsToken,
        params: OrgParams,
        querystring: UsageQuery,
        response: {
          200: UsageReport,
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found', 'validation_failed'),
        },
      },
    },
    async ({ member, query }) => {
      // Without an end: up to now, and with what was used in this millisecond.
      const to = query.to === undefined ? new Date(clock().getTime() + 1) : new Date(query.to);
      const from = query.from === undefined ? new Date(to.getTime() - DEFAULT_SPAN_MS) : new Date(query.from);
      // An offset may lead beyond the four digits of what was written, where RFC 3339 ends.
      if (from.getUTCFullYear() < 1 || to.getUTCFullYear() > 9_999) {
        const pointer = from.getUTCFullYear() < 1 ? '/from' : '/to';
        throw new RequestRefused('validation_failed', { errors: [{ pointer, code: 'out_of_range' }] });
      }
      const spanMs = to.getTime() - from.getTime();
      if (spanMs <= 0 || spanMs > MAX_SPAN_MS) {
        throw new RequestRefused('validation_failed', {
          errors: [{ pointer: '/from', code: spanMs <= 0 ? 'not_before_to' : 'more_than_366_days' }],
        });
      }
      return reportUsage(database.query, member.orgId, {
        groupBy: query.group_by,
        from,
        to,
        scope: may(member.role, 'read_history')
          ? 'all'
          : may(member.role, 'read_team_usage')
            ? 'team'
            : 'own',
        people: visiblePeople(member, sql`e.user_id`),
        teams: visibleTeams(member, sql`tm.team_id`),
      });
    },
  );
};
