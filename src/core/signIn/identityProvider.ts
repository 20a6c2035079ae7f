// Talks to the organisation's identity provider: OpenID Connect by oauth4webapi, which checks what comes back. Nothing
// here waits without an end, follows a redirect, or reads an answer of any length.
import * as oauth from 'oauth4webapi';
import { type Meta, ProtectedResource, paths, type Scope } from '../../../protocol/api.ts';
import type { Grant } from '../account.ts';
import { isSafeTransport } from '../address.ts';
import { type Clock, minutes, seconds, sleep } from '../clock.ts';
import type { CreditsClientMeans } from '../creditsClient.ts';
import { isRecord } from '../slot.ts';
import { SignInError } from './errors.ts';

/** Five minutes for a person, however the browser is asked. */
export const PATIENCE_MS = minutes(5);

/** For one exchange with the provider. */
const DEADLINE_MS = seconds(10);

/** Metadata and key sets are a few kB. */
const MAX_BODY_BYTES = 1_048_576;

/** How far the provider's clock and this machine's may be apart. */
const SKEW_S = 60;

/** Without an interval of its own a provider is asked this often. Source: RFC 8628 section 3.5 */
const POLL_MS = seconds(5);

/** What this extension does for its person; the server's role limits it further. */
const wanted: readonly Scope[] = ['credits:read', 'credits:history', 'credits:purchase', 'credits:manage'];

/** What other extensions may have. */
export const READ_ONLY: Scope = 'credits:read';

/** An authorization request on its way through the browser. */
export interface Attempt {
  /** What to open. */
  readonly url: string;
  readonly state: string;
  /** Exchanges the answer for tokens. May be called once: a second answer is a replay. */
  redeem(answer: URLSearchParams): Promise<Tokens>;
}

export interface Tokens {
  readonly accessToken: string;
  readonly expiresAtMs: number | null;
  /** Null when the provider gave none: the sign-in ends with its access token. */
  readonly refreshToken: string | null;
}

export interface DeviceCode {
  readonly userCode: string;
  readonly url: string;
  /** With the code in it, for a QR code; the plain address where the provider has none. */
  readonly urlWithCode: string;
  /** Resolves when the person has agreed elsewhere. */
  wait(signal: AbortSignal): Promise<Tokens>;
}

/** Where tokens for this credits server come from (RFC 9728): its own word, for this very address. */
export async function discover(
  serverUrl: string,
  signIn: Meta['sign_in'],
  means: CreditsClientMeans,
): Promise<IdentityProvider> {
  if (!signIn) {
    throw new SignInError('notOffered');
  }
  const http = httpOf(means, serverUrl);
  const resource = await told(async () => {
    const response = await readMetadata(serverUrl, http);
    // Metadata for another address would send this server's tokens into another's hands.
    const found = await oauth.processResourceDiscoveryResponse(new URL(serverUrl), response);
    const parsed = ProtectedResource.safeParse(found);
    if (!parsed.success) {
      throw new SignInError('untrusted', 'metadata');
    }
    return parsed.data;
  });
  const [issuer] = resource.authorization_servers;
  if (issuer === undefined) {
    throw new SignInError('notOffered');
  }
  const scopes = wanted.filter(scope => resource.scopes_supported.includes(scope));
  return await IdentityProvider.open(
    { issuer, clientId: signIn.client_id, resource: serverUrl, scopes },
    means,
  );
}

/** Where the standard has it (RFC 9728 section 3.1), or beneath the address, where a proxy passes on nothing else. */
async function readMetadata(serverUrl: string, http: Http): Promise<Response> {
  const { origin, pathname } = new URL(serverUrl);
  const path = pathname === '/' ? '' : pathname;
  const ask = (url: string) =>
    http[oauth.customFetch](url, { method: 'GET', headers: { accept: 'application/json' } });
  const response = await ask(origin + paths.protectedResource() + path);
  return path !== '' && response.status === 404 ? await ask(serverUrl + paths.protectedResource()) : response;
}

