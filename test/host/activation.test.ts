// The extension as the editor sees it: found, started, and every command of its manifest really there.
import { deepEqual, ok } from 'node:assert/strict';
import * as vscode from 'vscode';

const id = 'studio-credits.code-studio-credits';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

describe('activation', () => {
  it('finds the extension', () => {
    ok(vscode.extensions.getExtension(id), `${id} is not among the extensions of this editor`);
  });

  it('starts by itself, without being asked', async () => {
    const extension = vscode.extensions.getExtension(id);
    ok(extension);
    const deadline = Date.now() + 10_000; // ms
    while (!extension.isActive && Date.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 50));
    ok(extension.isActive, 'not active 10 s after the editor had started');
    // Waits for the same start: rejects if it went wrong.
    await extension.activate();
  });

  it('registers every command of the manifest', async () => {
    const extension = vscode.extensions.getExtension(id);
    ok(extension);
    await extension.activate();
    const manifest = extension.packageJSON as Manifest;
    const promised = manifest.contributes.commands.map(({ command }) => command);
    const registered = new Set(await vscode.commands.getCommands(true));
    const missing = promised.filter(command => !registered.has(command));
    deepEqual(missing, []);
    ok(promised.length > 0, 'the manifest lists no command');
  });
});
