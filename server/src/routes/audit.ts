// The audit log, for admins.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AuditList } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import { readAudit } from '../audit.ts';
import type { Database } from '../database/database.ts';
import { needsToken, pageOf, problems, rowsOf } from './answers.ts';
import { OrgParams } from './balance.ts';

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
        querystring: pageOf(/^aud_\d{1,18}$/),
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
      return readAudit(database.query, member.orgId, rowsOf(query), before);
    },
  );
};
