// Writes docs/api/openapi.json from the server's routes; with --check only says whether it is up to date.
// Usage: node scripts/openapi.ts [--check]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { buildApp } from '../server/src/app.ts';
import { readConfig } from '../server/src/config.ts';
import type { Database } from '../server/src/database/database.ts';

export const openApiFile = new URL('../docs/api/openapi.json', import.meta.url);

/** The document as text, the same on every machine. */
export async function openApiText(): Promise<string> {
  const app = await buildApp({ config: readConfig({}), database: noDatabase });
  try {
    await app.ready();
    return `${JSON.stringify(app.swagger(), null, 2)}\n`;
  } finally {
    await app.close();
  }
}

/** Routes are described, not called, so nothing is ever asked of these. */
const noQuery: Database['query'] = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: database => new PostgresIntrospector(database),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

const noDatabase: Database = {
  query: noQuery,
  longReads: noQuery,
  exclusive: true,
  transaction: () => Promise.reject(new Error('there is no database here')),
  listen: async () => async () => {},
  close: async () => {},
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const text = await openApiText();
  const written = existsSync(openApiFile) ? readFileSync(openApiFile, 'utf8') : '';
  if (!process.argv.includes('--check')) {
    writeFileSync(openApiFile, text);
    console.log('docs/api/openapi.json is written.');
  } else if (written === text) {
    console.log('docs/api/openapi.json is up to date.');
  } else {
    console.error('docs/api/openapi.json is out of date: run `npm run openapi`.');
    process.exitCode = 1;
  }
}
