// The folder of all windows on the editor's own file system: what core/ takes for granted of it.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { claim } from '../../src/core/claim.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { Lease, readLease } from '../../src/core/lease.ts';
import { SharedFile } from '../../src/core/sharedState.ts';
import { SharedFolder } from '../../src/vscode/sharedFolder.ts';

const noMemento = { get: () => undefined, update: async () => undefined, keys: () => [] };
const log = { trace: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

describe('several windows, on a real file system', () => {
  let root = '';
  const open = (id: string) =>
    new SharedFolder(vscode.Uri.file(root), noMemento as unknown as vscode.Memento, id);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'credits-windows-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('F37 show each other what they write, and only one takes a file away', async () => {
    const folders = ['w1', 'w2', 'w3'].map(open);
    deepEqual(await Promise.all(folders.map(folder => folder.isShared)), [true, true, true]);
    const [a, b] = folders;
    equal(await b?.read('x.v1.json'), undefined);
    await a?.write('x.v1.json', '1');
    await a?.write('x.v1.json', '2');
    equal(await b?.read('x.v1.json'), '2');
    deepEqual(await b?.list(), ['x.v1.json']);
    const removed = await Promise.all(folders.map(folder => folder.remove('x.v1.json')));
    equal(removed.filter(Boolean).length, 1);
  });

  it('F38 F40 never miss what one of them is replacing', async () => {
    const [a, b] = ['w1', 'w2'].map(open);
    await a?.write('x.v1.json', '0');
    let isWriting = true;
    const writing = (async () => {
      for (let nth = 1; isWriting; nth++) {
        await a?.write('x.v1.json', String(nth));
      }
    })();
    for (let look = 0; look < 100; look++) {
      ok((await b?.read('x.v1.json')) !== undefined, `look ${look}`);
    }
    isWriting = false;
    await writing;
  });

  it('F40 let one of five claim a thing', async () => {
    const given = await Promise.all(
      ['w1', 'w2', 'w3', 'w4', 'w5'].map(id => claim('k', { folder: open(id), windowId: id, clock })),
    );
    equal(given.filter(Boolean).length, 1);
  });

  it('F37 F38 come to one leader, and to another soon after it is closed', async function () {
    this.timeout(30_000);
    const leases = ['w1', 'w2', 'w3', 'w4', 'w5'].map(id => {
      const folder = open(id);
      const file = new SharedFile(folder, 'lease.v1', readLease);
      return new Lease({ file, isShared: folder.isShared, id, clock, random: Math.random, log });
    });
    const leaders = () => leases.filter(({ isHeld }) => isHeld);
    const settled = async () => {
      const deadline = Date.now() + 12_000; // ms
      while (leaders().length !== 1 && Date.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 100));
      }
      // A rival that came late would still be there.
      await new Promise(resolve => setTimeout(resolve, 2_500));
      equal(leaders().length, 1);
    };
    for (const lease of leases) {
      lease.want(true);
    }
    await settled();
    const [first] = leaders();
    await first?.release();
    await settled();
    ok(leaders()[0] !== first);
    await Promise.all(leases.map(lease => lease.release()));
  });
});

describe('what other extensions get', () => {
  it('is exactly the four things of src/api.ts', async () => {
    const api: unknown = await vscode.extensions
      .getExtension('studio-credits.code-studio-credits')
      ?.activate();
    deepEqual(Object.keys(api as object), ['getSnapshot', 'onDidChange', 'hintUsage', 'hasCredits']);
    const { getSnapshot, hasCredits } = api as { getSnapshot(): { state: string }; hasCredits(): unknown };
    ok(['signedOut', 'unknown'].includes(getSnapshot().state));
    equal(hasCredits(), undefined);
  });
});
