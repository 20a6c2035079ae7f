import { deepEqual, equal } from 'node:assert/strict';
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
