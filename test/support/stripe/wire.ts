// What travels between the SDK and the Stripe double: form-encoded parameters in, JSON or a Stripe-shaped error out.

/** A decoded parameter: text, or a nested hash or list written with brackets. */
export type Param = string | Params;
export interface Params {
  [name: string]: Param;
}

/** An answer of the kind 4xx. The fields are those of https://docs.stripe.com/api/errors. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly type: 'invalid_request_error' | 'idempotency_error' | 'api_error';
  readonly code: string | undefined;
  readonly param: string | undefined;
  /**
   * Whether the endpoint had begun its work: such answers are stored under the idempotency key, while refused
   * parameters are not. https://docs.stripe.com/api/idempotent_requests
   */
  readonly executed: boolean;

  constructor(
    status: number,
    message: string,
    details: { type?: ApiError['type']; code?: string; param?: string; executed?: boolean } = {},
  ) {
    super(message);
    this.status = status;
    this.type = details.type ?? 'invalid_request_error';
    this.code = details.code;
    this.param = details.param;
    this.executed = details.executed ?? false;
  }

  toJSON(): object {
    const { type, message, code, param } = this;
    const page =
      code === undefined ? undefined : `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}`;
    return { error: { type, message, code, param, doc_url: page } };
  }
}

/** Decodes `a[b][0][c]=x` as the SDK writes it. A list stays a hash with the keys 0, 1, ...: see `items`. */
export function parseForm(text: string): Params {
  const root: Params = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const path = name.replaceAll(']', '').split('[');
    const last = path.pop() ?? '';
    let hash = root;
    for (const step of path) {
      const inner = hash[step];
      if (typeof inner === 'object') hash = inner;
      else {
        const made: Params = Object.create(null);
        hash[step] = made;
        hash = made;
      }
    }
    // `expand[]=a&expand[]=b`, as curl users write it.
    hash[last === '' ? String(Object.keys(hash).length) : last] = value;
  }
  return root;
}

/** Reads parameters; everything that Stripe would refuse throws an ApiError which names the parameter. */
export class Reader {
  readonly #params: Params;
  readonly #path: string;

  constructor(params: Params, path = '') {
    this.#params = params;
    this.#path = path;
  }

  /**
   * Refuses what the double doesn't model, so that no test passes because a parameter was ignored. Stripe refuses
   * unknown parameters with the same code. https://docs.stripe.com/error-codes#parameter-unknown
   */
  only(...names: string[]): this {
    for (const name of Object.keys(this.#params)) {
      if (!names.includes(name)) {
        const param = this.name(name);
        throw new ApiError(400, `Received unknown parameter: ${param}`, { code: 'parameter_unknown', param });
      }
    }
    return this;
  }

  name(name: string): string {
    return this.#path === '' ? name : `${this.#path}[${name}]`;
  }

  has(name: string): boolean {
    return this.#params[name] !== undefined;
  }

  text(name: string): string | null {
    const value = this.#params[name];
    if (value === undefined || value === '') return null;
    if (typeof value === 'string') return value;
    throw new ApiError(400, `Invalid string: ${this.name(name)}`, { param: this.name(name) });
  }

  required(name: string): string {
    const value = this.text(name);
    if (value !== null) return value;
    const param = this.name(name);
    throw new ApiError(400, `Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }

  integer(name: string): number | null {
    const value = this.text(name);
    if (value === null) return null;
    if (/^-?\d{1,15}$/.test(value)) return Number(value);
    const param = this.name(name);
    throw new ApiError(400, `Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param });
  }

  flag(name: string): boolean | null {
    const value = this.text(name);
    if (value === null) return null;
    if (value === 'true' || value === 'false') return value === 'true';
    throw new ApiError(400, `Invalid boolean: ${value}`, { param: this.name(name) });
  }

  hash(name: string): Reader {
    const value = this.#params[name];
    return new Reader(typeof value === 'object' ? value : {}, this.name(name));
  }

  list(name: string): Reader[] {
    return Object.keys(this.hash(name).#params).map(index => this.hash(name).hash(index));
  }

  texts(name: string): string[] {
    const value = this.#params[name];
    return typeof value === 'object' ? Object.values(value).filter(item => typeof item === 'string') : [];
  }

  /** At most 50 keys of 40 characters, values of 500 characters. https://docs.stripe.com/metadata */
  metadata(name = 'metadata'): Record<string, string> {
    const read: Record<string, string> = {};
    for (const [key, value] of Object.entries(this.hash(name).#params)) {
      const param = `${this.name(name)}[${key}]`;
      if (typeof value !== 'string') throw new ApiError(400, 'Metadata values must be text', { param });
      if (key.length > 40)
        throw new ApiError(400, 'Metadata keys can be up to 40 characters long', { param });
      if (value.length > 500)
        throw new ApiError(400, 'Metadata values can be up to 500 characters long', { param });
      if (value !== '') read[key] = value;
    }
    if (Object.keys(read).length > 50)
      throw new ApiError(400, 'Metadata can have up to 50 keys', { param: this.name(name) });
    return read;
  }

  /** The parameters in one canonical spelling: what the idempotency layer compares. */
  static fingerprint(params: Params): string {
    const sorted = (value: Param): unknown =>
      typeof value === 'string'
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, inner]) => [key, sorted(inner)]),
          );
    return JSON.stringify(sorted(params));
  }
}

/** A copy in the shape it has on the wire: later changes don't reach it, and decimals are text. */
export function wire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
