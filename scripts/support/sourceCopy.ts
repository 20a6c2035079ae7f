// A copy of the sources to break on purpose, so that a run that is stopped halfway leaves the checkout as it was.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, out } from './places.ts';

const copied = [
  'protocol',
  'src',
  'server/src',
  'server/package.json',
  'webview',
  'test',
  'scripts',
  'docs',
  'media',
  'package.json',
  'package.nls.json',
  'tsconfig.base.json',
];

export interface Edit {
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
}

/** The folder of a fresh copy, under this name in `out`. */
export function copySources(name: string): string {
  const copy = join(out, name);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const path of copied) {
    cpSync(inRoot(path), join(copy, path), { recursive: true });
  }
  symlinkSync(inRoot('node_modules'), join(copy, 'node_modules'), 'dir');
  return copy;
}

/** The first edit whose text is not found once, as a sentence. */
export function misplaced(copy: string, edits: readonly Edit[]): string | undefined {
  const lost = edits.find(
    ({ file, from }) => readFileSync(join(copy, file), 'utf8').split(from).length !== 2,
  );
  return lost && `its text is not found once in ${lost.file}`;
}

/** Does something while the copy is broken in this way. */
export async function whileBroken<T>(
  copy: string,
  edits: readonly Edit[],
  work: () => T | Promise<T>,
): Promise<T> {
  const sound = new Map(edits.map(({ file }) => [file, readFileSync(join(copy, file), 'utf8')]));
  try {
    for (const { file, from, to } of edits) {
      const path = join(copy, file);
      writeFileSync(
        path,
        readFileSync(path, 'utf8').replace(from, () => to),
      );
    }
    return await work();
  } finally {
    for (const [file, text] of sound) {
      writeFileSync(join(copy, file), text);
    }
  }
}
