// From where on the balance counts as low, for everyone in the organisation: its admins set it here.
import { t } from '@vscode/l10n';
import { live } from 'lit/directives/live.js';
import { ref } from 'lit/directives/ref.js';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import type { Fetched, SettingsView } from '../protocol/messages.ts';
import { describeField, textOf } from './elements.ts';
import { icon } from './icons.ts';
import { MAX_TYPED_LENGTH } from './order.ts';
import type { Acts, Page } from './page.ts';
import { trouble } from './payments.ts';
import { hintText, plainCredits, readCredits } from './wholeCredits.ts';

export function lowBalanceSection(
  settings: Fetched<SettingsView>,
  page: Page,
  acts: Acts,
): TemplateResult | typeof nothing {
  const { value, busy, problem } = settings;
  if (!value) {
    return problem === null
      ? nothing
      : html`<section class="low-balance" aria-labelledby="low-balance-heading">
          <h2 id="low-balance-heading">${t('Low balance')}</h2>
          ${trouble(problem, acts.retrySettings)}
        </section>`;
  }
  const { draft, locale, saved } = page;
  const kept = value.lowBelowUcr === null ? '' : plainCredits(value.lowBelowUcr);
  const typed = draft.lowBelow ?? kept;
  const reading = readCredits(typed);
  const isChanged = draft.lowBelow !== undefined && (!reading.ok || reading.ucr !== value.lowBelowUcr);
  const hint = hintText(reading, locale);
  return html`<section class="low-balance" aria-labelledby="low-balance-heading" aria-busy=${busy}>
    <h2 id="low-balance-heading" tabindex="-1" data-landing>${t('Low balance')}</h2>
    <p class="quiet">${t('Below this many credits, the balance shows as low for everyone in the organisation.')}</p>
    <div class="low-balance-form">
      <vscode-text-field
        id="low-below"
        class=${reading.ok ? '' : 'is-error'}
        maxlength=${MAX_TYPED_LENGTH}
        size="10"
        .value=${live(typed)}
        @input=${(event: Event) => acts.typeLowBelow(textOf(event))}
        @keydown=${(event: KeyboardEvent) => onKey(event, acts)}
        ${ref(element => describeField(element, t('Low below, in credits'), hint, !reading.ok))}
      ></vscode-text-field>
      <vscode-button
        id="save-low-below"
        appearance="secondary"
        ?disabled=${!isChanged || !reading.ok || busy}
        @click=${acts.saveLowBelow}
      >${busy && isChanged ? t('Saving…') : t('Save')}</vscode-button>
      ${saved && !isChanged ? html`<span class="saved">${icon('success')}<span>${t('Saved')}</span></span>` : nothing}
    </div>
    <p class="hint ${reading.ok ? '' : 'is-error'}">${reading.ok ? nothing : icon('error')}<span>${hint}</span></p>
    ${
      problem === null
        ? nothing
        : html`<p class="trouble-line">${icon('warning')}<span dir="auto">${problem}</span></p>`
    }
  </section>`;
}

function onKey(event: KeyboardEvent, acts: Acts): void {
  // While an input method is composing, Enter and Escape are its own.
  if (event.isComposing) {
    return;
  }
  if (event.key === 'Enter') {
    event.preventDefault();
    acts.saveLowBelow();
  } else if (event.key === 'Escape') {
    event.preventDefault();
    acts.forgetLowBelow();
  }
}
