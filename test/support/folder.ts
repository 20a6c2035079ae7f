// The folder all windows share, in memory: what one writes the others find, and a file is taken away by one only.
import { Emitter } from '../../src/core/event.ts';
import type { Folder } from '../../src/core/sharedState.ts';

export class MemoryFolder implements Folder {
  readonly files = new Map<string, string>();
  readonly #changed = new Emitter<void>();
  /** Whether it tells of changes; some platforms' folders do not. */
  tells: boolean;
  /** Set to make every operation fail, as a full disk does. */
  fails: boolean;
  isShared = Promise.resolve(true);
  readonly onDidChange = this.#changed.event;

  constructor(given: { tells?: boolean; fails?: boolean } = {}) {
    this.tells = given.tells ?? false;
    this.fails = given.fails ?? false;
  }

  async read(name: string): Promise<string | undefined> {
    this.#check();
    return this.files.get(name);
  }

  async write(name: string, text: string): Promise<void> {
    this.#check();
    this.files.set(name, text);
    this.#tell();
  }

  async remove(name: string): Promise<boolean> {
    this.#check();
    const was = this.files.delete(name);
    this.#tell();
    return was;
  }

  async list(): Promise<readonly string[]> {
    this.#check();
    return [...this.files.keys()];
  }

  get text(): string {
    return [...this.files].flat().join('\n');
  }

  #check(): void {
    if (this.fails) {
      throw new Error('disk full');
    }
  }

  #tell(): void {
    if (this.tells) {
      queueMicrotask(() => this.#changed.fire());
    }
  }
}
