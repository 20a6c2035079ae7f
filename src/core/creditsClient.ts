// Asks the credits server: one client for one sign-in, whose token goes to that server and nowhere else. Every
// answer is parsed against the contract, or thrown as a CreditsError.
import axios, { type AxiosResponse, isAxiosError } from 'axios';
import {
  Balance,
  type CreatePurchase,
  IDEMPOTENCY_KEY_HEADER,
  Me,
  Meta,
  OrgSettings,
  PortalSession,
  Problem,
  Purchase,
  PurchaseList,
  PurchaseOptions,
  paths,
  SignInReturn,
  UsageReport,
} from '../../protocol/api.ts';
import { type Clock, seconds } from './clock.ts';
import { CreditsError, type CreditsErrorFacts } from './errors.ts';
import { clamp, readRetryAfter } from './retryAfter.ts';
import { isRecord } from './slot.ts';

/** For the whole exchange, not for a silence within it: a server that drips is as good as one that hangs (F4). */
const DEADLINE_MS = seconds(10);

/** The contract's largest answer is a page of purchases, well under 1 MiB. */
const MAX_BODY_BYTES = 1_048_576;

/** OpenSSL's and Node's names for "this certificate is not to be trusted". Source: https://nodejs.org/api/tls.html */
const CERTIFICATE_CODE = /^CERT_|_CERT(_|$)|^HOSTNAME_|^UNABLE_TO_VERIFY/;

export interface CreditsClientMeans {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** `name/version` of this extension, so that an operator can tell clients apart. */
  readonly userAgent: string;
}

/** A token that is renewed now and then. */
export interface TokenSource {
  token(): Promise<string>;
  /** After the server has refused one: another, or undefined when there is none. */
  renew(refused: string): Promise<string | undefined>;
}

/** What a schema of protocol/api.ts can do, as far as this file needs it. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** A state of the plan's part that only a newer server has is one that cannot be read here; the rest can. */
const balanceHere: Schema<Balance> = {
  safeParse: value =>
    Balance.safeParse(
      isRecord(value) &&
        isRecord(value['included']) &&
        /^(?!(un)?available$)/.test(String(value['included']['state']))
        ? { ...value, included: { state: 'unavailable', reason: 'unknown' } }
        : value,
    ),
};

/** All settings are sent back at once: also what a newer server has. */
const settingsHere: Schema<OrgSettings> = {
  safeParse(value) {
    const read = OrgSettings.safeParse(value);
    return read.success ? { success: true, data: { ...(value as object), ...read.data } } : read;
  },
};

