// Buying: what is on offer, and the purchases of an organisation.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import {
  CreatePurchase,
  IDEMPOTENCY_REPLAYED_HEADER,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  Purchase,
  PurchaseList,
  PurchaseOptions,
  paths,
} from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import { RequestRefused } from '../problems.ts';
import type { Purchases } from '../purchases/purchases.ts';
import { needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

const PurchaseParams = z.extend(OrgParams, { purchase: z.string().check(z.minLength(1), z.maxLength(100)) });

const ListQuery = z.object({
  limit: z.optional(z.string().check(z.regex(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200'))),
  cursor: z.optional(z.string().check(z.regex(/^pur_[0-9a-z]{26}$/, 'a cursor of an earlier answer'))),
});
const DEFAULT_LIMIT = 50;

export const purchaseRoutes: FastifyPluginAsyncZod<{ access: Access; purchases: Purchases }> = async (
  app,
  { access, purchases },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'private, no-store');
  });

  app.get(
    '/v1/orgs/:org/purchase-options',
    {
      onRequest: access.allow('read_offer'),
      schema: {
        operationId: 'getPurchaseOptions',
        summary: 'What can be bought, and whether the asker can',
        ...needsToken,
        params: OrgParams,
        response: {
          200: PurchaseOptions,
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found'),
        },
      },
    },
    ({ member }) => purchases.options(member),
  );

  app.post(
    '/v1/orgs/:org/purchases',
    {
      onRequest: access.allow('purchase'),
      schema: {
        operationId: 'createPurchase',
        summary: 'Begin a purchase (admins)',
        description: [
          'Stores the order and opens a payment page for it: `checkout_url`. Nothing is charged until someone pays there.',
          'The same `Idempotency-Key` with the same body gives the same purchase, with `Idempotency-Replayed: true`; after a failure on our side the same key goes on where it stopped.',
        ].join('\n\n'),
        ...needsToken,
        params: OrgParams,
        headers: z.object({ 'idempotency-key': z.optional(z.string()) }),
        body: CreatePurchase,
        response: {
          201: Purchase,
          ...problems(
            'idempotency_key_required',
            'unauthenticated',
            'insufficient_role',
            'insufficient_scope',
            'org_not_found',
            'quote_changed',
            'request_in_progress',
            'purchasing_blocked',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'amount_out_of_range',
            'currency_mismatch',
            'return_uri_not_allowed',
            'idempotency_key_reused',
            'ledger_frozen',
            'payment_provider_unavailable',
          ),
        },
      },
    },
    async ({ member, body, headers }, reply) => {
      const key = headers['idempotency-key'] ?? '';
      if (!/^[\x21-\x7e]+$/.test(key) || key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
        throw new RequestRefused('idempotency_key_required');
      }
      const { purchase, replayed } = await purchases.create(member, body, key);
      if (replayed) {
        reply.header(IDEMPOTENCY_REPLAYED_HEADER, 'true');
      }
      return reply.status(201).header('location', paths.purchase(member.orgId, purchase.id)).send(purchase);
    },
  );

  app.get(
    '/v1/orgs/:org/purchases',
    {
      onRequest: access.allow('follow_purchases'),
      schema: {
        operationId: 'listPurchases',
        summary: 'Purchases, newest first',
        description:
          'Admins see all of their organisation, others their own. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: ListQuery,
        response: {
          200: PurchaseList,
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found', 'validation_failed'),
        },
      },
    },
    ({ member, query }) => purchases.list(member, Number(query.limit ?? DEFAULT_LIMIT), query.cursor),
  );

  app.get(
    '/v1/orgs/:org/purchases/:purchase',
    {
      onRequest: access.allow('follow_purchases'),
      schema: {
        operationId: 'getPurchase',
        summary: 'One purchase',
        description:
          'While it is under way this asks the payment side too, so it is true even when a webhook was lost.',
        ...needsToken,
        params: PurchaseParams,
        response: {
          200: Purchase,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'org_not_found',
            'purchase_not_found',
            'validation_failed',
          ),
        },
      },
    },
    ({ member, params }) => purchases.get(member, params.purchase),
  );

  app.post(
    '/v1/orgs/:org/purchases/:purchase/cancel',
    {
      onRequest: access.allow('close_purchase'),
      schema: {
        operationId: 'cancelPurchase',
        summary: 'Close the payment page of a purchase',
        description: 'Doing it twice is doing it once. A payment that was faster is credited all the same.',
        ...needsToken,
        params: PurchaseParams,
        response: {
          200: Purchase,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'org_not_found',
            'purchase_not_found',
            'purchase_not_open',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'ledger_frozen',
            'payment_provider_unavailable',
          ),
        },
      },
    },
    ({ member, params }) => purchases.cancel(member, params.purchase),
  );
};
