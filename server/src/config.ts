// The configuration: all of it from the environment, read once at start, with every fault told at once.
import { isIP } from 'node:net';
import { HEARTBEAT_MS } from '../../protocol/api.ts';
import { creditsFor, fractionDigits } from '../../protocol/units.ts';
import type { PostgresConfig } from './database/postgres.ts';
import type { RateLimits } from './rateLimits.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Origin of the pages for people (return from payment). */
  readonly publicUrl: string;
  readonly dataDir: string;
  /** Absent: the embedded database in `dataDir`. */
  readonly postgres: PostgresConfig | undefined;
  readonly logLevel: string;
  readonly rateLimits: RateLimits;
  /** Proxies whose word counts for where a request comes from. */
  readonly trustedProxies: readonly string[];
  /** Web pages that may ask from a browser. */
  readonly corsOrigins: readonly string[];
  /** Later than this, and requests are turned away at once. */
  readonly maxEventLoopDelayMs: number;
  /** Absent: nothing is measured. */
  readonly metricsToken: string | undefined;
  readonly heartbeatMs: number;
  readonly reconcileMs: number;
  readonly sandbox: boolean;
  readonly seedFile: string | undefined;
  readonly offer: Offer;
  /** Most that an organisation may order within 24 hours, in minor units; undefined for no limit. */
  readonly maxDailyMinor: number | undefined;
  readonly returnUriSchemes: readonly string[];
  /** Editors in a browser that people may be led back to, besides those on loopback. */
  readonly webEditorOrigins: readonly string[];
  /** Absent: access tokens of this server's own only. */
  readonly identity: IdentityConfig | undefined;
  /** Absent: everything works but buying. */
  readonly payments: PaymentsConfig | undefined;
}

/** What is sold: frozen into each purchase when it is made. */
export interface Offer {
  readonly currency: string;
  readonly creditsPerMajorUnit: number;
  readonly presetsMinor: readonly number[];
  readonly custom: { readonly minMinor: number; readonly maxMinor: number; readonly stepMinor: number };
}

/** Whose access tokens are taken besides this server's own. */
export interface IdentityConfig {
  /** Exactly as `iss` names them. */
  readonly issuers: readonly string[];
  readonly clientId: string;
  readonly audience: string;
  /** How clients know this server (RFC 9728). */
  readonly resource: string;
  readonly claims: { readonly subject: string; readonly email: string; readonly emailVerified: string };
  readonly tokenType: string | undefined;
}

export interface PaymentsConfig {
  readonly secretKey: string;
  readonly webhookSecrets: readonly string[];
  /** Host of the pages people pay on, as they are told it beforehand. */
  readonly pageHost: string | undefined;
  /** Another payment side than Stripe's own. */
  readonly apiUrl: URL | undefined;
  readonly unitPriceId: string | undefined;
  /** Stripe adds the tax of the payer's place to the price. It is never credited. */
  readonly automaticTax: boolean;
  readonly mode: 'live' | 'test' | 'sandbox';
}

