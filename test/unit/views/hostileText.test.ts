// Names and codes from the server in everything the host itself shows: they stand there as text on one line, and the
// only links and icons are ours.
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { SecretStorage } from 'vscode';
import type { Me, UsageReport } from '../../../protocol/api.ts';
import type { Connect } from '../../../src/core/connect.ts';
import { CreditsError } from '../../../src/core/errors.ts';
import type { Budget } from '../../../src/core/limits.ts';
import { publicApi } from '../../../src/core/outlook.ts';
import { SharedFile } from '../../../src/core/sharedState.ts';
import { type News, readWarned } from '../../../src/core/warnings.ts';
import type { SignInMeans } from '../../../src/views/signIn.ts';
import { settled } from '../../support/clock.ts';
import { account, CollectingLog, MemorySlot, signIn } from '../../support/core.ts';
import { hostileStrings, longString } from '../../support/hostileStrings.ts';
import { balance, options, problem } from '../../support/scriptedServer.ts';
import { FakeSecrets } from '../../support/secrets.ts';
import { fake } from '../../support/vscode.ts';
import { alone, World } from '../../support/wired.ts';

const { askAdmin } = await import('../../../src/views/askAdmin.ts');
const { BALANCE_TOOL, registerBalanceTool } = await import('../../../src/views/balanceTool.ts');
const { buyFromPalette } = await import('../../../src/views/buyCommand.ts');
const { Buying } = await import('../../../src/views/buying.ts');
const { copyBalance } = await import('../../../src/views/copyBalance.ts');
const { describeBlocked, describeError } = await import('../../../src/views/describe.ts');
const { usageCsv } = await import('../../../src/views/exportUsage.ts');
const { LowBalanceWarning } = await import('../../../src/views/lowBalanceWarning.ts');
const { Notices } = await import('../../../src/views/notices.ts');
const { switchOrganisation, tellEnds } = await import('../../../src/views/signIn.ts');
const { BalanceStatusBar } = await import('../../../src/views/statusBar.ts');
const { warningText } = await import('../../../src/views/warningText.ts');
const { CreditsAuthentication } = await import('../../../src/vscode/authenticationProvider.ts');
const { LogChannel } = await import('../../../src/vscode/logChannel.ts');
const { Session } = await import('../../../src/vscode/session.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { did } = fake;

/** With one that is as long as the contract allows. */
const names = [...hostileStrings, longString.slice(0, 1_000)];

/** Control characters, other line ends, and what turns the direction of reading. */
const unseen = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
/** What the editor makes links of in notifications, boxes and picks. */
const link = /\[[^\]]+\]\([^)]*\)|\b(?:command|javascript|vscode|file|data):/i;
const icon = /\$\([a-z0-9-]+(?:~[a-z]+)?\)/i;

function isInert(shown: string, name: string): void {
  ok(!unseen.test(shown), `${name} leaves unseen characters in ${JSON.stringify(shown)}`);
  ok(!link.test(shown), `${name} is a link in ${shown}`);
  ok(!icon.test(shown), `${name} is an icon in ${shown}`);
  ok(shown.length <= 500, `${name} is ${shown.length} long`);
}

/** Not swept away: the first word of it is there. */
function isThere(shown: string, name: string): void {
  const [word = ''] = /[\p{L}\p{N}]{1,12}/u.exec(name.slice(0, 60)) ?? [];
  ok(shown.includes(word), `"${word}" of ${name} is not in ${shown}`);
}

const budgetOf = (name: string): Budget => ({
  id: 'b1',
  scope: 'team',
  name,
  period: 'month',
  period_start: '2026-11-01T00:00:00Z',
  limit_ucr: 100_000_000,
  used_ucr: 95_000_000,
  resets_at: '2026-12-01T00:00:00Z',
});

/** An editor at an organisation of that name, with a team of that name. */
async function at(name: string) {
  did.reset();
  const world = new World();
  world.server.orgName = name;
  world.server.balance = balance({
    budgets: [budgetOf(name)],
    stopped_by: { kind: 'budget', budget_id: 'b1' },
  });
  const editor = world.start({
    signIn: { ...signIn, account: { ...account, orgName: name, personName: name } },
  });
  await settled();
  return { world, ...editor };
}

const messages = () => did.messages.map(({ text }) => text);

