// The payment side's own pages for admins: invoices, receipts and stored cards of the organisation.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { PortalSession } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import type { Purchases } from '../purchases/purchases.ts';
import { changeProblems, needsToken } from './answers.ts';
import { OrgParams } from './balance.ts';

export const portalRoutes: FastifyPluginAsyncZod<{ access: Access; purchases: Purchases }> = async (
  app,
  { access, purchases },
) => {
  app.post(
    '/v1/orgs/:org/portal-sessions',
    {
      onRequest: access.allow('manage_billing'),
      schema: {
        operationId: 'createPortalSession',
        summary: 'Open the payment side’s pages of the organisation (admins)',
        description:
          'Answers with an address that lets whoever has it see invoices and stored cards for a short while: open it at once, store it nowhere.',
        ...needsToken,
        params: OrgParams,
        response: {
          201: PortalSession,
          ...changeProblems('purchasing_blocked', 'payment_provider_unavailable'),
        },
      },
    },
    async ({ member }, reply) =>
      reply
        .status(201)
        .header('cache-control', 'no-store')
        .send({ url: await purchases.openPortal(member) }),
  );
};
