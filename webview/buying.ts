// Choosing an amount and buying it. Someone who may not buy gets no control at all, but the reason and a way on.
import { t } from '@vscode/l10n';
import { live } from 'lit/directives/live.js';
import { ref } from 'lit/directives/ref.js';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import type { AmountLimits } from '../protocol/amount.ts';
import { formatMoney } from '../protocol/format.ts';
import type { BuyingView, OfferView } from '../protocol/messages.ts';
import { describeField, textOf } from './elements.ts';
import { icon } from './icons.ts';
import {
  buyLabel,
  currencySign,
  customHint,
  isMistake,
  MAX_TYPED_LENGTH,
  orderLine,
  readCustom,
  readOrder,
} from './order.ts';
import type { Acts, Page, SignedIn } from './page.ts';
import { creditsText } from './words.ts';

export function buyingSection(page: Page<SignedIn>, acts: Acts): TemplateResult | typeof nothing {
  const { buying, balance } = page.state;
  if ('signInAgain' in balance && balance.signInAgain) {
    return nothing;
  }
  switch (buying.kind) {
    case 'unknown':
      return balance.kind === 'failed' || balance.kind === 'forbidden' ? nothing : waitingForOffer();
    case 'blocked':
      return blocked(buying, acts);
    case 'allowed':
      return allowed(buying.offer, buying.payHost, page, acts);
  }
}

function waitingForOffer(): TemplateResult {
  return html`<section class="buying" aria-busy="true" aria-label=${t('Loading…')}>
    <div class="presets">
      <span class="skeleton skeleton-card"></span>
      <span class="skeleton skeleton-card"></span>
      <span class="skeleton skeleton-card"></span>
    </div>
  </section>`;
}

function blocked(buying: Extract<BuyingView, { kind: 'blocked' }>, acts: Acts): TemplateResult {
  return html`<section class="blocked" aria-labelledby="blocked-heading">
    <h2 id="blocked-heading" tabindex="-1" data-landing>${buying.canAsk ? t('Need more credits?') : t('Buy credits')}</h2>
    <p dir="auto">${buying.reason}</p>
    ${
      buying.canAsk && buying.contactName !== null
        ? html`<p class="quiet">${t('Your admin:')} <bdi>${buying.contactName}</bdi></p>`
        : nothing
    }
    ${
      buying.canAsk
        ? html`<vscode-button class="wide" @click=${acts.askAdmin}>${t('Ask an admin')}</vscode-button>`
        : nothing
    }
  </section>`;
}

function allowed(offer: OfferView, payHost: string | null, page: Page<SignedIn>, acts: Acts): TemplateResult {
  const { locale } = page;
  if (offer.presets.length === 0 && !offer.custom) {
    return html`<section class="buying" aria-labelledby="buying-heading">
      <h2 id="buying-heading" tabindex="-1" data-landing>${t('Buy credits')}</h2>
      <p class="quiet">${t('There is nothing to buy right now.')}</p>
    </section>`;
  }
  const order = readOrder(page.draft, offer);
  return html`<section class="buying" aria-labelledby="buying-heading">
    <h2 id="buying-heading" tabindex="-1" data-landing>${t('Buy credits')}</h2>
    <div role="radiogroup" aria-label=${t('Amount')}>
      <div class="presets">${offer.presets.map(preset => presetCard(preset, offer, page, acts))}</div>
      ${offer.custom ? customCard(offer, offer.custom, page, acts) : nothing}
    </div>
    <p id="order-line" class="order-line" dir="auto">${orderLine(order, offer.currency, payHost, locale)}</p>
    <vscode-button
      id="buy"
      class="wide"
      ?disabled=${order.kind !== 'ready' || page.buying}
      @click=${acts.buy}
    >${page.buying ? t('Opening the payment page…') : buyLabel(order, offer.currency, locale)}</vscode-button>
  </section>`;
}

