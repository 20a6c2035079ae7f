// Checks the books now and then, so that a balance that differs from its entries is noticed by us first, and nothing is
// built on it (F71).
import type { FastifyBaseLogger } from 'fastify';
import { type Clock, HOUR_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { type Drift, freeze, frozenOrganisations, isOfProjection, verifyLedger } from './verify.ts';

export class BookKeeper {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: FastifyBaseLogger;
  #last:
    | { readonly at: Date; readonly drifts: readonly Drift[]; readonly frozen: readonly string[] }
    | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(database: Database, clock: Clock, log: FastifyBaseLogger) {
    this.#database = database;
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
    const drifts = await verifyLedger(this.#database.longReads);
    for (const { orgId, where, expected, found } of drifts) {
      this.#log.error(
        { org: orgId, where, expected: `${expected}`, found: `${found}` },
        'the ledger has drifted',
      );
    }
    // Told before anything is done about it: what cannot be frozen now is seen in `/health` all the same.
    this.#last = { at: this.#clock(), drifts, frozen: this.#last?.frozen ?? [] };
    for (const orgId of new Set(drifts.filter(isOfProjection).map(({ orgId }) => orgId))) {
      await freeze(this.#database, orgId, this.#clock()).catch(error =>
        this.#log.error({ err: error, org: orgId }, 'the ledger has drifted and could not be frozen'),
      );
    }
    const frozen = await frozenOrganisations(this.#database.query);
    for (const org of frozen) {
      this.#log.error({ org }, 'the ledger is frozen until its balances are repaired');
    }
    this.#last = { at: this.#clock(), drifts, frozen };
    return drifts;
  }
}
