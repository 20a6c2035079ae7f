// The pages that people come back to, after paying or signing in, as HTML: no scripts, no pictures from elsewhere, light and dark.
import { createHash } from 'node:crypto';
import { formatCredits, formatMoney } from '../../../protocol/format.ts';
import type { PurchaseRow } from '../purchases/purchase.ts';

export interface ReturnView {
  readonly purchase: Pick<
    PurchaseRow,
    'status' | 'amount_minor' | 'currency' | 'credits_ucr' | 'org_name' | 'return_uri' | 'checkout_url'
  >;
  /** The person came by the payment page's way back. */
  readonly leftThePage: boolean;
  readonly testMode: boolean;
  /** Only when the credits are in it. */
  readonly balanceUcr: bigint | null;
}

type Tone = 'good' | 'waiting' | 'neutral' | 'bad';

interface Message {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
  /** Seconds until the page looks again by itself. */
  readonly refreshS?: number;
}

const LOCALE = 'en';

export function renderReturnPage({ purchase, leftThePage, testMode, balanceUcr }: ReturnView): string {
  const credits = formatCredits(Number(purchase.credits_ucr), LOCALE);
  const message = messageFor(purchase.status, leftThePage, credits);
  const rows: Array<[name: string, value: string]> = [
    ['Organisation', purchase.org_name],
    ['Amount', formatMoney(Number(purchase.amount_minor), purchase.currency, LOCALE)],
    ['Credits', credits],
  ];
  if (balanceUcr !== null) {
    rows.push(['New balance', formatCredits(Number(balanceUcr), LOCALE)]);
  }
  const links = [
    purchase.return_uri === null
      ? ''
      : `<a class="button" href="${escaped(purchase.return_uri)}">Return to the editor</a>`,
    purchase.status === 'open' && purchase.checkout_url !== null
      ? `<a class="quiet" href="${escaped(purchase.checkout_url)}">Back to the payment page</a>`
      : '',
  ];
  return page(
    message.title,
    `${testMode ? '<p class="mode">Test mode: no real money moves</p>' : ''}
    ${mark(message.tone)}
    <h1>${escaped(message.title)}</h1>
    <p class="text">${escaped(message.text)}</p>
    <dl>${rows.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`).join('')}</dl>
    <nav>${links.join('')}</nav>
    <p class="foot">${purchase.return_uri === null ? 'You can close this tab and go back to your editor.' : 'Your editor also notices by itself; you can close this tab.'}</p>`,
    message.refreshS === undefined ? undefined : String(message.refreshS),
  );
}

export function renderNothingHere(): string {
  return page(
    'Nothing here',
    `${mark('neutral')}<h1>Nothing here</h1><p class="text">This address belongs to no purchase. Your editor shows your balance.</p>`,
  );
}

export function renderPortalClosed(): string {
  return page(
    'Back to your editor',
    `${mark('neutral')}<h1>Back to your editor</h1><p class="text">You can close this tab. Your editor shows your balance.</p>`,
  );
}

/** @param target the editor's address with the answer in it; followed by itself, and offered as a button where that is held back */
export function renderSignInReturn(target: string, refused: boolean): string {
  const title = refused ? 'Not signed in' : 'Back to your editor';
  const text = refused
    ? 'The sign-in was not completed. Your editor tells what to do.'
    : 'Your editor finishes the sign-in. You can close this tab then.';
  return page(
    title,
    `${mark(refused ? 'neutral' : 'good')}
    <h1>${title}</h1>
    <p class="text">${text}</p>
    <nav><a class="button" href="${escaped(target)}">Open the editor</a></nav>
    <p class="foot">Press the button if the editor does not come up by itself.</p>`,
    `0;url=${target}`,
  );
}

export function renderSignInLost(): string {
  return page(
    'Start again from your editor',
    `${mark('neutral')}<h1>Start again from your editor</h1><p class="text">This sign-in has already gone on to the editor, or it took longer than five minutes. Nothing was passed on now.</p>`,
  );
}

function messageFor(status: PurchaseRow['status'], leftThePage: boolean, credits: string): Message {
  switch (status) {
    case 'credited':
      return {
        tone: 'good',
        title: `${credits} credits added`,
        text: 'The payment is confirmed and the credits are in the balance.',
      };
    case 'processing':
      return {
        tone: 'waiting',
        title: 'Payment on its way',
        text: 'The payment was started and is not confirmed yet. Some ways of paying take days. The credits are added when it arrives.',
      };
    case 'creating':
    case 'open':
      return leftThePage
        ? {
            tone: 'neutral',
            title: 'Not paid',
            text: 'You left the payment page. Nothing was charged, and you can still go back and pay.',
          }
        : {
            tone: 'waiting',
            title: 'Waiting for confirmation',
            text: 'The payment is not confirmed yet. This page looks again by itself.',
            refreshS: 3,
          };
    case 'expired':
      return {
        tone: 'neutral',
        title: 'The payment page has expired',
        text: 'Nothing was charged. Start again from your editor when you like.',
      };
    case 'canceled':
      return { tone: 'neutral', title: 'Purchase canceled', text: 'Nothing was charged.' };
    case 'failed':
      return {
        tone: 'bad',
        title: 'Payment failed',
        text: 'The payment did not go through. No credits were added.',
      };
    case 'needs_review':
      return {
        tone: 'bad',
        title: 'We are looking at this payment',
        text: 'The payment does not match the order, so no credits were added yet. Please contact your administrator.',
      };
  }
}

const shapes: Record<Tone, string> = {
  good: '<path d="M15 24.5l6.5 6.5L34 18"/>',
  waiting: '<path d="M24 14v10l7 4"/>',
  neutral: '<path d="M16 24h16"/>',
  bad: '<path d="M24 14v12M24 33v.5"/>',
};

function mark(tone: Tone): string {
  return `<svg class="mark ${tone}" viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22"/>${shapes[tone]}</svg>`;
}