function presetCard(
  { amountMinor, creditsUcr, popular }: OfferView['presets'][number],
  { currency }: OfferView,
  { draft: { choice }, locale }: Page,
  acts: Acts,
): TemplateResult {
  const chosen = choice.kind === 'preset' && choice.amountMinor === amountMinor;
  return html`<label class="card preset">
    <input
      type="radio"
      name="amount"
      class="for-ears"
      value=${amountMinor}
      .checked=${live(chosen)}
      @change=${() => acts.choose({ kind: 'preset', amountMinor })}
    />
    <span class="price">${formatMoney(amountMinor, currency, locale)}</span>
    <span class="buys">${creditsText(creditsUcr, locale)}</span>
    ${popular ? html`<span class="popular">${t('Popular')}</span>` : nothing}
    <span class="tick">${icon('check')}</span>
  </label>`;
}

function customCard(offer: OfferView, limits: AmountLimits, page: Page, acts: Acts): TemplateResult {
  const { draft, locale, typing } = page;
  const order = readCustom(draft.typed, offer, limits);
  const hint = customHint(order, limits, locale);
  const mistake = isMistake(order, typing);
  const tone = mistake ? 'is-error' : order.kind === 'ready' ? 'is-ready' : '';
  const name = t('Custom amount in {0}', offer.currency.toUpperCase());
  return html`<div class="card custom">
    <label class="custom-name" @click=${onCustomNameClick}>
      <input
        type="radio"
        name="amount"
        class="for-ears"
        value="custom"
        .checked=${live(draft.choice.kind === 'custom')}
        @change=${() => acts.choose({ kind: 'custom' })}
      />
      <span class="price">${t('Custom amount')}</span>
      <span class="tick">${icon('check')}</span>
    </label>
    <vscode-text-field
      id="custom-amount"
      class=${tone}
      maxlength=${MAX_TYPED_LENGTH}
      size="10"
      .value=${live(draft.typed)}
      @input=${(event: Event) => acts.type(textOf(event))}
      @click=${() => acts.choose({ kind: 'custom' })}
      @blur=${acts.leaveField}
      @keydown=${(event: KeyboardEvent) => onFieldKey(event, acts)}
      ${ref(element => describeField(element, name, hint, mistake))}
    ><span slot="start" class="sign" aria-hidden="true">${currencySign(offer.currency, locale)}</span></vscode-text-field>
    <span class="stepper">
      <vscode-button appearance="icon" tabindex="-1" aria-label=${t('Less')} title=${t('Less')} @click=${() => acts.step(-1)}
        >${icon('minus')}</vscode-button>
      <vscode-button appearance="icon" tabindex="-1" aria-label=${t('More')} title=${t('More')} @click=${() => acts.step(1)}
        >${icon('plus')}</vscode-button>
    </span>
    <p class="hint ${tone}">${mistake ? icon('error') : nothing}<span>${hint}</span></p>
  </div>`;
}

/** A pointer on the name goes on into the field; the arrow keys, which click as well, stay among the amounts. */
function onCustomNameClick(event: MouseEvent): void {
  if (event.detail > 0) {
    const field = (event.currentTarget as Element).parentElement?.querySelector<HTMLElement>(
      '#custom-amount',
    );
    // After the label's own doing, which gives the focus to its radio button.
    window.setTimeout(() => field?.focus());
  }
}

function onFieldKey(event: KeyboardEvent, acts: Acts): void {
  // While an input method is composing, Enter and Escape are its own.
  if (event.isComposing) {
    return;
  }
  if (event.key === 'Enter') {
    event.preventDefault();
    acts.leaveField();
    // The keys may have come here from a preset, and what is bought is what stands in this field.
    acts.choose({ kind: 'custom' });
    acts.buy();
  } else if (event.key === 'Escape') {
    event.preventDefault();
    acts.clearField();
  } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
    event.preventDefault();
    acts.step((event.key === 'ArrowUp' ? 1 : -1) * (event.shiftKey ? 10 : 1));
  }
}
