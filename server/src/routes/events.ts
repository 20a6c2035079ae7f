// The push: server-sent events of one organisation.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import type { Access } from '../access.ts';
import type { EventStreams } from '../eventStreams.ts';
import { needsToken, problems } from './answers.ts';
import { OrgParams } from './balance.ts';

export const eventRoutes: FastifyPluginAsyncZod<{ access: Access; streams: EventStreams }> = async (
  app,
  { access, streams },
) => {
  app.get(
    '/v1/orgs/:org/events',
    {
      onRequest: access.allow('listen'),
      schema: {
        operationId: 'listen',
        summary: 'What happens, as it happens (server-sent events)',
        description: [
          'Begins with `balance.updated` for the balance as it is, then sends `balance.updated`, `purchase.updated` and `alert.raised` as they happen.',
          'With `Last-Event-ID` what was missed comes first, or `resync` when it is no longer kept.',
          'The shapes of `data` are `BalanceUpdatedEvent`, `PurchaseUpdatedEvent`, `AlertRaisedEvent`, `ResyncEvent` and `StreamClosingEvent`; `id` is a number that grows.',
          'Comment lines are signs of life. `stream.closing` comes before the server ends a stream on purpose: for `shutdown` and `renew` open it again after `retry` milliseconds; after `removed` and `revoked` the next one is refused.',
        ].join('\n\n'),
        ...needsToken,
        params: OrgParams,
        headers: z.object({ 'last-event-id': z.optional(z.string()) }),
        response: {
          200: {
            description: 'A stream of events.',
            content: { 'text/event-stream': { schema: z.string() } },
          },
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found'),
        },
      },
    },
    async (request, reply) => {
      streams.checkRoom(request.member);
      const lastEventId = /^\d{1,18}$/.exec(request.headers['last-event-id'] ?? '')?.[0];
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        // Kept for another request after its stream has ended, it would hold up a server that stops.
        connection: 'close',
        // Or nginx keeps events back. Source: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        'x-accel-buffering': 'no',
      });
      // Sent by itself the head becomes one string; kept for the first event it stays in 75 pieces, 1.6 kB of each stream.
      reply.raw.flushHeaders();
      try {
        const resumeAfter = lastEventId === undefined ? undefined : BigInt(lastEventId);
        await streams.open(request.member, resumeAfter, reply.raw);
      } catch (error) {
        request.log.error({ err: error }, 'event stream broke off');
        reply.raw.destroy();
      }
    },
  );
};
