// What an operator must hear of: payments that nobody can be credited for, and a webhook that has gone quiet.
import type { FastifyBaseLogger } from 'fastify';
import { type Clock, HOUR_MS, MINUTE_MS } from '../clock.ts';
import type { Query } from '../database/database.ts';

/** News of a payment that was credited this long ago is late; Stripe's first try comes within seconds. */
const LATE_AFTER_MS = 15 * MINUTE_MS;
/** Nobody can still do something about what is older. */
const LOOKS_BACK_MS = 24 * HOUR_MS;
/** Deliveries that were put aside stay in sight for a week. */
const QUARANTINE_IN_SIGHT_MS = 7 * 24 * HOUR_MS;

export interface WebhookFacts {
  readonly checkedAt: Date;
  /** When the last delivery with a good signature came; null when none ever did. */
  readonly lastReceivedAt: Date | null;
  /** Payments of the last day that were credited by looking, while their news never came (F63). */
  readonly missed: number;
  /** Payments did come in, and no news of any of them: the endpoint does not work. */
  readonly silent: boolean;
  /** Deliveries about orders that are not known here (F59). */
  readonly quarantined: number;
}

interface Parts {
  readonly query: Query;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

export class WebhookWatch {
  readonly #parts: Parts;
  #last: WebhookFacts | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get last(): WebhookFacts | undefined {
    return this.#last;
  }

  /** Looks, and logs what has changed since the last look, so that an alarm rings once. */
  async check(): Promise<WebhookFacts> {
    const { clock, log } = this.#parts;
    const before = this.#last;
    const facts = await this.#facts(clock());
    this.#last = facts;
    if (facts.silent && !before?.silent) {
      log.error(
        { missed: facts.missed, last: facts.lastReceivedAt?.toISOString() ?? null },
        'the webhook is silent: payments are found by looking only, a person must look at the endpoint',
      );
    } else if (!facts.silent && before?.silent) {
      log.info('the webhook is heard again');
    }
    if (facts.quarantined > (before?.quarantined ?? 0)) {
      log.error({ quarantined: facts.quarantined }, 'deliveries about unknown orders: a person must look');
    }
    return facts;
  }

  async #facts(now: Date): Promise<WebhookFacts> {
    const { query } = this.#parts;
    const ago = (ms: number) => new Date(now.getTime() - ms);
    const { last } = await query
      .selectFrom('stripe_events')
      .select(({ fn }) => fn.max('received_at').as('last'))
      .where('found_by_looking', '=', false)
      .executeTakeFirstOrThrow();
    const { missed } = await query
      .selectFrom('purchases')
      .select(({ fn }) => fn.countAll<bigint>().as('missed'))
      .where('credited_at', '<=', ago(LATE_AFTER_MS))
      .where('credited_at', '>', ago(LOOKS_BACK_MS))
      // What a person has settled waits for no news.
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('audit_log')
              .select('audit_id')
              .whereRef('audit_log.org_id', '=', 'purchases.org_id')
              .whereRef('audit_log.purchase_id', '=', 'purchases.purchase_id')
              .where('action', '=', 'purchase.reviewed'),
          ),
        ),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('stripe_events')
              .select('event_key')
              .whereRef('stripe_events.session_id', '=', 'purchases.session_id')
              .where('found_by_looking', '=', false),
          ),
        ),
      )
      .executeTakeFirstOrThrow();
    const { quarantined } = await query
      .selectFrom('stripe_events')
      .select(({ fn }) => fn.countAll<bigint>().as('quarantined'))
      .where('status', '=', 'quarantined')
      .where('received_at', '>', ago(QUARANTINE_IN_SIGHT_MS))
      .executeTakeFirstOrThrow();
    return {
      checkedAt: now,
      lastReceivedAt: last,
      missed: Number(missed),
      silent: Number(missed) > 0 && (last === null || last <= ago(LATE_AFTER_MS)),
      quarantined: Number(quarantined),
    };
  }
}
