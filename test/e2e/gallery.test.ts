// Each state of the panel in a real browser, in a dark and a light theme as the editor hands them over: it can be read,
// by eyes and by ears, and nothing that a server writes into it does more than be read.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { Browser, Page } from 'playwright-core';
import type { RecordsView } from '../../protocol/messages.ts';
import { launchBrowser } from '../../scripts/support/chromium.ts';
import {
  buildPage,
  drawn,
  findAxeFaults,
  findLayoutFaults,
  type Gallery,
  openGallery,
  readViolations,
  sendRecords,
  themeNames,
} from '../../scripts/support/gallery.ts';
import { type GalleryState, states } from '../gallery/states.ts';
import { hostileStrings } from '../support/hostileStrings.ts';

const narrowPx = 320;
const widePx = 900;

/** The fields of what the page is sent that hold whatever a server, or a person through it, has written. */
const free = new Set([
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
/** Those the page compares, counts or formats with: the host makes them, or the contract's schema bounds them. */
const bounded = new Set([
  'kind',
  'locale',
  'currency',
  'tone',
  'phase',
  'scope',
  'group',
  'wanted',
  'dispute',
  // A day's is a date; a model's is free.
  'key',
  // Compared, and never shown.
  'orgId',
  'org',
  // The page's own.
  'typed',
  'lowBelow',
]);

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

  it('buys what stands in the field when Enter is pressed there, whatever was chosen before', async () => {
    const page = await gallery.show('dark', widePx, state('amount typed'));
    await page.locator('label.preset input').first().focus();
    await page.keyboard.press('Space');
    await page.locator('#custom-amount input').focus();
    await page.keyboard.press('Enter');
    assert.deepEqual(await sentOf(page, 'buy'), [
      { type: 'buy', amountMinor: 7_500, expectedCreditsUcr: 7_500_000_000 },
    ]);
  });

  it('F17 keeps nothing that was typed or chosen for another organisation', async () => {
    const { state: admin, ...shown } = state('amount typed');
    const page = await gallery.show('dark', widePx, { ...shown, state: admin });
    const send = (next: object) =>
      page.evaluate(sent => window.postMessage({ type: 'state', state: sent }, '*'), next);
    assert.equal(await page.locator('#custom-amount input').inputValue(), '75');
    await send({ ...admin, refreshing: true });
    await drawn(page);
    assert.equal(await page.locator('#custom-amount input').inputValue(), '75');
    await send({ ...admin, orgId: 'org_other' });
    await drawn(page);
    assert.equal(await page.locator('#custom-amount input').inputValue(), '');
    await page.locator('#buy').click({ force: true });
    assert.deepEqual(await sentOf(page, 'buy'), []);
  });

  it('leads to signing in again where that alone helps, and sells nothing meanwhile', async () => {
    const page = await gallery.show('dark', widePx, state('sign in again'));
    assert.equal(await page.locator('#buy').count(), 0);
    await page.getByRole('button', { name: 'Sign In' }).click();
    assert.deepEqual(await sentOf(page, 'signIn'), [{ type: 'signIn' }]);
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

  it('offers another organisation only to someone who has one', async () => {
    const one = await gallery.show('dark', widePx, state('admin'));
    assert.equal(await one.getByRole('button', { name: 'Switch organisation' }).count(), 0);
    const page = await gallery.show('dark', widePx, state('several organisations, low balance typed'));
    await page.getByRole('button', { name: 'Switch organisation' }).click();
    assert.deepEqual(await sentOf(page, 'switchOrganisation'), [{ type: 'switchOrganisation' }]);
  });

  it('saves the low balance once, by keyboard, and says that it is saved when the server has said so', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    const field = page.locator('#low-below');
    assert.equal(await field.locator('input').inputValue(), '1000');
    await field.locator('input').fill('$2,500');
    assert.equal(await field.locator('input').getAttribute('aria-invalid'), 'true');
    assert.equal(
      await field.locator('input').getAttribute('aria-description'),
      'Type whole credits in digits, like 1000.',
    );
    await page.keyboard.press('Enter');
    assert.deepEqual(await sentOf(page, 'setLowBalance'), [], 'what is refused is not sent');
    await field.locator('input').fill('2,500');
    await page.locator('#save-low-below').focus();
    await page.keyboard.press('Enter');
    const { records } = state('admin');
    assert.ok(records);
    await sendRecords(page, { ...records, settings: settings(1_000_000_000, true) });
    await page.keyboard.press('Enter');
    assert.deepEqual(await sentOf(page, 'setLowBalance'), [
      { type: 'setLowBalance', belowUcr: 2_500_000_000 },
    ]);
    assert.equal(await page.locator('.saved').count(), 0);
    await sendRecords(page, { ...records, settings: settings(2_500_000_000) });
    await page.locator('.saved').getByText('Saved').waitFor();
    await page.locator('#credits-voice', { hasText: 'Saved' }).waitFor({ state: 'attached' });
    assert.equal(await field.locator('input').inputValue(), '2500');
    assert.deepEqual(await findAxeFaults(page), []);
  });

  it('keeps what was typed where it could not be saved, and says why; Escape goes back to what is kept', async () => {
    const page = await gallery.show('dark', widePx, state('admin'));
    const input = page.locator('#low-below input');
    await input.fill('2500');
    await page.keyboard.press('Enter');
    const { records } = state('admin');
    assert.ok(records);
    const why = 'The credits server took too long to answer.';
    await sendRecords(page, { ...records, settings: { ...settings(1_000_000_000), problem: why } });
    await page.locator('.low-balance').getByText(why).waitFor();
    await page.locator('#credits-voice', { hasText: why }).waitFor({ state: 'attached' });
    assert.equal(await input.inputValue(), '2500');
    assert.equal(await page.locator('.saved').count(), 0);
    await input.focus();
    await page.keyboard.press('Escape');
    await drawn(page);
    assert.equal(await input.inputValue(), '1000');
  });

  it('T20 has no field for the low balance where it is not this person’s to set', async () => {
    const page = await gallery.show('dark', widePx, state('member'));
    assert.equal(await page.locator('#low-below').count(), 0);
  });

  it('tells one cause once, beside the balance', async () => {
    const page = await gallery.show('dark', widePx, state('offline'));
    assert.equal(await page.getByText('The credits server cannot be reached.').count(), 1);
    assert.equal(await page.getByText('Retry', { exact: true }).count(), 1);
  });

  it('says nothing of how long it lasts where nothing is left, and writes large numbers of days as the language does', async () => {
    const empty = await gallery.show('dark', widePx, state('zero'));
    assert.equal(await empty.getByText('at the present pace').count(), 0);
    const page = await gallery.show('dark', widePx, state('huge'));
    await page.getByText('About 1,200 days left at the present pace (900 to 2,000).').waitFor();
  });

  it('offers no ways to look at usage where there is none', async () => {
    const page = await gallery.show('dark', widePx, state('empty organisation'));
    await page.getByText('Nothing was used in the last 30 days.').waitFor();
    assert.equal(await page.getByRole('radiogroup', { name: 'Show usage' }).count(), 0);
  });

  it('moves nothing for those who do without motion', async () => {
    const page = await gallery.show('dark', narrowPx, state('loading'));
    const moving = () =>
      page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === 'running').length);
    const setting = (wanted: boolean) =>
      page.evaluate(on => void document.body.classList.toggle('vscode-reduce-motion', on), wanted);
    await setting(false);
    assert.equal(await moving(), 0, 'the system asks for it');
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await drawn(page);
    assert.ok((await moving()) > 0, 'nobody asks for it');
    await setting(true);
    await drawn(page);
    assert.equal(await moving(), 0, 'the editor asks for it');
  });

  it('leaves a name its own direction, and everything its place', async () => {
    const page = await gallery.show('dark', widePx, state('right to left'));
    const seen = await page.evaluate(() => {
      const heading = document.querySelector('h1') as Element;
      const range = document.createRange();
      range.selectNodeContents(heading);
      return {
        direction: getComputedStyle(heading).direction,
        textLeft: Math.round(range.getBoundingClientRect().left),
        left: Math.round(heading.getBoundingClientRect().left),
      };
    });
    assert.equal(seen.direction, 'rtl');
    assert.equal(seen.textLeft, seen.left);
  });

  it('T7 shows 60 hostile strings in every text field as text: nothing runs, nothing links, nothing is fetched', async function () {
    this.timeout(240_000);
    assert.ok(hostileStrings.length >= 60);
    const forgotten = new Set<string>();
    JSON.stringify(states, (key, value: unknown) => {
      if (typeof value === 'string' && !free.has(key) && !bounded.has(key)) {
        forgotten.add(key);
      }
      return value;
    });
    assert.deepEqual([...forgotten], [], 'fields of which nobody has said who writes them');
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
    // A count that could not be other than none would prove nothing.
    const page = await gallery.show('dark', widePx, state('admin'));
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.ran = 1';
      document.body.append(script);
    });
    assert.deepEqual(await readViolations(page), ['script-src-elem inline']);
    assert.equal(await page.evaluate(() => 'ran' in window), false);
    assert.deepEqual(
      asked.filter(url => new URL(url).origin !== own),
      [],
    );
  });

  function settings(lowBelowUcr: number, busy = false): NonNullable<RecordsView['settings']> {
    return { value: { lowBelowUcr }, busy, problem: null };
  }

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
    const json = JSON.stringify(clean, (key, value: unknown) =>
      typeof value === 'string' && (free.has(key) || (key === 'key' && !/^\d{4}-/.test(value)))
        ? text
        : value,
    );
    return JSON.parse(json) as GalleryState;
  }
});
