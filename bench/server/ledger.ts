// What a balance costs, however long the ledger, and how much of the database's own speed the ledger keeps.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { sql } from 'kysely';
import { paths } from '../../protocol/api.ts';
import { inRoot } from '../../scripts/support/places.ts';
import type { App } from '../../server/src/app.ts';
import { systemClock } from '../../server/src/clock.ts';
import { type Database, openInMemory } from '../../server/src/database/database.ts';
import { readBalance } from '../../server/src/ledger/balance.ts';
import { verifyLedger } from '../../server/src/ledger/verify.ts';
import { median, type Row } from '../support/table.ts';
import { type Bench, newOrganisation, type Organisation, openOnPostgres, serverOn } from './bench.ts';

/** As many as an idle pool can take; more would measure the queue. */
const atOnce = 8;

export async function ledgerRows({ postgresUrl, quick }: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, open, sizes] of [
    [
      'postgres',
      () => openOnPostgres(postgresUrl),
      quick ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000],
    ],
    ['pglite', openInMemory, quick ? [1_000, 10_000] : [1_000, 10_000, 100_000]],
  ] as const) {
    const database = await open();
    const app = await serverOn(database);
    await app.ready();
    try {
      rows.push(...(await readsByLength(name, database, app, sizes, quick)));
      rows.push(...(await againstBareSql(name, database, app, quick)));
    } finally {
      await app.close();
      await database.close();
    }
  }
  return rows;
}

async function readsByLength(
  name: string,
  database: Database,
  app: App,
  sizes: readonly number[],
  quick: boolean,
): Promise<Row[]> {
  const organisations: { size: number; id: string; timesMs: number[] }[] = [];
  for (const size of sizes) {
    organisations.push({ size, id: await fill(database, app, size), timesMs: [] });
  }
  await sql`analyze`.execute(database.query);
  const readsAtOnce = quick ? 50 : 300;
  const rounds = quick ? 5 : 11;
  for (let round = -1; round < rounds; round++) {
    for (const organisation of organisations) {
      const started = performance.now();
      for (let read = 0; read < readsAtOnce; read++) {
        await readBalance(database.query, organisation.id, systemClock());
      }
      // The first round warms up.
      if (round >= 0) {
        organisation.timesMs.push((performance.now() - started) / readsAtOnce);
      }
    }
  }
  const [shortest] = organisations;
  const longest = organisations.at(-1);
  if (!shortest || !longest) {
    throw new Error('There is no ledger to read from.');
  }
  // Each round's ratio by itself, so that what else the machine does falls on both sides.
  const ratios = longest.timesMs.map((ms, round) => ms / (shortest.timesMs[round] ?? Number.NaN));
  return [
    {
      id: `ledger-length-${name}`,
      what: `reading a balance: ledger of ${longest.size} entries / of ${shortest.size} (${name})`,
      figure: median(ratios),
      unit: 'ratio',
      limit: { atMost: 1.5 },
      details: Object.fromEntries(
        organisations.map(({ size, timesMs }) => [`${size} entries, ms`, Number(median(timesMs).toFixed(3))]),
      ),
    },
  ];
}

