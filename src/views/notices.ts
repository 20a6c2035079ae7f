// The one line the panel shows beside its state: how the last thing went, until it is dismissed or the next comes.
import { window } from 'vscode';
import type { NoticeView } from '../../protocol/messages.ts';
import { Emitter } from '../core/event.ts';

export class Notices {
  readonly #changed = new Emitter<void>();
  #current: NoticeView | null = null;
  #lastId = 0;

  readonly onDidChange = this.#changed.event;

  get current(): NoticeView | null {
    return this.#current;
  }

  /** @returns its id, for taking it back */
  show(tone: NoticeView['tone'], text: string): number {
    this.#lastId++;
    this.#current = { id: this.#lastId, tone, text };
    this.#changed.fire();
    return this.#lastId;
  }

  /** In the panel, and in the editor too: whoever asked by the palette may have no panel to look at. */
  problem(text: string): void {
    this.show('error', text);
    void window.showErrorMessage(text);
  }

  /** @param id of the notice that was seen, so that a newer one is not swept away. None: whichever is there. */
  dismiss(id?: number): void {
    if (this.#current && (id === undefined || this.#current.id === id)) {
      this.#current = null;
      this.#changed.fire();
    }
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
