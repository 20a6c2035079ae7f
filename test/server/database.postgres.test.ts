// What only a database beyond this process can do: refuse, be full, be away, break off at the worst moment.
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { sql } from 'kysely';
import { eventually } from '../../scripts/support/eventually.ts';
import type { Database, Tx } from '../../server/src/database/database.ts';
import type { PostgresConfig } from '../../server/src/database/postgres.ts';
import { SchemaBroken } from '../../server/src/database/schema.ts';
import { readBalance } from '../../server/src/ledger/balance.ts';
import { freshDatabase, openFor } from './support/databases.ts';
import { booksAreInOrder, House, houseWithStripe, type Org, sessionEvent } from './support/house.ts';

/** A network between server and database that can be cut, at once or at the next COMMIT. */
class Wire {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** `before`: the database never hears of it. `after`: it does, and its answer is lost. */
  cutAtCommit: 'before' | 'after' | undefined;
  cuts = 0;
  down: boolean = false;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async to(target: string): Promise<Wire> {
    const { port } = new URL(target);
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = new URL(target);
    url.port = String(address.port);
    const wire = new Wire(server, url.href);
    server.on('connection', near => wire.#join(near, Number(port)));
    return wire;
  }

  #join(near: Socket, port: number): void {
    if (this.down) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    let deaf = false;
    near.on('data', chunk => {
      const commits = chunk.includes('commit\0');
      if (commits && this.cutAtCommit === 'before') {
        this.cutAtCommit = undefined;
        this.cuts++;
        near.destroy();
        return;
      }
      if (commits && this.cutAtCommit === 'after') {
        this.cutAtCommit = undefined;
        this.cuts++;
        deaf = true;
      }
      far.write(chunk);
    });
    far.on('data', chunk => {
      if (deaf) {
        near.destroy();
      } else {
        near.write(chunk);
      }
    });
  }

