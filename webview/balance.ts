// The balance, large, with its age. What is not known is a dash, never a nought.
import { t } from '@vscode/l10n';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import type { BalanceView } from '../protocol/messages.ts';
import type { Ucr } from '../protocol/units.ts';
import { icon } from './icons.ts';
import type { Acts, Page, SignedIn } from './page.ts';
import { ageText, creditsParts, momentText } from './words.ts';

export function balanceSection(page: Page<SignedIn>, acts: Acts): TemplateResult {
  const { balance, refreshing } = page.state;
  const busy = refreshing || balance.kind === 'loading';
  return html`<section class="balance" aria-labelledby="balance-heading" aria-busy=${busy}>
    <div class="balance-top">
      <h2 id="balance-heading">${t('Credit balance')}</h2>
      <vscode-button
        appearance="icon"
        class=${busy ? 'refresh is-busy' : 'refresh'}
        aria-label=${t('Refresh balance')}
        title=${t('Refresh balance')}
        @click=${acts.refresh}
      >${icon('refresh')}</vscode-button>
    </div>
    ${balanceBody(balance, page, acts)}
  </section>`;
}

function balanceBody(balance: BalanceView, page: Page, acts: Acts): TemplateResult {
  switch (balance.kind) {
    case 'loading':
      return balance.lastUcr === null
        ? html`<p class="figure"><span class="skeleton skeleton-figure"></span></p>
            <p class="age">${t('Loading…')}</p>`
        : html`${figure(balance.lastUcr, page, 'is-old')}
            <p class="age">${t('Loading…')}</p>`;
    case 'known':
      return html`${figure(balance.availableUcr, page, '')}
        <p class="age">${age(balance.asOfMs, page)}${plight(balance.availableUcr)}</p>`;
    case 'stale':
      return html`${figure(balance.availableUcr, page, 'is-old')}
        <p class="age is-warning">
          ${icon('warning')}<span>${age(balance.asOfMs, page)} · <span dir="auto">${balance.reason}</span></span>
        </p>
        ${balance.signInAgain ? signInButton(acts) : nothing}`;
    case 'forbidden':
      return html`${unknownFigure()}
        <p class="age is-warning">${icon('warning')}<span dir="auto">${balance.reason}</span></p>`;
    case 'failed':
      return html`${unknownFigure()}
        <p class="age is-error">${icon('error')}<span dir="auto">${balance.reason}</span></p>
        ${
          balance.signInAgain
            ? signInButton(acts)
            : html`<vscode-button class="retry" appearance="secondary" @click=${acts.refresh}>${t('Retry')}</vscode-button>`
        }`;
  }
}

function signInButton(acts: Acts): TemplateResult {
  return html`<vscode-button class="retry" @click=${acts.signIn}>${t('Sign In')}</vscode-button>`;
}

function figure(ucr: Ucr, { locale }: Page, tone: '' | 'is-old'): TemplateResult {
  const [before, number, after] = creditsParts(ucr, locale);
  return ucr < 0
    ? html`<p class="figure is-over ${tone}">
        <span class="number">${number}</span><span class="unit">, ${t('over limit')}</span>
      </p>`
    : html`<p class="figure ${tone}">
        <span class="unit">${before}</span><span class="number">${number}</span><span class="unit">${after}</span>
      </p>`;
}

function unknownFigure(): TemplateResult {
  return html`<p class="figure is-old">
    <span class="number" aria-hidden="true">–</span><span class="for-ears">${t('Balance not known')}</span>
  </p>`;
}

function age(asOfMs: number, { nowMs, locale }: Page): TemplateResult {
  const words = ageText(asOfMs, nowMs, locale);
  return html`<time datetime=${new Date(asOfMs).toISOString()} title=${momentText(asOfMs, locale)}
    >${words.charAt(0).toLocaleUpperCase(locale) + words.slice(1)}</time
  >`;
}

function plight(ucr: Ucr): TemplateResult | typeof nothing {
  return ucr === 0 ? html` · <strong class="plight">${t('No credits left')}</strong>` : nothing;
}
