import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { claim } from '../../../src/core/claim.ts';
import { sleep } from '../../../src/core/clock.ts';
import type { Folder } from '../../../src/core/sharedState.ts';
import { FakeClock } from '../../support/clock.ts';
import { MemoryFolder } from '../../support/folder.ts';

/** A folder that takes its time, a different one for each operation. */
function slow(folder: MemoryFolder, clock: FakeClock, delays: readonly number[]): Folder {
  let nth = 0;
  const late = async <T>(act: () => Promise<T>): Promise<T> => {
    nth++;
    await sleep(clock, delays[nth % Math.max(1, delays.length)] ?? 0);
    return await act();
  };
  return {
    isShared: folder.isShared,
    read: name => late(() => folder.read(name)),
    write: (name, text) => late(() => folder.write(name, text)),
    remove: name => late(() => folder.remove(name)),
    list: () => late(() => folder.list()),
    onDidChange: folder.onDidChange,
  };
}

async function claims(clock: FakeClock, all: ReadonlyArray<Promise<boolean>>): Promise<boolean[]> {
  await clock.advance(10_000);
  return await Promise.all(all);
}

describe('what is claimed', function () {
  this.timeout(20_000);

  it('F40 is given to one of five that want it at the same moment, however slow their disks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(60), { minLength: 1 }), { minLength: 5, maxLength: 5 }),
        async delays => {
          const clock = new FakeClock();
          const folder = new MemoryFolder();
          const given = await claims(
            clock,
            delays.map((one, nth) =>
              claim('k', { folder: slow(folder, clock, one), windowId: `w${nth}`, clock }),
            ),
          );
          equal(given.filter(Boolean).length, 1);
          equal(folder.files.size, 1, 'nothing but the decision stays');
        },
      ),
      { numRuns: 40, seed: 40 },
    );
  });

  it('F40 is given once ever, and another thing beside it', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    deepEqual(await claims(clock, [claim('k', { folder, windowId: 'w1', clock })]), [true]);
    deepEqual(await claims(clock, [claim('k', { folder, windowId: 'w1', clock })]), [false]);
    deepEqual(await claims(clock, [claim('k', { folder, windowId: 'w2', clock })]), [false]);
    deepEqual(await claims(clock, [claim('other', { folder, windowId: 'w2', clock })]), [true]);
  });

  it('F38 is not lost with a window that died while it wanted it', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    const stopped = new FakeClock();
    void claim('k', { folder, windowId: 'a', clock: stopped });
    await clock.advance(10);
    equal(folder.files.size, 1);
    deepEqual(await claims(clock, [claim('k', { folder, windowId: 'b', clock })]), [true]);
    equal(folder.files.size, 1);
  });

  it('F38 is not given to one that stood still while another decided', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    const stopped = new FakeClock();
    const late = claim('k', { folder, windowId: 'a', clock: stopped });
    await clock.advance(10);
    deepEqual(await claims(clock, [claim('k', { folder, windowId: 'b', clock })]), [true]);
    deepEqual(await claims(stopped, [late]), [false]);
  });

  it('T5 names neither account nor organisation in the folder', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    await claims(clock, [claim('https://credits.example.com usr_1', { folder, windowId: 'w1', clock })]);
    equal(/credits\.example|usr_1/.test(folder.text), false);
  });

  it('costs the same however many there are already', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    for (let nth = 0; nth < 300; nth++) {
      await claims(clock, [claim(`k${nth}`, { folder, windowId: 'w1', clock })]);
    }
    let reads = 0;
    const counted: Folder = {
      ...slow(folder, clock, []),
      read: async name => {
        reads++;
        return folder.read(name);
      },
    };
    await claims(clock, [claim('one more', { folder: counted, windowId: 'w1', clock })]);
    equal(reads < 20, true, `${reads} reads`);
  });

  it('is let go after two months', async () => {
    const clock = new FakeClock();
    const folder = new MemoryFolder();
    await claims(clock, [claim('k', { folder, windowId: 'w1', clock })]);
    clock.setWall(61 * 24 * 3_600_000);
    await claims(clock, [claim('other', { folder, windowId: 'w1', clock })]);
    equal(folder.files.size, 1);
  });
});
