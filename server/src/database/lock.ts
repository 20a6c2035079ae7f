// The exclusive lock on a data directory. Two processes can open one PGlite directory without an error and then lose
// committed rows, so the lock is the kernel's: it ends with the process, however the process ends.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export class DataDirectoryLocked extends Error {
  override readonly name = 'DataDirectoryLocked';
  readonly directory: string;
  readonly pid: number | undefined;

  constructor(directory: string, pid: number | undefined, options?: ErrorOptions) {
    const holder = pid === undefined ? 'another process' : `process ${pid}`;
    super(`The data directory ${directory} is in use by ${holder}.`, options);
    this.directory = directory;
    this.pid = pid;
  }
}

export interface DirectoryLock {
  release(): void;
}

/** @throws {DataDirectoryLocked} when another process holds it. */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // SQLite is used for nothing but its file lock: Node has no flock of its own, and needs no native addon for this.
  const file = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 });
  const pidFile = join(directory, 'lock.pid');
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (isBusy(error)) {
      throw new DataDirectoryLocked(directory, readPid(pidFile), { cause: error });
    }
    throw error;
  }
  // For the message only; whether the directory is free is never read from here.
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release() {
      file.exec('ROLLBACK');
      file.close();
    },
  };
}

/** Source: https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isSafeInteger(pid) ? pid : undefined;
  } catch {
    // The other process has the lock but has not written its pid yet.
    return undefined;
  }
}
