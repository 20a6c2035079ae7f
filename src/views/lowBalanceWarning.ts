// Says that credits run low: once for each threshold, account and period, and with a way forward for each role.
import { l10n, window } from 'vscode';
import { type Account, accountKey } from '../core/account.ts';
import type { Snapshot } from '../core/balance.ts';
import type { CreditsState, CreditsStore } from '../core/creditsStore.ts';
import type { Disposable } from '../core/event.ts';
import type { Slot } from '../core/slot.ts';
import { crossing, type SeenByAccount, type Threshold } from '../core/warnings.ts';
import type { Settings } from '../vscode/settings.ts';
import { creditsText, inert } from './text.ts';

export interface LowBalanceWarningMeans {
  readonly store: CreditsStore;
  readonly settings: Settings;
  readonly seen: Slot<SeenByAccount>;
  readonly buy: () => void;
  readonly ask: () => void;
  readonly locale: string;
}

export class LowBalanceWarning {
  readonly #means: LowBalanceWarningMeans;
  readonly #listening: Disposable;

  constructor(means: LowBalanceWarningMeans) {
    this.#means = means;
    this.#listening = means.store.onDidChange(state => this.#look(state));
  }

  dispose(): void {
    this.#listening.dispose();
  }

  #look({ account, balance, options }: CreditsState): void {
    // Only what the server has just said: an old figure is no news, and a refusal is not about credits (d-39). And not
    // before it is known whether this person can buy, because the words depend on it.
    if (!account || balance.kind !== 'known' || !options) {
      return;
    }
    const { seen, settings } = this.#means;
    const all = seen.read() ?? {};
    const key = accountKey(account);
    const { snapshot } = balance.last;
    const crossed = crossing(all[key], snapshot);
    if (!crossed) {
      return;
    }
    const before = all[key];
    if (before?.periodId !== crossed.seen.periodId || before.reached !== crossed.seen.reached) {
      // Kept before it is shown, and nothing waits for the notification: it stays open for as long as it likes (d-10).
      void seen.write({ ...all, [key]: crossed.seen });
    }
    if (crossed.tell !== undefined && settings.lowBalanceWarnings) {
      void this.#tell(account, snapshot, crossed.tell, options.can_purchase);
    }
  }

  async #tell(account: Account, snapshot: Snapshot, threshold: Threshold, canBuy: boolean): Promise<void> {
    const { locale, buy, ask } = this.#means;
    const left = creditsText(snapshot.available_ucr, locale);
    const org = inert(account.orgName);
    const text =
      snapshot.available_ucr <= 0
        ? l10n.t('{0} has no credits left. AI requests may stop until credits are added.', org)
        : threshold >= 100
          ? l10n.t('{0} has used all its credits for this period: {1} left.', org, left)
          : l10n.t('{0} has used {1} % of its credits: {2} left.', org, threshold, left);
    const action = canBuy ? l10n.t('Buy Credits') : l10n.t('Ask an Admin');
    const chosen = await window.showWarningMessage(text, action);
    if (chosen === action) {
      (canBuy ? buy : ask)();
    }
  }
}
