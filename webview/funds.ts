// What the balance is made of and how far it goes: bars with their figures in words, and the sentences that follow.
import { t } from '@vscode/l10n';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import { formatCredits } from '../protocol/format.ts';
import type { BudgetView, DetailView } from '../protocol/messages.ts';
import type { Ucr } from '../protocol/units.ts';
import { icon } from './icons.ts';
import type { Page, SignedIn } from './page.ts';
import { creditsText, dayText } from './words.ts';

export function stopNotice({ state: { detail }, locale }: Page<SignedIn>): TemplateResult | typeof nothing {
  if (!detail?.stop) {
    return nothing;
  }
  return html`<p class="stop">${icon('error')}<span dir="auto">${stopText(detail.stop, locale)}</span></p>`;
}

export function fundsSection({ state: { detail }, locale }: Page<SignedIn>): TemplateResult | typeof nothing {
  if (!detail) {
    return nothing;
  }
  const { included, addOn, budgets, heldUcr } = detail;
  const rows = [
    included && includedBar(included, locale),
    included || addOn.totalUcr !== null
      ? bar(
          { name: t('Add-on credits'), leftUcr: addOn.remainingUcr, totalUcr: addOn.totalUcr, note: '' },
          locale,
        )
      : null,
    ...budgets.map(budget => budgetBar(budget, locale)),
  ].filter(row => row !== null);
  const sentences = [
    heldUcr > 0 ? t('{0} set aside for requests that are running.', creditsText(heldUcr, locale)) : null,
    // Where nothing is left, how long it lasts is no question.
    detail.stop?.kind === 'balance' ? null : runwayText(detail.runway, locale),
    expiryText(detail, locale),
  ].filter(sentence => sentence !== null);
  if (rows.length === 0 && sentences.length === 0) {
    return nothing;
  }
  return html`<section class="funds" aria-label=${t('Where the credits are')}>
    ${rows}
    ${sentences.map(sentence => html`<p class="quiet">${sentence}</p>`)}
  </section>`;
}

interface BarFacts {
  readonly name: string;
  readonly leftUcr: Ucr;
  /** Null where there is nothing to measure against: then it has words only. */
  readonly totalUcr: Ucr | null;
  readonly note: string;
}

/** Full is good: what is left is coloured. Only the length is clamped, never the figure. */
function bar({ name, leftUcr, totalUcr, note }: BarFacts, locale: string): TemplateResult {
  const share = totalUcr === null || totalUcr === 0 ? 0 : Math.min(1, Math.max(0, leftUcr / totalUcr));
  const tone = share === 0 ? 'is-empty' : share <= 0.25 ? 'is-low' : '';
  const words =
    totalUcr === null
      ? creditsText(leftUcr, locale)
      : t('{0} of {1} left', formatCredits(leftUcr, locale), formatCredits(totalUcr, locale));
  return html`<div class="fund">
    <p class="fund-line"><span class="fund-name" dir="auto">${name}</span><span class="fund-words">${words}</span></p>
    ${
      totalUcr === null
        ? nothing
        : html`<svg class="bar ${tone}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect class="bar-track" width="100" height="6"></rect>
            <rect class="bar-fill" width=${(share * 100).toFixed(1)} height="6"></rect>
          </svg>`
    }
    ${note === '' ? nothing : html`<p class="quiet fund-note">${note}</p>`}
  </div>`;
}

function includedBar(included: NonNullable<DetailView['included']>, locale: string): TemplateResult {
  const name = t('Included in your plan');
  switch (included.kind) {
    case 'known':
      return bar(
        {
          name,
          leftUcr: included.remainingUcr,
          totalUcr: included.grantedUcr,
          note: t('Resets on {0}', dayText(included.resetsAtMs, locale)),
        },
        locale,
      );
    case 'unlimited':
      return plain(name, t('Unlimited'));
    case 'unknown':
      return plain(name, t('Not known at the moment'));
  }
}

function plain(name: string, words: string): TemplateResult {
  return html`<div class="fund">
    <p class="fund-line"><span class="fund-name">${name}</span><span class="fund-words">${words}</span></p>
  </div>`;
}

function budgetBar(budget: BudgetView, locale: string): TemplateResult {
  const { limitUcr, usedUcr, resetsAtMs, resetsToUcr } = budget;
  const over = usedUcr - limitUcr;
  const day = dayText(resetsAtMs, locale);
  const resets =
    resetsToUcr === limitUcr
      ? t('Resets on {0}', day)
      : t('Resets on {0}, to {1}', day, creditsText(resetsToUcr, locale));
  return bar(
    {
      name: budgetName(budget),
      leftUcr: Math.max(0, -over),
      totalUcr: limitUcr,
      note: over > 0 ? t('{0} over the limit. {1}', creditsText(over, locale), resets) : resets,
    },
    locale,
  );
}

function budgetName({ scope, name }: BudgetView): string {
  switch (scope) {
    case 'user':
      return t('Your own budget');
    case 'team':
      return t('Budget of team {0}', isolated(name));
    case 'other':
      return t('Budget of {0}', isolated(name));
  }
}

function stopText(stop: NonNullable<DetailView['stop']>, locale: string): string {
  if (stop.kind === 'balance') {
    return t('New requests are stopped: the organisation has no credits left.');
  }
  const { budget } = stop;
  if (!budget) {
    return t('Your requests are stopped by a budget. Buying credits does not raise it.');
  }
  const until = dayText(budget.resetsAtMs, locale);
  return budget.scope === 'user'
    ? t('Your requests are stopped by your own budget until {0}. Buying credits does not raise it.', until)
    : t(
        'Your requests are stopped by the budget of {0} until {1}. Buying credits does not raise it.',
        isolated(budget.name),
        until,
      );
}

function runwayText(runway: DetailView['runway'], locale: string): string | null {
  if (!runway) {
    return null;
  }
  const { days, lowDays, highDays } = runway;
  const number = new Intl.NumberFormat(locale);
  const about =
    days === 0
      ? t('Less than a day left at the present pace')
      : days === 1
        ? t('About 1 day left at the present pace')
        : t('About {0} days left at the present pace', number.format(days));
  return lowDays === highDays
    ? t('{0}.', about)
    : t('{0} ({1} to {2}).', about, number.format(lowDays), number.format(highDays));
}

function expiryText({ nextExpiry }: DetailView, locale: string): string | null {
  return nextExpiry
    ? t(
        '{0} will expire on {1}.',
        creditsText(nextExpiry.amountUcr, locale),
        dayText(nextExpiry.atMs, locale),
      )
    : null;
}

/** A name inside a sentence keeps its own direction (first strong isolate, pop). */
function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}
