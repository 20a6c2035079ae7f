// Checks the books now and then, so that a balance that differs from its entries is noticed by us first (F71).
import type { FastifyBaseLogger } from 'fastify';
import { type Clock, HOUR_MS } from '../clock.ts';
import type { Query } from '../database/database.ts';
import { type Drift, verifyLedger } from './verify.ts';

export class BookKeeper {
  readonly #query: Query;
  readonly #clock: Clock;
  readonly #log: FastifyBaseLogger;
  #last: { readonly at: Date; readonly drifts: readonly Drift[] } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(query: Query, clock: Clock, log: FastifyBaseLogger) {
    this.#query = query;
    this.#clock = clock;
    this.#log = log;
  }

  get last() {
    return this.#last;
  }

  /** Checks once before anything is served, then every hour: it reads every entry. */
  async start(): Promise<void> {
    await this.check();
    this.#timer = setInterval(() => {
      this.#running = this.check().catch(error =>
        this.#log.error({ err: error }, 'the books could not be checked'),
      );
    }, HOUR_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async check(): Promise<readonly Drift[]> {
    const drifts = await verifyLedger(this.#query);
    for (const { orgId, where, expected, found } of drifts) {
      this.#log.error(
        { org: orgId, where, expected: `${expected}`, found: `${found}` },
        'the ledger has drifted',
      );
    }
    this.#last = { at: this.#clock(), drifts };
    return drifts;
  }
}
