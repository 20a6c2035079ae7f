// The page's root: state comes in, wishes go out. The host sends its whole state each time; only the draft is ours.
import { config, t } from '@vscode/l10n';
import { render } from 'lit/html.js';
import type { PanelState, RecordsView, ToHost, ToPage } from '../protocol/messages.ts';
import { registerElements } from './elements.ts';
import { FocusKeeper } from './focus.ts';
import {
  customHint,
  type Draft,
  EMPTY_DRAFT,
  MAX_TYPED_LENGTH,
  parseDraft,
  readCustom,
  readOrder,
  stepped,
} from './order.ts';
import type { Acts } from './page.ts';
import { panel } from './panel.ts';
import { FIRST_ROWS, MORE_ROWS } from './payments.ts';
import { HEARD_NOTHING, hear } from './speech.ts';
import { hintText, readCredits } from './wholeCredits.ts';
import { nextAgeChangeMs, usableLocale } from './words.ts';

declare function acquireVsCodeApi(): {
  postMessage(message: ToHost): void;
  getState(): unknown;
  setState(state: Draft): void;
};

/** If the host never answers a wish, the control comes back after this long. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Typing has settled when nothing changed for this long: only then is the outcome spoken. */
const TYPING_PAUSE_MS = 900;

const words = embedded<Record<string, string>>('credits-words');
if (words) {
  config({ contents: words });
}
registerElements();

const host = acquireVsCodeApi();
const root = element('credits-root', 'main');
const voice = element('credits-voice', 'div');
voice.className = 'for-ears';
voice.setAttribute('role', 'status');
const focus = new FocusKeeper(root);

let state = embedded<PanelState>('credits-state');
let draft = parseDraft(host.getState());
let records: RecordsView | null = null;
let shownPayments = FIRST_ROWS;
let typing = false;
let heard = HEARD_NOTHING;
let buyingTimer: number | undefined;
let checkingTimer: number | undefined;
let typingTimer: number | undefined;
let ageTimer: number | undefined;
/** Whether a setting is on its way to the server, or has arrived there. */
let saving: 'no' | 'sent' | 'saved' = 'no';

const acts: Acts = {
  signIn: () => host.postMessage({ type: 'signIn' }),
  refresh: () => host.postMessage({ type: 'refresh' }),
  resumePurchase: () => host.postMessage({ type: 'resumePurchase' }),
  copyCheckoutLink: () => host.postMessage({ type: 'copyCheckoutLink' }),
  cancelPurchase: () => host.postMessage({ type: 'cancelPurchase' }),
  askAdmin: () => host.postMessage({ type: 'askAdmin' }),
  dismissNotice: id => host.postMessage({ type: 'dismissNotice', id }),
  checkPurchase: () => {
    if (checkingTimer === undefined) {
      host.postMessage({ type: 'checkPurchase' });
      checkingTimer = window.setTimeout(endChecking, ANSWER_TIMEOUT_MS);
      draw();
    }
  },
  choose: choice => keep({ ...draft, choice }),
  type: typed => {
    typing = true;
    keep({ ...draft, choice: { kind: 'custom' }, typed: typed.slice(0, MAX_TYPED_LENGTH) });
    window.clearTimeout(typingTimer);
    typingTimer = window.setTimeout(sayTyped, TYPING_PAUSE_MS);
  },
  leaveField: () => {
    typing = false;
    // Not at once: a render may be what took the focus away, and it must not be entered twice.
    window.setTimeout(draw);
  },
  clearField: () => {
    typing = false;
    keep({ ...draft, choice: draft.choice.kind === 'custom' ? { kind: 'none' } : draft.choice, typed: '' });
  },
  buy,
  step: steps => {
    if (state?.kind === 'signedIn' && state.buying.kind === 'allowed' && state.buying.offer.custom) {
      acts.type(stepped(draft.typed, steps, state.buying.offer.custom));
    }
  },
  showUsage: group => host.postMessage({ type: 'showUsage', group }),
  retryUsage: () => host.postMessage({ type: 'showUsage', group: records?.usage.wanted ?? 'day' }),
  retryPayments: () => host.postMessage({ type: 'showPayments' }),
  showMorePayments: () => {
    shownPayments += MORE_ROWS;
    const known = records?.payments.value;
    if (known?.hasMore && known.rows.length < shownPayments) {
      host.postMessage({ type: 'showMorePayments' });
    }
    draw();
  },
  openDocument: (paymentId, document) => host.postMessage({ type: 'openDocument', paymentId, document }),
  manageBilling: () => host.postMessage({ type: 'manageBilling' }),
  exportUsage: () => host.postMessage({ type: 'exportUsage' }),
  openSettings: () => host.postMessage({ type: 'openSettings' }),
  switchOrganisation: () => host.postMessage({ type: 'switchOrganisation' }),
  retrySettings: () => host.postMessage({ type: 'showLowBalance' }),
  typeLowBelow: lowBelow => {
    saving = 'no';
    keep({ ...draft, lowBelow: lowBelow.slice(0, MAX_TYPED_LENGTH) });
    window.clearTimeout(typingTimer);
    typingTimer = window.setTimeout(sayLowBelow, TYPING_PAUSE_MS);
  },
  saveLowBelow,
  forgetLowBelow,
};