  cut(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

describe('PostgreSQL', () => {
  let url: string;
  let opened: Database[] = [];
  const open = async (at: string, change?: Partial<PostgresConfig>): Promise<Database> => {
    const database = await openFor(at, change);
    opened.push(database);
    return database;
  };
  before(async () => {
    url = await freshDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.map(database => database.close()));
    opened = [];
  });

  const debit = (house: House, org: Org, eventId: string, tx: Tx) =>
    house.app.parts.ledger.use(tx, org.id, {
      eventId,
      amountUcr: 1_000_000n,
      userId: undefined,
      model: undefined,
      actor: 'test',
    });

  it('brings the schema up to date once when several processes start at the same moment', async () => {
    const fresh = await freshDatabase();
    const [database] = await Promise.all([open(fresh), open(fresh), open(fresh), open(fresh)]);
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(database.query);
    assert.equal(new Set(rows.map(row => row.name)).size, rows.length);
  });

  it('F70 brings the schema up to date beside a long read, and lets others read meanwhile', async () => {
    const url = await freshDatabase();
    const first = await openFor(url, { lockTimeoutMs: 4_000 });
    // As the version before left it.
    await sql`alter table purchases drop column lost_since`.execute(first.query);
    await sql`delete from kysely_migration where name = '0010_lost_sessions'`.execute(first.query);
    let end = () => {};
    const reading = first.longReads.transaction().execute(async tx => {
      await sql`select count(*) from purchases`.execute(tx);
      await new Promise<void>(resolve => {
        end = resolve;
      });
    });
    const opening = openFor(url);
    await eventually(
      'the step waits for the table',
      async () => {
        const { rows } = await sql<{ waiting: boolean }>`
          select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
            and query like '%lost_since%') as waiting`.execute(first.query);
        return rows[0]?.waiting;
      },
      waiting => waiting === true,
    );
    await sql`select count(*) from purchases`.execute(first.query);
    end();
    await reading;
    await (await opening).close();
    await sql`select lost_since from purchases`.execute(first.query);
    await first.close();
  });

  it('F70 refuses a database on which a step was applied in part and never recorded', async () => {
    const fresh = await freshDatabase();
    const database = await open(fresh);
    await sql`delete from kysely_migration where name <> '0001_ledger'`.execute(database.query);
    await assert.rejects(open(fresh), error => error instanceof SchemaBroken && /0002_/.test(error.message));
  });

  it('counts int8 in bigint, for this pool alone', async () => {
    const database = await open(url);
    const { rows } = await sql<{ small: bigint; large: bigint }>`
      select 1::int8 as small, 9007199254740993::int8 as large`.execute(database.query);
    assert.deepEqual(rows, [{ small: 1n, large: 9_007_199_254_740_993n }]);
    const { default: pg } = await import('pg');
    assert.equal(pg.types.getTypeParser(20)('1'), '1');
  });

  it('plans the balance once for a connection, not each time it is read', async () => {
    const database = await open(url, { poolSize: 1 });
    const house = await House.build({ database });
    const org = await house.org();
    // PostgreSQL tries five plans with the values at hand before it keeps one.
    for (let read = 0; read < 10; read++) {
      await readBalance(database.query, org.id, house.clock.now());
    }
    const { rows } = await sql<{ kept: number }>`
      select generic_plans::int as kept from pg_prepared_statements where statement like '%with usable as%'`.execute(
      database.query,
    );
    assert.ok((rows[0]?.kept ?? 0) > 0, JSON.stringify(rows));
    await house.close();
  });

  it('tells the database its name and its limits', async () => {
    const database = await open(url, { lockTimeoutMs: 1_234, statementTimeoutMs: 5_678 });
    const { rows } = await sql`select current_setting('application_name') as name,
      current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`.execute(
      database.query,
    );
    assert.deepEqual(rows, [{ name: 'credits-test', lock: '1234ms', statement: '5678ms' }]);
  });

  it('F65 does the whole transaction again after a serialization failure, to the same result', async () => {
    const database = await open(url);
    const house = await House.build({ database });
    const org = await house.org();
    let attempts = 0;
    await database.transaction(async tx => {
      await debit(house, org, 'once', tx);
      if (++attempts === 1) {
        await sql`do $$ begin raise exception 'conflict' using errcode = '40001'; end $$`.execute(tx);
      }
    });
    assert.equal(attempts, 2);
    assert.equal((await house.balance(org)).available_ucr, 5_217_000_000);
    await booksAreInOrder(house);
    await house.close();
  });

  it('F65 gets both of two transactions done that block each other', async () => {
    const database = await open(url);
    const house = await House.build({ database });
    const orgs = [await house.org(), await house.org()] as const;
    let met = 0;
    let meet = () => {};
    const both = new Promise<void>(resolve => {
      meet = resolve;
    });
    const work = (first: Org, second: Org) =>
      database.transaction(async tx => {
        await debit(house, first, `from_${first.id}`, tx);
        if (++met === 2) {
          meet();
        }
        await both;
        await debit(house, second, `from_${first.id}`, tx);
      });
    await Promise.all([work(orgs[0], orgs[1]), work(orgs[1], orgs[0])]);
    assert.ok(met > 2, 'they did block each other');
    for (const org of orgs) {
      assert.equal((await house.balance(org)).available_ucr, 5_216_000_000);
    }
    await booksAreInOrder(house);
    await house.close();
  });

  it('F65 answers 503 when a lock stays taken, and debits once when it is asked again', async () => {
    const database = await open(url, { lockTimeoutMs: 50 });
    const house = await House.build({ database });
    const org = await house.org();
    const usage = () =>
      house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'locked', amount_ucr: 1_000_000 });
    await database.transaction(async tx => {
      await sql`select 1 from organisations where org_id = ${org.id} for update`.execute(tx);
      const answer = await usage();
      assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
      assert.equal(answer.headers['retry-after'], '5');
    });
    assert.equal((await usage()).statusCode, 200);
    assert.equal((await house.balance(org)).available_ucr, 5_217_000_000);
    await house.close();
  });

