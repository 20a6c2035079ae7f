// What all windows of one editor know together: small files in one folder, each replaced as a whole. A file's name
// carries the version of its form, so an older extension reads its own and leaves a newer one's alone (F33).
import type { Clock } from './clock.ts';
import { seconds } from './clock.ts';
import { type Disposable, Emitter, type Event, Owned } from './event.ts';
import type { Log } from './log.ts';
import type { Slot } from './slot.ts';

/** The folder as the editor gives it. Operations reject when the folder cannot be used. */
export interface Folder {
  /** Whether other windows see the same folder. Never rejects. */
  readonly isShared: Promise<boolean>;
  /** Undefined when there is no such file. */
  read(name: string): Promise<string | undefined>;
  /** Puts the whole text in place at once; resolves when it would outlive this process. */
  write(name: string, text: string): Promise<void>;
  /** True for exactly one of several callers, the one that took it away; false when there was nothing. */
  remove(name: string): Promise<boolean>;
  list(): Promise<readonly string[]>;
  /** A hint that something changed. Not every platform gives one, so there is a slow look as well. */
  readonly onDidChange: Event<void>;
}

/** One file with its reader. What is read without waiting is what the last look found. */
export class SharedFile<T> implements Slot<T> {
  readonly #folder: Folder;
  readonly #name: string;
  readonly #reader: (value: unknown) => T | undefined;
  readonly #changed = new Emitter<void>();
  #text: string | undefined;
  #value: T | undefined;
  #writes = 0;

  /** Fires when the content is another than before, whoever wrote it. */
  readonly onDidChange = this.#changed.event;

  /** @param name with the version of its form, such as `lease.v1` */
  constructor(folder: Folder, name: string, reader: (value: unknown) => T | undefined) {
    this.#folder = folder;
    this.#name = `${name}.json`;
    this.#reader = reader;
  }

  read(): T | undefined {
    return this.#value;
  }

  /** Looks now. Damaged content counts as none, and is replaced by the next write (F32). */
  async load(): Promise<T | undefined> {
    const before = this.#writes;
    const text = await this.#folder.read(this.#name);
    if (before === this.#writes) {
      this.#set(text);
    }
    return this.#value;
  }

  async write(value: T | undefined): Promise<void> {
    if (value === undefined) {
      await this.#folder.remove(this.#name);
      this.#writes++;
      this.#set(undefined);
      return;
    }
    const text = JSON.stringify(value);
    await this.#folder.write(this.#name, text);
    this.#writes++;
    this.#set(text);
  }

  #set(text: string | undefined): void {
    if (text !== this.#text) {
      this.#text = text;
      this.#value = text === undefined ? undefined : this.#reader(parsed(text));
      this.#changed.fire();
    }
  }
}

/** Things of one kind, a file each, so that two windows never overwrite each other's. */
export class SharedCollection<T> {
  readonly #folder: Folder;
  readonly #prefix: string;
  readonly #reader: (value: unknown) => T | undefined;
  readonly #keyOf: (value: T) => string;
  readonly #changed = new Emitter<void>();
  readonly #texts = new Map<string, string>();
  #values: readonly T[] = [];
  #writes = 0;

  readonly onDidChange = this.#changed.event;

  /** @param keyOf of letters, digits and hyphens only: it becomes a file's name */
  constructor(
    folder: Folder,
    prefix: string,
    reader: (value: unknown) => T | undefined,
    keyOf: (value: T) => string,
  ) {
    this.#folder = folder;
    this.#prefix = `${prefix}.`;
    this.#reader = reader;
    this.#keyOf = keyOf;
  }

  read(): readonly T[] {
    return this.#values;
  }

  async load(): Promise<readonly T[]> {
    const before = this.#writes;
    const names = (await this.#folder.list()).filter(
      name => name.startsWith(this.#prefix) && name.endsWith('.json'),
    );
    const texts = await Promise.all(names.map(async name => [name, await this.#folder.read(name)] as const));
    if (before === this.#writes) {
      const found = new Map(texts.filter((one): one is [string, string] => one[1] !== undefined));
      const isNew = found.size !== this.#texts.size || [...found].some(([k, v]) => this.#texts.get(k) !== v);
      if (isNew) {
        this.#texts.clear();
        for (const [name, text] of found) {
          this.#texts.set(name, text);
        }
        this.#update();
      }
    }
    return this.#values;
  }

  async keep(value: T): Promise<void> {
    const name = this.#nameOf(this.#keyOf(value));
    const text = JSON.stringify(value);
    await this.#folder.write(name, text);
    this.#writes++;
    this.#texts.set(name, text);
    this.#update();
  }

  /** True when it was there and this call took it away: of several windows, exactly one is told so. */
  async forget(key: string): Promise<boolean> {
    const name = this.#nameOf(key);
    const removed = await this.#folder.remove(name);
    this.#writes++;
    if (this.#texts.delete(name)) {
      this.#update();
    }
    return removed;
  }

  #nameOf(key: string): string {
    return `${this.#prefix}${key.replaceAll(/[^A-Za-z0-9-]/g, '_')}.json`;
  }

  #update(): void {
    this.#values = [...this.#texts.values()]
      .map(text => this.#reader(parsed(text)))
      .filter(value => value !== undefined);
    this.#changed.fire();
  }
}

/** Others see a change this much later at most, where no hint comes. */
const LOOK_MS = seconds(1.5);

/** Looks at everything shared: at each hint, and slowly by the clock while there is something to share. */
export class Lookout {
  readonly #owned = new Owned();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watched: ReadonlyArray<{ load(): Promise<unknown> }>;
  readonly #isWanted: () => boolean;
  #timer: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #again: boolean = false;
  #isDisposed: boolean = false;

  constructor(given: {
    folder: Folder;
    clock: Clock;
    log: Log;
    watched: ReadonlyArray<{ load(): Promise<unknown> }>;
    /** Whether the slow look is worth its while: someone is signed in. */
    isWanted: () => boolean;
    /** When that may have changed. */
    onDidWant: Event<unknown>;
  }) {
    this.#clock = given.clock;
    this.#log = given.log;
    this.#watched = given.watched;
    this.#isWanted = given.isWanted;
    this.#owned.own(given.folder.onDidChange(() => void this.look()));
    this.#owned.own(given.onDidWant(() => this.#arm()));
    void this.look();
  }

  /** Resolves when a look that began after the call has ended. */
  look(): Promise<void> {
    if (this.#looking) {
      this.#again = true;
      return this.#looking;
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      this.#arm();
    });
    return this.#looking;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#timer?.dispose();
    this.#owned.dispose();
  }

  async #look(): Promise<void> {
    do {
      this.#again = false;
      for (const one of this.#watched) {
        try {
          await one.load();
        } catch (error) {
          this.#log.trace(`shared state: ${error instanceof Error ? error.name : 'failed'}`);
        }
      }
    } while (this.#again && !this.#isDisposed);
  }

  #arm(): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    if (!this.#isDisposed && this.#isWanted()) {
      this.#timer = this.#clock.after(LOOK_MS)(() => void this.look());
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
