// Shows the panel's real page outside the editor: the built bundle, the host's HTML with its policy, and the theme as
// a real workbench hands it to a page (test/gallery/themes.json).
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { PanelState, RecordsView } from '../../protocol/messages.ts';
import { panelHtml } from '../../src/views/panelHtml.ts';
import { type GalleryState, nowMs } from '../../test/gallery/states.ts';
import { type Bundle, englishBundle, type Language, pseudoBundle, readTranslation } from './l10n.ts';
import { inRoot, root } from './places.ts';
import { startProgram } from './processes.ts';

export const themes = {
  dark: 'Dark Modern',
  light: 'Light Modern',
  'hc-dark': 'Default High Contrast',
  'hc-light': 'Default High Contrast Light',
} as const;
export type ThemeName = keyof typeof themes;
export const themeNames = Object.keys(themes) as ThemeName[];

export const themesFile = inRoot('test/gallery/themes.json');

/** What the editor gives a page: its body's class, variables on the root, and the rules under the page's own. */
export interface CapturedTheme {
  readonly bodyClass: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly defaultStyles: string;
}

const nonce = 'gallery';

/** What the page's sentences are in, and its figures. */
export interface GalleryLanguage {
  readonly locale: string;
  readonly words: Bundle | undefined;
}

const english: GalleryLanguage = { locale: 'en', words: undefined };

export function galleryLanguage(name: 'en' | 'qps' | Language): GalleryLanguage {
  switch (name) {
    case 'en':
      return english;
    case 'qps':
      // Japanese writes its dates without a letter that could pass for one of ours.
      return { locale: 'ja', words: pseudoBundle(englishBundle()) };
    default:
      return { locale: name, words: readTranslation(name).bundle };
  }
}

/** What the panel's speed is held against. */
const emptyPage = '<!doctype html><title>Empty</title><main><h1>Empty</h1><button>Buy</button></main>';

export interface Gallery {
  /** Address of a page with next to nothing on it. */
  readonly emptyUrl: string;
  /** The page in that state; the one before of the same theme is gone with it. */
  show(theme: ThemeName, widthPx: number, state: GalleryState, clock?: 'stands' | 'runs'): Promise<Page>;
  close(): Promise<void>;
}

/** The bundle as it is shipped. */
export async function buildPage(): Promise<void> {
  const build = await startProgram(process.execPath, [inRoot('esbuild.js'), '--production'], { cwd: root });
  if ((await build.exited) !== 0 || !existsSync(inRoot('dist/panel/panel.js'))) {
    throw new Error(`The panel could not be built:\n${build.lastLines()}`);
  }
}