describe('hostile text in what the host shows', () => {
  it('T7 is cut short on one line in the status bar, without an icon', async () => {
    for (const name of names) {
      const { world, store, checkout, stop } = await at(name);
      did.settings.set('statusBarOrganization', { globalValue: true });
      const bar = new BalanceStatusBar(store, checkout, new Settings(), world.clock, 'en');
      const [item] = did.items;
      const shown = item?.text.replace(/^\$\(credit-card\) /, '') ?? '';
      isInert(shown, name);
      ok(shown.endsWith(': 5,218') && shown.length <= 40, shown);
      equal(item?.accessibilityInformation?.label, 'Credits: about 5,200 available');
      bar.dispose();
      stop();
    }
  });

  it('T7 T10 is escaped in the tooltip, whose only links are ours', async () => {
    for (const name of names) {
      const { world, store, checkout, stop } = await at(name);
      const bar = new BalanceStatusBar(store, checkout, new Settings(), world.clock, 'en');
      const tooltip = did.items[0]?.tooltip;
      ok(tooltip && !tooltip.supportHtml);
      // What is left when everything that was escaped is taken out.
      const live = tooltip.value.replaceAll(/\\./g, '');
      for (const [, target] of live.matchAll(/\]\(([^)]*)\)/g)) {
        match(target ?? '', /^command:credits\.(open|refresh)$/);
      }
      ok(!/<[^>]*>|`|!\[/.test(live), live);
      // Of a bare address the editor makes a link by itself.
      ok(!/\w:\/\/|www\.|\w@/.test(live), live);
      ok(!unseen.test(tooltip.value.replaceAll('\n\n', '')), JSON.stringify(tooltip.value));
      bar.dispose();
      stop();
    }
  });

  it('T7 T11 makes no link and no icon in any warning, and what an admin is sent is one line', async () => {
    const news = (budget: Budget): readonly News[] => [
      { kind: 'stopped', by: { kind: 'budget', budget } },
      { kind: 'budget', budget, percent: 90 },
      { kind: 'freed', budget },
    ];
    for (const name of names) {
      const { world, store, attention, checkout, log, stop } = await at(name);
      const notices = new Notices();
      const warning = new LowBalanceWarning({
        store,
        settings: new Settings(),
        attention,
        leading: alone,
        warned: new SharedFile(world.folder, 'warned.v1', readWarned),
        claim: async () => true,
        purchases: checkout,
        open: () => undefined,
        ask: () => undefined,
        clock: world.clock,
        log,
        locale: 'en',
      });
      await settled();
      world.server.balance = balance({
        version: 2,
        available_ucr: 0,
        stopped_by: { kind: 'balance', budget_id: null },
      });
      await store.refresh();
      await world.clock.advance(500);
      const [told] = messages();
      ok(told?.includes('has no credits left'), told);
      isThere(told ?? '', name);
      for (const one of news(budgetOf(name))) {
        const facts = { org: 'Acme', snapshot: balance(), leftLimitUcr: 1, nowMs: 0, locale: 'en' };
        isInert(warningText(one, facts), name);
      }
      world.server.options = options({ contact: { name, email: null } });
      await store.refreshOptions();
      for (const request of [{ kind: 'credits' }, { kind: 'budget', budget: budgetOf(name) }] as const) {
        await askAdmin({ store, notices, open: async () => true, nowMs: () => 0, locale: 'en' }, request);
        ok(!unseen.test(did.clipboard), JSON.stringify(did.clipboard));
        isThere(did.clipboard, name);
      }
      for (const shown of [...messages(), notices.current?.text ?? '']) isInert(shown, name);
      equal(messages().length, 3);
      warning.dispose();
      stop();
    }
  });

  it('T7 opens no mail to an address that is none, and adds nothing to one that is', async () => {
    for (const name of names) {
      const { world, store, stop } = await at(name);
      const opened: string[] = [];
      const open = async (url: string) => opened.push(url) > 0;
      did.answer = ({ actions }) => actions[0];
      for (const email of [name, 'ada@acme.example']) {
        world.server.options = options({ contact: { name, email } });
        await store.refreshOptions();
        await askAdmin({ store, notices: new Notices(), open, nowMs: () => 0, locale: 'en' });
      }
      equal(opened.length, 1, name);
      match(opened[0] ?? '', /^mailto:ada@acme\.example\?subject=[^&\s]*&body=[^&\s]*$/);
      stop();
    }
  });

  it('T7 is a plain line in the clipboard with the balance', async () => {
    for (const name of names) {
      const { world, store, stop } = await at(name);
      await copyBalance(store, world.clock, 'en');
      ok(!unseen.test(did.clipboard), JSON.stringify(did.clipboard));
      isThere(did.clipboard, name);
      ok(did.clipboard.includes('5,218 credits'));
      stop();
    }
  });

  it('T7 is text in the list of organisations, in questions and in what is said of them', async () => {
    for (const name of names) {
      did.reset();
      const secrets = new FakeSecrets() as unknown as SecretStorage;
      const session = new Session(secrets, new Settings(), new CollectingLog());
      await settled();
      await session.signIn({ ...signIn, account: { ...account, orgName: name } });
      const picks: string[] = [];
      did.pick = items => {
        picks.push(
          ...(items as { label: string; description: string }[]).flatMap(one => [one.label, one.description]),
        );
        return items[1];
      };
      const orgs = ['org_1', 'org_2'].map(id => ({
        id,
        name,
        role: name,
        permissions: { can_purchase: true },
      }));
      const principal = { id: 'usr_1', kind: 'person', name, email: 'ada@acme.example' };
      const connect = (me: Me) => (async () => ({ me: async () => me })) as unknown as Connect;
      const means = {
        session,
        lastOrganisations: new MemorySlot<Readonly<Record<string, string>>>({}),
        accounts: { otherThan: async () => name },
      } as unknown as SignInMeans;
      await switchOrganisation(means, connect({ principal, orgs }));
      equal(picks.length, 4);
      await switchOrganisation(means, connect({ principal, orgs: orgs.slice(0, 1) }));
      const ends = tellEnds(session, () => undefined);
      await session.ended(session.current?.grant?.id ?? '');
      ends.dispose();
      equal(messages().length, 2);
      for (const shown of [...picks, ...messages()]) {
        isInert(shown, name);
        if (shown !== '') isThere(shown, name);
      }
    }
  });

  it('T7 is text where buying is refused, and where a page is not opened', async () => {
    for (const name of names) {
      const { world, store, checkout, log, stop } = await at(name);
      const notices = new Notices();
      const buying = new Buying({ checkout, store, notices, isPanelVisible: () => false, locale: 'en' });
      world.server.instead = seen => (seen.method === 'POST' ? problem(422, name) : undefined);
      await buying.buy(5_000, 5_000_000_000);
      world.server.instead = undefined;
      world.server.checkoutUrl = () => name;
      await buying.buy(5_000, 5_000_000_000);
      world.server.options = options({ can_purchase: false, blocked_reason: name });
      await store.refreshOptions();
      await buyFromPalette(store, buying, () => undefined, 'en');
      ok(messages().length >= 2, messages().join());
      for (const shown of [...messages(), notices.current?.text ?? '', describeBlocked(name)])
        isInert(shown, name);
      isInert(describeError(new CreditsError('rejected', { code: name })), name);
      deepEqual(world.opened, []);
      ok(log.lines.length > 0);
      buying.dispose();
      stop();
    }
  });

  it('T7 tells language models and other extensions figures and no words of the server', async () => {
    for (const name of names) {
      const { world, store, stop } = await at(name);
      registerBalanceTool(
        publicApi(
          store,
          () => undefined,
          part => part,
        ),
      );
      world.server.balance = balance({ version: 2, unit: name, available_ucr: 7_000_000 });
      await store.refresh();
      const [part] = did.tools.get(BALANCE_TOOL)?.invoke().content ?? [];
      ok(part instanceof fake.LanguageModelTextPart);
      deepEqual(JSON.parse(part.value), {
        state: 'outdated',
        available: 5_218,
        unit: 'credits',
        percentUsed: 0,
        version: 1,
      });
      stop();
    }
  });

  it('T7 is a name on one line in the Accounts menu', async () => {
    for (const name of names) {
      const session = new Session(
        new FakeSecrets() as unknown as SecretStorage,
        new Settings(),
        new CollectingLog(),
      );
      await settled();
      const grant = {
        id: 'g1',
        generation: 0,
        issuer: 'https://id',
        clientId: 'c',
        refreshToken: 'r',
        expiresAtMs: null,
      };
      await session.signIn({ account: { ...account, orgName: name, personName: name }, token: 't', grant });
      const act = { signIn: async () => undefined, signOut: async () => undefined };
      const provider = new CreditsAuthentication(session, act, async () => 'read');
      const [shown] = await provider.getSessions([]);
      ok(
        shown && !unseen.test(shown.account.label) && shown.account.label.length <= 250,
        shown?.account.label,
      );
      provider.dispose();
    }
  });

  it('T7 is a cell of its own in exported usage, and no formula', () => {
    const data = names.map(name => ({ key: name, name, used_ucr: 1_000_000, events: 1 }));
    const time = '2026-11-22T12:00:00Z';
    const report: UsageReport = { group_by: 'user', scope: 'all', from: time, to: time, total_ucr: 1, data };
    const rows = cellsOf(usageCsv(report));
    equal(rows.length, names.length + 1);
    rows.slice(1).forEach((cells, nth) => {
      const name = names[nth] ?? '';
      equal(cells.length, 4, name);
      for (const cell of cells.slice(0, 2)) {
        ok(cell === name || cell === `'${name}`, name);
        ok(!/^\s*[=+\-@|%\t\r]/.test(cell), name);
      }
    });
  });

  it('T7 T41 is one line of the log', () => {
    for (const name of [...names, longString]) {
      const lines: string[] = [];
      const { createOutputChannel } = fake.window;
      const write = (line: string) => lines.push(line);
      fake.window.createOutputChannel = () =>
        ({ trace: write, info: write, warn: write, error: write, dispose: () => undefined }) as never;
      try {
        const log = new LogChannel();
        for (const level of ['trace', 'info', 'warn', 'error'] as const) log[level](`usage: ${name}`);
        log.dispose();
      } finally {
        fake.window.createOutputChannel = createOutputChannel;
      }
      equal(lines.length, 4);
      for (const line of lines) ok(!unseen.test(line) && line.length <= 500, JSON.stringify(line));
    }
  });
});

/** As RFC 4180 reads it. */
function cellsOf(csv: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (end !== ',') {
      rows.push([]);
    }
  }
  return rows.slice(0, -1);
}
