// An organisation's settings, and the alerts about lines that were crossed.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { AlertList, OrgSettings } from '../../../protocol/api.ts';
import { change } from '../organisation/change.ts';
import { listAlerts, readSettings, storeSettings } from '../organisation/settings.ts';
import { changeProblems, needsToken, pageOf, problems, rowsOf } from './answers.ts';
import { OrgParams } from './balance.ts';
import type { OrganisationParts } from './members.ts';

export const settingsRoutes: FastifyPluginAsyncZod<OrganisationParts> = async (
  app,
  { access, database, clock },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'private, no-store');
  });

  app.get(
    '/v1/orgs/:org/settings',
    {
      onRequest: access.allow('manage_settings'),
      schema: {
        operationId: 'getSettings',
        summary: 'The organisation’s settings (admins)',
        ...needsToken,
        params: OrgParams,
        response: {
          200: OrgSettings,
          ...problems('unauthenticated', 'insufficient_role', 'insufficient_scope', 'org_not_found'),
        },
      },
    },
    ({ member }) => readSettings(database.query, member.orgId),
  );

  app.put(
    '/v1/orgs/:org/settings',
    {
      onRequest: access.allow('manage_settings'),
      schema: {
        operationId: 'setSettings',
        summary: 'Change the organisation’s settings (admins)',
        description:
          'The contact is whom members are told to ask for credits, with `purchase-options`. What is not set is null.',
        ...needsToken,
        params: OrgParams,
        body: OrgSettings,
        response: { 200: OrgSettings, ...changeProblems() },
      },
    },
    async ({ member, body }) => {
      await change(database, member, (tx, asker) => storeSettings(tx, asker, body, clock()));
      return body;
    },
  );

  app.get(
    '/v1/orgs/:org/alerts',
    {
      onRequest: access.allow('read_alerts'),
      schema: {
        operationId: 'listAlerts',
        summary: 'Lines that were crossed, newest first',
        description:
          'Each line is told once in its period. Admins see all, others those of their own and their teams’ budgets. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: pageOf(/^alt_\d{1,18}$/),
        response: {
          200: AlertList,
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found', 'validation_failed'),
        },
      },
    },
    ({ member, query }) => {
      const before = query.cursor === undefined ? undefined : BigInt(query.cursor.slice('alt_'.length));
      return listAlerts(database.query, member, rowsOf(query), before);
    },
  );
};
