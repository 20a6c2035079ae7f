// Threats in a real workbench and a real extension host: what strangers can reach from a workspace, another extension,
// a web page, the panel's page, or with the server's own answers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import type { Frame } from 'playwright-core';
import { type Purchase, paths } from '../../protocol/api.ts';
import { orgId, postUsage, readBalance } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import { inRoot } from '../../scripts/support/places.ts';
import { freePort } from '../../scripts/support/ports.ts';
import type { SeatOptions, StartedSeat } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';
import {
  type FaultStage,
  openFaultStage,
  picturesOnFailure,
  purchases,
  requests,
  sharedFiles,
  startMs,
} from '../support/faultStage.ts';

const ours = 'studio-credits.code-studio-credits';
const neighbours = [inRoot('test/support/neighbour')];

/** The frame around a panel's page, and how VS Code lets the page speak to its extension. */
interface Frames {
  readonly __vscode_post_message__: (channel: string, data: unknown) => void;
}

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly type: string }>> };
  };
}
const { contributes } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as Manifest;

describe('threats in a real extension host', () => {
  let stage: FaultStage;
  let close = async (): Promise<void> => {};
  const closing: (() => unknown)[] = [];

  before(async function () {
    this.timeout(startMs);
    stage = await openFaultStage({ name: 'faults-threats', balance: 5218, rate: 100 });
    close = stage.close;
  });

  after(async function () {
    this.timeout(30_000);
    for (const end of closing) end();
    await close();
  });

  afterEach(async function () {
    await picturesOnFailure(this, stage.browser);
  });

  describe('with another extension beside it', () => {
    let seat: StartedSeat;
    let workbench: Workbench;
    let neighbour: (code: string) => Promise<unknown>;

    before(async function () {
      this.timeout(startMs);
      const port = await freePort();
      seat = await stage.seat({
        name: 'admin',
        token: stage.sandbox.tokens.admin,
        neighbours,
        env: { NEIGHBOUR_PORT: String(port) },
      });
      neighbour = async code => {
        const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: code });
        const { value, error } = (await response.json()) as { value?: unknown; error?: string };
        assert.equal(error, undefined);
        return value;
      };
      workbench = await Workbench.open(stage.browser, seat);
      await showsBalance(workbench);
      await eventually(
        'the other extension is there',
        () => neighbour('return 1'),
        one => one === 1,
      );
    });

    after(() => workbench.close());

    it('T19 gives nothing to another extension that calls every command with hostile arguments, and orders nothing', async () => {
      const before = (await purchases(stage.sandbox)).length;
      const commands = contributes.commands
        .map(({ command }) => command)
        .filter(id => !id.endsWith('signOut'));
      assert.ok(commands.length >= 5);
      const given = (await neighbour(`
        const hostile = [{ amountMinor: 50000, orgId: 'org_other', confirm: true }, 'https://evil.example', '--yes'];
        const answers = {};
        for (const id of ${JSON.stringify(commands)}) {
          const waits = new Promise(resolve => setTimeout(resolve, 700, 'waits for a person'));
          answers[id] = (await Promise.race([vscode.commands.executeCommand(id, ...hostile), waits])) ?? null;
          await vscode.commands.executeCommand('workbench.action.closeQuickOpen');
        }
        return answers;
      `)) as Record<string, unknown>;
      assert.deepEqual(Object.keys(given), commands);
      for (const [id, answer] of Object.entries(given)) {
        assert.ok(answer === null || answer === 'waits for a person', `${id} gave ${JSON.stringify(answer)}`);
      }
      assert.equal((await purchases(stage.sandbox)).length, before);
      const api = (await neighbour(`
        const { exports } = vscode.extensions.getExtension('${ours}');
        return { keys: Object.keys(exports), snapshot: JSON.stringify(exports.getSnapshot()) };
      `)) as { keys: string[]; snapshot: string };
      assert.deepEqual(api.keys, ['getSnapshot', 'onDidChange', 'hintUsage', 'hasCredits']);
      assert.ok(!api.snapshot.includes(stage.sandbox.tokens.admin));
      // The sign-in that one of the commands began is led to its last way, the box for a token, and left there.
      const box = workbench.page.locator('.quick-input-widget:visible');
      await eventually(
        'the box for a token is there',
        async () => {
          await neighbour("await vscode.commands.executeCommand('credits.signInAnotherWay')");
          return (await box.count()) > 0 && (await box.innerText()).includes('Access token');
        },
        isThere => isThere,
        { everyMs: 500 },
      );
      await workbench.page.keyboard.press('Escape');
      await eventually(
        'no sign-in goes on',
        () => workbench.toasts(),
        toasts => toasts.every(text => !text.includes('Signing in')),
      );
    });

    it('T13 is moved by none of 1,000 addresses that nobody asked for', async () => {
      const requestsBefore = stage.gate.passed.length;
      const purchasesBefore = (await purchases(stage.sandbox)).length;
      const shown = await workbench.statusText();
      await workbench.run('Notifications: Clear All Notifications');
      await neighbour(`
        const junk = ['', 'state=', 'state=1', 'state=' + 'x'.repeat(5000), 'state=%00%0d%0a', 'success=true&paid=1',
          'state[]=1&state=2', 'state=../../..', 'token=stolen&server=https://evil.example', 'credits=1000000'];
        const places = ['/purchase', '/auth', '/', '/buy', '/purchase/../settings'];
        for (let n = 0; n < 1000; n++) {
          const valid = 'state=' + crypto.randomUUID() + '&purchase_id=pur_' + n;
          const query = n % 2 ? valid : junk[(n / 2) % junk.length];
          const path = n % 3 ? '/purchase' : places[n % places.length];
          await vscode.commands.executeCommand('vscode.open',
            vscode.Uri.from({ scheme: vscode.env.uriScheme, authority: '${ours}', path, query }));
        }
      `);
      assert.equal(await workbench.statusText(), shown);
      assert.equal((await purchases(stage.sandbox)).length, purchasesBefore);
      assert.ok(stage.gate.passed.length - requestsBefore <= 1, 'one question at most');
      assert.deepEqual(await workbench.toasts(), []);
    }).timeout(startMs);

    it('T14 T17 is led back into this very editor, and takes the way back for a hint and no payment', async () => {
      const balance = await readBalance(stage.sandbox);
      await workbench.clickStatus();
      await workbench.chooseAmount(50);
      const opening = workbench.context.waitForEvent('page');
      await (await workbench.buyButton()).click();
      await (await opening).close();
      const scheme = String(await neighbour('return vscode.env.uriScheme'));
      const [order] = stage.gate.seen(requests.order).slice(-1);
      const { return_uri: back } = JSON.parse(order?.body ?? '{}') as { return_uri: string };
      assert.equal(new URL(back).origin, new URL(seat.url).origin, 'T17 this editor');
      assert.equal(new URL(back).searchParams.get('vscode-scheme'), scheme, 'T17 its own scheme');
      assert.equal(new URL(back).searchParams.get('vscode-authority'), ours);

      const record = [...sharedFiles(seat)].find(([name]) => name.startsWith('purchase'))?.[1] ?? '';
      const state = /"returnState":"([^"]+)"/.exec(record)?.[1];
      assert.ok(state, 'the true one-time state');
      const asked = stage.gate.seen(requests.purchase).length;
      await neighbour(`
        await vscode.commands.executeCommand('vscode.open', vscode.Uri.from({ scheme: vscode.env.uriScheme,
          authority: '${ours}', path: '/purchase', query: 'state=${state}&success=true&status=credited&paid=5000' }));
      `);
      await eventually(
        'the server is asked',
        () => stage.gate.seen(requests.purchase).length,
        n => n > asked,
      );
      await workbench.waitForPanel('it still waits', text => /Waiting for payment/.test(text));
      assert.equal(await readBalance(stage.sandbox), balance);
      await workbench.button(/^\s*Cancel/).click();
      await showsBalance(workbench);
    });

    it('T12 opens none of the payment pages that a tampered answer names', async () => {
      const hostile = [
        'file:///etc/passwd',
        'vscode://ms-vscode.something/run',
        'javascript:alert(1)',
        'http://pay.example/checkout',
        'https://checkout.stripe.com.evil.example/c/pay/1',
        'https://checkout.stripe.com@evil.example/c/pay/1',
        `${stage.sandbox.payUrl}.evil.example/checkout/1`,
      ];
      let opened = 0;
      const count = () => opened++;
      workbench.context.on('page', count);
      for (const checkoutUrl of hostile) {
        let tampered = 0;
        const restore = stage.gate.change(requests.order, answer => {
          tampered++;
          return { ...(answer as Purchase), checkout_url: checkoutUrl };
        });
        await workbench.chooseAmount(50);
        await (await workbench.buyButton()).click();
        await eventually(
          `the panel refuses ${checkoutUrl}`,
          async () => (tampered > 0 ? await workbench.panelNotice() : ''),
          text => /not opened|not one a credits server gives/.test(text),
        );
        restore();
        await workbench.panel.locator('.notice vscode-button, .notice button').first().click();
        await eventually(
          'the notice is gone',
          () => workbench.panelNotice(),
          text => text === '',
        );
        const waiting = workbench.button(/^\s*Cancel/);
        await waiting.or(workbench.panel.locator('#buy')).first().waitFor();
        if ((await waiting.count()) > 0) await waiting.first().click();
        await workbench.panel.locator('#buy').waitFor();
      }
      workbench.context.off('page', count);
      assert.equal(opened, 0);
      await workbench.run('Notifications: Clear All Notifications');
    });

    it('T8 loads our two files and nothing else: a strict policy, no frame, nothing fetched', async () => {
      const page = await panelFrame();
      const seen = await page.evaluate(async () => {
        const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]');
        const sources = [...document.querySelectorAll('script[src], link[href], img[src]')].map(
          one => (one as HTMLScriptElement).src || (one as HTMLLinkElement).href,
        );
        const tries = [
          'https://file+.vscode-resource.vscode-cdn.net/etc/passwd',
          'https://evil.example/',
          '/',
        ];
        const fetched = [];
        for (const address of tries) {
          if (
            await fetch(address).then(
              () => true,
              () => false,
            )
          )
            fetched.push(address);
        }
        return { policy: policy?.getAttribute('content') ?? '', sources, fetched };
      });
      assert.match(seen.policy, /^default-src 'none'; script-src 'nonce-[^']+';/);
      assert.doesNotMatch(seen.policy, /unsafe-|\*(?!\.)| https:(?!\/\/)| data:|connect-src|frame-src/);
      assert.ok(seen.sources.length >= 2);
      for (const source of seen.sources) assert.match(source, /dist\/panel\/panel\.(js|css)$/);
      assert.deepEqual(seen.fetched, []);
    });

    it('T9 does nothing for messages that the page never sends', async () => {
      const ordersBefore = (await purchases(stage.sandbox)).length;
      const tabsBefore = await neighbour('return vscode.window.tabGroups.all.flatMap(g => g.tabs).length');
      const requestsBefore = stage.gate.passed.length;
      const outer = (await panelFrame()).parentFrame();
      assert.ok(outer);
      const sent = await outer.evaluate(() => {
        const forged: unknown[] = [
          { type: 'open', url: 'file:///etc/passwd' },
          { type: 'openExternal', url: 'https://evil.example' },
          { type: 'command', command: 'workbench.action.terminal.new' },
          { type: 'buy', amountMinor: -5000, expectedCreditsUcr: 1 },
          { type: 'buy', amountMinor: '5000', expectedCreditsUcr: 5e9 },
          { type: 'buy', amountMinor: 50.5, expectedCreditsUcr: 5e9 },
          { type: 'buy', amountMinor: 1e300, expectedCreditsUcr: 5e9 },
          { type: 'setSetting', key: 'credits.serverUrl', value: 'https://evil.example' },
          { __proto__: { type: 'signIn' } },
          ['buy'],
          'signOut',
          42,
          null,
        ];
        const { __vscode_post_message__: post } = window as unknown as Frames;
        for (const message of forged) post('onmessage', { message, transfer: [] });
        return forged.length;
      });
      assert.ok(sent > 10, 'they were really posted');
      // A true one, sent after them, has its effect: so they had their chance.
      await outer.evaluate(() => {
        const { __vscode_post_message__: post } = window as unknown as Frames;
        post('onmessage', { message: { type: 'refresh' }, transfer: [] });
      });
      await eventually(
        'the true one was heard',
        () => stage.gate.passed.length,
        n => n > requestsBefore,
      );
      const since = stage.gate.passed.slice(requestsBefore);
      assert.deepEqual(
        since.filter(({ method }) => method !== 'GET'),
        [],
      );
      assert.equal((await purchases(stage.sandbox)).length, ordersBefore);
      assert.equal(
        await neighbour('return vscode.window.tabGroups.all.flatMap(g => g.tabs).length'),
        tabsBefore,
      );
      assert.equal(await workbench.page.locator('.quick-input-widget:visible').count(), 0);
    });

    it('T40 names the payment page before anything opens, in the panel and in the palette, and has no field for a card', async () => {
      const { host } = new URL(stage.sandbox.payUrl);
      await workbench.chooseAmount(50);
      await workbench.waitForPanel('the panel names the host', text => text.includes(host));
      const page = await panelFrame();
      assert.equal(await page.locator('iframe, form, input[type=password], [autocomplete^=cc-]').count(), 0);
      const ordersBefore = (await purchases(stage.sandbox)).length;
      let opened = 0;
      const count = () => opened++;
      workbench.context.on('page', count);
      await workbench.run('Credits: Buy');
      const quick = workbench.page.locator('.quick-input-widget');
      await quick.locator('.monaco-list-row', { hasText: '$50' }).first().click();
      await eventually(
        'the palette names the host',
        () => quick.innerText(),
        text => text.includes(host),
      );
      assert.equal(opened, 0, 'nothing opened before the yes');
      await quick.locator('.monaco-list-row', { hasText: 'Cancel' }).click();
      await eventually(
        'the order is taken back',
        async () => (await purchases(stage.sandbox)).slice(0, -ordersBefore || undefined)[0]?.status,
        status => status === undefined || status === 'canceled',
      );
      workbench.context.off('page', count);
      assert.equal(opened, 0);
    });

    it('T35 shows no figure it was not given: a hostile answer leaves the last one, and the next true one is taken', async () => {
      const figure = (await readBalance(stage.sandbox)).toLocaleString('en-US');
      const answers: ((answer: unknown) => unknown)[] = [
        () => JSON.parse('{"__proto__":{"available_ucr":0},"constructor":{"prototype":{"polluted":1}}}'),
        answer => ({ ...(answer as object), available_ucr: '0' }),
        answer => ({ ...(answer as object), available_ucr: 2 ** 60 }),
        answer => ({ ...(answer as object), available_ucr: 0.5 }),
        answer => ({ ...(answer as object), padding: 'x'.repeat(11_000_000) }),
        () => [],
        () => null,
      ];
      for (const change of answers) {
        const restore = stage.gate.change(requests.balance, change);
        try {
          const asked = stage.gate.seen(requests.balance).length;
          // A press can join a question that is under way.
          await eventually(
            'the server is asked',
            async () => {
              await neighbour("await vscode.commands.executeCommand('credits.refresh')");
              return stage.gate.seen(requests.balance).length;
            },
            count => count > asked,
          );
          const text = await workbench.statusText();
          assert.ok(text.startsWith(figure), text);
        } finally {
          restore();
        }
      }
      assert.equal(await neighbour('return ({}).polluted ?? null'), null);
      // A press may have joined a question that was under way and got the last hostile answer.
      await eventually(
        'the true answer is taken',
        async () => {
          await neighbour("await vscode.commands.executeCommand('credits.refresh')");
          return await workbench.statusText();
        },
        text => text === figure,
        { everyMs: 500 },
      );
    });

    it('T18 works where the editor runs on another machine than its screen, and opens pages at the screen', async () => {
      const where = (await neighbour(`return {
        remote: vscode.env.remoteName ?? null,
        kind: vscode.extensions.getExtension('${ours}').packageJSON.extensionKind }`)) as {
        remote: string | null;
        kind: string[];
      };
      assert.ok(where.remote, 'this host is a remote one');
      assert.deepEqual(where.kind, ['ui', 'workspace']);
      assert.match(await workbench.statusText(), /\d/);
    });

    it('T34 sends nothing to anyone but its own server', async () => {
      // Everything in the host passes here: the editor's own fetch, and whatever opens a connection without it.
      await neighbour(`
        const { Socket } = require('node:net');
        const { connect } = Socket.prototype;
        const { fetch } = globalThis;
        globalThis.asked = [];
        globalThis.connected = [];
        globalThis.fetch = (input, init) => {
          globalThis.asked.push(new URL(new Request(input, init).url).origin);
          return fetch(input, init);
        };
        Socket.prototype.connect = function (...args) {
          const { host = 'localhost', port } = (Array.isArray(args[0]) ? args[0][0] : args[0]) ?? {};
          if (port) globalThis.connected.push(host + ':' + port);
          return connect.apply(this, args);
        };
      `);
      await neighbour("await vscode.commands.executeCommand('credits.refresh')");
      await workbench.clickStatus();
      assert.equal(await neighbour('return vscode.env.isTelemetryEnabled'), false);
      const { asked, connected } = (await neighbour(
        'return { asked: globalThis.asked, connected: globalThis.connected }',
      )) as { asked: string[]; connected: string[] };
      assert.deepEqual([...new Set(asked)], [stage.gate.url], 'asked, and nobody else');
      assert.deepEqual(
        connected.filter(one => !one.endsWith(`:${stage.gate.port}`)),
        [],
      );
    });

    async function panelFrame(): Promise<Frame> {
      const handle = await workbench.panel.locator('body').elementHandle();
      const frame = await handle?.ownerFrame();
      assert.ok(frame);
      return frame;
    }
  });

  describe('with a server whose texts are hostile', () => {
    const vectors = [
      // First, because places for one line cut names short.
      '$(sync~spin) $[alert]',
      '[pay](command:credits.buy)',
      '<script>window.ran=1</script>',
      '<img src=x onerror=window.ran=1>',
      '<svg/onload=window.ran=1>',
      '"><iframe srcdoc="<script>top.ran=1</script>">',
      "'-window.ran=1-'",
      '{{constructor.constructor("window.ran=1")()}}',
      '</script><script>window.ran=1</script>',
      '<a href="javascript:window.ran=1">x</a>',
      '<details open ontoggle=window.ran=1>',
      '[click](command:workbench.action.terminal.new)',
      '![x](https://evil.example/x.png)',
      '<style>@import "https://evil.example/x.css"</style>',
      '<math><mi xlink:href="javascript:window.ran=1">x</mi></math>',
      '\u202e<b onmouseover=window.ran=1>x</b>',
    ];
    let workbench: Workbench;
    let restore: () => void;
    const outside: string[] = [];
    let used = 0;

    before(async function () {
      this.timeout(startMs);
      restore = stage.gate.change({ method: 'GET', path: /^\/v1\/me$/ }, answer => {
        const me = answer as { principal: object; orgs: object[] };
        const name = vectors.join(' ');
        const orgs = me.orgs.map(org => ({ ...org, name }));
        return { principal: { ...me.principal, name }, orgs: [...orgs, { ...orgs[0], id: 'org_other' }] };
      });
      const seat = await stage.seat({ name: 'hostile', token: stage.sandbox.tokens.admin });
      workbench = await Workbench.open(stage.browser, seat, async context => {
        context.on('request', request => outside.push(request.url()));
      });
      await showsBalance(workbench);
      await workbench.clickStatus();
      await workbench.waitForPanel('the panel shows the names', text => text.includes('onerror'));
    });

    after(async () => {
      restore();
      await workbench.close();
    });

    it('T7 runs no script of a name in the real panel: it stands there as text', async () => {
      const text = await workbench.panel.locator('h1').first().textContent();
      for (const vector of vectors.slice(0, 5)) assert.ok(text?.includes(vector), vector);
      for (const frame of workbench.page.frames()) {
        assert.equal(await frame.evaluate(() => (window as { ran?: number }).ran), undefined);
      }
      const made = workbench.panel.locator(
        'main :is(script, svg[onload], iframe, img[onerror], math, details)',
      );
      assert.equal(await made.count(), 0);
      assert.deepEqual(
        outside.filter(address => address.includes('evil.example')),
        [],
      );
    });

    it('T10 links from the tooltip to our own commands only', async () => {
      await workbench.statusTooltip();
      const links = await eventually(
        'it has links',
        () =>
          workbench.page
            .locator('.monaco-hover:visible a')
            .evaluateAll(all =>
              all.map(one => one.getAttribute('data-href') ?? one.getAttribute('href') ?? ''),
            ),
        found => found.length > 0,
      );
      for (const link of links) assert.match(link, /^command:credits\./);
      assert.equal(await workbench.page.locator('.monaco-hover:visible img').count(), 0);
    });

    it('T7 makes no icon and no link of a name in the list of organisations', async () => {
      await workbench.run('Credits: Switch Organisation');
      const rows = workbench.page.locator('.quick-input-list .monaco-list-row');
      await rows.nth(1).waitFor();
      assert.match(await rows.first().innerText(), /sync~spin/);
      assert.equal(await rows.locator('.monaco-icon-label .codicon, a[href], a[data-href]').count(), 0);
      await workbench.page.keyboard.press('Escape');
    });

    it('T11 makes no link of a name in a notification', async () => {
      const balance = await readBalance(stage.sandbox);
      used = Math.ceil(balance * 0.92);
      await postUsage(stage.sandbox, `threats-${used}`, used);
      await eventually(
        'the editor warns',
        () => workbench.toasts(),
        toasts => toasts.some(text => text.includes('has used')),
        { withinMs: 20_000 },
      );
      const toast = workbench.page.locator('.notifications-toasts .notification-list-item-message');
      assert.equal(await toast.locator('a, .codicon').count(), 0);
    });
  });

  describe('with a member', () => {
    it('T20 has no control that could buy, and orders nothing when another extension asks it to', async () => {
      const port = await freePort();
      const seat = await stage.seat({
        name: 'member',
        token: stage.sandbox.tokens.member,
        neighbours,
        env: { NEIGHBOUR_PORT: String(port) },
      });
      const workbench = await Workbench.open(stage.browser, seat);
      await showsBalance(workbench);
      await workbench.clickStatus();
      await workbench.waitForPanel('the panel says who buys', text => /administrator/i.test(text));
      assert.equal(await workbench.buyingControls.count(), 0);
      const orders = stage.gate.seen(requests.order).length;
      await eventually(
        'another extension runs the command',
        async () =>
          (
            await fetch(`http://127.0.0.1:${port}`, {
              method: 'POST',
              body: `vscode.commands.executeCommand('credits.buy', { amountMinor: 5000 }); return 1;`,
            })
          ).text(),
        text => text.includes('1'),
      );
      await workbench.page.locator('.notification-list-item, .quick-input-widget:visible').first().waitFor();
      assert.equal(stage.gate.seen(requests.order).length, orders);
      await workbench.close();
    }).timeout(startMs);
  });

  describe('with a server whose certificate nobody signed', () => {
    it('T36 T37 says so in the box, sends no token, and does not fall back to plain http', async () => {
      const asked: string[] = [];
      const folder = join(stage.sandbox.directory, 'tls');
      mkdirSync(folder, { recursive: true });
      execFileSync(
        'openssl',
        [
          ...[
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:prime256v1',
            '-nodes',
            '-days',
            '2',
          ],
          ...['-subj', '/CN=localhost', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')],
        ],
        { stdio: 'ignore' },
      );
      const server = createTlsServer(
        { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
        (request, response) => {
          asked.push(`${request.method} ${request.url}`);
          response.end('{}');
        },
      );
      closing.push(() => server.close());
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const seat = await stage.seat({ name: 'tls', token: '', settings: { 'credits.serverUrl': '' } });
      const workbench = await Workbench.open(stage.browser, seat);
      await workbench.waitForStatus('it asks to sign in', text => /sign in/i.test(text), 60_000);
      await workbench.clickStatus();
      const box = workbench.page.locator('.quick-input-widget');
      await box.locator('input').first().fill('http://credits.example.com');
      await workbench.page.keyboard.press('Enter');
      await eventually(
        'T37 http is refused',
        () => box.innerText(),
        text => /must begin with https/.test(text),
      );
      await box.locator('input').first().fill(`https://localhost:${port}`);
      await workbench.page.keyboard.press('Enter');
      await eventually(
        'T36 it names the certificate',
        () => box.innerText(),
        text => /certificate/i.test(text),
      );
      assert.deepEqual(asked, []);
      await workbench.close();
    }).timeout(startMs);
  });

  describe('with a workspace that sets every one of our settings', () => {
    let attacker: { url: string; asked: string[] };
    let workspace: string;

    before(async () => {
      const asked: string[] = [];
      const server = createServer((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
        response.end('{}');
      });
      closing.push(() => server.close());
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      attacker = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
      workspace = hostileWorkspace(join(stage.sandbox.directory, 'hostile-workspace'), attacker.url);
    });

    beforeEach(() => {
      attacker.asked.length = 0;
    });

    for (const [title, isTrusted] of [
      ['T1 asks no server that a trusted workspace names, at whatever level', true],
      ['T2 asks no server that a workspace in Restricted Mode names, and shows the balance there too', false],
    ] as const) {
      it(title, async () => {
        const port = await freePort();
        const options: SeatOptions = {
          name: `workspace-${isTrusted}`,
          token: stage.sandbox.tokens.admin,
          neighbours,
          env: { NEIGHBOUR_PORT: String(port) },
          folder: workspace,
          isTrusted,
        };
        const seat = await stage.seat(options);
        const machine = join(seat.dataDir, 'user/Machine');
        mkdirSync(machine, { recursive: true });
        writeFileSync(join(machine, 'settings.json'), JSON.stringify(hostileSettings(attacker.url)));
        const workbench = await Workbench.open(stage.browser, seat);
        await showsBalance(workbench);
        const seen = (await eventually(
          'the other extension tells what the editor makes of it',
          async () => {
            const response = await fetch(`http://127.0.0.1:${port}`, {
              method: 'POST',
              body: `const all = vscode.workspace.getConfiguration('credits');
                return { isTrusted: vscode.workspace.isTrusted, folders: vscode.workspace.workspaceFolders.length,
                  serverUrl: all.get('serverUrl') };`,
            });
            return ((await response.json()) as { value: unknown }).value;
          },
          value => value !== undefined,
        )) as { isTrusted: boolean; folders: number; serverUrl: string };
        assert.deepEqual(seen, { isTrusted, folders: 2, serverUrl: stage.gate.url });
        await workbench.run('Credits: Refresh');
        await workbench.clickStatus();
        await workbench.waitForPanel('the panel names the true server', text =>
          text.includes(new URL(stage.gate.url).host),
        );
        assert.deepEqual(attacker.asked, []);
        await workbench.close();
      }).timeout(startMs);
    }
  });

  async function showsBalance(workbench: Workbench): Promise<void> {
    const response = await stage.sandbox.ask(paths.balance(orgId), stage.sandbox.tokens.admin);
    assert.equal(response.status, 200);
    const figure = (await readBalance(stage.sandbox)).toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${figure}`, text => text === figure, 60_000);
  }
});

/** Every key of ours, set to what an attacker would like. */
function hostileSettings(url: string): Record<string, unknown> {
  const { properties } = contributes.configuration;
  const values: Readonly<Record<string, unknown>> = {
    string: url,
    array: [url],
    boolean: false,
    number: 1e9,
  };
  const all = Object.entries(properties).map(([key, { type }]) => [key, values[type] ?? url]);
  assert.ok(all.length >= 4);
  return Object.fromEntries(all) as Record<string, unknown>;
}

/** Hostile at three levels: the workspace file, and the settings of each of two folders. */
function hostileWorkspace(directory: string, url: string): string {
  const settings = hostileSettings(url);
  for (const folder of ['one', 'two']) {
    mkdirSync(join(directory, folder, '.vscode'), { recursive: true });
    writeFileSync(join(directory, folder, '.vscode/settings.json'), JSON.stringify(settings));
  }
  const file = join(directory, 'hostile.code-workspace');
  const folders = [{ path: 'one' }, { path: 'two' }];
  writeFileSync(file, JSON.stringify({ folders, settings }));
  return file;
}
