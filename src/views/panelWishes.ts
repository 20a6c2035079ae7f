// What the panel's page may ask for, one line each; the page has no other way to cause anything (T9).
import type { ToHost, UsageGroup } from '../../protocol/messages.ts';

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
  readonly showUsage: (group: UsageGroup) => Promise<void>;
  readonly showPayments: () => Promise<void>;
  readonly showMorePayments: () => Promise<void>;
  readonly openDocument: (paymentId: string, document: 'receipt' | 'invoice') => Promise<void>;
  readonly manageBilling: () => Promise<void>;
  readonly exportUsage: () => Promise<void>;
  readonly openSettings: () => Promise<void>;
  readonly switchOrganisation: () => Promise<void>;
  readonly showLowBalance: () => Promise<void>;
  readonly setLowBalance: (belowUcr: number | null) => Promise<void>;
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
    case 'showUsage':
      return await acts.showUsage(wish.group);
    case 'showPayments':
      return await acts.showPayments();
    case 'showMorePayments':
      return await acts.showMorePayments();
    case 'openDocument':
      return await acts.openDocument(wish.paymentId, wish.document);
    case 'manageBilling':
      return await acts.manageBilling();
    case 'exportUsage':
      return await acts.exportUsage();
    case 'openSettings':
      return await acts.openSettings();
    case 'switchOrganisation':
      return await acts.switchOrganisation();
    case 'showLowBalance':
      return await acts.showLowBalance();
    case 'setLowBalance':
      return await acts.setLowBalance(wish.belowUcr);
  }
}
