// A credits server that does what a test tells it, behind a `fetch`: the real client talks to it as to any other.
import type { Balance, Purchase, PurchaseOptions } from '../../protocol/api.ts';
import { ORG } from './core.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: unknown;
}

type Answer = Response | Promise<Response>;

export function balance(change: Partial<Balance> = {}): Balance {
  return {
    org_id: ORG,
    unit: 'credits',
    available_ucr: 5_218_000_000,
    included: { state: 'unavailable', reason: 'no_plan' },
    purchased: { remaining_ucr: 5_218_000_000 },
    promotional: { remaining_ucr: 0 },
    held_ucr: 0,
    debt_ucr: 0,
    next_expiry: null,
    usage: { basis: 'since_top_up', period_id: 'p1', used_ucr: 0, total_ucr: 5_218_000_000 },
    low_balance: { threshold_ucr: 0, level: 'ok' },
    version: 1,
    as_of: '2026-11-22T12:00:00Z',
    ...change,
  };
}

export function options(change: Partial<PurchaseOptions> = {}): PurchaseOptions {
  return {
    currency: 'usd',
    credits_per_major_unit: 100,
    presets: [
      { amount_minor: 5_000, credits_ucr: 5_000_000_000, popular: false },
      { amount_minor: 10_000, credits_ucr: 10_000_000_000, popular: true },
    ],
    custom: { min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 },
    can_purchase: true,
    blocked_reason: null,
    contact: null,
    payment_mode: 'test',
    payment_host: 'checkout.stripe.com',
    ...change,
  };
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(status === 304 ? null : JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  });
}

export function problem(
  status: number,
  code: string,
  more: object = {},
  headers: Record<string, string> = {},
) {
  const body = { type: 'about:blank', title: code, status, detail: code, code, request_id: 'req_1', ...more };
  return json(body, status, { 'content-type': 'application/problem+json', ...headers });
}

export function html(status = 200): Response {
  return new Response('<!doctype html><title>Welcome</title>', {
    status,
    headers: { 'content-type': 'text/html' },
  });
}

/** What fetch throws when nothing answers. */
export function unreachable(code = 'ECONNREFUSED'): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
}

export class ScriptedServer {
  readonly seen: Seen[] = [];
  balance = balance();
  options = options();
  role = 'admin';
  orgName = 'Analytical Engines';
  /** Answers in place of the ordinary ones, as long as it returns something. */
  instead: ((seen: Seen) => Answer | undefined) | undefined;
  hasEvents: boolean;
  /** Whether a stream begins with the balance as it is, as the contract says. */
  greets = true;
  checkoutUrl: (id: string) => string = id => `https://checkout.stripe.com/c/pay/${id}`;
  /** By idempotency key. */
  readonly orders = new Map<string, Purchase>();
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #lastEventId = 0;

