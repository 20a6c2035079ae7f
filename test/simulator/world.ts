// Everything around the servers in one schedule: organisations and their people, Stripe and who pays there, the clock,
// clients that read balances; and what each of them may expect of an answer.
import assert from 'node:assert/strict';
import type { LightMyRequestResponse as Response } from 'fastify';
import { sql } from 'kysely';
import type Stripe from 'stripe';
import type { Balance as Snapshot } from '../../protocol/api.ts';
import { admit } from '../../server/src/access.ts';
import type { Database } from '../../server/src/database/database.ts';
import type { Role } from '../../server/src/database/tables.ts';
import { newSecret } from '../../server/src/ids.ts';
import { answered, type Balance, lastReading, loading } from '../../src/core/balance.ts';
import type { ModelPlan } from '../server/support/ledgerModel.ts';
import { StripeDouble } from '../support/stripeDouble.ts';
import { Books, replay, type Transaction } from './books.ts';
import { Node, WEBHOOK_SECRET } from './node.ts';
import type { Operation, Request } from './operations.ts';

const UCR = 1_000_000;
/** 100 credits cost one major unit, so a minor unit buys one credit. */
const UCR_PER_MINOR = UCR;
/** Every schedule begins at the same moment, so that a seed says all. */
const START = Date.parse('2027-01-10T12:00:00Z');
const SECOND = 1_000; // ms
const HOUR = 3_600 * SECOND;
const SIGNED_FOR = 300 * SECOND;

interface Organisation {
  readonly id: string;
  readonly admin: string;
  readonly other: { readonly id: string; readonly token: string; role: Role };
  readonly service: string;
  client: Balance;
  /** Answers that are still on their way to the client. */
  readonly late: Snapshot[];
  readonly sent: Map<number, Set<number>>;
  readonly purchaseIds: string[];
  readonly grants: Map<string, { amount: number; expires: number }>;
  readonly adjustments: Map<string, number>;
  readonly usage: Map<string, Set<number>>;
  /** Usage that nobody has said yes to; a gateway sends it again until somebody does. */
  readonly unanswered: Map<string, number>;
  readonly holds: Map<string, Map<number, number>>;
  readonly finals: Map<string, Set<number>>;
  readonly plans: { afterVersion: number; at: number; plan: ModelPlan | null }[];
  /** Keys that only people without the right to buy have used. */
  readonly refusedKeys: Set<string>;
  readonly orders: Map<string, number>;
  /** Orders that were not answered the first time. */
  readonly cutOff: Set<string>;
}

/** What Stripe's side has seen of one payment, kept here a second time. */
interface Payment {
  readonly session: string;
  readonly orgId: string;
  readonly purchaseId: string;
  readonly amountMinor: number;
  paidMinor: number;
  status: 'open' | 'unpaid' | 'paid' | 'failed' | 'expired';
  tampered: boolean;
  readonly refunds: { id: string; minor: number; failed: boolean }[];
  readonly disputes: { minor: number; state: 'inquiry' | 'open' | 'won' | 'lost'; withdrawn: boolean }[];
}

/** What happened in schedules that kept every rule. */
export interface Counts {
  readonly operations: number;
  /** Crashes and broken connections that came to pass; one drawn for a step that is never reached does not count. */
  readonly faults: number;
  /** Paid, whatever became of it afterwards. */
  readonly payments: number;
  /** Purchases in the ledgers. */
  readonly credits: number;
}

export const none: Counts = { operations: 0, faults: 0, payments: 0, credits: 0 };

export const plus = (a: Counts, b: Counts): Counts => ({
  operations: a.operations + b.operations,
  faults: a.faults + b.faults,
  payments: a.payments + b.payments,
  credits: a.credits + b.credits,
});

export class World {
  readonly #database: Database;
  readonly #stripe: StripeDouble;
  readonly #nodes: Node[] = [];
  readonly #organisations: Organisation[] = [];
  readonly #payments = new Map<string, Payment>();
  /** Events that no server has said yes to. */
  #undelivered: Stripe.Event[] = [];
  #books: Books;
  #now = START;
  /** How far the servers' clock is ahead of the true one. */
  #ahead = 0;
  #latest = START;
  #ids = 0;
  #counter = 0;
  #operations = 0;
  #faults = 0;

