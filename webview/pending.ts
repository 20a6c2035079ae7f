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
  const { heading, detail } = sentences(pending, money, credits);
  return html`<section class="pending" aria-labelledby="pending-heading">
    <div class="pending-top">
      <span aria-hidden="true"><vscode-progress-ring></vscode-progress-ring></span>
      <div>
        <h2 id="pending-heading" tabindex="-1" data-landing>${heading}</h2>
        <p class="quiet" dir="auto">${detail}</p>
      </div>
    </div>
    <div class="buttons">${buttons(pending, page, acts)}</div>
  </section>`;
}

function sentences({ phase, host }: PendingView, money: string, credits: string) {
  switch (phase) {
    case 'starting':
      return {
        heading: t('Starting your purchase of {0} for {1}', credits, money),
        detail: t('The server has not answered yet. Nothing has been charged.'),
      };
    case 'waiting':
      return {
        heading: t('Waiting for payment of {0} for {1}', money, credits),
        detail:
          host === null
            ? t('Pay in your browser. Your credits will appear here by themselves.')
            : t('Pay in your browser at {0}. Your credits will appear here by themselves.', host),
      };
    case 'processing':
      return {
        heading: t('Your payment of {0} is being processed', money),
        detail: t('{0} will be added when it goes through. You can close this page.', credits),
      };
  }
}

function buttons({ phase, canCopyLink }: PendingView, { checking }: Page, acts: Acts): TemplateResult {
  const check = phase === 'waiting' ? t('I have paid, check now') : t('Check now');
  return html`
    ${
      phase === 'processing'
        ? nothing
        : html`<vscode-button @click=${acts.resumePurchase}>${
            phase === 'waiting' ? t('Open payment page again') : t('Try again')
          }</vscode-button>`
    }
    ${
      phase === 'starting'
        ? nothing
        : html`<vscode-button appearance="secondary" @click=${acts.checkPurchase}>${
            checking ? t('Checking…') : check
          }</vscode-button>`
    }
    ${
      canCopyLink
        ? html`<vscode-button appearance="secondary" @click=${acts.copyCheckoutLink}>${t('Copy link')}</vscode-button>`
        : nothing
    }
    ${
      phase === 'processing'
        ? nothing
        : html`<vscode-button appearance="secondary" @click=${acts.cancelPurchase}>${t('Cancel')}</vscode-button>`
    }
  `;
}
