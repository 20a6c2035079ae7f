// The program: reads the configuration, opens the database, and serves, migrates or verifies. A server stops in order
// when told to.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { buildApp } from './app.ts';
import { systemClock } from './clock.ts';
import { type Config, ConfigFaults, helpText, readConfig } from './config.ts';
import type { Warnings } from './database/bell.ts';
import { type Database, DatabaseUnavailable, type Opening, openEmbedded } from './database/database.ts';
import { DataDirectoryLocked } from './database/lock.ts';
import { SchemaBehind, SchemaTooNew } from './database/migrate.ts';
import { openPostgres } from './database/postgres.ts';
import { grantTo } from './database/privileges.ts';
import { SchemaBroken } from './database/schema.ts';
import {
  type Drift,
  frozenOrganisations,
  isOfProjection,
  repairProjection,
  verifyLedger,
} from './ledger/verify.ts';
import { createLog } from './log.ts';
import { plant, readSeedFile, SeedFault } from './seed.ts';

async function serve(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const seed = config.seedFile === undefined ? undefined : readSeedFile(config.seedFile);
  const database = await openDatabase(config, log);
  const app = await buildApp({ config, database, log });
  try {
    if (seed) {
      await plant(database, app.parts.ledger, systemClock, seed);
    }
    await app.parts.bookKeeper.start();
    const address = await app.listen({ host: config.host, port: config.port });
    app.parts.reconciler.start(config.reconcileMs);
    console.log(`Credits server is listening on ${address} (pages for people: ${config.publicUrl}).`);
    console.log(
      `Payments: ${config.payments?.mode ?? 'none, nothing can be bought'}. Data: ${whereDataIs(config)}.`,
    );
  } catch (error) {
    await app.close();
    await database.close();
    throw error;
  }

  const stop = async (signal: string) => {
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    console.log(`${signal}: stopping.`);
    await app.close();
    await database.close();
    console.log('Stopped.');
    process.exit(0);
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
}

async function migrateOnly(config: Config, { 'grant-to': role }: Options): Promise<void> {
  if (role !== undefined && !config.postgres) {
    throw new UsageFault(
      '--grant-to is for PostgreSQL: the embedded database has no roles. Set DATABASE_URL.',
    );
  }
  const database = await openDatabase(config, createLog(config.logLevel));
  try {
    if (role !== undefined) {
      await grantTo(database.query, role);
      console.log(`${role} may serve: it adds to the history and cannot change it.`);
    }
  } finally {
    await database.close();
  }
  console.log(`The schema is up to date. Data: ${whereDataIs(config)}.`);
}

async function verify(config: Config, { repair = false }: Options): Promise<void> {
  const database = await openDatabase(config, createLog(config.logLevel), { apply: false });
  try {
    const found = await verifyLedger(database.longReads);
    const drifts = repair ? await repaired(database, found) : found;
    for (const { orgId, where, expected, found } of drifts) {
      console.log(`${orgId}: ${where} is ${found}, and should be ${expected}.`);
    }
    console.log(
      drifts.length === 0
        ? 'The books are in order: every balance is the sum of its entries.'
        : `${drifts.length} found. Take no backup over a good one, and let nobody post until it is explained.`,
    );
    process.exitCode = drifts.length === 0 ? 0 : 1;
  } finally {
    await database.close();
  }
}

/** What is still wrong after the balances were rebuilt, of each organisation that is frozen or has wrong balances. */
async function repaired(database: Database, found: readonly Drift[]): Promise<readonly Drift[]> {
  const broken = found.filter(isOfProjection).map(({ orgId }) => orgId);
  for (const orgId of new Set([...broken, ...(await frozenOrganisations(database.query))])) {
    await repairProjection(database, orgId);
    console.log(`${orgId}: its balances are rebuilt from its entries, and its ledger is open again.`);
  }
  return verifyLedger(database.longReads);
}

/** The arguments are not what the command takes. */
class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

function openDatabase(config: Config, log: Warnings, opening?: Opening): Promise<Database> {
  return config.postgres
    ? openPostgres(config.postgres, log, opening)
    : openEmbedded(config.dataDir, opening);
}

function whereDataIs({ postgres, dataDir }: Config): string {
  return postgres ? `PostgreSQL at ${new URL(postgres.url).host}` : dataDir;
}

/** Faults a person can mend get a sentence; anything else is a bug and keeps its stack. */
function explain(error: unknown): string {
  if (error instanceof ConfigFaults) {
    return [
      error.message,
      ...error.faults.map(fault => `  ${fault}`),
      'credits-server --help lists them all.',
    ].join('\n');
  }
  if (error instanceof DataDirectoryLocked) {
    return `${error.message} Stop it first, or choose another DATA_DIR.`;
  }
  if (error instanceof SchemaTooNew) {
    return `${error.message} Start that version, or restore a backup.`;
  }
  if (error instanceof SchemaBroken) {
    return [
      'The database is not as its migrations leave it, so nothing is served:',
      ...error.faults.map(fault => `  ${fault}`),
      'Put it right, or restore a backup.',
    ].join('\n');
  }
  if (error instanceof SchemaBehind) {
    return `${error.message} Run credits-server migrate first.`;
  }
  if (error instanceof DatabaseUnavailable) {
    return `PostgreSQL cannot be reached: ${reasonOf(error.cause)}. Is it running, and is DATABASE_URL right?`;
  }
  if (error instanceof SeedFault || error instanceof UsageFault) {
    return error.message;
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' && 'port' in error) {
    return `Port ${error.port} is in use by another program. Stop it first, or choose another PORT.`;
  }
  if (error instanceof Error && 'code' in error && error.code === 'EACCES') {
    return `Not allowed: ${error.message}.`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A refused connection to a name with several addresses has an empty message and a code. */
function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return (cause instanceof Error && cause.message) || code || 'unknown';
}

interface Options {
  readonly 'grant-to'?: string;
  readonly repair?: boolean;
}

interface Command {
  readonly run: (config: Config, options: Options) => Promise<void>;
  /** As `parseArgs` wants them. */
  readonly options: NonNullable<ParseArgsConfig['options']>;
}

const commands: Readonly<Record<string, Command>> = {
  serve: { run: serve, options: {} },
  migrate: { run: migrateOnly, options: { 'grant-to': { type: 'string' } } },
  verify: { run: verify, options: { repair: { type: 'boolean' } } },
};

const [argument = 'serve', ...more] = process.argv.slice(2);
const command = Object.hasOwn(commands, argument) ? commands[argument] : undefined;
const helpAsked = [argument, ...more].some(word => word === '--help' || word === '-h');
if (helpAsked) {
  console.log(helpText());
} else if (command === undefined || optionsOf(command, more) === undefined) {
  const unknown = command === undefined ? argument : more.join(' ');
  console.error(`Unknown argument ${unknown}. The server is configured by its environment: see --help.`);
  process.exitCode = 2;
} else {
  try {
    await command.run(readConfig(process.env), optionsOf(command, more) ?? {});
  } catch (error) {
    console.error(explain(error));
    process.exit(1);
  }
}

/** Undefined when there is one that the command does not take. */
function optionsOf({ options }: Command, args: string[]): Options | undefined {
  try {
    return parseArgs({ args, options, strict: true }).values;
  } catch {
    return undefined;
  }
}