/** An organisation with this many entries behind it: usage from many grants, of which all but the newest are spent. */
async function fill(database: Database, app: App, entries: number): Promise<string> {
  const used = entries / 2 - 1;
  const { id } = await newOrganisation(app, database, `with_${entries}`, 5_218_000_000n + BigInt(used));
  await database.transaction(async tx => {
    // Bulk, past the triggers: a million postings one by one take an hour. The books are checked below.
    await sql`set local session_replication_role = replica`.execute(tx);
    const { rows } = await sql<{
      grant_id: string;
    }>`select grant_id from grants where org_id = ${id}`.execute(tx);
    const grant = rows[0]?.grant_id;
    await sql`insert into ledger_transactions (org_id, version, type, source_type, source_id, actor, effective_at, created_at)
      select ${id}, 1 + n, 'usage', 'usage_event', n::text, 'bench', now(), now() from generate_series(1, ${used}::int) n`.execute(
      tx,
    );
    for (const [account, sign] of [
      ['usage', 1],
      [grant, -1],
    ] as const) {
      await sql`insert into ledger_entries (org_id, version, account_id, amount_ucr)
        select ${id}, 1 + n, ${account}, ${sign}::int from generate_series(1, ${used}::int) n`.execute(tx);
      await sql`update accounts set balance_ucr = balance_ucr + ${sign * used}::bigint
        where org_id = ${id} and account_id = ${account}`.execute(tx);
    }
    // One purchase for every thousand entries.
    await sql`insert into grants (org_id, grant_id, kind, granted_ucr, effective_at, created_at)
      select ${id}, 'gr_spent_' || n, 'purchased', 5000000000, now(), now() from generate_series(1, ${Math.ceil(entries / 1000)}::int) n`.execute(
      tx,
    );
    await sql`insert into accounts (org_id, account_id, kind, floor_ucr, ceiling_ucr)
      select ${id}, grant_id, 'grant', 0, granted_ucr from grants where org_id = ${id} and grant_id like 'gr_spent_%'`.execute(
      tx,
    );
    await sql`update organisations set version = version + ${used}::int where org_id = ${id}`.execute(tx);
  });
  const drifts = await verifyLedger(database.longReads);
  if (drifts.length > 0) {
    throw new Error(
      `The bench's ledger is not one: ${JSON.stringify(drifts.slice(0, 3), (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
    );
  }
  return id;
}

async function againstBareSql(name: string, database: Database, app: App, quick: boolean): Promise<Row[]> {
  const organisations: Organisation[] = [];
  for (let n = 0; n < atOnce; n++) {
    organisations.push(await newOrganisation(app, database, `busy_${n}`, 1_000_000_000_000n));
  }
  const idOf = (worker: number): string => organisations[worker]?.id ?? '';
  await sql`create table bare_balances (org_id text primary key, balance_ucr bigint not null)`.execute(
    database.query,
  );
  await sql`create table bare_entries (org_id text, n bigint, amount_ucr bigint not null, primary key (org_id, n))`.execute(
    database.query,
  );
  for (const { id } of organisations) {
    await sql`insert into bare_balances values (${id}, 0)`.execute(database.query);
  }
  let count = 0;
  const select = (worker: number): Promise<unknown> =>
    sql`select balance_ucr from bare_balances where org_id = ${idOf(worker)}`.execute(database.query);
  const read = (worker: number): Promise<unknown> => app.parts.dueDates.readBalance(idOf(worker));
  const insertAndUpdate = (worker: number): Promise<unknown> =>
    database.transaction(async tx => {
      await sql`insert into bare_entries values (${idOf(worker)}, ${++count}, 1)`.execute(tx);
      await sql`update bare_balances set balance_ucr = balance_ucr + 1 where org_id = ${idOf(worker)}`.execute(
        tx,
      );
    });
  const use = (worker: number): Promise<unknown> =>
    database.transaction(tx =>
      app.parts.ledger.use(tx, idOf(worker), {
        eventId: `bench_${++count}`,
        amountUcr: 1n,
        userId: undefined,
        model: undefined,
        actor: 'bench',
      }),
    );
  const rounds = quick ? 5 : 9;
  const roundMs = quick ? 200 : 1_500;
  const reads = await inTurns(
    rounds,
    () => rate(select, roundMs),
    () => rate(read, roundMs),
  );
  const postings = await inTurns(
    rounds,
    () => rate(insertAndUpdate, roundMs),
    () => rate(use, roundMs),
  );
  const rows = [
    ratioRow(`ledger-read-${name}`, `the ledger reads a balance / a bare SELECT (${name})`, 0.6, reads),
    ratioRow(
      `usage-posting-${name}`,
      `the ledger posts usage / a bare INSERT and UPDATE in a transaction (${name})`,
      0.35,
      postings,
    ),
  ];
  if (name === 'postgres') {
    rows.push(await overHttp(app, organisations, () => rate(select, roundMs), { rounds, roundMs }));
  }
  return rows;
}

/** Asked from a process of its own, as clients are. */
async function overHttp(
  app: App,
  organisations: readonly Organisation[],
  bare: () => Promise<number>,
  { rounds, roundMs }: { rounds: number; roundMs: number },
): Promise<Row> {
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const asker = fork(inRoot('bench/server/asker.ts'), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  try {
    const questions = organisations.map(({ id, token }) => ({ url: address + paths.balance(id), token }));
    const asked = async (): Promise<number> => {
      asker.send({ questions, forMs: roundMs });
      const [perSecond] = (await once(asker, 'message')) as [number];
      return perSecond;
    };
    const rates = await inTurns(rounds, bare, asked);
    return ratioRow(
      'http-read',
      'a balance over HTTP, with its token checked / a bare SELECT (postgres)',
      0.35,
      rates,
    );
  } finally {
    asker.kill();
  }
}

interface Rates {
  readonly bare: number[];
  readonly ours: number[];
}

async function inTurns(
  rounds: number,
  bare: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Rates> {
  const rates: Rates = { bare: [], ours: [] };
  for (let round = -1; round < rounds; round++) {
    const [one, other] = [await bare(), await ours()];
    if (round >= 0) {
      rates.bare.push(one);
      rates.ours.push(other);
    }
  }
  return rates;
}

function ratioRow(id: string, what: string, atLeast: number, { bare, ours }: Rates): Row {
  return {
    id,
    what,
    figure: median(ours.map((perSecond, round) => perSecond / (bare[round] ?? Number.NaN))),
    unit: 'ratio',
    limit: { atLeast },
    details: { 'bare, per second': Math.round(median(bare)), 'ours, per second': Math.round(median(ours)) },
  };
}

/** How often a second this is done by several at once. */
async function rate(work: (worker: number) => Promise<unknown>, forMs: number): Promise<number> {
  const started = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async (_, worker) => {
      while (performance.now() - started < forMs) {
        await work(worker);
        done++;
      }
    }),
  );
  return (done * 1_000) / (performance.now() - started);
}
