// The part of Stripe's HTTP API that the credits server uses: routes, idempotency keys, lists, expansion.
import type Stripe from 'stripe';
import type { Books } from './books.ts';
import * as make from './objects.ts';
import { ApiError, type Params, parseForm, Reader, wire } from './wire.ts';

export interface ApiRequest {
  readonly method: string;
  /** Path and query, such as `/v1/checkout/sessions?limit=3`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  answer(read: Reader, id: string): object;
}

interface Stored {
  readonly request: string;
  readonly at: number;
  readonly answer: ApiAnswer;
}

const day = 86_400; // s
const keyLife = day * 1000; // ms: https://docs.stripe.com/api/idempotent_requests

/** Objects that stand in other objects by their id, and can be expanded. https://docs.stripe.com/api/expanding_objects */
const expandable = new Set([
  'charge',
  'customer',
  'invoice',
  'latest_charge',
  'line_items',
  'payment_intent',
  'price',
  'product',
]);

export const refusals = {
  rateLimited: new ApiError(429, 'Request rate limit exceeded.', { code: 'rate_limit' }),
  unavailable: new ApiError(503, 'The service is not available.', { type: 'api_error' }),
  keyInUse: new ApiError(409, 'There is currently another in-progress request using this Idempotent Key.', {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
  }),
} as const;

export class Api {
  readonly #books: Books;
  readonly #stored = new Map<string, Stored>();
  readonly #routes: readonly Route[];

  constructor(books: Books) {
    this.#books = books;
    this.#routes = this.#all();
  }

