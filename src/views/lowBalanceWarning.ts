// Says that credits run low, and that they are there again: once over all windows and restarts for each threshold,
// account and period, in the window someone looks at, and with a way forward for each role.
import { commands, l10n, window } from 'vscode';
import { type Account, accountKey } from '../core/account.ts';
import type { Snapshot } from '../core/balance.ts';
import { type Clock, hours, seconds } from '../core/clock.ts';
import type { CreditsState, CreditsStore } from '../core/creditsStore.ts';
import { type Disposable, Owned } from '../core/event.ts';
import type { Leading } from '../core/lease.ts';
import type { Log } from '../core/log.ts';
import type { Attention } from '../core/refresher.ts';
import type { SharedFile } from '../core/sharedState.ts';
import {
  type Crossing,
  crossing,
  isSnoozed,
  nothingWarned,
  type Snooze,
  type Warned,
} from '../core/warnings.ts';
import type { Settings } from '../vscode/settings.ts';
import { creditsText, inert } from './text.ts';

export interface LowBalanceWarningMeans {
  readonly store: CreditsStore;
  readonly settings: Settings;
  readonly attention: Attention;
  readonly leading: Leading;
  readonly warned: SharedFile<Warned>;
  /** True for one window, once ever, for each key. */
  readonly claim: (key: string) => Promise<boolean>;
  readonly buy: () => void;
  readonly ask: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly locale: string;
}

/** The window someone looks at goes first; where nobody looks, the leading one tells after this long. */
const AWAY_MS = seconds(3);

/** After asking an administrator, the request is not offered again for this long; the command always works. */
const ASK_AGAIN_MS = hours(4);

export class LowBalanceWarning {
  readonly #means: LowBalanceWarningMeans;
  readonly #owned = new Owned();
  #timer: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #again: boolean = false;
  #isDisposed: boolean = false;

  constructor(means: LowBalanceWarningMeans) {
    this.#means = means;
    const look = () => this.#look();
    for (const event of [means.store.onDidChange, means.leading.onDidChange, means.attention.onDidFocus]) {
      this.#owned.own((event as (listener: () => unknown) => Disposable)(look));
    }
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#timer?.dispose();
    this.#owned.dispose();
  }

