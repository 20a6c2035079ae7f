// The reconciler: looks at what was never delivered and again at everything under way, for the webhooks that never came
// and the work that was cut off.
import type { FastifyBaseLogger } from 'fastify';
import { type Clock, MINUTE_MS } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { lockOrganisation } from '../ledger/ledger.ts';
import { forgetOldRows } from '../outbox.ts';
import { Rounds } from '../rounds.ts';
import type { Fulfilment, TakenIn } from './fulfilment.ts';
import type { MissedNews } from './missedNews.ts';
import { changePurchase, type PurchaseRow, selectPurchases, storePurchase, underWay } from './purchase.ts';
import type { Purchases } from './purchases.ts';
import type { WebhookWatch } from './watch.ts';

/** Of each kind, in one look; the rest comes in the next. */
const AT_ONCE = 100;
/** No payment page can be made for a purchase this old: Stripe wants 30 of its 60 minutes. */
const GIVE_UP_OPENING_AFTER_MS = 25 * MINUTE_MS;

/** So long after a payment its invoice is asked for, where it was not there at once. */
const INVOICE_WITHIN_MS = 10 * MINUTE_MS;

interface Parts {
  readonly database: Database;
  readonly purchases: Purchases;
  readonly fulfilment: Fulfilment;
  readonly missedNews: MissedNews;
  readonly watch: WebhookWatch;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

export class Reconciler {
  readonly #parts: Parts;
  readonly #rounds = new Rounds(() =>
    this.look().then(
      () => {
        this.looks.done++;
      },
      error => {
        this.looks.brokeOff++;
        this.#parts.log.error({ err: error }, 'reconciliation broke off');
      },
    ),
  );
  /** The delivery that the look before ended with, where there were more. */
  #tried: TakenIn | undefined;
  /** How many looks came to their end since the start, and how many did not. */
  readonly looks = { done: 0, brokeOff: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Looks once now, for what a crash left behind, then every `intervalMs` after the last look ended. */
  start(intervalMs: number): void {
    this.#rounds.start(intervalMs);
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async look(): Promise<void> {
    const { database, purchases, fulfilment, missedNews, watch, clock, log } = this.#parts;
    // What is under way is looked at all the same, and the next look reads from the same place.
    await missedNews
      .find()
      .catch(error => log.warn({ err: error }, 'the list of events could not be read to its end'));
    const events = await fulfilment.unsettled(AT_ONCE, this.#tried);
    // Those that cannot be settled for now, such as for books that are frozen, let the next ones have their turn.
    this.#tried = events.length === AT_ONCE ? events.at(-1) : undefined;
    for (const event of events) {
      if (!this.#rounds.isStopping) {
        await fulfilment
          .act(event)
          .catch(error => log.warn({ err: error, event: event.key }, 'a delivery is still unsettled'));
      }
    }
    const waiting = await selectPurchases(database.query)
      .where('status', 'in', underWay)
      .orderBy('checked_at', order => order.asc().nullsFirst())
      .limit(AT_ONCE)
      .execute();
    for (const purchase of waiting) {
      if (this.#rounds.isStopping) {
        return;
      }
      if (purchase.session_id !== null) {
        await purchases.refreshed(purchase);
        continue;
      }
      await this.#takeTurn(purchase);
      if (clock().getTime() - purchase.created_at.getTime() > GIVE_UP_OPENING_AFTER_MS) {
        // One that has to wait, such as for books that are frozen, holds up no other.
        await this.#giveUp(purchase.org_id, purchase.purchase_id).catch(error =>
          log.warn({ err: error, purchase: purchase.purchase_id }, 'an order could not be given up'),
        );
      }
    }
    await this.#findInvoices();
    await watch.check();
    await forgetOldRows(database.query, clock());
  }

  /** An invoice is made after its payment, and nothing that is delivered about it names the purchase. */
  async #findInvoices(): Promise<void> {
    const { database, fulfilment, clock, log } = this.#parts;
    const paid = await selectPurchases(database.query)
      .where('credited_at', '>', new Date(clock().getTime() - INVOICE_WITHIN_MS))
      .where('invoice_url', 'is', null)
      .where('payment_intent_id', 'is not', null)
      .orderBy('checked_at', order => order.asc().nullsFirst())
      .limit(AT_ONCE)
      .execute();
    for (const purchase of paid) {
      if (purchase.session_id === null || this.#rounds.isStopping) {
        continue;
      }
      await this.#takeTurn(purchase);
      await fulfilment
        .fulfil(purchase.session_id)
        .catch(error =>
          log.warn({ err: error, purchase: purchase.purchase_id }, 'an invoice could not be asked for'),
        );
    }
  }

  /** What nothing came of goes behind the others, however long it has to wait. */
  async #takeTurn(purchase: PurchaseRow): Promise<void> {
    const { database, clock } = this.#parts;
    await storePurchase(database.query, purchase, { checked_at: clock() });
  }

  async #giveUp(orgId: string, purchaseId: string): Promise<void> {
    const { database, clock } = this.#parts;
    await database.transaction(async tx => {
      await lockOrganisation(tx, orgId);
      const purchase = await selectPurchases(tx)
        .where('purchases.org_id', '=', orgId)
        .where('purchase_id', '=', purchaseId)
        .executeTakeFirstOrThrow();
      if (purchase.status === 'creating') {
        const failed = { status: 'failed' as const, failure_code: 'not_opened' };
        await changePurchase(tx, purchase, failed, 'server', clock());
      }
    });
  }
}
