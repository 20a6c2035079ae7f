// Where the payment page sends people: looks at the purchase itself, says what is so, and leads back to the editor.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import type { Config } from '../config.ts';
import type { DueDates } from '../ledger/dueDates.ts';
import {
  pageStyleHash,
  renderNothingHere,
  renderPortalClosed,
  renderReturnPage,
} from '../pages/returnPage.ts';
import type { Purchases } from '../purchases/purchases.ts';

interface Parts {
  config: Config;
  purchases: Purchases;
  dueDates: DueDates;
}

const ReturnParams = z.object({ token: z.string() });

export const returnRoutes: FastifyPluginAsyncZod<Parts> = async (app, { config, purchases, dueDates }) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply
      .header('cache-control', 'no-store')
      .header(
        'content-security-policy',
        `default-src 'none'; style-src '${pageStyleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      )
      .type('text/html; charset=utf-8');
  });

  app.get('/portal/closed', { schema: { hide: true } }, async () => renderPortalClosed());

  // The address proves nothing and carries no claim of payment (T14): both pages show the purchase as it is.
  for (const [path, leftThePage] of [
    ['/return/:token', false],
    ['/return/:token/canceled', true],
  ] as const) {
    app.get(path, { schema: { hide: true, params: ReturnParams } }, async ({ params }, reply) => {
      const purchase = await purchases.byReturnToken(params.token);
      if (!purchase) {
        return reply.status(404).send(renderNothingHere());
      }
      const credited = purchase.status === 'credited';
      return renderReturnPage({
        purchase,
        leftThePage,
        testMode: config.payments?.mode !== 'live',
        balanceUcr: credited ? (await dueDates.readBalance(purchase.org_id)).availableUcr : null,
      });
    });
  }
};
