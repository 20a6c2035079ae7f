// Purchases as people ask for them: what is on offer, buying, looking, canceling.
import type { FastifyBaseLogger } from 'fastify';
import type { CreatePurchase, Purchase, PurchaseList, PurchaseOptions } from '../../../protocol/api.ts';
import { formatCredits } from '../../../protocol/format.ts';
import { MAX_SAFE_AMOUNT } from '../../../protocol/units.ts';
import { type Member, may, needed, reaches, recheck } from '../access.ts';
import { note } from '../audit.ts';
import { type Clock, HOUR_MS, MINUTE_MS, SECOND_MS } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Database, Tx } from '../database/database.ts';
import { newId, newSecret } from '../ids.ts';
import { readBalance } from '../ledger/balance.ts';
import { lockOrganisation, takeTurn } from '../ledger/ledger.ts';
import { contactOf } from '../organisation/settings.ts';
import { RequestRefused } from '../problems.ts';
import type { Customers } from './customers.ts';
import type { Fulfilment } from './fulfilment.ts';
import { type IdempotencyKeys, type KeyUse, requestHash } from './idempotencyKeys.ts';
import { CustomerGone, type Payments } from './payments.ts';
import {
  changePurchase,
  type PurchaseRow,
  purchaseOnTheWire,
  selectPurchases,
  storePurchase,
  tellPurchase,
  underWay,
} from './purchase.ts';
import { checkReturnUri, offerOnTheWire, quote } from './quote.ts';

/** A payment page is open for this long. Stripe allows 30 minutes to 24 hours from the moment it is made. */
const OPEN_FOR_MS = 60 * MINUTE_MS;
/** Whoever asks, and however often: the payment side is asked about one purchase at most this often. */
const CHECK_EVERY_MS = 2 * SECOND_MS;

interface Parts {
  readonly config: Config;
  readonly database: Database;
  readonly payments: Payments | undefined;
  readonly customers: Customers;
  readonly fulfilment: Fulfilment;
  readonly keys: IdempotencyKeys;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

export class Purchases {
  readonly #parts: Parts;
  /** Looks at the payment side that are under way in this process, by purchase. */
  readonly #looking = new Map<string, Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async options(member: Member): Promise<PurchaseOptions> {
    const { config, database, payments } = this.#parts;
    const isBuyer = may(member.role, 'purchase');
    const offer = offerOnTheWire(config.offer);
    const leftMinor = await this.#leftToday(database.query, member.orgId);
    const smallestMinor = Math.min(
      ...offer.presets.map(preset => preset.amount_minor),
      offer.custom?.min_minor ?? Infinity,
    );
    const blocked_reason = !isBuyer
      ? 'not_admin'
      : !reaches(member.credential, needed.purchase)
        ? 'purchasing_disabled'
        : !payments
          ? 'payments_unavailable'
          : (await inDispute(database.query, member.orgId))
            ? 'dispute_open'
            : leftMinor < smallestMinor
              ? 'daily_limit'
              : null;
    return {
      ...offer,
      ...(leftMinor !== Infinity && { daily_left_minor: leftMinor }),
      can_purchase: blocked_reason === null,
      blocked_reason,
      can_manage_billing:
        payments !== undefined &&
        may(member.role, 'manage_billing') &&
        reaches(member.credential, needed.manage_billing),
      contact: isBuyer ? null : await contactOf(database.query, member.orgId),
      payment_mode: payments?.mode ?? 'none',
      payment_host: config.payments?.pageHost ?? null,
    };
  }

