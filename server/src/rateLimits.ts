// How often one caller may ask: generous for people and gateways at work, and an end to loops that ran away.
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { tokenOf } from './access.ts';
import { MINUTE_MS } from './clock.ts';
import { hashOf } from './ids.ts';
import { RequestRefused } from './problems.ts';

export interface RateLimits {
  /** Requests with one person's token, or without any from one address, in a minute. */
  readonly perMinute: number;
  /** Requests with one service's token in a minute: a gateway reports the usage of a whole organisation. */
  readonly servicePerMinute: number;
}

/** Stripe sends what happened, however much; load balancers and monitoring ask all the time. */
const UNLIMITED = new Set(['/webhooks/stripe', '/health', '/metrics']);

/** Callers remembered at once; the one that was quiet longest is forgotten first. */
const CALLERS = 20_000;

/** Counted for this process alone: behind a load balancer the limit is that many times as high. */
export async function limitRates(app: FastifyInstance, limits: RateLimits): Promise<void> {
  await app.register(rateLimit, { global: false, cache: CALLERS });
  const count = app.createRateLimit({
    timeWindow: MINUTE_MS,
    keyGenerator: callerOf,
    max: (_request, key) => (key.startsWith('service ') ? limits.servicePerMinute : limits.perMinute),
  });
  // Before anything is looked up, so that a caller over its limit costs the database nothing.
  app.addHook('onRequest', async request => {
    if (UNLIMITED.has(request.routeOptions.url ?? '')) {
      return;
    }
    const counted = await count(request);
    if (!counted.isAllowed && counted.isExceeded) {
      throw new RequestRefused('rate_limited', { retry_after_s: Math.max(1, counted.ttlInSeconds) });
    }
  });
}

function callerOf(request: FastifyRequest): string {
  const token = tokenOf(request);
  if (token === undefined) {
    return `address ${request.ip}`;
  }
  const kind = token.startsWith('crd_svc_') ? 'service' : 'token';
  return `${kind} ${hashOf(token)}`;
}
