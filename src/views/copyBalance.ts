// The balance as a line of text, with its age: a figure without one is soon taken for today's.
import { env, l10n, window } from 'vscode';
import { lastReading } from '../core/balance.ts';
import type { Clock } from '../core/clock.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import { oneLine } from '../core/oneLine.ts';
import { creditsText } from './text.ts';

export async function copyBalance(store: CreditsStore, clock: Clock, locale: string): Promise<void> {
  const { account, balance } = store.state;
  const reading = lastReading(balance);
  if (!account || !reading) {
    void window.showWarningMessage(l10n.t('The balance is not known at the moment.'));
    return;
  }
  const at = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const credits = creditsText(reading.snapshot.available_ucr, locale);
  const asOf = at.format(clock.now() - store.ageMs(reading));
  await env.clipboard.writeText(l10n.t('{0}: {1} as of {2}', oneLine(account.orgName), credits, asOf));
  window.setStatusBarMessage(l10n.t('The balance was copied.'), 3_000); // ms
}