  for (const [moment, what] of [
    ['before', 'F66 credits once when the connection breaks before the database hears COMMIT'],
    ['after', 'F66 credits once when the database has committed and its answer is lost'],
  ] as const) {
    it(what, async () => {
      const wire = await Wire.to(url);
      const database = await open(wire.url);
      const { house, stripe } = await houseWithStripe({ database });
      const org = await house.org();
      const purchase = await house.bought(org);
      const session = stripe.sessionOf(purchase.id);
      stripe.double.pay(session.id);
      wire.cutAtCommit = moment;
      const answer = await house.deliver(sessionEvent(session.id));
      assert.equal(wire.cuts, 1);
      assert.equal(answer.statusCode, 200, 'the outcome was found out, not guessed');
      const { status, balance_version } = await house.purchase(org, purchase.id);
      assert.deepEqual([status, balance_version], ['credited', 2]);
      const balance = await house.balance(org);
      assert.deepEqual([balance.available_ucr, balance.version], [10_218_000_000, 2]);
      await booksAreInOrder(house);
      await house.close();
      await database.close();
      opened = [];
      await wire.close();
    });
  }

  it('F66 runs no work twice that was committed', async () => {
    const wire = await Wire.to(url);
    const database = await open(wire.url);
    await sql`create table if not exists tries (n int)`.execute(database.query);
    let runs = 0;
    wire.cutAtCommit = 'after';
    const result = await database.transaction(async tx => {
      await sql`insert into tries values (1)`.execute(tx);
      return ++runs;
    });
    const { rows } = await sql<{ n: bigint }>`select count(*) as n from tries`.execute(database.query);
    assert.deepEqual([wire.cuts, runs, result, rows[0]?.n], [1, 1, 1, 1n]);
    await database.close();
    opened = [];
    await wire.close();
  });

