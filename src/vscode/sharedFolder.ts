// The folder all windows share: the extension's global storage, by the editor's file system, so it is on the side
// where the extension runs (desktop, remote) and works without Node. Where it cannot be used, globalState stands in,
// and each window stands alone.
import { type Disposable, FileSystemError, type Memento, RelativePattern, Uri, workspace } from 'vscode';
import { minutes, seconds, sleep, systemClock } from '../core/clock.ts';
import { Emitter, Owned } from '../core/event.ts';
import type { Folder } from '../core/sharedState.ts';

/** The editor's rename takes the old file away before it moves the new one there. For so long a file that is missing
 * beside its draft is only on its way. */
const REPLACING_MS = seconds(2);
const LOOK_AGAIN_MS = 20;

/** A draft this old was left by a window that was killed. */
const LEFT_MS = minutes(1);

export class SharedFolder implements Folder, Disposable {
  readonly #owned = new Owned();
  readonly #changed = this.#owned.own(new Emitter<void>());
  readonly #root: Uri;
  readonly #standIn: Memento;
  readonly #windowId: string;
  /** Writes of this window go one after the other, so that its temporary files do not meet. */
  #writing: Promise<unknown> = Promise.resolve();
  /** Drafts that became nothing in the time given. */
  readonly #left = new Set<string>();

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
    const untilMs = systemClock.monotonic() + REPLACING_MS;
    for (;;) {
      try {
        return new TextDecoder().decode(await workspace.fs.readFile(this.#uri(name)));
      } catch (error) {
        if (!isMissing(error)) {
          throw error;
        }
      }
      const { names, drafts } = await this.#look();
      const ours = drafts.filter(draft => targetOf(draft) === name);
      const isThere = ours.length > 0 || names.includes(name);
      if (!isThere || !(await this.#wait(untilMs, ours))) {
        return undefined;
      }
    }
  }

  async write(name: string, text: string): Promise<void> {
    if (!(await this.isShared)) {
      await this.#standIn.update(name, text);
      return;
    }
    const untilMs = systemClock.monotonic() + REPLACING_MS;
    await this.#inTurn(async () => {
      for (;;) {
        try {
          await this.#replace(name, text);
          return;
        } catch (error) {
          // Another window was replacing it at the same moment, and has taken the old file away before us.
          if (!isMissing(error) || systemClock.monotonic() > untilMs) {
            throw error;
          }
        }
        await sleep(systemClock, LOOK_AGAIN_MS);
      }
    });
  }

  async #replace(name: string, text: string): Promise<void> {
    const draft = this.#uri(draftOf(name, this.#windowId));
    await workspace.fs.writeFile(draft, new TextEncoder().encode(text));
    await workspace.fs.rename(draft, this.#uri(name), { overwrite: true });
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
    const untilMs = systemClock.monotonic() + REPLACING_MS;
    for (;;) {
      const { names, drafts } = await this.#look();
      const missing = drafts.filter(draft => !names.includes(targetOf(draft) ?? ''));
      if (missing.length === 0 || !(await this.#wait(untilMs, missing))) {
        return names;
      }
    }
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
    void this.#sweep();
    const watcher = this.#owned.own(
      workspace.createFileSystemWatcher(new RelativePattern(this.#root, '*.json')),
    );
    const tell = () => this.#changed.fire();
    for (const event of [watcher.onDidCreate, watcher.onDidChange, watcher.onDidDelete]) {
      this.#owned.own(event(tell));
    }
    return true;
  }

  async #look(): Promise<{ names: readonly string[]; drafts: readonly string[] }> {
    const names = (await workspace.fs.readDirectory(this.#root)).map(([name]) => name);
    for (const draft of this.#left) {
      if (!names.includes(draft)) {
        this.#left.delete(draft);
      }
    }
    return { names, drafts: names.filter(one => targetOf(one) !== undefined && !this.#left.has(one)) };
  }

  /** False when it has taken too long: who was writing these was killed, and is not waited for again. */
  async #wait(untilMs: number, drafts: readonly string[]): Promise<boolean> {
    if (systemClock.monotonic() > untilMs) {
      for (const draft of drafts) {
        this.#left.add(draft);
      }
      return false;
    }
    await sleep(systemClock, LOOK_AGAIN_MS);
    return true;
  }

  /** What killed windows have left. */
  async #sweep(): Promise<void> {
    try {
      for (const draft of (await this.#look()).drafts) {
        const { mtime } = await workspace.fs.stat(this.#uri(draft));
        if (Date.now() - mtime > LEFT_MS) {
          await workspace.fs.delete(this.#uri(draft), { useTrash: false });
        }
      }
    } catch {
      // Renamed meanwhile, or swept by another window.
    }
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

function draftOf(name: string, windowId: string): string {
  return `${name}.${windowId}.tmp`;
}

/** The file that a draft is to become. */
function targetOf(draft: string): string | undefined {
  return /^(.+\.json)\.[^.]+\.tmp$/.exec(draft)?.[1];
}

function isMissing(error: unknown): boolean {
  return error instanceof FileSystemError && error.code === 'FileNotFound';
}