interface Place {
  readonly issuer: string;
  readonly clientId: string;
  /** The credits server: what tokens are asked for (RFC 8707). */
  readonly resource: string;
  readonly scopes: readonly string[];
}

export class IdentityProvider {
  readonly #as: oauth.AuthorizationServer;
  readonly #client: oauth.Client;
  readonly #place: Place;
  readonly #http: Http;
  readonly #clock: Clock;

  private constructor(as: oauth.AuthorizationServer, place: Place, http: Http, clock: Clock) {
    this.#as = as;
    this.#place = place;
    this.#http = http;
    this.#clock = clock;
    this.#client = { client_id: place.clientId, [oauth.clockTolerance]: SKEW_S };
  }

  static async open(place: Place, means: CreditsClientMeans): Promise<IdentityProvider> {
    const { issuer } = place;
    if (!isSafeTransport(issuer)) {
      throw new SignInError('untrusted', 'insecure_issuer');
    }
    const http = httpOf(means, issuer);
    const as = await told(async () => {
      const response = await oauth.discoveryRequest(new URL(issuer), http);
      return await oauth.processDiscoveryResponse(new URL(issuer), response);
    });
    // The library compares parsed addresses; the standard wants the very same characters.
    if (as.issuer !== issuer) {
      throw new SignInError('untrusted', 'issuer');
    }
    const endpoints = [
      as.authorization_endpoint,
      as.token_endpoint,
      as.jwks_uri,
      as.revocation_endpoint,
      as.device_authorization_endpoint,
    ];
    if (endpoints.some(url => url !== undefined && !isSafeTransport(url))) {
      throw new SignInError('untrusted', 'insecure_endpoint');
    }
    return new IdentityProvider(as, place, http, means.clock);
  }

  get issuer(): string {
    return this.#as.issuer;
  }

  get clientId(): string {
    return this.#place.clientId;
  }

  get hasDeviceCodes(): boolean {
    return this.#as.device_authorization_endpoint !== undefined;
  }

