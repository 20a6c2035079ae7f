// The panel in other languages, in a real browser at its narrowest: each sentence is translated, and each has room.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../scripts/support/chromium.ts';
import {
  buildPage,
  findLayoutFaults,
  type Gallery,
  galleryLanguage,
  openGallery,
  readViolations,
} from '../../scripts/support/gallery.ts';
import { type GalleryState, states } from '../gallery/states.ts';

const narrowPx = 320;

describe('the panel in another language', () => {
  let browser: Browser;
  let gallery: Gallery | undefined;

  before(async function () {
    this.timeout(120_000);
    await buildPage();
    browser = await launchBrowser();
  });

  after(() => browser.close());

  for (const language of ['qps', 'de', 'ja'] as const) {
    describe(language === 'qps' ? 'that is accented and two fifths longer' : `that is ${language}`, () => {
      before(async () => {
        gallery = await openGallery(browser, galleryLanguage(language));
      });

      after(async () => await gallery?.close());

      for (const [name, state] of Object.entries(states)) {
        it(`is whole${language === 'qps' ? ', and leaves no sentence in English' : ''}: ${name}`, async () => {
          assert.ok(gallery);
          const page = await gallery.show('dark', narrowPx, state);
          assert.deepEqual(await findLayoutFaults(page), []);
          assert.deepEqual(await readViolations(page), []);
          if (language === 'qps') {
            assert.deepEqual(englishIn(await readTexts(page), state), []);
          }
        });
      }
    });
  }

  it('says its language to a screen reader, which in English is not that of the figures', async () => {
    const state = states['admin'];
    assert.ok(state);
    for (const [language, lang] of [
      ['de', 'de'],
      ['en', 'en'],
    ] as const) {
      const one = await openGallery(browser, galleryLanguage(language));
      const page = await one.show('dark', narrowPx, { ...state, state: { ...state.state, locale: 'de' } });
      assert.equal(await page.locator('html').getAttribute('lang'), lang);
      assert.match(await page.locator('.figure').innerText(), /^5\.218\s+[Cc]redits$/);
      await one.close();
    }
  });
});

/** All that is shown, named or described, the insides of our elements included. */
async function readTexts(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const texts = [document.title];
    const visit = (node: Node): void => {
      if (node instanceof Element) {
        if (node.matches('script, style')) {
          return;
        }
        // The toolkit's ring names itself, in English, to nobody.
        const isHeard = !node.closest('[aria-hidden=true]');
        for (const name of ['aria-label', 'aria-description', 'title', 'placeholder', 'alt']) {
          texts.push((isHeard && node.getAttribute(name)) || '');
        }
        node.shadowRoot?.childNodes.forEach(visit);
      } else if (node.nodeType === Node.TEXT_NODE) {
        texts.push(node.textContent ?? '');
      }
      node.childNodes.forEach(visit);
    };
    visit(document.documentElement);
    return texts;
  });
}

/** What has letters without accents once the server's own words are taken out of it. */
function englishIn(texts: readonly string[], { state, records }: GalleryState): string[] {
  const data: string[] = [];
  JSON.stringify([state, records], (_key, value: unknown) => {
    if (typeof value === 'string' && value !== '') {
      data.push(value, value.toUpperCase());
    }
    return value;
  });
  data.sort((one, other) => other.length - one.length);
  return texts.filter(text => /[a-z]/i.test(data.reduce((rest, one) => rest.replaceAll(one, ''), text)));
}
