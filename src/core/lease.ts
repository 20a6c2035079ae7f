// One of all windows asks and listens for the rest: the one that holds the lease. It is a file that its holder changes
// at every beat; whoever has seen no change over many looks takes it over. A machine that is too busy for the holder is
// too busy for the others' looks as well, and a late look counts no more than one on time: the lead does not wander
// because of the load. The wall clock is nobody's measure: one that is set ahead makes the holder look again, no more (F43).
import { type Clock, seconds, sleep } from './clock.ts';
import { type Disposable, Emitter, type Event } from './event.ts';
import type { Log } from './log.ts';
import type { SharedFile } from './sharedState.ts';
import { isRecord } from './slot.ts';

export interface LeaseRecord {
  /** The window's id; null after a release. */
  readonly holder: string | null;
  /** Any change of it is a sign of life. */
  readonly beat: number;
}

/** What others need to know of it. */
export interface Leading {
  readonly isHeld: boolean;
  readonly onDidChange: Event<boolean>;
}

export interface LeaseMeans {
  readonly file: SharedFile<LeaseRecord>;
  readonly isShared: Promise<boolean>;
  /** This window's own: never the same twice. */
  readonly id: string;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** How often the file is looked at; also how soon a released lease is taken. */
const LOOK_MS = seconds(1.5);
const BEAT_MS = seconds(3);
/** Without a beat for this long the holder is taken for dead; with the rest, well under 30 s. */
const DEAD_MS = seconds(15);
/** What one look counts at most. */
const LOOK_COUNTS_MS = seconds(2);
/** Between two looks, the machine has slept. */
const SLEPT_MS = seconds(10);
/** One look that fails says nothing of the folder. */
const FAILED_LOOKS = 3;
/** Spreads those who notice at the same time. */
const SPREAD_MS = seconds(3);
/** After writing one's name: time for a rival's to land, and the last one counts. */
const SETTLE_MS = 250;

export class Lease implements Leading {
  readonly #means: LeaseMeans;
  readonly #changed = new Emitter<boolean>();
  #isHeld: boolean = false;
  #isWanted: boolean = false;
  #timer: Disposable | undefined;
  #running: AbortController | undefined;
  /** What was last seen in the file, and for how long it has stood there. */
  #seen: string | undefined;
  #stillMs = 0;
  #lookedMs = 0;
  #beatMs = 0;
  #patienceMs = 0;
  #failedLooks = 0;

  /** True when this window has begun to lead, false when it has ended. */
  readonly onDidChange = this.#changed.event;

  constructor(means: LeaseMeans) {
    this.#means = means;
  }

  /** Whether this window leads now. One that was held up too long to be sure does not, until it has looked. */
  get isHeld(): boolean {
    return this.#isHeld && this.#means.clock.monotonic() - this.#beatMs < DEAD_MS;
  }

  /** Takes part, or no longer. Nobody leads while nobody is signed in. */
  want(isWanted: boolean): void {
    if (isWanted === this.#isWanted) {
      return;
    }
    this.#isWanted = isWanted;
    if (isWanted) {
      const { clock, random } = this.#means;
      this.#running = new AbortController();
      this.#patienceMs = DEAD_MS + random() * SPREAD_MS;
      this.#seen = undefined;
      this.#lookedMs = clock.monotonic();
      void this.#run(this.#running.signal);
    } else {
      void this.release();
    }
  }

  /** Lets go at once, so that the next window need not wait for a death. Resolves when the others can see it. */
  async release(): Promise<void> {
    this.#isWanted = false;
    this.#running?.abort();
    this.#timer?.dispose();
    if (!this.#isHeld) {
      return;
    }
    const { file, id } = this.#means;
    this.#set(false);
    try {
      const record = await file.load();
      if (record?.holder === id) {
        await file.write({ holder: null, beat: record.beat + 1 });
      }
    } catch {
      // The others will find it dead.
    }
  }

  dispose(): void {
    void this.release();
    this.#changed.dispose();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, isShared } = this.#means;
    if (!(await isShared)) {
      this.#standAlone(signal);
      return;
    }
    while (!signal.aborted) {
      try {
        await this.#look(signal);
        this.#failedLooks = 0;
      } catch {
        this.#failedLooks++;
        // A folder that stopped working (a full disk): better two windows that ask than none.
        if (!signal.aborted && (this.#isHeld || this.#failedLooks >= FAILED_LOOKS)) {
          this.#beat(signal);
        }
      }
      await sleep(clock, LOOK_MS, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { file, clock, id, log, random } = this.#means;
    const record = await file.load();
    if (signal.aborted) {
      return;
    }
    const now = clock.monotonic();
    const sight = JSON.stringify(record);
    // After a sleep of the whole machine everyone has been silent, the holder too: it gets its time anew.
    if (sight !== this.#seen || now - this.#lookedMs > SLEPT_MS) {
      this.#seen = sight;
      this.#stillMs = 0;
    } else {
      this.#stillMs += Math.min(now - this.#lookedMs, LOOK_COUNTS_MS);
    }
    this.#lookedMs = now;
    if (record?.holder === id) {
      if (!this.#isHeld || now - this.#beatMs >= BEAT_MS) {
        const wasSure = this.isHeld;
        await file.write({ holder: id, beat: record.beat + 1 });
        this.#beatMs = clock.monotonic();
        this.#lead(signal, wasSure);
      }
      return;
    }
    if (this.#isHeld) {
      // Another has taken over while this window was held up.
      log.info('windows: another window leads now');
      this.#set(false);
      return;
    }
    const isFree = !record || record.holder === null || this.#stillMs > this.#patienceMs;
    if (!isFree) {
      return;
    }
    await file.write({ holder: id, beat: (record?.beat ?? 0) + 1 });
    await sleep(clock, SETTLE_MS + random() * 100, signal);
    if (signal.aborted) {
      const left = await file.load();
      if (left?.holder === id) {
        await file.write({ holder: null, beat: left.beat + 1 });
      }
      return;
    }
    const settled = await file.load();
    this.#lookedMs = clock.monotonic();
    if (settled?.holder === id) {
      this.#beat(signal);
    }
  }

  #lead(signal: AbortSignal, wasSure: boolean): void {
    if (signal.aborted) {
      return;
    }
    if (!this.#isHeld) {
      this.#means.log.info('windows: this window leads');
      this.#set(true);
    } else if (!wasSure) {
      // Held up, and nobody took over: those who stood still meanwhile start again.
      this.#changed.fire(true);
    }
  }

  #standAlone(signal: AbortSignal): void {
    if (signal.aborted) {
      return;
    }
    const beat = () => {
      this.#timer = this.#means.clock.after(BEAT_MS)(beat);
      this.#beat(signal);
    };
    beat();
  }

  #beat(signal: AbortSignal): void {
    const wasSure = this.isHeld;
    this.#beatMs = this.#means.clock.monotonic();
    this.#lead(signal, wasSure);
  }

  #set(isHeld: boolean): void {
    if (this.#isHeld !== isHeld) {
      this.#isHeld = isHeld;
      this.#changed.fire(isHeld);
    }
  }
}

export function readLease(value: unknown): LeaseRecord | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { holder, beat } = value;
  return (holder === null || typeof holder === 'string') && Number.isSafeInteger(beat)
    ? { holder, beat: beat as number }
    : undefined;
}
