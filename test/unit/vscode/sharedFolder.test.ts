import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Memento, Uri } from 'vscode';
import { settled } from '../../support/clock.ts';
import { fake } from '../../support/vscode.ts';

const { SharedFolder } = await import('../../../src/vscode/sharedFolder.ts');
const { disk, fileChanged } = fake;

function open(windowId = 'w1') {
  const values = new Map<string, unknown>();
  const standIn = {
    get: (key: string) => values.get(key),
    update: async (key: string, value: unknown) => {
      if (value === undefined) {
        values.delete(key);
      } else {
        values.set(key, value);
      }
    },
    keys: () => [...values.keys()],
  } as unknown as Memento;
  const root = fake.Uri.from({ scheme: 'file', path: '/storage' }) as unknown as Uri;
  return { folder: new SharedFolder(root, standIn, windowId), values };
}

describe('the folder of all windows', () => {
  beforeEach(() => {
    disk.files.clear();
    disk.fails = false;
    disk.drafts = 0;
    disk.writtenAtMs.clear();
  });

  it('shows one window what another wrote, and is taken away by one only', async () => {
    const a = open('w1').folder;
    const b = open('w2').folder;
    equal(await a.isShared, true);
    await a.write('x.v1.json', '1');
    equal(await b.read('x.v1.json'), '1');
    deepEqual(await b.list(), ['x.v1.json']);
    deepEqual(await Promise.all([a.remove('x.v1.json'), b.remove('x.v1.json')]), [true, false]);
    equal(await a.read('x.v1.json'), undefined);
  });

  it('F32 replaces a file as a whole: it is drafted elsewhere and renamed', async () => {
    const { folder } = open();
    await folder.write('x.v1.json', 'whole');
    equal(disk.drafts, 1);
    deepEqual([...disk.files], [['/storage/windows/x.v1.json', 'whole']]);
  });

  it('F38 F40 never misses what another window is replacing', async () => {
    const a = open('w1').folder;
    const b = open('w2').folder;
    await a.write('x.v1.json', '0');
    let isWriting = true;
    const writing = (async () => {
      for (let nth = 1; isWriting; nth++) {
        await a.write('x.v1.json', String(nth));
        await new Promise(resolve => setImmediate(resolve));
        await new Promise(resolve => setImmediate(resolve));
      }
    })();
    for (let look = 0; look < 20; look++) {
      ok((await b.read('x.v1.json')) !== undefined, `look ${look}`);
      deepEqual(
        (await b.list()).filter(name => name.endsWith('.json')),
        ['x.v1.json'],
        `look ${look}`,
      );
    }
    isWriting = false;
    await writing;
    equal(await b.read('y.v1.json'), undefined);
  });

  it('F38 F40 loses no write when several windows replace the same file at once', async () => {
    const folders = ['w1', 'w2', 'w3'].map(one => open(one).folder);
    await folders[0]?.write('x.v1.json', '0');
    await Promise.all(folders.map((folder, nth) => folder.write('x.v1.json', `by w${nth + 1}`)));
    equal(disk.drafts, 4);
    ok(/^by w[123]$/.test((await folders[0]?.read('x.v1.json')) ?? ''));
    deepEqual([...disk.files.keys()], ['/storage/windows/x.v1.json']);
  });

  it('F38 waits for what a killed window has left once, and not for ever', async () => {
    disk.files.set('/storage/windows/x.v1.json.killed.tmp', 'half');
    const { folder } = open();
    equal(await folder.read('x.v1.json'), undefined);
    const sinceMs = performance.now();
    equal(await folder.read('x.v1.json'), undefined);
    deepEqual(await folder.list(), ['x.v1.json.killed.tmp']);
    ok(performance.now() - sinceMs < 1_000);
    await folder.write('x.v1.json', 'whole');
    equal(await folder.read('x.v1.json'), 'whole');
  });

  it('F38 sweeps away what a killed window has left, and not what another is writing', async () => {
    for (const [windowId, agoMs] of [
      ['killed', 61_000],
      ['alive', 1_000],
    ] as const) {
      const draft = `/storage/windows/x.v1.json.${windowId}.tmp`;
      disk.files.set(draft, 'half');
      disk.writtenAtMs.set(draft, Date.now() - agoMs);
    }
    await open('w2').folder.isShared;
    await settled();
    deepEqual([...disk.files.keys()], ['/storage/windows/x.v1.json.alive.tmp']);
  });

  it('passes on what the file system tells', async () => {
    const { folder } = open();
    await folder.isShared;
    let hints = 0;
    folder.onDidChange(() => hints++);
    fileChanged.fire(fake.Uri.from({ scheme: 'file', path: '/storage/windows/x.v1.json' }));
    await settled();
    equal(hints > 0, true);
    folder.dispose();
  });

  it('is globalState, of this window alone, where there is no folder to write to', async () => {
    disk.fails = true;
    const { folder, values } = open();
    equal(await folder.isShared, false);
    await folder.write('x.v1.json', '1');
    equal(await folder.read('x.v1.json'), '1');
    deepEqual(await folder.list(), ['x.v1.json']);
    equal(await folder.remove('x.v1.json'), true);
    equal(await folder.remove('x.v1.json'), false);
    equal(values.size, 0);
  });
});
