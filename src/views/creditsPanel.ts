// The host half of the Credits panel: gives the page its state, hears its wishes, survives being closed at any moment.
import {
  l10n,
  Uri,
  ViewColumn,
  type Webview,
  type WebviewPanel,
  type WebviewPanelSerializer,
  window,
} from 'vscode';
import type { PanelState, RecordsView, ToHost, ToPage } from '../../protocol/messages.ts';
import { type Event, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { panelHtml } from './panelHtml.ts';
import { wordsLanguage } from './text.ts';

export const PANEL_TYPE = 'credits.panel';

export interface CreditsPanelMeans {
  readonly extensionUri: Uri;
  readonly title: string;
  readonly state: () => PanelState;
  /** Anything that may have changed the state. */
  readonly onDidChange: ReadonlyArray<Event<unknown>>;
  /** Past payments and usage: sent when they change, because they are larger than all the rest. */
  readonly records: () => RecordsView;
  readonly onDidChangeRecords: Event<unknown>;
  /** The page is in sight: once for each time it comes there. */
  readonly inSight: () => void;
  /** What the page asks for, as it asks for it. */
  readonly wish: (wish: Exclude<ToHost, { type: 'ready' }>) => void;
  /** 128 random bits in text, new for every page. */
  readonly newNonce: () => string;
  readonly log: Log;
}

export class CreditsPanel implements WebviewPanelSerializer {
  readonly #means: CreditsPanelMeans;
  #open: { panel: WebviewPanel; owned: Owned } | undefined;

  constructor(means: CreditsPanelMeans) {
    this.#means = means;
  }

  get isVisible(): boolean {
    return this.#open?.panel.visible ?? false;
  }

  show(): void {
    if (this.#open) {
      this.#open.panel.reveal();
      return;
    }
    const { title } = this.#means;
    this.#adopt(window.createWebviewPanel(PANEL_TYPE, title, ViewColumn.Active, this.#options()));
  }

  /** The window was reloaded with the panel open. What the person had typed is in the page's own state. */
  async deserializeWebviewPanel(panel: WebviewPanel): Promise<void> {
    panel.webview.options = this.#options();
    this.#adopt(panel);
  }

  dispose(): void {
    this.#open?.panel.dispose();
  }

  #options() {
    const { extensionUri } = this.#means;
    return {
      enableScripts: true,
      localResourceRoots: [Uri.joinPath(extensionUri, 'dist', 'panel'), Uri.joinPath(extensionUri, 'media')],
    };
  }

  #adopt(panel: WebviewPanel): void {
    this.#open?.panel.dispose();
    const { onDidChange, onDidChangeRecords, extensionUri, title } = this.#means;
    const owned = new Owned();
    const open = { panel, owned };
    this.#open = open;
    panel.title = title;
    panel.iconPath = Uri.joinPath(extensionUri, 'media', 'icon.png');
    owned.own(panel.webview.onDidReceiveMessage((message: unknown) => void this.#hear(message)));
    owned.own(
      panel.onDidDispose(() => {
        owned.dispose();
        if (this.#open === open) {
          this.#open = undefined;
        }
      }),
    );
    owned.own(
      panel.onDidChangeViewState(() => {
        if (panel.visible) {
          this.#means.inSight();
        }
      }),
    );
    for (const changed of onDidChange) {
      owned.own(changed(() => this.#postState()));
    }
    owned.own(onDidChangeRecords(() => this.#postRecords()));
    panel.webview.html = this.#html(panel.webview);
  }

  async #hear(message: unknown): Promise<void> {
    // Loaded with the first message, because the schemas need not be there at the editor's start.
    const { parseToHost } = await import('../../protocol/messages.ts');
    const wish = parseToHost(message);
    if (!wish) {
      this.#means.log.warn('panel: a message that is none of ours was ignored');
      return;
    }
    if (wish.type === 'ready') {
      this.#postState();
      this.#postRecords();
      this.#means.inSight();
      return;
    }
    this.#means.wish(wish);
  }

  #postState(): void {
    this.#post({ type: 'state', state: this.#means.state() });
  }

  #postRecords(): void {
    this.#post({ type: 'records', records: this.#means.records() });
  }

  #post(message: ToPage): void {
    // A page that is hidden or just being closed misses it, and asks when it is back (F29).
    this.#open?.panel.webview.postMessage(message).then(undefined, () => undefined);
  }

  #html(webview: Webview): string {
    const nonce = this.#means.newNonce();
    const state = this.#means.state();
    const file = (name: string) =>
      webview.asWebviewUri(Uri.joinPath(this.#means.extensionUri, 'dist', 'panel', name)).toString();
    return panelHtml({
      state,
      nonce,
      cspSource: webview.cspSource,
      script: file('panel.js'),
      style: file('panel.css'),
      title: this.#means.title,
      words: l10n.bundle,
      language: wordsLanguage(),
    });
  }
}
