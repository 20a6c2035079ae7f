// The sentences of the warnings: which limit is near or reached, whose it is, what is left, and the next act.
import { l10n } from 'vscode';
import { percentUsed, type Snapshot } from '../core/balance.ts';
import { percentOf } from '../core/limits.ts';
import type { News } from '../core/warnings.ts';
import type { AdminRequest } from './askAdmin.ts';
import { budgetName, creditsText, daysText, dayText } from './text.ts';

export interface WarningFacts {
  /** Inert, as all names that come from the server. */
  readonly org: string;
  readonly snapshot: Snapshot;
  /** The figure below which the person wants to be told. */
  readonly leftLimitUcr: number;
  readonly nowMs: number;
  readonly locale: string;
}

export function warningText(news: News, facts: WarningFacts): string {
  const { org, snapshot, leftLimitUcr, nowMs, locale } = facts;
  const left = creditsText(snapshot.available_ucr, locale);
  switch (news.kind) {
    case 'stopped':
      if (news.by.kind === 'balance') {
        return l10n.t('{0} has no credits left. AI requests may stop until credits are added.', org);
      }
      return news.by.budget
        ? l10n.t(
            '{0} at {1} is used up, so your AI requests stop until {2}. The organisation itself has {3} left.',
            budgetName(news.by.budget),
            org,
            dayText(news.by.budget.resets_at, nowMs, locale),
            left,
          )
        : l10n.t(
            'A budget at {0} is used up, so your AI requests stop. The organisation itself has {1} left.',
            org,
            left,
          );
    case 'used':
      return usedText(news.percent, facts, left);
    case 'budget': {
      const { budget, percent } = news;
      const name = budgetName(budget);
      const day = dayText(budget.resets_at, nowMs, locale);
      return percent >= 100
        ? l10n.t('{0} at {1} is used up; it is renewed on {2}.', name, org, day)
        : l10n.t(
            '{0} at {1} is {2} % used: {3} left until {4}.',
            name,
            org,
            percentOf(budget),
            creditsText(Math.max(0, budget.limit_ucr - budget.used_ucr), locale),
            day,
          );
    }
    case 'left':
      return l10n.t('{0} has fewer than {1} left: {2}.', org, creditsText(leftLimitUcr, locale), left);
    case 'runway':
      return news.days === 0
        ? l10n.t('The credits of {0} last less than a day at the present pace: {1} left.', org, left)
        : l10n.t(
            'The credits of {0} last about {1} at the present pace: {2} left.',
            org,
            daysText(news.days),
            left,
          );
    case 'includedUsedUp':
      return l10n.t(
        '{0} has used up the credits its plan includes; add-on credits are next: {1} left.',
        org,
        left,
      );
    case 'expiring':
      return l10n.t(
        '{0} of {1} will expire on {2} unless used.',
        creditsText(news.amountUcr, locale),
        org,
        dayText(news.at, nowMs, locale),
      );
    case 'freed':
      return news.budget
        ? l10n.t(
            '{0} at {1} has room again: {2} left.',
            budgetName(news.budget),
            org,
            creditsText(Math.max(0, news.budget.limit_ucr - news.budget.used_ucr), locale),
          )
        : l10n.t('No budget at {0} stops your AI requests any more.', org);
    case 'restored':
      return l10n.t('{0} has credits again: {1} left.', org, left);
  }
}

/** What helps: credits are bought, a budget is raised, and what expires is used. */
export function nextAct(news: News): AdminRequest | 'look' {
  switch (news.kind) {
    case 'stopped':
      return news.by.kind === 'budget' ? { kind: 'budget', budget: news.by.budget } : { kind: 'credits' };
    case 'budget':
      return { kind: 'budget', budget: news.budget };
    case 'expiring':
      return 'look';
    default:
      return { kind: 'credits' };
  }
}

/** What is used by now: the limit that was crossed on the way may be far below it. */
function usedText(reached: number, { org, snapshot }: WarningFacts, left: string): string {
  const percent = Math.max(reached, percentUsed(snapshot) ?? 0);
  if (snapshot.usage?.basis === 'since_top_up') {
    return percent >= 100
      ? l10n.t('{0} has used all credits of the last top-up: {1} left.', org, left)
      : l10n.t('{0} has used {1} % of its credits since the last top-up: {2} left.', org, percent, left);
  }
  return percent >= 100
    ? l10n.t('{0} has used all its credits for this period: {1} left.', org, left)
    : l10n.t('{0} has used {1} % of its credits for this period: {2} left.', org, percent, left);
}
