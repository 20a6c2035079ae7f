// Idempotency keys: the same request asked twice is done once, also when the server died in between.
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { type Clock, MINUTE_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { sqlState } from '../database/sqlState.ts';
import type { Tables } from '../database/tables.ts';
import { newId } from '../ids.ts';
import { RequestRefused } from '../problems.ts';

/** A key means something to one principal, at one route of one organisation. */
export interface KeyUse {
  readonly orgId: string;
  readonly route: string;
  readonly principalId: string;
  readonly key: string;
  readonly requestHash: string;
}

export type Claim =
  | { readonly kind: 'new' }
  | { readonly kind: 'replay'; readonly status: number; readonly body: Record<string, unknown> }
  /** Begun before and not finished: go on with this purchase. */
  | { readonly kind: 'resume'; readonly purchaseId: string };

/** Longer than a request can take; whoever holds a key for longer has died. */
const ABANDONED_AFTER_MS = 2 * MINUTE_MS;

export class IdempotencyKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #holder: string;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#holder = newId('srv', clock());
  }

  /** @throws {RequestRefused} when the key stands for another request, or for one that is being worked on. */
  async claim(use: KeyUse): Promise<Claim> {
    const known = await this.#rowOf(use).selectAll().executeTakeFirst();
    if (!known) {
      return { kind: 'new' };
    }
    if (known.request_hash !== use.requestHash) {
      throw new RequestRefused('idempotency_key_reused');
    }
    if (known.answer_status !== null && known.answer_body !== null) {
      return { kind: 'replay', status: known.answer_status, body: known.answer_body };
    }
    const abandoned =
      known.held_by === null ||
      (this.#database.exclusive && known.held_by !== this.#holder) ||
      this.#clock().getTime() - known.held_at.getTime() > ABANDONED_AFTER_MS;
    const taken =
      abandoned &&
      (await this.#update(use)
        .set({ held_by: this.#holder, held_at: this.#clock() })
        .where('held_by', 'is not distinct from', known.held_by)
        .where('held_at', '=', known.held_at)
        .executeTakeFirst());
    if (!(taken && taken.numUpdatedRows === 1n)) {
      throw inProgress();
    }
    return { kind: 'resume', purchaseId: known.purchase_id };
  }

  /** In the transaction that stores the purchase. @throws {RequestRefused} when another request was faster. */
  async begin(tx: Transaction<Tables>, use: KeyUse, purchaseId: string): Promise<void> {
    try {
      await tx
        .insertInto('idempotency_keys')
        .values({
          org_id: use.orgId,
          route: use.route,
          principal_id: use.principalId,
          key: use.key,
          request_hash: use.requestHash,
          purchase_id: purchaseId,
          held_by: this.#holder,
          held_at: this.#clock(),
          answer_status: null,
          answer_body: null,
          created_at: this.#clock(),
        })
        .execute();
    } catch (error) {
      throw sqlState(error) === '23505' ? inProgress() : error;
    }
  }

  /** From now on the same request gets this answer. */
  async finish(use: KeyUse, status: number, body: object): Promise<void> {
    await this.#update(use)
      .set({ held_by: null, answer_status: status, answer_body: JSON.stringify(body) })
      .execute();
  }

  /**
   * Nothing is remembered of a failure on our side, so that the same key can be tried again. Where another process has
   * taken the key over meanwhile, it stays that one's.
   */
  async release(use: KeyUse): Promise<void> {
    await this.#update(use).set({ held_by: null }).where('held_by', '=', this.#holder).execute();
  }

  #rowOf(use: KeyUse) {
    return this.#database.query
      .selectFrom('idempotency_keys')
      .where('org_id', '=', use.orgId)
      .where('route', '=', use.route)
      .where('principal_id', '=', use.principalId)
      .where('key', '=', use.key);
  }

  #update(use: KeyUse) {
    return this.#database.query
      .updateTable('idempotency_keys')
      .where('org_id', '=', use.orgId)
      .where('route', '=', use.route)
      .where('principal_id', '=', use.principalId)
      .where('key', '=', use.key);
  }
}

/** The parsed body with its fields in order, so that spelling differences are no difference. */
export function requestHash(body: object): string {
  const fields = Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

function inProgress(): RequestRefused {
  return new RequestRefused('request_in_progress', { retry_after_s: 1 });
}
