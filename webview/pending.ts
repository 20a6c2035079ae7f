// A purchase under way: what is awaited, and what the person can do meanwhile.
import { t } from '@vscode/l10n';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import { formatMoney } from '../protocol/format.ts';
import type { PendingView } from '../protocol/messages.ts';
import type { Acts, Page } from './page.ts';
import { creditsText } from './words.ts';

export function pendingCard(pending: PendingView, page: Page, acts: Acts): TemplateResult {
  const money = formatMoney(pending.amountMinor, pending.currency, page.locale);
  const credits = creditsText(pending.creditsUcr, page.locale);
  const waiting = pending.phase !== 'processing';
  return html`<section class="pending" aria-labelledby="pending-heading">
    <div class="pending-top">
      <span aria-hidden="true"><vscode-progress-ring></vscode-progress-ring></span>
      <div>
        <h2 id="pending-heading" tabindex="-1" data-landing>${
          waiting
            ? t('Waiting for payment of {0} for {1}', money, credits)
            : t('Your payment of {0} is being processed', money)
        }</h2>
        <p class="quiet" dir="auto">${waiting ? whereToPay(pending) : t('{0} will be added when it goes through. You can close this page.', credits)}</p>
      </div>
    </div>
    <div class="buttons">
      ${
        waiting
          ? html`<vscode-button @click=${acts.resumePurchase}>${t('Open payment page again')}</vscode-button>`
          : nothing
      }
      ${checkButton(waiting, page, acts)}
      ${
        pending.canCopyLink
          ? html`<vscode-button appearance="secondary" @click=${acts.copyCheckoutLink}>${t('Copy link')}</vscode-button>`
          : nothing
      }
      ${
        waiting
          ? html`<vscode-button appearance="secondary" @click=${acts.cancelPurchase}>${t('Cancel')}</vscode-button>`
          : nothing
      }
    </div>
  </section>`;
}

function whereToPay({ host }: PendingView): string {
  return host === null
    ? t('Pay in your browser. Your credits will appear here by themselves.')
    : t('Pay in your browser at {0}. Your credits will appear here by themselves.', host);
}

function checkButton(waiting: boolean, { checking }: Page, acts: Acts): TemplateResult {
  const label = waiting ? t('I have paid, check now') : t('Check now');
  return html`<vscode-button appearance="secondary" @click=${acts.checkPurchase}>${
    checking ? t('Checking…') : label
  }</vscode-button>`;
}
