// A Stripe of our own for tests: the credits server's true SDK talks to it over HTTP or without a socket, tests pull its
// levers as payer, bank and card network, and deliver its events as Stripe's webhooks would arrive, or as they shouldn't.
//
// What it copies as fact carries the address of Stripe's page, or the name of the SDK's text. Time, ids and tax are
// passed in, so a run with the same seed repeats to the byte.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import Stripe from 'stripe';
import { Api, type ApiAnswer, type ApiRequest } from './stripe/api.ts';
import { Books, type DisputeOutcome, type EventOf, type EventType, type PayOptions } from './stripe/books.ts';
import { type Params, parseForm, wire } from './stripe/wire.ts';

export type { DisputeOutcome, EventOf, EventType, PayOptions } from './stripe/books.ts';

export interface StripeDoubleOptions {
  /** The time in ms since 1970; `Date.now` unless told. */
  readonly now?: () => number;
  /** A new id with the given prefix; a counter unless told, so that ids repeat from run to run. */
  readonly nextId?: (prefix: string) => string;
  readonly livemode?: boolean;
  /** The rate that automatic tax applies, in percent; 0 unless told. */
  readonly taxPercent?: number;
  /**
   * Awaited before a request has its effect and before its answer leaves: the place to note, hold up or interleave
   * calls. What it throws reaches the caller as a lost connection.
   */
  readonly onCall?: (call: Call, moment: 'before' | 'after') => void | Promise<void>;
}

/**
 * What can go wrong with a call.
 * - `serverError`: 500; nothing happens, and the answer is stored under the idempotency key.
 * - `unavailable`, `rateLimited`, `keyInUse`: 503, 429, 409; nothing happens, nothing is stored.
 * - `dropped` and `hung`: nothing happens and no answer comes: the connection ends, or the caller's timeout does.
 * - `answerDropped` and `answerHung`: the same after the effect.
 */
export type Fault =
  | 'serverError'
  | 'unavailable'
  | 'rateLimited'
  | 'keyInUse'
  | 'dropped'
  | 'hung'
  | 'answerDropped'
  | 'answerHung';

/** One request as it arrived. `status` is 0 until it is answered, and stays so when the answer was lost. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly params: Params;
  readonly idempotencyKey: string | null;
  status: number;
}

/** A webhook request: the exact body and its headers. */
export interface Delivery {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Signing {
  /** The endpoint's secret, or several: while a secret is rolled, Stripe signs with each. */
  readonly secret: string | readonly string[];
  /** When it was signed, in ms since 1970; now unless told. */
  readonly at?: number;
  /** Another event id, as when Stripe makes two events for one thing. */
  readonly id?: string;
}

export type Target =
  | { readonly url: string }
  | { readonly inject: (delivery: Delivery) => Promise<{ readonly statusCode: number }> };

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'http';
  close(): Promise<void>;
}

