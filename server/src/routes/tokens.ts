// Access tokens: people manage their own, admins those of their organisation's services.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { AccessTokenList, CreateToken, NewAccessToken } from '../../../protocol/api.ts';
import { type Access, reaches } from '../access.ts';
import type { Database } from '../database/database.ts';
import type { AccessTokens, TokenOrder } from '../identity/tokens.ts';
import { change } from '../organisation/change.ts';
import { RequestRefused } from '../problems.ts';
import { changeProblems, needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

const tokenId = { token: z.string().check(z.regex(/^tok_[0-9a-f]{26}$/)) };
const TokenParams = z.object(tokenId);
const OrgTokenParams = z.extend(OrgParams, tokenId);
const GONE = { 204: { description: 'It is revoked.', content: { 'text/plain': { schema: z.null() } } } };

interface Parts {
  readonly access: Access;
  readonly tokens: AccessTokens;
  readonly database: Database;
}

export const tokenRoutes: FastifyPluginAsyncZod<Parts> = async (app, { access, tokens, database }) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.get(
    '/v1/me/tokens',
    {
      onRequest: access.inPerson,
      schema: {
        operationId: 'listMyTokens',
        summary: 'One’s own access tokens',
        ...needsToken,
        response: { 200: AccessTokenList, ...problems('unauthenticated', 'insufficient_scope') },
      },
    },
    async ({ principal }) => ({ data: await tokens.list({ principalId: principal.id }) }),
  );

  app.post(
    '/v1/me/tokens',
    {
      onRequest: access.inPerson,
      schema: {
        operationId: 'createMyToken',
        summary: 'Make an access token for oneself',
        description:
          'The answer is the only one that holds it. It can do no more than the token it is made with.',
        ...needsToken,
        body: CreateToken,
        response: {
          201: NewAccessToken,
          ...problems(
            'unauthenticated',
            'insufficient_role',
            'insufficient_scope',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'too_many_tokens',
          ),
        },
      },
    },
    async ({ principal, credential, body }, reply) => {
      if ((await access.memberships(principal)).length === 0) {
        throw new RequestRefused('insufficient_role');
      }
      const beyond = body.scopes.find(scope => !reaches(credential, [scope]));
      if (beyond !== undefined) {
        throw new RequestRefused('insufficient_scope', { scope: beyond });
      }
      const order = { ...orderOf(body), madeWith: credential };
      return reply.status(201).send(await tokens.issueToPerson(principal, order));
    },
  );

  app.delete(
    '/v1/me/tokens/:token',
    {
      onRequest: access.inPerson,
      schema: {
        operationId: 'revokeMyToken',
        summary: 'Revoke one of one’s own access tokens',
        ...needsToken,
        params: TokenParams,
        response: {
          ...GONE,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'token_not_found',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
          ),
        },
      },
    },
    async ({ principal, params }, reply) => {
      await database.transaction(tx =>
        tokens.revoke(tx, { principalId: principal.id }, params.token, principal.id),
      );
      return reply.status(204).send(null);
    },
  );

  app.get(
    '/v1/orgs/:org/tokens',
    {
      onRequest: access.allow('manage_tokens'),
      schema: {
        operationId: 'listTokens',
        summary: 'Access tokens of the organisation’s services (admins)',
        ...needsToken,
        params: OrgParams,
        response: {
          200: AccessTokenList,
          ...problems('unauthenticated', 'insufficient_role', 'insufficient_scope', 'org_not_found'),
        },
      },
    },
    async ({ member }) => ({ data: await tokens.list({ servicesOf: member.orgId }) }),
  );

  app.post(
    '/v1/orgs/:org/tokens',
    {
      onRequest: access.allow('manage_tokens'),
      schema: {
        operationId: 'createToken',
        summary: 'Make an access token for a service, such as a gateway (admins)',
        description:
          'The answer is the only one that holds it. Services read the balance and report usage; they never buy.',
        ...needsToken,
        params: OrgParams,
        body: CreateToken,
        response: {
          201: NewAccessToken,
          ...changeProblems('too_many_tokens'),
        },
      },
    },
    async ({ member, body }, reply) => {
      // Who manages the organisation's services gives them what they need, and that is never more than `grantable`.
      const made = await change(database, member, tx =>
        tokens.issueToService(tx, member.orgId, orderOf(body), member.principal.id),
      );
      return reply.status(201).send(made);
    },
  );

  app.delete(
    '/v1/orgs/:org/tokens/:token',
    {
      onRequest: access.allow('manage_tokens'),
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke an access token of a service (admins)',
        ...needsToken,
        params: OrgTokenParams,
        response: {
          ...GONE,
          ...changeProblems('token_not_found'),
        },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, tx =>
        tokens.revoke(tx, { servicesOf: member.orgId }, params.token, member.principal.id),
      );
      return reply.status(204).send(null);
    },
  );
};

function orderOf({ name, scopes, expires_in_days }: z.infer<typeof CreateToken>): TokenOrder {
  return { name, scopes, expiresInDays: expires_in_days };
}
