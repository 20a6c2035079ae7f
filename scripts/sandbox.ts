// A credits server, a payment side and an identity provider on this machine, seeded with people of two organisations: what `npm start`, the journey and
// the end-to-end tests stand on. Every run has a fresh directory, fresh tokens and fresh secrets.
//
// Usage: const sandbox = await startSandbox({ name: 'start', balance: 5218, rate: 100 }); ... await sandbox.stop();
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { paths } from '../protocol/api.ts';
import { UCR_PER_CREDIT } from '../protocol/units.ts';
import type { Seed } from '../server/src/seed.ts';
import type { IssuerEnvironment, IssuerOptions } from './issuer.ts';
import type { PaymentSideEnvironment } from './paymentSide.ts';
import { inRoot, out, root } from './support/places.ts';
import { freePort, portHolder } from './support/ports.ts';
import { answers, type Program, startProgram, waitUntil } from './support/processes.ts';

export type Role = 'admin' | 'member';

export const orgId = 'org_acme';
export const people = {
  admin: { id: 'usr_ada', name: 'Ada Admin', email: 'ada@acme.example' },
  member: { id: 'usr_max', name: 'Max Member', email: 'max@acme.example' },
} as const;
/** At home in the second organisation and a guest in the first. Has no access token: signs in by the provider. */
export const both = { id: 'usr_nora', name: 'Nora Both', email: 'nora@orbit.example' } as const;
export const secondOrgId = 'org_orbit';

export interface SandboxOptions {
  /** One sandbox at a time runs under a name; its folder is `out/sandbox/NAME`. */
  readonly name: string;
  /** Whole credits the organisation starts with. */
  readonly balance: number;
  /** Whole credits that one dollar buys. */
  readonly rate: number;
  /** Ports to insist on; free ones otherwise. */
  readonly ports?: { readonly server: number; readonly payment: number; readonly issuer: number };
  /** The address at which programs know the server, where something stands in between. */
  readonly audience?: string;
  /** Where the payment side sends its webhooks; straight to the server unless told. */
  readonly webhookUrl?: string;
  /** Laid over the server's own. */
  readonly serverEnvironment?: Readonly<Record<string, string>>;
  /** Made up unless given. */
  readonly tokens?: Partial<Readonly<Record<Role, string>>>;
}

export interface Sandbox {
  readonly directory: string;
  /** For programs: Node does not resolve names under `.localhost`. */
  readonly serverUrl: string;
  /** For people: where the pages a browser comes back to are. */
  readonly pagesUrl: string;
  /** For people: the payment pages' origin. */
  readonly payUrl: string;
  /** For programs: the payment side's API. */
  readonly payApiUrl: string;
  /** The identity provider, as programs reach it and as tokens name it. */
  readonly issuerUrl: string;
  /** The one password of all people at the identity provider. */
  readonly password: string;
  readonly tokens: Readonly<Record<Role | 'service', string>>;
  /** Settles with a sentence when a part of the sandbox ends without having been asked to. */
  readonly broken: Promise<string>;
  /** A request with a token; the path is one of protocol/api.ts. */
  ask(path: string, token: string, init?: RequestInit): Promise<Response>;
  /** Ends the credits server at once, as a power cut would. The payment side goes on. */
  killServer(): Promise<void>;
  startServer(): Promise<void>;
  restartServer(): Promise<void>;
  stop(): Promise<void>;
}

interface Running {
  readonly pid: number;
  readonly serverUrl: string;
  readonly port: number;
  /** Wall time, ms since the epoch. */
  readonly sinceMs: number;
}

/** So long at most does a sandbox take until it holds its port. */
const startingMs = 120_000;

const priceId = 'price_one_cent';
const currency = 'usd';

