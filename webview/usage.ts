// Usage of the last 30 days: days as a chart, models and people as bars, and everything as a table too.
import { t } from '@vscode/l10n';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import { formatCredits } from '../protocol/format.ts';
import type { RecordsView, UsageGroup, UsageView } from '../protocol/messages.ts';
import type { Ucr } from '../protocol/units.ts';
import { usageChart } from './chart.ts';
import type { Acts, Page } from './page.ts';
import { trouble } from './payments.ts';
import { creditsText, utcDayText } from './words.ts';

const DAY_MS = 86_400_000;

/** More bars than this are not looked at; the rest is in the exported file. */
const MOST_BARS = 10;

export function usageSection(usage: RecordsView['usage'], page: Page, acts: Acts): TemplateResult {
  const { value, busy, problem, wanted } = usage;
  const { locale } = page;
  return html`<section class="usage" aria-labelledby="usage-heading" aria-busy=${busy}>
    <div class="section-top">
      <h2 id="usage-heading">${
        value && !value.isEveryones ? t('Your usage, last 30 days') : t('Usage, last 30 days')
      }</h2>
      ${value && value.totalUcr > 0 ? html`<span class="quiet">${creditsText(value.totalUcr, locale)}</span>` : nothing}
    </div>
    ${value && value.rows.length > 0 ? groups(wanted, value.isEveryones, acts) : nothing}
    ${problem === null ? nothing : trouble(problem, acts.retryUsage)}
    ${value ? body(value, locale) : problem === null ? html`<span class="skeleton skeleton-chart"></span>` : nothing}
    ${
      value && value.rows.length > 0
        ? html`<vscode-button appearance="secondary" class="more" @click=${acts.exportUsage}
            >${t('Export as CSV')}</vscode-button>`
        : nothing
    }
  </section>`;
}

function groups(wanted: UsageGroup, isEveryones: boolean, acts: Acts): TemplateResult {
  const names: ReadonlyArray<readonly [UsageGroup, string]> = [
    ['day', t('By day')],
    ['model', t('By model')],
    ...(isEveryones ? [['user', t('By person')] as const] : []),
  ];
  return html`<div class="groups" role="radiogroup" aria-label=${t('Show usage')}>${names.map(
    ([group, name]) => html`<label class="group">
      <input
        type="radio"
        name="usage-group"
        class="for-ears"
        .checked=${group === wanted}
        @change=${() => acts.showUsage(group)}
      /><span>${name}</span></label>`,
  )}</div>`;
}

function body(value: UsageView, locale: string): TemplateResult {
  if (value.rows.length === 0) {
    return html`<p class="quiet">${t('Nothing was used in the last 30 days.')}</p>`;
  }
  if (value.group !== 'day') {
    return ranking(value, locale);
  }
  const days = everyDay(value);
  return html`
    ${usageChart(days, locale)}
    <details class="as-table">
      <summary>${t('Show as a table')}</summary>
      ${table(
        t('Day'),
        days
          .filter(({ usedUcr }) => usedUcr > 0)
          .map(({ atMs, usedUcr }) => ({ name: utcDayText(atMs, locale), usedUcr })),
        locale,
      )}
    </details>`;
}

/** Models or people by how much they used: a table whose cells carry their bar. */
function ranking({ rows, group, totalUcr }: UsageView, locale: string): TemplateResult {
  // Never a rest of one: its own name takes no more room.
  const most = rows.length === MOST_BARS + 1 ? rows.length : MOST_BARS;
  const shown = rows.slice(0, most);
  const restUcr = rows.slice(most).reduce((sum, { usedUcr }) => sum + usedUcr, 0);
  const named = shown.map(({ key, name, usedUcr }) => ({ name: name ?? key ?? t('Not named'), usedUcr }));
  const all =
    restUcr > 0 ? [...named, { name: t('{0} others', rows.length - most), usedUcr: restUcr }] : named;
  return table(group === 'model' ? t('Model') : t('Person'), all, locale, totalUcr);
}

function table(
  heading: string,
  rows: ReadonlyArray<{ name: string; usedUcr: Ucr }>,
  locale: string,
  totalUcr?: Ucr,
): TemplateResult {
  return html`<table>
    <thead>
      <tr><th scope="col">${heading}</th><th scope="col" class="amount">${t('Credits used')}</th></tr>
    </thead>
    <tbody>${rows.map(
      ({ name, usedUcr }) => html`<tr>
        <th scope="row" dir="auto">${name}${totalUcr ? share(usedUcr / totalUcr) : nothing}</th>
        <td class="amount">${formatCredits(usedUcr, locale)}</td>
      </tr>`,
    )}</tbody>
  </table>`;
}

function share(part: number): TemplateResult {
  return html`<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
    <rect class="bar-track" width="100" height="6"></rect>
    <rect class="bar-fill" width=${(Math.min(1, part) * 100).toFixed(1)} height="6"></rect>
  </svg>`;
}

/** Every day of the report, those without usage too: a gap would look like a missing answer. */
function everyDay({ rows, fromMs, toMs }: UsageView): ReadonlyArray<{ atMs: number; usedUcr: Ucr }> {
  const used = new Map(rows.map(({ key, usedUcr }) => [key, usedUcr]));
  const first = Math.floor(fromMs / DAY_MS) * DAY_MS;
  const count = Math.min(366, Math.max(1, Math.ceil((toMs - first) / DAY_MS)));
  return Array.from({ length: count }, (_, index) => {
    const atMs = first + index * DAY_MS;
    return { atMs, usedUcr: used.get(new Date(atMs).toISOString().slice(0, 10)) ?? 0 };
  });
}
