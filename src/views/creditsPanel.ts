// The host half of the Credits panel: gives the page its state, hears its wishes, survives being closed at any moment.
// The page is shown in an editor tab, in a view of the side bar, or in both at once.
import {
  commands,
  type Event as EditorEvent,
  l10n,
  Uri,
  ViewColumn,
  type Webview,
  type WebviewPanel,
  type WebviewPanelSerializer,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from 'vscode';
import type { PanelState, RecordsView, ToHost, ToPage } from '../../protocol/messages.ts';
import { type Event, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { panelHtml } from './panelHtml.ts';
import { wordsLanguage } from './text.ts';

export const PANEL_TYPE = 'credits.panel';
export const VIEW_ID = 'credits.view';

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

/** Where a page is shown: what a tab and a view have in common. */
interface Place {
  readonly webview: Webview;
  readonly visible: boolean;
  readonly onDidDispose: EditorEvent<void>;
}

export class CreditsPanel implements WebviewPanelSerializer, WebviewViewProvider {
  readonly #means: CreditsPanelMeans;
  #tab: WebviewPanel | undefined;
  readonly #open = new Map<Place, Owned>();

  constructor(means: CreditsPanelMeans) {
    this.#means = means;
  }

  get isVisible(): boolean {
    return [...this.#open.keys()].some(({ visible }) => visible);
  }

  show(): void {
    if (this.#tab) {
      this.#tab.reveal();
      return;
    }
    const { title } = this.#means;
    this.#adopt(window.createWebviewPanel(PANEL_TYPE, title, ViewColumn.Active, this.#options()));
  }

  async showInSideBar(): Promise<void> {
    await commands.executeCommand(`${VIEW_ID}.focus`);
  }

  /** The window was reloaded with the panel open. What the person had typed is in the page's own state. */
  async deserializeWebviewPanel(panel: WebviewPanel): Promise<void> {
    panel.webview.options = this.#options();
    this.#adopt(panel);
  }

  resolveWebviewView(view: WebviewView): void {
    view.webview.options = this.#options();
    this.#serve(view, view.onDidChangeVisibility);
  }

  dispose(): void {
    this.#tab?.dispose();
    for (const owned of this.#open.values()) {
      owned.dispose();
    }
    this.#open.clear();
  }

  #options() {
    const { extensionUri } = this.#means;
    return {
      enableScripts: true,
      localResourceRoots: [Uri.joinPath(extensionUri, 'dist', 'panel'), Uri.joinPath(extensionUri, 'media')],
    };
  }

  #adopt(panel: WebviewPanel): void {
    this.#tab?.dispose();
    this.#tab = panel;
    panel.title = this.#means.title;
    panel.iconPath = Uri.joinPath(this.#means.extensionUri, 'media', 'icon.png');
    this.#serve(panel, panel.onDidChangeViewState);
  }

  #serve(place: Place, onDidMove: EditorEvent<unknown>): void {
    const { onDidChange, onDidChangeRecords } = this.#means;
    // Kept, because a panel that is gone gives its webview away no more.
    const { webview } = place;
    const owned = new Owned();
    this.#open.set(place, owned);
    owned.own(webview.onDidReceiveMessage((message: unknown) => void this.#hear(message, place, webview)));
    owned.own(
      place.onDidDispose(() => {
        owned.dispose();
        this.#open.delete(place);
        if (this.#tab === place) {
          this.#tab = undefined;
        }
      }),
    );
    owned.own(
      onDidMove(() => {
        if (place.visible) {
          this.#means.inSight();
        }
      }),
    );
    for (const changed of onDidChange) {
      owned.own(changed(() => this.#postState(webview)));
    }
    owned.own(onDidChangeRecords(() => this.#postRecords(webview)));
    webview.html = this.#html(webview);
  }

  async #hear(message: unknown, place: Place, webview: Webview): Promise<void> {
    // Loaded with the first message, because the schemas need not be there at the editor's start.
    const { parseToHost } = await import('../../protocol/messages.ts');
    const wish = parseToHost(message);
    if (!wish) {
      this.#means.log.warn('panel: a message that is none of ours was ignored');
      return;
    }
    if (wish.type === 'ready') {
      if (this.#open.has(place)) {
        this.#postState(webview);
        this.#postRecords(webview);
        this.#means.inSight();
      }
      return;
    }
    this.#means.wish(wish);
  }

  #postState(webview: Webview): void {
    this.#post(webview, { type: 'state', state: this.#means.state() });
  }

  #postRecords(webview: Webview): void {
    this.#post(webview, { type: 'records', records: this.#means.records() });
  }

  #post(webview: Webview, message: ToPage): void {
    // A page that is hidden or just being closed misses it, and asks when it is back (F29).
    webview.postMessage(message).then(undefined, () => undefined);
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
