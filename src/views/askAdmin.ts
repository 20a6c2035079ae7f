// The way forward for someone who may not buy: a request to send on, ready in the clipboard.
import { env, l10n, window } from 'vscode';
import { lastReading } from '../core/balance.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import type { Notices } from './notices.ts';
import { creditsText, inert } from './text.ts';

export async function askAdmin(store: CreditsStore, notices: Notices, locale: string): Promise<void> {
  const { account, balance, options } = store.state;
  if (!account) {
    return;
  }
  const last = lastReading(balance);
  const left = last
    ? l10n.t('{0} left.', creditsText(last.snapshot.available_ucr, locale))
    : l10n.t('The balance is running low.');
  const request = l10n.t(
    'Could you add credits for {0} in Code Studio? {1} Settings > Credits > Buy credits.',
    account.orgName,
    left,
  );
  await env.clipboard.writeText(request);
  const contact = options?.contact;
  const told = contact
    ? l10n.t('The request was copied. Send it to {0}.', inert(contact.email ?? contact.name))
    : l10n.t('The request was copied. Send it to an administrator of your organisation.');
  notices.show('info', told);
  void window.showInformationMessage(told);
}
