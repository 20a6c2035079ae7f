// A panel that goes away at any moment, as the editor's panels do: what comes too late for it disturbs nobody.
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { Emitter } from '../../../src/core/event.ts';
import { CollectingLog } from '../../support/core.ts';
import '../../support/vscode.ts';

const { Uri } = await import('../../support/fakeVscode.ts');
const { CreditsPanel } = await import('../../../src/views/creditsPanel.ts');

/** Like the editor's: to use it once it is gone is an error. */
function fakePanel() {
  const disposed = new Emitter<void>();
  const received = new Emitter<unknown>();
  let isGone = false;
  const alive = () => {
    if (isGone) {
      throw new Error('Webview is disposed');
    }
  };
  const posted: unknown[] = [];
  let html = '';
  const webview = {
    options: {},
    cspSource: 'self',
    asWebviewUri: (uri: unknown) => uri,
    onDidReceiveMessage: received.event,
    get html() {
      return html;
    },
    set html(value: string) {
      alive();
      html = value;
    },
    postMessage: async (message: unknown) => {
      alive();
      posted.push(message);
      return true;
    },
  };
  const panel = {
    title: '',
    iconPath: undefined as unknown,
    visible: true,
    onDidDispose: disposed.event,
    onDidChangeViewState: new Emitter<unknown>().event,
    get webview() {
      alive();
      return webview;
    },
    reveal: alive,
    dispose: () => {
      if (!isGone) {
        isGone = true;
        disposed.fire();
      }
    },
  };
  return { panel, posted, received, webview, vanish: () => (isGone = true) };
}

/** The same page in a view of the side bar. */
function fakeView() {
  const { panel, ...rest } = fakePanel();
  const moved = new Emitter<void>();
  return { view: Object.assign(panel, { onDidChangeVisibility: moved.event }), moved, ...rest };
}

function start() {
  const changed = new Emitter<unknown>();
  const wishes: unknown[] = [];
  const looks: unknown[] = [];
  const log = new CollectingLog();
  const credits = new CreditsPanel({
    extensionUri: Uri.parse('file:///ext'),
    title: 'Credits',
    state: () => ({ kind: 'signedOut', locale: 'en', serverHost: null, notice: null }),
    onDidChange: [changed.event],
    records: () => undefined,
    onDidChangeRecords: new Emitter<unknown>().event,
    inSight: () => void looks.push(undefined),
    wish: (wish: unknown) => wishes.push(wish),
    newNonce: () => 'nonce',
    log,
  } as unknown as ConstructorParameters<typeof CreditsPanel>[0]);
  const open = async () => {
    const fake = fakePanel();
    await credits.deserializeWebviewPanel(fake.panel as never);
    return fake;
  };
  return { changed, wishes, looks, log, credits, open };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

describe('a panel that goes away', () => {
  const failures: unknown[] = [];
  const collect = (reason: unknown) => failures.push(reason);
  before(() => process.on('unhandledRejection', collect));
  after(() => process.off('unhandledRejection', collect));

  it('F29 is told nothing once it is closed, whatever was in flight', async () => {
    const { changed, open, wishes } = start();
    const { panel, posted, received } = await open();
    throws(() => {
      const gone = fakePanel();
      gone.panel.dispose();
      return gone.panel.webview;
    });
    changed.fire(undefined);
    await turn();
    equal(posted.length, 1);
    // A message of the page, the answer to it and the end of the panel cross.
    received.fire({ type: 'ready' });
    received.fire({ type: 'refresh' });
    panel.dispose();
    changed.fire(undefined);
    for (let turns = 0; turns < 20; turns++) {
      await turn();
    }
    equal(posted.length, 1);
    deepEqual(wishes, [{ type: 'refresh' }], 'what the person wished is still done');
    deepEqual(failures, []);
  });

  it('F29 raises nothing where a message is refused because the page is going', async () => {
    const { changed, open } = start();
    const { webview } = await open();
    webview.postMessage = () => Promise.reject(new Error('Webview is disposed'));
    changed.fire(undefined);
    await turn();
    deepEqual(failures, []);
  });

  it('F29 leaves the page to the panel that is opened next', async () => {
    const { changed, open } = start();
    const first = await open();
    const second = await open();
    changed.fire(undefined);
    await turn();
    equal(first.posted.length, 0);
    equal(second.posted.length, 1);
    ok(second.webview.html.includes('nonce'));
  });
});

describe('the view in the side bar', () => {
  it('shows the same page as the tab, and both are told', async () => {
    const { changed, credits, open, looks } = start();
    const tab = await open();
    const side = fakeView();
    credits.resolveWebviewView(side.view as never);
    ok(side.webview.html.includes('credits-state'));
    deepEqual(Object.keys(side.webview.options), ['enableScripts', 'localResourceRoots']);
    changed.fire(undefined);
    await turn();
    deepEqual([tab.posted.length, side.posted.length], [1, 1]);
    side.moved.fire();
    equal(looks.length, 1, 'who comes back to it gets what is new');
  });

  it('counts as in sight, and closing one leaves the other', async () => {
    const { changed, credits, open } = start();
    const side = fakeView();
    credits.resolveWebviewView(side.view as never);
    equal(credits.isVisible, true);
    const tab = await open();
    tab.panel.dispose();
    changed.fire(undefined);
    await turn();
    deepEqual([tab.posted.length, side.posted.length], [0, 1]);
    side.view.dispose();
    equal(credits.isVisible, false);
  });

  it('leaves nothing that listens when the extension is switched off', async () => {
    const { changed, credits } = start();
    const side = fakeView();
    credits.resolveWebviewView(side.view as never);
    credits.dispose();
    changed.fire(undefined);
    await turn();
    equal(side.posted.length, 0);
  });
});
