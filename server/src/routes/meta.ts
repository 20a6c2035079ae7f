// What this server is, and who is asking it.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Me, Meta } from '../../../protocol/api.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { type Access, may, needed, reaches } from '../access.ts';
import type { Config } from '../config.ts';
import type { Payments } from '../purchases/payments.ts';
import { needsToken, problems } from './answers.ts';
import { SIGN_IN_RETURN_PATH } from './signIn.ts';

interface Parts {
  config: Config;
  access: Access;
  payments: Payments | undefined;
}

export const metaRoutes: FastifyPluginAsyncZod<Parts> = async (app, { config, access, payments }) => {
  app.get(
    '/v1/meta',
    {
      schema: {
        operationId: 'getMeta',
        summary: 'What this server is',
        response: { 200: Meta, ...problems() },
      },
    },
    async () => ({
      service: 'credits' as const,
      api_versions: ['v1'],
      server_version: packageJson.version,
      payment_mode: payments?.mode ?? 'none',
      features: { checkout: payments !== undefined, events: true, portal: payments !== undefined },
      ...(config.identity && {
        sign_in: {
          client_id: config.identity.clientId,
          redirect_uri: config.publicUrl + SIGN_IN_RETURN_PATH,
        },
      }),
    }),
  );

  app.get(
    '/v1/me',
    {
      onRequest: access.signedIn,
      schema: {
        operationId: 'getMe',
        summary: 'Who the token belongs to, and in which organisations',
        ...needsToken,
        response: { 200: Me, ...problems('unauthenticated', 'insufficient_scope') },
      },
    },
    async ({ principal, credential }) => ({
      principal,
      orgs: (await access.memberships(principal)).map(({ role, ...org }) => ({
        ...org,
        role,
        permissions: {
          can_purchase:
            payments !== undefined && may(role, 'purchase') && reaches(credential, needed.purchase),
        },
      })),
    }),
  );
};
