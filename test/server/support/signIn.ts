// A person at the sandbox's identity provider, without a browser: follows addresses, keeps cookies, fills in forms.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { scopes } from '../../../protocol/api.ts';
import { type Issuer, startIssuer } from '../../../scripts/issuer.ts';

export const AUDIENCE = 'http://credits.localhost:4310';
export const CLIENT_ID = 'credits-editor';
export const REDIRECT_URI = `${AUDIENCE}/sign-in/return`;
const PASSWORD = 'of-the-tests';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
}

export interface SignInOptions {
  readonly scope?: string;
  readonly redirectUri?: string;
}

/** The real identity provider of the sandbox, with these people. */
export class IdentitySide {
  readonly issuer: Issuer;

  private constructor(issuer: Issuer) {
    this.issuer = issuer;
  }

  static async start(people: Parameters<typeof startIssuer>[0]['people']): Promise<IdentitySide> {
    const issuer = await startIssuer({
      port: 0,
      pagesHost: '127.0.0.1',
      audience: AUDIENCE,
      clientId: CLIENT_ID,
      redirectUri: REDIRECT_URI,
      password: PASSWORD,
      people,
    });
    return new IdentitySide(issuer);
  }

  get environment(): Record<string, string> {
    return { OIDC_ISSUERS: this.issuer.url, OIDC_CLIENT_ID: CLIENT_ID, OIDC_TOKEN_TYPE: 'at+jwt' };
  }

  /** Signs in with a code and PKCE, as the editor does. */
  async signIn(
    email: string,
    {
      scope = `openid email offline_access ${scopes.join(' ')}`,
      redirectUri = REDIRECT_URI,
    }: SignInOptions = {},
  ): Promise<Tokens> {
    const verifier = randomBytes(32).toString('base64url');
    const answer = await this.answerTo(email, {
      scope,
      redirect_uri: redirectUri,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const code = answer.searchParams.get('code');
    assert.ok(code, `a code in ${answer}`);
    return this.token({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
  }

  /** The address that the provider sends the browser back to. */
  async answerTo(email: string, parameters: Record<string, string>): Promise<URL> {
    const query = new URLSearchParams({
      client_id: CLIENT_ID,
      response_type: 'code',
      state: 's'.repeat(43),
      resource: AUDIENCE,
      ...parameters,
    });
    return this.browse(email, `${this.issuer.url}/auth?${query}`);
  }

  /** Goes where a browser would go until the address is another's or a page says the end. */
  async browse(email: string, start: string): Promise<URL> {
    const cookies = new Map<string, string>();
    let next: { url: URL; form?: Record<string, string> } = { url: new URL(start) };
    for (let step = 0; step < 20; step++) {
      const answer = await fetch(next.url, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map(pair => pair.join('=')).join('; ') },
        ...(next.form && { method: 'POST', body: new URLSearchParams(next.form) }),
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        cookies.set(name, value);
      }
      const html = await answer.text();
      const location = answer.headers.get('location');
      if (location !== null) {
        const url = new URL(location, next.url);
        if (url.origin !== this.issuer.url) {
          return url;
        }
        next = { url };
      } else if (html.includes('name="password"')) {
        next = { url: next.url, form: { email, password: PASSWORD } };
      } else if (html.includes('>Allow<')) {
        next = { url: next.url, form: { allow: '1' } };
      } else if (html.includes('op.deviceConfirmForm')) {
        const field = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
        const form = { xsrf: field('xsrf'), user_code: field('user_code'), confirm: 'yes' };
        next = { url: next.url, form };
      } else {
        assert.equal(answer.status, 200, html);
        return next.url;
      }
    }
    throw new Error('The sign-in goes round in circles.');
  }

  async token(form: Record<string, string>): Promise<Tokens> {
    const answer = await this.ask('/token', form);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body as unknown as Tokens;
  }

  async ask(
    path: string,
    form: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, string> }> {
    const answer = await fetch(this.issuer.url + path, {
      method: 'POST',
      body: new URLSearchParams({ client_id: CLIENT_ID, ...form }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
  }

  close(): Promise<void> {
    return this.issuer.close();
  }
}
