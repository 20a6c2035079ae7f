// Stripe's deliveries. The signature is over the bytes as they came, so this room has its own way of reading a body.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { SECOND_MS } from '../clock.ts';
import { RequestRefused } from '../problems.ts';
import type { Fulfilment } from '../purchases/fulfilment.ts';
import type { Payments } from '../purchases/payments.ts';
import { problemsUnlimited } from './answers.ts';

/** Stripe holds the payer's redirect up to 10 s for this answer; what takes longer is finished by the reconciler. */
const ANSWER_WITHIN_MS = 5 * SECOND_MS;

interface Parts {
  payments: Payments | undefined;
  fulfilment: Fulfilment;
  answerWithinMs?: number;
}

export const webhookRoutes: FastifyPluginAsyncZod<Parts> = async (
  app,
  { payments, fulfilment, answerWithinMs = ANSWER_WITHIN_MS },
) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post(
    '/webhooks/stripe',
    {
      bodyLimit: 1024 * 1024, // bytes; an event carries whole objects
      schema: {
        operationId: 'receiveStripeEvent',
        summary: "Stripe's webhook",
        description:
          'Signed with one of the configured secrets over the raw body, at most 300 s old and at most 300 s ahead. Answered with 2xx only when the event is stored.',
        headers: z.object({ 'stripe-signature': z.optional(z.string()) }),
        response: {
          200: z.object({ received: z.literal(true) }),
          ...problemsUnlimited(
            'invalid_signature',
            'not_found',
            'payload_too_large',
            'payment_provider_unavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      if (!payments) {
        throw new RequestRefused('not_found');
      }
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const notice = payments.receive(body, request.headers['stripe-signature']);
      if ((await fulfilment.receive(notice)) === 'to_fulfil') {
        await withinOrLater(fulfilment.act(notice), answerWithinMs, error =>
          request.log.warn({ err: error }, 'a delivery will be settled by the reconciler'),
        );
      }
      return reply.header('cache-control', 'no-store').send({ received: true });
    },
  );
};

/** Waits for the work, but not longer than this; a failure that comes later is told to `onLateFailure`. */
async function withinOrLater(
  work: Promise<void>,
  ms: number,
  onLateFailure: (error: unknown) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(() => {
      work.catch(onLateFailure);
      resolve();
    }, ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
