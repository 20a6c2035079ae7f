// The editor's secret storage, in memory; it can fail as one without a keyring does.
import { Emitter } from '../../src/core/event.ts';
import { signIn } from './core.ts';

export class FakeSecrets {
  readonly values = new Map<string, string>();
  readonly changed = new Emitter<{ key: string }>();
  readonly onDidChange = this.changed.event;
  fails: boolean;

  constructor(fails = false) {
    this.fails = fails;
  }

  async get(key: string): Promise<string | undefined> {
    this.#check();
    return this.values.get(key);
  }

  async store(key: string, value: string): Promise<void> {
    this.#check();
    this.values.set(key, value);
    this.changed.fire({ key });
  }

  async delete(key: string): Promise<void> {
    this.#check();
    this.values.delete(key);
    this.changed.fire({ key });
  }

  #check(): void {
    if (this.fails) {
      throw new Error(`no keyring for ${signIn.token}`);
    }
  }
}
