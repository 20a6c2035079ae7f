// Kills a server process at one enumerated point of a purchase, starts another on the same files, lets everybody who
// was left without an answer try again, and looks whether the purchase was credited exactly once.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Stripe from 'stripe';
import type { Balance, LedgerList, Purchase } from '../../protocol/api.ts';
import { type Listening, only, StripeDouble } from '../support/stripeDouble.ts';
import { ADMIN, ORG, type Order, type Report, WEBHOOK_SECRET } from './wire.ts';

interface Point {
  readonly name: string;
  /** Where the server is when it dies; without one it is killed from outside, between two requests. */
  readonly step?: string;
  /** What it is at work on then. */
  readonly during: 'nothing' | 'buying' | 'webhook' | 'return page' | 'reconciliation';
}

export const points: readonly Point[] = [
  { name: 'payment page made, not stored', step: 'after POST /v1/checkout/sessions', during: 'buying' },
  {
    name: 'order stored, payment page not made',
    step: 'before POST /v1/checkout/sessions',
    during: 'buying',
  },
  { name: 'between payment and webhook', during: 'nothing' },
  { name: 'webhook received, not stored', step: 'before stripe_events', during: 'webhook' },
  { name: 'webhook stored, Stripe not asked', step: 'after stripe_events', during: 'webhook' },
  { name: 'Stripe asked, transaction not begun', step: 'before begin', during: 'webhook' },
  { name: 'inside the transaction, credit posted', step: 'after post_transaction', during: 'webhook' },
  { name: 'inside the transaction, before commit', step: 'before commit', during: 'webhook' },
  { name: 'after commit, before the answer', step: 'after commit', during: 'webhook' },
  { name: 'return page, before commit', step: 'before commit', during: 'return page' },
  { name: 'return page, after commit', step: 'after commit', during: 'return page' },
  { name: 'reconciliation, before commit', step: 'before commit', during: 'reconciliation' },
  { name: 'reconciliation, after commit', step: 'after commit', during: 'reconciliation' },
];

const AMOUNT_MINOR = 5_000;
const CREDITS_UCR = 5_000_000_000;
/** A process that says nothing for this long has hung. */
const PATIENCE_MS = 4 * 60_000;
/** Between the look that is cut off and the next one, as the server does not ask again what it has just asked. */
const LOOKS_APART_MS = 10_000;
/** Loading and compiling the sources is most of a start. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'credits-crashes-compiled') };

class Server {
  readonly #process: ChildProcess;
  address = '';

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** A process that has loaded the server, and waits. */
  static load(stripePort: number): Server {
    const file = new URL('./server.ts', import.meta.url).pathname;
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    return new Server(fork(file, [String(stripePort)], { execArgv, env }));
  }

  async open(directory: string): Promise<void> {
    const { address, drifts } = await this.#order({ do: 'open', directory }, 'listening');
    assert.equal(drifts, 0, 'every balance is the sum of its entries');
    this.address = address;
  }

  async dieAt(step: string): Promise<void> {
    await this.#order({ do: 'dieAt', step }, 'armed');
  }

  async look(agoMs = 0): Promise<void> {
    await this.#order({ do: 'look', agoMs }, 'looked');
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async died(): Promise<void> {
    if (this.#process.signalCode === null) {
      await once(this.#process, 'exit', { signal: AbortSignal.timeout(PATIENCE_MS) });
    }
    assert.equal(this.#process.signalCode, 'SIGKILL');
  }

  async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers = { authorization: `Bearer ${ADMIN}`, ...init.headers };
    const answer = await fetch(`${this.address}/v1/orgs/${ORG}/${path}`, { ...init, headers });
    assert.ok(answer.ok, `${answer.status} ${path}: ${await answer.clone().text()}`);
    return (await answer.json()) as T;
  }

  #order<I extends Report['is']>(order: Order, answer: I): Promise<Extract<Report, { is: I }>> {
    const answered = this.#report(answer);
    this.#process.send(order);
    return answered;
  }

  async #report<I extends Report['is']>(is: I): Promise<Extract<Report, { is: I }>> {
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(), PATIENCE_MS);
    const onExit = () => ended.abort();
    this.#process.once('exit', onExit);
    try {
      const [report] = (await once(this.#process, 'message', { signal: ended.signal })) as [Report];
      assert.equal(report.is, is);
      return report as Extract<Report, { is: I }>;
    } finally {
      clearTimeout(timer);
      this.#process.off('exit', onExit);
    }
  }
}

