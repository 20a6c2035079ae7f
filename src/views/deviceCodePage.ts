// The page with the code for another device: large, copyable, and as a picture for a phone's camera. It has no script;
// its one button is a link to our own command.

import { renderSVG } from 'uqr';
import { l10n, ViewColumn, type WebviewPanel, window } from 'vscode';
import { newNonce } from '../core/random.ts';
import type { DeviceCode } from '../core/signIn/identityProvider.ts';
import { wordsLanguage } from './text.ts';

export class DeviceCodePage {
  readonly #panel: WebviewPanel;

  constructor(device: DeviceCode) {
    this.#panel = window.createWebviewPanel(
      'credits.signIn',
      l10n.t('Sign In to Credits'),
      { viewColumn: ViewColumn.Active },
      { enableScripts: false, enableCommandUris: ['credits.copySignInLink'], localResourceRoots: [] },
    );
    this.#panel.webview.html = pageOf(device, newNonce());
  }

  dispose(): void {
    this.#panel.dispose();
  }
}

export function pageOf({ userCode, url, urlWithCode }: DeviceCode, nonce: string): string {
  const picture = renderSVG(urlWithCode, { border: 4 });
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'`;
  return `<!doctype html>
<html lang="${escaped(wordsLanguage())}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escaped(l10n.t('Sign In to Credits'))}</title>
<style nonce="${nonce}">
main{max-width:26rem;margin:2rem auto;padding:0 1rem;text-align:center;line-height:1.5}
h1{font-size:1.5rem;font-weight:600}
.code{font:600 2rem var(--vscode-editor-font-family);letter-spacing:.1em;margin:1rem 0;user-select:all}
.qr svg{width:14rem;height:14rem;border-radius:6px;background:#fff}
.button{display:inline-block;padding:.4rem 1rem;border-radius:4px;background:var(--vscode-button-background);color:var(--vscode-button-foreground);text-decoration:none}
.button:hover{background:var(--vscode-button-hoverBackground)}
.button:focus-visible{outline:1px solid var(--vscode-focusBorder);outline-offset:2px}
.quiet{color:var(--vscode-descriptionForeground)}
</style>
</head>
<body><main>
<h1>${escaped(l10n.t('Sign in on any device'))}</h1>
<p>${escaped(l10n.t('1. Open this address, here or on your phone:'))}<br><a href="${escaped(urlWithCode)}">${escaped(url)}</a></p>
<p class="qr" role="img" aria-label="${escaped(l10n.t('QR code of that address'))}">${picture}</p>
<p>${escaped(l10n.t('2. See that it shows this code, or enter it:'))}</p>
<p class="code">${escaped(userCode)}</p>
<p><a class="button" href="command:credits.copySignInLink">${escaped(l10n.t('Copy Code'))}</a></p>
<p class="quiet">${escaped(l10n.t('This page closes by itself when you are signed in.'))}</p>
</main></body>
</html>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, found => `&#${found.charCodeAt(0)};`);
}
