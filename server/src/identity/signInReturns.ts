// Sign-ins on their way back: the provider knows one address of this server, and each answer goes on to the editor
// that has asked for it, once.
import { type Clock, MINUTE_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { hashOf } from '../ids.ts';
import { RequestRefused } from '../problems.ts';
import { checkReturnUri, type ReturnTargets } from '../purchases/quote.ts';

const KEPT_MS = 5 * MINUTE_MS;

export class SignInReturns {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #targets: ReturnTargets;

  constructor(database: Database, clock: Clock, targets: ReturnTargets) {
    this.#database = database;
    this.#clock = clock;
    this.#targets = targets;
  }

  /** Asking twice is asking once; a state never changes its address. @throws {RequestRefused} */
  async expect(state: string, callbackUri: string): Promise<{ expiresAt: Date }> {
    checkReturnUri(callbackUri, this.#targets, '/callback_uri');
    const now = this.#clock();
    await this.#database.query.deleteFrom('sign_in_returns').where('expires_at', '<=', now).execute();
    await this.#database.query
      .insertInto('sign_in_returns')
      .values({
        state_hash: hashOf(state),
        callback_uri: callbackUri,
        expires_at: new Date(now.getTime() + KEPT_MS),
        used_at: null,
      })
      .onConflict(conflict => conflict.doNothing())
      .execute();
    const kept = await this.#database.query
      .selectFrom('sign_in_returns')
      .select('expires_at')
      .where('state_hash', '=', hashOf(state))
      .where('callback_uri', '=', callbackUri)
      .where('used_at', 'is', null)
      .executeTakeFirst();
    if (!kept) {
      throw new RequestRefused('validation_failed', { errors: [{ pointer: '/state', code: 'used_before' }] });
    }
    return { expiresAt: kept.expires_at };
  }

  /** Where this answer goes: once, and in time. The rest is the editor's to check. */
  async take(state: string): Promise<string | undefined> {
    const now = this.#clock();
    const taken = await this.#database.query
      .updateTable('sign_in_returns')
      .set({ used_at: now })
      .where('state_hash', '=', hashOf(state))
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .returning('callback_uri')
      .executeTakeFirst();
    return taken?.callback_uri;
  }
}
