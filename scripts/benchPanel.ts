// How fast the panel opens and draws, beside an empty page in the same browser.
// Usage: npm run bench:panel -- [--runs N]
import { statSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { isMet, median, type Row, show, writeResults } from '../bench/support/table.ts';
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
    const emptyMs: number[] = [];
    const panelMs: number[] = [];
    // In turns, so that a busy machine slows both alike.
    for (let run = 0; run < runs; run++) {
      emptyMs.push(await openEmpty(browser, gallery));
      panelMs.push(await openPanel(gallery));
    }
    const fewMs: number[] = [];
    const manyMs: number[] = [];
    for (let run = 0; run < runs; run++) {
      fewMs.push(await redrawMs(gallery, 0));
      manyMs.push(await redrawMs(gallery, historyRows));
    }
    await gallery.close();
    const rows: Row[] = [
      {
        id: 'panel-interactive',
        what: 'from opening the panel to Buy answering, to an empty page in the same browser',
        figure: median(panelMs) / median(emptyMs),
        unit: 'ratio',
        limit: { atMost: 12 },
        details: { runs, panelMs: rounded(median(panelMs)), emptyMs: rounded(median(emptyMs)) },
      },
      {
        id: 'panel-bytes',
        what: "the page's script and style",
        figure: (bytes('panel.js') + bytes('panel.css')) / 1_000,
        unit: 'kB',
        limit: { atMost: 235 },
        details: { scriptBytes: bytes('panel.js'), styleBytes: bytes('panel.css') },
      },
      {
        id: 'panel-redraw',
        what: 'a change of the balance drawn with 10,000 payments, to none',
        figure: median(manyMs) / median(fewMs),
        unit: 'ratio',
        limit: { atMost: 3 },
        details: { runs, redraws, manyMs: rounded(median(manyMs)), noneMs: rounded(median(fewMs)) },
      },
    ];
    show(rows);
    writeResults(inRoot('bench/panel.json'), rows);
    process.exitCode = rows.every(isMet) ? 0 : 1;
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
  const tookMs = await page.evaluate(
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
      return took;
    },
    [state, redraws] as const,
  );
  return median(tookMs);
}

function admin() {
  const found = states['admin'];
  if (!found?.records) {
    throw new Error('The gallery has no admin.');
  }
  return { state: found.state, records: found.records satisfies RecordsView };
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function bytes(name: string): number {
  return statSync(inRoot('dist/panel', name)).size;
}

await runScript(main);
