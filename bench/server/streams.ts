// Ten thousand event streams on one server process, and a payment that all of them are to hear of.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Purchase, paths } from '../../protocol/api.ts';
import { inRoot } from '../../scripts/support/places.ts';
import { freePort } from '../../scripts/support/ports.ts';
import { answers, startProgram, waitUntil } from '../../scripts/support/processes.ts';
import { newSecret } from '../../server/src/ids.ts';
import type { Seed } from '../../server/src/seed.ts';
import { StripeDouble } from '../../test/support/stripeDouble.ts';
import { median, percentile, type Row } from '../support/table.ts';
import { type Bench, webhookSecret } from './bench.ts';
import type { Heard, Opening } from './listeners.ts';

/** The server's own cap for one person is 20. */
const streamsPerPerson = 20;
const payments = 7;

export async function streamRows({ postgresUrl, quick }: Bench): Promise<Row[]> {
  const streams = quick ? 200 : 10_000;
  const directory = mkdtempSync(join(tmpdir(), 'bench-streams-'));
  const double = new StripeDouble();
  const stripe = await double.listen();
  const orgId = 'org_bench';
  const tokens = Array.from({ length: streams / streamsPerPerson }, () => `crd_pat_${newSecret()}`);
  const seed: Seed = {
    organisations: [
      {
        id: orgId,
        name: 'Bench',
        opening_balance_ucr: 5_218_000_000,
        people: tokens.map((token, n) => ({
          id: `usr_${n}`,
          name: `P${n}`,
          email: null,
          role: 'admin',
          token,
        })),
      },
    ],
  };
  const seedFile = join(directory, 'seed.json');
  writeFileSync(seedFile, JSON.stringify(seed));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // The double runs in this process; the server is the program that people run, by itself.
  const server = await startProgram(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', inRoot('server/src/main.ts')],
    {
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        DATABASE_URL: postgresUrl,
        CREDITS_SANDBOX: '1',
        CREDITS_SEED_FILE: seedFile,
        LOG_LEVEL: 'warn',
        STRIPE_SECRET_KEY: 'sk_test_of_the_bench',
        STRIPE_WEBHOOK_SECRETS: webhookSecret,
        STRIPE_API_URL: `http://${stripe.host}:${stripe.port}`,
      },
      onLine: line => line.includes('"level"') && console.log(line),
    },
  );
  const listeners = fork(inRoot('bench/server/listeners.ts'), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  try {
    await waitUntil('The credits server', () => answers(`${url}/health`), {
      program: server,
      timeoutMs: 60_000,
    });
    const emptyMb = residentMb(server.pid);
    const opening: Opening = { url: url + paths.events(orgId), tokens, streamsPerPerson };
    listeners.send(opening);
    const [opened] = (await once(listeners, 'message')) as [{ open: number; ms: number }];
    if (opened.open !== streams) {
      throw new Error(`Only ${opened.open} of ${streams} streams opened.`);
    }
    const sizesMb = [residentMb(server.pid)];
    const p99s: number[] = [];
    for (let n = 0; n < payments; n++) {
      const heard = once(listeners, 'message') as Promise<[Heard]>;
      const paidAt = await pay(double, url, orgId, tokens[0] ?? '', n);
      const [{ arrivalsMs }] = await heard;
      p99s.push(
        percentile(
          arrivalsMs.map(ms => ms - paidAt),
          99,
        ),
      );
      sizesMb.push(residentMb(server.pid));
    }
    return [
      {
        id: 'streams-memory',
        what: `memory of one server process with ${streams} open event streams (resident; postgres)`,
        figure: Math.max(...sizesMb),
        unit: 'MB',
        limit: { atMost: 400 },
        details: { 'without streams, MB': emptyMb, 'opening them took, ms': Math.round(opened.ms) },
      },
      {
        id: 'streams-payment',
        what: `webhook sent -> heard on ${streams} streams, p99 (median of ${payments} payments)`,
        figure: median(p99s),
        unit: 'ms',
        limit: { atMost: 1_000 },
        details: { 'slowest payment, ms': Math.round(Math.max(...p99s)) },
      },
    ];
  } finally {
    listeners.kill();
    await server.stop();
    await stripe.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Orders, pays and delivers; the moment the delivery was sent, on the clock that all processes share. */
async function pay(
  double: StripeDouble,
  url: string,
  orgId: string,
  token: string,
  n: number,
): Promise<number> {
  const created = await fetch(url + paths.purchases(orgId), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': `bench-${n}`,
    },
    body: JSON.stringify({ amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000 }),
  });
  if (created.status !== 201) {
    throw new Error(`The purchase was answered ${created.status}: ${await created.text()}`);
  }
  const { id } = (await created.json()) as Purchase;
  const session = double.sessions().find(({ metadata }) => metadata?.['purchase_id'] === id);
  const [event] = double.pay(session?.id ?? '').filter(({ type }) => type === 'checkout.session.completed');
  if (!event) {
    throw new Error('The payment made no event.');
  }
  const sentAt = sharedClockMs();
  const status = await double.deliver(event, { url: `${url}/webhooks/stripe`, secret: webhookSecret });
  if (status !== 200) {
    throw new Error(`The delivery was answered ${status}.`);
  }
  return sentAt;
}

/** The same for all processes of a machine, unlike performance.now(). */
function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function residentMb(pid: number): number {
  const kb =
    process.platform === 'linux'
      ? /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Math.round(Number(kb) / 1_000);
}
