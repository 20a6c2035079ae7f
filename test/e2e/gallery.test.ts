// Each state of the panel in a real browser, in a dark and a light theme as the editor hands them over: it can be read,
// by eyes and by ears, and nothing that a server writes into it does more than be read.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../scripts/support/chromium.ts';
import {
  buildPage,
  drawn,
  findAxeFaults,
  findLayoutFaults,
  type Gallery,
  openGallery,
  readViolations,
  themeNames,
} from '../../scripts/support/gallery.ts';
import { type GalleryState, states } from '../gallery/states.ts';
import { hostileStrings } from '../support/hostileStrings.ts';

const narrowPx = 320;
const widePx = 900;

describe('the panel in each of its states', () => {
  let browser: Browser;
  let gallery: Gallery;

  before(async function () {
    this.timeout(120_000);
    await buildPage();
    browser = await launchBrowser();
    gallery = await openGallery(browser);
  });

  after(async () => {
    await gallery.close();
    await browser.close();
  });

  for (const [name, state] of Object.entries(states)) {
    for (const theme of ['dark', 'light'] as const) {
      it(`is whole, and axe finds nothing: ${name}, ${theme}`, async () => {
        const page = await gallery.show(theme, narrowPx, state);
        assert.deepEqual(await findLayoutFaults(page), [], `${narrowPx} px`);
        await page.setViewportSize({ width: widePx, height: 800 });
        await drawn(page);
        assert.deepEqual(await findLayoutFaults(page), [], `${widePx} px`);
        assert.deepEqual(await findAxeFaults(page), []);
        assert.deepEqual(await readViolations(page), []);
      });
    }
  }

  it('can be read at twice the size, in the width of a side bar', async () => {
    const page = await gallery.show('dark', 640, state('admin'));
    // What the editor's zoom does: half as many pixels for everything.
    await page.setViewportSize({ width: 320, height: 400 });
    await drawn(page);
    assert.deepEqual(await findLayoutFaults(page), []);
  });

  it('keeps its bars and its chosen amount apart in forced colours', async () => {
    const page = await gallery.show('dark', narrowPx, state('preset chosen, test mode'));
    await page.emulateMedia({ forcedColors: 'active' });
    const [track, fill] = await page.evaluate(() =>
      ['.bar-track', '.bar-fill'].map(name => getComputedStyle(document.querySelector(name) as Element).fill),
    );
    assert.notEqual(track, fill);
    assert.deepEqual(await findLayoutFaults(page), []);
  });

  for (const theme of themeNames) {
    it(`tells what is left of a bar from what is used: ${theme}`, async () => {
      const page = await gallery.show(theme, narrowPx, state('member'));
      const [track, fill] = await page.evaluate(() =>
        ['.bar-track', '.bar-fill'].map(
          name => getComputedStyle(document.querySelector(name) as Element).fill,
        ),
      );
      assert.notEqual(track, fill);
      assert.deepEqual(await findAxeFaults(page), []);
    });
  }

  it('gives the usage of each day in a table too', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    await page.getByText('Show as a table').click();
    assert.ok((await page.locator('.as-table tbody tr').count()) > 20);
    assert.deepEqual(await findLayoutFaults(page), []);
    assert.deepEqual(await findAxeFaults(page), []);
  });

  it('names the day and its credits under the pointer', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    await page.locator('.u-over').hover({ position: { x: 200, y: 40 } });
    assert.match(await page.locator('.tip').innerText(), /^\w{3} \d+, 2026: [\d,.]+ credits?$/);
    assert.deepEqual(await readViolations(page), []);
  });

  it('keeps the focus where it was when the state comes anew', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    await page.getByRole('button', { name: 'Receipt for $50 of Nov 19, 2026' }).focus();
    await page.evaluate(
      data => {
        window.postMessage({ type: 'state', state: data.state }, '*');
        window.postMessage({ type: 'records', records: data.records }, '*');
      },
      { state: { ...state('admin').state, refreshing: true }, records: state('admin').records },
    );
    await drawn(page);
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute('aria-label')),
      'Receipt for $50 of Nov 19, 2026',
    );
  });

  it('asks for an order once when Buy is pressed twice', async () => {
    const page = await gallery.show('dark', widePx, state('amount typed'));
    await page.locator('#buy').dblclick();
    assert.deepEqual(await sentOf(page, 'buy'), [
      { type: 'buy', amountMinor: 7_500, expectedCreditsUcr: 7_500_000_000 },
    ]);
  });

  it('asks for a receipt by the payment, and names no address', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    await page
      .getByRole('button', { name: /^Receipt for/ })
      .first()
      .click();
    assert.deepEqual(await sentOf(page, 'openDocument'), [
      { type: 'openDocument', paymentId: 'pur_1', document: 'receipt' },
    ]);
    assert.equal(await page.locator('a[href]').count(), 0);
  });

  it('T7 shows 60 hostile strings in every text field as text: nothing runs, nothing links, nothing is fetched', async function () {
    this.timeout(240_000);
    assert.ok(hostileStrings.length >= 60);
    const asked: string[] = [];
    const own = new URL((await gallery.show('dark', widePx, state('admin'))).url()).origin;
    let violations = 0;
    for (const name of [
      'member',
      'admin',
      'usage by model',
      'offline',
      'waiting for payment',
      'signed out, server known',
    ]) {
      const page = await gallery.show('dark', widePx, poisoned(state(name), hostileStrings.join(' ')));
      page.on('request', request => asked.push(request.url()));
      page.on('dialog', () => assert.fail(`${name}: a dialog opened`));
      for (const text of hostileStrings) {
        const { state: next, records } = poisoned(state(name), text);
        await page.evaluate(
          messages => {
            for (const message of messages) {
              window.postMessage(message, '*');
            }
          },
          [{ type: 'state', state: next }, ...(records ? [{ type: 'records', records }] : [])],
        );
        await drawn(page);
        const found = await page.evaluate(() => ({
          ran: 'ran' in window,
          scripts: document.scripts.length,
          strange: document.querySelectorAll(
            'a, iframe, object, embed, form, img, video, audio, base, template, math, marquee, body link, body style, [onerror], [onload], [onclick], [onfocus], [onmouseover]',
          ).length,
          shown: document.querySelector('main')?.textContent ?? '',
        }));
        assert.deepEqual(
          { ...found, shown: found.shown.includes(text) },
          // The one script is ours, the other the first state's data.
          { ran: false, scripts: 2, strange: 0, shown: true },
          `${name}: ${text}`,
        );
      }
      violations += (await readViolations(page)).length;
    }
    assert.equal(violations, 0, 'nothing was even tried that the policy had to refuse');
    assert.deepEqual(
      asked.filter(url => new URL(url).origin !== own),
      [],
    );
  });

  function state(name: string): GalleryState {
    const found = states[name];
    assert.ok(found, name);
    return found;
  }

  async function sentOf(page: Page, type: string): Promise<unknown[]> {
    const heard = await page.evaluate(() => (window as unknown as { heard: { type: string }[] }).heard);
    return heard.filter(message => message.type === type);
  }

  /** Every string a server can write takes the text on; what the page compares or counts with stays. */
  function poisoned(clean: GalleryState, text: string): GalleryState {
    const words = new Set([
      'orgName',
      'role',
      'personName',
      'serverHost',
      'payHost',
      'host',
      'reason',
      'problem',
      'contactName',
      'name',
      'byName',
      'text',
      'id',
      'status',
    ]);
    const json = JSON.stringify(clean, (key, value: unknown) =>
      typeof value === 'string' && (words.has(key) || (key === 'key' && !/^\d{4}-/.test(value)))
        ? text
        : value,
    );
    return JSON.parse(json) as GalleryState;
  }
});