  /** The same key and order give the same purchase, also when an earlier try was cut off. */
  async create(
    member: Member,
    order: CreatePurchase,
    key: string,
  ): Promise<{ purchase: Purchase; replayed: boolean }> {
    const { keys } = this.#parts;
    const use: KeyUse = {
      orgId: member.orgId,
      route: 'POST purchases',
      principalId: member.principal.id,
      key,
      requestHash: requestHash(order),
    };
    const claim = await keys.claim(use);
    if (claim.kind === 'replay') {
      return { purchase: claim.body as Purchase, replayed: true };
    }
    const purchaseId = claim.kind === 'resume' ? claim.purchaseId : await this.#store(member, order, use);
    try {
      const purchase = purchaseOnTheWire(await this.#openPage(member.orgId, purchaseId));
      await keys.finish(use, 201, purchase);
      return { purchase, replayed: false };
    } catch (error) {
      await keys.release(use);
      throw error;
    }
  }

  /** Admins see all purchases of their organisation, others their own. */
  async get(member: Member, purchaseId: string): Promise<Purchase> {
    return purchaseOnTheWire(await this.refreshed(await this.#visible(member, purchaseId)));
  }

  async list(member: Member, limit: number, after: string | undefined): Promise<PurchaseList> {
    let query = selectPurchases(this.#parts.database.query)
      .where('purchases.org_id', '=', member.orgId)
      .orderBy('purchase_id', 'desc')
      .limit(limit + 1);
    if (!may(member.role, 'purchase')) {
      query = query.where('created_by', '=', member.principal.id);
    }
    if (after !== undefined) {
      query = query.where('purchase_id', '<', after);
    }
    const rows = await query.execute();
    const data = rows.slice(0, limit).map(purchaseOnTheWire);
    return { data, next_cursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
  }

  /** Closes the payment page. Doing it twice is doing it once; a payment that was faster is credited all the same. */
  async cancel(member: Member, purchaseId: string): Promise<Purchase> {
    const { database, payments, fulfilment, clock } = this.#parts;
    const { org_id: orgId } = await this.#visible(member, purchaseId);
    const sessionId = await database.transaction(async tx => {
      await lockOrganisation(tx, orgId);
      const purchase = await byId(tx, orgId, purchaseId);
      if (purchase.status === 'creating') {
        // Whoever is making the page finds it canceled and closes the page again.
        const canceled = { status: 'canceled' as const, cancel_requested_at: clock() };
        await changePurchase(tx, purchase, canceled, member.principal.id, clock());
        return null;
      }
      if (purchase.status === 'open') {
        // Stored first: the news of the page's end may come by webhook before expire() returns, and means canceled.
        await storePurchase(tx, purchase, { cancel_requested_at: clock() });
        if (purchase.cancel_requested_at === null) {
          const deed = { action: 'purchase.cancel_requested', actor: member.principal.id, purchaseId };
          await note(tx, orgId, deed, clock());
        }
        return purchase.session_id;
      }
      return null;
    });
    if (sessionId !== null && payments) {
      await payments.expire(sessionId);
      await fulfilment.fulfil(sessionId);
    }
    const purchase = await byId(database.query, orgId, purchaseId);
    if (purchase.status === 'open') {
      // The payment side does not know the page, so nobody could close it.
      throw new RequestRefused('payment_provider_unavailable');
    }
    if (!['canceled', 'expired', 'failed'].includes(purchase.status)) {
      throw new RequestRefused('purchase_not_open');
    }
    return purchaseOnTheWire(purchase);
  }

  /** The purchase that a return page is about. */
  async byReturnToken(token: string): Promise<PurchaseRow | undefined> {
    const purchase = await selectPurchases(this.#parts.database.query)
      .where('return_token', '=', token)
      .executeTakeFirst();
    return purchase && this.refreshed(purchase);
  }

  /** The purchase after a look at the payment side, so that a webhook that never came heals itself (F48, F49). */
  async refreshed(purchase: PurchaseRow): Promise<PurchaseRow> {
    const { org_id: orgId, purchase_id: id, status, session_id: sessionId } = purchase;
    if (!underWay.includes(status) || sessionId === null) {
      return purchase;
    }
    // Whoever asks while somebody is looking waits for what that look brings.
    const look =
      this.#looking.get(id) ?? this.#look(orgId, id, sessionId).finally(() => this.#looking.delete(id));
    this.#looking.set(id, look);
    await look;
    return byId(this.#parts.database.query, orgId, id);
  }

  async #look(orgId: string, purchaseId: string, sessionId: string): Promise<void> {
    const { database, fulfilment, clock, log } = this.#parts;
    const now = clock();
    const turn = await database.query
      .updateTable('purchases')
      .set({ checked_at: now })
      .where('org_id', '=', orgId)
      .where('purchase_id', '=', purchaseId)
      .where(({ or, eb }) =>
        or([eb('checked_at', 'is', null), eb('checked_at', '<=', new Date(now.getTime() - CHECK_EVERY_MS))]),
      )
      .executeTakeFirstOrThrow();
    if (turn.numUpdatedRows === 1n) {
      try {
        await fulfilment.fulfil(sessionId);
      } catch (error) {
        // What is stored is still true, if perhaps not the latest.
        log.warn({ err: error, purchase: purchaseId }, 'the payment side could not be asked');
      }
    }
  }

  async #visible(member: Member, purchaseId: string): Promise<PurchaseRow> {
    const purchase = await selectPurchases(this.#parts.database.query)
      .where('purchases.org_id', '=', member.orgId)
      .where('purchase_id', '=', purchaseId)
      .executeTakeFirst();
    if (!purchase || !(may(member.role, 'purchase') || purchase.created_by === member.principal.id)) {
      throw new RequestRefused('purchase_not_found');
    }
    return purchase;
  }

  /** An address of the payment side's own pages about the organisation: invoices, receipts, stored cards. */
  async openPortal(member: Member): Promise<string> {
    const { orgId, orgName, principal } = member;
    const { config, database, payments, clock } = this.#parts;
    if (!payments) {
      throw blocked('', 'payments_unavailable');
    }
    const url = await this.#asCustomer(payments, orgId, orgName, customerId =>
      payments.openPortal(customerId, `${config.publicUrl}/portal/closed`),
    );
    await database.transaction(async tx => {
      // Of books that are frozen, too, the invoices may be seen: nothing is posted.
      await takeTurn(tx, orgId);
      await recheck(tx, member, 'manage_billing');
      await note(tx, orgId, { action: 'billing.portal_opened', actor: principal.id }, clock());
    });
    return url;
  }

  /** Does something for the organisation's customer; one that was deleted on the payment side is made anew. */
  async #asCustomer<T>(
    payments: Payments,
    orgId: string,
    orgName: string,
    work: (customerId: string) => Promise<T>,
  ): Promise<T> {
    const { customers, log } = this.#parts;
    const customerId = await customers.of(payments, orgId, orgName);
    try {
      return await work(customerId);
    } catch (error) {
      if (!(error instanceof CustomerGone)) {
        throw error;
      }
      log.warn(
        { org: orgId, customer: customerId },
        'the payment side forgot this customer: another is made',
      );
      return work(await customers.of(payments, orgId, orgName, customerId));
    }
  }

  /** What may still be ordered, in minor units. Pages that ended unpaid do not count, orders under way do. */
  async #leftToday(query: Database['query'], orgId: string): Promise<number> {
    const { config, clock } = this.#parts;
    if (config.maxDailyMinor === undefined) {
      return Infinity;
    }
    const { ordered } = await query
      .selectFrom('purchases')
      .select(({ fn }) => fn.sum<bigint | string | null>('amount_minor').as('ordered'))
      .where('org_id', '=', orgId)
      .where('created_at', '>', new Date(clock().getTime() - 24 * HOUR_MS))
      .where('status', 'not in', ['expired', 'canceled', 'failed'])
      .executeTakeFirstOrThrow();
    return Math.max(0, config.maxDailyMinor - Number(ordered ?? 0));
  }

  /** What the balance comes to when all that is under way is paid: a figure that could not be told could not be credited. */
  async #reach(tx: Tx, orgId: string, now: Date): Promise<bigint> {
    const { includedUcr, promotionalUcr, purchasedUcr } = await readBalance(tx, orgId, now);
    const { ordered } = await tx
      .selectFrom('purchases')
      .select(({ fn }) => fn.sum<bigint | string | null>('credits_ucr').as('ordered'))
      .where('org_id', '=', orgId)
      .where('status', 'in', underWay)
      .executeTakeFirstOrThrow();
    return includedUcr + promotionalUcr + purchasedUcr + BigInt(ordered ?? 0);
  }

  /** The order is stored before the payment side hears of it: what is paid for is always known here. */
  async #store(member: Member, order: CreatePurchase, use: KeyUse): Promise<string> {
    const { config, database, keys, payments, clock } = this.#parts;
    if (!payments) {
      throw blocked('', 'payments_unavailable');
    }
    const creditsUcr = quote(config.offer, order);
    if (order.return_uri !== undefined) {
      checkReturnUri(order.return_uri, config);
    }
    const now = clock();
    const purchase = { org_id: member.orgId, purchase_id: newId('pur', now) };
    await database.transaction(async tx => {
      await lockOrganisation(tx, member.orgId);
      await recheck(tx, member, 'purchase');
      if (await inDispute(tx, member.orgId)) {
        throw blocked('', 'dispute_open');
      }
      // Under the organisation's lock, so that two orders at once do not both find room.
      if ((await this.#reach(tx, member.orgId, now)) + BigInt(creditsUcr) > MAX_SAFE_AMOUNT) {
        const errors = [{ pointer: '/amount_minor', code: 'balance_out_of_range' }];
        throw new RequestRefused('amount_out_of_range', { errors });
      }
      if (order.amount_minor > (await this.#leftToday(tx, member.orgId))) {
        throw blocked('/amount_minor', 'daily_limit');
      }
      await tx
        .insertInto('purchases')
        .values({
          ...purchase,
          status: 'creating',
          amount_minor: BigInt(order.amount_minor),
          currency: order.currency,
          credits_per_major_unit: BigInt(config.offer.creditsPerMajorUnit),
          credits_ucr: BigInt(creditsUcr),
          return_uri: order.return_uri ?? null,
          return_token: newSecret(),
          created_by: member.principal.id,
          created_at: now,
          expires_at: new Date(now.getTime() + OPEN_FOR_MS),
        })
        .execute();
      await keys.begin(tx, use, purchase.purchase_id);
      await tellPurchase(tx, purchase, 'creating', null, now);
      await note(
        tx,
        member.orgId,
        {
          action: 'purchase.created',
          actor: member.principal.id,
          purchaseId: purchase.purchase_id,
          details: { amount_minor: order.amount_minor, currency: order.currency, credits_ucr: creditsUcr },
        },
        now,
      );
    });
    return purchase.purchase_id;
  }

  async #openPage(orgId: string, purchaseId: string): Promise<PurchaseRow> {
    const { config, database, payments, clock } = this.#parts;
    const purchase = await byId(database.query, orgId, purchaseId);
    if (purchase.status !== 'creating') {
      return purchase;
    }
    if (!payments) {
      throw new RequestRefused('payment_provider_unavailable');
    }
    const { email } = await database.query
      .selectFrom('principals')
      .select('email')
      .where('principal_id', '=', purchase.created_by)
      .executeTakeFirstOrThrow();
    const returnUrl = `${config.publicUrl}/return/${purchase.return_token}`;
    const session = await this.#asCustomer(payments, orgId, purchase.org_name, customerId =>
      payments.open({
        customerId,
        purchaseId,
        orgId,
        orgName: purchase.org_name,
        amountMinor: Number(purchase.amount_minor),
        currency: purchase.currency,
        creditsText: formatCredits(Number(purchase.credits_ucr), 'en'),
        email,
        expiresAt: purchase.expires_at,
        returnUrl,
        canceledUrl: `${returnUrl}/canceled`,
      }),
    );
    const current = await database.transaction(async tx => {
      await lockOrganisation(tx, orgId);
      const now = await byId(tx, orgId, purchaseId);
      if (now.status === 'creating') {
        const page = { status: 'open' as const, session_id: session.id, checkout_url: session.url };
        await changePurchase(tx, now, page, now.created_by, clock());
      }
      return byId(tx, orgId, purchaseId);
    });
    if (current.session_id !== session.id) {
      // It was canceled, or another request opened a page meanwhile: this page must not be paid on.
      await payments.expire(session.id);
    }
    return current;
  }
}

/** While a payer's bank takes money back, no more is sold on the same trust. */
async function inDispute(query: Database['query'], orgId: string): Promise<boolean> {
  const disputed = await query
    .selectFrom('purchases')
    .select('purchase_id')
    .where('org_id', '=', orgId)
    .where('dispute', '=', 'open')
    .limit(1)
    .executeTakeFirst();
  return disputed !== undefined;
}

function blocked(pointer: string, code: string): RequestRefused {
  return new RequestRefused('purchasing_blocked', { errors: [{ pointer, code }] });
}

function byId(query: Database['query'], orgId: string, purchaseId: string): Promise<PurchaseRow> {
  return selectPurchases(query)
    .where('purchases.org_id', '=', orgId)
    .where('purchase_id', '=', purchaseId)
    .executeTakeFirstOrThrow();
}
