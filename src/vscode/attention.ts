// Whether this window has the focus, as core asks for it.
import { window } from 'vscode';
import { type Disposable, Emitter } from '../core/event.ts';
import type { Attention } from '../core/refresher.ts';

export class WindowAttention implements Attention {
  readonly #focused = new Emitter<void>();
  readonly #listening: Disposable;

  readonly onDidFocus = this.#focused.event;

  constructor() {
    let was = window.state.focused;
    this.#listening = window.onDidChangeWindowState(({ focused }) => {
      // The same event tells of activity too; only the turn from away to here counts.
      if (focused && !was) {
        this.#focused.fire();
      }
      was = focused;
    });
  }

  get isFocused(): boolean {
    return window.state.focused;
  }

  dispose(): void {
    this.#listening.dispose();
    this.#focused.dispose();
  }
}