/** @throws {Error} with one sentence: another one is running, a port is busy, a part did not start. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const directory = join(out, 'sandbox', options.name);
  await refuseSecond(directory);
  const ports = options.ports ?? {
    server: await freePort(),
    payment: await freePort(),
    issuer: await freePort(),
  };
  await refuseBusyPorts(Object.values(ports));

  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const serverUrl = `http://127.0.0.1:${ports.server}`;
  const running: Running = { pid: process.pid, serverUrl, port: ports.server, sinceMs: Date.now() };
  writeFileSync(join(directory, 'running.json'), JSON.stringify(running));

  const tokens = {
    admin: `crd_pat_${secret()}`,
    member: `crd_pat_${secret()}`,
    service: `crd_svc_${secret()}`,
    ...options.tokens,
  };
  const seedFile = join(directory, 'seed.json');
  writeFileSync(seedFile, JSON.stringify(seed(options.balance, tokens)), { mode: 0o600 });
  const webhookSecret = `whsec_${secret()}`;
  const payUrl = `http://pay.localhost:${ports.payment}`;
  const payApiUrl = `http://127.0.0.1:${ports.payment}`;
  const pagesUrl = `http://credits.localhost:${ports.server}`;

  const issuerUrl = `http://127.0.0.1:${ports.issuer}`;
  const password = secret().slice(0, 10);
  const clientId = 'credits-editor';

  // Programs, the editor among them, know the server by its loopback address.
  const audience = options.audience ?? serverUrl;
  const issuerOptions: IssuerOptions = {
    port: ports.issuer,
    pagesHost: 'sign-in.localhost',
    audience,
    clientId,
    redirectUri: `${pagesUrl}/sign-in/return`,
    password,
    people: [
      { ...people.admin, note: '(admin)' },
      { ...people.member, note: '(member)' },
      { ...both, note: '(admin of another organisation, member here)' },
    ],
  };
  const issuerEnvironment: IssuerEnvironment = { ISSUER_OPTIONS: JSON.stringify(issuerOptions) };
  const paymentEnvironment: PaymentSideEnvironment = {
    PAYMENT_PORT: String(ports.payment),
    PAYMENT_PUBLIC_URL: payUrl,
    PAYMENT_WEBHOOK_URL: options.webhookUrl ?? `${serverUrl}/webhooks/stripe`,
    PAYMENT_WEBHOOK_SECRET: webhookSecret,
    PAYMENT_PRICE_ID: priceId,
    PAYMENT_CURRENCY: currency,
  };
  const serverEnvironment = {
    PORT: String(ports.server),
    PUBLIC_URL: pagesUrl,
    DATA_DIR: join(directory, 'data'),
    CREDITS_PER_MAJOR_UNIT: String(options.rate),
    CURRENCY: currency,
    OIDC_ISSUERS: issuerUrl,
    OIDC_CLIENT_ID: clientId,
    OIDC_AUDIENCE: audience,
    OIDC_RESOURCE: audience,
    OIDC_TOKEN_TYPE: 'at+jwt',
    CREDITS_SANDBOX: '1',
    CREDITS_SEED_FILE: seedFile,
    STRIPE_SECRET_KEY: `sk_test_${secret().replaceAll(/[-_]/g, '')}`,
    STRIPE_WEBHOOK_SECRETS: webhookSecret,
    STRIPE_API_URL: payApiUrl,
    STRIPE_UNIT_PRICE_ID: priceId,
    PAYMENT_PAGE_HOST: new URL(payUrl).host,
    // A machine at which people work is busy or asleep at times: that is no reason to turn them away.
    MAX_EVENT_LOOP_DELAY_MS: '0',
    ...options.serverEnvironment,
  };

  let breakOff: (sentence: string) => void = () => {};
  const broken = new Promise<string>(resolve => {
    breakOff = resolve;
  });
  const expected = new Set<Program>();
  const watch = (program: Program, what: string, log: string): Program => {
    void program.exited.then(code => {
      if (!expected.has(program)) {
        breakOff(`The ${what} ended by itself (code ${code}); its log is ${relative(root, log)}.`);
      }
    });
    return program;
  };
  const start = async (
    what: string,
    script: string,
    environment: object,
    readyUrl: string,
    logName: string,
  ) => {
    const logFile = join(directory, logName);
    const program = await startProgram(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
      cwd: root,
      env: { ...plainEnvironment(), ...environment },
      logFile,
    });
    try {
      await waitUntil(`The ${what}`, () => answers(readyUrl), { program, timeoutMs: 60_000 });
    } catch (error) {
      await program.stop();
      throw error;
    }
    return watch(program, what, logFile);
  };

  let payment: Program | undefined;
  let issuer: Program | undefined;
  let server: Program | undefined;
  let serverStarts = 0;
  const end = async (program: Program | undefined, how: (program: Program) => Promise<unknown>) => {
    if (program) {
      expected.add(program);
      await how(program);
    }
  };
  const sandbox: Sandbox = {
    directory,
    serverUrl,
    pagesUrl,
    payUrl,
    payApiUrl,
    issuerUrl,
    password,
    tokens,
    broken,
    ask: (path, token, init = {}) =>
      fetch(serverUrl + path, {
        ...init,
        headers: {
          authorization: `Bearer ${token}`,
          ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...init.headers,
        },
        signal: AbortSignal.timeout(10_000), // ms
      }),
    killServer: async () => {
      await end(server, async program => {
        process.kill(program.pid, 'SIGKILL');
        await program.exited;
        await program.stop();
      });
      server = undefined;
    },
    startServer: async () => {
      serverStarts++;
      server = await start(
        'credits server',
        inRoot('server/src/main.ts'),
        serverEnvironment,
        `${serverUrl}/health`,
        serverStarts === 1 ? 'server.log' : `server-${serverStarts}.log`,
      );
    },
    restartServer: async () => {
      await sandbox.killServer();
      await sandbox.startServer();
    },
    stop: async () => {
      await Promise.all([server, payment, issuer].map(each => end(each, program => program.stop())));
      rmSync(join(directory, 'running.json'), { force: true });
    },
  };
  try {
    const others = await Promise.allSettled([
      start(
        'payment side',
        inRoot('scripts/paymentSide.ts'),
        paymentEnvironment,
        `${payApiUrl}/v1/prices`,
        'payment.log',
      ).then(program => {
        payment = program;
      }),
      start(
        'identity provider',
        inRoot('scripts/issuer.ts'),
        issuerEnvironment,
        `${issuerUrl}/.well-known/openid-configuration`,
        'sign-in.log',
      ).then(program => {
        issuer = program;
      }),
    ]);
    for (const other of others) {
      if (other.status === 'rejected') {
        throw other.reason;
      }
    }
    await sandbox.startServer();
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
  return sandbox;
}

/** What the organisation has, as the API tells it, in whole credits where it is whole. */
export async function readBalance(sandbox: Sandbox, as: Role = 'admin'): Promise<number> {
  const response = await sandbox.ask(paths.balance(orgId), sandbox.tokens[as]);
  if (!response.ok) {
    throw new Error(`The credits server answered ${response.status} when asked for the balance.`);
  }
  const { available_ucr } = (await response.json()) as { available_ucr: number };
  return available_ucr / UCR_PER_CREDIT;
}