const style = `
:root{color-scheme:light dark;--page:#f4f5f8;--card:#fff;--ink:#1b1f2a;--soft:#5b6272;--line:#e3e6ee;--accent:#2456d6;--on-accent:#fff;--good:#18794e;--waiting:#2456d6;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--page:#12141a;--card:#1b1e27;--ink:#eceef4;--soft:#a2a9ba;--line:#2d3240;--accent:#84a7ff;--on-accent:#0d1330;--good:#5fd09b;--waiting:#84a7ff;--bad:#ff9388}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:440px;padding:40px 36px 28px;background:var(--card);border:1px solid var(--line);border-radius:16px;text-align:center}
.mode{display:inline-block;margin-bottom:24px;padding:2px 12px;border:1px solid var(--line);border-radius:999px;color:var(--soft);font-size:13px}
.mark{display:block;width:56px;height:56px;margin:0 auto 20px;fill:none;stroke:currentColor;stroke-width:2.5;stroke-linecap:round;stroke-linejoin:round;color:var(--soft)}
.mark.good{color:var(--good)}.mark.waiting{color:var(--waiting)}.mark.bad{color:var(--bad)}
h1{font-size:24px;line-height:1.25;font-weight:650;text-wrap:balance}
.text{margin-top:8px;color:var(--soft);text-wrap:pretty}
dl{margin:28px 0 0;border-top:1px solid var(--line);text-align:left}
dl div{display:flex;justify-content:space-between;gap:16px;padding:10px 0;border-bottom:1px solid var(--line)}
dt{color:var(--soft)}dd{font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere;text-align:right}
nav{display:grid;gap:12px;margin-top:28px}
a{color:var(--accent)}
.button{display:block;padding:12px 20px;border-radius:10px;background:var(--accent);color:var(--on-accent);font-weight:600;text-decoration:none}
.button:hover{filter:brightness(1.08)}
a:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:10px}
.quiet{padding:4px}
.foot{margin-top:20px;color:var(--soft);font-size:14px;text-wrap:balance}
`;

/** The one style the page's policy lets in. */
export const pageStyleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`;

/** @param refresh seconds until the page is loaded anew, or `seconds;url=` of another one */
function page(title: string, body: string, refresh?: string): string {
  return `<!doctype html>
<html lang="${LOCALE}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${refresh === undefined ? '' : `<meta http-equiv="refresh" content="${escaped(refresh)}">\n`}<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
