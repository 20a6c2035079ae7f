// Pictures of the panel in each of its states, themes and widths, and what is wrong with them.
// Usage: npm run gallery -- [--only TEXT] [--locale LANGUAGE] [--capture yes]
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { states } from '../test/gallery/states.ts';
import { step } from './support/bootstrap.mjs';
import { launchBrowser } from './support/chromium.ts';
import {
  buildPage,
  type CapturedTheme,
  drawn,
  findAxeFaults,
  findLayoutFaults,
  galleryLanguage,
  openGallery,
  readViolations,
  type ThemeName,
  themeNames,
  themes,
  themesFile,
} from './support/gallery.ts';
import { languages } from './support/l10n.ts';
import { inRoot, out, root } from './support/places.ts';
import { readOneOf, readOptions, runScript } from './support/script.ts';
import { openStage } from './support/stage.ts';
import { Workbench } from './support/workbench.ts';

const help = `Usage: npm run gallery -- [options]

Draws every state of the panel in four themes and three widths into out/gallery, with an index page, and looks for cut
or overlapping text, sideways scrolling, and what axe finds. Ends with code 1 when there is any.

Options:
  --only TEXT    States whose name has this in it.
  --locale NAME  The words' language: en, de, ja, or qps, which no one speaks: accented, and two fifths longer.
  --capture yes  First reads the themes anew from a real workbench (writes test/gallery/themes.json).
  --help         This text.
`;

const widthsPx = [320, 600, 1200] as const;
/** The width that axe looks at; what it looks for does not depend on it. */
const axeWidthPx = 600;
/** The class by which the editor tells a page what kind of theme it is in. */
const kinds: Readonly<Record<ThemeName, string>> = {
  dark: 'vscode-dark',
  light: 'vscode-light',
  'hc-dark': 'vscode-high-contrast:not(.vscode-high-contrast-light)',
  'hc-light': 'vscode-high-contrast-light',
};
const pictures = join(out, 'gallery');

async function main(): Promise<void> {
  const given = readOptions(process.argv.slice(2), ['only', 'locale', 'capture']);
  if (given.help) {
    process.stdout.write(help);
    return;
  }
  await step('Building the panel', buildPage);
  if (readOneOf('capture', given.capture ?? 'no', ['yes', 'no']) === 'yes') {
    await capture();
  }
  const locale = readOneOf('locale', given.locale ?? 'en', ['en', 'qps', ...languages]);
  const names = Object.keys(states).filter(name => name.includes(given.only ?? ''));
  rmSync(pictures, { recursive: true, force: true });
  mkdirSync(pictures, { recursive: true });
  const browser = await launchBrowser();
  const faults: string[] = [];
  try {
    const gallery = await openGallery(browser, galleryLanguage(locale));
    for (const theme of themeNames) {
      await step(`Drawing ${names.length} states in ${themes[theme]}`, async () => {
        for (const name of names) {
          const page = await gallery.show(theme, widthsPx[0], state(name));
          for (const widthPx of widthsPx) {
            await page.setViewportSize({ width: widthPx, height: 800 });
            await drawn(page);
            const found = [
              ...(await findLayoutFaults(page)),
              ...(await readViolations(page)).map(text => `refused by the policy: ${text}`),
              ...(widthPx === axeWidthPx ? await findAxeFaults(page) : []),
            ];
            faults.push(...found.map(text => `${name}, ${theme}, ${widthPx} px: ${text}`));
            await page.screenshot({
              path: join(pictures, fileOf(name, theme, widthPx)),
              fullPage: true,
              animations: 'disabled',
            });
          }
        }
      });
    }
    await gallery.close();
  } finally {
    await browser.close();
  }
  writeFileSync(join(pictures, 'index.html'), indexPage(names, faults));
  console.log(faults.join('\n'));
  console.log(
    `${names.length * themeNames.length * widthsPx.length} pictures in ${relative(root, pictures)}; ${faults.length} faults.`,
  );
  process.exitCode = faults.length > 0 ? 1 : 0;
}

function state(name: string) {
  const found = states[name];
  if (!found) {
    throw new Error(`There is no state "${name}".`);
  }
  return found;
}

function fileOf(name: string, theme: ThemeName, widthPx: number): string {
  return `${name.replaceAll(/\W+/g, '-')}-${theme}-${widthPx}.png`;
}

function indexPage(names: readonly string[], faults: readonly string[]): string {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const rows = names.map(
    name =>
      `<h2>${escaped(name)}</h2>${themeNames
        .map(
          theme =>
            `<p>${widthsPx
              .map(
                width =>
                  `<img loading="lazy" width="${width / 2}" alt="" src="${fileOf(name, theme, width)}">`,
              )
              .join(' ')}</p>`,
        )
        .join('')}`,
  );
  return `<!doctype html><meta charset="utf-8"><title>Gallery</title>
<style>body{font:14px system-ui;background:#888}p{display:flex;gap:8px;align-items:flex-start}</style>
<pre>${escaped(faults.join('\n') || 'No faults.')}</pre>${rows.join('\n')}`;
}

/** Reads, in a real workbench, what a page is handed in each theme: of the variables, those that ours uses. */
async function capture(): Promise<void> {
  const used = new Set(
    ['panel.css', 'panel.js'].flatMap(
      name => readFileSync(inRoot('dist/panel', name), 'utf8').match(/--vscode-[\w-]+/g) ?? [],
    ),
  );
  const captured: Partial<Record<ThemeName, CapturedTheme>> = {};
  const stage = await openStage({ name: 'themes', balance: 5218, rate: 100 });
  try {
    const seat = await stage.seat({ name: 'admin', token: stage.sandbox.tokens.admin });
    const workbench = await Workbench.open(stage.browser, seat);
    for (const theme of themeNames) {
      await step(`Reading ${themes[theme]}`, async () => {
        await workbench.set({
          'window.autoDetectColorScheme': false,
          'window.autoDetectHighContrast': false,
          'workbench.colorTheme': themes[theme],
        });
        await workbench.waitForStatus('the balance', text => /\d/.test(text), 60_000);
        await workbench.clickStatus();
        await workbench.panel.locator(`body.${kinds[theme]}`).waitFor();
        await workbench.panel.locator('.figure .number').waitFor();
        captured[theme] = await workbench.panel.locator('html').evaluate(
          (html, names) => ({
            bodyClass: document.body.className,
            variables: Object.fromEntries(
              names
                .map(name => [name, (html as HTMLElement).style.getPropertyValue(name).trim()])
                .filter(([, value]) => value !== ''),
            ) as Record<string, string>,
            defaultStyles: document.getElementById('_defaultStyles')?.textContent ?? '',
          }),
          [...used].sort((one, other) => one.localeCompare(other)),
        );
      });
    }
  } finally {
    await stage.close();
  }
  writeFileSync(themesFile, `${JSON.stringify(captured, null, 2)}\n`);
}

await runScript(main);