function saveLowBelow(): void {
  const settings = records?.settings;
  if (!settings?.value || settings.busy || draft.lowBelow === undefined) {
    return;
  }
  const reading = readCredits(draft.lowBelow);
  if (reading.ok && reading.ucr !== settings.value.lowBelowUcr) {
    window.clearTimeout(typingTimer);
    saving = 'sent';
    host.postMessage({ type: 'setLowBalance', belowUcr: reading.ucr });
  }
}

function forgetLowBelow(): void {
  const { lowBelow: _, ...rest } = draft;
  keep(rest);
}

/** Saved is what the server has answered with; a refusal is shown beside the field, and heard. */
function endSaving(settings: RecordsView['settings']): void {
  if (saving !== 'sent' || !settings || settings.busy || draft.lowBelow === undefined) {
    return;
  }
  const reading = readCredits(draft.lowBelow);
  if (settings.problem !== null) {
    saving = 'no';
    say(settings.problem);
  } else if (reading.ok && settings.value?.lowBelowUcr === reading.ucr) {
    saving = 'saved';
    forgetLowBelow();
    say(t('Saved'));
  }
}

function sayLowBelow(): void {
  if (draft.lowBelow !== undefined && state) {
    say(hintText(readCredits(draft.lowBelow), usableLocale(state.locale)));
  }
}

function buy(): void {
  if (state?.kind !== 'signedIn' || state.buying.kind !== 'allowed' || state.pending || buyingTimer) {
    return;
  }
  const order = readOrder(draft, state.buying.offer);
  if (order.kind !== 'ready') {
    return;
  }
  host.postMessage({ type: 'buy', amountMinor: order.amountMinor, expectedCreditsUcr: order.creditsUcr });
  buyingTimer = window.setTimeout(endBuying, ANSWER_TIMEOUT_MS);
  draw();
}

function endBuying(): void {
  window.clearTimeout(buyingTimer);
  buyingTimer = undefined;
  draw();
}

function endChecking(): void {
  window.clearTimeout(checkingTimer);
  checkingTimer = undefined;
  draw();
}

function keep(next: Draft): void {
  draft = next;
  host.setState(draft);
  draw();
}

/** What was chosen or typed for one organisation is not for the next. */
function beAt(org: string): void {
  if (draft.org !== org) {
    draft = { ...EMPTY_DRAFT, org };
    host.setState(draft);
    saving = 'no';
    shownPayments = FIRST_ROWS;
    typing = false;
    window.clearTimeout(typingTimer);
  }
}

function receive(next: PanelState): void {
  const said = hear(heard, next, usableLocale(next.locale));
  heard = said.heard;
  const opened = next.kind === 'signedIn' && next.pending !== null && next.pending.phase !== 'starting';
  const answered = next.notice !== null && next.notice.id !== state?.notice?.id;
  if (opened || answered) {
    window.clearTimeout(buyingTimer);
    buyingTimer = undefined;
  }
  if (next.kind !== 'signedIn' || !next.refreshing) {
    window.clearTimeout(checkingTimer);
    checkingTimer = undefined;
  }
  if (next.kind === 'signedIn') {
    beAt(next.orgId);
  }
  state = next;
  draw();
  if (said.say !== null) {
    say(said.say);
  }
}

function sayTyped(): void {
  if (state?.kind !== 'signedIn' || state.buying.kind !== 'allowed' || !state.buying.offer.custom) {
    return;
  }
  const { offer } = state.buying;
  const { custom } = state.buying.offer;
  typing = false;
  draw();
  say(customHint(readCustom(draft.typed, offer, custom), custom, usableLocale(state.locale)));
}

function say(sentence: string): void {
  // An empty moment between makes the same sentence news again.
  voice.textContent = '';
  window.setTimeout(() => {
    voice.textContent = sentence;
  }, 50);
}

function draw(): void {
  if (!state) {
    return;
  }
  const locale = usableLocale(state.locale);
  const nowMs = Date.now();
  document.title = t('Credits');
  const page = {
    state,
    locale,
    nowMs,
    draft,
    records,
    shownPayments,
    typing,
    buying: buyingTimer !== undefined,
    checking: checkingTimer !== undefined,
    saved: saving === 'saved',
  };
  focus.around(() => render(panel(page, acts), root));
  window.clearTimeout(ageTimer);
  if (state.kind === 'signedIn' && (state.balance.kind === 'known' || state.balance.kind === 'stale')) {
    ageTimer = window.setTimeout(draw, nextAgeChangeMs(state.balance.asOfMs, nowMs));
  }
}

function element(id: string, tag: 'main' | 'div'): HTMLElement {
  const existing = document.getElementById(id);
  if (existing) {
    return existing;
  }
  const made = document.createElement(tag);
  made.id = id;
  document.body.append(made);
  return made;
}

/** What the host wrote into the page, so that the first paint needs no message. */
function embedded<T>(id: 'credits-state' | 'credits-words'): T | null {
  const text = document.getElementById(id)?.textContent;
  return text ? (JSON.parse(text) as T) : null;
}

window.addEventListener('message', (event: MessageEvent<ToPage>) => {
  if (event.data?.type === 'state') {
    receive(event.data.state);
  } else if (event.data?.type === 'records') {
    records = event.data.records;
    endSaving(records.settings);
    draw();
  }
});
if (state) {
  receive(state);
}
host.postMessage({ type: 'ready' });
