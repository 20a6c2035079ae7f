// Past payments, newest first. Receipts and invoices are opened by the host; the page has no address of theirs.
import { t } from '@vscode/l10n';
import { html, nothing, type TemplateResult } from 'lit/html.js';
import { formatMoney } from '../protocol/format.ts';
import type { PaymentView, RecordsView } from '../protocol/messages.ts';
import { icon } from './icons.ts';
import type { Acts, Page } from './page.ts';
import { creditsText, dayText, momentText } from './words.ts';

/** Rows at first; each "Show more" adds as many as one request brings. */
export const FIRST_ROWS = 5;
export const MORE_ROWS = 50;

export function paymentsSection(
  payments: RecordsView['payments'],
  { locale, shownPayments }: Page,
  acts: Acts,
): TemplateResult | typeof nothing {
  const { value, busy, problem } = payments;
  if (!value && problem === null) {
    return html`<section class="payments" aria-busy="true" aria-label=${t('Payments')}>
      <h2>${t('Payments')}</h2>
      <span class="skeleton skeleton-row"></span><span class="skeleton skeleton-row"></span>
    </section>`;
  }
  const rows = value?.rows ?? [];
  const hasMore = rows.length > shownPayments || value?.hasMore === true;
  return html`<section class="payments" aria-labelledby="payments-heading">
    <h2 id="payments-heading">${t('Payments')}</h2>
    ${value && rows.length === 0 ? html`<p class="quiet">${t('No payments yet.')}</p>` : nothing}
    ${
      rows.length === 0
        ? nothing
        : html`<ul class="rows">${rows.slice(0, shownPayments).map(row => payment(row, locale, acts))}</ul>`
    }
    ${problem === null ? nothing : trouble(problem, acts.retryPayments)}
    ${
      hasMore && problem === null
        ? html`<vscode-button appearance="secondary" class="more" ?disabled=${busy} @click=${acts.showMorePayments}
            >${busy ? t('Loading…') : t('Show more')}</vscode-button>`
        : nothing
    }
  </section>`;
}

/** Why something could not be had, where it would have been. */
export function trouble(problem: string, retry: () => void): TemplateResult {
  return html`<div class="trouble">
    <p class="trouble-line">${icon('warning')}<span dir="auto">${problem}</span></p>
    <vscode-button appearance="secondary" @click=${retry}>${t('Retry')}</vscode-button>
  </div>`;
}

function payment(row: PaymentView, locale: string, acts: Acts): TemplateResult {
  const money = formatMoney(row.amountMinor, row.currency, locale);
  const when = dayText(row.atMs, locale);
  const document = (kind: 'receipt' | 'invoice', words: string, label: string) =>
    html`<button class="link" aria-label=${label} @click=${() => acts.openDocument(row.id, kind)}>${words}</button>`;
  return html`<li class="row">
    <span class="row-main"
      ><strong>${money}</strong><span class="row-credits">${creditsText(row.creditsUcr, locale)}</span></span
    >
    <span class="row-status"><span class="state is-${tone(row)}">${statusText(row, locale)}</span></span>
    <span class="row-by quiet"
      ><time datetime=${new Date(row.atMs).toISOString()} title=${momentText(row.atMs, locale)}>${when}</time> ·
      <bdi>${row.byName}</bdi></span
    >
    ${
      row.hasReceipt || row.hasInvoice
        ? html`<span class="row-links">
            ${row.hasReceipt ? document('receipt', t('Receipt'), t('Receipt for {0} of {1}', money, when)) : nothing}
            ${row.hasInvoice ? document('invoice', t('Invoice'), t('Invoice for {0} of {1}', money, when)) : nothing}
          </span>`
        : nothing
    }
  </li>`;
}

function tone({ status, dispute, refundedMinor }: PaymentView): 'good' | 'bad' | 'plain' {
  if (dispute === 'open' || dispute === 'lost' || status === 'failed' || status === 'needs_review') {
    return 'bad';
  }
  return status === 'credited' && refundedMinor === 0 ? 'good' : 'plain';
}

function statusText(
  { status, dispute, refundedMinor, amountMinor, currency }: PaymentView,
  locale: string,
): string {
  if (dispute === 'open') {
    return t('Disputed');
  }
  if (dispute === 'lost') {
    return t('Dispute lost');
  }
  if (refundedMinor > 0) {
    return refundedMinor >= amountMinor
      ? t('Refunded')
      : t('{0} refunded', formatMoney(refundedMinor, currency, locale));
  }
  switch (status) {
    case 'credited':
      return t('Paid');
    case 'creating':
    case 'open':
      return t('Not paid yet');
    case 'processing':
      return t('Being processed');
    case 'expired':
      return t('Expired');
    case 'canceled':
      return t('Canceled');
    case 'failed':
      return t('Failed');
    case 'needs_review':
      return t('Being looked at');
    default:
      return status;
  }
}