export class Crashes {
  readonly #directory: string;
  readonly #stripe: StripeDouble;
  readonly #listening: Listening;
  #server: Server;
  /** Takes over when the other is dead. */
  #next: Server;
  #kills = 0;

  private constructor(directory: string, stripe: StripeDouble, listening: Listening) {
    this.#directory = directory;
    this.#stripe = stripe;
    this.#listening = listening;
    this.#server = Server.load(listening.port);
    this.#next = Server.load(listening.port);
  }

  static async begin(directory: string): Promise<Crashes> {
    const stripe = new StripeDouble();
    const listening = await stripe.listen();
    const crashes = new Crashes(directory, stripe, listening);
    try {
      await crashes.#server.open(directory);
      return crashes;
    } catch (error) {
      await crashes.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    for (const server of [this.#server, this.#next]) {
      server.kill();
      await server.died();
    }
    await this.#listening.close();
  }

  /** One kill. Each leaves one more credited purchase behind, and nothing else. */
  async kill(point: Point): Promise<void> {
    const key = `kill-${++this.#kills}`;
    let purchase: Purchase | undefined;
    if (point.during !== 'buying') {
      purchase = await this.#buy(key);
      this.#pay(purchase);
    }
    if (point.step !== undefined) {
      await this.#server.dieAt(point.step);
    }
    const cutOff = this.#work(point, key, purchase).then(
      () => true,
      () => false,
    );
    await this.#server.died();
    if (point.step !== undefined) {
      assert.equal(await Promise.race([cutOff, false]), false, 'nobody was answered');
    }

    this.#server = this.#next;
    this.#next = Server.load(this.#listening.port);
    await this.#server.open(this.#directory);
    if (!purchase) {
      purchase = await this.#buy(key);
      this.#pay(purchase);
    }
    // Whoever was left without an answer tries again: Stripe its delivery, unless the webhook is lost for good.
    if (point.during === 'reconciliation') {
      await this.#server.look();
    } else {
      await this.#deliver(purchase);
    }
    await this.#isCreditedOnce(purchase);
    // And once more, late, as a second event of the same payment.
    await this.#deliver(purchase, `evt_twin_${key}`);
    await this.#isCreditedOnce(purchase);
  }

  #work(point: Point, key: string, purchase: Purchase | undefined): Promise<unknown> {
    const server = this.#server;
    switch (point.during) {
      case 'nothing':
        server.kill();
        return server.died();
      case 'buying':
        return this.#buy(key);
      case 'webhook':
        assert.ok(purchase);
        return this.#deliver(purchase);
      case 'return page': {
        const url = this.#session(purchase).success_url ?? '';
        return fetch(`${server.address}${new URL(url).pathname}`);
      }
      case 'reconciliation':
        return server.look(LOOKS_APART_MS);
    }
  }

  #buy(key: string): Promise<Purchase> {
    const order = { amount_minor: AMOUNT_MINOR, currency: 'usd', expected_credits_ucr: CREDITS_UCR };
    return this.#server.ask<Purchase>('purchases', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(order),
    });
  }

  #session(purchase: Purchase | undefined): Stripe.Checkout.Session {
    const sessions = this.#stripe
      .sessions()
      .filter(({ metadata }) => metadata?.['purchase_id'] === purchase?.id);
    const [session] = sessions;
    assert.ok(session && sessions.length === 1, 'a purchase has one payment page');
    return session;
  }

  #pay(purchase: Purchase): void {
    this.#stripe.pay(this.#session(purchase).id, { taxMinor: 400 });
  }

  async #deliver(purchase: Purchase, id?: string): Promise<void> {
    const { id: session } = this.#session(purchase);
    const events = this.#stripe.events.filter(
      ({ type, data }) =>
        type === 'checkout.session.completed' && 'id' in data.object && data.object.id === session,
    );
    const event = only(events, 'checkout.session.completed');
    const to = { url: `${this.#server.address}/webhooks/stripe`, secret: WEBHOOK_SECRET };
    assert.equal(await this.#stripe.deliver(event, { ...to, ...(id !== undefined && { id }) }), 200);
  }

  async #isCreditedOnce(purchase: Purchase): Promise<void> {
    assert.equal((await this.#server.ask<Purchase>(`purchases/${purchase.id}`)).status, 'credited');
    const { data } = await this.#server.ask<LedgerList>('ledger?limit=200');
    const { id } = this.#session(purchase);
    assert.equal(data.filter(({ source }) => source.id === id).length, 1, 'credited once');
    const { available_ucr } = await this.#server.ask<Balance>('balance');
    assert.equal(available_ucr, this.#kills * CREDITS_UCR, 'nothing was lost, nothing doubled');
  }
}
