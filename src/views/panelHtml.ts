// The page around the panel's script, with the first state in it. Knows no editor, so that the gallery shows the same.
import type { PanelState } from '../../protocol/messages.ts';

export interface PanelHtmlParts {
  readonly state: PanelState;
  readonly nonce: string;
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  readonly title: string;
  /** The page's sentences in the editor's language, by their English; none: English. */
  readonly words: Readonly<Record<string, string>> | undefined;
  /** Of the sentences, which is not always that of the figures. */
  readonly language: string;
}

/** The page around the script: nothing is loaded but our own files, nothing runs without the nonce (T7, T8). */
export function panelHtml(parts: PanelHtmlParts): string {
  const { state, nonce, cspSource, script, style, title, words, language } = parts;
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
<html lang="${attribute(language)}">
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
${words ? `<script type="application/json" id="credits-words">${scriptJson(words)}</script>\n` : ''}<script nonce="${attribute(nonce)}" src="${attribute(script)}"></script>
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
