// The sandbox's identity provider: an organisation's single sign-on as the extension and the server see it, by
// oidc-provider, with people whose one password npm start prints. It runs in a process of its own, so that a restart of
// the credits server signs nobody out.
//
// Usage: node scripts/issuer.ts   (npm start does; everything comes from the environment, see IssuerEnvironment)
/// <reference path="./support/oidcProvider.d.ts" />
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { type Context, errors, type Interaction, Provider } from 'oidc-provider';
import { scopes } from '../protocol/api.ts';

export interface IssuerOptions {
  readonly port: number;
  /** Host of the pages for people, such as `sign-in.localhost`; programs use 127.0.0.1. */
  readonly pagesHost: string;
  /** The credits server, as clients name it when they ask for a token. */
  readonly audience: string;
  readonly clientId: string;
  /** The credits server's page that passes answers on to editors without a loopback address. */
  readonly redirectUri: string;
  readonly password: string;
  readonly people: readonly Person[];
  /** How long an access token lasts, in seconds. */
  readonly accessTokenS?: number;
}

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** What the list to choose from says beside the name. */
  readonly note?: string;
}

export interface Issuer {
  readonly url: string;
  close(): Promise<void>;
}

/** The environment this process reads: the options, as JSON. */
export interface IssuerEnvironment {
  readonly ISSUER_OPTIONS: string;
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const MAX_FORM_BYTES = 4096;

export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? options.port) : options.port;
  const url = `http://127.0.0.1:${port}`;
  const provider = await createProvider(url, `http://${options.pagesHost}:${port}`, options);
  const standard = provider.callback();
  const pages = new Pages(provider, options);
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      void pages.answer(request, response);
    } else {
      void standard(request, response);
    }
  });
  return {
    url,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function createProvider(url: string, pagesUrl: string, options: IssuerOptions): Promise<Provider> {
  const { audience, clientId, people, redirectUri, accessTokenS = 600 } = options;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' };
  const account = (id: string) => {
    const person = people.find(each => each.id === id);
    return person && { email: person.email, email_verified: true, name: person.name };
  };
  const provider = new Provider(url, {
    clients: [
      {
        client_id: clientId,
        client_name: 'Credits in your editor',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        id_token_signed_response_alg: 'ES256',
        grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
        response_types: ['code'],
        // On whichever port; the library leaves it out of the comparison (RFC 8252).
        redirect_uris: ['127.0.0.1', '[::1]', 'localhost'].flatMap(host => [
          `http://${host}/callback`,
          `http://${host}/`,
        ]),
      },
    ],
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    scopes: ['openid', 'offline_access', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Also without `prompt=consent`, as most providers do for native programs.
    issueRefreshToken: async () => true,
    expiresWithSession: async () => false,
    findAccount: async (_context: Context, id: string) => {
      const claims = account(id);
      return claims && { accountId: id, claims: async () => ({ sub: id, ...claims }) };
    },
    extraTokenClaims: async (_context: Context, token: { accountId?: string }) =>
      token.accountId === undefined ? undefined : account(token.accountId),
    interactions: { url: (_context: Context, { uid }: Interaction) => `/interaction/${uid}` },
    ttl: {
      AccessToken: accessTokenS,
      DeviceCode: 600,
      RefreshToken: 14 * 24 * 3600,
      Session: 3600,
      Grant: 14 * 24 * 3600,
      Interaction: 600,
      IdToken: 600,
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: async (context: Context, form: string, _out: unknown, error?: Error) => {
          const sentence = error
            ? '<p class="fault" role="alert">That code is not known, or no longer. Try again.</p>'
            : '<p>Enter the code that your editor shows.</p>';
          show(
            context,
            'Sign in with a code',
            `${sentence}${form}<button form="op.deviceInputForm">Continue</button>`,
          );
        },
        userCodeConfirmSource: async (
          context: Context,
          form: string,
          _client: unknown,
          _device: unknown,
          userCode: string,
        ) => {
          show(
            context,
            'Is this the code in your editor?',
            `<p class="code">${escaped(userCode)}</p>${form}
            <button form="op.deviceConfirmForm">Yes, continue</button>
            <button class="quiet" form="op.deviceConfirmForm" name="abort" value="yes">No, cancel</button>`,
          );
        },
        successSource: async (context: Context) => {
          show(context, 'Signed in', '<p>Go back to your editor. You can close this tab.</p>');
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => audience,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_context: Context, resource: string) => {
          if (new URL(resource).href !== new URL(audience).href) {
            throw new errors.InvalidTarget();
          }
          return {
            scope: scopes.join(' '),
            audience,
            accessTokenFormat: 'jwt',
            accessTokenTTL: accessTokenS,
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
    renderError: async (context: Context, out: { error: string; error_description?: string }) => {
      show(context, 'This did not work', `<p>${escaped(out.error_description ?? out.error)}</p>`);
    },
  });
  const { prototype } = provider.Client;
  const known = prototype.redirectUriAllowed;
  // The library takes plain http for loopback addresses only; a name under .localhost is one too.
  prototype.redirectUriAllowed = function (uri) {
    return uri === redirectUri || known.call(this, uri);
  };
  // Programs reach it at 127.0.0.1, and are told the pages' own host for people.
  provider.use(async (context, next) => {
    await next();
    const body = context.body;
    if (typeof body === 'object' && body !== null) {
      for (const name of ['authorization_endpoint', 'verification_uri', 'verification_uri_complete']) {
        const value = (body as Record<string, unknown>)[name];
        if (typeof value === 'string' && value.startsWith(url)) {
          Object.assign(body, { [name]: pagesUrl + value.slice(url.length) });
        }
      }
    }
  });
  return provider;
}

/** The pages between a request to sign in and its answer. */
class Pages {
  readonly #provider: Provider;
  readonly #options: IssuerOptions;

  constructor(provider: Provider, options: IssuerOptions) {
    this.#provider = provider;
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const interaction = await this.#provider.interactionDetails(request, response);
      if (request.method !== 'POST') {
        respond(
          response,
          200,
          interaction.prompt.name === 'login' ? this.#loginPage() : this.#consentPage(interaction),
        );
        return;
      }
      const form = await readForm(request);
      if (form.get('another') !== null) {
        respond(response, 200, this.#loginPage());
      } else if (form.get('cancel') !== null) {
        await this.#finish(request, response, {
          error: 'access_denied',
          error_description: 'The person has canceled.',
        });
      } else if (form.get('email') !== null) {
        await this.#logIn(request, response, form);
      } else {
        await this.#finish(request, response, { consent: { grantId: await this.#grant(interaction) } });
      }
    } catch {
      respond(
        response,
        400,
        page('Start again from your editor', '<p>This sign-in is over, or it took too long.</p>'),
      );
    }
  }

  async #logIn(request: IncomingMessage, response: ServerResponse, form: URLSearchParams): Promise<void> {
    const person = this.#options.people.find(({ email }) => email === form.get('email'));
    if (!person || form.get('password') !== this.#options.password) {
      respond(
        response,
        200,
        this.#loginPage(
          form.get('email') ?? '',
          'That is not the sandbox’s password. npm start has printed it.',
        ),
      );
      return;
    }
    await this.#finish(request, response, { login: { accountId: person.id, remember: false } });
  }

  #finish(request: IncomingMessage, response: ServerResponse, result: object): Promise<void> {
    return this.#provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }

  async #grant({ grantId, params, session, prompt }: Interaction): Promise<string> {
    const { Grant } = this.#provider;
    const before = grantId === undefined ? undefined : await Grant.find(grantId);
    const grant =
      before ?? new Grant({ accountId: session?.accountId ?? '', clientId: params['client_id'] ?? '' });
    const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details;
    grant.addOIDCScope(missingOIDCScope.join(' '));
    for (const [resource, missing] of Object.entries(missingResourceScopes)) {
      grant.addResourceScope(resource, missing.join(' '));
    }
    return grant.save();
  }

  #loginPage(chosen = this.#options.people[0]?.email, fault?: string): string {
    const choices = this.#options.people.map(
      ({ name, email, note = '' }) =>
        `<label class="person"><input type="radio" name="email" value="${escaped(email)}"${email === chosen ? ' checked' : ''}>
        <span><b>${escaped(name)}</b> ${escaped(note)}<br><small>${escaped(email)}</small></span></label>`,
    );
    return page(
      'Sign in to the sandbox',
      `<form method="post">
      <fieldset><legend>Who are you?</legend>${choices.join('')}</fieldset>
      <label>Sandbox password<input type="password" name="password" autocomplete="off" autofocus${fault ? ' aria-describedby="fault"' : ''}></label>
      ${fault ? `<p id="fault" class="fault" role="alert">${escaped(fault)}</p>` : ''}
      <button>Sign in</button><button class="quiet" name="cancel" value="1" formnovalidate>Cancel</button>
      </form>`,
    );
  }

  #consentPage({ params, session }: Interaction): string {
    const person = this.#options.people.find(({ id }) => id === session?.accountId);
    const asked = (params['scope'] ?? '').split(' ');
    const wishes = Object.entries(meanings).filter(([scope]) => asked.includes(scope));
    return page(
      'Let your editor in?',
      `<p>Signed in as <b>${escaped(person?.name ?? '')}</b> (${escaped(person?.email ?? '')}).</p>
      <p>Credits in your editor would like to:</p>
      <ul>${wishes.map(([, meaning]) => `<li>${meaning}</li>`).join('')}</ul>
      <p><small>What your role does not allow stays closed.</small></p>
      <form method="post"><button>Allow</button>
      <button class="quiet" name="another" value="1">Use another account</button>
      <button class="quiet" name="cancel" value="1">Cancel</button></form>`,
    );
  }
}

