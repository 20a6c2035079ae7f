// Tells the editor what is possible now, for the commands' `enablement` and anyone's `when` clauses. They are listed in
// the README, so they only grow.
import { commands } from 'vscode';
import { lastReading } from '../core/balance.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import type { Disposable } from '../core/event.ts';
import { canManageBilling } from '../core/rights.ts';

export class ContextKeys {
  readonly #listening: Disposable;
  readonly #told = new Map<string, boolean>();

  constructor(store: CreditsStore) {
    const tell = () => {
      const { account, balance, options } = store.state;
      // A refused token is as good as none: signing in is what helps.
      const refused = balance.kind === 'failed' && balance.error.reason === 'unauthenticated';
      this.#set('credits.signedIn', account !== undefined && !refused);
      this.#set('credits.tokenRefused', refused);
      this.#set('credits.canPurchase', options?.can_purchase === true);
      this.#set('credits.canManageBilling', canManageBilling(options));
      const snapshot = lastReading(balance)?.snapshot;
      this.#set('credits.balanceKnown', snapshot !== undefined);
      this.#set('credits.low', snapshot !== undefined && snapshot.low_balance.level !== 'ok');
      this.#set('credits.depleted', snapshot?.low_balance.level === 'depleted');
    };
    this.#listening = store.onDidChange(tell);
    tell();
  }

  dispose(): void {
    this.#listening.dispose();
    for (const key of this.#told.keys()) {
      this.#set(key, false);
    }
  }

  #set(key: string, value: boolean): void {
    if (this.#told.get(key) !== value) {
      this.#told.set(key, value);
      void commands.executeCommand('setContext', key, value);
    }
  }
}
