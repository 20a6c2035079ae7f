// The audit log, for admins.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { AuditList } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import { readAudit } from '../audit.ts';
import type { Database } from '../database/database.ts';
import { needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

const ListQuery = z.object({
  limit: z.optional(z.string().check(z.regex(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200'))),
  cursor: z.optional(z.string().check(z.regex(/^aud_\d{1,18}$/, 'a cursor of an earlier answer'))),
});
const DEFAULT_LIMIT = 50;

export const auditRoutes: FastifyPluginAsyncZod<{ access: Access; database: Database }> = async (
  app,
  { access, database },
) => {
  app.get(
    '/v1/orgs/:org/audit',
    {
      onRequest: access.allow('read_audit'),
      schema: {
        operationId: 'listAudit',
        summary: 'Who did what to the organisation’s money, newest first (admins)',
        description: 'Entries are only ever added. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: ListQuery,
        response: {
          200: AuditList,
          ...problems(
            'unauthenticated',
            'insufficient_role',
            'insufficient_scope',
            'org_not_found',
            'validation_failed',
          ),
        },
      },
    },
    ({ member, query }, reply) => {
      reply.header('cache-control', 'private, no-store');
      const before = query.cursor === undefined ? undefined : BigInt(query.cursor.slice('aud_'.length));
      return readAudit(database.query, member.orgId, Number(query.limit ?? DEFAULT_LIMIT), before);
    },
  );
};