const meanings: Readonly<Record<string, string>> = {
  'credits:read': 'see the balance',
  'credits:history': 'see purchases and usage',
  'credits:purchase': 'buy credits',
  'credits:manage': 'manage billing, limits and tokens',
  'credits:usage.write': 'report usage',
  email: 'know your e-mail address',
  profile: 'know your name',
  offline_access: 'stay signed in',
};

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_FORM_BYTES) {
      throw new Error('the form is too long');
    }
  }
  return new URLSearchParams(text);
}

const style = `
:root{color-scheme:light dark;--page:#f4f5f8;--card:#fff;--ink:#1b1f2a;--soft:#5b6272;--line:#cfd4e0;--accent:#2456d6;--on-accent:#fff;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--page:#12141a;--card:#1b1e27;--ink:#eceef4;--soft:#a2a9ba;--line:#3a4052;--accent:#84a7ff;--on-accent:#0d1330;--bad:#ff9388}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{width:100%;max-width:440px;padding:32px;background:var(--card);border:1px solid var(--line);border-radius:16px}
h1{margin:0 0 16px;font-size:22px}
small,p,legend{color:var(--soft)}
legend{padding:0}
ul{padding-left:24px}
fieldset{border:0;margin:0 0 16px;padding:0}
label{display:block}
.person{display:flex;gap:12px;align-items:center;padding:10px 12px;margin-top:8px;border:1px solid var(--line);border-radius:10px}
input[type=text],input[type=password]{width:100%;margin-top:4px;padding:10px;font:inherit;border:1px solid var(--line);border-radius:10px;background:transparent;color:inherit}
button{display:block;width:100%;margin-top:16px;padding:12px;border:0;border-radius:10px;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;cursor:pointer}
button.quiet{margin-top:4px;background:transparent;color:var(--accent)}
form:last-child>button:last-of-type{margin-bottom:-12px}
p b{color:var(--ink)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.fault{color:var(--bad)}
.code{font:600 28px/1.5 ui-monospace,monospace;letter-spacing:2px;color:var(--ink)}
`;
const styleHash = createHash('sha256').update(style).digest('base64');

const heads = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  // No form-action: browsers apply it to where an answer leads too, and that is the editor.
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`,
};

function respond(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, heads).end(html);
}

function show(context: Context, title: string, body: string): void {
  for (const [name, value] of Object.entries(heads)) {
    context.set(name, value);
  }
  context.body = page(title, body);
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${style}</style></head><body><main><h1>${title}</h1>${body}</main></body></html>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

if (import.meta.main) {
  const issuer = await startIssuer(JSON.parse(process.env['ISSUER_OPTIONS'] ?? '') as IssuerOptions);
  console.log(`identity provider ready at ${issuer.url}`);
  const stop = () => void issuer.close().finally(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