  it('F66 answers 503 when nobody can be asked, and debits once when it is asked again', async () => {
    const wire = await Wire.to(url);
    const database = await open(wire.url, { poolWaitMs: 100 });
    const house = await House.build({ database });
    const org = await house.org();
    const usage = () =>
      house.post(`/v1/orgs/${org.id}/usage`, org.service, { event_id: 'unsure', amount_ucr: 1_000_000 });
    wire.cutAtCommit = 'after';
    const asking = usage();
    while (wire.cuts === 0) {
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    wire.down = true;
    wire.cut();
    const answer = await asking;
    assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
    wire.down = false;
    const again = await usage();
    assert.deepEqual([again.statusCode, again.json().duplicate], [200, true]);
    assert.equal((await house.balance(org)).available_ucr, 5_217_000_000);
    await house.close();
    await database.close();
    opened = [];
    await wire.close();
  });

  it('F67 answers 503 on a database that takes no writes, reads on, and has nothing half-written', async () => {
    const fresh = await freshDatabase();
    const writable = await open(fresh);
    const house = await House.build({ database: writable });
    const org = await house.org();
    await sql
      .raw(`alter database ${new URL(fresh).pathname.slice(1)} set default_transaction_read_only = on`)
      .execute(writable.query);
    await house.close();
    await writable.close();
    opened = [];
    const database = await open(fresh);
    const later = await House.build({ database });
    const answer = await later.post(`/v1/orgs/${org.id}/usage`, org.service, {
      event_id: 'e',
      amount_ucr: 1,
    });
    assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
    assert.equal(answer.headers['retry-after'], '5');
    assert.equal((await later.balance(org)).available_ucr, 5_218_000_000);
    await booksAreInOrder(later);
    await later.close();
  });

  it('F68 answers 503 at once when every connection is taken, with a red health check, and recovers', async () => {
    const database = await open(url, { poolSize: 2, poolWaitMs: 150 });
    const house = await House.build({ database });
    const org = await house.org();
    let letGo = () => {};
    const held = new Promise<void>(resolve => {
      letGo = resolve;
    });
    const holders: Array<Promise<void>> = [];
    for (let n = 0; n < 2; n++) {
      await new Promise<void>(begun => {
        const hold = () => {
          begun();
          return held;
        };
        holders.push(database.transaction(hold));
      });
    }
    try {
      const started = performance.now();
      const answers = await Promise.all(
        Array.from({ length: 300 }, () => house.get(`/v1/orgs/${org.id}/balance`, org.admin)),
      );
      const tookMs = performance.now() - started;
      for (const answer of answers) {
        assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
        assert.equal(answer.headers['retry-after'], '1');
      }
      assert.ok(tookMs < 3_000, `${tookMs} ms`);
      assert.equal((await house.get('/health')).statusCode, 503);
    } finally {
      letGo();
    }
    await Promise.all(holders);
    assert.equal((await house.get('/health')).statusCode, 200);
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
    await house.close();
  });

  it('F69 T30 credits again, once, what a restored backup missed, and takes back what was refunded meanwhile', async () => {
    const name = (of: string) => new URL(of).pathname.slice(1);
    const lost = await freshDatabase();
    const { house, stripe } = await houseWithStripe({ database: await open(lost) });
    const org = await house.org();
    const refunded = stripe.sessionOf((await house.bought(org)).id);
    stripe.double.pay(refunded.id);
    await house.deliver(sessionEvent(refunded.id));
    const paid = stripe.sessionOf((await house.bought(org)).id);
    // A copy is made of a database that nobody uses, so the server stops for it.
    await house.close();
    await opened.pop()?.close();
    const backup = new URL(url);
    backup.pathname = `${name(lost)}_backup`;
    const elsewhere = await open(url);
    await sql.raw(`create database ${name(backup.href)} template ${name(lost)}`).execute(elsewhere.query);

    const options = { clock: house.clock, sdk: stripe.sdk };
    const before = (await houseWithStripe({ ...options, database: await open(lost) })).house;
    stripe.double.pay(paid.id);
    await before.deliver(sessionEvent(paid.id));
    for (const event of stripe.double.refund(refunded.id)) {
      await before.deliver(event);
    }
    const unknown = stripe.sessionOf((await before.bought(org)).id);
    stripe.double.pay(unknown.id);
    await before.deliver(sessionEvent(unknown.id));
    assert.equal((await before.balance(org)).available_ucr, 15_218_000_000);
    await before.close();

    const restored = (await houseWithStripe({ ...options, database: await open(backup.href) })).house;
    assert.equal((await restored.balance(org)).available_ucr, 10_218_000_000);
    await restored.app.parts.reconciler.look();
    await restored.app.parts.reconciler.look();
    assert.equal((await restored.deliver(sessionEvent(paid.id))).statusCode, 200);
    const balance = await restored.balance(org);
    assert.deepEqual([balance.available_ucr, balance.version], [10_218_000_000, 4]);
    // Ordered after the backup: a person must look, and is told so without a delivery.
    assert.equal((await restored.get('/health')).json().webhooks.quarantined, 1);
    await booksAreInOrder(restored);
    await restored.close();
  });

  it('answers 503 while the database is away, and goes on by itself when it is back', async () => {
    const wire = await Wire.to(url);
    const database = await open(wire.url, { poolWaitMs: 500 });
    const house = await House.build({ database });
    const org = await house.org();
    wire.down = true;
    wire.cut();
    const answer = await house.get(`/v1/orgs/${org.id}/balance`, org.admin);
    assert.deepEqual([answer.statusCode, answer.json().code], [503, 'unavailable']);
    wire.down = false;
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
    await house.close();
    await database.close();
    opened = [];
    await wire.close();
  });

  it('hears again after the connection that listens broke, and catches up on what rang meanwhile', async () => {
    const wire = await Wire.to(url);
    const deaf = await open(wire.url);
    const direct = await open(url);
    const heard: string[] = [];
    let onGap = () => {};
    const gap = new Promise<void>(resolve => {
      onGap = resolve;
    });
    await deaf.listen('outbox', payload => heard.push(payload), onGap);
    wire.down = true;
    wire.cut();
    await sql`select pg_notify('outbox', 'unheard')`.execute(direct.query);
    wire.down = false;
    await gap;
    await sql`select pg_notify('outbox', 'heard')`.execute(direct.query);
    while (heard.length === 0) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.deepEqual(heard, ['heard']);
    await deaf.close();
    opened = [direct];
    await wire.close();
  });
});
