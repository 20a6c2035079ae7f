// The types of bootstrap.mjs, for the scripts that use it once TypeScript runs.
export function step<T>(text: string, work: () => T | Promise<T>): Promise<T>;
export function withLock<T>(folder: string, work: () => T | Promise<T>): Promise<T>;
export function npm(args: readonly string[], options: { cwd: string; node?: string }): Promise<void>;
export function withFirst(...folders: string[]): string;
export function versionOf(program: string): string | undefined;