  constructor(hasEvents = true) {
    this.hasEvents = hasEvents;
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const text = await request.text();
    const seen: Seen = {
      method: request.method,
      path: url.pathname,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    this.seen.push(seen);
    const answer = this.instead?.(seen) ?? this.#answer(seen, request.signal);
    return await answer;
  };

  /** The purchase there is, when there is exactly one. */
  get order(): Purchase {
    const [first, second] = [...this.orders.values()];
    if (!first || second) {
      throw new Error(`${this.orders.size} orders, not one`);
    }
    return first;
  }

  count(path: RegExp, method = 'GET'): number {
    return this.seen.filter(one => one.method === method && path.test(one.path)).length;
  }

  /** Changes the one purchase, as the payment side would. */
  settle(change: Partial<Purchase>): void {
    for (const [key, order] of this.orders) {
      this.orders.set(key, { ...order, ...change });
    }
  }

  /** The payment arrives: credits are in the ledger, and the purchase says so. */
  credit(): void {
    const { order } = this;
    const version = this.balance.version + 1;
    this.balance = balance({ version, available_ucr: this.balance.available_ucr + order.credits_ucr });
    this.settle({ status: 'credited', checkout_url: null, balance_version: version });
  }

  use(amountUcr: number): void {
    const { available_ucr, version } = this.balance;
    this.balance = balance({ version: version + 1, available_ucr: available_ucr - amountUcr });
  }

  emit(name: string, data: unknown): void {
    this.#lastEventId++;
    this.#write(`id: ${this.#lastEventId}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  beat(): void {
    this.#write(': beat\n\n');
  }

  endStream(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** As the network does it: in the middle, without an end. */
  cutStream(): void {
    this.#stream?.error(new TypeError('terminated'));
    this.#stream = undefined;
  }

  get isStreaming(): boolean {
    return this.#stream !== undefined;
  }

  #write(text: string): void {
    this.#stream?.enqueue(new TextEncoder().encode(text));
  }

  #answer(seen: Seen, signal: AbortSignal): Answer {
    const { method, path } = seen;
    const org = `/v1/orgs/${ORG}`;
    switch (`${method} ${path}`) {
      case 'GET /v1/meta':
        return json({
          service: 'credits',
          api_versions: ['v1'],
          server_version: '0',
          payment_mode: 'test',
          features: { checkout: true, events: true },
        });
      case 'GET /v1/me':
        return json({
          principal: { id: 'usr_1', kind: 'person', name: 'Ada', email: null },
          orgs: [
            {
              id: ORG,
              name: this.orgName,
              role: this.role,
              permissions: { can_purchase: this.options.can_purchase },
            },
          ],
        });
      case `GET ${org}/balance`: {
        const { version, available_ucr, low_balance } = this.balance;
        const etag = `"${version}-${available_ucr}-${low_balance.level}"`;
        return seen.headers.get('if-none-match') === etag
          ? json(undefined, 304, { etag })
          : json(this.balance, 200, { etag });
      }
      case `GET ${org}/purchase-options`:
        return json(this.options);
      case `GET ${org}/events`:
        return this.hasEvents ? this.#events(signal) : problem(404, 'not_found');
      case `POST ${org}/purchases`:
        return this.#create(seen);
    }
    const match = /\/purchases\/([^/]+)(\/cancel)?$/.exec(path);
    const found = match && [...this.orders.entries()].find(([, order]) => order.id === match[1]);
    if (!match || !found) {
      return problem(404, 'not_found');
    }
    const [key, order] = found;
    if (match[2] && order.status !== 'open') {
      return problem(409, 'purchase_not_open');
    }
    if (match[2]) {
      this.orders.set(key, { ...order, status: 'canceled', checkout_url: null });
    }
    return json(this.orders.get(key));
  }

  #create({ headers, body }: Seen): Response {
    const key = headers.get('idempotency-key');
    if (!key) {
      return problem(400, 'idempotency_key_required');
    }
    const wanted = body as { amount_minor: number; currency: string; expected_credits_ucr: number };
    if (!this.orders.has(key)) {
      const id = `pur_${this.orders.size + 1}`;
      this.orders.set(key, {
        id,
        org_id: ORG,
        status: 'open',
        amount_minor: wanted.amount_minor,
        currency: wanted.currency,
        credits_ucr: wanted.expected_credits_ucr,
        checkout_url: this.checkoutUrl(id),
        expires_at: '2026-11-22T13:00:00Z',
        created_by: { id: 'usr_1', name: 'Ada' },
        created_at: '2026-11-22T12:00:00Z',
        credited_at: null,
        balance_version: null,
        refunded_minor: 0,
        dispute: null,
        receipt_url: null,
        invoice_url: null,
        failure: null,
      });
    }
    return json(this.orders.get(key), 201);
  }

  #events(signal: AbortSignal): Response {
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#stream = controller;
        const { version, available_ucr, as_of } = this.balance;
        if (this.greets) {
          this.emit('balance.updated', { version, available_ucr, level: 'ok', as_of });
        }
        signal.addEventListener('abort', () => {
          if (this.#stream === controller) {
            this.#stream = undefined;
          }
        });
      },
      cancel: () => {
        this.#stream = undefined;
      },
    });
    return new Response(body, { status: 200, headers: { 'content-type': 'text/event-stream' } });
  }
}
