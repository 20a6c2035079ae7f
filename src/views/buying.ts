// The conversation around a purchase: asks when one is already open, names host and figures before the browser opens,
// tells how it went.
import { env, l10n, window } from 'vscode';
import type { Ucr } from '../../protocol/units.ts';
import { lastReading } from '../core/balance.ts';
import type { BuyResult, Checkout, Confirm, Order, Pending, Settled } from '../core/checkout.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import type { CreditsError } from '../core/errors.ts';
import { Owned } from '../core/event.ts';
import { describeBlocked, describeError } from './describe.ts';
import type { Notices } from './notices.ts';
import { balanceText, creditsText, inert, orderText } from './text.ts';

export interface BuyingMeans {
  readonly checkout: Checkout;
  readonly store: CreditsStore;
  readonly notices: Notices;
  /** The panel shows how a purchase went, so that nobody is told twice. */
  readonly isPanelVisible: () => boolean;
  readonly locale: string;
}

export class Buying {
  readonly #checkout: Checkout;
  readonly #store: CreditsStore;
  readonly #notices: Notices;
  readonly #isPanelVisible: () => boolean;
  readonly #locale: string;
  readonly #owned = new Owned();
  /** The balance that the last success notice names. */
  #told: { noticeId: number; availableUcr: Ucr | undefined } | undefined;

  constructor({ checkout, store, notices, isPanelVisible, locale }: BuyingMeans) {
    this.#checkout = checkout;
    this.#store = store;
    this.#notices = notices;
    this.#isPanelVisible = isPanelVisible;
    this.#locale = locale;
    this.#owned.own(checkout.onDidSettle(settled => this.#tellEnd(settled)));
    this.#owned.own(store.onDidChange(() => this.#dropOldNews()));
  }

  dispose(): void {
    this.#owned.dispose();
  }

  /** From the panel, whose order line has named amount, credits and host; from the palette with `confirm`. */
  async buy(amountMinor: number, creditsUcr: number, confirm?: Confirm): Promise<void> {
    const { options } = this.#store.state;
    if (!options?.can_purchase) {
      this.#notices.show('warning', describeBlocked(options?.blocked_reason ?? null));
      return;
    }
    const order = { amountMinor, currency: options.currency, creditsUcr };
    this.#notices.dismiss();
    const asked = confirm ? { confirm } : {};
    const result = await this.#checkout.buy(order, asked);
    if (result.kind !== 'alreadyPending') {
      await this.#tell(result, order);
      return;
    }
    switch (await this.#whichOne(result.pending)) {
      case 'resume':
        await this.resume();
        return;
      case 'another':
        await this.#tell(await this.#checkout.buy(order, { ...asked, another: true }), order);
        return;
      case 'neither':
        return;
    }
  }

  async resume(): Promise<void> {
    const { pending } = this.#checkout;
    if (pending) {
      await this.#tell(await this.#checkout.resume(), pending);
    }
  }

  async copyLink(): Promise<void> {
    const link = await this.#checkout.link();
    if (link === undefined) {
      this.#notices.show('warning', l10n.t('There is no link to copy at the moment.'));
      return;
    }
    await env.clipboard.writeText(link);
    this.#notices.show('info', l10n.t('The link was copied. Open it in any browser to pay.'));
  }

