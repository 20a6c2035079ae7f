// The way back from the browser: any web page can send someone here, so an address carries no authority. Its one-time
// state is passed on, and whoever made that state looks again (T13, T14).

import type { Uri, UriHandler } from 'vscode';
import { Emitter } from '../core/event.ts';

/** The path of the address a payment page may lead back to. */
export const RETURN_PATH = '/purchase';

/** Our states are 36 characters; anything much longer is not ours. */
const MAX_STATE = 100;

export class CreditsUriHandler implements UriHandler {
  readonly #returned = new Emitter<string>();

  readonly onDidReturn = this.#returned.event;

  handleUri(uri: Uri): void {
    const state = new URLSearchParams(uri.query).get('state');
    if (uri.path === RETURN_PATH && state && state.length <= MAX_STATE) {
      this.#returned.fire(state);
    }
  }

  dispose(): void {
    this.#returned.dispose();
  }
}