  private constructor(database: Database) {
    this.#database = database;
    this.#stripe = new StripeDouble({
      now: () => this.#now,
      nextId: prefix => `${prefix}${String(++this.#ids).padStart(8, '0')}`,
    });
    this.#books = new Books(database, []);
  }

  static async open(database: Database): Promise<World> {
    await empty(database);
    const world = new World(database);
    await Promise.all([0, 1].map(place => world.#start(place)));
    for (let n = 0; n < 3; n++) {
      await world.#organisation(`org_${n}`);
    }
    world.#books = new Books(
      database,
      world.#organisations.map(({ id }) => id),
    );
    return world;
  }

  get counts(): Counts {
    const transactions = [...this.#books.seen.values()].flatMap(seen => seen.transactions);
    return {
      operations: this.#operations,
      faults: this.#faults,
      payments: this.#paymentsThat('paid').length,
      credits: transactions.filter(({ type }) => type === 'purchase').length,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(node => node.stop()));
  }

  /** One operation, and the rules after it. */
  async step(operation: Operation): Promise<void> {
    await this.#do(operation);
    this.#operations++;
    this.#faults += this.#nodes.filter(({ hasBroken }) => hasBroken).length;
    await this.#revive();
    await this.#check();
  }

  async #start(place: number): Promise<void> {
    this.#nodes[place] = await Node.start({
      database: this.#database,
      stripe: this.#stripe.httpClient(),
      now: () => this.#serverNow(),
    });
  }

  #serverNow(): Date {
    this.#latest = Math.max(this.#latest, this.#now + this.#ahead);
    return new Date(this.#now + this.#ahead);
  }

  async #organisation(id: string): Promise<void> {
    const other = { id: `usr_max_${id}`, token: `crd_pat_${newSecret()}`, role: 'user' as Role };
    const org = { id, admin: `crd_pat_${newSecret()}`, other, service: `crd_svc_${newSecret()}` };
    const node = this.#node(0);
    await this.#database.transaction(async tx => {
      await node.app.parts.ledger.openOrganisation(tx, id, id);
      const person = (who: string) => ({
        id: `usr_${who}_${id}`,
        kind: 'person' as const,
        name: who,
        email: null,
      });
      const at = this.#serverNow();
      await admit(tx, { orgId: id, principal: person('ada'), role: 'admin', token: org.admin }, at);
      await admit(tx, { orgId: id, principal: person('max'), role: 'user', token: other.token }, at);
      const service = { id: `svc_${id}`, kind: 'service' as const, name: 'Gateway', email: null };
      await admit(tx, { orgId: id, principal: service, role: 'service', token: org.service }, at);
    });
    this.#organisations.push({
      ...org,
      client: loading(),
      late: [],
      sent: new Map(),
      purchaseIds: [],
      grants: new Map(),
      adjustments: new Map(),
      usage: new Map(),
      unanswered: new Map(),
      holds: new Map(),
      finals: new Map(),
      plans: [],
      refusedKeys: new Set(),
      orders: new Map(),
      cutOff: new Set(),
    });
  }

  // ---- what happens

  async #do(it: Operation): Promise<void> {
    switch (it.do) {
      case 'together': {
        // The clock of each request is the same; who is first is the database's to say.
        for (const request of it.requests) {
          this.#node(request.server).arm(request.fault);
        }
        await Promise.all(it.requests.map(request => this.#ask(request)));
        return;
      }
      case 'overtaken':
        return this.#overtaken(it);
      case 'pay':
        return this.#pay(it.session, it.how, it.taxMinor, it.late);
      case 'settle': {
        const payment = pick(this.#paymentsThat('unpaid'), it.session);
        if (payment) {
          payment.status = it.ok ? 'paid' : 'failed';
          this.#happened(this.#stripe.settleAsync(payment.session, it.ok));
        }
        return;
      }
      case 'expire': {
        const payment = pick(this.#paymentsThat('open'), it.session);
        if (payment) {
          this.#expired(payment);
          this.#happened(this.#stripe.expireNow(payment.session));
        }
        return;
      }
      case 'tamper': {
        const payment = pick(this.#paymentsThat('open'), it.session);
        if (payment) {
          payment.tampered = true;
          const change =
            it.what === 'amount' ? { amount_subtotal: payment.amountMinor - 1 } : { currency: 'eur' };
          this.#stripe.tamper(payment.session, change);
        }
        return;
      }
      case 'refund': {
        const payment = pick(this.#refundable(), it.session);
        if (payment) {
          const left = payment.paidMinor - refunded(payment);
          const minor = it.part === 1 ? left : Math.min(left, Math.ceil(payment.paidMinor * it.part));
          const events = this.#stripe.refund(payment.session, minor);
          const refund = events.find(({ type }) => type === 'refund.created')?.data.object as Stripe.Refund;
          payment.refunds.push({ id: refund.id, minor, failed: false });
          this.#happened(events);
        }
        return;
      }
      case 'failRefund': {
        const refunds = [...this.#payments.values()].flatMap(({ refunds: all }) =>
          all.filter(({ failed }) => !failed),
        );
        const refund = pick(refunds, it.refund);
        if (refund) {
          refund.failed = true;
          this.#happened(this.#stripe.failRefund(refund.id));
        }
        return;
      }
      case 'dispute': {
        const payment = pick(this.#refundable(), it.session);
        if (payment && !payment.disputes.some(({ state }) => state !== 'won')) {
          const minor = Math.ceil((payment.paidMinor - refunded(payment)) * it.part);
          payment.disputes.push({ minor, state: it.inquiry ? 'inquiry' : 'open', withdrawn: false });
          this.#happened(this.#stripe.dispute(payment.session, it.inquiry ? 'inquiry' : 'open', minor));
        }
        return;
      }
      case 'withdraw': {
        const payment = pick(this.#disputed(), it.session);
        const dispute = payment?.disputes.at(-1);
        if (payment && dispute && !dispute.withdrawn) {
          dispute.withdrawn = true;
          dispute.state = 'open';
          this.#happened(this.#stripe.withdrawFunds(payment.session));
        }
        return;
      }
      case 'close': {
        const payment = pick(this.#disputed(), it.session);
        const dispute = payment?.disputes.at(-1);
        if (payment && dispute) {
          const outcome = dispute.state === 'inquiry' ? 'warning_closed' : it.won ? 'won' : 'lost';
          dispute.state = outcome === 'lost' ? 'lost' : 'won';
          this.#happened(this.#stripe.closeDispute(payment.session, outcome));
        }
        return;
      }
      case 'lose': {
        // For ever: looking finds it. All of it, as when the endpoint is away for days.
        const lost = it.all ? [...this.#undelivered] : [pick(this.#undelivered, it.event)];
        this.#undelivered = this.#undelivered.filter(event => !lost.includes(event));
        return;
      }
      case 'plan':
        return this.#plan(it.org, it.plan);
      case 'role': {
        const org = this.#org(it.org);
        org.other.role = it.role;
        const principal = { id: org.other.id, kind: 'person' as const, name: 'max', email: null };
        const member = { orgId: org.id, principal, role: it.role, token: org.other.token };
        await this.#database.transaction(tx => admit(tx, member, this.#serverNow()));
        return;
      }
      case 'wait':
        this.#now += it.ms;
        this.#expireDue();
        return;
      case 'turnClock':
        // Never more than this from the true time, as a clock that is kept by the network is.
        this.#ahead = Math.max(-2 * HOUR, Math.min(2 * HOUR, this.#ahead + it.ms));
        return;
      case 'restart':
        return this.#node(it.server).stop();
      default:
        this.#node(it.server).arm(it.fault);
        return this.#ask(it);
    }
  }

  /** A request to a server. Its answer must make sense, unless something broke or the process is gone. */
  async #ask(it: Request): Promise<void> {
    const node = this.#node(it.server);
    switch (it.do) {
      case 'buy':
        return this.#buy(node, it);
      case 'look':
      case 'cancel': {
        const org = this.#org(it.purchase);
        const id = pick(org.purchaseIds, Math.floor(it.purchase / 3));
        if (id !== undefined) {
          const token = it.who === 'admin' ? org.admin : org.other.token;
          const path = `/v1/orgs/${org.id}/purchases/${id}${it.do === 'cancel' ? '/cancel' : ''}`;
          const answer = await this.#request(node, it.do === 'look' ? 'GET' : 'POST', path, token);
          this.#expect(node, answer, it.do === 'look' ? [200, 404] : [200, 404, 409]);
        }
        return;
      }
      case 'return': {
        const session = pick(this.#stripe.sessions(), it.session);
        if (session?.success_url) {
          const path = new URL(session.success_url).pathname + (it.canceled ? '/canceled' : '');
          this.#expect(node, await this.#request(node, 'GET', path), [200]);
        }
        return;
      }
      case 'deliver': {
        const event = pick(it.any ? this.#stripe.events : this.#undelivered, it.event);
        if (event) {
          await Promise.all(Array.from({ length: it.times }, () => this.#deliver(node, event, it.how)));
        }
        return;
      }
      case 'use': {
        const org = this.#org(it.org);
        const id = `event_${it.id}`;
        // Now and then another amount comes under the same id, which must be refused.
        const amount = it.credits * UCR;
        note(org.usage, id, amount);
        if (!org.unanswered.has(id)) {
          org.unanswered.set(id, amount);
        }
        await Promise.all(Array.from({ length: it.times }, () => this.#use(node, org, id, amount)));
        return;
      }
      case 'hold': {
        const org = this.#org(it.org);
        const id = `hold_${it.id}`;
        const amount = it.credits * UCR;
        const wishes = org.holds.get(id) ?? new Map<number, number>();
        const seconds = wishes.get(amount) ?? it.seconds;
        org.holds.set(id, wishes.set(amount, seconds));
        const body = { hold_id: id, amount_ucr: amount, expires_in_s: seconds };
        await Promise.all(
          Array.from({ length: it.times }, async () => {
            const answer = await this.#request(node, 'POST', `/v1/orgs/${org.id}/holds`, org.service, body);
            this.#expect(node, answer, [200, 402, 422]);
            if (answer.statusCode === 200 && !answer.json().duplicate) {
              // The gateway's clock is its own affair: a hold lasts as long as was asked for, by the server's.
              const { created_at, expires_at } = answer.json();
              const lasts = Date.parse(expires_at) - Date.parse(created_at);
              assert.equal(lasts, seconds * SECOND, 'a hold lasts as long as was asked for');
            }
          }),
        );
        return;
      }
      case 'finalize':
      case 'release': {
        const org = this.#org(it.org);
        const id = pick([...org.holds.keys()], it.id);
        if (id === undefined) {
          return;
        }
        const amount = it.do === 'finalize' ? it.credits * UCR : undefined;
        if (amount !== undefined) {
          note(org.finals, id, amount);
        }
        const path = `/v1/orgs/${org.id}/holds/${id}/${it.do}`;
        const body = amount === undefined ? {} : { amount_ucr: amount };
        const answer = await this.#request(node, 'POST', path, org.service, body);
        this.#expect(node, answer, [200, 404, 409, 422]);
        return;
      }
      case 'read':
        return this.#read(node, this.#org(it.org), it.late);
      case 'reconcile':
        return this.#quietly(node, () => node.app.parts.reconciler.look());
      case 'due':
        return this.#quietly(node, () => node.app.parts.dueDates.look());
      case 'grant':
        return this.#grant(node, it);
      case 'adjust': {
        const org = this.#org(it.org);
        const adjustmentId = `adjustment_${it.id}`;
        const amount = org.adjustments.get(adjustmentId) ?? it.credits * UCR;
        org.adjustments.set(adjustmentId, amount);
        const adjustment = { amountUcr: BigInt(amount), actor: 'operator', reason: 'test', adjustmentId };
        return this.#quietly(node, () =>
          node.database.transaction(tx => node.app.parts.ledger.adjust(tx, org.id, adjustment)),
        );
      }
    }
  }

  async #buy(node: Node, it: Request & { do: 'buy' }): Promise<void> {
    const org = this.#org(it.org);
    const isAdmin = it.who === 'admin' || org.other.role === 'admin';
    // The same key may come from both people: to the server these are two keys.
    const key = isAdmin ? `key_${it.key}` : `refused_${it.key}`;
    const order = {
      amount_minor: it.amountMinor,
      currency: 'usd',
      expected_credits_ucr: it.amountMinor * UCR_PER_MINOR + (it.stale ? UCR : 0),
    };
    const token = it.who === 'admin' ? org.admin : org.other.token;
    if (!isAdmin) {
      org.refusedKeys.add(key);
    }
    const answer = await this.#request(node, 'POST', `/v1/orgs/${org.id}/purchases`, token, order, {
      'idempotency-key': key,
      // What a client says of itself has no say.
      'x-credits-role': 'admin',
    });
    if (!node.hasBroken && !node.isGone) {
      assert.equal(answer.statusCode === 403, !isAdmin, `I8 the role of now decides: ${answer.statusCode}`);
    }
    const named = `${it.who} ${key}`;
    // Stripe makes no page that would be open for less than 30 minutes, as is one of an order that was cut off long ago.
    const mayBeTooShort = this.#ahead < -SECOND * 1_000 || org.cutOff.has(named);
    this.#expect(node, answer, isAdmin ? [201, 409, 422, ...(mayBeTooShort ? [503] : [])] : [403]);
    if (answer.statusCode >= 500) {
      org.cutOff.add(named);
    }
    if (answer.statusCode !== 201) {
      return;
    }
    assert.ok(isAdmin, 'I8 only admins buy');
    const purchase = answer.json();
    const before = org.orders.get(named);
    assert.ok(before === undefined || before === it.amountMinor, 'one key is one order');
    org.orders.set(named, it.amountMinor);
    assert.deepEqual(
      [purchase.amount_minor, purchase.credits_ucr],
      [it.amountMinor, it.amountMinor * UCR_PER_MINOR],
    );
    if (!org.purchaseIds.includes(purchase.id)) {
      org.purchaseIds.push(purchase.id);
    }
    if (purchase.checkout_url !== null) {
      this.#toldAddress(purchase.checkout_url, org.id, purchase.id, it.amountMinor);
    }
  }

  /** Nobody pays on a page whose address nobody was told. */
  #toldAddress(url: string, orgId: string, purchaseId: string, amountMinor: number): void {
    const session = new URL(url).pathname.split('/').pop() ?? '';
    const known = this.#payments.get(session);
    if (known) {
      assert.equal(known.purchaseId, purchaseId, 'a payment page belongs to one purchase');
      return;
    }
    // An answer to an old key may name a page that has ended meanwhile.
    const { status } = this.#stripe.session(session);
    this.#payments.set(session, {
      session,
      orgId,
      purchaseId,
      amountMinor,
      paidMinor: 0,
      status: status === 'open' ? 'open' : 'expired',
      tampered: false,
      refunds: [],
      disputes: [],
    });
  }

  #pay(place: number, how: 'card' | 'delayed' | 'declined', taxMinor: number, late: boolean): void {
    this.#expireDue();
    const payment = pick(this.#paymentsThat(late && how === 'card' ? 'expired' : 'open'), place);
    if (!payment) {
      return;
    }
    if (how === 'declined') {
      this.#happened(this.#stripe.decline(payment.session));
      return;
    }
    const isAsync = how === 'delayed';
    this.#happened(this.#stripe.pay(payment.session, { async: isAsync, taxMinor, evenIfExpired: late }));
    payment.paidMinor = payment.amountMinor + taxMinor;
    payment.status = isAsync ? 'unpaid' : 'paid';
  }

  async #deliver(node: Node, event: Stripe.Event, how: 'plain' | 'twin' | 'forged' | 'old'): Promise<void> {
    const signing = {
      secret: how === 'forged' ? 'whsec_of_somebody_else' : WEBHOOK_SECRET,
      at: this.#now - (how === 'old' ? SIGNED_FOR + 2 * HOUR + 2 * SECOND : 0),
      // Stripe sometimes makes two events of one thing.
      ...(how === 'twin' && { id: `${event.id}_twin${this.#counter++}` }),
    };
    const { body, headers } = this.#stripe.sign(event, signing);
    const answer = await node.app.inject({ method: 'POST', url: '/webhooks/stripe', headers, payload: body });
    const isTimely = Math.abs(this.#ahead) < SIGNED_FOR - SECOND;
    const isGood = (how === 'plain' || how === 'twin') && isTimely;
    const mayBeGood = (how === 'plain' || how === 'twin') && Math.abs(this.#ahead) <= SIGNED_FOR;
    this.#expect(node, answer, isGood ? [200] : mayBeGood ? [200, 400] : [400]);
    if (answer.statusCode === 200) {
      const place = this.#undelivered.indexOf(event);
      if (place >= 0 && !node.isGone) {
        this.#undelivered.splice(place, 1);
      }
    }
  }

  async #use(node: Node, org: Organisation, id: string, amount: number): Promise<void> {
    const body = { event_id: id, amount_ucr: amount };
    const answer = await this.#request(node, 'POST', `/v1/orgs/${org.id}/usage`, org.service, body);
    this.#expect(node, answer, [200, 422]);
    if (!node.isGone && (answer.statusCode === 200 || answer.statusCode === 422)) {
      org.unanswered.delete(id);
    }
  }

  /** I7: a client's reading goes through the very rule that the extension has, and comes late now and then. */
  async #read(node: Node, org: Organisation, late: boolean): Promise<void> {
    const known = this.#books.of(org.id).version;
    const answer = await this.#request(node, 'GET', `/v1/orgs/${org.id}/balance`, org.other.token);
    this.#expect(node, answer, [200]);
    if (answer.statusCode !== 200) {
      return;
    }
    const snapshot = answer.json<Snapshot>();
    assert.ok(
      snapshot.version >= known,
      'I7 an answer is not older than what was committed before it was asked for',
    );
    note(org.sent, snapshot.version, snapshot.available_ucr);
    org.late.push(snapshot);
    if (!late) {
      // All that was on its way arrives, newest first.
      for (const arrived of org.late.splice(0).reverse()) {
        const before = lastReading(org.client)?.snapshot.version ?? 0;
        org.client = answered(org.client, { snapshot: arrived, atMs: this.#now }, org.id);
        const shown = lastReading(org.client)?.snapshot;
        assert.ok(shown && shown.version >= before, 'I7 never an older version after a newer one');
        assert.ok(
          org.sent.get(shown.version)?.has(shown.available_ucr),
          'I7 never a number it did not receive',
        );
      }
    }
  }

  async #grant(node: Node, it: Request & { do: 'grant' }): Promise<void> {
    const org = this.#org(it.org);
    const id = `grant_${it.id}`;
    const now = this.#serverNow().getTime();
    const expires = it.lifeMs === null ? Number.POSITIVE_INFINITY : now + it.lifeMs;
    const wish = org.grants.get(id) ?? { amount: it.credits * UCR, expires };
    if (wish.expires <= now) {
      return;
    }
    org.grants.set(id, wish);
    await this.#quietly(node, () =>
      node.database.transaction(tx =>
        node.app.parts.ledger.grant(tx, org.id, {
          kind: 'promotional',
          amountUcr: BigInt(wish.amount),
          ...(wish.expires < Number.POSITIVE_INFINITY && { expiresAt: new Date(wish.expires) }),
          type: 'grant',
          source: { type: 'test', id },
          actor: 'operator',
        }),
      ),
    );
  }

  async #plan(
    place: number,
    plan: { credits: number; anchorDay: number; capCredits: number } | null,
  ): Promise<void> {
    const org = this.#org(place);
    await this.#check();
    const { ledger } = this.#node(0).app.parts;
    const terms = plan && {
      includedUcr: BigInt(plan.credits * UCR),
      anchorDay: plan.anchorDay,
      rolloverCapUcr: BigInt(plan.capCredits * UCR),
    };
    this.#node(0).arm(undefined);
    org.plans.push({
      afterVersion: this.#books.of(org.id).version,
      at: this.#serverNow().getTime(),
      plan: plan && { included: plan.credits * UCR, anchorDay: plan.anchorDay, cap: plan.capCredits * UCR },
    });
    await this.#database.transaction(tx => ledger.setPlan(tx, org.id, terms));
  }

  // ---- asking

  async #request(
    node: Node,
    method: 'GET' | 'POST',
    url: string,
    token?: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return node.app.inject({
      method,
      url,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        // A client whose own clock is three days behind.
        date: new Date(this.#now - 3 * 24 * HOUR).toUTCString(),
        ...headers,
      },
      ...(body && { payload: body }),
    });
  }

  #expect(node: Node, answer: Response, statuses: readonly number[]): void {
    if (node.hasBroken || node.isGone) {
      return;
    }
    const said = `${answer.raw.req.method} ${answer.raw.req.url} was answered ${answer.statusCode}: ${answer.body}`;
    assert.ok(statuses.includes(answer.statusCode), said);
  }

  /** Work that nobody waits for an answer of: only what broke by itself is a fault of ours. */
  async #quietly(node: Node, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!node.hasBroken && !node.isGone) {
        throw error;
      }
    }
  }

  /** What was read first is stored last, and must not undo what is known since. */
  async #overtaken({ session, part, server }: Operation & { do: 'overtaken' }): Promise<void> {
    const payment = pick(this.#refundable(), session);
    if (!payment) {
      return;
    }
    const [slow, quick] = [this.#node(server), this.#node(1 - server)];
    slow.arm(undefined);
    quick.arm(undefined);
    const { caught, letGo } = slow.holdTransaction();
    const looking = this.#quietly(slow, () => slow.app.parts.fulfilment.fulfil(payment.session));
    await Promise.race([caught, looking]);
    const before = this.#undelivered.length;
    await this.#do({ do: 'refund', session, part });
    for (const event of this.#undelivered.slice(before)) {
      await this.#deliver(quick, event, 'plain');
    }
    letGo();
    await looking;
  }

  // ---- Stripe's side

  #happened(events: readonly Stripe.Event[]): void {
    this.#undelivered.push(...events);
  }

  #expireDue(): void {
    const events = this.#stripe.expireDue();
    this.#happened(events);
    // It also happens by itself when somebody asks, so the sessions are asked and not the events.
    for (const payment of this.#paymentsThat('open')) {
      if (this.#stripe.session(payment.session).status === 'expired') {
        this.#expired(payment);
      }
    }
  }

  #expired(payment: Payment): void {
    payment.status = 'expired';
  }

  #paymentsThat(status: Payment['status']): Payment[] {
    return [...this.#payments.values()].filter(payment => payment.status === status);
  }

  #refundable(): Payment[] {
    return this.#paymentsThat('paid').filter(
      payment =>
        refunded(payment) < payment.paidMinor &&
        !payment.disputes.some(({ state }) => state === 'open' || state === 'lost'),
    );
  }

  #disputed(): Payment[] {
    return this.#paymentsThat('paid').filter(({ disputes }) =>
      ['open', 'inquiry'].includes(disputes.at(-1)?.state ?? ''),
    );
  }

  // ---- servers

  #node(place: number): Node {
    const node = this.#nodes[place];
    assert.ok(node);
    return node;
  }

  async #revive(): Promise<void> {
    for (const [place, node] of this.#nodes.entries()) {
      if (node.isGone) {
        await node.stop();
        await this.#start(place);
      }
      node.arm(undefined);
    }
    this.#expireDue();
  }

  #org(place: number): Organisation {
    const org = pick(this.#organisations, place);
    assert.ok(org);
    return org;
  }

  // ---- rules

  /** I1, I2, I3, I6 of what is new. */
  async #check(): Promise<void> {
    for (const [orgId, transaction] of await this.#books.look()) {
      if (transaction.type === 'purchase') {
        this.#checkCredit(orgId, transaction);
      }
    }
  }

  #checkCredit(orgId: string, { sourceId, entries }: Transaction): void {
    const session = this.#stripe.session(sourceId);
    const payment = this.#payments.get(sourceId);
    assert.equal(session.payment_status, 'paid', 'I3 credited is what was paid');
    assert.ok(payment && payment.orgId === orgId && !payment.tampered, 'I3 credited is what was ordered');
    const credited = -(entries.get('payments') ?? 0);
    assert.equal(credited, payment.amountMinor * UCR_PER_MINOR, 'I3 the order is credited, without tax');
  }

  /** Lets everything come to rest, and then looks at everything. */
  async finish(): Promise<void> {
    this.#now = Math.max(this.#now + 3 * HOUR, this.#latest + 1);
    this.#ahead = 0;
    await this.#revive();
    for (const payment of this.#paymentsThat('unpaid')) {
      payment.status = 'paid';
      this.#happened(this.#stripe.settleAsync(payment.session, true));
    }
    for (let round = 0; round < 3; round++) {
      for (const event of [...this.#undelivered]) {
        await this.#deliver(this.#node(round % 2), event, 'plain');
      }
      this.#now += 3 * SECOND;
      await this.#node(round % 2).app.parts.reconciler.look();
    }
    for (const org of this.#organisations) {
      for (const [id, amount] of [...org.unanswered]) {
        await this.#use(this.#node(0), org, id, amount);
      }
    }
    await this.#node(0).app.parts.dueDates.look();
    for (const org of this.#organisations) {
      await this.#read(this.#node(1), org, false);
    }
    await this.#check();
    assert.equal(this.#undelivered.length, 0, 'every delivery is answered in the end');
    await this.#checkPurchases();
    await this.#checkTheRest();
    await this.#books.nothingHasChanged();
    for (const org of this.#organisations) {
      const seen = this.#books.of(org.id);
      const shown = lastReading(org.client)?.snapshot;
      assert.equal(shown?.version, seen.version, `I7 ${org.id} sees the newest version in the end`);
      assert.equal(shown?.available_ucr, seen.free, `I1 what ${org.id} is told is what there is`);
      const purchases = await this.#purchases(org.id);
      replay(
        seen,
        {
          ...org,
          purchases: new Map(
            purchases.map(({ session_id, grant_id, purchase_id }) => {
              const credits = (this.#payments.get(session_id ?? '')?.amountMinor ?? 0) * UCR_PER_MINOR;
              return [session_id ?? purchase_id, { credits, grantId: grant_id, purchaseId: purchase_id }];
            }),
          ),
        },
        START,
      );
    }
  }

  #purchases(orgId: string) {
    return this.#database.query.selectFrom('purchases').selectAll().where('org_id', '=', orgId).execute();
  }

  /** I2, I3 and I5 from the payments' side: each one, as Stripe has it, against the books. */
  async #checkPurchases(): Promise<void> {
    const rows = new Map(
      (await Promise.all(this.#organisations.map(({ id }) => this.#purchases(id))))
        .flat()
        .map(row => [row.purchase_id, row]),
    );
    for (const payment of this.#payments.values()) {
      const row = rows.get(payment.purchaseId);
      assert.ok(row, 'what was answered is stored');
      const credits = this.#books
        .of(payment.orgId)
        .transactions.filter(({ type, sourceId }) => type === 'purchase' && sourceId === payment.session);
      const isDue = payment.status === 'paid' && !payment.tampered;
      assert.equal(
        credits.length,
        isDue ? 1 : 0,
        `I2 ${payment.session}, ${payment.status}, is ${row.status}`,
      );
      if (payment.status === 'paid') {
        assert.equal(row.status, isDue ? 'credited' : 'needs_review', payment.session);
      }
      if (isDue) {
        this.#checkTakenBack(payment, Number(row.reversed_ucr), Number(row.disputed_ucr));
      }
    }
    for (const { status, purchase_id } of rows.values()) {
      const hasEnded = ['credited', 'expired', 'canceled', 'failed', 'needs_review'].includes(status);
      assert.ok(hasEnded, `${purchase_id} is ${status} for ever`);
    }
  }

  #checkTakenBack(payment: Payment, reversed: number, disputed: number): void {
    const credited = payment.amountMinor * UCR_PER_MINOR;
    const share = (minor: number) =>
      minor >= payment.paidMinor
        ? credited
        : Number((BigInt(credited) * BigInt(minor)) / BigInt(payment.paidMinor));
    const sum = (counts: (dispute: Payment['disputes'][number]) => boolean) =>
      payment.disputes.reduce((total, dispute) => total + (counts(dispute) ? dispute.minor : 0), 0);
    const gone = refunded(payment) + sum(({ state }) => state === 'lost');
    const withdrawn = sum(({ state, withdrawn: isTaken }) => state === 'open' && isTaken);
    const expected = [share(gone), share(gone + withdrawn) - share(gone)];
    const what = `I5 ${payment.session} is taken back as Stripe took it back`;
    assert.deepEqual([reversed, disputed], expected, what);
    const posted = (account: RegExp) =>
      this.#books
        .of(payment.orgId)
        .transactions.filter(
          each => each.sourceType === 'purchase' && each.sourceId.startsWith(`${payment.purchaseId}:`),
        )
        .flatMap(({ entries }) => [...entries])
        .reduce((total, [name, amount]) => total + (account.test(name) ? amount : 0), 0);
    assert.deepEqual([posted(/^payments$/), posted(/^dispute:/)], expected, what);
    assert.ok(reversed + disputed <= credited, 'I5 no more than was credited');
  }

  /** I6 from the gateway's side, I8, the outbox, and deliveries that nobody acted on. */
  async #checkTheRest(): Promise<void> {
    const { query } = this.#database;
    for (const org of this.#organisations) {
      const events = await query
        .selectFrom('usage_events')
        .select('event_id')
        .where('org_id', '=', org.id)
        .where('source_type', '=', 'usage_event')
        .execute();
      assert.deepEqual(
        new Set(events.map(({ event_id }) => event_id)),
        new Set(org.usage.keys()),
        'I6 every usage that was reported is debited, and no other',
      );
      const keys = await query
        .selectFrom('idempotency_keys')
        .select('key')
        .where('org_id', '=', org.id)
        .execute();
      assert.ok(!keys.some(({ key }) => org.refusedKeys.has(key)), 'I8 a refused order is not stored');
      const told = await query
        .selectFrom('outbox')
        .select(['sequence', 'event', 'data'])
        .where('org_id', '=', org.id)
        .orderBy('sequence')
        .execute();
      const versions = told
        .filter(({ event }) => event === 'balance.updated')
        .map(({ data }) => Number(data['version']));
      assert.ok(
        versions.every((version, place) => place === 0 || version >= (versions[place - 1] ?? 0)),
        'I7 listeners are told versions in their order',
      );
    }
    const { rows } = await sql<{ left: bigint }>`
      select count(*) as left from stripe_events where status = 'received'`.execute(query);
    assert.equal(rows[0]?.left, 0n, 'every delivery that was taken in is acted on');
  }
}

/** A schedule begins with nothing. The triggers that guard history are the database's own; they are back right after. */
async function empty(database: Database): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'kysely%'`.execute(
    database.query,
  );
  await database.transaction(async tx => {
    await sql`set local session_replication_role = replica`.execute(tx);
    await sql.raw(`truncate ${rows.map(({ name }) => name).join(', ')}`).execute(tx);
  });
}

const refunded = ({ refunds }: Payment): number =>
  refunds.reduce((sum, { minor, failed }) => sum + (failed ? 0 : minor), 0);

function note<K>(map: Map<K, Set<number>>, key: K, value: number): void {
  map.set(key, (map.get(key) ?? new Set()).add(value));
}

function pick<T>(list: readonly T[], place: number): T | undefined {
  return list.length === 0 ? undefined : list[place % list.length];
}