interface Request<T> {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly schema: Schema<T>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What a 304 stands for. */
  readonly unchanged?: T | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class CreditsClient {
  readonly #serverUrl: string;
  readonly #token: string | TokenSource | undefined;
  readonly #means: CreditsClientMeans;
  readonly #balances = new Map<string, { etag: string; balance: Balance }>();

  /** @param token undefined asks only what anyone may know, which is `meta`. */
  constructor(serverUrl: string, token: string | TokenSource | undefined, means: CreditsClientMeans) {
    this.#serverUrl = serverUrl;
    this.#token = token;
    this.#means = means;
  }

  async meta(): Promise<Meta> {
    return (await this.#ask({ method: 'GET', path: paths.meta(), schema: Meta })).value;
  }

  async me(): Promise<Me> {
    return (await this.#ask({ method: 'GET', path: paths.me(), schema: Me })).value;
  }

  /** Where the answer with this state is to be passed on to; asked before the browser opens. */
  async expectSignIn(state: string, callbackUri: string): Promise<void> {
    const body = { state, callback_uri: callbackUri };
    await this.#ask({ method: 'POST', path: paths.signInReturns(), schema: SignInReturn, body });
  }

  /** The present balance; when the server says it is unchanged, the very object of last time. */
  async balance(org: string): Promise<Balance> {
    const known = this.#balances.get(org);
    const { value, etag } = await this.#ask({
      method: 'GET',
      path: paths.balance(org),
      schema: balanceHere,
      ...(known ? { headers: { 'If-None-Match': known.etag }, unchanged: known.balance } : {}),
    });
    if (etag) {
      this.#balances.set(org, { etag, balance: value });
    }
    return value;
  }

  async purchaseOptions(org: string): Promise<PurchaseOptions> {
    return (await this.#ask({ method: 'GET', path: paths.purchaseOptions(org), schema: PurchaseOptions }))
      .value;
  }

  /** The same key with the same body is one purchase, however often it is sent. */
  async createPurchase(
    org: string,
    body: CreatePurchase,
    idempotencyKey: string,
    signal?: AbortSignal,
  ): Promise<Purchase> {
    const headers = { [IDEMPOTENCY_KEY_HEADER]: idempotencyKey };
    const request = { method: 'POST', path: paths.purchases(org), schema: Purchase, body, headers } as const;
    return (await this.#ask({ ...request, signal })).value;
  }

  async purchase(org: string, purchase: string): Promise<Purchase> {
    return (await this.#ask({ method: 'GET', path: paths.purchase(org, purchase), schema: Purchase })).value;
  }

  /** A page of purchases, newest first. @param cursor of the page before */
  async purchases(org: string, limit: number, cursor?: string): Promise<PurchaseList> {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor === undefined ? {} : { cursor }) });
    return (
      await this.#ask({ method: 'GET', path: `${paths.purchases(org)}?${query}`, schema: PurchaseList })
    ).value;
  }

  /** Usage of the last 30 days. */
  async usage(org: string, groupBy: 'day' | 'model' | 'user'): Promise<UsageReport> {
    const path = `${paths.usage(org)}?group_by=${groupBy}`;
    return (await this.#ask({ method: 'GET', path, schema: UsageReport })).value;
  }

  /** An address that opens the billing pages for whoever has it: to be opened at once, and kept nowhere. */
  async openPortal(org: string): Promise<PortalSession> {
    return (await this.#ask({ method: 'POST', path: paths.portalSessions(org), schema: PortalSession }))
      .value;
  }

  async settings(org: string): Promise<OrgSettings> {
    return (await this.#ask({ method: 'GET', path: paths.settings(org), schema: settingsHere })).value;
  }

  /** All of them at once: what is left out would be gone. */
  async setSettings(org: string, body: OrgSettings): Promise<OrgSettings> {
    return (await this.#ask({ method: 'PUT', path: paths.settings(org), schema: OrgSettings, body })).value;
  }

  async cancelPurchase(org: string, purchase: string): Promise<Purchase> {
    return (await this.#ask({ method: 'POST', path: paths.cancelPurchase(org, purchase), schema: Purchase }))
      .value;
  }

  /**
   * Opens the stream of events. The deadline covers the answer's head only; from there on the reader watches the
   * heartbeat.
   */
  openEvents(
    org: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    return this.#authorized(token => this.#openEvents(org, lastEventId, signal, token));
  }

  async #openEvents(
    org: string,
    lastEventId: string | undefined,
    signal: AbortSignal,
    token: string | undefined,
  ): Promise<ReadableStream<Uint8Array>> {
    const headers = {
      ...this.#headers(token),
      Accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
    };
    const response = await this.#within(signal, inner =>
      // Not through axios: it would hold its own deadline over the whole stream.
      this.#means.fetch(this.#serverUrl + paths.events(org), {
        headers,
        signal: AbortSignal.any([signal, inner]),
        redirect: 'manual',
        cache: 'no-store',
        credentials: 'omit',
      }),
    );
    const head: Head = {
      status: response.type === 'opaqueredirect' ? 302 : response.status,
      header: name => response.headers.get(name) ?? undefined,
    };
    if (response.status !== 200 || !isEventStream(head) || !response.body) {
      void response.body?.cancel().catch(() => undefined);
      if (foundIn(head) === 'html') {
        // A page of something in between, such as a proxy while the server is replaced: no word of the server's.
        throw new CreditsError('unreadable', { ...factsOf(head), found: 'html' });
      }
      // Its words are not read; a server without a stream, or without one for this person, says so by the status.
      throw head.status === 404
        ? new CreditsError('notFound', factsOf(head))
        : head.status === 403
          ? new CreditsError('forbidden', factsOf(head))
          : this.#refusal(head, undefined);
    }
    return response.body;
  }

  #ask<T>(request: Request<T>): Promise<{ value: T; etag: string | undefined }> {
    return this.#authorized(token => this.#askWith(request, token));
  }

  /** A token that the server no longer takes is renewed once, where it can be. */
  async #authorized<T>(act: (token: string | undefined) => Promise<T>): Promise<T> {
    const source = this.#token;
    if (source === undefined || typeof source === 'string') {
      return await act(source);
    }
    const token = await source.token();
    try {
      return await act(token);
    } catch (error) {
      const isRefused = error instanceof CreditsError && error.reason === 'unauthenticated';
      const other = isRefused ? await source.renew(token) : undefined;
      if (other === undefined) {
        throw error;
      }
      return await act(other);
    }
  }

