// What has to work before anything is installed: a lock between two runs, npm, and a line that says how long a step
// takes. Plain JavaScript, because it also runs on Nodes too old for TypeScript; bootstrap.d.mts holds the types.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Says `text`, then how long `work` took. A terminal sees the seconds count; a log gets a line every 10 s. */
export async function step(text, work) {
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  const live = process.stdout.isTTY === true;
  const say = (state, end) => process.stdout.write(`${live ? '\r\x1b[K' : ''}${text} ... ${state}${end}`);
  say('', live ? '' : '\n');
  const ticking = setInterval(() => say(seconds(), live ? '' : '\n'), live ? 1000 : 10_000);
  try {
    const result = await work();
    say(`done in ${seconds()}`, '\n');
    return result;
  } catch (error) {
    say(`failed after ${seconds()}`, '\n');
    throw error;
  } finally {
    clearInterval(ticking);
  }
}

/** Runs `work` while no other process holds the same lock; a lock whose holder died is taken over. */
export async function withLock(folder, work) {
  mkdirSync(dirname(folder), { recursive: true });
  for (let told = false; !take(folder); ) {
    if (!told) console.log('Another run is installing the same files; waiting for it.');
    told = true;
    await new Promise(resolve => setTimeout(resolve, 300));
  }
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function take(folder) {
  const holder = join(folder, 'pid');
  try {
    mkdirSync(folder);
    writeFileSync(holder, String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!isAbandoned(folder, holder)) return false;
  // Renamed before it is removed, so that of two waiting runs only one clears it away.
  const grave = `${folder}.${process.pid}`;
  try {
    renameSync(folder, grave);
    rmSync(grave, { recursive: true, force: true });
  } catch {
    // The other one was quicker.
  }
  return false;
}

function isAbandoned(folder, holder) {
  try {
    const pid = Number(readFileSync(holder, 'utf8'));
    if (pid > 0) {
      process.kill(pid, 0);
      return false;
    }
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    if (error.code === 'EPERM') return false;
  }
  // No number in it yet: its maker is between two lines, or died there.
  try {
    return Date.now() - statSync(folder).mtimeMs > 5000; // ms
  } catch {
    return false;
  }
}

/** Runs npm with the given Node and says nothing unless it fails; then the error carries what npm said. */
export async function npm(args, { cwd, node = process.execPath }) {
  // npm tells its scripts where it is itself; run with our Node it has no engine to warn about.
  const own = process.env['npm_execpath'] ?? '';
  const [command, before] = basename(own) === 'npm-cli.js' ? [node, [own]] : ['npm', []];
  const child = spawn(command, [...before, ...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    env: { ...process.env, PATH: withFirst(dirname(node)) },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: command === 'npm' && process.platform === 'win32',
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (said += text));
  const code = await new Promise((resolve, reject) => {
    child.once('error', () =>
      reject(new Error('npm was not found: install it (it comes with Node), then try again.')),
    );
    child.once('close', resolve);
  });
  // After "Usage:" npm lists its options, which nobody asked for.
  const reason = said.split(/^npm error Usage:/m)[0].trim();
  if (code !== 0) throw new Error(`npm ${args[0]} failed in ${cwd}; npm said:\n${reason}`);
}

/** The search path with these folders in front. */
export function withFirst(...folders) {
  const separator = process.platform === 'win32' ? ';' : ':';
  return [...folders, process.env['PATH'] ?? process.env['Path'] ?? ''].join(separator);
}

/** Whether this program starts and answers `--version`; its answer, or nothing. */
export function versionOf(program) {
  const asked = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}