  /** In the window someone looks at: now. In the leading one: a little later, if there is still something to tell. */
  #look(): void {
    const { store, attention, leading, clock } = this.#means;
    if (!readingOf(store.state) || !this.#crossing(store.state)) {
      return;
    }
    if (attention.isFocused) {
      this.#begin();
    } else if (leading.isHeld && !this.#timer) {
      this.#timer = clock.after(AWAY_MS)(() => {
        this.#timer = undefined;
        this.#begin();
      });
    }
  }

  /** One at a time; what changes meanwhile is looked at afterwards. */
  #begin(): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#looking = this.#consider()
      .catch((error: unknown) => {
        this.#means.log.warn(`warnings: ${error instanceof Error ? error.name : 'failed'}`);
      })
      .finally(() => {
        this.#looking = undefined;
        if (this.#again && !this.#isDisposed) {
          this.#begin();
        }
      });
  }

  #crossing({ account, balance }: CreditsState): Crossing | undefined {
    if (!account || balance.kind !== 'known') {
      return undefined;
    }
    const { warned, settings } = this.#means;
    const before = (warned.read() ?? nothingWarned).seen[accountKey(account)];
    const crossed = crossing(before, balance.last.snapshot, settings.warnWhenCreditsLeft * 1_000_000);
    const isSame =
      before !== undefined &&
      before.periodId === crossed?.seen.periodId &&
      before.reached === crossed.seen.reached &&
      (before.isLeftLow ?? false) === crossed.seen.isLeftLow &&
      (before.isWarned ?? false) === crossed.seen.isWarned;
    return isSame ? undefined : crossed;
  }

  async #consider(): Promise<void> {
    const { store, settings, warned, claim, clock } = this.#means;
    // What another window has told a moment ago must not be told again from an old memory.
    await warned.load();
    const { state } = store;
    const reading = readingOf(state);
    const crossed = this.#crossing(state);
    if (!reading || !crossed || this.#isDisposed) {
      return;
    }
    const { account, snapshot, canBuy } = reading;
    const key = accountKey(account);
    const all = warned.read() ?? nothingWarned;
    const isNews = crossed.tell !== undefined || crossed.tellLeft || crossed.tellRestored;
    if (isNews && settings.lowBalanceWarnings) {
      if (isSnoozed(all.snoozed[key], crossed.seen.periodId, clock.now())) {
        // Put off, not swept away: nothing is noted, so it is news again afterwards.
        return;
      }
      const what = crossed.tell ?? (crossed.tellLeft ? 'left' : 'restored');
      // Claimed before it is told, and noted before it is shown; nothing waits for the notification (d-10).
      const isOurs = await claim(JSON.stringify([key, crossed.seen.periodId, what]));
      await this.#note(key, crossed);
      if (isOurs) {
        void this.#tell(
          account,
          snapshot,
          crossed,
          canBuy,
          (all.asked[key] ?? 0) + ASK_AGAIN_MS > clock.now(),
        );
      }
      return;
    }
    await this.#note(key, crossed);
  }

  async #note(key: string, { seen }: Crossing): Promise<void> {
    const { warned } = this.#means;
    await warned.load();
    const now = warned.read() ?? nothingWarned;
    await warned.write({ ...now, seen: { ...now.seen, [key]: seen } });
  }

  async #tell(
    account: Account,
    snapshot: Snapshot,
    crossed: Crossing,
    canBuy: boolean,
    hasAsked: boolean,
  ): Promise<void> {
    const { locale, buy, ask, settings } = this.#means;
    const left = creditsText(snapshot.available_ucr, locale);
    const org = inert(account.orgName);
    if (crossed.tell === undefined && !crossed.tellLeft) {
      void window.showInformationMessage(l10n.t('{0} has credits again: {1} left.', org, left));
      return;
    }
    const text = warningText(
      org,
      left,
      snapshot,
      crossed,
      creditsText(settings.warnWhenCreditsLeft * 1_000_000, locale),
    );
    const forward = canBuy ? [l10n.t('Buy Credits')] : hasAsked ? [] : [l10n.t('Ask an Admin')];
    const snooze = l10n.t('Remind Me Later');
    const never = l10n.t("Don't Warn Again");
    const chosen = await window.showWarningMessage(text, ...forward, snooze, never);
    if (chosen === snooze) {
      await this.#snooze(account, snapshot);
    } else if (chosen === never) {
      // The setting says what else there is, and how to undo it.
      await commands.executeCommand('workbench.action.openSettings', 'credits.lowBalanceWarnings');
    } else if (chosen !== undefined && canBuy) {
      buy();
    } else if (chosen !== undefined) {
      await this.#change(now => ({
        ...now,
        asked: { ...now.asked, [accountKey(account)]: this.#means.clock.now() },
      }));
      ask();
    }
  }

  async #snooze(account: Account, snapshot: Snapshot): Promise<void> {
    const { clock } = this.#means;
    const fromMs = clock.now();
    const choices = [
      { label: l10n.t('In 1 hour'), untilMs: fromMs + hours(1) },
      { label: l10n.t('Tomorrow'), untilMs: new Date(fromMs).setHours(24, 0, 0, 0) },
      { label: l10n.t('After the next top-up'), untilMs: undefined },
    ];
    const chosen = await window.showQuickPick(choices, { title: l10n.t('Remind Me of Low Credits') });
    if (chosen) {
      const snooze: Snooze = {
        fromMs,
        untilMs: chosen.untilMs,
        periodId: snapshot.usage?.period_id ?? '',
      };
      await this.#change(now => ({ ...now, snoozed: { ...now.snoozed, [accountKey(account)]: snooze } }));
    }
  }

  async #change(change: (now: Warned) => Warned): Promise<void> {
    const { warned } = this.#means;
    await warned.load();
    await warned.write(change(warned.read() ?? nothingWarned));
  }
}

/** Only what the server has just said: an old figure is no news, and a refusal is not about credits (d-39). And not
 * before it is known whether this person can buy, because the words depend on it. */
function readingOf({ account, balance, options }: CreditsState) {
  return account && balance.kind === 'known' && options
    ? { account, snapshot: balance.last.snapshot, canBuy: options.can_purchase }
    : undefined;
}

/** Names the limit that is near: the period's credits, those of the last top-up, or the person's own figure. */
function warningText(
  org: string,
  left: string,
  snapshot: Snapshot,
  { tell }: Crossing,
  limit: string,
): string {
  if (snapshot.available_ucr <= 0) {
    return l10n.t('{0} has no credits left. AI requests may stop until credits are added.', org);
  }
  if (tell === undefined) {
    return l10n.t('{0} has fewer than {1} left: {2}.', org, limit, left);
  }
  if (snapshot.usage?.basis === 'since_top_up') {
    return tell >= 100
      ? l10n.t('{0} has used all credits of the last top-up: {1} left.', org, left)
      : l10n.t('{0} has used {1} % of its credits since the last top-up: {2} left.', org, tell, left);
  }
  return tell >= 100
    ? l10n.t('{0} has used all its credits for this period: {1} left.', org, left)
    : l10n.t('{0} has used {1} % of its credits for this period: {2} left.', org, tell, left);
}
