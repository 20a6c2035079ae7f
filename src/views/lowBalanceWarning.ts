// Says that credits run low, and that they are there again: once over all windows and restarts for each threshold,
// account and period, in the window someone looks at, and with a way forward for each role.
import { commands, l10n, window } from 'vscode';
import type { Ucr } from '../../protocol/units.ts';
import { type Account, accountKey } from '../core/account.ts';
import type { Snapshot } from '../core/balance.ts';
import type { Checkout } from '../core/checkout.ts';
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
  isSameSeen,
  isSnoozed,
  type Limits,
  type News,
  nothingWarned,
  type Seen,
  type Snooze,
  type Warned,
} from '../core/warnings.ts';
import type { Settings } from '../vscode/settings.ts';
import type { AdminRequest } from './askAdmin.ts';
import { inert } from './text.ts';
import { nextAct, warningText } from './warningText.ts';

export interface LowBalanceWarningMeans {
  readonly store: CreditsStore;
  readonly settings: Settings;
  readonly attention: Attention;
  readonly leading: Leading;
  readonly warned: SharedFile<Warned>;
  /** True for one window, once ever, for each key. */
  readonly claim: (key: string) => Promise<boolean>;
  /** The end of a purchase tells of its credits itself, so that nobody is told twice. */
  readonly purchases: Pick<Checkout, 'pending' | 'onDidChange' | 'onDidSettle'>;
  /** Where credits are bought, and where all figures are. */
  readonly open: () => void;
  readonly ask: (request: AdminRequest) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly locale: string;
}

/** Micro-credits in a credit. */
const UCR: Ucr = 1_000_000;

/** The window someone looks at goes first; where nobody looks, the leading one tells after this long. */
const AWAY_MS = seconds(3);

/** When a purchase is no longer under way, its window has this long to tell its end. */
const PURCHASE_TOLD_MS = seconds(10);

/** After asking an administrator, the request is not offered again for this long; the command always works. */
const ASK_AGAIN_MS = hours(4);

export class LowBalanceWarning {
  readonly #means: LowBalanceWarningMeans;
  readonly #owned = new Owned();
  #timer: Disposable | undefined;
  #looking: Promise<void> | undefined;
  #again: boolean = false;
  #isDisposed: boolean = false;
  #isPending: boolean = false;
  /** Monotonic ms until which the end of a purchase may still be told. */
  #purchaseUntilMs = Number.NEGATIVE_INFINITY;

