// What the panel's page may ask for, one line each; the page has no other way to cause anything (T9).
import type { ToHost } from '../../protocol/messages.ts';

export interface PanelActs {
  readonly signIn: () => Promise<void>;
  readonly refresh: () => Promise<void>;
  readonly buy: (amountMinor: number, expectedCreditsUcr: number) => Promise<void>;
  readonly resume: () => Promise<void>;
  readonly copyLink: () => Promise<void>;
  readonly checkNow: () => Promise<void>;
  readonly cancel: () => Promise<void>;
  readonly askAdmin: () => Promise<void>;
  readonly dismissNotice: (id: number) => void;
}

export async function grantWish(wish: Exclude<ToHost, { type: 'ready' }>, acts: PanelActs): Promise<void> {
  switch (wish.type) {
    case 'signIn':
      return await acts.signIn();
    case 'refresh':
      return await acts.refresh();
    case 'buy':
      return await acts.buy(wish.amountMinor, wish.expectedCreditsUcr);
    case 'resumePurchase':
      return await acts.resume();
    case 'copyCheckoutLink':
      return await acts.copyLink();
    case 'checkPurchase':
      return await acts.checkNow();
    case 'cancelPurchase':
      return await acts.cancel();
    case 'askAdmin':
      return await acts.askAdmin();
    case 'dismissNotice':
      return acts.dismissNotice(wish.id);
  }
}
