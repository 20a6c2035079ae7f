import { deepEqual, equal } from 'node:assert/strict';
import type { Memento, SecretStorage } from 'vscode';
import { SharedFile } from '../../../src/core/sharedState.ts';
import { settled } from '../../support/clock.ts';
import { account, CollectingLog, signIn } from '../../support/core.ts';
import { MemoryFolder } from '../../support/folder.ts';
import { FakeSecrets } from '../../support/secrets.ts';
import { fake } from '../../support/vscode.ts';

const { readSessionNews, Session } = await import('../../../src/vscode/session.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { openMemory } = await import('../../../src/vscode/memory.ts');
const { openOutside, returnUri } = await import('../../../src/vscode/browser.ts');
const { CreditsUriHandler } = await import('../../../src/vscode/uriHandler.ts');
const { WindowAttention } = await import('../../../src/vscode/attention.ts');
const { did } = fake;

async function session(secrets = new FakeSecrets(), folder?: MemoryFolder) {
  const log = new CollectingLog();
  const news = folder && new SharedFile(folder, 'session.v1', readSessionNews);
  const made = new Session(secrets as unknown as SecretStorage, new Settings(), log, news);
  let missed = 0;
  made.onDidMiss(() => missed++);
  let changes = 0;
  made.onDidChange(() => changes++);
  await settled();
  return {
    session: made,
    secrets,
    log,
    changes: () => changes,
    look: () => news?.load(),
    missed: () => missed,
  };
}

describe('the session', () => {
  beforeEach(() => did.reset());

  it('T5 keeps the token in the secret storage and nowhere else', async () => {
    const { session: made, secrets } = await session();
    equal(made.current, undefined);
    equal(await made.signIn(signIn), 'kept');
    await settled();
    equal(made.current, signIn);
    const restarted = await session(secrets);
    deepEqual(restarted.session.current, signIn);
  });

  it('F31 lasts until the window is closed when the storage fails, and the log does not quote it', async () => {
    const secrets = new FakeSecrets(true);
    const { session: made, log } = await session(secrets);
    equal(made.isRead, true);
    equal(await made.signIn(signIn), 'untilClosed');
    await settled();
    equal(made.current, signIn);
    equal(secrets.values.size, 0);
    equal(log.lines.join().includes(signIn.token), false);
    await made.signOut();
    equal(made.current, undefined);
  });

  it('F39 follows a sign-in and a sign-out of another window', async () => {
    const secrets = new FakeSecrets();
    const a = await session(secrets);
    const b = await session(secrets);
    await a.session.signIn(signIn);
    await settled();
    deepEqual(b.session.current, signIn);
    await b.session.signOut();
    await settled();
    equal(a.session.current, undefined);
  });

  it('F39 ends in all windows at a sign-out, also where secrets are read once a window and tell nothing', async () => {
    const folder = new MemoryFolder();
    const first = new FakeSecrets();
    const a = await session(first, folder);
    await a.session.signIn(signIn);
    const second = new FakeSecrets();
    second.values.set('credits.signIn.v1', JSON.stringify(signIn));
    const b = await session(second, folder);
    deepEqual(b.session.current, signIn);
    await a.session.signOut();
    await b.look();
    await settled();
    equal(b.session.current, undefined);
    equal(b.missed(), 0);
    equal(folder.text.includes(signIn.token), false);
  });

  it('F39 offers a reload where a sign-in of another window cannot be read', async () => {
    const folder = new MemoryFolder();
    const a = await session(new FakeSecrets(), folder);
    const b = await session(new FakeSecrets(), folder);
    await a.session.signIn(signIn);
    await b.look();
    await settled();
    equal(b.session.current, undefined);
    equal(b.missed(), 1);
    await b.look();
    equal(b.missed(), 1);
  });

  it('F39 follows a switch to another account, and is nobody rather than the one before', async () => {
    const folder = new MemoryFolder();
    const shared = new FakeSecrets();
    const a = await session(shared, folder);
    const b = await session(shared, folder);
    await a.session.signIn(signIn);
    await b.look();
    await settled();
    deepEqual(b.session.current, signIn);
    const stale = new FakeSecrets();
    stale.values.set('credits.signIn.v1', JSON.stringify(signIn));
    const c = await session(stale, folder);
    const other = { ...signIn, account: { ...account, orgId: 'org_2' } };
    await a.session.signIn(other);
    await b.look();
    await c.look();
    await settled();
    deepEqual(b.session.current, other);
    equal(c.session.current, undefined);
    equal(c.missed(), 1);
  });

  it('tells once for one sign-in, although the storage tells of it too', async () => {
    const { session: made, changes } = await session();
    const before = changes();
    await made.signIn(signIn);
    await settled();
    equal(changes(), before + 1);
  });

  it('T1 uses a token only with the server it was given for', async () => {
    const { session: made } = await session();
    await made.signIn(signIn);
    did.settings.set('serverUrl', { globalValue: 'https://other.example.com' });
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
    equal(made.current, undefined);
    did.settings.set('serverUrl', { globalValue: account.serverUrl });
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
    equal(made.current, signIn);
    did.settings.set('serverUrl', { workspaceValue: 'https://attacker.example', defaultValue: '' });
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
    equal(made.current, signIn);
  });

  it('F32 is signed out when what is stored is damaged, or names a server that may not be used', async () => {
    for (const text of [
      '',
      'x',
      '{}',
      '[]',
      '{"token":5}',
      JSON.stringify({ ...signIn, account: { ...account, serverUrl: 'http://attacker.example' } }),
    ]) {
      const secrets = new FakeSecrets();
      secrets.values.set('credits.signIn.v1', text);
      equal((await session(secrets)).session.current, undefined);
    }
  });
});

describe('what is remembered', () => {
  const memento = () => {
    const values = new Map<string, unknown>();
    return {
      values,
      store: {
        get: (key: string) => values.get(key),
        update: async (key: string, value: unknown) => void values.set(key, value),
        keys: () => [...values.keys()],
      } as unknown as Memento,
    };
  };

  it('F32 is nothing where the storage holds nonsense', () => {
    const { store, values } = memento();
    const memory = openMemory(store);
    for (const key of ['balance.v1', 'serverUrl.v1']) {
      values.set(key, { from: 'the future' });
    }
    equal(memory.balance.read(), undefined);
    equal(memory.serverUrl.read(), undefined);
  });

  it('F33 leaves alone what a newer version keeps', async () => {
    const { store, values } = memento();
    values.set('serverUrl.v2', 'theirs');
    const memory = openMemory(store);
    await memory.serverUrl.write('https://credits.example.com');
    equal(values.get('serverUrl.v2'), 'theirs');
  });
});

describe('the way out and back', () => {
  beforeEach(() => did.reset());

  it('opens an address as the string it is, because a parsed one arrives damaged', async () => {
    const url = 'https://checkout.stripe.com/c/pay/1?u=https%3A%2F%2Fex.test%2Fp%3Fq%3D1%26r%3D2';
    await openOutside(url);
    deepEqual(did.opened, [url]);
  });

  for (const scheme of ['vscode', 'vscodium', 'code-oss', 'studio-invented']) {
    it(`T17 leads back into ${scheme}, and keeps "=" readable`, async () => {
      fake.env.uriScheme = scheme;
      equal(await returnUri('pub.ext', 'abc'), `${scheme}://pub.ext/purchase?state=abc`);
    });
  }

  it('T13 hands on the state of our path only', () => {
    const handler = new CreditsUriHandler();
    const states: string[] = [];
    handler.onDidReturn(state => states.push(state));
    const from = (path: string, query: string) =>
      handler.handleUri(fake.Uri.from({ scheme: 'x', authority: 'y', path, query }) as never);
    from('/purchase', 'state=abc');
    from('/purchase', 'state=');
    from('/purchase', '');
    from('/purchase', 'success=true&credits=1000000');
    from('/purchase', `state=${'x'.repeat(101)}`);
    from('/signIn', 'token=abc');
    from('/', 'state=abc');
    deepEqual(states, ['abc']);
  });

  it('d-12 d-19 tells of a return to the window, not of other news about it', () => {
    const attention = new WindowAttention();
    let returns = 0;
    attention.onDidFocus(() => returns++);
    fake.windowState.fire({ focused: true });
    fake.windowState.fire({ focused: false });
    fake.windowState.fire({ focused: false });
    fake.windowState.fire({ focused: true });
    fake.windowState.fire({ focused: true });
    equal(returns, 1);
  });
});
