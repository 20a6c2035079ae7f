// A place where one thing is remembered across reloads; the editor's adapter is vscode/memory.ts.

export interface Slot<T> {
  /** What was stored, or undefined when there is nothing, or nothing this version understands. */
  read(): T | undefined;
  /** Resolves once the value is kept. Undefined forgets. */
  write(value: T | undefined): Promise<void>;
}

/** For the readers of stored values: an object with unknown fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
