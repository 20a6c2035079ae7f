// Small stand-ins for what core parts are given: slots in memory, a session, the window's focus, a log that collects.
import type { Account, Sessions, SignIn } from '../../src/core/account.ts';
import { Emitter } from '../../src/core/event.ts';
import type { Attention } from '../../src/core/refresher.ts';
import type { Slot } from '../../src/core/slot.ts';

export const SERVER = 'https://credits.example.com';
export const ORG = 'org_1';

export const account: Account = {
  serverUrl: SERVER,
  personId: 'usr_1',
  personName: 'Ada',
  orgId: ORG,
  orgName: 'Analytical Engines',
  role: 'admin',
};

export const signIn: SignIn = { account, token: 'crd_pat_canary' };

/** Keeps JSON, as the editor does: what is read back is never the object that was written. */
export class MemorySlot<T> implements Slot<T> {
  text: string | undefined;
  readonly writes: Array<T | undefined> = [];

  constructor(value?: T) {
    this.text = value === undefined ? undefined : JSON.stringify(value);
  }

  read(): T | undefined {
    return this.text === undefined ? undefined : (JSON.parse(this.text) as T);
  }

  async write(value: T | undefined): Promise<void> {
    this.writes.push(value);
    this.text = value === undefined ? undefined : JSON.stringify(value);
  }
}

export class FakeSessions implements Sessions {
  readonly #changed = new Emitter<void>();
  current: SignIn | undefined;
  isRead = true;
  readonly onDidChange = this.#changed.event;

  constructor(current: SignIn | undefined = signIn) {
    this.current = current;
  }

  set(current: SignIn | undefined): void {
    this.current = current;
    this.isRead = true;
    this.#changed.fire();
  }
}

export class FakeAttention implements Attention {
  readonly #focused = new Emitter<void>();
  isFocused = true;
  readonly onDidFocus = this.#focused.event;

  leave(): void {
    this.isFocused = false;
  }

  comeBack(): void {
    this.isFocused = true;
    this.#focused.fire();
  }
}

export class CollectingLog {
  readonly lines: string[] = [];
  readonly trace = (message: string) => void this.lines.push(message);
  readonly info = this.trace;
  readonly warn = this.trace;
  readonly error = this.trace;
}

/** The same numbers every run: a small generator (mulberry32), seeded. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
