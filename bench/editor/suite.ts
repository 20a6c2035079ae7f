// Measures inside the extension host: the empty extension and ours, in turns, each loaded anew and given a context of its
// own; then ours switched on and off a hundred times.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EventEmitter, type ExtensionContext, ExtensionMode, extensions, type Memento, Uri } from 'vscode';
import type { CreditsApi } from '../../src/api.ts';
import { type Kept, keptVariable, type Measured, type MeasuredOnce, resultFileVariable } from './measured.ts';

interface Entry {
  activate(context: ExtensionContext): unknown;
  deactivate?(): unknown;
}

const rounds = 9;
const cycles = 100;
/** For what an extension does after activation: reads, first paint, listeners. */
const restMs = 300;
/** For a first balance and its stream besides. */
const signedInRestMs = 1_500;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
// The folder that this file was bundled into is the extension.
const home = __dirname;
const load = createRequire(join(home, 'suite.cjs'));

export async function run(): Promise<void> {
  const empty: MeasuredOnce[] = [];
  const ours: MeasuredOnce[] = [];
  const signedIn: MeasuredOnce[] = [];
  const kept = JSON.parse(process.env[keptVariable] ?? '') as Kept;
  for (let round = -1; round < rounds; round++) {
    const [one, other, third] = [
      await once('dist/empty.cjs'),
      await once('dist/extension.cjs'),
      await once('dist/extension.cjs', kept),
    ];
    // The first round warms up.
    if (round >= 0) {
      empty.push(one);
      ours.push(other);
      signedIn.push(third);
    }
  }
  const measured: Measured = {
    first: { empty: loadFirst('dist/empty.cjs'), ours: loadFirst('dist/extension.js') },
    empty,
    ours,
    signedIn,
    cycles: await cycle(),
  };
  const file = process.env[resultFileVariable];
  if (!file) throw new Error(`${resultFileVariable} names no file.`);
  writeFileSync(file, JSON.stringify(measured));
}

async function once(entry: string, kept?: Kept): Promise<MeasuredOnce> {
  const before = await heapMb();
  const started = performance.now();
  const loaded = loadAnew(entry);
  const required = performance.now();
  const context = newContext(kept);
  const ready = performance.now();
  const api = loaded.activate(context.of);
  const activated = performance.now();
  if (kept && (api as CreditsApi).getSnapshot().available === undefined) {
    throw new Error('The kept balance was not there when activate() returned.');
  }
  await pause(kept ? signedInRestMs : restMs);
  const after = await heapMb();
  await context.end(loaded);
  return { requireMs: required - started, activateMs: activated - ready, heapMb: after - before };
}

async function cycle(): Promise<Measured['cycles']> {
  const handlesBefore = await handles();
  let heapHalfwayMb = 0;
  const loaded = loadAnew('dist/extension.cjs');
  for (let n = 1; n <= cycles; n++) {
    const context = newContext();
    loaded.activate(context.of);
    // To the end of the start: a host that is asked faster than it answers piles its own answers up.
    await pause(restMs);
    await context.end(loaded);
    if (n === cycles / 2) heapHalfwayMb = await heapMb();
  }
  const heapAfterMb = await heapMb();
  return {
    count: cycles,
    handlesBefore,
    handlesAfter: await handles(),
    heapHalfwayMb,
    heapAfterMb,
  };
}

function loadAnew(entry: string): Entry {
  for (const file of Object.keys(load.cache))
    if (file.startsWith(join(home, 'dist'))) delete load.cache[file];
  return load(join(home, entry)) as Entry;
}

/** ms to load it when nothing of it was compiled before: each time a copy that this process has not seen. */
function loadFirst(entry: string): number[] {
  return Array.from({ length: rounds }, (_, n) => {
    const copy = join(home, `${entry}.${n}.cjs`);
    writeFileSync(copy, `${readFileSync(join(home, entry), 'utf8')}\n// ${n}\n`);
    const started = performance.now();
    load(copy);
    return performance.now() - started;
  });
}

/** The lowest of several looks: what the host around us is busy with comes and goes, what is kept stays. */
async function heapMb(): Promise<number> {
  let leastBytes = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 6; turn++) {
    gc();
    await pause(20);
    leastBytes = Math.min(leastBytes, process.memoryUsage().heapUsed);
  }
  return leastBytes / 1e6;
}

/** The lowest of several looks, for the same reason: requests and timers of the host are among them. */
async function handles(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 20; look++) {
    await pause(50);
    least = Math.min(least, process.getActiveResourcesInfo().length);
  }
  return least;
}

/** What a host hands to activate(): no memory and no secret but what is kept of an earlier start. */
function newContext(kept?: Kept): { of: ExtensionContext; end: (entry: Entry) => Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'bench-context-'));
  const storage = join(folder, 'storage');
  mkdirSync(storage);
  const own = extensions.all.find(({ extensionPath }) => extensionPath === home);
  const changed = new EventEmitter<never>();
  const secrets = {
    get: async (key: string) => (key === 'credits.signIn.v1' ? kept?.signIn : undefined),
    store: async () => {},
    delete: async () => {},
    keys: async () => [],
    onDidChange: changed.event,
  };
  const context = {
    subscriptions: [] as { dispose(): unknown }[],
    globalState: Object.assign(memento(kept ? { 'balance.v1': kept.balance } : {}), { setKeysForSync() {} }),
    workspaceState: memento(),
    secrets,
    extension: own ?? { id: 'studio-credits.code-studio-credits', packageJSON: { version: '0.0.0' } },
    extensionUri: Uri.file(home),
    extensionPath: home,
    extensionMode: ExtensionMode.Production,
    globalStorageUri: Uri.file(storage),
    logUri: Uri.file(join(folder, 'log')),
    asAbsolutePath: (path: string) => join(home, path),
  };
  return {
    of: context as unknown as ExtensionContext,
    async end(entry) {
      // As the host does it: first deactivate, then what was handed over.
      await entry.deactivate?.();
      for (const part of context.subscriptions) part.dispose();
      changed.dispose();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

function memento(kept: Readonly<Record<string, unknown>> = {}): Memento {
  const values = new Map(Object.entries(kept));
  return {
    keys: () => [...values.keys()],
    get: <T>(key: string, fallback?: T) => (values.has(key) ? (values.get(key) as T) : fallback),
    update: async (key: string, value: unknown) => void values.set(key, value),
  } as Memento;
}
