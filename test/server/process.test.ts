// The program itself, as processes: started, stopped, killed, started again, and twice on one directory.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import type { Balance, Purchase } from '../../protocol/api.ts';
import type { Seed } from '../../server/src/seed.ts';
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

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

class Program {
  readonly process: ChildProcess;
  out = '';
  err = '';

  constructor(environment: Record<string, string>, args: string[] = []) {
    const main = new URL('../../server/src/main.ts', import.meta.url).pathname;
    this.process = spawn(process.execPath, [main, ...args], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stdout?.on('data', chunk => {
      this.out += chunk;
    });
    this.process.stderr?.on('data', chunk => {
      this.err += chunk;
    });
  }

  async ended(): Promise<Ended> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      await once(this.process, 'close');
    }
    return { code: this.process.exitCode, out: this.out, err: this.err };
  }

  /** Its address, when it says that it is listening. */
  async listening(): Promise<string> {
    for (;;) {
      const address = /listening on (http:\S+)/.exec(this.out)?.[1];
      if (address !== undefined) {
        return address;
      }
      assert.equal(this.process.exitCode, null, this.err);
      await Promise.race([once(this.process.stdout ?? this.process, 'data'), once(this.process, 'exit')]);
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended();
  }
}

describe('the program', function () {
  this.timeout(60_000);
  let directory: string;
  let emulator: Emulated;
  let environment: Record<string, string>;
  let running: Program[] = [];

  const start = (change: Record<string, string> = {}, args?: string[]): Program => {
    const program = new Program({ ...environment, ...change }, args);
    running.push(program);
    return program;
  };
  const ask = async <T>(address: string, path: string, init: RequestInit = {}): Promise<T> => {
    const answer = await fetch(`${address}/v1/orgs/org_acme/${path}`, {
      ...init,
      headers: { ...bearer(ADMIN), ...init.headers },
    });
    assert.ok(answer.ok, `${answer.status} ${path}`);
    return (await answer.json()) as T;
  };
  const available = async (address: string) => (await ask<Balance>(address, 'balance')).available_ucr;

  before(async () => {
    emulator = await startEmulator();
    directory = mkdtempSync(join(tmpdir(), 'credits-server-'));
    writeFileSync(join(directory, 'seed.json'), JSON.stringify(seed));
    environment = {
      ...emulator.environment,
      CREDITS_SEED_FILE: join(directory, 'seed.json'),
      DATA_DIR: join(directory, 'data'),
      PUBLIC_URL: 'http://credits.localhost:4310',
      PORT: '0',
      // Far away: what heals here heals by being looked at.
      RECONCILE_MS: '86400000',
    };
  });
  afterEach(async () => {
    await Promise.all(running.map(program => program.kill()));
    running = [];
  });
  after(async () => {
    await emulator.close();
    rmSync(directory, { recursive: true });
  });

  it('F60 T28 killed between payment and webhook, heals when the purchase is looked at, and credits once', async () => {
    const first = start();
    const address = await first.listening();
    assert.equal(await available(address), 5_218_000_000);
    const purchase = await ask<Purchase>(address, 'purchases', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'once' },
      body: JSON.stringify({ amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000 }),
    });
    await first.kill();
    await emulator.pay(purchase.checkout_url ?? '');

    const second = start();
    const again = await second.listening();
    assert.equal((await ask<Purchase>(again, `purchases/${purchase.id}`)).status, 'credited');
    assert.equal(await available(again), 10_218_000_000);
    await second.kill();

    const third = await start().listening();
    const payload = JSON.stringify(
      sessionEvent(new URL(purchase.checkout_url ?? '').pathname.split('/').pop() ?? ''),
    );
    const late = await fetch(`${third}/webhooks/stripe`, {
      method: 'POST',
      body: payload,
      headers: {
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: WEBHOOK_SECRET }),
      },
    });
    assert.equal(late.status, 200);
    assert.equal(
      await available(third),
      10_218_000_000,
      'the seed was read three times, the payment told twice',
    );
  });

  it('is refused a directory that another server has, and given it when that one was killed', async () => {
    const first = start();
    await first.listening();
    const second = await start().ended();
    assert.equal(second.code, 1);
    const sentence = `The data directory ${environment['DATA_DIR']} is in use by process ${first.process.pid}. Stop it first, or choose another DATA_DIR.`;
    assert.ok(second.err.includes(sentence), second.err);
    await first.kill();
    await start().listening();
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`says goodbye to listeners and ends with 0 on ${signal}`, async () => {
      const program = start();
      const address = await program.listening();
      const stream = await fetch(`${address}/v1/orgs/org_acme/events`, { headers: bearer(ADMIN) });
      program.process.kill(signal);
      assert.match(await stream.text(), /event: stream\.closing\ndata: \{"reason":"shutdown"\}\n\n$/);
      const { code, out } = await program.ended();
      assert.deepEqual([code, out.endsWith('Stopped.\n')], [0, true]);
    });
  }

  it('says that the port is busy, and ends with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? `${address?.port}` : '';
    const { code, err } = await start({ PORT: port, LOG_LEVEL: 'silent' }).ended();
    other.close();
    assert.equal(code, 1);
    assert.ok(
      err.endsWith(`Port ${port} is in use by another program. Stop it first, or choose another PORT.\n`),
      err,
    );
  });

  it('lists all faults of its configuration, and ends with 1', async () => {
    const { code, err } = await start({ PORT: 'x', CURRENCY: 'zzz', LOG_LEVEL: 'loud' }).ended();
    assert.equal(code, 1);
    for (const name of ['PORT', 'CURRENCY', 'LOG_LEVEL']) {
      assert.ok(err.includes(`  ${name} must be`), name);
    }
  });

  it('says what is wrong with a seed file', async () => {
    const seedFile = join(directory, 'bad.json');
    writeFileSync(seedFile, JSON.stringify({ organisations: [{ id: 'acme', name: 'Acme', people: [] }] }));
    const { code, err } = await start({
      CREDITS_SEED_FILE: seedFile,
      DATA_DIR: join(directory, 'unused'),
    }).ended();
    assert.equal(code, 1);
    assert.match(err, /organisations\[0\]\.id/);
  });

  it('F70 refuses a database that a newer version has changed', async () => {
    const { openEmbedded } = await import('../../server/src/database/database.ts');
    const { sql } = await import('kysely');
    const newer = join(directory, 'newer');
    const database = await openEmbedded(newer);
    await sql`insert into kysely_migration (name, timestamp) values ('9999_future', '2099-01-01')`.execute(
      database.query,
    );
    await database.close();
    const { code, err } = await start({ DATA_DIR: newer }).ended();
    assert.equal(code, 1);
    assert.match(err, /newer version of this server \(9999_future\)/);
  });

  it('explains itself with --help, and takes no other argument', async () => {
    const help = await start({}, ['--help']).ended();
    assert.deepEqual([help.code, help.out.includes('STRIPE_WEBHOOK_SECRETS')], [0, true]);
    const wrong = await start({}, ['--port', '1']).ended();
    assert.equal(wrong.code, 2);
  });

  describe('as a command', () => {
    const done = (...args: string[]): Promise<Ended> =>
      start({ DATA_DIR: join(directory, 'books'), LOG_LEVEL: 'silent' }, args).ended();

    it('F70 migrates, twice, and grants to no role where there are none', async () => {
      for (const { code, out, err } of [await done('migrate'), await done('migrate')]) {
        assert.deepEqual([code, out.startsWith('The schema is up to date.')], [0, true], err);
      }
      const refused = await done('migrate', '--grant-to', 'serving');
      assert.equal(refused.code, 2);
      assert.match(refused.err, /--grant-to is for PostgreSQL/);
    });

    it('does what operators ask for on the embedded database, and gives it back', async () => {
      const opened = await done('orgs', 'add', '--id', 'org_books', '--name', 'Books');
      assert.deepEqual([opened.code, opened.out], [0, 'id org_books  name Books\n'], opened.err);
      const given = await done(
        'grants',
        'add',
        '--org',
        'org_books',
        '--credits',
        '5',
        '--id',
        'g',
        '--json',
      );
      assert.deepEqual([given.code, JSON.parse(given.out)], [0, { version: 1, duplicate: false }], given.err);
    });

    it('F71 verifies, and repairs what is kept beside the entries', async () => {
      const inOrder = 'The books are in order: every balance is the sum of its entries.';
      const { openEmbedded } = await import('../../server/src/database/database.ts');
      const { sql } = await import('kysely');
      assert.deepEqual((await done('verify')).out.trim(), inOrder);
      const database = await openEmbedded(join(directory, 'books'));
      await sql`alter table accounts disable trigger only_by_entries`.execute(database.query);
      await sql`update accounts set balance_ucr = balance_ucr - 1 where kind = 'grant'`.execute(
        database.query,
      );
      await sql`alter table accounts enable trigger only_by_entries`.execute(database.query);
      await database.close();
      const bad = await done('verify');
      assert.equal(bad.code, 1);
      assert.match(bad.out, /^org_books: account \S+ is 4999999, and should be 5000000\./);
      const repaired = await done('verify', '--repair');
      assert.deepEqual([repaired.code, repaired.out.trim().split('\n').at(-1)], [0, inOrder]);
      assert.deepEqual([(await done('verify')).code], [0]);
    });

    for (const [name, args, sentence] of [
      ['a command', ['orgs', 'burn'], 'There is no command "orgs burn": see --help.'],
      ['an option', ['orgs', 'list', '--loud'], /'--loud'.* See --help\./],
      ['an option of verify', ['verify', '--harder'], /'--harder'.* See --help\./],
      ['a word too many', ['migrate', 'twice'], /'twice'.* See --help\./],
      [
        'a missing option',
        ['tokens', 'add', '--org', 'org_books'],
        '--name, --scopes must be given. See --help.',
      ],
      ['an unknown organisation', ['users', 'list', '--org', 'org_x'], /There is no organisation org_x/],
    ] as const) {
      it(`ends with 2 and a sentence for ${name}`, async () => {
        const { code, out, err } = await done(...args);
        assert.deepEqual([code, out], [2, '']);
        assert.equal(err.trim().split('\n').length, 1, err);
        assert.ok(typeof sentence === 'string' ? err.trim() === sentence : sentence.test(err), err);
      });
    }
  });
});