export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}.`);
    this.faults = faults;
  }
}

/** Name, default, meaning: the text of --help and the order of the README's table. */
export const variables: ReadonlyArray<readonly [name: string, fallback: string, meaning: string]> = [
  ['HOST', '127.0.0.1', 'Address to listen on.'],
  ['PORT', '4310', 'Port to listen on; 0 takes a free one, and then PUBLIC_URL must be set.'],
  [
    'PUBLIC_URL',
    'http://credits.localhost:PORT',
    'Origin under which browsers reach this server: https, or http on loopback.',
  ],
  ['DATA_DIR', './data', 'Directory of the embedded database. One server at a time.'],
  [
    'DATABASE_URL',
    '',
    'PostgreSQL 15 or newer, for one server or several: postgres://user:password@host:5432/name?sslmode=verify-full. Without it the embedded database is used.',
  ],
  ['DATABASE_POOL_SIZE', '10', 'Connections of this process to PostgreSQL; two more listen and verify.'],
  ['DATABASE_POOL_WAIT_MS', '2000', 'How long a request waits for a connection before it is answered 503.'],
  ['DATABASE_STATEMENT_TIMEOUT_MS', '15000', 'Longest time of one statement of a request.'],
  [
    'DATABASE_LOCK_TIMEOUT_MS',
    '2000',
    'Longest wait for a lock, after which the transaction is tried again.',
  ],
  [
    'DATABASE_IDLE_TRANSACTION_TIMEOUT_MS',
    '10000',
    'After this the database ends a transaction whose process has stopped asking.',
  ],
  ['DATABASE_APPLICATION_NAME', 'credits-server', 'How this process is called in pg_stat_activity.'],
  ['LOG_LEVEL', 'info', 'fatal, error, warn, info, debug, trace or silent. Logs are JSON lines on stderr.'],
  ['CREDITS_PER_MAJOR_UNIT', '100', 'Whole credits that one major unit of CURRENCY buys.'],
  [
    'CURRENCY',
    'usd',
    'ISO 4217 code of the money credits are sold for, in the minor units that Stripe charges it in: whole yen, hundredths of huf and isk.',
  ],
  ['PRESETS_MINOR', '5000,10000,50000', 'Amounts offered, in minor units; the second is marked popular.'],
  ['CUSTOM_MIN_MINOR', '1000', 'Smallest custom amount, in minor units.'],
  ['CUSTOM_MAX_MINOR', '1000000', 'Largest custom amount, in minor units.'],
  ['CUSTOM_STEP_MINOR', '100', 'Custom amounts are multiples of this, in minor units.'],
  [
    'MAX_DAILY_MINOR',
    '',
    'Most that an organisation may order within 24 hours, in minor units. Without it there is no such limit.',
  ],
  ['STRIPE_SECRET_KEY', '', 'Secret key of the Stripe account. Without it nothing can be bought.'],
  [
    'STRIPE_WEBHOOK_SECRETS',
    '',
    'Signing secrets of the webhook endpoint, comma separated: old and new while one is rotated.',
  ],
  ['STRIPE_API_URL', '', "Origin of another payment side that speaks Stripe's API."],
  [
    'PAYMENT_PAGE_HOST',
    '',
    "Host of the payment pages, named to people before one opens. Stripe's own unless you use a custom domain.",
  ],
  [
    'STRIPE_UNIT_PRICE_ID',
    '',
    'A Price of 1 minor unit, bought in quantity, instead of a price made for each purchase.',
  ],
  ['STRIPE_AUTOMATIC_TAX', '', '1: Stripe adds tax to the price. It is paid on top and never credited.'],
  [
    'RETURN_URI_SCHEMES',
    'vscode,vscode-insiders,vscodium,code-oss,codestudio,code-studio,cursor,windsurf',
    'URI schemes of editors that the return page may link to.',
  ],
  [
    'WEB_EDITOR_ORIGINS',
    '',
    'Origins of editors in a browser, comma separated, that sign-ins and payments may lead back to. Those on loopback always may.',
  ],
  [
    'RATE_LIMIT_PER_MINUTE',
    '600',
    "Requests with one person's token, or from one address without one or with one that is not good, before 429 rate_limited.",
  ],
  ['RATE_LIMIT_SERVICE_PER_MINUTE', '60000', "The same for one service's token, such as a gateway's."],
  [
    'TRUSTED_PROXIES',
    '',
    'Addresses or networks (10.0.0.0/8) of proxies before this server, comma separated: what they say in X-Forwarded-For is where a request comes from. Without one it is whoever connects.',
  ],
  [
    'CORS_ORIGINS',
    '',
    'Origins of web pages that may ask this server from a browser, comma separated. Editors need none.',
  ],
  [
    'MAX_EVENT_LOOP_DELAY_MS',
    '2000',
    'When the process is this far behind with its work, requests are answered 503 at once. 0: never.',
  ],
  [
    'OIDC_ISSUERS',
    '',
    'Identity providers whose access tokens are taken, comma separated, exactly as their tokens name them. People sign in with the first. Without one only tokens of this server are taken.',
  ],
  ['OIDC_CLIENT_ID', '', 'What the first of them knows the editor extension as: a public client.'],
  [
    'OIDC_AUDIENCE',
    '',
    "What the tokens' `aud` must be. PUBLIC_URL unless the provider gives this server another name.",
  ],
  [
    'OIDC_RESOURCE',
    '',
    'Origin that editors are given for this server. PUBLIC_URL unless they reach it by another.',
  ],
  ['OIDC_SUBJECT_CLAIM', 'sub', 'Claim that names a person for ever.'],
  [
    'OIDC_EMAIL_CLAIM',
    'email',
    'Claim by which a person is found at the first sign-in; afterwards the subject counts.',
  ],
  [
    'OIDC_EMAIL_VERIFIED_CLAIM',
    'email_verified',
    'Claim that must be true for the e-mail address to be believed.',
  ],
  ['OIDC_TOKEN_TYPE', '', 'at+jwt: take only tokens that say so in their head (RFC 9068).'],
  ['METRICS_TOKEN', '', 'Bearer token that GET /metrics asks for; without one there is no such address.'],
  [
    'HEARTBEAT_MS',
    '20000',
    'Pause between signs of life on a quiet event stream, at most 20000: editors take one for dead after 60 s of silence.',
  ],
  [
    'RECONCILE_MS',
    '60000',
    "Pause between two looks at Stripe's list of events and at purchases under way, for webhooks that never came.",
  ],
  [
    'CREDITS_SANDBOX',
    '',
    '1: the payment side is a stand-in that moves no money and may leave amounts out of its answers.',
  ],
  ['CREDITS_SEED_FILE', '', 'Sandbox only: JSON file of organisations, people and tokens to start with.'],
];

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** Schemes that run code or read files where a link is followed. */
const NEVER_A_RETURN_SCHEME = [
  'http',
  'https',
  'javascript',
  'data',
  'vbscript',
  'file',
  'blob',
  'about',
  'view-source',
];

/** An address as it may be repeated: a password in it is no part of what is said or logged. */
const withoutUser = (address: string): string => address.replace(/\/\/.*@/s, '//…@');

/** `/0` would take anybody's word. */
function isAddressOrNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/([1-9]\d{0,2}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 1) <= (version === 4 ? 32 : 128);
}

/** @throws {ConfigFaults} naming all that is wrong. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const defaults = new Map(variables.map(([name, fallback]) => [name, fallback]));
  const text = (name: string): string => environment[name]?.trim() || (defaults.get(name) ?? '');
  const optional = (name: string): string | undefined => text(name) || undefined;
  const list = (name: string): string[] =>
    text(name)
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '');

  const whole = (name: string, value: string, min: number, max: number): number => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      faults.push(`${name} must be a whole number from ${min} to ${max}, not "${value}".`);
      return min;
    }
    return number;
  };
  const integer = (name: string, min: number, max: number): number => whole(name, text(name), min, max);
  const oneOf = (name: string, values: readonly string[]): string => {
    if (!values.includes(text(name))) {
      faults.push(`${name} must be one of ${values.join(', ')}, not "${text(name)}".`);
    }
    return text(name);
  };
  /** An https origin, or an http one on loopback. */
  const origin = (name: string, value: string): URL | undefined => {
    const url = URL.parse(value);
    if (!url || !isSecureOrLoopback(url)) {
      faults.push(`${name} must be an https address, or http on loopback, not "${withoutUser(value)}".`);
    } else if (url.pathname !== '/' || url.search || url.hash || url.username || url.password) {
      faults.push(
        `${name} must be an origin alone, without path, query or user, not "${withoutUser(value)}".`,
      );
    } else {
      return url;
    }
    return undefined;
  };

  const host = text('HOST');
  const port = integer('PORT', 0, 65_535);
  if (optional('PUBLIC_URL') === defaults.get('PUBLIC_URL') && (text('PORT') === '0' || !isLoopback(host))) {
    faults.push('PUBLIC_URL must be set when PORT is 0 or HOST is not loopback.');
  }
  const publicUrl = origin('PUBLIC_URL', text('PUBLIC_URL').replace(/:PORT$/, `:${port}`));

  const currency = text('CURRENCY').toLowerCase();
  const knownCurrency = Intl.supportedValuesOf('currency').includes(currency.toUpperCase());
  if (!knownCurrency) {
    faults.push(`CURRENCY must be an ISO 4217 code, not "${currency}".`);
  }
  const creditsPerMajorUnit = integer('CREDITS_PER_MAJOR_UNIT', 1, 1_000_000);
  const minMinor = integer('CUSTOM_MIN_MINOR', 1, 99_999_999);
  // Stripe charges at most 8 digits. Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
  const maxMinor = integer('CUSTOM_MAX_MINOR', 1, 99_999_999);
  const stepMinor = integer('CUSTOM_STEP_MINOR', 1, 99_999_999);
  if (maxMinor < minMinor) {
    faults.push('CUSTOM_MAX_MINOR must not be less than CUSTOM_MIN_MINOR.');
  }
  const presetsMinor = list('PRESETS_MINOR').map(item => whole('PRESETS_MINOR', item, 1, 99_999_999));
  // Source: https://docs.stripe.com/currencies#special-cases
  const finestMinor = currency === 'isk' ? 100 : fractionDigits(currency) === 3 ? 10 : 1;
  if (currency === 'ugx') {
    // Listed without a fraction and, as a special case, with two decimals: taken wrongly, prices are a hundred times off.
    faults.push('CURRENCY must not be "ugx": Stripe describes its amounts in two ways.');
  } else if (finestMinor > 1 && [stepMinor, ...presetsMinor].some(minor => minor % finestMinor !== 0)) {
    faults.push(
      `CUSTOM_STEP_MINOR and PRESETS_MINOR must be multiples of ${finestMinor}: Stripe charges no finer amounts of ${currency}.`,
    );
  }
  if (knownCurrency) {
    try {
      creditsFor(Math.max(maxMinor, ...presetsMinor), creditsPerMajorUnit, currency);
    } catch {
      faults.push(
        'CUSTOM_MAX_MINOR, PRESETS_MINOR and CREDITS_PER_MAJOR_UNIT give more credits than can be counted.',
      );
    }
  }

  const pageHost = optional('PAYMENT_PAGE_HOST')?.toLowerCase();
  if (pageHost !== undefined && URL.parse(`https://${pageHost}`)?.host !== pageHost) {
    faults.push(`PAYMENT_PAGE_HOST must be a host alone, such as pay.example.com, not "${pageHost}".`);
  }

  const returnUriSchemes = list('RETURN_URI_SCHEMES').map(scheme => scheme.toLowerCase());
  for (const scheme of returnUriSchemes) {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme) || NEVER_A_RETURN_SCHEME.includes(scheme)) {
      faults.push(`RETURN_URI_SCHEMES must not name "${scheme}".`);
    }
  }

  const webEditorOrigins = list('WEB_EDITOR_ORIGINS').flatMap(
    item => origin('WEB_EDITOR_ORIGINS', item)?.origin ?? [],
  );

  const sandbox = optional('CREDITS_SANDBOX') !== undefined && oneOf('CREDITS_SANDBOX', ['0', '1']) === '1';
  const seedFile = optional('CREDITS_SEED_FILE');
  if (seedFile !== undefined && !sandbox) {
    faults.push('CREDITS_SEED_FILE is for the sandbox only: set CREDITS_SANDBOX=1 too, or leave it out.');
  }

  const automaticTax =
    optional('STRIPE_AUTOMATIC_TAX') !== undefined && oneOf('STRIPE_AUTOMATIC_TAX', ['0', '1']) === '1';
  const apiUrl = optional('STRIPE_API_URL');
  const secretKey = optional('STRIPE_SECRET_KEY') ?? (sandbox && apiUrl ? 'sk_test_sandbox' : undefined);
  const webhookSecrets = list('STRIPE_WEBHOOK_SECRETS');
  if (secretKey !== undefined) {
    if (!/^(sk|rk)_(live|test)_[0-9A-Za-z_]+$/.test(secretKey)) {
      faults.push('STRIPE_SECRET_KEY must begin with sk_live_, sk_test_, rk_live_ or rk_test_.');
    }
    if (webhookSecrets.length === 0) {
      faults.push('STRIPE_WEBHOOK_SECRETS must name at least one secret when payments are on.');
    }
    if (sandbox && secretKey.includes('_live_')) {
      faults.push(
        'CREDITS_SANDBOX=1 accepts answers without amounts, so it never goes with a live STRIPE_SECRET_KEY.',
      );
    }
    if (sandbox && apiUrl === undefined) {
      faults.push(
        'STRIPE_API_URL must name the stand-in when CREDITS_SANDBOX=1 goes with a STRIPE_SECRET_KEY.',
      );
    }
  }
  for (const secret of webhookSecrets) {
    if (!/^whsec_\S{8,}$/.test(secret)) {
      faults.push('STRIPE_WEBHOOK_SECRETS must each begin with whsec_.');
    }
  }
  const apiOrigin = apiUrl === undefined ? undefined : origin('STRIPE_API_URL', apiUrl);

  const metricsToken = optional('METRICS_TOKEN');
  if (metricsToken !== undefined && !/^[\x21-\x7e]{16,}$/.test(metricsToken)) {
    faults.push('METRICS_TOKEN must be at least 16 visible characters without spaces.');
  }

  const corsOrigins = list('CORS_ORIGINS').flatMap(item => origin('CORS_ORIGINS', item)?.origin ?? []);

  const trustedProxies = list('TRUSTED_PROXIES');
  for (const proxy of trustedProxies) {
    if (!isAddressOrNetwork(proxy)) {
      faults.push(`TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, not "${proxy}".`);
    }
  }

  const issuers = list('OIDC_ISSUERS');
  for (const issuer of issuers) {
    const url = URL.parse(issuer);
    if (!url || !isSecureOrLoopback(url) || url.search || url.hash || url.username || url.password) {
      faults.push(
        `OIDC_ISSUERS must be https addresses, or http on loopback, without query or user, not "${withoutUser(issuer)}".`,
      );
    }
  }
  const clientId = optional('OIDC_CLIENT_ID');
  if (issuers.length > 0 !== (clientId !== undefined)) {
    faults.push('OIDC_CLIENT_ID must be set with OIDC_ISSUERS, and only then.');
  }
  const tokenType = optional('OIDC_TOKEN_TYPE') && oneOf('OIDC_TOKEN_TYPE', ['at+jwt']);
  const audience = optional('OIDC_AUDIENCE') ?? publicUrl?.origin ?? '';
  const ownResource = optional('OIDC_RESOURCE');
  const resource = ownResource === undefined ? publicUrl : origin('OIDC_RESOURCE', ownResource);

  const databaseUrl = optional('DATABASE_URL');
  if (databaseUrl !== undefined) {
    const url = URL.parse(databaseUrl);
    // The value is not repeated: it holds a password.
    if (!url || !['postgres:', 'postgresql:'].includes(url.protocol) || url.pathname.length < 2) {
      faults.push('DATABASE_URL must be of the form postgres://user:password@host:5432/name.');
    }
  }
  const applicationName = text('DATABASE_APPLICATION_NAME');
  if (!/^[\x21-\x7e]{1,50}$/.test(applicationName)) {
    faults.push('DATABASE_APPLICATION_NAME must be 1 to 50 visible ASCII characters without spaces.');
  }
  const postgres = {
    url: databaseUrl ?? '',
    applicationName,
    poolSize: integer('DATABASE_POOL_SIZE', 1, 1_000),
    poolWaitMs: integer('DATABASE_POOL_WAIT_MS', 50, 60_000),
    statementTimeoutMs: integer('DATABASE_STATEMENT_TIMEOUT_MS', 50, 600_000),
    lockTimeoutMs: integer('DATABASE_LOCK_TIMEOUT_MS', 50, 600_000),
    idleInTransactionTimeoutMs: integer('DATABASE_IDLE_TRANSACTION_TIMEOUT_MS', 50, 600_000),
  };

  const config = {
    host,
    port,
    publicUrl: publicUrl?.origin ?? '',
    dataDir: text('DATA_DIR'),
    postgres: databaseUrl === undefined ? undefined : postgres,
    logLevel: oneOf('LOG_LEVEL', LOG_LEVELS),
    rateLimits: {
      perMinute: integer('RATE_LIMIT_PER_MINUTE', 1, 1_000_000_000),
      servicePerMinute: integer('RATE_LIMIT_SERVICE_PER_MINUTE', 1, 1_000_000_000),
    },
    trustedProxies,
    corsOrigins,
    maxEventLoopDelayMs: integer('MAX_EVENT_LOOP_DELAY_MS', 0, 60_000),
    metricsToken,
    heartbeatMs: integer('HEARTBEAT_MS', 50, HEARTBEAT_MS),
    reconcileMs: integer('RECONCILE_MS', 50, 86_400_000),
    sandbox,
    seedFile,
    offer: { currency, creditsPerMajorUnit, presetsMinor, custom: { minMinor, maxMinor, stepMinor } },
    maxDailyMinor:
      optional('MAX_DAILY_MINOR') === undefined ? undefined : integer('MAX_DAILY_MINOR', 1, 1e12),
    returnUriSchemes,
    webEditorOrigins,
    identity:
      clientId === undefined
        ? undefined
        : {
            issuers,
            clientId,
            audience,
            resource: resource?.origin ?? '',
            claims: {
              subject: text('OIDC_SUBJECT_CLAIM'),
              email: text('OIDC_EMAIL_CLAIM'),
              emailVerified: text('OIDC_EMAIL_VERIFIED_CLAIM'),
            },
            tokenType,
          },
    payments:
      secretKey === undefined
        ? undefined
        : {
            secretKey,
            webhookSecrets,
            apiUrl: apiOrigin,
            // Source: https://docs.stripe.com/payments/checkout/custom-domains
            pageHost: pageHost ?? (apiOrigin ? undefined : 'checkout.stripe.com'),
            unitPriceId: optional('STRIPE_UNIT_PRICE_ID'),
            automaticTax,
            mode: sandbox
              ? ('sandbox' as const)
              : secretKey.includes('_live_')
                ? ('live' as const)
                : ('test' as const),
          },
  };
  if (faults.length > 0) {
    throw new ConfigFaults(faults);
  }
  return config;
}

