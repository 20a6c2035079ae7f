// The table of contents of the house: every part, what it is given, and the routes that lead to it.
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import underPressure from '@fastify/under-pressure';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type Stripe from 'stripe';
import {
  CREDITS_VERSION,
  IDEMPOTENCY_KEY_HEADER,
  IDEMPOTENCY_REPLAYED_HEADER,
  paths,
} from '../../protocol/api.ts';
import { Access } from './access.ts';
import { type Clock, SECOND_MS, systemClock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './database/database.ts';
import { EventStreams } from './eventStreams.ts';
import { IdentityProviders } from './identity/provider.ts';
import { SignInReturns } from './identity/signInReturns.ts';
import { AccessTokens } from './identity/tokens.ts';
import { newId } from './ids.ts';
import { BookKeeper } from './ledger/bookKeeper.ts';
import { DueDates } from './ledger/dueDates.ts';
import { Ledger } from './ledger/ledger.ts';
import { measure } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { answerBadAddress, answerProblems, RequestRefused } from './problems.ts';
import { Customers } from './purchases/customers.ts';
import { Fulfilment } from './purchases/fulfilment.ts';
import { IdempotencyKeys } from './purchases/idempotencyKeys.ts';
import { MissedNews } from './purchases/missedNews.ts';
import { paymentsFrom } from './purchases/payments.ts';
import { Purchases } from './purchases/purchases.ts';
import { Reconciler } from './purchases/reconciler.ts';
import { WebhookWatch } from './purchases/watch.ts';
import { limitRates } from './rateLimits.ts';
import { auditRoutes } from './routes/audit.ts';
import { balanceRoutes } from './routes/balance.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { historyRoutes } from './routes/history.ts';
import { holdRoutes } from './routes/holds.ts';
import { memberRoutes } from './routes/members.ts';
import { metaRoutes } from './routes/meta.ts';
import { portalRoutes } from './routes/portal.ts';
import { purchaseRoutes } from './routes/purchases.ts';
import { returnRoutes } from './routes/returnPage.ts';
import { settingsRoutes } from './routes/settings.ts';
import { signInRoutes } from './routes/signIn.ts';
import { teamRoutes } from './routes/teams.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { usageRoutes } from './routes/usage.ts';
import { webhookRoutes } from './routes/webhook.ts';

export interface AppOptions {
  readonly config: Config;
  readonly database: Database;
  readonly log?: FastifyBaseLogger;
  readonly clock?: Clock;
  /** How long Stripe waits for the answer to a delivery at most, in ms. */
  readonly answerWithinMs?: number;
  /** How long connections have for their end when the server stops, in ms. */
  readonly leaveWithinMs?: number;
  /** Another way for Stripe's SDK to reach Stripe. */
  readonly sdk?: Stripe.StripeConfig;
}

export type App = Awaited<ReturnType<typeof buildApp>>;

/**
 * How long a server that stops waits for connections. Some never end by themselves: nothing was asked by them yet, a
 * request stopped half-way, or nobody reads its answer; and nothing looks after them any more when a server closes.
 */
const LEAVE_WITHIN_MS = 10 * SECOND_MS;

const ALWAYS_ANSWERED = new Set(['/health', '/metrics']);

export async function buildApp({
  config,
  database,
  log,
  clock = systemClock,
  answerWithinMs,
  leaveWithinMs = LEAVE_WITHIN_MS,
  sdk,
}: AppOptions) {
  const app = Fastify({
    ...(log ? { loggerInstance: log } : { logger: false }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => newId('req', clock()),
    // Ours only: a caller's own id could forge lines of the log.
    requestIdHeader: false,
    trustProxy: [...config.trustedProxies],
    bodyLimit: 64 * 1024, // bytes
    requestTimeout: 30_000, // ms for a request to arrive; answers may stream for longer
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    frameworkErrors: answerBadAddress,
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerProblems(app, config.identity && config.identity.resource + paths.protectedResource());
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    strictTransportSecurity: config.publicUrl.startsWith('https:'),
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('credits-version', CREDITS_VERSION);
    noNulls(request.params as Record<string, string>);
  });
  app.addHook('onResponse', async (request, reply) => {
    request.log.info({ req: request, res: reply, ms: Math.round(reply.elapsedTime) }, 'answered');
  });
  // Before anything can be refused, so that a page can read why.
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: [...config.corsOrigins],
      methods: ['GET', 'POST', 'PUT', 'DELETE'],
      allowedHeaders: [
        'authorization',
        'content-type',
        // Some browsers let a page name itself, and then ask for it.
        'user-agent',
        'if-none-match',
        'last-event-id',
        IDEMPOTENCY_KEY_HEADER,
      ],
      exposedHeaders: [
        'date',
        'etag',
        'location',
        'retry-after',
        'www-authenticate',
        'credits-version',
        IDEMPOTENCY_REPLAYED_HEADER,
      ],
    });
  }
  await app.register(underPressure, {
    maxEventLoopDelay: config.maxEventLoopDelayMs,
    // A window in which the loop turned less than twice counts as without end, so that must be longer than the limit.
    sampleInterval: Math.max(SECOND_MS, 2 * config.maxEventLoopDelayMs),
    pressureHandler: async request => {
      // Whoever watches over the server still hears from it.
      if (!ALWAYS_ANSWERED.has(request.routeOptions.url ?? '')) {
        throw new RequestRefused('unavailable', { retry_after_s: 2 });
      }
    },
  });
  await limitRates(app, config.rateLimits);
  await describeApi(app);

  const providers = config.identity && new IdentityProviders(config.identity, clock);
  const access = new Access({ database, clock, providers });
  const ledger = new Ledger(clock);
  const dueDates = new DueDates({ database, ledger, clock, log: app.log });
  const bookKeeper = new BookKeeper(database, clock, app.log);
  const payments = paymentsFrom(config, clock, sdk);
  const fulfilment = new Fulfilment({ database, ledger, payments, clock, log: app.log });
  const keys = new IdempotencyKeys(database, clock);
  const customers = new Customers({ database, clock });
  const purchases = new Purchases({
    config,
    database,
    payments,
    customers,
    fulfilment,
    keys,
    clock,
    log: app.log,
  });
  const watch = new WebhookWatch({ query: database.query, clock, log: app.log });
  const missedNews = new MissedNews({ database, payments, fulfilment, log: app.log });
  const reconciler = new Reconciler({
    database,
    purchases,
    fulfilment,
    missedNews,
    watch,
    clock,
    log: app.log,
  });
  const streams = new EventStreams({
    database,
    dueDates,
    clock,
    heartbeatMs: config.heartbeatMs,
    log: app.log,
  });

  if (config.metricsToken !== undefined) {
    measure(app, { token: config.metricsToken, database, streams, bookKeeper, reconciler });
  }
  await app.register(metaRoutes, { config, access, payments });
  await app.register(signInRoutes, {
    identity: config.identity,
    signInReturns: new SignInReturns(database, clock, config),
  });
  await app.register(tokenRoutes, { access, tokens: new AccessTokens(database, clock), database });
  await app.register(balanceRoutes, { access, database, dueDates, clock });
  await app.register(purchaseRoutes, { access, purchases });
  await app.register(portalRoutes, { access, purchases });
  await app.register(auditRoutes, { access, database });
  await app.register(usageRoutes, { access, database, ledger, clock });
  await app.register(holdRoutes, { access, database, ledger, clock });
  await app.register(historyRoutes, { access, database, dueDates, clock });
  await app.register(memberRoutes, { access, database, clock });
  await app.register(teamRoutes, { access, database, clock });
  await app.register(settingsRoutes, { access, database, clock });
  await app.register(eventRoutes, { access, streams });
  await app.register(webhookRoutes, { payments, fulfilment, ...(answerWithinMs && { answerWithinMs }) });
  await app.register(returnRoutes, { config, purchases, dueDates });
  await app.register(healthRoutes, { database, bookKeeper, watch });

  app.addHook('onReady', () => streams.start());
  app.addHook('onListen', async () => dueDates.start());
  app.addHook('preClose', async () => {
    setTimeout(() => app.server.closeAllConnections(), leaveWithinMs).unref();
    await streams.close('shutdown');
  });
  app.addHook('onClose', () => bookKeeper.stop());
  app.addHook('onClose', () => reconciler.stop());
  app.addHook('onClose', () => dueDates.stop());
  return Object.assign(app, {
    parts: { ledger, dueDates, purchases, fulfilment, reconciler, bookKeeper, streams },
  });
}

/** No name in the database has U+0000, which it refuses to look for: such an id is then as unknown as any other. */
function noNulls(params: Record<string, string>): void {
  for (const [name, value] of Object.entries(params)) {
    params[name] = value.replaceAll('\0', '\ufffd');
  }
}
