// "Buy Credits" from the palette: choose an amount, or type one, then see what is paid and where.
import { l10n, type QuickPickItem, window } from 'vscode';
import type { AmountLimits } from '../../protocol/amount.ts';
import { readAmount } from '../../protocol/amount.ts';
import { formatMoney } from '../../protocol/format.ts';
import { creditsFor, minorPerMajor } from '../../protocol/units.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import type { Buying } from './buying.ts';
import { describeAmount, describeBlocked } from './describe.ts';
import { creditsText } from './text.ts';

interface AmountItem extends QuickPickItem {
  /** Undefined for "another amount". */
  readonly amount: { readonly minor: number; readonly creditsUcr: number } | undefined;
}

/** @param ask what a person who may not buy can do instead */
export async function buyFromPalette(
  store: CreditsStore,
  buying: Buying,
  ask: () => void,
  locale: string,
): Promise<void> {
  if (!store.state.options) {
    await store.refreshOptions();
  }
  const { options } = store.state;
  if (!options) {
    void window.showErrorMessage(
      l10n.t('What can be bought is not known at the moment. Nothing was charged.'),
    );
    return;
  }
  if (!options.can_purchase) {
    const ways = options.blocked_reason === 'not_admin' ? [l10n.t('Ask an Admin')] : [];
    if (await window.showInformationMessage(describeBlocked(options.blocked_reason), ...ways)) {
      ask();
    }
    return;
  }
  const items: AmountItem[] = options.presets.map(preset => ({
    label: formatMoney(preset.amount_minor, options.currency, locale),
    description: creditsText(preset.credits_ucr, locale),
    amount: { minor: preset.amount_minor, creditsUcr: preset.credits_ucr },
  }));
  if (options.custom) {
    items.push({ label: l10n.t('Another amount…'), amount: undefined });
  }
  const chosen = await window.showQuickPick(items, {
    title: options.payment_mode === 'live' ? l10n.t('Buy Credits') : l10n.t('Buy Credits (TEST MODE)'),
    placeHolder: l10n.t('Choose an amount'),
  });
  const custom = options.custom && { currency: options.currency, ...options.custom };
  const amount =
    chosen?.amount ??
    (chosen && custom && (await typeAmount(custom, options.credits_per_major_unit, locale)));
  if (amount) {
    await buying.buy(amount.minor, amount.creditsUcr, buying.confirm);
  }
}

async function typeAmount(limits: AmountLimits, rate: number, locale: string): Promise<AmountItem['amount']> {
  const typed = await window.showInputBox({
    title: l10n.t('Buy Credits'),
    prompt: l10n.t(
      'From {0} to {1}. One {2} buys {3}.',
      formatMoney(limits.min_minor, limits.currency, locale),
      formatMoney(limits.max_minor, limits.currency, locale),
      limits.currency.toUpperCase(),
      creditsText(creditsFor(minorPerMajor(limits.currency), rate, limits.currency), locale),
    ),
    validateInput: text => {
      const reading = readAmount(text, limits);
      return reading.ok ? undefined : describeAmount(reading.problem, limits, locale);
    },
  });
  if (typed === undefined) {
    return undefined;
  }
  const reading = readAmount(typed, limits);
  return reading.ok
    ? { minor: reading.amountMinor, creditsUcr: creditsFor(reading.amountMinor, rate, limits.currency) }
    : undefined;
}
