// The core parts joined as extension.ts joins them, against a scripted server and a clock that stands still.
import type { SignIn } from '../../src/core/account.ts';
import { checkoutOrigins } from '../../src/core/address.ts';
import { Checkout, type Settled } from '../../src/core/checkout.ts';
import { connector } from '../../src/core/connect.ts';
import { type CachedBalance, CreditsStore } from '../../src/core/creditsStore.ts';
import { Emitter } from '../../src/core/event.ts';
import { EventStream } from '../../src/core/eventStream.ts';
import { readPurchaseRecord } from '../../src/core/purchaseRecord.ts';
import { Refresher } from '../../src/core/refresher.ts';
import { SharedCollection } from '../../src/core/sharedState.ts';
import { FakeClock } from './clock.ts';
import { CollectingLog, FakeAttention, FakeSessions, MemorySlot, seededRandom, signIn } from './core.ts';
import { MemoryFolder } from './folder.ts';
import { ScriptedServer } from './scriptedServer.ts';

/** What outlives a killed editor, and the world around it. */
export class World {
  readonly clock = new FakeClock();
  readonly server = new ScriptedServer();
  readonly cache = new MemorySlot<CachedBalance>();
  readonly folder = new MemoryFolder();
  readonly records = new SharedCollection(
    this.folder,
    'purchase.v1',
    readPurchaseRecord,
    record => record.idempotencyKey,
  );
  /** Addresses that were opened in the browser. */
  readonly opened: string[] = [];
  /** Ends of purchases that were told, over all starts. */
  readonly told: Settled[] = [];
  /** How the browser takes an address. */
  open: (url: string) => Promise<boolean> = async () => true;
  returnUri: (state: string) => Promise<string | undefined> = async state =>
    `vscode-test://pub.ext/purchase?state=${state}`;
  extraOrigins: string[] = [];
  #ids = 0;

  /** A start of the editor. */
  start(given: { signIn?: SignIn | undefined; isStreaming?: boolean; seed?: number } = {}) {
    const { clock, server, cache, records } = this;
    const sessions = new FakeSessions('signIn' in given ? given.signIn : signIn);
    if ('signIn' in given) {
      sessions.current = given.signIn;
    }
    server.hasEvents = given.isStreaming ?? true;
    const random = seededRandom(given.seed ?? 7);
    const log = new CollectingLog();
    const attention = new FakeAttention();
    const returned = new Emitter<string>();
    const connect = connector({ fetch: server.fetch, clock, userAgent: 'test/1' });
    const store = new CreditsStore({ sessions, connect, clock, cache, log });
    const hints = new EventStream({ sessions, connect, clock, random, log });
    const checkout = new Checkout({
      sessions,
      connect,
      store,
      hints,
      attention,
      returned: returned.event,
      open: async url => {
        this.opened.push(url);
        return await this.open(url);
      },
      returnUri: state => this.returnUri(state),
      allowedOrigins: serverUrl => checkoutOrigins(serverUrl, this.extraOrigins),
      newId: () => `id-${++this.#ids}`,
      records,
      leading: alone,
      clock,
      random,
      log,
    });
    checkout.onDidSettle(settled => this.told.push(settled));
    const refresher = new Refresher({ sessions, store, hints, attention, clock, random });
    /** The editor is closed, or killed: nothing of it goes on. */
    const stop = () => {
      for (const part of [refresher, checkout, hints, store]) {
        part.dispose();
      }
    };
    return { sessions, log, attention, returned, store, hints, checkout, stop };
  }
}

/** A window with no others beside it. */
export const alone = { isHeld: true, onDidChange: new Emitter<boolean>().event };
