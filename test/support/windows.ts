// Several windows of one editor, joined as extension.ts joins them, over one folder, one clock and one server. A
// window can be closed, which it notices, or killed, which it does not.
import { checkoutOrigins } from '../../src/core/address.ts';
import { Checkout, type Settled } from '../../src/core/checkout.ts';
import type { Clock } from '../../src/core/clock.ts';
import { connector } from '../../src/core/connect.ts';
import { CreditsStore } from '../../src/core/creditsStore.ts';
import { Emitter } from '../../src/core/event.ts';
import { EventStream } from '../../src/core/eventStream.ts';
import { Lease, readLease } from '../../src/core/lease.ts';
import { readPurchaseRecord } from '../../src/core/purchaseRecord.ts';
import { Refresher } from '../../src/core/refresher.ts';
import { readPause, readSharedBalance, readWish } from '../../src/core/sharedBalance.ts';
import { type Folder, Lookout, SharedCollection, SharedFile } from '../../src/core/sharedState.ts';
import { Windows } from '../../src/core/windows.ts';
import { FakeClock } from './clock.ts';
import { CollectingLog, FakeAttention, FakeSessions, MemorySlot, seededRandom, signIn } from './core.ts';
import { MemoryFolder } from './folder.ts';
import { ScriptedServer } from './scriptedServer.ts';

const never = new Promise<never>(() => undefined);

export class House {
  readonly clock = new FakeClock();
  readonly server = new ScriptedServer();
  readonly folder = new MemoryFolder();
  /** Windows whose stream stands now. */
  readonly streams = new Set<string>();
  readonly told: Settled[] = [];
  readonly windows: Window[] = [];
  /** So much later every timer comes than it should: a machine that is busy. */
  lateMs = 0;
  streamsOpened = 0;
  #ids = 0;

  newId(): string {
    this.#ids++;
    return `id-${this.#ids}`;
  }

  open(given: { isSignedIn?: boolean } = {}): Window {
    const window = openWindow(
      this,
      `w${this.windows.length + 1}`,
      this.windows.length,
      given.isSignedIn ?? true,
    );
    this.windows.push(window);
    return window;
  }

  get living(): Window[] {
    return this.windows.filter(window => window.isAlive());
  }

  get leaders(): Window[] {
    return this.living.filter(window => window.lease.isHeld);
  }

  asked(): number {
    return this.server.count(/balance$/);
  }
}

export type Window = ReturnType<typeof openWindow>;

function openWindow(house: House, name: string, nth: number, isSignedIn: boolean) {
  let alive = true;
  let heldBack: (() => void)[] | undefined;
  const killed = new AbortController();
  const clock: Clock = {
    now: () => house.clock.now(),
    monotonic: () => house.clock.monotonic() + nth * 1_000_000,
    after: ms => listener =>
      house.clock.after(ms + house.lateMs)(() => {
        if (heldBack) {
          heldBack.push(listener);
        } else if (alive) {
          listener();
        }
      }),
  };
  const gate = async <T>(act: () => Promise<T>): Promise<T> => {
    const done = alive ? await act() : await never;
    return alive ? done : await never;
  };
  const folder: Folder = {
    isShared: house.folder.isShared,
    read: file => gate(() => house.folder.read(file)),
    write: (file, text) => gate(() => house.folder.write(file, text)),
    remove: file => gate(() => house.folder.remove(file)),
    list: () => gate(() => house.folder.list()),
    onDidChange: listener => house.folder.onDidChange(() => alive && listener()),
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const signal = init?.signal ? AbortSignal.any([init.signal, killed.signal]) : killed.signal;
    if (String(input).endsWith('/events')) {
      house.streams.add(name);
      house.streamsOpened++;
      signal.addEventListener('abort', () => house.streams.delete(name));
    }
    return await gate(() => house.server.fetch(input as string, { ...init, signal }));
  };
  const sessions = new FakeSessions(signIn);
  if (!isSignedIn) {
    sessions.current = undefined;
  }
  const random = seededRandom(nth + 1);
  const log = new CollectingLog();
  const attention = new FakeAttention();
  attention.isFocused = nth === 0;
  const newId = () => house.newId();
  const returned = new Emitter<string>();
  const connect = connector({ fetch, clock, userAgent: 'test/1' });
  const store = new CreditsStore({ sessions, connect, clock, cache: new MemorySlot(), log });
  const shared = {
    lease: new SharedFile(folder, 'lease.v1', readLease),
    balance: new SharedFile(folder, 'balance.v1', readSharedBalance),
    pause: new SharedFile(folder, 'pause.v1', readPause),
    wish: new SharedFile(folder, 'wish.v1', readWish),
    purchases: new SharedCollection(folder, 'purchase.v1', readPurchaseRecord, one => one.idempotencyKey),
  };
  const lease = new Lease({ file: shared.lease, isShared: folder.isShared, id: name, clock, random, log });
  const windows = new Windows({ ...shared, sessions, store, lease, attention, newId, clock, log });
  const hints = new EventStream({ sessions: windows.sessions, connect, clock, random, log });
  const checkout = new Checkout({
    sessions,
    connect,
    store,
    hints,
    attention,
    returned: returned.event,
    open: async () => true,
    returnUri: async () => undefined,
    allowedOrigins: serverUrl => checkoutOrigins(serverUrl, []),
    newId,
    records: shared.purchases,
    leading: lease,
    clock,
    random,
    log,
  });
  checkout.onDidSettle(settled => house.told.push(settled));
  const refresher = new Refresher({
    sessions: windows.sessions,
    store,
    hints,
    attention: windows.attention,
    hinted: windows.onDidHint,
    clock,
    random,
  });
  const lookout = new Lookout({
    folder,
    clock,
    log,
    watched: [shared.pause, shared.balance, shared.wish, shared.purchases],
    isWanted: () => sessions.current !== undefined,
    onDidWant: sessions.onDidChange,
  });
  const stop = () => {
    for (const part of [lookout, refresher, checkout, hints, windows, store]) {
      part.dispose();
    }
  };
  return {
    name,
    clock,
    sessions,
    attention,
    store,
    lease,
    windows,
    checkout,
    log,
    folder,
    shared,
    isAlive: () => alive,
    /** None of its timers comes, until it goes on. */
    standStill: () => {
      heldBack = [];
    },
    goOn: () => {
      const due = heldBack ?? [];
      heldBack = undefined;
      for (const listener of due) {
        listener();
      }
    },
    /** As the editor closes it: it may say good-bye. */
    close: async () => {
      await lease.release();
      stop();
      alive = false;
    },
    /** As `kill -9` does: nothing of it goes on, and its sockets are closed. */
    kill: () => {
      alive = false;
      killed.abort();
      house.streams.delete(name);
    },
  };
}
