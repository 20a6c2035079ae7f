// News that was never delivered: the payment side keeps a list of all events, which is read from where the last look at
// it ended. So a refund that nobody was told of is found, and everything that came between a backup and its restore.
import type { FastifyBaseLogger } from 'fastify';
import { DAY_MS, MINUTE_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { type Fulfilment, newsTypes } from './fulfilment.ts';
import type { ListedNotice, Payments } from './payments.ts';

/** What came to be before the newest event may show in the list after it. */
const OVERLAP_MS = 5 * MINUTE_MS;

interface Parts {
  readonly database: Database;
  readonly payments: Payments | undefined;
  readonly fulfilment: Fulfilment;
  readonly log: FastifyBaseLogger;
}

export class MissedNews {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes in what is listed and not known. How far was read is stored after that, so that a look cut off is looked again. */
  async find(): Promise<void> {
    const { payments, fulfilment, log } = this.#parts;
    const readTo = payments && (await this.#readTo());
    if (!payments || !readTo) {
      return;
    }
    let newest = readTo;
    let found = 0;
    for await (const page of payments.listed(newsTypes, new Date(readTo.getTime() - OVERLAP_MS))) {
      for (const notice of await this.#unknown(page)) {
        await fulfilment.receive(notice, 'looking');
        found++;
      }
      newest = page.reduce((latest, { createdAt }) => (createdAt > latest ? createdAt : latest), newest);
    }
    await this.#parts.database.query
      .insertInto('stripe_reading')
      .values({ read_to: newest })
      // Another server may have read further meanwhile.
      .onConflict(conflict =>
        conflict.column('one').doUpdateSet({ read_to: newest }).where('stripe_reading.read_to', '<', newest),
      )
      .execute();
    if (found > 0) {
      log.info({ found }, 'news that was not delivered, or not yet, was found by looking');
    }
  }

  /** Before the first order there was nothing to be told of. That one was dated here, by a clock that may be ahead. */
  async #readTo(): Promise<Date | null> {
    const { query } = this.#parts.database;
    const reading = await query.selectFrom('stripe_reading').select('read_to').executeTakeFirst();
    if (reading) {
      return reading.read_to;
    }
    const { first } = await query
      .selectFrom('purchases')
      .select(({ fn }) => fn.min<Date | null>('created_at').as('first'))
      .executeTakeFirstOrThrow();
    return first && new Date(first.getTime() - DAY_MS);
  }

  async #unknown(page: readonly ListedNotice[]): Promise<readonly ListedNotice[]> {
    if (page.length === 0) {
      return page;
    }
    const rows = await this.#parts.database.query
      .selectFrom('stripe_events')
      .select('event_key')
      .where(
        'event_key',
        'in',
        page.map(({ key }) => key),
      )
      .execute();
    const known = new Set(rows.map(row => row.event_key));
    return page.filter(({ key }) => !known.has(key));
  }
}
