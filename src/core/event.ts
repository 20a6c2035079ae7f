// Events in the shape of `vscode.Event`, so that core parts and editor parts listen to each other alike.

export interface Disposable {
  dispose(): void;
}

export type Event<T> = (listener: (value: T) => unknown) => Disposable;

/** The private side of an event: whoever holds the emitter may fire it. */
export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => unknown>();

  readonly event: Event<T> = listener => {
    // A wrapper of its own, so that one function may listen twice.
    const entry = (value: T) => listener(value);
    this.#listeners.add(entry);
    return { dispose: () => this.#listeners.delete(entry) };
  };

  fire(value: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (error) {
        // One broken view must not keep the news from the others; the host still gets to see the error.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  dispose(): void {
    this.#listeners.clear();
  }
}

/** Several disposables as one; disposed in the order they were given. */
export class Owned {
  readonly #parts: Disposable[] = [];
  #isOver = false;

  /** What is made after the end, by work that was under way, ends at once. */
  own<T extends Disposable>(part: T): T {
    if (this.#isOver) {
      part.dispose();
    } else {
      this.#parts.push(part);
    }
    return part;
  }

  dispose(): void {
    this.#isOver = true;
    for (const part of this.#parts.splice(0)) {
      part.dispose();
    }
  }
}

/** The event's next value; the listener is let go with it. */
export function once<T>(event: Event<T>): Promise<T> {
  return new Promise(resolve => {
    const listening = event(value => {
      listening.dispose();
      resolve(value);
    });
  });
}
