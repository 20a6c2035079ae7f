// The whole page, from the top down.
import { t } from '@vscode/l10n';
import { guard } from 'lit/directives/guard.js';
import { keyed } from 'lit/directives/keyed.js';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import type { Fetched, NoticeView, PanelState } from '../protocol/messages.ts';
import { balanceSection } from './balance.ts';
import { buyingSection } from './buying.ts';
import { fundsSection, stopNotice } from './funds.ts';
import { icon } from './icons.ts';
import { lowBalanceSection } from './lowBalance.ts';
import type { Acts, Page, SignedIn } from './page.ts';
import { paymentsSection } from './payments.ts';
import { pendingCard } from './pending.ts';
import { usageSection } from './usage.ts';

export function panel(page: Page, acts: Acts): TemplateResult {
  return isSignedIn(page) ? signedIn(page, acts) : signedOut(page, acts);
}

function isSignedIn(page: Page): page is Page<SignedIn> {
  return page.state.kind === 'signedIn';
}

function signedIn(page: Page<SignedIn>, acts: Acts): TemplateResult {
  const { state } = page;
  // While the Buy just pressed is being answered its button says so; a card of its own would only flash by.
  const pending = page.buying && state.pending?.phase === 'starting' ? null : state.pending;
  return html`
    ${state.testMode ? html`<p class="test-mode">${icon('flask')}<span>${t('Test mode: no real money moves')}</span></p>` : nothing}
    <header>
      <h1 dir="auto" title=${state.orgName}>${state.orgName}</h1>
      <p class="who"><bdi>${state.personName}</bdi> · <bdi>${state.role}</bdi></p>
      ${
        (page.records?.organisations ?? 0) > 1
          ? html`<button class="link switch" @click=${acts.switchOrganisation}>${t('Switch organisation')}</button>`
          : nothing
      }
    </header>
    ${balanceSection(page, acts)}
    ${stopNotice(page)}
    ${notices(state, acts)}
    ${fundsSection(page)}
    ${pending ? pendingCard(pending, page, acts) : buyingSection(page, acts)}
    ${guard([page.records, page.shownPayments, page.locale, state.balance.kind, told(state), state.canManageBilling], () => recordSections(page, acts))}
    ${lowBalance(page, acts)}
    <footer class="quiet">
      <div class="buttons">
        ${
          state.canManageBilling
            ? html`<vscode-button appearance="secondary" @click=${acts.manageBilling}>${t('Manage billing')}</vscode-button>`
            : nothing
        }
        <vscode-button appearance="secondary" @click=${acts.openSettings}>${t('Warning settings')}</vscode-button>
      </div>
      <p>${t('Connected to {0}', state.serverHost)}</p>
    </footer>
  `;
}

/** Usage and payments, where this person has a balance to see; drawn only when they have changed. */
function recordSections(page: Page<SignedIn>, acts: Acts): TemplateResult | typeof nothing {
  const { records, state } = page;
  if (!records || state.balance.kind === 'forbidden') {
    return nothing;
  }
  const usage = untold(records.usage, state);
  const payments = untold(records.payments, state);
  // Someone who may not buy has payments to look at only if there are any.
  const hasPayments = state.canManageBilling || (payments?.value?.rows.length ?? 0) > 0;
  return html`
    ${usage ? usageSection(usage, page, acts) : nothing}
    ${payments && hasPayments ? paymentsSection(payments, page, acts) : nothing}
  `;
}

function lowBalance(page: Page<SignedIn>, acts: Acts): TemplateResult | typeof nothing {
  const { records, state } = page;
  const settings = state.canManageBilling && records?.settings ? untold(records.settings, state) : null;
  return settings ? lowBalanceSection(settings, page, acts) : nothing;
}

/** Why the balance could not be had, as it is said beside it. */
function told({ balance }: SignedIn): string | null {
  return 'reason' in balance ? balance.reason : null;
}

/** One cause is told once: beside the balance. Null where there is then nothing to show. */
function untold<F extends Fetched<unknown>>(fetched: F, state: SignedIn): F | null {
  if (fetched.problem === null || fetched.problem !== told(state)) {
    return fetched;
  }
  return fetched.value === null ? null : { ...fetched, problem: null };
}

function signedOut({ state }: Page, acts: Acts): TemplateResult {
  return html`
    <header class="welcome">
      <h1 tabindex="-1" data-landing>${t('Sign in to see your credits')}</h1>
      <p>${t('Your organisation’s balance will show here and in the status bar.')}</p>
    </header>
    ${notices(state, acts)}
    <vscode-button class="wide" @click=${acts.signIn}>${t('Sign In')}</vscode-button>
    <p class="quiet">${
      'serverHost' in state && state.serverHost !== null
        ? t('You will sign in to {0}.', state.serverHost)
        : t('You will be asked for the address of your credits server.')
    }</p>
  `;
}

/** Both live regions stand in the page from the start: one that arrives together with its text is often not spoken. */
function notices({ notice }: PanelState, acts: Acts): TemplateResult {
  const urgent = notice?.tone === 'error';
  return html`<div class="notices">
    <div role="status">${notice && !urgent ? noticeBar(notice, acts) : nothing}</div>
    <div role="alert">${notice && urgent ? noticeBar(notice, acts) : nothing}</div>
  </div>`;
}

/** Keyed by its id, so that the same words said twice are a new notice to a screen reader as well. */
function noticeBar(notice: NoticeView, acts: Acts): unknown {
  return keyed(
    notice.id,
    html`<div class="notice is-${notice.tone}">
      ${icon(notice.tone)}
      <span class="notice-text" dir="auto">${notice.text}</span>
      <vscode-button
        appearance="icon"
        aria-label=${t('Dismiss')}
        title=${t('Dismiss')}
        @click=${() => acts.dismissNotice(notice.id)}
      >${icon('close')}</vscode-button>
    </div>`,
  );
}
