// The folder all windows share: the extension's global storage, by the editor's file system, so it is on the side
// where the extension runs (desktop, remote) and works without Node. Where it cannot be used, globalState stands in,
// and each window stands alone.
import { type Disposable, FileSystemError, type Memento, RelativePattern, Uri, workspace } from 'vscode';
import { Emitter, Owned } from '../core/event.ts';
import type { Folder } from '../core/sharedState.ts';

export class SharedFolder implements Folder, Disposable {
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<void>());
  readonly #root: Uri;
  readonly #standIn: Memento;
  readonly #windowId: string;
  /** Writes of this window go one after the other, so that its temporary files do not meet. */
  #writing: Promise<unknown> = Promise.resolve();

  readonly onDidChange = this.#changed.event;
  readonly isShared: Promise<boolean>;

  constructor(globalStorage: Uri, standIn: Memento, windowId: string) {
    this.#root = Uri.joinPath(globalStorage, 'windows');
    this.#standIn = standIn;
    this.#windowId = windowId;
    this.isShared = this.#prepare();
  }

  async read(name: string): Promise<string | undefined> {
    if (!(await this.isShared)) {
      const kept = this.#standIn.get<unknown>(name);
      return typeof kept === 'string' ? kept : undefined;
    }
    try {
      return new TextDecoder().decode(await workspace.fs.readFile(this.#uri(name)));
    } catch (error) {
      if (isMissing(error)) {
        return undefined;
      }
      throw error;
    }
  }

  async write(name: string, text: string): Promise<void> {
    if (!(await this.isShared)) {
      await this.#standIn.update(name, text);
      return;
    }
    await this.#inTurn(async () => {
      const draft = this.#uri(`${name}.${this.#windowId}.tmp`);
      await workspace.fs.writeFile(draft, new TextEncoder().encode(text));
      await workspace.fs.rename(draft, this.#uri(name), { overwrite: true });
    });
  }

  async remove(name: string): Promise<boolean> {
    if (!(await this.isShared)) {
      const wasThere = this.#standIn.get<unknown>(name) !== undefined;
      await this.#standIn.update(name, undefined);
      return wasThere;
    }
    return await this.#inTurn(async () => {
      try {
        await workspace.fs.delete(this.#uri(name), { useTrash: false });
        return true;
      } catch (error) {
        if (isMissing(error)) {
          return false;
        }
        throw error;
      }
    });
  }

  async list(): Promise<readonly string[]> {
    if (!(await this.isShared)) {
      return this.#standIn.keys();
    }
    return (await workspace.fs.readDirectory(this.#root)).map(([name]) => name);
  }

  dispose(): void {
    this.#owned.dispose();
  }

  async #prepare(): Promise<boolean> {
    try {
      await workspace.fs.createDirectory(this.#root);
      // A folder that can be made may still not be written to: a full disk, a read-only home.
      const probe = this.#uri(`probe.${this.#windowId}.tmp`);
      await workspace.fs.writeFile(probe, new Uint8Array());
      await workspace.fs.delete(probe, { useTrash: false });
    } catch {
      return false;
    }
    const watcher = this.#owned.own(
      workspace.createFileSystemWatcher(new RelativePattern(this.#root, '*.json')),
    );
    const tell = () => this.#changed.fire();
    for (const event of [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete]) {
      this.#owned.own(event(tell));
    }
    return true;
  }

  #uri(name: string): Uri {
    return Uri.joinPath(this.#root, name);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(act, act);
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof FileSystemError && error.code === 'FileNotFound';
}
