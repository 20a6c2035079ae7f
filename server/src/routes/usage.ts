// Usage, as the organisation's AI gateway reports it: each event debits once.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { PostUsage, UsagePosted } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { readBalance } from '../ledger/balance.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

interface Parts {
  access: Access;
  database: Database;
  ledger: Ledger;
  clock: Clock;
}

export const usageRoutes: FastifyPluginAsyncZod<Parts> = async (app, { access, database, ledger, clock }) => {
  app.post(
    '/v1/orgs/:org/usage',
    {
      onRequest: access.allow('post_usage'),
      schema: {
        operationId: 'postUsage',
        summary: 'Report usage (service tokens)',
        description:
          'Debits the organisation. The same `event_id` debits at most once, for ever, so sending again is safe. ' +
          'Usage has already happened, so it is booked even beyond the balance, as debt.',
        ...needsToken,
        params: OrgParams,
        body: PostUsage,
        response: {
          200: UsagePosted,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'org_not_found',
            'ledger_frozen',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'amount_out_of_range',
            'idempotency_key_reused',
          ),
        },
      },
    },
    async ({ member, body }) =>
      database.transaction(async tx => {
        const { duplicate } = await ledger.use(tx, member.orgId, {
          eventId: body.event_id,
          amountUcr: BigInt(body.amount_ucr),
          userId: body.user_id,
          model: body.model,
          actor: member.principal.id,
        });
        const balance = await readBalance(tx, member.orgId, clock());
        return {
          event_id: body.event_id,
          duplicate,
          balance_version: Number(balance.version),
          available_ucr: Number(balance.availableUcr),
        };
      }),
  );
};