  constructor(means: LowBalanceWarningMeans) {
    this.#means = means;
    const look = () => this.#look();
    const { store, settings, leading, attention, purchases, clock } = means;
    for (const event of [
      store.onDidChange,
      settings.onDidChange,
      leading.onDidChange,
      attention.onDidFocus,
    ]) {
      this.#owned.own((event as (listener: () => unknown) => Disposable)(look));
    }
    this.#owned.own(
      purchases.onDidChange(pending => {
        if (this.#isPending && !pending) {
          this.#purchaseUntilMs = clock.monotonic() + PURCHASE_TOLD_MS;
          this.#look();
        }
        this.#isPending = pending !== undefined;
      }),
    );
    this.#owned.own(
      purchases.onDidSettle(({ kind }) => {
        if (kind === 'credited') {
          void this.#noteRestored();
        }
      }),
    );
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#timer?.dispose();
    this.#owned.dispose();
  }

  /** In the window someone looks at: now. In the leading one: a little later, if there is still something to tell. */
  #look(): void {
    const { store, attention, leading, clock } = this.#means;
    const crossed = readingOf(store.state) && this.#crossing(store.state);
    if (!crossed) {
      return;
    }
    const heldMs = this.#heldMs(crossed);
    if (heldMs === undefined) {
      return;
    }
    if (attention.isFocused && heldMs === 0) {
      this.#begin();
    } else if ((leading.isHeld || attention.isFocused) && !this.#timer) {
      this.#timer = clock.after(Math.max(heldMs, attention.isFocused ? 0 : AWAY_MS))(() => {
        this.#timer = undefined;
        this.#begin();
      });
    }
  }

  /** How long this news waits for a purchase's own; undefined: until that has ended. */
  #heldMs({ news }: Crossing): number | undefined {
    const { purchases, clock } = this.#means;
    if (news?.kind !== 'restored') {
      return 0;
    }
    return purchases.pending ? undefined : Math.max(0, this.#purchaseUntilMs - clock.monotonic());
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
    const before = (this.#means.warned.read() ?? nothingWarned).seen[accountKey(account)];
    const crossed = crossing(before, balance.last.snapshot, this.#limits());
    return isSameSeen(before, crossed.seen) ? undefined : crossed;
  }

  #limits(): Limits {
    const { warnWhenPercentUsed, warnWhenCreditsLeft, warnWhenDaysLeft } = this.#means.settings;
    return { percent: warnWhenPercentUsed, leftUcr: warnWhenCreditsLeft * UCR, days: warnWhenDaysLeft };
  }

  /** A purchase has just said that credits were added. */
  async #noteRestored(): Promise<void> {
    const { store, warned } = this.#means;
    await warned.load();
    const reading = readingOf(store.state);
    const crossed = reading && this.#crossing(store.state);
    if (reading && crossed?.news?.kind === 'restored') {
      await this.#note(accountKey(reading.account), crossed);
    }
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
    if (this.#heldMs(crossed) !== 0) {
      this.#look();
      return;
    }
    const { account, snapshot, canBuy, isBuyer } = reading;
    const key = accountKey(account);
    const all = warned.read() ?? nothingWarned;
    if (crossed.news && settings.lowBalanceWarnings) {
      if (isSnoozed(all.snoozed[key], crossed.seen.periodId, clock.now())) {
        // Put off, not swept away: nothing is noted, so it is news again afterwards.
        return;
      }
      // Claimed before it is told: that alone keeps others from telling it, so what cannot be noted is told all the
      // same. Nothing waits for the notification (d-10).
      const isOurs = await claim(JSON.stringify([key, crossed.occurrence, all.snoozed[key]?.fromMs]));
      if (isOurs) {
        const hasAsked = (all.asked[key] ?? 0) + ASK_AGAIN_MS > clock.now();
        void this.#tell(account, snapshot, crossed.news, { canBuy, isBuyer, hasAsked }, all.seen[key]);
      }
      await this.#note(key, crossed);
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
    news: News,
    { canBuy, isBuyer, hasAsked }: { canBuy: boolean; isBuyer: boolean; hasAsked: boolean },
    before: Seen | undefined,
  ): Promise<void> {
    const { store, locale, open, ask, clock } = this.#means;
    const text = warningText(news, {
      org: inert(account.orgName),
      snapshot,
      leftLimitUcr: this.#limits().leftUcr,
      nowMs: clock.now(),
      locale,
    });
    if (news.kind === 'restored' || news.kind === 'freed') {
      void window.showInformationMessage(text);
      return;
    }
    const act = nextAct(news);
    // Buying does not help against a budget: not even an admin's own. Whoever buys here has nobody to ask: where buying
    // is paused, the panel says why.
    const isLook = act === 'look' || (isBuyer && !(canBuy && act.kind === 'credits'));
    const isBuy = !isLook && canBuy;
    const forward = isLook
      ? [l10n.t('Open Credits')]
      : isBuy
        ? [l10n.t('Buy Credits')]
        : hasAsked
          ? []
          : [l10n.t('Ask an Admin')];
    const snooze = l10n.t('Remind Me Later');
    const never = l10n.t("Don't Warn Again");
    const chosen = await window.showWarningMessage(text, ...forward, snooze, never);
    if (chosen === snooze) {
      await this.#snooze(account, snapshot, before);
    } else if (chosen === never) {
      // The setting says what else there is, and how to undo it.
      await commands.executeCommand('workbench.action.openSettings', 'credits.lowBalanceWarnings');
    } else if (
      chosen !== undefined &&
      (isLook || isBuy || accountKey(store.state.account ?? account) !== accountKey(account))
    ) {
      // Also where somebody else is signed in by now, in whose name nothing is asked for.
      open();
    } else if (chosen !== undefined && act !== 'look') {
      await this.#change(now => ({
        ...now,
        asked: { ...now.asked, [accountKey(account)]: this.#means.clock.now() },
      }));
      ask(act);
    }
  }

  /** @param before what was seen before it was told: what it is put off to finds it new again */
  async #snooze(account: Account, snapshot: Snapshot, before: Seen | undefined): Promise<void> {
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
      const key = accountKey(account);
      await this.#change(now => {
        const seen = { ...now.seen };
        // A top-up measures anew in any case. That it was told stays true, and good news waits for it.
        if (before && chosen.untilMs !== undefined) {
          const isWarned = seen[key]?.isWarned === true;
          const isStoppedByBudget = seen[key]?.isStoppedByBudget === true;
          seen[key] = { ...before, isWarned, isStoppedByBudget };
        }
        return { ...now, seen, snoozed: { ...now.snoozed, [key]: snooze } };
      });
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
    ? {
        account,
        snapshot: balance.last.snapshot,
        canBuy: options.can_purchase,
        isBuyer: options.can_purchase || options.blocked_reason !== 'not_admin',
      }
    : undefined;
}