export async function openGallery(browser: Browser, language = english): Promise<Gallery> {
  const captured = JSON.parse(readFileSync(themesFile, 'utf8')) as Record<ThemeName, CapturedTheme>;
  let html = '';
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1);
    if (name === 'panel.js' || name === 'panel.css') {
      response.setHeader('Content-Type', name === 'panel.js' ? 'text/javascript' : 'text/css');
      response.end(readFileSync(inRoot('dist/panel', name)));
      return;
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(name === 'empty' ? emptyPage : name === 'favicon.ico' ? '' : html);
  });
  const origin = await listen(server);
  const contexts = new Map<ThemeName, BrowserContext>();
  const show: Gallery['show'] = async (theme, widthPx, shown, clock = 'stands') => {
    let context = contexts.get(theme);
    if (!context) {
      context = await browser.newContext({
        reducedMotion: 'reduce',
        locale: 'en-US',
        timezoneId: 'UTC',
        colorScheme: theme.endsWith('light') ? 'light' : 'dark',
      });
      contexts.set(theme, context);
    }
    await Promise.all(context.pages().map(page => page.close()));
    const page = await context.newPage();
    await page.setViewportSize({ width: widthPx, height: 800 });
    if (clock === 'stands') {
      await page.clock.setFixedTime(nowMs);
    }
    await page.addInitScript(likeTheEditor, { theme: captured[theme], draft: shown.draft ?? null });
    html = pageHtml(inLanguage(shown.state, language), origin, language);
    await page.goto(origin);
    await page.locator('main h1').waitFor();
    if (shown.records) {
      await sendRecords(page, inLanguage(shown.records, language));
    }
    return page;
  };
  return {
    emptyUrl: `${origin}/empty`,
    show,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export async function sendRecords(page: Page, records: RecordsView): Promise<void> {
  await page.evaluate(data => window.postMessage({ type: 'records', records: data }, '*'), records);
  await drawn(page);
}

/** The page has drawn, its chart laid out. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))),
  );
}

/** The state as a host of that language would have made it: its own sentences are in words of that language too. */
function inLanguage<T extends PanelState | RecordsView>(view: T, { locale, words }: GalleryLanguage): T {
  const json = JSON.stringify(view, (key, value: unknown) => {
    if (key === 'locale') {
      return words ? locale : value;
    }
    const isSentence = ['reason', 'text', 'problem', 'role'].includes(key) && typeof value === 'string';
    return isSentence ? (words?.[value] ?? value) : value;
  });
  return JSON.parse(json) as T;
}

export function pageHtml(state: PanelState, origin: string, { locale, words } = english): string {
  return panelHtml({
    state,
    nonce,
    cspSource: origin,
    script: `${origin}/panel.js`,
    style: `${origin}/panel.css`,
    title: 'Credits',
    words,
    language: words ? locale : 'en',
  });
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

/** Runs in the page before its own script: the editor's side of it. */
function likeTheEditor({ theme, draft }: { theme: CapturedTheme; draft: unknown }): void {
  const heard: unknown[] = [];
  const violations: string[] = [];
  let kept: unknown = draft;
  Object.assign(window, {
    heard,
    violations,
    kept: () => kept,
    acquireVsCodeApi: () => ({
      postMessage: (message: unknown) => heard.push(message),
      getState: () => kept,
      setState: (state: unknown) => {
        kept = state;
      },
    }),
  });
  document.addEventListener('securitypolicyviolation', event =>
    violations.push(`${event.violatedDirective} ${event.blockedURI}`),
  );
  const dress = () => {
    for (const [name, value] of Object.entries(theme.variables)) {
      document.documentElement.style.setProperty(name, value);
    }
    const sheet = new CSSStyleSheet();
    // The page itself is clear; what shines through is the editor.
    sheet.replaceSync(`${theme.defaultStyles} html { background: var(--vscode-editor-background); }`);
    document.adoptedStyleSheets = [sheet];
    document.body.className = theme.bodyClass;
  };
  const waiting = new MutationObserver(() => {
    if (document.body) {
      waiting.disconnect();
      dress();
    }
  });
  waiting.observe(document, { childList: true, subtree: true });
}

/** What is wrong with how the page lies: text cut off, text on text, a page wider than its window. */
export async function findLayoutFaults(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const faults: string[] = [];
    const short = (text: string) => text.trim().replaceAll(/\s+/g, ' ').slice(0, 60);
    const common = (one: DOMRect, other: DOMRect) => {
      const left = Math.max(one.left, other.left);
      const top = Math.max(one.top, other.top);
      return new DOMRect(
        left,
        top,
        Math.max(0, Math.min(one.right, other.right) - left),
        Math.max(0, Math.min(one.bottom, other.bottom) - top),
      );
    };
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) {
      faults.push(`the page is ${scrollWidth} px wide in a window of ${clientWidth}`);
    }
    const texts: { text: string; node: Node; box: DOMRect }[] = [];
    /** @param seen what of the page its ancestors let be seen */
    const visit = (node: Node, seen: DOMRect): void => {
      let inside = seen;
      if (node instanceof Element) {
        const style = getComputedStyle(node);
        const isHidden =
          node.matches('.for-ears, .tip, script, style') ||
          style.visibility === 'hidden' ||
          // Says so of what is shown through its parts only, too.
          !(style.display === 'contents' || node.checkVisibility());
        if (isHidden) {
          return;
        }
        // A cut that can be read in full on hover is meant.
        const cuts = style.overflowX !== 'visible' || style.overflowY !== 'visible';
        const isCut = node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1;
        const isPlain = node !== document.documentElement && node !== document.body;
        if (cuts && isCut && isPlain && !node.hasAttribute('title') && node.clientWidth > 0) {
          faults.push(
            `cut off: ${node.tagName.toLowerCase()}.${node.className} "${short(node.textContent ?? '')}"`,
          );
        }
        if (cuts && isPlain) {
          inside = common(seen, node.getBoundingClientRect());
        }
      }
      if (node.nodeType === Node.TEXT_NODE && (node.textContent ?? '').trim() !== '') {
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const rect of range.getClientRects()) {
          const box = common(rect, inside);
          if (box.width > 0 && box.height > 0) {
            texts.push({ text: short(node.textContent ?? ''), node, box });
          }
        }
      }
      const { childNodes } = node instanceof Element && node.shadowRoot ? node.shadowRoot : node;
      // Slotted text belongs to the element, not to its shadow.
      const within =
        node instanceof Element && node.shadowRoot ? [...childNodes, ...node.childNodes] : childNodes;
      for (const child of within) {
        visit(child, inside);
      }
    };
    visit(document.body, new DOMRect(-1e6, -1e6, 2e6, 2e6));
    for (const { text, box } of texts) {
      if (box.right > clientWidth + 1 || box.left < -1) {
        faults.push(`outside the window: "${text}"`);
      }
    }
    texts.forEach((one, index) => {
      for (const other of texts.slice(index + 1)) {
        const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        // Lines of one text stand closer than their boxes.
        if (one.node !== other.node && wide > 2 && high > 5) {
          faults.push(`text on text: "${one.text}" and "${other.text}"`);
        }
      }
    });
    return [...new Set(faults)];
  });
}

/** What axe finds, one line each. All its rules run, colour contrast included. */
export async function findAxeFaults(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary?.split('\n')[1] ?? ''}`).join('; ')}`,
  );
}

/** What the policy refused. */
export async function readViolations(page: Page): Promise<string[]> {
  return await page.evaluate(() => (window as unknown as { violations: string[] }).violations);
}
