// The way back from the browser: any web page can send someone here, so an address carries no authority. Its one-time
// state is passed on, and whoever made that state looks again (T13, T14).

import type { Uri, UriHandler } from 'vscode';
import { Emitter } from '../core/event.ts';

/** The path of the address a payment page may lead back to. */
export const RETURN_PATH = '/purchase';

/** The path of the address a sign-in leads back to. */
export const SIGNED_IN_PATH = '/signed-in';

/** Our states are 36 or 43 characters; anything much longer is not ours. */
const MAX_STATE = 100;
/** Codes are short. */
const MAX_QUERY = 8_000;

export class CreditsUriHandler implements UriHandler {
  readonly #returned = new Emitter<string>();

  readonly #signedIn = new Emitter<URLSearchParams>();

  readonly onDidReturn = this.#returned.event;
  /** The answer to somebody's sign-in; worth something to whoever made its state. */
  readonly onDidSignIn = this.#signedIn.event;

  handleUri(uri: Uri): void {
    const answer = new URLSearchParams(uri.query.slice(0, MAX_QUERY));
    const state = answer.get('state');
    if (!state || state.length > MAX_STATE) {
      return;
    }
    if (uri.path === RETURN_PATH) {
      this.#returned.fire(state);
    } else if (uri.path === SIGNED_IN_PATH) {
      this.#signedIn.fire(answer);
    }
  }

  dispose(): void {
    this.#returned.dispose();
    this.#signedIn.dispose();
  }
}
