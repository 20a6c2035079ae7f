// The log in the Output view. Its channel is a file that the editor opens, so it is made with the first line or look:
// not in the editor's start, and not for a window that has nothing to say.
import { type LogOutputChannel, l10n, window } from 'vscode';
import type { Log } from '../core/log.ts';
import { oneLine } from '../core/oneLine.ts';

/** A server's own words are in some entries: none of them begins another, or fills the file. */
const MAX_LINE = 500;

export class LogChannel implements Log {
  #channel: LogOutputChannel | undefined;
  #isDisposed: boolean = false;

  trace(message: string): void {
    this.#open()?.trace(oneLine(message, MAX_LINE));
  }

  info(message: string): void {
    this.#open()?.info(oneLine(message, MAX_LINE));
  }

  warn(message: string): void {
    this.#open()?.warn(oneLine(message, MAX_LINE));
  }

  error(message: string): void {
    this.#open()?.error(oneLine(message, MAX_LINE));
  }

  show(): void {
    this.#open()?.show();
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#channel?.dispose();
  }

  /** Undefined once disposed: what ends late must not leave a channel behind. */
  #open(): LogOutputChannel | undefined {
    if (!this.#isDisposed) {
      this.#channel ??= window.createOutputChannel(l10n.t('Credits'), { log: true });
    }
    return this.#channel;
  }
}
