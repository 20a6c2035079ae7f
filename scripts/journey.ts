// The main job, done the way a person does it: in a real workbench and on the real payment page, in Chromium. Every
// figure it prints was read from the screen or from the API; pictures of each step are left in out/journey.
//
// Usage: npm run journey -- [--balance N] [--amount A] [--rate R]
import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Page } from 'playwright-core';
import { type CreatePurchase, type Problem, type Purchase, paths } from '../protocol/api.ts';
import { creditsFor, UCR_PER_CREDIT } from '../protocol/units.ts';
import { orgId, postUsage, readBalance, type Sandbox } from './sandbox.ts';
import { step } from './support/bootstrap.mjs';
import { eventually, NotTrue } from './support/eventually.ts';
import { out, root } from './support/places.ts';
import { onStop } from './support/processes.ts';
import { readOptions, readWhole, runScript } from './support/script.ts';
import { openStage, type Stage } from './support/stage.ts';
import { screenshot, type Theme, Workbench } from './support/workbench.ts';

const help = `Usage: npm run journey -- [options]

Reads the balance in the status bar, clicks it, buys credits, pays on the payment page, and sees the new balance.
Then again with every way back from the browser blocked; then as a member, who cannot buy; then uses credits until the
editor warns. Ends with code 1 and one sentence when something does not come true.

Options:
  --balance N  Credits to start with. [5218]
  --amount A   Dollars to buy for: one of the presets, or any other amount the server accepts. [50]
  --rate R     Credits that one dollar buys. [100]
  --help       This text.
`;

const pictures = join(out, 'journey');

/** From pressing Pay until the balance must have changed on screen. */
const settleMs = 20_000;

interface Bought {
  readonly before: string;
  readonly after: string;
  readonly visibleMs: number;
}

async function main(): Promise<void> {
  const given = readOptions(process.argv.slice(2), ['balance', 'amount', 'rate']);
  if (given.help) {
    process.stdout.write(help);
    return;
  }
  const balance = readWhole('balance', given.balance ?? '5218', 0, 1_000_000_000);
  const dollars = readWhole('amount', given.amount ?? '50', 1, 999_999);
  const rate = readWhole('rate', given.rate ?? '100', 1, 1_000_000);
  rmSync(pictures, { recursive: true, force: true });

  const stage = await openStage({ name: 'journey', balance, rate });
  onStop(() => stage.close());
  try {
    await play(stage, dollars);
  } catch (error) {
    await takeLastPictures(stage);
    throw error;
  } finally {
    await stage.close();
  }
}

async function play(stage: Stage, dollars: number): Promise<void> {
  const { sandbox } = stage;
  const { admin, clock, figure } = await step('Opening the editor as admin', async () => {
    const seat = await stage.seat({ name: 'admin', token: sandbox.tokens.admin });
    const workbench = await Workbench.open(stage.browser, seat);
    const shown = await figureInStatusBar(workbench, sandbox);
    return { admin: workbench, clock: new Stopwatch(), figure: shown };
  });
  console.log(`  status bar: ${figure}`);
  const first = await step('Buying on the payment page', () => buy(admin, sandbox, dollars, clock));
  const totalMs = clock.ms();
  console.log(`  panel and status bar: ${first.after}; notice: "${await admin.panelNotice()}"`);

  const second = await step('Buying again with every way back blocked', () =>
    buyWithoutWayBack(admin, sandbox, dollars),
  );
  console.log(`  ${second.before} -> ${second.after}, paid -> visible ${second.visibleMs} ms`);

  const refusal = await step('Trying as member', () => tryAsMember(stage, dollars));
  console.log(`  no buying control; a purchase by hand: ${refusal}`);

  const warning = await step('Using credits until the editor warns', () => useUntilWarned(admin, sandbox));
  console.log(`  warning: "${warning}"`);
  console.log(`Pictures: ${relative(root, pictures)}`);
  console.log(
    `journey: ${first.before} -> ${first.after} in ${totalMs} ms (paid -> visible ${first.visibleMs} ms)`,
  );
}