  /** Does what a request asks for. `broken` answers 500 in place of the work, as a fault on Stripe's side would. */
  answer(request: ApiRequest, broken = false): ApiAnswer {
    const requestId = this.#books.id('req_');
    const key = request.method === 'POST' ? (request.headers['idempotency-key'] ?? null) : null;
    const [path = '', query = ''] = request.path.split('?', 2);
    const params = parseForm(request.method === 'GET' ? query : request.body);
    const fingerprint = `${request.method} ${path} ${Reader.fingerprint(params)}`;

    const done = (status: number, body: object, extra: Record<string, string> = {}): ApiAnswer => ({
      status,
      headers: {
        'content-type': 'application/json',
        'request-id': requestId,
        ...(key === null ? {} : { 'idempotency-key': key }),
        ...extra,
      },
      body: JSON.stringify(body),
    });

    this.#books.expireDue();
    this.#books.cause = { id: requestId, idempotencyKey: key };
    try {
      if (!/^Bearer \S/.test(request.headers['authorization'] ?? '')) {
        throw new ApiError(401, 'You did not provide an API key.');
      }
      const stored = key === null ? null : this.#recall(key, fingerprint);
      if (stored) {
        const { 'request-id': first = '' } = stored.headers;
        return {
          ...stored,
          headers: {
            ...stored.headers,
            'request-id': requestId,
            'original-request': first,
            'idempotent-replayed': 'true',
          },
        };
      }
      let answer: ApiAnswer;
      let executed = true;
      try {
        if (broken)
          throw new ApiError(500, 'An error occurred on Stripe’s side.', { type: 'api_error', executed });
        answer = done(200, this.#route(request.method, path, params));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        executed = error.executed;
        // The SDK would repeat a 500 in vain: it is stored. See _shouldRetry in its RequestSender.
        answer = done(error.status, error, broken ? { 'stripe-should-retry': 'false' } : {});
      }
      if (key !== null && executed)
        this.#stored.set(key, { request: fingerprint, at: this.#books.now, answer });
      return answer;
    } catch (error) {
      if (error instanceof ApiError) return done(error.status, error);
      throw error;
    } finally {
      this.#books.cause = null;
    }
  }

  /**
   * Turns a request away before the idempotency layer, so that nothing is stored: for rate limits and for a key whose
   * first request is still at work, Stripe says so. https://docs.stripe.com/error-low-level
   */
  refuse(why: keyof typeof refusals): ApiAnswer {
    const error = refusals[why];
    const headers = { 'content-type': 'application/json', 'request-id': this.#books.id('req_') };
    return { status: error.status, headers, body: JSON.stringify(error) };
  }

  #recall(key: string, request: string): ApiAnswer | null {
    if (key.length > 255)
      throw new ApiError(400, 'Idempotency keys can be up to 255 characters long.', {
        type: 'idempotency_error',
      });
    const stored = this.#stored.get(key);
    if (!stored) return null;
    if (this.#books.now - stored.at >= keyLife) {
      this.#stored.delete(key);
      return null;
    }
    if (stored.request === request) return stored.answer;
    throw new ApiError(
      400,
      `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      { type: 'idempotency_error' },
    );
  }

  #route(method: string, path: string, params: Params): object {
    for (const route of this.#routes) {
      const match = route.method === method ? route.path.exec(path) : null;
      if (!match) continue;
      const { expand: _, ...rest } = params;
      const found = wire(route.answer(new Reader(rest), decodeURIComponent(match[1] ?? '')));
      for (const way of new Reader(params).texts('expand')) this.#expand(found, way, way.split('.'));
      return found;
    }
    throw new ApiError(404, `Unrecognized request URL (${method}: ${path}).`);
  }

  #expand(holder: unknown, whole: string, [name = '', ...rest]: string[]): void {
    if (Array.isArray(holder)) {
      for (const item of holder) this.#expand(item, whole, [name, ...rest]);
      return;
    }
    if (typeof holder !== 'object' || holder === null) return;
    const hash = holder as Record<string, unknown>;
    if (name === 'line_items' && hash['object'] === 'checkout.session') {
      hash[name] = wire(this.#lines(String(hash['id'])));
    } else if (!(name in hash) || !(expandable.has(name) || name === 'data')) {
      throw new ApiError(400, `This property cannot be expanded (${whole}).`, { param: 'expand' });
    }
    const value = hash[name];
    if (typeof value === 'string') hash[name] = wire(this.#byId(value) ?? value);
    if (rest.length > 0) this.#expand(hash[name], whole, rest);
  }

  #byId(id: string): object | undefined {
    const { sessions, intents, charges, invoices, customers, products, prices } = this.#books;
    for (const shelf of [sessions, intents, charges, invoices, customers, products, prices]) {
      const found = shelf.get(id);
      if (found) return found;
    }
    return undefined;
  }

  #lines(session: string): Stripe.ApiList<Stripe.LineItem> {
    return make.list(`/v1/checkout/sessions/${session}/line_items`, this.#books.lineItems.get(session) ?? []);
  }

  #all(): Route[] {
    const books = this.#books;
    // `:id` stands for one part of the path.
    const whole = (path: string): RegExp => new RegExp(`^${path.replace(':id', '([^/]+)')}$`);
    const get = (path: string, answer: Route['answer']): Route => ({
      method: 'GET',
      path: whole(path),
      answer,
    });
    const post = (path: string, answer: Route['answer']): Route => ({
      method: 'POST',
      path: whole(path),
      answer,
    });
    const one = <T extends object>(path: string, shelf: Map<string, T>, noun: string): Route =>
      get(`${path}/:id`, (read, id) => {
        read.only();
        return found(shelf, id, noun, 404, 'id');
      });

    return [
      post('/v1/checkout/sessions', read => this.#createSession(read)),
      get('/v1/checkout/sessions', read =>
        page(read, '/v1/checkout/sessions', books.sessions, {
          customer: session => session.customer,
          payment_intent: session => session.payment_intent,
          status: session => session.status,
        }),
      ),
      one('/v1/checkout/sessions', books.sessions, 'checkout.session'),
      get('/v1/checkout/sessions/:id/line_items', (_, id) => {
        found(books.sessions, id, 'checkout.session', 404, 'id');
        return this.#lines(id);
      }),
      post('/v1/checkout/sessions/:id/expire', (read, id) => {
        read.only();
        const session = found(books.sessions, id, 'checkout.session', 404, 'session');
        books.expire(session);
        return session;
      }),

      post('/v1/customers', read => {
        read.only('email', 'name', 'metadata');
        const wishes = { email: read.text('email'), name: read.text('name'), metadata: read.metadata() };
        const customer = make.customer(books.birth('cus_'), wishes);
        books.customers.set(customer.id, customer);
        books.tell('customer.created', customer);
        return customer;
      }),
      one('/v1/customers', books.customers, 'customer'),
      post('/v1/billing_portal/sessions', read => {
        read.only('customer', 'return_url');
        const customer = found(books.customers, read.required('customer'), 'customer', 400, 'customer');
        const wishes = { customer: customer.id, returnUrl: read.text('return_url') };
        return make.portalSession(books.birth('bps_'), wishes);
      }),

      post('/v1/products', read => {
        read.only('name', 'metadata');
        const product = make.product(books.birth('prod_'), {
          name: read.required('name'),
          metadata: read.metadata(),
        });
        books.products.set(product.id, product);
        return product;
      }),
      one('/v1/products', books.products, 'product'),
      post('/v1/prices', read => {
        read.only(
          'currency',
          'unit_amount',
          'product',
          'product_data',
          'tax_behavior',
          'metadata',
          'nickname',
        );
        return this.#createPrice(read, true);
      }),
      one('/v1/prices', books.prices, 'price'),

      post('/v1/refunds', read => {
        read.only('payment_intent', 'charge', 'amount', 'reason', 'metadata');
        const intent = read.text('payment_intent');
        const charge = intent
          ? books.charges.get(
              String(found(books.intents, intent, 'payment_intent', 400, 'intent').latest_charge),
            )
          : found(books.charges, read.required('charge'), 'charge', 400, 'charge');
        if (!charge)
          throw new ApiError(400, 'This PaymentIntent has no successful charge to refund.', {
            executed: true,
          });
        const amountMinor = read.integer('amount');
        const { refund } = books.refund(charge, {
          ...(amountMinor === null ? {} : { amountMinor }),
          reason: read.text('reason'),
          metadata: read.metadata(),
        });
        return refund;
      }),
      get('/v1/refunds', read =>
        page(read, '/v1/refunds', books.refunds, {
          charge: refund => refund.charge,
          payment_intent: refund => refund.payment_intent,
        }),
      ),
      one('/v1/refunds', books.refunds, 'refund'),

      one('/v1/payment_intents', books.intents, 'payment_intent'),
      get('/v1/charges', read =>
        page(read, '/v1/charges', books.charges, {
          customer: charge => charge.customer,
          payment_intent: charge => charge.payment_intent,
        }),
      ),
      one('/v1/charges', books.charges, 'charge'),
      get('/v1/disputes', read =>
        page(read, '/v1/disputes', books.disputes, {
          charge: dispute => dispute.charge,
          payment_intent: dispute => dispute.payment_intent,
        }),
      ),
      one('/v1/disputes', books.disputes, 'dispute'),
      one('/v1/invoices', books.invoices, 'invoice'),
      get('/v1/events', read =>
        page(
          read,
          '/v1/events',
          new Map(books.events.map(event => [event.id, event])),
          { type: event => event.type },
          { types: event => event.type },
        ),
      ),
      get('/v1/events/:id', (_, id) =>
        found(new Map(books.events.map(event => [event.id, event])), id, 'event', 404, 'id'),
      ),
    ];
  }

  #createPrice(read: Reader, active: boolean): Stripe.Price {
    const books = this.#books;
    const currency = read.required('currency').toLowerCase();
    if (!/^[a-z]{3}$/.test(currency))
      throw new ApiError(400, `Invalid currency: ${currency}`, { param: read.name('currency') });
    read.required('unit_amount');
    const unitMinor = read.integer('unit_amount') ?? 0;
    if (unitMinor < 0) {
      const param = read.name('unit_amount');
      throw new ApiError(400, 'Invalid non-negative integer', { code: 'parameter_invalid_integer', param });
    }
    let productId = read.text('product');
    if (productId) {
      found(books.products, productId, 'product', 400, read.name('product'));
    } else {
      const data = read
        .hash('product_data')
        .only('name', 'description', 'tax_code', 'metadata', 'images', 'unit_label');
      const wishes = { name: data.required('name'), active, metadata: data.metadata() };
      const product = make.product(books.birth('prod_'), wishes);
      books.products.set(product.id, product);
      productId = product.id;
    }
    const price = make.price(books.birth('price_'), {
      product: productId,
      currency,
      unitMinor,
      taxBehavior: read.text('tax_behavior'),
      active,
      metadata: read.metadata(),
    });
    books.prices.set(price.id, price);
    return price;
  }

  #createSession(read: Reader): Stripe.Checkout.Session {
    const books = this.#books;
    read.only(
      'automatic_tax',
      'billing_address_collection',
      'cancel_url',
      'client_reference_id',
      'customer',
      'customer_creation',
      'customer_email',
      'customer_update',
      'expires_at',
      'invoice_creation',
      'line_items',
      'locale',
      'metadata',
      'mode',
      'payment_intent_data',
      'payment_method_types',
      'submit_type',
      'success_url',
      'tax_id_collection',
      'ui_mode',
    );
    if (read.required('mode') !== 'payment')
      throw new ApiError(400, 'The double knows mode=payment only', { param: 'mode' });
    const successUrl = read.required('success_url');
    const reference = read.text('client_reference_id');
    // Session.client_reference_id in the API reference: up to 200 characters.
    if (reference !== null && reference.length > 200) {
      throw new ApiError(400, 'Invalid string: it has more than 200 characters', {
        param: 'client_reference_id',
      });
    }
    const customer = read.text('customer');
    const email = read.text('customer_email');
    if (customer !== null) found(books.customers, customer, 'customer', 400, 'customer');
    if (customer !== null && email !== null) {
      throw new ApiError(400, 'You may only specify one of these parameters: customer, customer_email.');
    }
    const expiresAt = read.integer('expires_at') ?? books.time + day;
    // From 30 minutes to 24 hours: see SessionCreateParams.expires_at in the SDK.
    if (expiresAt < books.time + 30 * 60 || expiresAt > books.time + day) {
      throw new ApiError(400, 'The `expires_at` timestamp must be 30 minutes to 24 hours away.', {
        param: 'expires_at',
      });
    }

    const wanted = read.list('line_items');
    if (wanted.length === 0) read.required('line_items');
    const lines = wanted.map(line => this.#lineItem(line));
    const currency = lines[0]?.currency ?? 'usd';
    if (lines.some(line => line.currency !== currency)) {
      throw new ApiError(400, 'All prices on a Checkout Session must have the same currency.', {
        param: 'line_items',
      });
    }
    const amountMinor = lines.reduce((sum, line) => sum + line.amount_subtotal, 0);
    // The bounds hold for US dollars and their kin; PaymentIntentCreateParams.amount in the SDK names them.
    if (amountMinor < 50) {
      throw new ApiError(400, 'The Checkout Session’s total amount must convert to at least 50 cents.', {
        code: 'amount_too_small',
        param: 'line_items',
      });
    }
    if (amountMinor > 99_999_999) {
      throw new ApiError(400, 'The Checkout Session’s total amount must be no more than 999,999.99.', {
        code: 'amount_too_large',
        param: 'line_items',
      });
    }

    const intent = read
      .hash('payment_intent_data')
      .only('metadata', 'description', 'receipt_email', 'setup_future_usage');
    const invoice = read.hash('invoice_creation').only('enabled', 'invoice_data');
    const data = invoice.hash('invoice_data').only('description', 'footer', 'metadata');
    const birth = books.birth(books.livemode ? 'cs_live_' : 'cs_test_');
    const types = read.texts('payment_method_types');
    const session = make.session(birth, {
      url: `https://checkout.stripe.com/c/pay/${birth.id}`,
      amountMinor,
      currency,
      expiresAt,
      successUrl,
      cancelUrl: read.text('cancel_url'),
      clientReferenceId: reference,
      customer,
      customerEmail: email,
      customerCreation: read.text('customer_creation'),
      automaticTax: read.hash('automatic_tax').flag('enabled') ?? false,
      taxIdCollection: read.hash('tax_id_collection').flag('enabled') ?? false,
      invoice: invoice.flag('enabled')
        ? { description: data.text('description'), footer: data.text('footer'), metadata: data.metadata() }
        : null,
      locale: read.text('locale'),
      metadata: read.metadata(),
      paymentMethodTypes: types.length > 0 ? types : ['card'],
    });
    books.addSession(session, lines, {
      metadata: intent.metadata(),
      description: intent.text('description'),
    });
    return session;
  }

