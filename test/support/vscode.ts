// Stands in for the editor's API in plain Node: importing this file makes `import ... from 'vscode'` lead to
// fakeVscode.ts for everything that is imported afterwards, so tests of editor parts import those dynamically.
import { registerHooks } from 'node:module';
import * as fake from './fakeVscode.ts';

const url = new URL('./fakeVscode.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'vscode' ? { url, shortCircuit: true } : next(specifier, context),
});

export { fake };
