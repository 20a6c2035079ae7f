// Two accounts of two organisations, and two windows of one editor: everything either window shows, from before the
// first sign-in to the end, is written down by the pages themselves, and each figure stands under its own name.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { BrowserContext, Page } from 'playwright-core';
import { both, people, postUsage, type Sandbox } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { out } from '../../scripts/support/places.ts';
import { openStage, type Stage } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';

interface Shown {
  readonly page: Page;
  readonly view: string;
  readonly text: string;
}

// No figure of one could be taken for the other's, rounded for a screen reader or not, nor for what a package offers.
const organisations = {
  acme: { name: /Acme Robotics/, figure: /\b8,6\d\d\b/ },
  orbit: { name: /Orbit Labs/, figure: /\b1,200\b/ },
} as const;
type Organisation = keyof typeof organisations;
const names = Object.keys(organisations) as Organisation[];

const named = (text: string) => names.filter(one => organisations[one].name.test(text));
const figured = (text: string) => names.filter(one => organisations[one].figure.test(text));

describe('two accounts, two organisations, two windows', () => {
  let stage: Stage;
  let closeStage = async (): Promise<void> => {};
  let sandbox: Sandbox;
  let first: Workbench;
  let second: Workbench;
  const shown: Shown[] = [];

  before(async function () {
    this.timeout(240_000);
    stage = await openStage({ name: 'e2e-sign-in-two-windows', balance: 8642, rate: 100 });
    closeStage = stage.close;
    sandbox = stage.sandbox;
    const settings = { 'credits.statusBarOrganization': true };
    const seat = await stage.seat({ name: 'stranger', token: '', settings });
    first = await Workbench.open(stage.browser, seat, context =>
      record(context, (page, view, text) => shown.push({ page, view, text })),
    );
    second = await first.another();
    for (const window of [first, second]) {
      await window.waitForStatus('nobody is signed in', text => /sign in/i.test(text), 60_000);
    }
  });

  after(async function () {
    this.timeout(30_000);
    await closeStage();
  });

  it('one account signs in in one window, and the other follows', async () => {
    await signIn(async page => {
      await page.locator(`input[value="${people.admin.email}"]`).check();
      await page.locator('input[name=password]').fill(sandbox.password);
      await page.getByRole('button', { name: 'Sign in' }).click();
    });
    await shows(first, 'acme');
    await follow(second);
    await shows(second, 'acme');
    for (const window of [first, second]) {
      await window.clickStatus();
      await panelShows(window, 'acme');
    }
  });

  it('both see what is used', async () => {
    await postUsage(sandbox, 'two-windows-1', 2);
    for (const window of [first, second]) {
      await window.waitForStatus('the usage is seen', text => text.includes('8,640'), 30_000);
    }
  });

  it('the other account takes its place, and is shown its own organisation', async () => {
    await first.run('Credits: Sign Out');
    for (const window of [first, second]) {
      await window.waitForStatus('nobody is signed in', text => /sign in/i.test(text), 30_000);
    }
    // The provider remembers the one before, says so, and lets one be another.
    await signIn(async page => {
      await page.getByText(people.admin.email).waitFor();
      await page.getByRole('button', { name: 'Use another account' }).click();
      await page.locator(`input[value="${both.email}"]`).check();
      await page.locator('input[name=password]').fill(sandbox.password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText(both.email).waitFor();
    });
    await pick(first, 'orbit');
    await shows(first, 'orbit');
    await panelShows(first, 'orbit');
    await follow(second);
    await shows(second, 'orbit');
  });

  it('the organisation is switched from the panel in one window, and back by command in the other', async () => {
    await first.panel.getByRole('button', { name: 'Switch organisation' }).click();
    await pick(first, 'acme');
    await shows(first, 'acme');
    await panelShows(first, 'acme');
    await first.screenshot(join(out, 'e2e', 'switched-in-panel.png'));
    await follow(second);
    await shows(second, 'acme');
    await second.run('Credits: Switch Organisation');
    await pick(second, 'orbit');
    await shows(second, 'orbit');
    await follow(first);
    await shows(first, 'orbit');
  });

  it('F17 b-11 no moment showed one organisation’s figure under another’s name, in either window', () => {
    for (const one of shown) {
      const trace = `window ${windowOf(one)}, ${one.view}: ${one.text}`;
      assert.ok(named(one.text).length <= 1, `two names at once: ${trace}`);
      if (figured(one.text).length > 0) {
        assert.deepEqual(figured(one.text), named(one.text), `a figure under another name: ${trace}`);
      }
      if (one.text.includes(people.admin.name)) {
        assert.deepEqual(named(one.text), ['acme'], `somebody where they do not belong: ${trace}`);
      }
    }
    // Something was written down, from the beginning: each window, each view, each organisation with its figure.
    const pairs = new Set(
      shown.flatMap(one => figured(one.text).map(figure => `${windowOf(one)} ${one.view} ${figure}`)),
    );
    for (const window of [1, 2]) {
      for (const view of ['status bar', 'panel']) {
        for (const organisation of names) {
          assert.ok(
            pairs.has(`${window} ${view} ${organisation}`),
            `not seen: ${window} ${view} ${organisation}`,
          );
        }
      }
      assert.deepEqual(sequence(window), ['nobody', 'acme', 'nobody', 'orbit', ...lastTurns(window)]);
    }
    console.log(`      ${shown.length} states recorded`);
  });

  function windowOf({ page }: Shown): number {
    return page === first.page ? 1 : 2;
  }

  /** Whose figures the status bar of a window showed, one after the other; what repeats counts once. */
  function sequence(window: number): string[] {
    const all = shown
      .filter(one => windowOf(one) === window && one.view === 'status bar')
      .flatMap(({ text }) => (/sign in/i.test(text) ? ['nobody'] : figured(text)));
    return all.filter((one, nth) => one !== all[nth - 1]);
  }

  /** From the panel in the first window, and by command in the second: whoever follows is nobody in between. */
  function lastTurns(window: number): string[] {
    return window === 1 ? ['acme', 'nobody', 'orbit'] : ['nobody', 'acme', 'orbit'];
  }

  async function signIn(atProvider: (page: Page) => Promise<void>): Promise<void> {
    const opened = first.context.waitForEvent('page');
    await first.clickStatus();
    const page = await opened;
    await atProvider(page);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(/callback/);
    await page.close();
  }

  /** This host lets a window read secrets at its start only, so it asks for a new one. */
  async function follow(window: Workbench): Promise<void> {
    const loaded = window.page.waitForEvent('load', { timeout: 60_000 });
    loaded.catch(() => {});
    await window.pressInNotification('Reload to Sign In');
    await loaded;
  }

  async function pick(window: Workbench, organisation: Organisation): Promise<void> {
    const list = window.page.locator('.quick-input-list');
    await list.getByText(organisations[organisation].name).first().click({ timeout: 30_000 });
  }

  async function shows(window: Workbench, organisation: Organisation): Promise<void> {
    const { name, figure } = organisations[organisation];
    await window.waitForStatus(
      `${organisation} is shown`,
      text => name.test(text) && figure.test(text),
      60_000,
    );
  }

  async function panelShows(window: Workbench, organisation: Organisation): Promise<void> {
    const { name, figure } = organisations[organisation];
    await eventually(
      `the panel shows ${organisation}`,
      () => window.panelText().catch(() => ''),
      text => name.test(text) && figure.test(text),
      { withinMs: 60_000 },
    );
  }
});

/** From its first moment on, every page tells each new state of what it shows: also over reloads, and in the panel. */
async function record(
  context: BrowserContext,
  note: (page: Page, view: string, text: string) => void,
): Promise<void> {
  await context.exposeBinding('noteShown', ({ page }, view: string, text: string) => note(page, view, text));
  await context.addInitScript(() => {
    const last = new Map<string, string>();
    const tell = (view: string, text: string) => {
      if (last.get(view) !== text) {
        last.set(view, text);
        (globalThis as unknown as { noteShown: (view: string, text: string) => void }).noteShown(view, text);
      }
    };
    const look = (seen: Document) => {
      const item = seen.querySelector('.statusbar-item[id="studio-credits.code-studio-credits.balance"]');
      if (item) {
        tell(
          'status bar',
          `${item.textContent} / ${item.querySelector('a')?.getAttribute('aria-label') ?? ''}`,
        );
      }
      for (const hover of seen.querySelectorAll('.monaco-hover')) {
        tell('tooltip', hover.textContent ?? '');
      }
      const panel = seen.querySelector('#credits-root');
      if (panel) {
        tell('panel', (panel.textContent ?? '').replaceAll(/\s+/g, ' '));
      }
    };
    const watched = new WeakSet<Document>();
    const watch = (seen: Document) => {
      if (!watched.has(seen)) {
        watched.add(seen);
        const all = { subtree: true, childList: true, characterData: true, attributes: true };
        new MutationObserver(() => look(seen)).observe(seen, all);
      }
      look(seen);
    };
    // Each change, and once more whatever is painted: the panel's own frame gets its document after its window.
    const paint = () => {
      watch(document);
      for (const frame of document.querySelectorAll('iframe')) {
        if (frame.contentDocument) {
          watch(frame.contentDocument);
        }
      }
      requestAnimationFrame(paint);
    };
    paint();
  });
}