  #lineItem(read: Reader): Stripe.LineItem {
    const books = this.#books;
    read.only('price', 'price_data', 'quantity');
    const quantity = read.integer('quantity') ?? 1;
    if (quantity < 1) throw new ApiError(400, 'Invalid positive integer', { param: read.name('quantity') });
    const id = read.text('price');
    let price: Stripe.Price;
    if (id) {
      price = found(books.prices, id, 'price', 400, read.name('price'));
    } else if (read.has('price_data')) {
      const data = read.hash('price_data');
      price = this.#createPrice(
        data.only('currency', 'unit_amount', 'product', 'product_data', 'tax_behavior'),
        false,
      );
    } else {
      read.required('price');
      throw new Error('unreachable');
    }
    const description = books.products.get(String(price.product))?.name ?? '';
    return make.lineItem(books.id('li_'), { price, quantity, description });
  }
}

/**
 * 404 for the thing in the path, 400 for one in the parameters. https://docs.stripe.com/error-codes#resource-missing
 * Stripe's page does not say whether looking one up is the endpoint's own work; the harder case for a caller is that it is.
 */
function found<T>(shelf: Map<string, T>, id: string, noun: string, status: 400 | 404, param: string): T {
  const thing = shelf.get(id);
  if (thing === undefined)
    throw new ApiError(status, `No such ${noun}: '${id}'`, {
      code: 'resource_missing',
      param,
      executed: true,
    });
  return thing;
}

