// The balance in the status bar: shown once, then only its words change, so that hiding it stays the person's choice.
import { l10n, MarkdownString, StatusBarAlignment, type StatusBarItem, ThemeColor, window } from 'vscode';
import type { Checkout } from '../core/checkout.ts';
import { type Clock, minutes } from '../core/clock.ts';
import type { CreditsStore } from '../core/creditsStore.ts';
import { type Disposable, Owned } from '../core/event.ts';
import type { Settings } from '../vscode/settings.ts';
import { type LinkedCommand, type StatusText, statusText, type TooltipLine } from './statusText.ts';

const LINKED: readonly LinkedCommand[] = [
  'credits.open',
  'credits.refresh',
  'credits.signIn',
  'credits.showLog',
];

export class BalanceStatusBar {
  readonly #store: CreditsStore;
  readonly #checkout: Checkout;
  readonly #clock: Clock;
  readonly #locale: string;
  readonly #owned = new Owned();
  readonly #settings: Settings;
  #item: StatusBarItem;
  #alignment: Settings['statusBarAlignment'];
  #label = '';
  #ageTimer: Disposable | undefined;
  #shown = '';

  constructor(store: CreditsStore, checkout: Checkout, settings: Settings, clock: Clock, locale: string) {
    this.#store = store;
    this.#checkout = checkout;
    this.#settings = settings;
    this.#clock = clock;
    this.#locale = locale;
    this.#alignment = settings.statusBarAlignment;
    this.#item = createItem(this.#alignment);
    this.#owned.own(store.onDidChange(() => this.#render()));
    this.#owned.own(checkout.onDidChange(() => this.#render()));
    this.#owned.own(settings.onDidChange(() => this.#follow()));
    this.#render();
    // Once and never again: a later show() would undo "Hide" (d-32).
    this.#item.show();
  }

  dispose(): void {
    this.#ageTimer?.dispose();
    this.#owned.dispose();
    this.#item.dispose();
  }

  /** An item cannot change sides. The new one has the same id, so the editor keeps it hidden where it was. */
  #follow(): void {
    const { statusBarAlignment } = this.#settings;
    if (statusBarAlignment === this.#alignment) {
      this.#render();
      return;
    }
    this.#alignment = statusBarAlignment;
    this.#item.dispose();
    this.#item = createItem(statusBarAlignment);
    this.#shown = '';
    this.#label = '';
    this.#render();
    this.#item.show();
  }

  #render(): void {
    const { state } = this.#store;
    const status = statusText({
      state,
      pending: this.#checkout.pending,
      ageMs: reading => this.#store.ageMs(reading),
      nowMs: this.#clock.now(),
      locale: this.#locale,
      format: this.#settings.statusBarFormat,
      isOrgShown: this.#settings.statusBarOrganization,
    });
    // The same words set again would be spoken again by a screen reader (d-36).
    const shown = JSON.stringify(status);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#paint(status);
    }
    this.#ageTimer?.dispose();
    this.#ageTimer = undefined;
    const { balance } = state;
    if ((balance.kind === 'stale' || balance.kind === 'failed') && balance.last) {
      // At the next full minute of its age, because the words count minutes.
      const ageMs = this.#store.ageMs(balance.last);
      this.#ageTimer = this.#clock.after(minutes(1) - (ageMs % minutes(1)))(() => this.#render());
    }
  }

  #paint(status: StatusText): void {
    const item = this.#item;
    item.text = `$(${status.icon}) ${status.text}`;
    if (status.label !== this.#label) {
      this.#label = status.label;
      item.accessibilityInformation = { label: status.label, role: 'button' };
    }
    item.tooltip = tooltip(status.tooltip);
    item.command = status.command;
    item.backgroundColor =
      status.tone === 'plain' ? undefined : new ThemeColor(`statusBarItem.${status.tone}Background`);
  }
}

function createItem(alignment: Settings['statusBarAlignment']): StatusBarItem {
  const side = alignment === 'left' ? StatusBarAlignment.Left : StatusBarAlignment.Right;
  const item = window.createStatusBarItem('balance', side, 100);
  item.name = l10n.t('Credits Balance');
  return item;
}

function tooltip(lines: readonly TooltipLine[]): MarkdownString {
  const markdown = new MarkdownString();
  markdown.isTrusted = { enabledCommands: LINKED };
  lines.forEach((line, index) => {
    if (index > 0) {
      markdown.appendMarkdown('\n\n');
    }
    switch (line.kind) {
      case 'heading':
        markdown.appendMarkdown('**');
        appendPlain(markdown, line.text);
        markdown.appendMarkdown('**');
        break;
      case 'text':
        appendPlain(markdown, line.text);
        break;
      case 'links':
        markdown.appendMarkdown(
          line.links.map(({ command, title }) => `[${title}](command:${command})`).join(' · '),
        );
        break;
    }
  });
  return markdown;
}

/**
 * Text from the server, nothing of which is read as Markdown. appendText alone is not enough: of a bare address, with a
 * scheme, with www or with an @, the editor still makes a link (T10).
 */
function appendPlain(markdown: MarkdownString, text: string): void {
  for (const part of text.split(/([:.@])/)) {
    if (/^[:.@]$/.test(part)) {
      markdown.appendMarkdown(`&#${part.charCodeAt(0)};`);
    } else {
      markdown.appendText(part);
    }
  }
}
