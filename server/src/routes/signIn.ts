// Signing in by an identity provider: who that is, and the way back into the editor.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { CreateSignInReturn, ProtectedResource, paths, SignInReturn, scopes } from '../../../protocol/api.ts';
import type { IdentityConfig } from '../config.ts';
import type { SignInReturns } from '../identity/signInReturns.ts';
import { pageStyleHash, renderSignInLost, renderSignInReturn } from '../pages/returnPage.ts';
import { RequestRefused } from '../problems.ts';
import { problems } from './answers.ts';

export const SIGN_IN_RETURN_PATH = '/sign-in/return';

interface Parts {
  identity: IdentityConfig | undefined;
  signInReturns: SignInReturns;
}

const said = z.optional(z.string().check(z.maxLength(4_000)));
/** Source: https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2, https://www.rfc-editor.org/rfc/rfc9207#section-2 */
const ReturnQuery = z.object({
  state: z.optional(z.string()),
  code: said,
  iss: said,
  error: said,
  error_description: said,
});

export const signInRoutes: FastifyPluginAsyncZod<Parts> = async (app, { identity, signInReturns }) => {
  app.get(
    paths.protectedResource(),
    {
      schema: {
        operationId: 'getProtectedResource',
        summary: 'Who gives out access tokens for this server (RFC 9728)',
        description:
          'Without an identity provider there is nothing here: only tokens of this server are taken.',
        response: { 200: ProtectedResource, ...problems('not_found') },
      },
    },
    async () => {
      if (!identity) {
        throw new RequestRefused('not_found');
      }
      return {
        resource: identity.resource,
        authorization_servers: [...identity.issuers],
        scopes_supported: [...scopes],
        bearer_methods_supported: ['header'],
        resource_name: 'Credits',
      };
    },
  );

  app.post(
    paths.signInReturns(),
    {
      schema: {
        operationId: 'createSignInReturn',
        summary: 'Say where the answer to a sign-in is to be passed on to',
        description: [
          'For editors without a loopback address of their own: ask for this before the browser opens, and sign in with the `redirect_uri` of `GET /v1/meta`.',
          'The answer that carries this `state` is passed on to `callback_uri` once, within five minutes.',
        ].join('\n\n'),
        body: CreateSignInReturn,
        response: {
          201: SignInReturn,
          ...problems(
            'not_found',
            'return_uri_not_allowed',
            'validation_failed',
            'payload_too_large',
            'unsupported_media_type',
          ),
        },
      },
    },
    async ({ body }, reply) => {
      if (!identity) {
        throw new RequestRefused('not_found');
      }
      const { expiresAt } = await signInReturns.expect(body.state, body.callback_uri);
      return reply
        .status(201)
        .header('cache-control', 'no-store')
        .send({ expires_at: expiresAt.toISOString() });
    },
  );

  app.get(
    SIGN_IN_RETURN_PATH,
    { schema: { hide: true, querystring: ReturnQuery } },
    async ({ query: { state, ...answer } }, reply) => {
      reply
        .header('cache-control', 'no-store')
        .header(
          'content-security-policy',
          `default-src 'none'; style-src '${pageStyleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        )
        .type('text/html; charset=utf-8');
      const callbackUri = state === undefined ? undefined : await signInReturns.take(state);
      if (state === undefined || callbackUri === undefined) {
        return reply.status(404).send(renderSignInLost());
      }
      return renderSignInReturn(withAnswer(callbackUri, { state, ...answer }), answer.error !== undefined);
    },
  );
};

/** Added to the callback's own query; its own part stays as the editor has written it. */
function withAnswer(callbackUri: string, answer: Record<string, string | undefined>): string {
  const [address = '', fragment] = callbackUri.split('#', 2);
  const added = new URLSearchParams();
  for (const [name, value] of Object.entries(answer)) {
    if (value !== undefined) {
      added.set(name, value);
    }
  }
  const joined = `${address}${address.includes('?') ? '&' : '?'}${added}`;
  return fragment === undefined ? joined : `${joined}#${fragment}`;
}