/** Debits credits as a model gateway would; the answer's balance is what is left. */
export async function postUsage(sandbox: Sandbox, eventId: string, credits: number): Promise<void> {
  const body = JSON.stringify({ event_id: eventId, amount_ucr: credits * UCR_PER_CREDIT });
  const response = await sandbox.ask(paths.usage(orgId), sandbox.tokens.service, { method: 'POST', body });
  if (!response.ok) {
    throw new Error(`The credits server answered ${response.status} to usage: ${await response.text()}`);
  }
}

function seed(balance: number, tokens: Sandbox['tokens']): Seed {
  return {
    organisations: [
      {
        id: orgId,
        name: 'Acme Robotics',
        opening_balance_ucr: balance * UCR_PER_CREDIT,
        people: [
          { ...people.admin, role: 'admin', token: tokens.admin },
          {
            ...people.member,
            role: 'user',
            token: tokens.member,
            budget: { limit_ucr: 1_500 * UCR_PER_CREDIT, period: 'month' },
          },
          { ...both, role: 'user' },
        ],
        teams: [
          {
            id: 'team_robotics',
            name: 'Robotics',
            members: [people.member.id],
            budget: { limit_ucr: 4_000 * UCR_PER_CREDIT, period: 'quarter' },
          },
        ],
        services: [{ id: 'svc_gateway', name: 'Model gateway', token: tokens.service }],
      },
      {
        id: secondOrgId,
        name: 'Orbit Labs',
        opening_balance_ucr: 1_200 * UCR_PER_CREDIT,
        people: [{ ...both, role: 'admin' }],
      },
    ],
  };
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

/** Nothing of the caller's own settings reaches the sandbox: no Stripe key of theirs, no proxy. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'Path', 'HOME', 'USERPROFILE', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'LANG', 'TZ'];
  return Object.fromEntries(
    kept.map(name => [name, process.env[name]]).filter(([, value]) => value !== undefined),
  );
}

async function refuseSecond(directory: string): Promise<void> {
  const file = join(directory, 'running.json');
  if (!existsSync(file)) {
    return;
  }
  let running: Running;
  try {
    running = JSON.parse(readFileSync(file, 'utf8')) as Running;
    process.kill(running.pid, 0);
  } catch {
    // Cut off before it could clean up, or half written.
    return;
  }
  // After a restart of the machine the number may belong to any process: a sandbox also holds its port.
  const isStarting = Math.abs(Date.now() - running.sinceMs) < startingMs;
  if (running.pid !== process.pid && (isStarting || (await portHolder(running.port)) !== undefined)) {
    throw new Error(
      `A sandbox is already running at ${running.serverUrl} (process ${running.pid}): use that one, or stop it first.`,
    );
  }
}

async function refuseBusyPorts(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const holder = await portHolder(port);
    if (holder !== undefined) {
      throw new Error(`Port ${port} is in use by ${holder}: choose other ports with --port N.`);
    }
  }
}
