// What a screen reader is told unasked: only a balance that has settled on a new figure. Notices speak for
// themselves, and one that came with the new balance has already said it.
import { t } from '@vscode/l10n';
import type { BalanceView, PanelState } from '../protocol/messages.ts';
import { UCR_PER_CREDIT, type Ucr } from '../protocol/units.ts';
import { creditsText } from './words.ts';

export interface Heard {
  /** The last figure the person has seen or heard; null before the first. */
  readonly balanceUcr: Ucr | null;
  readonly noticeId: number | null;
}

export const HEARD_NOTHING: Heard = { balanceUcr: null, noticeId: null };

/** What is new in `state` for someone who has heard `heard`: a sentence or null, and what is heard by now. */
export function hear(heard: Heard, state: PanelState, locale: string): { say: string | null; heard: Heard } {
  const noticeId = state.notice?.id ?? null;
  const figure = state.kind === 'signedIn' ? figureOf(state.balance) : null;
  const settled = state.kind === 'signedIn' && state.balance.kind === 'known';
  const changed = heard.balanceUcr !== null && figure !== null && rough(figure) !== rough(heard.balanceUcr);
  const told = state.notice?.tone === 'success' && noticeId !== heard.noticeId;
  return {
    say: settled && changed && !told ? t('Balance {0}', creditsText(figure, locale)) : null,
    heard: {
      balanceUcr: heard.balanceUcr === null || (settled && (changed || told)) ? figure : heard.balanceUcr,
      noticeId,
    },
  };
}

/** To two digits: an ear need not hear of each model call. */
function rough(ucr: Ucr): number {
  return Number((ucr / UCR_PER_CREDIT).toPrecision(2));
}

function figureOf(balance: BalanceView): Ucr | null {
  switch (balance.kind) {
    case 'known':
    case 'stale':
      return balance.availableUcr;
    case 'loading':
      return balance.lastUcr;
    case 'forbidden':
    case 'failed':
      return null;
  }
}
