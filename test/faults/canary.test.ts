// A marked token, typed in by a person, through the whole journey: afterwards it is looked for everywhere. It may be in
// the secret storage and in the Authorization header, and nowhere else.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { readBalance } from '../../scripts/sandbox.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import type { StartedSeat } from '../../scripts/support/stage.ts';
import { Workbench } from '../../scripts/support/workbench.ts';
import {
  extensionLog,
  type FaultStage,
  filesUnder,
  openFaultStage,
  pay,
  picturesOnFailure,
  purchases,
  readIfThere,
  sessionOf,
  startMs,
} from '../support/faultStage.ts';

const token = 'crd_pat_Canary-in-the-mine-0123456789';
const asBase64 = Buffer.from(token).toString('base64').replace(/=+$/, '');
/** As it is, as an address carries it, and packed. */
const forms = [token, encodeURIComponent(token), asBase64];
const carries = (text: string) => forms.some(form => text.includes(form));

/** What a window has taken in: everything posted to any frame, and every address the browser asked for. */
interface Heard {
  readonly messages: string[];
  readonly addresses: string[];
}

describe('T5 T6 a marked token', () => {
  let stage: FaultStage;
  let close = async (): Promise<void> => {};
  let seat: StartedSeat;
  let workbench: Workbench;
  const heard: Heard = { messages: [], addresses: [] };
  let html = '';
  let clipboard = '';

  before(async function () {
    this.timeout(startMs);
    stage = await openFaultStage({
      name: 'faults-canary',
      balance: 900,
      rate: 100,
      tokens: { admin: token },
    });
    close = stage.close;
    // Nothing is handed in by the environment: the token comes by the keyboard.
    seat = await stage.seat({ name: 'admin', token: '', settings: { 'credits.serverUrl': '' } });
    workbench = await Workbench.open(stage.browser, seat, async context => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write']);
      await context.exposeFunction('heardMessage', (text: string) => void heard.messages.push(text));
      await context.addInitScript(() => {
        const hear = (data: unknown) => {
          const { heardMessage } = window as unknown as { heardMessage?: (text: string) => void };
          heardMessage?.(String(JSON.stringify(data)));
        };
        // The workbench and the page's frame talk through ports, the frame and the page itself through the window.
        const { postMessage } = MessagePort.prototype;
        MessagePort.prototype.postMessage = function (this: MessagePort, ...args: [unknown]) {
          hear(args[0]);
          postMessage.apply(this, args);
        } as typeof postMessage;
        window.addEventListener('message', event => hear(event.data), true);
      });
      context.on('request', request => heard.addresses.push(`${request.url()} ${request.postData() ?? ''}`));
    });
    await journey();
  });

  after(async function () {
    this.timeout(30_000);
    await close();
  });

  afterEach(async function () {
    await picturesOnFailure(this, stage.browser);
  });

  it('T5 went to the credits server in the Authorization header, and in no address, body or other header', () => {
    const carrying = stage.gate.passed.filter(
      ({ headers }) => headers['authorization'] === `Bearer ${token}`,
    );
    assert.ok(carrying.length > 5, 'it was used');
    for (const { method, path, headers, body } of stage.gate.passed) {
      const { authorization: _, ...others } = headers;
      assert.ok(!carries(`${path} ${JSON.stringify(others)} ${body}`), `${method} ${path}`);
    }
  });

  it('T5 is in no file: no log, no state of the editor, no setting, nothing of the server', () => {
    assert.match(extensionLog(seat), /purchase: opening the payment page/, 'the logs are the real ones');
    // What the server was seeded with is the one place where it came from.
    const files = filesUnder(stage.sandbox.directory).filter(file => basename(file) !== 'seed.json');
    assert.ok(files.length > 20);
    assert.deepEqual(
      files.filter(file => carries(readIfThere(file))),
      [],
    );
  });

  it('T6 was posted to no frame, and is in no page', () => {
    assert.ok(
      heard.messages.some(message => message.includes('"type":"state"')),
      'the messages to the panel were heard',
    );
    assert.deepEqual(heard.messages.filter(carries), []);
    assert.ok(html.includes('credits-root'), 'the page was read');
    assert.ok(!carries(html));
  });

  it('T5 was sent to no other address by the browser, and is not on the clipboard', () => {
    assert.ok(heard.addresses.length > 10);
    assert.deepEqual(heard.addresses.filter(carries), []);
    assert.match(clipboard, /^http/, 'something was copied');
    assert.ok(!carries(clipboard));
  });

  it('T5 is sealed where the browser keeps secrets, and plain in nothing it stores', async () => {
    const stored = await workbench.page.evaluate(async () => {
      const texts = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })];
      for (const { name } of await indexedDB.databases()) {
        const database = await new Promise<IDBDatabase>((resolve, reject) => {
          const request = indexedDB.open(name ?? '');
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
        for (const store of database.objectStoreNames) {
          const all = await new Promise<unknown[]>((resolve, reject) => {
            const request = database.transaction(store).objectStore(store).getAll();
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
          });
          const decoder = new TextDecoder();
          texts.push(
            ...all.map(one => (ArrayBuffer.isView(one) ? decoder.decode(one) : JSON.stringify(one))),
          );
        }
        database.close();
      }
      return texts.join('\n');
    });
    assert.match(stored, /secrets\.provider/, 'the secrets are there');
    assert.ok(!carries(stored));
  });

  async function journey(): Promise<void> {
    const { sandbox, gate } = stage;
    await workbench.waitForStatus('the status bar asks to sign in', text => /sign in/i.test(text), 30_000);
    await workbench.clickStatus();
    await answer('Address of your', gate.url);
    await workbench.passOverBrowserSignIn();
    await answer('Access token', token);
    await showsBalance();

    await workbench.clickStatus();
    await workbench.chooseAmount(50);
    const opening = workbench.context.waitForEvent('page');
    await (await workbench.buyButton()).click();
    await (await opening).close();
    await workbench.waitForPanel('the panel waits', text => /Waiting for payment/.test(text));
    await workbench.button('Copy link').click();
    clipboard = await eventually(
      'a link is on the clipboard',
      () => workbench.page.evaluate(() => navigator.clipboard.readText()),
      text => text.startsWith('http'),
    );
    await pay(sandbox, sessionOf((await purchases(sandbox))[0]?.checkout_url));
    await showsBalance();

    // What goes wrong is written down too.
    await sandbox.killServer();
    await workbench.run('Credits: Refresh');
    await workbench.waitForStatus('the figure is old', text => /ago|just now/.test(text), 30_000);
    await sandbox.startServer();
    await workbench.run('Credits: Refresh');
    await showsBalance();
    html = (await Promise.all(workbench.page.frames().map(frame => frame.content().catch(() => '')))).join(
      '\n',
    );
  }

  async function answer(question: string, text: string): Promise<void> {
    const box = workbench.page.locator('.quick-input-widget');
    await eventually(
      `the box asks: ${question}`,
      () => box.innerText(),
      seen => seen.includes(question),
    );
    await box.locator('input').first().fill(text);
    await workbench.page.keyboard.press('Enter');
  }

  async function showsBalance(): Promise<void> {
    const figure = (await readBalance(stage.sandbox)).toLocaleString('en-US');
    await workbench.waitForStatus(`the status bar shows ${figure}`, text => text === figure, 30_000);
  }
});
