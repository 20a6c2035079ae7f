// How fast the panel opens and draws, beside an empty page in the same browser.
// Usage: npm run bench:panel -- [--runs N]
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import type { RecordsView } from '../protocol/messages.ts';
import { states } from '../test/gallery/states.ts';
import { step } from './support/bootstrap.mjs';
import { launchBrowser } from './support/chromium.ts';
import { buildPage, type Gallery, openGallery, sendRecords } from './support/gallery.ts';
import { inRoot } from './support/places.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';

const help = `Usage: npm run bench:panel -- [--runs N]

Opens the panel's page N times (7 unless told) and tells, as medians: from opening to interactive, and what a change of
the balance costs with no payments and with 10,000. Writes bench/panel.json.
`;

const historyRows = 10_000;
const redraws = 20;

async function main(): Promise<void> {
  const given = readOptions(process.argv.slice(2), ['runs']);
  if (given.help) {
    process.stdout.write(help);
    return;
  }
  const runs = readWhole('runs', given.runs ?? '7', 5, 100);
  await step('Building the panel', buildPage);
  const browser = await launchBrowser();
  try {
    const gallery = await openGallery(browser);
    const emptyMs = await repeated(runs, () => openEmpty(browser, gallery));
    const panelMs = await repeated(runs, () => openPanel(gallery));
    const few = await redrawMs(gallery, 0);
    const many = await redrawMs(gallery, historyRows);
    await gallery.close();
    const result = {
      runs,
      empty_page_ms: emptyMs,
      panel_interactive_ms: panelMs,
      panel_to_empty_ratio: ratio(panelMs, emptyMs),
      page_bytes: { script: bytes('panel.js'), style: bytes('panel.css') },
      redraw_ms: { no_payments: few, with_10000_payments: many },
      redraw_ratio: ratio(many, few),
    };
    mkdirSync(inRoot('bench'), { recursive: true });
    writeFileSync(inRoot('bench/panel.json'), `${JSON.stringify(result, null, 2)}\n`);
    console.log(JSON.stringify(result, null, 2));
  } finally {
    await browser.close();
  }
}

async function openEmpty(browser: Browser, gallery: Gallery): Promise<number> {
  const page = await browser.newPage();
  await page.goto(gallery.emptyUrl);
  const took = await interactiveMs(page);
  await page.close();
  return took;
}

async function openPanel(gallery: Gallery): Promise<number> {
  return await interactiveMs(await gallery.show('dark', 600, admin(), 'runs'));
}

/** From the start of opening until every script has run, by the page's own clock: Buy answers from then on. */
async function interactiveMs(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation');
    return (navigation as PerformanceNavigationTiming).domContentLoadedEventEnd;
  });
}

async function redrawMs(gallery: Gallery, rows: number): Promise<number> {
  const { records, state } = admin();
  const page = await gallery.show('dark', 600, { state }, 'runs');
  const [row] = records.payments.value?.rows ?? [];
  if (!row) {
    throw new Error('The state has no payment to repeat.');
  }
  await sendRecords(page, {
    ...records,
    payments: {
      ...records.payments,
      value: {
        hasMore: false,
        rows: Array.from({ length: rows }, (_, index) => ({ ...row, id: `pur_${index}` })),
      },
    },
  });
  return await page.evaluate(
    async ([next, times]) => {
      const took: number[] = [];
      for (let time = 0; time < times; time++) {
        const started = performance.now();
        const arrived = new Promise(resolve => window.addEventListener('message', resolve, { once: true }));
        window.postMessage({ type: 'state', state: { ...next, refreshing: time % 2 === 0 } }, '*');
        await arrived;
        // Reading the layout makes the browser do it now.
        document.body.getBoundingClientRect();
        took.push(performance.now() - started);
      }
      return took.sort((one, other) => one - other)[Math.floor(times / 2)] ?? Number.NaN;
    },
    [state, redraws] as const,
  );
}

function admin() {
  const found = states['admin'];
  if (!found?.records) {
    throw new Error('The gallery has no admin.');
  }
  return { state: found.state, records: found.records satisfies RecordsView };
}

async function repeated(times: number, measure: () => Promise<number>): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < times; time++) {
    took.push(await measure());
  }
  took.sort((one, other) => one - other);
  return rounded(took[Math.floor(times / 2)] ?? Number.NaN);
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function ratio(one: number, other: number): number {
  return Math.round((one / other) * 100) / 100;
}

function bytes(name: string): number {
  return statSync(inRoot('dist/panel', name)).size;
}

await runScript(main);