export function isSecureOrLoopback(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** 127.0.0.0/8, [::1], localhost and the names under it. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    name === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

/** @param commands what operators do by hand, by name */
export function helpText(
  commands: Readonly<Record<string, { readonly usage: string; readonly meaning: string }>> = {},
): string {
  const width = Math.max(...variables.map(([name]) => name.length));
  const lines = variables.map(
    ([name, fallback, meaning]) => `  ${name.padEnd(width)}  ${meaning}${fallback ? ` [${fallback}]` : ''}`,
  );
  const byHand = Object.entries(commands).map(
    ([name, { usage, meaning }]) => `  ${`${name} ${usage}`.trim()}\n           ${meaning}`,
  );
  return `Usage: credits-server [serve|migrate|verify|COMMAND …] [options]

Commands:
  serve    Serves the credits API, takes Stripe's webhooks and keeps the ledger. Stops on SIGINT or SIGTERM.
           Brings the database's schema up to date first. This is what it does without a command.
  migrate  Brings the schema up to date and ends. Safe to do twice, and while servers run.
  verify   Recomputes every balance from the ledger's entries and ends: with 0 when the books are in order,
           with 1 when anything differs or could not be looked at.

By hand, each change noted in the audit log as the operator's (with the embedded database while no server runs):
${byHand.join('\n')}

Options:
  --grant-to ROLE  With migrate, as the owner of the tables: lets this PostgreSQL role serve. It can add to the
                   ledger and cannot change or delete what is in it.
  --repair         With verify, as the owner of the tables: rebuilds balances that differ from their entries, and
                   lets the organisations post again that were frozen for it.
  --json           The result of a command done by hand as JSON, for programs.
  --help           This text.

Environment:
${lines.join('\n')}
`;
}
