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
  const strangers = new Strangers();
  const countRefused = app.createRateLimit({
    timeWindow: MINUTE_MS,
    keyGenerator: request => `refused ${request.ip}`,
    max: limits.perMinute,
  });
  app.addHook('preHandler', async request => strangers.letIn(request));
  app.addHook('onResponse', async (request, reply) => {
    if (reply.statusCode === 401 && tokenOf(request) !== undefined) {
      const counted = await countRefused(request);
      if (!counted.isAllowed && counted.isExceeded) {
        strangers.turnAway(request, counted.ttl);
      }
    }
  });
  // Before anything is looked up, so that a caller over its limit costs the database nothing.
  app.addHook('onRequest', async request => {
    if (UNLIMITED.has(request.routeOptions.url ?? '')) {
      return;
    }
    strangers.check(request);
    const counted = await count(request);
    if (!counted.isAllowed && counted.isExceeded) {
      throw new RequestRefused('rate_limited', { retry_after_s: Math.max(1, counted.ttlInSeconds) });
    }
  });
}

/**
 * Each made-up token would be a caller of its own, without an end. So what is refused is counted for the address it comes
 * from, and beyond the limit only tokens that are known to be good are looked up for that address.
 */
class Strangers {
  readonly #good = new Remembered<true>();
  /** Until when, monotonic, ms. */
  readonly #turnedAway = new Remembered<number>();

  /** @throws {RequestRefused} rate_limited */
  check(request: FastifyRequest): void {
    const token = tokenOf(request);
    const ms = (this.#turnedAway.get(request.ip) ?? 0) - performance.now();
    if (token !== undefined && ms > 0 && !this.#good.get(hashOf(token))) {
      throw new RequestRefused('rate_limited', { retry_after_s: Math.ceil(ms / 1_000) });
    }
  }

  letIn(request: FastifyRequest): void {
    const token = tokenOf(request);
    if (token !== undefined && request.principal) {
      this.#good.set(hashOf(token), true);
    }
  }

  turnAway(request: FastifyRequest, ms: number): void {
    this.#turnedAway.set(request.ip, performance.now() + ms);
  }
}

/** As many as are remembered of callers; the one that was told longest ago is forgotten first. */
class Remembered<T> {
  readonly #known = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#known.get(key);
  }

  set(key: string, value: T): void {
    this.#known.delete(key);
    this.#known.set(key, value);
    if (this.#known.size > CALLERS) {
      this.#known.delete(this.#known.keys().next().value ?? '');
    }
  }
}

function callerOf(request: FastifyRequest): string {
  // Where none is asked for, none is checked: a made-up one makes no caller.
  const token = request.routeOptions.schema?.security ? tokenOf(request) : undefined;
  if (token === undefined) {
    return `address ${request.ip}`;
  }
  const kind = token.startsWith('crd_svc_') ? 'service' : 'token';
  return `${kind} ${hashOf(token)}`;
}