/** The whole purchase with pictures, the stopwatch standing still while they are taken. */
async function buy(
  workbench: Workbench,
  sandbox: Sandbox,
  dollars: number,
  clock: Stopwatch,
): Promise<Bought> {
  const before = await figureInStatusBar(workbench, sandbox);
  await clock.without(() => takePictures(workbench, '1-status-bar'));

  await workbench.clickStatus();
  await eventually(
    'the panel opens with the figure of the status bar',
    () => workbench.panelFigure(),
    seen => seen === before,
  );
  await workbench.waitForPanel('the panel offers amounts', text => /Custom amount/.test(text));
  await clock.without(() => takePictures(workbench, '2-panel'));

  await workbench.chooseAmount(dollars);
  const buyButton = await workbench.buyButton();
  await clock.without(() => takePictures(workbench, '3-amount-chosen'));

  const opening = workbench.context.waitForEvent('page', { timeout: 15_000 });
  opening.catch(() => {});
  await buyButton.click();
  const payment = await opening.catch(() => {
    throw new NotTrue('Not true within 15 s: the payment page opens.');
  });
  const payButton = payment.getByRole('button', { name: /^Pay/ });
  await payButton.waitFor();
  await clock.without(async () => {
    await screenshot(payment, join(pictures, '4-payment-page.png'));
    await workbench.waitForPanel('the panel says that it waits', text => /Waiting for payment/.test(text));
    await takePictures(workbench, '5-waiting');
  });

  const bought = await pay(workbench, sandbox, before, () => payButton.click());
  await clock.without(async () => {
    await takePictures(workbench, '6-credited');
    await payment
      .waitForURL(url => url.origin === sandbox.pagesUrl, { timeout: 10_000 })
      .catch(() => {
        throw new NotTrue(`The payment page did not lead to the return page; it is at ${payment.url()}.`);
      });
    for (const colorScheme of ['dark', 'light'] as const) {
      await payment.emulateMedia({ colorScheme });
      await screenshot(payment, join(pictures, `7-return-page-${colorScheme}.png`));
    }
    await payment.getByRole('link', { name: 'Return to the editor' }).click();
    await payment
      .waitForURL(url => url.pathname.endsWith('/callback'), { timeout: 10_000 })
      .catch(() => {
        throw new NotTrue(`The return page did not lead back into the editor; it is at ${payment.url()}.`);
      });
    await payment.close();
  });
  return bought;
}

/** The same with nothing reaching the editor through the browser: what was paid must arrive all the same. */
async function buyWithoutWayBack(workbench: Workbench, sandbox: Sandbox, dollars: number): Promise<Bought> {
  const { context } = workbench;
  const before = await figureInStatusBar(workbench, sandbox);
  const blocked: string[] = [];
  const isWayBack = (url: URL) => url.origin === sandbox.pagesUrl || /\/callback$/.test(url.pathname);
  await context.route(isWayBack, route => route.abort());
  // A redirect passes by such a route, so what the payment page answers to Pay is kept from the browser altogether.
  const isPaying = (url: URL) => url.origin === sandbox.payUrl && url.pathname.endsWith('/complete');
  await context.route(isPaying, async route => {
    const url = route.request().url().replace(sandbox.payUrl, sandbox.payApiUrl);
    const paid = await route.fetch({ url, maxRedirects: 0 });
    blocked.push(paid.headers()['location'] ?? '');
    await route.abort();
  });

  await workbench.chooseAmount(dollars);
  const opening = context.waitForEvent('page', { timeout: 15_000 });
  opening.catch(() => {});
  await (await workbench.buyButton()).click();
  const payment = await opening;
  const bought = await pay(workbench, sandbox, before, async () => {
    await payment.getByRole('button', { name: /^Pay/ }).click({ noWaitAfter: true });
    await eventually(
      'the payment page would lead back to the return page',
      () => blocked[0] ?? '',
      seen => URL.canParse(seen) && isWayBack(new URL(seen)),
    );
    await payment.close();
  });
  await context.unroute(isPaying);
  await context.unroute(isWayBack);
  await takePictures(workbench, '8-credited-without-way-back');
  return bought;
}