  async checkNow(): Promise<void> {
    await Promise.all([this.#checkout.checkNow(), this.#store.refresh()]);
    const { pending } = this.#checkout;
    if (pending?.phase === 'waiting') {
      this.#notices.show(
        'info',
        pending.error
          ? describeError(pending.error)
          : l10n.t(
              'The payment has not arrived yet. It is looked for by itself; you will not be charged twice.',
            ),
      );
    }
  }

  async cancel(): Promise<void> {
    const error = await this.#checkout.cancel();
    if (error) {
      this.#notices.show('error', notCanceled(error));
    }
  }

  /** The palette's last step: what is paid, for what, and where, before anything opens (T40). */
  readonly confirm: Confirm = async (order, host) => {
    const { money, credits } = orderText(order, this.#locale);
    const open = {
      label: l10n.t('$(link-external) Pay {0} for {1}', money, credits),
      detail: l10n.t('Opens {0} in your browser.', host),
    };
    const stop = { label: l10n.t('Cancel'), detail: l10n.t('Nothing is charged.') };
    const chosen = await window.showQuickPick([open, stop], {
      title:
        this.#store.state.options?.payment_mode === 'live'
          ? l10n.t('Buy Credits')
          : l10n.t('Buy Credits (TEST MODE)'),
      placeHolder: l10n.t('{0} for {1}, paid at {2}', credits, money, host),
      ignoreFocusOut: true,
    });
    return chosen === open;
  };

  async #whichOne(pending: Pending): Promise<'resume' | 'another' | 'neither'> {
    const { money } = orderText(pending, this.#locale);
    const resume = l10n.t('Resume');
    const another = l10n.t('New Purchase');
    const chosen = await window.showInformationMessage(
      pending.phase === 'processing'
        ? l10n.t('A payment of {0} is in progress. Start another one?', money)
        : l10n.t('A payment of {0} is already open. Resume it, or cancel it and start a new one?', money),
      ...(pending.phase === 'processing' ? [another] : [resume, another]),
    );
    return chosen === resume ? 'resume' : chosen === another ? 'another' : 'neither';
  }

  async #tell(result: BuyResult, order: Order): Promise<void> {
    switch (result.kind) {
      case 'notOpened':
        await this.#offerLink(result.host);
        return;
      case 'opened':
      case 'declined':
      case 'settled':
      case 'signedOut':
        return;
      case 'alreadyPending':
        if (result.error) {
          this.#notices.problem(notCanceled(result.error));
        }
        return;
      case 'quoteChanged': {
        const { money } = orderText(order, this.#locale);
        this.#notices.problem(
          result.creditsUcr === undefined
            ? l10n.t('The price has changed. Nothing was ordered; look at the new figures.')
            : l10n.t(
                'The price has changed: {0} now buys {1}. Nothing was ordered.',
                money,
                creditsText(result.creditsUcr, this.#locale),
              ),
        );
        return;
      }
      case 'refused': {
        const { options } = this.#store.state;
        const why =
          error403(result) && options && !options.can_purchase
            ? describeBlocked(options.blocked_reason)
            : describeError(result.error);
        this.#notices.problem(l10n.t('{0} Nothing was charged.', why));
        return;
      }
      case 'unanswered': {
        const why = describeError(result.error);
        this.#notices.problem(
          // One that the server has may be paid by now.
          this.#checkout.pending?.phase === 'starting'
            ? l10n.t(
                '{0} Nothing was charged. The order is repeated by itself, and is placed once at most.',
                why,
              )
            : why,
        );
        return;
      }
      case 'badAddress':
        this.#notices.problem(
          l10n.t(
            'The payment page at {0} is not on the list of allowed ones, so it was not opened. Nothing was charged.',
            result.host === undefined ? l10n.t('an unreadable address') : inert(result.host),
          ),
        );
        return;
    }
  }

  async #offerLink(host: string): Promise<void> {
    this.#notices.show('warning', l10n.t('The browser did not open. Copy the link and open it yourself.'));
    const copy = l10n.t('Copy Link');
    const chosen = await window.showWarningMessage(
      l10n.t('The browser did not open. The payment page is at {0}.', host),
      copy,
    );
    if (chosen === copy) {
      await this.copyLink();
    }
  }

  /** A notice that names a balance goes when the balance moves on. */
  #dropOldNews(): void {
    const now = lastReading(this.#store.state.balance)?.snapshot.available_ucr;
    if (this.#told?.availableUcr !== undefined && now !== undefined && now !== this.#told.availableUcr) {
      this.#notices.dismiss(this.#told.noticeId);
      this.#told = undefined;
    }
  }

  #tellEnd(settled: Settled): void {
    const text = endText(settled, this.#locale);
    switch (settled.kind) {
      case 'credited':
        this.#told = { noticeId: this.#notices.show('success', text), availableUcr: settled.availableUcr };
        if (!this.#isPanelVisible()) {
          void window.showInformationMessage(text);
        }
        return;
      case 'needsReview':
        this.#notices.show('warning', text);
        void window.showWarningMessage(text);
        return;
      case 'failed':
        this.#notices.show('error', text);
        void window.showInformationMessage(text);
        return;
      case 'expired':
      case 'canceled':
        // Quietly: it is what the person did, or left undone.
        this.#notices.show('info', text);
        return;
    }
  }
}

/** How a purchase ended, with what was or was not charged. */
export function endText(settled: Settled, locale: string): string {
  if (settled.kind === 'credited') {
    const { creditsUcr, availableUcr } = settled;
    const credits = creditsText(creditsUcr, locale);
    return availableUcr === undefined
      ? l10n.t('{0} added.', credits)
      : l10n.t('{0} added. Balance {1}.', credits, balanceText(availableUcr, locale));
  }
  const { money } = orderText(settled.order, locale);
  switch (settled.kind) {
    case 'expired':
      return l10n.t('The payment page for {0} has expired. Nothing was charged.', money);
    case 'canceled':
      return l10n.t('The purchase of {0} was canceled. Nothing was charged.', money);
    case 'failed':
      return l10n.t('The payment of {0} did not go through. Nothing was charged.', money);
    case 'needsReview':
      return l10n.t(
        "The payment of {0} arrived but differs from the order, so your organisation's credits service is looking at it. No credits were added yet.",
        money,
      );
  }
}

function notCanceled(error: CreditsError): string {
  return l10n.t('The purchase could not be canceled. {0}', describeError(error));
}

function error403({ error }: Extract<BuyResult, { kind: 'refused' }>): boolean {
  return error.reason === 'forbidden' || error.code === 'purchasing_blocked';
}
