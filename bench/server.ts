// The server's figures: what a balance costs, what the ledger adds to bare SQL, what a crowd of deliveries and of
// listeners does. Both sides of a ratio are measured in this run, in turns.
// Usage: npm run bench:server -- [--quick] [--only ROW]     a whole run is written to bench/server.json
import { parseArgs } from 'node:util';
import { inRoot } from '../scripts/support/places.ts';
import { ensureBinaries, startPostgres } from '../scripts/support/postgres.ts';
import { runScript } from '../scripts/support/script.ts';
import type { Bench } from './server/bench.ts';
import { ledgerRows } from './server/ledger.ts';
import { outageRows } from './server/outage.ts';
import { paymentRows } from './server/payments.ts';
import { streamRows } from './server/streams.ts';
import { isMet, type Row, show, writeResults } from './support/table.ts';

/** Groups of rows; `--only` takes a group or the beginning of a row's id. */
const groups: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  ledger: ledgerRows,
  payments: paymentRows,
  streams: streamRows,
  outage: outageRows,
};

await runScript(async () => {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, only: { type: 'string' } } });
  const wanted = Object.entries(groups).filter(([name]) => values.only === undefined || values.only === name);
  if (wanted.length === 0) {
    throw new Error(`--only takes one of ${Object.keys(groups).join(', ')}.`);
  }
  await ensureBinaries();
  // With fsync, as people run it.
  const postgres = await startPostgres({ settings: { max_connections: '50' } });
  const rows: Row[] = [];
  try {
    for (const [name, run] of wanted) {
      console.log(`${name} ...`);
      const database = await postgres.createDatabase(`bench_${name}`);
      rows.push(...(await run({ postgresUrl: database, quick: values.quick === true })));
    }
  } finally {
    await postgres.stop();
  }
  console.log('');
  show(rows);
  if (values.quick || values.only !== undefined) {
    console.log('\nNot written down: only a whole run is.');
  } else {
    writeResults(inRoot('bench/server.json'), rows);
  }
  process.exitCode = rows.every(isMet) ? 0 : 1;
});