/** Thrown inside the double where the caller gets no answer at all. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
  readonly how: 'dropped' | 'hung';

  constructor(how: 'dropped' | 'hung') {
    super(`No answer: ${how}`);
    this.how = how;
  }
}

export class StripeDouble {
  /** Every request, in order. */
  readonly calls: Call[] = [];

  readonly #books: Books;
  readonly #api: Api;
  readonly #onCall: NonNullable<StripeDoubleOptions['onCall']>;
  readonly #faults: { readonly fault: Fault; readonly applies: (call: Call) => boolean }[] = [];

  constructor(options: StripeDoubleOptions = {}) {
    this.#books = new Books({
      now: options.now ?? Date.now,
      nextId: options.nextId ?? counter(),
      livemode: options.livemode ?? false,
      taxPercent: options.taxPercent ?? 0,
    });
    this.#api = new Api(this.#books);
    this.#onCall = options.onCall ?? (() => {});
  }

  /** Every event so far, oldest first. They are copies: what happens later doesn't change them. */
  get events(): readonly Stripe.Event[] {
    return this.#books.events;
  }

  // Levers. Each returns the events it caused, in Stripe's usual order. Where a payment is meant, the id may be that of
  // its session, payment intent or charge. A lever that makes no sense now throws.

  /** The payer pays on Stripe's page. */
  pay(sessionId: string, options: PayOptions = {}): Stripe.Event[] {
    this.#books.expireDue();
    return this.#books.pay(this.#books.session(sessionId), options);
  }

  /** A delayed payment arrives, or doesn't. */
  settleAsync(sessionId: string, ok: boolean): Stripe.Event[] {
    return this.#books.settleAsync(this.#books.session(sessionId), ok);
  }

  /** The payer's card is refused; the session stays open. */
  decline(sessionId: string): Stripe.Event[] {
    this.#books.expireDue();
    return this.#books.decline(this.#books.session(sessionId));
  }

  expireNow(sessionId: string): Stripe.Event[] {
    return [this.#books.expire(this.#books.session(sessionId))];
  }

  /** Expires what the clock has overtaken. It also happens by itself at every call, `pay` and `decline`. */
  expireDue(): Stripe.Event[] {
    return this.#books.expireDue();
  }

  /** Somebody refunds in Stripe's dashboard: all that is left, or a part. */
  refund(payment: string, amountMinor?: number): Stripe.Event[] {
    return this.#books.refund(this.#books.chargeOf(payment), amountMinor === undefined ? {} : { amountMinor })
      .events;
  }

  /** The payer's bank returns a refund. */
  failRefund(refundId: string): Stripe.Event[] {
    return this.#books.failRefund(this.#books.refundOf(refundId));
  }

  /** The payer's bank asks (`inquiry`) or takes back (`open`); of what isn't refunded, unless an amount is given. */
  dispute(payment: string, kind: 'inquiry' | 'open', amountMinor?: number): Stripe.Event[] {
    return this.#books.dispute(this.#books.chargeOf(payment), kind, amountMinor);
  }

  /** The disputed money leaves the account. The id may also be the dispute's, here and below. */
  withdrawFunds(dispute: string): Stripe.Event[] {
    return this.#books.withdrawFunds(this.#books.disputeOf(dispute));
  }

  reinstate(dispute: string): Stripe.Event[] {
    return this.#books.reinstate(this.#books.disputeOf(dispute));
  }

  closeDispute(dispute: string, outcome: DisputeOutcome): Stripe.Event[] {
    return this.#books.closeDispute(this.#books.disputeOf(dispute), outcome);
  }

  /** Changes a session behind everybody's back, for what must never happen: another amount, currency or organisation. */
  tamper(sessionId: string, changes: Partial<Stripe.Checkout.Session>): void {
    Object.assign(this.#books.session(sessionId), changes);
  }

  // What Stripe holds, as copies, for tests that compare their books with it.

  sessions(): Stripe.Checkout.Session[] {
    return wire([...this.#books.sessions.values()]);
  }

  session(id: string): Stripe.Checkout.Session {
    return wire(this.#books.session(id));
  }

  paymentIntent(payment: string): Stripe.PaymentIntent {
    return wire(this.#books.intentOf(payment));
  }

  charge(payment: string): Stripe.Charge {
    return wire(this.#books.chargeOf(payment));
  }

  disputeOf(payment: string): Stripe.Dispute {
    return wire(this.#books.disputeOf(payment));
  }

  // Faults

  /** Makes the next call fail, or the next one that `applies` chooses. Several wait in line. */
  failNext(fault: Fault, applies: (call: Call) => boolean = () => true): void {
    this.#faults.push({ fault, applies });
  }

  // Webhooks

  /** An event as a webhook request, body and signature. https://docs.stripe.com/webhooks#verify-manually */
  sign(event: Stripe.Event, { secret, at, id }: Signing): Delivery {
    // Stripe's bodies are indented: whoever parses and writes them again before checking breaks the signature.
    const body = JSON.stringify(id === undefined ? event : { ...event, id }, null, 2);
    const timestamp = Math.floor((at ?? this.#books.now) / 1000);
    const secrets = typeof secret === 'string' ? [secret] : secret;
    const signatures = secrets.map(
      each =>
        Stripe.webhooks.generateTestHeaderString({ payload: body, secret: each, timestamp }).split(',')[1],
    );
    return {
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': [`t=${timestamp}`, ...signatures].join(','),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
    };
  }

  /** Delivers an event and returns the receiver's status. Call it again, late, in another order, or never. */
  async deliver(event: Stripe.Event, to: Target & Signing): Promise<number> {
    const delivery = this.sign(event, to);
    if ('inject' in to) return (await to.inject(delivery)).statusCode;
    const answer = await fetch(to.url, { method: 'POST', ...delivery });
    await answer.arrayBuffer();
    return answer.status;
  }

  // Ways in

  /** An SDK client that reaches the double without a socket. It doesn't retry by itself unless told to. */
  client(config: Stripe.StripeConfig = {}): Stripe {
    return new Stripe(this.#books.livemode ? 'sk_live_double' : 'sk_test_double', {
      httpClient: this.httpClient(),
      maxNetworkRetries: 0,
      telemetry: false,
      ...config,
    });
  }

  /**
   * For the SDK's `httpClient`. A hung call ends at once with the error the SDK's own timeout gives. A dropped one isn't
   * called ECONNRESET, which the SDK would retry once in real time even with `maxNetworkRetries: 0`; `listen` shows that.
   */
  httpClient(): NonNullable<Stripe.StripeConfig['httpClient']> {
    return {
      getClientName: () => 'double',
      makeRequest: async (_host, _port, path, method, headers, body) => {
        const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
        const request = { method, path, headers: Object.fromEntries(given), body: body ?? '' };
        const answer = await this.#exchange(request).catch((error: unknown) => {
          if (!(error instanceof Unanswered)) throw error;
          throw Object.assign(new TypeError(error.message), {
            code: error.how === 'hung' ? 'ETIMEDOUT' : 'EDROPPED',
          });
        });
        return {
          getStatusCode: () => answer.status,
          getHeaders: () => answer.headers,
          getRawResponse: () => ({ headers: answer.headers }),
          toStream: () => {
            throw new Error('The double has no streams');
          },
          toJSON: () => Promise.resolve(JSON.parse(answer.body)),
        };
      },
    };
  }

  /** Listens on a free port of 127.0.0.1, for `new Stripe(key, { host, port, protocol })`. */
  async listen(): Promise<Listening> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return {
      host: '127.0.0.1',
      port,
      protocol: 'http',
      close: () =>
        new Promise((resolve, reject) => {
          server.close(error => (error ? reject(error) : resolve()));
          server.closeAllConnections();
        }),
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
    try {
      const { method = 'GET', url: path = '/' } = request;
      const answer = await this.#exchange({ method, path, headers: Object.fromEntries(headers), body });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    } catch (error) {
      // A hung connection stays open until the caller has enough of it, or `close` ends it.
      if (!(error instanceof Unanswered && error.how === 'hung')) throw error;
    }
  }

  async #exchange(request: ApiRequest): Promise<ApiAnswer> {
    const call: Call = {
      method: request.method,
      path: request.path.split('?', 1)[0] ?? '',
      params: parseForm(request.method === 'GET' ? (request.path.split('?', 2)[1] ?? '') : request.body),
      idempotencyKey: request.headers['idempotency-key'] ?? null,
      status: 0,
    };
    this.calls.push(call);
    const place = this.#faults.findIndex(({ applies }) => applies(call));
    const fault = place < 0 ? undefined : this.#faults.splice(place, 1)[0]?.fault;
    await this.#moment(call, 'before');
    const answer = this.#answer(request, fault);
    await this.#moment(call, 'after');
    if (fault === 'answerDropped') throw new Unanswered('dropped');
    if (fault === 'answerHung') throw new Unanswered('hung');
    call.status = answer.status;
    return answer;
  }

  #answer(request: ApiRequest, fault: Fault | undefined): ApiAnswer {
    switch (fault) {
      case 'dropped':
      case 'hung':
        throw new Unanswered(fault);
      case 'rateLimited':
      case 'unavailable':
      case 'keyInUse':
        return this.#api.refuse(fault);
      default:
        return this.#api.answer(request, fault === 'serverError');
    }
  }

  async #moment(call: Call, moment: 'before' | 'after'): Promise<void> {
    try {
      await this.#onCall(call, moment);
    } catch (cause) {
      throw Object.assign(new Unanswered('dropped'), { cause });
    }
  }
}

/** The one event of a type among those that a lever returned. */
export function only<T extends EventType>(events: readonly Stripe.Event[], type: T): EventOf<T> {
  const found = events.filter((event): event is EventOf<T> => event.type === type);
  const [event] = found;
  if (event === undefined || found.length > 1) {
    throw new Error(
      `${found.length} ${type} among ${events.map(each => each.type).join(', ') || 'no events'}`,
    );
  }
  return event;
}

function counter(): (prefix: string) => string {
  let last = 0;
  return prefix => {
    last += 1;
    return `${prefix}${String(last).padStart(8, '0')}`;
  };
}
