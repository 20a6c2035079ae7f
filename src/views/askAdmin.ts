// The way forward for someone who may not buy, or whom a budget stops: a request to send on, ready in the clipboard and,
// where the server names an address, as a mail.
import { env, l10n, window } from 'vscode';
import { mailAddress } from '../core/address.ts';
import { lastReading } from '../core/balance.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import { type Budget, stopOf } from '../core/limits.ts';
import { oneLine } from '../core/oneLine.ts';
import type { Notices } from './notices.ts';
import { creditsText, dayText, inert } from './text.ts';

export type AdminRequest =
  | { readonly kind: 'credits' }
  /** Undefined where the server does not show the budget it names. */
  | { readonly kind: 'budget'; readonly budget: Budget | undefined };

export interface AskAdminMeans {
  readonly store: CreditsStore;
  readonly notices: Notices;
  readonly open: (url: string) => Promise<boolean>;
  /** Wall time, ms since the epoch. */
  readonly nowMs: () => number;
  readonly locale: string;
}

export async function askAdmin(
  means: AskAdminMeans,
  request: AdminRequest = whatHelps(means.store),
): Promise<void> {
  const { store, notices, open } = means;
  const { account, options } = store.state;
  if (!account) {
    return;
  }
  const org = oneLine(account.orgName);
  const text = requestText(org, request, means);
  await env.clipboard.writeText(text);
  const contact = options?.contact;
  const told = contact
    ? l10n.t('The request was copied. Send it to {0}.', inert(contact.email ?? contact.name))
    : l10n.t('The request was copied. Send it to an administrator of your organisation.');
  notices.show('info', told);
  const subject =
    request.kind === 'budget' ? l10n.t('AI budget at {0}', org) : l10n.t('AI credits for {0}', org);
  const mail = contact?.email ? mailAddress(contact.email, subject, text) : undefined;
  if (mail === undefined) {
    void window.showInformationMessage(told);
    return;
  }
  const write = l10n.t('Write E-Mail');
  if ((await window.showInformationMessage(told, write)) === write) {
    await open(mail);
  }
}

/** Against a budget credits do not help. */
function whatHelps({ state: { balance } }: CreditsStore): AdminRequest {
  const last = lastReading(balance);
  const stop = last && stopOf(last.snapshot);
  return stop?.kind === 'budget' ? stop : { kind: 'credits' };
}

function requestText(org: string, request: AdminRequest, { store, nowMs, locale }: AskAdminMeans): string {
  if (request.kind === 'budget') {
    const { budget } = request;
    if (!budget) {
      return l10n.t('Could you raise the budget that stops my AI requests at {0}?', org);
    }
    const used = creditsText(budget.used_ucr, locale);
    const limit = creditsText(budget.limit_ucr, locale);
    const day = dayText(budget.resets_at, nowMs(), locale);
    return budget.scope === 'user'
      ? l10n.t(
          'Could you raise my AI budget at {0}? {1} of {2} are used, and it is renewed on {3}.',
          org,
          used,
          limit,
          day,
        )
      : l10n.t(
          'Could you raise the AI budget of {0} at {1}? {2} of {3} are used, and it is renewed on {4}.',
          oneLine(budget.name),
          org,
          used,
          limit,
          day,
        );
  }
  const last = lastReading(store.state.balance);
  const left = last
    ? last.snapshot.available_ucr > 0
      ? l10n.t('{0} left.', creditsText(last.snapshot.available_ucr, locale))
      : l10n.t('No credits are left.')
    : l10n.t('The balance is running low.');
  return l10n.t(
    'Could you add credits for {0} in Code Studio? {1} Settings > Credits > Buy credits.',
    org,
    left,
  );
}