/** Pays, then waits for status bar and panel to show one new figure, the one the API tells, with no further act. */
async function pay(
  workbench: Workbench,
  sandbox: Sandbox,
  before: string,
  press: () => Promise<void>,
): Promise<Bought> {
  const ucrBefore = await readBalance(sandbox);
  const paidAt = performance.now();
  await press();
  const after = figureOf(
    await workbench.waitForStatus(
      'the status bar shows the new balance after paying',
      text => !/·/.test(text) && figureOf(text) !== before,
      settleMs,
    ),
  );
  await eventually(
    `the panel shows ${after} like the status bar`,
    () => workbench.panelFigure(),
    seen => seen === after,
  );
  const visibleMs = Math.round(performance.now() - paidAt);

  await expectFigure(sandbox, after);
  const [purchase] = await purchases(sandbox);
  if (purchase?.status !== 'credited') {
    throw new NotTrue(`The newest purchase is ${purchase?.status ?? 'missing'} on the server, not credited.`);
  }
  const credits = purchase.credits_ucr / UCR_PER_CREDIT;
  const arrived = (await readBalance(sandbox)) - ucrBefore;
  if (arrived !== credits) {
    throw new NotTrue(`The purchase was for ${credits} credits, and the balance changed by ${arrived}.`);
  }
  const sentence = `${credits.toLocaleString('en-US')} credits added`;
  await eventually(
    `the panel says "${sentence}"`,
    () => workbench.panelNotice(),
    seen => seen.includes(sentence),
  );
  return { before, after, visibleMs };
}

