// A clock that stands still until a test moves it. Moving it lets everything that was waiting run to its next wait.
import type { Clock } from '../../src/core/clock.ts';
import type { Event } from '../../src/core/event.ts';

export class FakeClock implements Clock {
  #wallMs = Date.parse('2026-11-22T12:00:00Z');
  #monotonicMs = 5_000;
  #timers: Array<{ atMs: number; fire: () => void }> = [];

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(ms: number): Event<void> {
    return listener => {
      const timer = { atMs: this.#monotonicMs + Math.max(0, ms), fire: () => listener() };
      this.#timers.push(timer);
      return {
        dispose: () => {
          this.#timers = this.#timers.filter(one => one !== timer);
        },
      };
    };
  }

  /** Timers that are still running; none may be left behind. */
  get pending(): number {
    return this.#timers.length;
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(one => one.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) {
        break;
      }
      this.#timers = this.#timers.filter(one => one !== next);
      this.#moveTo(Math.max(this.#monotonicMs, next.atMs));
      next.fire();
      await settled();
    }
    this.#moveTo(endMs);
  }

  /** The machine sleeps: time goes by and nothing runs; what was missed is due at the next move. */
  sleep(ms: number): void {
    this.#moveTo(this.#monotonicMs + ms);
  }

  /** Someone sets the wall clock; no time goes by. */
  setWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets promises and streams come to rest. They take a few turns of the loop, none of which is a wait in time. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) {
    await new Promise(resolve => setImmediate(resolve));
  }
}