  async #askWith<T>(
    request: Request<T>,
    token: string | undefined,
  ): Promise<{ value: T; etag: string | undefined }> {
    const response = await this.#within(request.signal, signal =>
      axios.request<string>({
        adapter: 'fetch',
        env: { fetch: this.#means.fetch },
        url: this.#serverUrl + request.path,
        method: request.method,
        headers: {
          ...this.#headers(token),
          Accept: 'application/json',
          // `false` takes away the form type that axios gives a POST without a body; the server would refuse it.
          'Content-Type': request.body === undefined ? false : 'application/json',
          ...request.headers,
        },
        ...(request.body === undefined ? {} : { data: JSON.stringify(request.body) }),
        signal,
        withCredentials: false,
        maxRedirects: 0, // handed to fetch as redirect: 'manual'
        maxContentLength: MAX_BODY_BYTES,
        responseType: 'text',
        // The body is read here, after its type has been looked at; axios would guess.
        transformRequest: [data => data],
        transformResponse: [data => data],
        validateStatus: () => true,
      }),
    );
    const head = headOf(response);
    if (head.status === 304 && request.unchanged !== undefined) {
      return { value: request.unchanged, etag: head.header('etag') };
    }
    const body = readJson(head, response.data);
    if (head.status < 200 || head.status > 299) {
      throw this.#refusal(head, body);
    }
    const parsed = body === undefined ? undefined : request.schema.safeParse(body.json);
    if (!parsed?.success) {
      throw new CreditsError('unreadable', { ...factsOf(head), found: foundIn(head) });
    }
    return { value: parsed.data, etag: head.header('etag') };
  }

  #headers(token: string | undefined): Record<string, string> {
    return {
      'User-Agent': this.#means.userAgent,
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    };
  }

  /** Runs one exchange under the deadline; whatever it throws comes out as a CreditsError. */
  #within<T>(outer: AbortSignal | undefined, exchange: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const abort = () => fail(new CreditsError('offline', { cause: 'ABORTED' }));
      const deadline = this.#means.clock.after(DEADLINE_MS)(() => fail(new CreditsError('timeout')));
      const release = () => {
        deadline.dispose();
        outer?.removeEventListener('abort', abort);
      };
      const fail = (error: CreditsError) => {
        release();
        controller.abort();
        reject(error);
      };
      if (outer?.aborted) {
        abort();
        return;
      }
      outer?.addEventListener('abort', abort, { once: true });
      exchange(controller.signal).then(
        value => {
          release();
          resolve(value);
        },
        (error: unknown) => fail(transportError(error)),
      );
    });
  }

  #refusal(head: Head, body: { json: unknown } | undefined): CreditsError {
    const parsed = body && Problem.safeParse(body.json);
    const problem = parsed?.success ? parsed.data : undefined;
    const serverNow = Date.parse(head.header('date') ?? '');
    const now = Number.isNaN(serverNow) ? this.#means.clock.now() : serverNow;
    const retryAfterMs =
      readRetryAfter(head.header('retry-after'), now) ??
      (problem?.retry_after_s === undefined ? undefined : clamp(problem.retry_after_s * 1_000));
    const facts: CreditsErrorFacts = {
      ...factsOf(head),
      ...(problem ? { code: problem.code, requestId: problem.request_id, problem } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
    const { status } = head;
    if (status >= 300 && status <= 399 && status !== 304) {
      return new CreditsError('redirected', facts);
    }
    switch (status) {
      case 401:
        return new CreditsError('unauthenticated', facts);
      case 407:
        return new CreditsError('proxy', facts);
      case 429:
        return new CreditsError('rateLimited', facts);
    }
    // 511 is a network asking for a sign-in (RFC 6585), not a fault of the server's.
    if (status >= 500 && status !== 511) {
      return new CreditsError('serverFault', facts);
    }
    if (!problem) {
      return new CreditsError('unreadable', { ...facts, found: foundIn(head) });
    }
    switch (status) {
      case 403:
        return new CreditsError('forbidden', facts);
      case 404:
        return new CreditsError('notFound', facts);
      default:
        return new CreditsError('rejected', facts);
    }
  }
}

