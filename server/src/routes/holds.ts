// Holds: what an AI gateway sets aside before a request runs, and settles when it has run.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { CreateHold, FinalizeHold, Hold } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import type { Clock } from '../clock.ts';
import type { Database, Tx } from '../database/database.ts';
import { readBalance } from '../ledger/balance.ts';
import type { HoldChange } from '../ledger/holds.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

interface Parts {
  access: Access;
  database: Database;
  ledger: Ledger;
  clock: Clock;
}

const HoldParams = z.extend(OrgParams, { hold: z.string().check(z.minLength(1), z.maxLength(100)) });

export const holdRoutes: FastifyPluginAsyncZod<Parts> = async (app, { access, database, ledger, clock }) => {
  const answered = (work: (tx: Tx) => Promise<HoldChange>): Promise<Hold> =>
    database.transaction(async tx => {
      const { hold, duplicate } = await work(tx);
      const balance = await readBalance(tx, hold.org_id, clock());
      return {
        id: hold.hold_id,
        status: hold.status,
        amount_ucr: Number(hold.amount_ucr),
        used_ucr: hold.used_ucr === null ? null : Number(hold.used_ucr),
        created_at: hold.created_at.toISOString(),
        expires_at: hold.expires_at.toISOString(),
        closed_at: hold.closed_at?.toISOString() ?? null,
        duplicate,
        balance_version: Number(balance.version),
        available_ucr: Number(balance.availableUcr),
      };
    });

  app.post(
    '/v1/orgs/:org/holds',
    {
      onRequest: access.allow('post_usage'),
      schema: {
        operationId: 'createHold',
        summary: 'Set credits aside for a running request (service tokens)',
        description: [
          'What is on hold cannot be spent by others and does not expire meanwhile. Refused when less is available.',
          'The same `hold_id` with the same amount and time is the same hold, for ever, so sending again is safe. After `expires_at` the credits are free again.',
        ].join('\n\n'),
        ...needsToken,
        params: OrgParams,
        body: CreateHold,
        response: {
          200: Hold,
          ...problems(
            'unauthenticated',
            'budget_exceeded',
            'insufficient_credits',
            'insufficient_scope',
            'org_not_found',
            'ledger_frozen',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'idempotency_key_reused',
          ),
        },
      },
    },
    ({ member, body }) =>
      answered(tx =>
        ledger.hold(tx, member.orgId, {
          holdId: body.hold_id,
          amountUcr: BigInt(body.amount_ucr),
          expiresInS: body.expires_in_s,
          userId: body.user_id,
          model: body.model,
          actor: member.principal.id,
        }),
      ),
  );

  app.post(
    '/v1/orgs/:org/holds/:hold/finalize',
    {
      onRequest: access.allow('post_usage'),
      schema: {
        operationId: 'finalizeHold',
        summary: 'Debit what was used, and free the rest (service tokens)',
        description: [
          'The amount may be less than was on hold, or more: usage has already happened, so it is booked even beyond the balance, as debt.',
          'For the same reason a hold that has expired can still be finalized; one that was released cannot. The same amount again changes nothing.',
        ].join('\n\n'),
        ...needsToken,
        params: HoldParams,
        body: FinalizeHold,
        response: {
          200: Hold,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'org_not_found',
            'ledger_frozen',
            'hold_not_found',
            'hold_not_open',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
            'amount_out_of_range',
            'idempotency_key_reused',
          ),
        },
      },
    },
    ({ member, params, body }) =>
      answered(tx =>
        ledger.finalizeHold(tx, member.orgId, params.hold, BigInt(body.amount_ucr), member.principal.id),
      ),
  );

  app.post(
    '/v1/orgs/:org/holds/:hold/release',
    {
      onRequest: access.allow('post_usage'),
      schema: {
        operationId: 'releaseHold',
        summary: 'Free all that is on hold (service tokens)',
        description: 'For a request that used nothing. Doing it twice is doing it once.',
        ...needsToken,
        params: HoldParams,
        response: {
          200: Hold,
          ...problems(
            'unauthenticated',
            'insufficient_scope',
            'org_not_found',
            'ledger_frozen',
            'hold_not_found',
            'hold_not_open',
            'payload_too_large',
            'unsupported_media_type',
            'validation_failed',
          ),
        },
      },
    },
    ({ member, params }) =>
      answered(tx => ledger.releaseHold(tx, member.orgId, params.hold, member.principal.id)),
  );
};
