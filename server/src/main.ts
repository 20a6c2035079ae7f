#!/usr/bin/env node
// The program: reads the configuration, opens the database, and serves, migrates or verifies. A server stops in order
// when told to.
import { buildApp } from './app.ts';
import { adminCommands, findAdminCommand, readOptions, runAdminCommand } from './cli/commands.ts';
import { CommandRefused, type OptionList, Options } from './cli/options.ts';
import { systemClock } from './clock.ts';
import { type Config, ConfigFaults, helpText, readConfig } from './config.ts';
import type { Warnings } from './database/bell.ts';
import { type Database, DatabaseUnavailable, type Opening, openEmbedded } from './database/database.ts';
import { DataDirectoryLocked } from './database/lock.ts';
import { SchemaBehind, SchemaTooNew } from './database/migrate.ts';
import { openPostgres } from './database/postgres.ts';
import { grantTo, OwnerRefused } from './database/privileges.ts';
import { SchemaBroken } from './database/schema.ts';
import { sqlState } from './database/sqlState.ts';
import {
  type Drift,
  frozenOrganisations,
  isMendable,
  repairProjection,
  verifyLedger,
} from './ledger/verify.ts';
import { createLog } from './log.ts';
import { RequestRefused } from './problems.ts';
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

/** Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const NO_SUCH_ROLE = '42704';

async function migrateOnly(options: Options, config: Config): Promise<void> {
  const role = options.has('grant-to') ? options.text('grant-to') : undefined;
  if (role !== undefined && !config.postgres) {
    throw new CommandRefused(
      '--grant-to is for PostgreSQL: the embedded database has no roles. Set DATABASE_URL.',
    );
  }
  const database = await openDatabase(config, createLog(config.logLevel));
  try {
    if (role !== undefined) {
      await grantTo(database.query, role).catch(error => {
        throw sqlState(error) === NO_SUCH_ROLE
          ? new CommandRefused(`There is no role "${role}": make it first.`)
          : error instanceof OwnerRefused
            ? new CommandRefused(error.message)
            : error;
      });
      console.log(`${role} may serve: it adds to the history and cannot change it.`);
    }
  } finally {
    await database.close();
  }
  console.log(`The schema is up to date. Data: ${whereDataIs(config)}.`);
}

async function verify(options: Options, config: Config): Promise<void> {
  const database = await openDatabase(config, createLog(config.logLevel), { apply: false });
  try {
    const found = await verifyLedger(database.longReads);
    const drifts = options.has('repair') ? await repaired(database, found) : found;
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

/** What is still wrong after all that can be was rebuilt, of each organisation that is frozen or has wrong figures. */
async function repaired(database: Database, found: readonly Drift[]): Promise<readonly Drift[]> {
  const broken = found.filter(isMendable).map(({ orgId }) => orgId);
  for (const orgId of new Set([...broken, ...(await frozenOrganisations(database.query))])) {
    await repairProjection(database, orgId);
    console.log(`${orgId}: its balances are rebuilt from its entries, and its ledger is open again.`);
  }
  return verifyLedger(database.longReads);
}

/** With the embedded database only while no server runs, with PostgreSQL at any time. */
async function administrate(words: readonly string[]): Promise<void> {
  const found = findAdminCommand(words);
  if (!found) {
    throw new CommandRefused(`There is no command "${words.slice(0, 2).join(' ')}": see --help.`);
  }
  // What was typed wrong is told before a database is opened.
  const options = readOptions(found.command, found.rest);
  const config = readConfig(process.env);
  // With PostgreSQL others are at work on it, perhaps of the version before: only `migrate` and `serve` change its schema.
  const database = await openDatabase(config, createLog(config.logLevel), { apply: !config.postgres });
  try {
    console.log(await runAdminCommand(database, systemClock, found.command, options));
  } finally {
    await database.close();
  }
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
    return `${error.message} Stop it first, or choose another DATA_DIR. (With DATABASE_URL, commands work beside running servers; tokens can also be managed over the API.)`;
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
    return `${error.message} Run credits-server migrate first, as the owner of its tables.`;
  }
  if (error instanceof DatabaseUnavailable) {
    return `PostgreSQL cannot be reached: ${reasonOf(error.cause)}. Is it running, and is DATABASE_URL right?`;
  }
  if (error instanceof SeedFault || error instanceof CommandRefused || error instanceof RequestRefused) {
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

interface Command {
  readonly options: OptionList;
  readonly run: (options: Options, config: Config) => Promise<void>;
}

const commands: Readonly<Record<string, Command>> = {
  serve: { options: {}, run: (_, config) => serve(config) },
  migrate: { options: { 'grant-to': 'optional' }, run: migrateOnly },
  verify: { options: { repair: 'flag' }, run: verify },
};

const [argument = 'serve', ...more] = process.argv.slice(2);
const command = Object.hasOwn(commands, argument) ? commands[argument] : undefined;
const helpAsked = [argument, ...more].some(word => word === '--help' || word === '-h');
if (helpAsked) {
  console.log(helpText(adminCommands));
} else if (argument.startsWith('-')) {
  console.error(`Unknown argument ${argument}. The server is configured by its environment: see --help.`);
  process.exitCode = 2;
} else {
  try {
    await (command
      ? command.run(new Options(more, command.options), readConfig(process.env))
      : administrate([argument, ...more]));
  } catch (error) {
    console.error(explain(error));
    process.exit(error instanceof CommandRefused ? 2 : 1);
  }
}