  /** Authorization code with PKCE, for one way back. */
  async begin(redirectUri: string): Promise<Attempt> {
    const { authorization_endpoint: endpoint, code_challenge_methods_supported: methods } = this.#as;
    if (endpoint === undefined || (methods && !methods.includes('S256'))) {
      throw new SignInError('unsupported', 'pkce');
    }
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const verifier = oauth.generateRandomCodeVerifier();
    const url = new URL(endpoint);
    const asked = {
      response_type: 'code',
      client_id: this.#place.clientId,
      redirect_uri: redirectUri,
      scope: this.#scope,
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource: this.#place.resource,
      // A refresh token wants the person's word (OpenID Connect Core section 11).
      prompt: 'consent',
    };
    for (const [name, value] of Object.entries(asked)) {
      url.searchParams.set(name, value);
    }
    let isRedeemed = false;
    return {
      url: url.href,
      state,
      redeem: answer =>
        told(async () => {
          if (isRedeemed) {
            throw new SignInError('mismatch', 'replayed');
          }
          // Checks state, and the issuer where the provider names itself (RFC 9207).
          const checked = oauth.validateAuthResponse(this.#as, this.#client, answer, state);
          isRedeemed = true;
          const response = await oauth.authorizationCodeGrantRequest(
            this.#as,
            this.#client,
            oauth.None(),
            checked,
            redirectUri,
            verifier,
            { ...this.#http, additionalParameters: { resource: this.#place.resource } },
          );
          const tokens = await oauth.processAuthorizationCodeResponse(this.#as, this.#client, response, {
            expectedNonce: nonce,
            requireIdToken: true,
          });
          await oauth.validateApplicationLevelSignature(this.#as, response, this.#http);
          return this.#read(tokens);
        }),
    };
  }

  /** A code to type in on any device (RFC 8628). */
  async beginDevice(): Promise<DeviceCode> {
    if (!this.hasDeviceCodes) {
      throw new SignInError('unsupported', 'device_code');
    }
    const device = await told(async () => {
      const response = await oauth.deviceAuthorizationRequest(
        this.#as,
        this.#client,
        oauth.None(),
        { scope: this.#scope, resource: this.#place.resource },
        this.#http,
      );
      return await oauth.processDeviceAuthorizationResponse(this.#as, this.#client, response);
    });
    const url = device.verification_uri;
    const urlWithCode = device.verification_uri_complete ?? url;
    if (!isSafeTransport(url) || !isSafeTransport(urlWithCode)) {
      throw new SignInError('untrusted', 'insecure_endpoint');
    }
    return { userCode: device.user_code, url, urlWithCode, wait: signal => this.#poll(device, signal) };
  }

  /** @param scope less than what was granted, for someone who needs less */
  async refresh(refreshToken: string, scope?: string): Promise<Tokens> {
    return await told(async () => {
      const additionalParameters = { resource: this.#place.resource, ...(scope ? { scope } : {}) };
      const response = await oauth.refreshTokenGrantRequest(
        this.#as,
        this.#client,
        oauth.None(),
        refreshToken,
        { ...this.#http, additionalParameters },
      );
      const tokens = await oauth.processRefreshTokenResponse(this.#as, this.#client, response);
      // A provider that does not rotate leaves the old one in force.
      const renewed = this.#read(tokens);
      return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken };
    }, 'ended');
  }

  /** Makes the sign-in worthless at the provider. Where it offers no such thing, the token lapses by itself. */
  async revoke(refreshToken: string): Promise<void> {
    if (this.#as.revocation_endpoint === undefined) {
      return;
    }
    await told(async () => {
      const additionalParameters = { token_type_hint: 'refresh_token' };
      const response = await oauth.revocationRequest(this.#as, this.#client, oauth.None(), refreshToken, {
        ...this.#http,
        additionalParameters,
      });
      await oauth.processRevocationResponse(response);
    });
  }

  get #scope(): string {
    const offered = this.#as.scopes_supported;
    // Refresh tokens are asked for where the provider knows the word; others give them unasked or not at all.
    const offline = !offered || offered.includes('offline_access') ? ['offline_access'] : [];
    return ['openid', ...offline, ...this.#place.scopes].join(' ');
  }

  async #poll(device: oauth.DeviceAuthorizationResponse, signal: AbortSignal): Promise<Tokens> {
    const endMs = this.#clock.monotonic() + Math.min(device.expires_in * 1_000, PATIENCE_MS);
    let intervalMs = device.interval === undefined ? POLL_MS : device.interval * 1_000;
    for (;;) {
      await sleep(this.#clock, intervalMs, signal);
      if (signal.aborted) {
        throw new SignInError('canceled');
      }
      if (this.#clock.monotonic() >= endMs) {
        throw new SignInError('timeout');
      }
      try {
        return await told(async () => {
          const response = await oauth.deviceCodeGrantRequest(
            this.#as,
            this.#client,
            oauth.None(),
            device.device_code,
            { ...this.#http, additionalParameters: { resource: this.#place.resource } },
          );
          const tokens = await oauth.processDeviceCodeResponse(this.#as, this.#client, response);
          if (tokens.id_token !== undefined) {
            await oauth.validateApplicationLevelSignature(this.#as, response, this.#http);
          }
          return this.#read(tokens);
        });
      } catch (error) {
        if (!(error instanceof SignInError)) {
          throw error;
        }
        if (error.code === 'slow_down' || error.reason === 'unreachable') {
          // Source: RFC 8628 section 3.5, for a lost connection as well.
          intervalMs += POLL_MS;
        } else if (error.code !== 'authorization_pending') {
          throw error;
        }
      }
    }
  }

  #read(tokens: oauth.TokenEndpointResponse): Tokens {
    if (tokens.token_type !== 'bearer') {
      throw new SignInError('unsupported', 'token_type');
    }
    const { expires_in: lifetimeS } = tokens;
    return {
      accessToken: tokens.access_token,
      expiresAtMs: lifetimeS === undefined ? null : this.#clock.now() + lifetimeS * 1_000,
      refreshToken: tokens.refresh_token ?? null,
    };
  }
}

/** Opens the provider again that a kept sign-in is from. */
export function openAgain(
  grant: Grant,
  resource: string,
  means: CreditsClientMeans,
): Promise<IdentityProvider> {
  const { issuer, clientId } = grant;
  return IdentityProvider.open({ issuer, clientId, resource, scopes: wanted }, means);
}

interface RequestOptions {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: URLSearchParams | Uint8Array<ArrayBuffer> | string | null | undefined;
}

interface Http {
  readonly [oauth.allowInsecureRequests]: boolean;
  readonly [oauth.customFetch]: (url: string, init: RequestOptions) => Promise<Response>;
}

/** @param from plain http is for this machine only, and for a provider that is there itself */
function httpOf({ fetch, clock }: CreditsClientMeans, from: string): Http {
  return {
    [oauth.allowInsecureRequests]: from.startsWith('http:'),
    [oauth.customFetch]: async (url, init) => {
      const controller = new AbortController();
      const deadline = clock.after(DEADLINE_MS)(() => controller.abort());
      try {
        const response = await fetch(url, {
          method: init.method,
          body: init.body ?? null,
          headers: init.headers,
          signal: controller.signal,
          redirect: 'manual',
          cache: 'no-store',
          credentials: 'omit',
        });
        const { status, headers } = response;
        if (response.type === 'opaqueredirect' || (status >= 300 && status <= 399)) {
          throw new SignInError('untrusted', 'redirected');
        }
        if (status >= 500) {
          throw new SignInError('unreachable', `status_${status}`);
        }
        // Read under the deadline: a provider that drips is as good as one that hangs.
        return new Response(status === 204 ? null : await read(response), { status, headers });
      } catch (error) {
        throw error instanceof SignInError ? error : new SignInError('unreachable');
      } finally {
        deadline.dispose();
      }
    },
  };
}

async function read(response: Response): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const next = await reader?.read();
    if (!next || next.done) {
      return text;
    }
    text += next.value;
    if (text.length > MAX_BODY_BYTES) {
      await reader?.cancel();
      throw new SignInError('untrusted', 'too_large');
    }
  }
}

/** What the library throws, as a SignInError. Its messages carry answers, so only its codes are kept. */
async function told<T>(act: () => Promise<T>, invalidGrant: 'expired' | 'ended' = 'expired'): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof SignInError ? error : readError(error, invalidGrant);
  }
}

function readError(error: unknown, invalidGrant: 'expired' | 'ended'): SignInError {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    const code = /^[a-z_]{1,60}$/.test(error.error) ? error.error : 'unknown';
    switch (code) {
      case 'access_denied':
        return new SignInError('denied', code);
      case 'invalid_grant':
        return new SignInError(invalidGrant, code);
      case 'expired_token':
        return new SignInError('expired', code);
      case 'temporarily_unavailable':
      case 'server_error':
        return new SignInError('unreachable', code);
      default:
        return new SignInError('refused', code);
    }
  }
  const code = isRecord(error) && typeof error['code'] === 'string' ? error['code'] : undefined;
  switch (code) {
    case oauth.HTTP_REQUEST_FORBIDDEN:
    case oauth.REQUEST_PROTOCOL_FORBIDDEN:
    case oauth.RESPONSE_IS_NOT_CONFORM:
    case oauth.RESPONSE_IS_NOT_JSON:
    case oauth.PARSE_ERROR:
    case oauth.JSON_ATTRIBUTE_COMPARISON:
    case oauth.MISSING_SERVER_METADATA:
    case oauth.INVALID_SERVER_METADATA:
      return new SignInError('untrusted', code);
    default:
      return new SignInError('mismatch', code);
  }
}
