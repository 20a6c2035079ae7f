// A credits server and its identity provider behind a `fetch`, which say what a test tells them, forged tokens among
// it. What is honest is tested against real providers.
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import type { ProtectedResource } from '../../protocol/api.ts';
import { SERVER } from './core.ts';
import { json } from './scriptedServer.ts';

export const ISSUER = 'https://id.example.com';
export const CLIENT = 'credits-editor';

export class ScriptedIssuer {
  readonly seen: Array<{ readonly url: string; readonly form: URLSearchParams }> = [];
  resource: Partial<ProtectedResource> = {};
  metadata: Record<string, unknown> = {};
  /** The claims of the next ID token, over the honest ones. */
  claims: JWTPayload = {};
  /** How the next ID token is signed. */
  signing: 'ours' | 'anothers' | 'none' = 'ours';
  /** Answers in place of the ordinary ones, as long as it returns something. */
  instead: (url: string, form: URLSearchParams) => Response | undefined = () => undefined;
  /** Of the last authorization request; a provider remembers it with its code. */
  nonce: string | undefined;
  readonly #keys: Awaited<ReturnType<typeof generateKeyPair>>;
  readonly #others: Awaited<ReturnType<typeof generateKeyPair>>;

  private constructor(
    keys: Awaited<ReturnType<typeof generateKeyPair>>,
    others: Awaited<ReturnType<typeof generateKeyPair>>,
  ) {
    this.#keys = keys;
    this.#others = others;
  }

  static async create(): Promise<ScriptedIssuer> {
    return new ScriptedIssuer(await generateKeyPair('ES256'), await generateKeyPair('ES256'));
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const form = new URLSearchParams(await request.text());
    this.seen.push({ url: request.url, form });
    return this.instead(request.url, form) ?? (await this.#answer(request.url));
  };

  /** What the browser brings back from an address of ours. */
  answerTo(url: string, change: Record<string, string | undefined> = {}): URLSearchParams {
    const asked = new URL(url).searchParams;
    this.nonce = asked.get('nonce') ?? undefined;
    const answer = new URLSearchParams({ code: 'code-1', state: asked.get('state') ?? '', iss: ISSUER });
    for (const [name, value] of Object.entries(change)) {
      answer.delete(name);
      if (value !== undefined) {
        answer.set(name, value);
      }
    }
    return answer;
  }

  async #answer(url: string): Promise<Response> {
    switch (url) {
      case `${SERVER}/.well-known/oauth-protected-resource`:
        return json({
          resource: SERVER,
          authorization_servers: [ISSUER],
          scopes_supported: ['credits:read', 'credits:history', 'credits:purchase', 'credits:manage'],
          bearer_methods_supported: ['header'],
          ...this.resource,
        });
      case `${ISSUER}/.well-known/openid-configuration`:
        return json({
          issuer: ISSUER,
          authorization_endpoint: `${ISSUER}/auth`,
          token_endpoint: `${ISSUER}/token`,
          jwks_uri: `${ISSUER}/jwks`,
          revocation_endpoint: `${ISSUER}/revoke`,
          device_authorization_endpoint: `${ISSUER}/device`,
          id_token_signing_alg_values_supported: ['ES256'],
          authorization_response_iss_parameter_supported: true,
          code_challenge_methods_supported: ['S256'],
          ...this.metadata,
        });
      case `${ISSUER}/jwks`:
        return json({
          keys: [{ ...(await exportJWK(this.#keys.publicKey)), alg: 'ES256', use: 'sig', kid: '1' }],
        });
      case `${ISSUER}/token`:
        return json({
          access_token: 'at-1',
          token_type: 'Bearer',
          expires_in: 600,
          refresh_token: 'rt-1',
          id_token: await this.#idToken(),
        });
      case `${ISSUER}/device`:
        return json({
          device_code: 'dc-1',
          user_code: 'WDJB-MJHT',
          verification_uri: `${ISSUER}/activate`,
          expires_in: 1_800,
          interval: 5,
        });
      default:
        return json({});
    }
  }

  async #idToken(): Promise<string> {
    const nowS = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: ISSUER,
      aud: CLIENT,
      sub: 'sub-1',
      iat: nowS,
      exp: nowS + 600,
      ...(this.nonce === undefined ? {} : { nonce: this.nonce }),
      ...this.claims,
    };
    if (this.signing === 'none') {
      return new UnsecuredJWT(claims).encode();
    }
    const key = this.signing === 'ours' ? this.#keys : this.#others;
    return await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: '1' }).sign(key.privateKey);
  }
}
