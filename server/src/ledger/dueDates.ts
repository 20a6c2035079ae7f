// Sees to it that what fell due is in the ledger before anyone reads a balance, and soon after it fell due when nobody does.
import type { FastifyBaseLogger } from 'fastify';
import { type Clock, SECOND_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { Rounds } from '../rounds.ts';
import type { BalanceFigures } from './balance.ts';
import { KnownBalances } from './knownBalances.ts';
import type { Ledger } from './ledger.ts';

/** How soon listeners hear that credits have expired: a look costs one read of an index. */
const LOOK_EVERY_MS = 10 * SECOND_MS;
/** Organisations in one look; the rest comes in the next. */
const AT_ONCE = 500;

interface Parts {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

export class DueDates {
  readonly #parts: Parts;
  readonly #balances = new KnownBalances();
  readonly #rounds = new Rounds(() =>
    this.look().catch(error => this.#parts.log.error({ err: error }, 'looking for what is due broke off')),
  );

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The balance with everything in it that is due, the same object while nothing changes. Mostly costs one small read. */
  async readBalance(orgId: string): Promise<BalanceFigures> {
    const { database, ledger, clock } = this.#parts;
    const balance = await this.#balances.read(database.query, orgId, clock());
    if (balance.isFrozen || balance.nextDueAt === null || balance.nextDueAt > clock()) {
      return balance;
    }
    await database.transaction(tx => ledger.settle(tx, orgId));
    return this.#balances.read(database.query, orgId, clock());
  }

  /** For other reads than the balance. */
  async settle(orgId: string): Promise<void> {
    await this.readBalance(orgId);
  }

  /** Looks once now, then every `intervalMs` after the last look ended. */
  start(intervalMs = LOOK_EVERY_MS): void {
    this.#rounds.start(intervalMs);
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async look(): Promise<void> {
    const { database, ledger, clock, log } = this.#parts;
    const due = await database.query
      .selectFrom('organisations')
      .select('org_id')
      .where('next_due_at', '<=', clock())
      .where('drift_found_at', 'is', null)
      .orderBy('next_due_at')
      .limit(AT_ONCE)
      .execute();
    for (const { org_id: orgId } of due) {
      if (this.#rounds.isStopping) {
        return;
      }
      // One organisation's trouble is not the others'.
      await database
        .transaction(tx => ledger.settle(tx, orgId))
        .catch(error => log.error({ err: error, org: orgId }, 'what is due could not be posted'));
    }
  }
}
