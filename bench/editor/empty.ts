// The least that an extension of this kind can be: one item in the status bar.
import { type ExtensionContext, window } from 'vscode';

export function activate(context: ExtensionContext): void {
  const item = window.createStatusBarItem('empty');
  item.text = '0';
  item.show();
  context.subscriptions.push(item);
}

export function deactivate(): void {}