/** What is known of an answer before its body is read. */
interface Head {
  readonly status: number;
  header(name: string): string | undefined;
}

function headOf(response: AxiosResponse): Head {
  const headers: unknown = response.headers;
  return {
    // A browser's fetch hides a refused redirect behind status 0.
    status: response.status === 0 ? 302 : response.status,
    header: name => {
      const value = isRecord(headers) ? headers[name] : undefined;
      return typeof value === 'string' ? value : undefined;
    },
  };
}

function factsOf(head: Head): CreditsErrorFacts {
  return { status: head.status };
}

function isEventStream(head: Head): boolean {
  return /^text\/event-stream\b/i.test(head.header('content-type') ?? '');
}

function foundIn(head: Head): 'html' | 'json' | 'other' {
  const type = head.header('content-type') ?? '';
  return /\bhtml\b/i.test(type) ? 'html' : /[/+]json\b/i.test(type) ? 'json' : 'other';
}

function readJson(head: Head, text: unknown): { json: unknown } | undefined {
  if (typeof text !== 'string' || foundIn(head) !== 'json') {
    return undefined;
  }
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function transportError(error: unknown): CreditsError {
  if (error instanceof CreditsError) {
    return error;
  }
  if (isAxiosError(error) && error.code === 'ERR_BAD_RESPONSE') {
    return new CreditsError('unreadable', { found: 'tooLarge' });
  }
  if (isProxyRefusal(error)) {
    return new CreditsError('proxy');
  }
  const cause = systemCode(error);
  if (cause === 'ERR_BAD_REDIRECT' || cause === 'ERR_FR_TOO_MANY_REDIRECTS') {
    return new CreditsError('redirected');
  }
  if (cause !== undefined && CERTIFICATE_CODE.test(cause)) {
    return new CreditsError('certificate', { cause });
  }
  return new CreditsError('offline', cause === undefined ? {} : { cause });
}

/** The innermost system code. */
function systemCode(error: unknown): string | undefined {
  return causesOf(error)
    .map(one => one['code'])
    .findLast(code => typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) as string | undefined;
}

/** A tunnel that a proxy did not open has no answer to read; the status stands in the words of Node's fetch alone. */
function isProxyRefusal(error: unknown): boolean {
  return causesOf(error).some(
    ({ message }) => typeof message === 'string' && /^Proxy response \(407\)/.test(message),
  );
}

/** From the outside in: fetch wraps what happened in a cause of a cause. */
function causesOf(error: unknown): Array<Record<string, unknown>> {
  const causes: Array<Record<string, unknown>> = [];
  for (let at = error; causes.length < 5 && isRecord(at); at = at['cause']) {
    causes.push(at);
  }
  return causes;
}