/** One page, newest first, by cursor. https://docs.stripe.com/api/pagination */
function page<T extends { id: string; created: number }>(
  read: Reader,
  url: string,
  shelf: Map<string, T>,
  filters: Record<string, (item: T) => unknown>,
  anyOf: Record<string, (item: T) => string> = {},
): Stripe.ApiList<T> {
  const names = [...Object.keys(filters), ...Object.keys(anyOf)];
  read.only('limit', 'starting_after', 'ending_before', 'created', ...names);
  const limit = read.integer('limit') ?? 10;
  if (limit < 1 || limit > 100) throw new ApiError(400, 'A page has 1 to 100 items', { param: 'limit' });
  const created = read.has('created') ? read.hash('created').only('gt', 'gte', 'lt', 'lte') : null;
  const from = Math.max(created?.integer('gte') ?? 0, (created?.integer('gt') ?? -1) + 1);
  const to = Math.min(created?.integer('lte') ?? Infinity, (created?.integer('lt') ?? Infinity) - 1);
  let items = [...shelf.values()].reverse().filter(item => item.created >= from && item.created <= to);
  for (const [name, of] of Object.entries(filters)) {
    const wanted = read.text(name);
    if (wanted !== null) items = items.filter(item => of(item) === wanted);
  }
  for (const [name, of] of Object.entries(anyOf)) {
    const wanted = read.texts(name);
    // Source: https://docs.stripe.com/api/events/list#list_events-types
    if (wanted.length > 20) throw new ApiError(400, 'At most 20 may be named', { param: name });
    if (wanted.length > 0) items = items.filter(item => wanted.includes(of(item)));
  }
  const place = (name: string): number => {
    const id = read.required(name);
    found(shelf, id, 'object', 400, name);
    return items.findIndex(item => item.id === id);
  };
  if (read.has('ending_before')) {
    const before = items.slice(0, place('ending_before'));
    return make.list(url, before.slice(-limit), before.length > limit);
  }
  if (read.has('starting_after')) items = items.slice(place('starting_after') + 1);
  return make.list(url, items.slice(0, limit), items.length > limit);
}
