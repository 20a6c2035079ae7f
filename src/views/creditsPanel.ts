// The host half of the Credits panel: gives the page its state, hears its wishes, survives being closed at any moment.
import {
  Uri,
  ViewColumn,
  type Webview,
  type WebviewPanel,
  type WebviewPanelSerializer,
  window,
} from 'vscode';
import type { PanelState, ToHost, ToPage } from '../../protocol/messages.ts';
import { type Event, Owned } from '../core/event.ts';
import type { Log } from '../core/log.ts';

export const PANEL_TYPE = 'credits.panel';

export interface CreditsPanelMeans {
  readonly extensionUri: Uri;
  readonly title: string;
  readonly state: () => PanelState;
  /** Anything that may have changed the state. */
  readonly onDidChange: ReadonlyArray<Event<unknown>>;
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
    const { onDidChange, extensionUri, title } = this.#means;
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
    for (const changed of onDidChange) {
      owned.own(changed(() => this.#post()));
    }
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
      this.#post();
      return;
    }
    this.#means.wish(wish);
  }

  #post(): void {
    const message: ToPage = { type: 'state', state: this.#means.state() };
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
    });
  }
}

export interface PanelHtmlParts {
  readonly state: PanelState;
  readonly nonce: string;
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  readonly title: string;
}

/** The page around the script: nothing is loaded but our own files, nothing runs without the nonce (T7, T8). */
export function panelHtml({ state, nonce, cspSource, script, style, title }: PanelHtmlParts): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `img-src ${cspSource}`,
    `font-src ${cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  // The toolkit reads the nonce for its own style elements from the meta element of that name.
  return `<!DOCTYPE html>
<html lang="${attribute(state.locale)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${attribute(policy)}">
<meta property="csp-nonce" content="${attribute(nonce)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${attribute(title)}</title>
<link rel="stylesheet" href="${attribute(style)}">
</head>
<body>
<main id="credits-root"></main>
<div id="credits-voice"></div>
<script type="application/json" id="credits-state">${scriptJson(state)}</script>
<script nonce="${attribute(nonce)}" src="${attribute(script)}"></script>
</body>
</html>`;
}

function attribute(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

/** JSON that cannot end the element it stands in, whatever the strings in it say. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