async function tryAsMember(stage: Stage, dollars: number): Promise<string> {
  const { sandbox } = stage;
  const seat = await stage.seat({ name: 'member', token: sandbox.tokens.member });
  const workbench = await Workbench.open(stage.browser, seat);
  const figure = await figureInStatusBar(workbench, sandbox);
  await workbench.clickStatus();
  await eventually(
    'the panel opens for the member with the balance',
    () => workbench.panelFigure(),
    seen => seen === figure,
  );
  await workbench.waitForPanel('the panel says that only administrators buy', text =>
    /administrator/i.test(text),
  );
  const controls = await workbench.buyingControls.count();
  if (controls > 0) {
    throw new NotTrue(`The member's panel has ${controls} controls that could buy; it should have none.`);
  }
  await takePictures(workbench, '9-member');
  await workbench.close();

  const ordersBefore = await ordersAnywhere(sandbox);
  const rate = await creditsPerDollar(sandbox);
  const body: CreatePurchase = {
    amount_minor: dollars * 100,
    currency: 'usd',
    expected_credits_ucr: creditsFor(dollars * 100, rate, 'usd'),
  };
  const response = await sandbox.ask(paths.purchases(orgId), sandbox.tokens.member, {
    method: 'POST',
    headers: { 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify(body),
  });
  const { code } = (await response.json()) as Problem;
  if (response.status !== 403) {
    throw new NotTrue(
      `The server answered ${response.status} (${code}) to a member's purchase; it should refuse with 403.`,
    );
  }
  const ordersAfter = await ordersAnywhere(sandbox);
  if (ordersAfter !== ordersBefore) {
    throw new NotTrue(
      `A refused purchase left something behind: ${ordersBefore} before, ${ordersAfter} after.`,
    );
  }
  return `403 ${code}, nothing was created`;
}

/** Usage in steps of 15 % of what there is to use, so that the sixth reaches 90 %. */
async function useUntilWarned(workbench: Workbench, sandbox: Sandbox): Promise<string> {
  const response = await sandbox.ask(paths.balance(orgId), sandbox.tokens.admin);
  const { usage } = (await response.json()) as { usage: { total_ucr: number } | null };
  if (!usage) {
    throw new NotTrue('The server does not say what "percent used" is measured against.');
  }
  const portion = Math.ceil((usage.total_ucr / UCR_PER_CREDIT) * 0.15);
  for (let event = 1; event <= 6 && (await warnings(workbench)).length === 0; event++) {
    await postUsage(sandbox, `journey-${event}`, portion);
    await figureInStatusBar(workbench, sandbox);
  }
  const [warning = ''] = await eventually(
    'the editor warns that credits run low',
    () => warnings(workbench),
    seen => seen.length > 0,
    { withinMs: 15_000 },
  );
  await takePictures(workbench, '10-warning');
  return warning;
}

async function warnings(workbench: Workbench): Promise<string[]> {
  return (await workbench.toasts()).map(text => text.trim()).filter(text => /%|low|no credits/i.test(text));
}

/** Waits until the status bar shows what the API tells, and returns it as shown. */
async function figureInStatusBar(workbench: Workbench, sandbox: Sandbox): Promise<string> {
  const known = await readBalance(sandbox);
  const text = await workbench.waitForStatus(
    `the status bar shows the balance that the API tells (${known})`,
    seen => numberOf(figureOf(seen)) === Math.floor(known),
    30_000,
  );
  return figureOf(text);
}

async function expectFigure(sandbox: Sandbox, figure: string): Promise<void> {
  const known = await readBalance(sandbox);
  if (numberOf(figure) !== Math.floor(known)) {
    throw new NotTrue(`The screen shows ${figure}, and the API tells ${known}.`);
  }
}

/** The first figure in a text, as written: "10,218" of "10,218 · Waiting for payment". */
function figureOf(text: string): string {
  return /-?\d[\d,]*/.exec(text)?.[0] ?? '';
}

function numberOf(figure: string): number {
  return figure === '' ? Number.NaN : Number(figure.replaceAll(',', ''));
}

async function purchases(sandbox: Sandbox): Promise<Purchase[]> {
  const response = await sandbox.ask(paths.purchases(orgId), sandbox.tokens.admin);
  return ((await response.json()) as { data: Purchase[] }).data;
}

/** Purchases on the server and orders at the payment side, counted. */
async function ordersAnywhere(sandbox: Sandbox): Promise<string> {
  const response = await fetch(`${sandbox.payApiUrl}/v1/checkout/sessions?limit=100`);
  const { data } = (await response.json()) as { data: unknown[] };
  return `${(await purchases(sandbox)).length} purchases and ${data.length} orders`;
}

async function creditsPerDollar(sandbox: Sandbox): Promise<number> {
  const response = await sandbox.ask(paths.purchaseOptions(orgId), sandbox.tokens.admin);
  return ((await response.json()) as { credits_per_major_unit: number }).credits_per_major_unit;
}

async function takePictures(workbench: Workbench, name: string): Promise<void> {
  const shown: readonly Theme[] = ['light', 'dark'];
  for (const theme of shown) {
    await workbench.setTheme(theme);
    await workbench.screenshot(join(pictures, `${name}-${theme}.png`));
  }
}

/** What every open page looked like when something did not come true. */
async function takeLastPictures(stage: Stage): Promise<void> {
  const pages: Page[] = stage.browser.contexts().flatMap(context => context.pages());
  for (const [index, page] of pages.entries()) {
    const file = join(pictures, `failure-${index + 1}.png`);
    await screenshot(page, file).then(
      () => console.error(`Picture: ${relative(root, file)}`),
      () => {},
    );
  }
}

/** Time that a person would have spent: it stands still while pictures are taken. */
class Stopwatch {
  #startedAt = performance.now();

  ms(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  async without(work: () => Promise<void>): Promise<void> {
    const pausedAt = performance.now();
    await work();
    this.#startedAt += performance.now() - pausedAt;
  }
}

await runScript(main);
