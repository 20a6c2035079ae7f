import { deepEqual, equal, ok } from 'node:assert/strict';
import { settled } from '../../support/clock.ts';
import { balance, problem } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';
import { World } from '../../support/wired.ts';

const { BalanceStatusBar } = await import('../../../src/views/statusBar.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { did } = fake;

const bars: Array<{ dispose(): void }> = [];

async function set(world = new World()) {
  did.reset();
  const editor = world.start();
  const bar = new BalanceStatusBar(editor.store, editor.checkout, new Settings(), world.clock, 'en');
  bars.push(bar);
  const item = did.items[0];
  ok(item);
  await settled();
  return { world, ...editor, bar, item };
}

describe('the status bar item', () => {
  afterEach(() => {
    for (const bar of bars.splice(0)) {
      bar.dispose();
    }
  });

  it('has a stable id and a name, and is shown once, whatever happens (d-32)', async () => {
    const { world, item, checkout } = await set();
    equal(item.id, 'balance');
    equal(item.name, 'Credits Balance');
    await checkout.buy({ amountMinor: 5_000, currency: 'usd', creditsUcr: 5_000_000_000 });
    world.server.credit();
    await world.clock.advance(10_000);
    equal(item.text, '$(credit-card) 10,218');
    equal(item.shows, 1);
  });

  it('d-36 sets the same words only once', async () => {
    const { item, store } = await set();
    const before = item.texts.length;
    for (let round = 0; round < 10; round++) {
      await store.refresh();
    }
    equal(item.texts.length, before);
  });

  it('paints the balance of last time in its constructor', async () => {
    const world = new World();
    (await set(world)).stop();
    did.reset();
    const editor = world.start();
    const bar = new BalanceStatusBar(editor.store, editor.checkout, new Settings(), world.clock, 'en');
    equal(did.items[0]?.text, '$(credit-card) 5,218');
    bar.dispose();
  });

  it('F1 grows older by the minute while the server is gone', async () => {
    const { world, item, store } = await set();
    world.server.instead = () => problem(500, 'internal_error');
    await store.refresh();
    equal(item.text, '$(cloud-offline) 5,218 · just now');
    await world.clock.advance(7 * 60_000);
    equal(item.text, '$(cloud-offline) 5,218 · 7 min ago');
  });

  const choose = (key: string, globalValue: unknown) => {
    did.settings.set(key, { globalValue });
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
  };

  it('changes format and side at once, with the same id, so that it stays hidden where it was hidden', async () => {
    const { world, store } = await set();
    world.server.balance = balance({
      version: 2,
      usage: { basis: 'period', period_id: 'p', used_ucr: 12, total_ucr: 100 },
      runway: { days: 41, low_days: 30, high_days: 55, from_days: 14 },
    });
    await store.refresh();
    const texts: unknown[] = [];
    for (const format of ['percent', 'runway', 'compact', 'credits', 'nonsense']) {
      choose('statusBarFormat', format);
      texts.push(did.items[0]?.text);
    }
    deepEqual(texts, [
      '$(credit-card) 12 % used',
      '$(credit-card) 41 days',
      '$(credit-card) 5.2K',
      '$(credit-card) 5,218',
      '$(credit-card) 5,218',
    ]);
    choose('statusBarOrganization', true);
    equal(did.items[0]?.text, '$(credit-card) Analytical Engines: 5,218');
    choose('statusBarAlignment', 'left');
    deepEqual(
      did.items.map(({ id, alignment, shows, isDisposed }) => ({ id, alignment, shows, isDisposed })),
      [
        { id: 'balance', alignment: 2, shows: 1, isDisposed: true },
        { id: 'balance', alignment: 1, shows: 1, isDisposed: false },
      ],
    );
    equal(did.items[1]?.text, '$(credit-card) Analytical Engines: 5,218');
  });

  it('b-16 is spoken anew only when it matters: not at each credit used, and not at each minute of age', async () => {
    const { world, item, store } = await set();
    for (let used = 1; used <= 15; used++) {
      world.server.balance = balance({ version: 1 + used, available_ucr: 5_218_000_000 - used * 1_000_000 });
      await store.refresh();
    }
    equal(item.text, '$(credit-card) 5,203');
    equal(item.labels, 2, 'loading, and the balance');
    world.server.instead = () => problem(500, 'internal_error');
    await store.refresh();
    await world.clock.advance(7 * 60_000);
    equal(item.labels, 3);
    world.server.instead = undefined;
    world.server.balance = balance({ version: 40, available_ucr: 0 });
    await store.refresh();
    equal(item.accessibilityInformation?.label, 'Credits: 0 available');
  });

  it('uses colours of the theme only', async () => {
    const { world, item, store } = await set();
    world.server.balance = { ...world.server.balance, version: 2, available_ucr: 0 };
    await store.refresh();
    equal(item.backgroundColor?.id, 'statusBarItem.errorBackground');
  });

  it('T10 keeps names from the server inert: the only links are ours', async () => {
    const hostile = [
      '[x](command:workbench.action.quit)',
      '![x](https://attacker.example/x.png)',
      '<a href="command:credits.buy">x</a>',
      '](command:a) [y](command:credits.open',
      '**bold** `code` <img src=x onerror=alert(1)>',
      '[a]: command:b\n\n[a]',
      '<https://attacker.example>',
      '\\](command:x)',
      '| a | b |\n|---|---|\n$(zap)',
    ];
    for (const name of hostile) {
      const world = new World();
      world.server.orgName = name;
      const { item, store, stop } = await set(world);
      equal(store.state.account?.orgName, name);
      const { tooltip } = item;
      ok(tooltip);
      deepEqual(tooltip.isTrusted, {
        enabledCommands: ['credits.open', 'credits.refresh', 'credits.signIn', 'credits.showLog'],
      });
      equal(tooltip.supportHtml, false);
      // What is left when everything that was escaped is taken out.
      const live = tooltip.value.replaceAll(/\\./g, '');
      const links = [...live.matchAll(/\]\(([^)]*)\)/g)].map(match => match[1]);
      ok(
        links.every(link => /^command:credits\.(open|refresh|signIn|showLog)$/.test(link ?? '')),
        live,
      );
      ok(!/<(a|img|https?:)[^>]*>/i.test(live), live);
      stop();
    }
  });
});
