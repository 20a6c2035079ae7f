// The program itself on PostgreSQL: two processes at once, and the commands that end.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import Stripe from 'stripe';
import type { Balance, Purchase } from '../../protocol/api.ts';
import type { Seed } from '../../server/src/seed.ts';
import { freshDatabase, openFor } from './support/databases.ts';
import { bearer, type Emulated, sessionEvent, startEmulator, WEBHOOK_SECRET } from './support/house.ts';

const ADMIN = `crd_pat_${'a'.repeat(32)}`;
const seed: Seed = {
  organisations: [
    {
      id: 'org_acme',
      name: 'Acme Robotics',
      opening_balance_ucr: 5_218_000_000,
      people: [{ id: 'usr_ada', name: 'Ada Byron', email: 'ada@acme.example', role: 'admin', token: ADMIN }],
    },
  ],
};
const main = new URL('../../server/src/main.ts', import.meta.url).pathname;

describe('the program on PostgreSQL', function () {
  this.timeout(60_000);
  let directory: string;
  let emulator: Emulated;
  let environment: Record<string, string>;
  let url: string;
  const running: ChildProcess[] = [];

  before(async () => {
    emulator = await startEmulator();
    url = await freshDatabase();
    directory = mkdtempSync(join(tmpdir(), 'credits-server-'));
    writeFileSync(join(directory, 'seed.json'), JSON.stringify(seed));
    environment = {
      ...emulator.environment,
      PATH: process.env['PATH'] ?? '',
      CREDITS_SEED_FILE: join(directory, 'seed.json'),
      DATABASE_URL: url,
      DATA_DIR: join(directory, 'never-made'),
      PUBLIC_URL: 'http://credits.localhost:4310',
      PORT: '0',
      RECONCILE_MS: '86400000',
    };
  });
  after(async () => {
    for (const child of running) {
      child.kill('SIGKILL');
    }
    await emulator.close();
    rmSync(directory, { recursive: true });
  });

  const serve = async (): Promise<string> => {
    const child = spawn(process.execPath, [main], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    running.push(child);
    let out = '';
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.stderr.on('data', chunk => {
      out += chunk;
    });
    for (;;) {
      const address = /listening on (http:\S+)/.exec(out)?.[1];
      if (address !== undefined) {
        return address;
      }
      assert.equal(child.exitCode, null, out);
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
    }
  };
  const command = (...args: string[]): Promise<{ code: number; said: string }> =>
    new Promise(resolve => {
      execFile(process.execPath, [main, ...args], { env: environment }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr }),
      );
    });
  const ask = async <T>(address: string, path: string, init: RequestInit = {}): Promise<T> => {
    const answer = await fetch(`${address}/v1/orgs/org_acme/${path}`, {
      ...init,
      headers: { ...bearer(ADMIN), ...init.headers },
    });
    assert.ok(answer.ok, `${answer.status} ${path}`);
    return (await answer.json()) as T;
  };

  it('explains its commands', async () => {
    const [help, unknown] = await Promise.all([command('verify', '--help'), command('migrat')]);
    assert.equal(help.code, 0);
    assert.match(help.said, /migrate {2}Brings.*\n[\s\S]*verify {3}Recomputes/);
    assert.equal(unknown.code, 2);
    const misplaced = await Promise.all([command('migrate', '--repair'), command('serve', 'twice')]);
    assert.deepEqual(
      misplaced.map(({ code }) => code),
      [2, 2],
    );
  });

  it('F70 verify changes no schema, and says what to do first', async () => {
    const { code, said } = await command('verify');
    assert.equal(code, 1);
    assert.match(said, /Run credits-server migrate first/);
  });

  it('F70 no command by hand changes the schema, and each says what to do first', async () => {
    const { code, said } = await command('orgs', 'list');
    assert.equal(code, 1);
    assert.match(said, /Run credits-server migrate first/);
  });

  it('F70 migrate can be done twice at once', async () => {
    for (const { code, said } of await Promise.all([command('migrate'), command('migrate')])) {
      assert.equal(code, 0, said);
      assert.match(said, /up to date/);
    }
  });

  it('says that there is no such role to grant to', async () => {
    const { code, said } = await command('migrate', '--grant-to', 'nobodys');
    assert.deepEqual([code, said], [2, 'There is no role "nobodys": make it first.\n']);
  });

  it('serves as two processes started at once, and a delivery at one moves the listener at the other', async () => {
    const [one, two] = await Promise.all([serve(), serve()]);
    const leaving = new AbortController();
    const stream = await fetch(`${two}/v1/orgs/org_acme/events`, {
      headers: bearer(ADMIN),
      signal: leaving.signal,
    });
    const purchase = await ask<Purchase>(one, 'purchases', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' },
      body: JSON.stringify({ amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000 }),
    });
    assert.ok(purchase.checkout_url);
    await emulator.pay(purchase.checkout_url);
    const payload = JSON.stringify(
      sessionEvent(new URL(purchase.checkout_url).pathname.split('/').at(-1) ?? ''),
    );
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET });
    const answer = await fetch(`${one}/webhooks/stripe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': signature },
      body: payload,
    });
    assert.equal(answer.status, 200);
    assert.ok(stream.body);
    let heard = '';
    for await (const text of stream.body.pipeThrough(new TextDecoderStream())) {
      heard += text;
      if (heard.includes('"available_ucr":10218000000')) {
        break;
      }
    }
    leaving.abort();
    assert.equal((await ask<Balance>(two, 'balance')).available_ucr, 10_218_000_000);
  });

  it('F71 verify ends with 0 while the books are in order and with 1 when they are not', async () => {
    const good = await command('verify');
    assert.deepEqual(
      [good.code, good.said.trim()],
      [0, 'The books are in order: every balance is the sum of its entries.'],
    );
    const database = await openFor(url);
    await sql`alter table accounts disable trigger only_by_entries`.execute(database.query);
    await sql`update accounts set balance_ucr = balance_ucr + 1 where account_id = 'usage'`.execute(
      database.query,
    );
    await sql`alter table accounts enable trigger only_by_entries`.execute(database.query);
    await database.close();
    const bad = await command('verify');
    assert.equal(bad.code, 1);
    assert.match(bad.said, /org_acme: account usage is 1, and should be 0\./);
    const repaired = await command('verify', '--repair');
    assert.deepEqual(
      [repaired.code, repaired.said.trim().split('\n')],
      [
        0,
        [
          'org_acme: its balances are rebuilt from its entries, and its ledger is open again.',
          'The books are in order: every balance is the sum of its entries.',
        ],
      ],
    );
    assert.equal((await command('verify')).code, 0);
  });

  it('says what is wrong when PostgreSQL cannot be reached, without its password', async () => {
    environment['DATABASE_URL'] = 'postgres://ada:open-sesame@127.0.0.1:9/credits';
    const { code, said } = await command('migrate');
    assert.equal(code, 1);
    assert.match(said, /PostgreSQL cannot be reached: .*ECONNREFUSED/);
    assert.doesNotMatch(said, /open-sesame/);
  });
});
