// A person at the workbench, in code: what they see of the extension and what they do with it.
import { mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Browser, BrowserContext, FrameLocator, Locator, Page } from 'playwright-core';
import { eventually, NotTrue } from './eventually.ts';

/** Settings with which a workbench follows the browser's preference for light or dark at once. */
export const followBrowserTheme: Readonly<Record<string, unknown>> = {
  'window.autoDetectColorScheme': true,
  'workbench.preferredDarkColorTheme': 'Dark Modern',
  'workbench.preferredLightColorTheme': 'Light Modern',
};

export type Theme = 'dark' | 'light';
const themeClass: Readonly<Record<Theme, string>> = { dark: 'vs-dark', light: 'vs' };

const startMs = 60_000;
const actMs = 15_000;

export interface Seat {
  /** The address of the editor host. */
  readonly url: string;
  /** The profile's settings.json; a running workbench takes changes in when it is reloaded. */
  readonly settingsFile: string;
}

export class Workbench {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly #seat: Seat;

  private constructor(page: Page, seat: Seat) {
    this.page = page;
    this.context = page.context();
    this.#seat = seat;
  }

  /** Opens the workbench in a browser profile of its own and waits for its status bar. */
  static async open(
    browser: Browser,
    seat: Seat,
    prepare: (context: BrowserContext) => Promise<void> = async () => {},
  ): Promise<Workbench> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-US' });
    context.setDefaultTimeout(actMs);
    await keepSecrets(context, seat.url);
    await prepare(context);
    const page = await context.newPage();
    await page.goto(seat.url, { waitUntil: 'commit', timeout: startMs });
    const workbench = new Workbench(page, seat);
    await workbench.#ready();
    return workbench;
  }

  async #ready(): Promise<void> {
    await this.page
      .locator('.monaco-workbench .part.statusbar')
      .waitFor({ timeout: startMs })
      .catch(() => {
        throw new NotTrue(`The workbench did not appear within ${startMs / 1000} s.`);
      });
  }

  /** Another window of the same person: the same browser profile, an extension host of its own. */
  async another(): Promise<Workbench> {
    const page = await this.context.newPage();
    await page.goto(this.#seat.url, { waitUntil: 'commit', timeout: startMs });
    const workbench = new Workbench(page, this.#seat);
    await workbench.#ready();
    return workbench;
  }

  async reload(): Promise<void> {
    await this.page.reload({ waitUntil: 'commit' });
    await this.#ready();
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  // ---- the status bar

  get #statusItem(): Locator {
    return this.page.locator('.statusbar-item[id="studio-credits.code-studio-credits.balance"]');
  }

  /** What stands in the status bar, or '' when there is nothing yet. */
  async statusText(): Promise<string> {
    const item = this.#statusItem;
    return (await item.count()) === 0 ? '' : (await item.innerText()).replaceAll(/\s+/g, ' ').trim();
  }

  /** What a screen reader says of it. */
  async statusLabel(): Promise<string> {
    return (await this.#statusItem.locator('a').first().getAttribute('aria-label')) ?? '';
  }

  /** The tooltip as shown while the pointer rests on it. */
  async statusTooltip(): Promise<string> {
    // A pointer that rests there already, after a click, does not enter it.
    await this.page.mouse.move(0, 0);
    await this.#statusItem.hover();
    const hover = this.page.locator('.monaco-hover:visible').last();
    await hover.waitFor();
    const text = await hover.innerText();
    return text.replaceAll(/\s+/g, ' ').trim();
  }

  async waitForStatus(what: string, holds: (text: string) => boolean, withinMs = actMs): Promise<string> {
    return eventually(what, () => this.statusText(), holds, { withinMs });
  }

  async clickStatus(): Promise<void> {
    await this.#statusItem.locator('a').first().click();
    // Resting there, the pointer brings up a tooltip that covers what the click has brought.
    await this.page.mouse.move(0, 0);
  }

  // ---- the Credits panel

  /** The panel's page; it has no content before the panel was opened. */
  get panel(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready').last().frameLocator('iframe#active-frame');
  }

  async panelText(): Promise<string> {
    const text = await this.panel.locator('body').innerText({ timeout: 2000 });
    return text.replaceAll(/\s+/g, ' ').trim();
  }

  async waitForPanel(what: string, holds: (text: string) => boolean, withinMs = actMs): Promise<string> {
    return eventually(what, () => this.panelText(), holds, { withinMs });
  }

  /** The large figure, as written. */
  async panelFigure(): Promise<string> {
    return (await this.panel.locator('.figure .number').first().innerText({ timeout: 2000 })).trim();
  }

  /** The line that says how the last thing went. */
  async panelNotice(): Promise<string> {
    const [text = ''] = await this.panel.locator('.notice .notice-text').allInnerTexts();
    return text.trim();
  }

  button(name: string | RegExp): Locator {
    return this.panel.locator('vscode-button').filter({ hasText: name });
  }

  /** From the browser, past the code for another device, to the box that takes an access token. */
  async passOverBrowserSignIn(): Promise<void> {
    await this.anotherWay(/in your browser|did not open/);
    await this.anotherWay(/Enter the code/);
  }

  /** Leaves the way of signing in that says these words by its own link. */
  async anotherWay(words: RegExp): Promise<void> {
    const said = this.page.locator('.notification-list-item', { hasText: words });
    // The tooltip of what was clicked before would lie over the notification.
    await this.page.mouse.move(0, 0);
    let isPressed = false;
    await eventually(
      `"Having trouble?" leads on from ${words}`,
      async () => {
        // Older editors ask before they open a page of this machine; this one is not wanted anyway.
        if (await this.page.locator('.monaco-dialog-box').isVisible()) {
          await this.page.keyboard.press('Escape');
        }
        // A notification that is just being drawn again loses the click.
        if (await press(said.locator('a', { hasText: 'Having trouble?' }))) {
          isPressed = true;
          // Pressed once more while it is on its way, it would lead past the next one.
          await said
            .first()
            .waitFor({ state: 'hidden', timeout: 8_000 })
            .catch(() => undefined);
        }
        return isPressed && (await said.count()) === 0;
      },
      isDone => isDone,
      { withinMs: 40_000 },
    );
  }

  /** Everything in the panel that could take an amount or start a purchase. */
  get buyingControls(): Locator {
    return this.panel.locator('#buy, input:not(.groups *), vscode-text-field:not(.low-balance *)');
  }

  /** Chooses the preset with this price, or types the amount where there is none. */
  async chooseAmount(dollars: number): Promise<void> {
    const price = `$${dollars.toLocaleString('en-US')}`;
    const presets = this.panel.locator('label.preset');
    await presets.first().waitFor();
    const preset = presets.filter({ has: this.panel.getByText(price, { exact: true }) });
    if ((await preset.count()) > 0) {
      await preset.first().click();
    } else {
      await this.panel.locator('#custom-amount input').fill(String(dollars));
    }
  }

  /** The buy button, once it can be pressed; fails with the panel's own words when the amount is not accepted. */
  async buyButton(): Promise<Locator> {
    const buy = this.panel.locator('#buy');
    await buy.waitFor();
    let refusal = '';
    await eventually(
      'the chosen amount can be bought',
      async () => {
        refusal = (await buy.getAttribute('disabled')) === null ? '' : await this.#hint();
        return refusal;
      },
      seen => seen === '',
    ).catch((error: unknown) => {
      throw refusal === '' ? error : new NotTrue(`The amount cannot be bought; the panel says: "${refusal}"`);
    });
    return buy;
  }

  async #hint(): Promise<string> {
    const hint = this.panel.locator('.custom .hint');
    return (await hint.count()) === 0 ? 'a disabled button' : (await hint.innerText()).trim();
  }

  // ---- the rest of the workbench

  /** The text of every notification on screen. */
  async toasts(): Promise<string[]> {
    return this.page
      .locator('.notifications-toasts .notification-list-item .notification-list-item-message')
      .allInnerTexts();
  }

  /** Runs a command by its title in the palette. */
  async run(title: string): Promise<void> {
    await this.findInPalette(title, title);
    await this.page.keyboard.press('Enter');
  }

  /** The palette's rows for these words, once one with `title` is among them. */
  async findInPalette(words: string, title: string): Promise<Locator> {
    const input = this.page.locator('.quick-input-widget input[type=text]');
    const rows = this.page.locator('.quick-input-list .monaco-list-row');
    await eventually(
      `the palette has "${title}"`,
      async () => {
        // A window that has just been loaded, or whose webview is being loaded, loses the key or closes the palette.
        await this.page.keyboard.press('F1');
        // The rows are found anew only when the words change.
        await input.fill('>', { timeout: 2_000 });
        await input.fill(`>${words}`, { timeout: 2_000 });
        await rows.filter({ hasText: title }).first().waitFor({ timeout: 2_000 });
        return true;
      },
      isThere => isThere,
      { withinMs: 30_000 },
    );
    return rows;
  }

  /** Presses a button of a notification, also of one that has gone into the centre meanwhile. */
  async pressInNotification(name: string): Promise<void> {
    const button = this.page.locator('.notification-list-item').getByRole('button', { name });
    await eventually(
      `"${name}" is pressed`,
      async () => {
        await this.openCentreFor(button);
        return press(button);
      },
      isPressed => isPressed,
      { withinMs: 30_000, everyMs: 500 },
    );
  }

  /** Opens the notification centre where what is looked for in a notification is not to be seen. */
  async openCentreFor(wanted: Locator): Promise<boolean> {
    const seen = wanted.filter({ visible: true });
    const centre = this.page.locator('.notifications-center.visible');
    if ((await seen.count()) === 0 && (await centre.count()) === 0) {
      await this.page.locator('.statusbar-item[id="status.notifications"] a').click({ timeout: 2_000 });
    }
    return (await seen.count()) > 0;
  }

  /** Changes the profile's settings and reloads the window, because the host does not watch the file. */
  async set(changes: Readonly<Record<string, unknown>>): Promise<void> {
    const { settingsFile } = this.#seat;
    const settings = JSON.parse(await readFile(settingsFile, 'utf8')) as Record<string, unknown>;
    await writeFile(settingsFile, JSON.stringify({ ...settings, ...changes }, null, 2));
    await this.reload();
  }

  /** Only where `followBrowserTheme` is set. */
  async setTheme(theme: Theme): Promise<void> {
    await this.page.emulateMedia({ colorScheme: theme });
    await this.page
      .locator(`.monaco-workbench.${themeClass[theme]}`)
      .waitFor()
      .catch(() => {
        throw new NotTrue(`Not true within ${actMs / 1000} s: the workbench turns ${theme}.`);
      });
  }

  async screenshot(file: string): Promise<void> {
    await screenshot(this.page, file);
  }
}

/**
 * Lets the workbench keep secrets over a reload, as hosted editors do: it seals them with a key that it asks for at the
 * path which this cookie names.
 */
async function keepSecrets(context: BrowserContext, url: string): Promise<void> {
  await context.addCookies([
    { name: 'vscode-secret-key-path', value: '/mint-key', url: new URL(url).origin },
  ]);
  await context.route('**/mint-key', route => route.fulfill({ body: Buffer.alloc(32, 7) }));
}

/** A picture of a page, its animations at their end. */
export async function screenshot(page: Page, file: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  await page.screenshot({ path: file, animations: 'disabled' });
}

/** Presses one of these: the editor can show a notification in a toast and in its centre, and one lies over the other. */
export async function press(same: Locator): Promise<boolean> {
  for (const one of await same.all()) {
    const isPressed = await one.click({ timeout: 2_000 }).then(
      () => true,
      () => false,
    );
    if (isPressed) return true;
  }
  return false;
}
