// The sign-in as the editor keeps and shows it: secret storage, the Accounts menu, whose account it is.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { SecretStorage } from 'vscode';
import type { Grant } from '../../../src/core/account.ts';
import { settled } from '../../support/clock.ts';
import { account, CollectingLog, signIn } from '../../support/core.ts';
import { FakeSecrets } from '../../support/secrets.ts';
import { fake } from '../../support/vscode.ts';

const { Session } = await import('../../../src/vscode/session.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { CreditsAuthentication } = await import('../../../src/vscode/authenticationProvider.ts');
const { EditorAccounts } = await import('../../../src/vscode/editorAccounts.ts');
const { did } = fake;

const KEY = 'credits.signIn.v1';
const grant: Grant = {
  id: 'g1',
  generation: 0,
  issuer: 'https://id.example.com',
  clientId: 'c',
  refreshToken: 'rt-canary',
  expiresAtMs: 1_800_000_000_000,
};
const byBrowser = { account, token: 'at-canary', grant };

async function open(secrets: FakeSecrets) {
  const log = new CollectingLog();
  const session = new Session(secrets as unknown as SecretStorage, new Settings(), log);
  let damages = 0;
  let ends = 0;
  let changes = 0;
  session.onDidFindDamage(() => damages++);
  session.onDidEnd(() => ends++);
  await settled();
  session.onDidChange(() => changes++);
  return { session, log, damages: () => damages, ends: () => ends, changes: () => changes };
}

describe('a sign-in from the browser', () => {
  beforeEach(() => did.reset());

  it('F13 stays one and the same while its token is renewed, here and in other windows', async () => {
    const secrets = new FakeSecrets();
    const a = await open(secrets);
    const b = await open(secrets);
    await a.session.signIn(byBrowser);
    await settled();
    const [ours, theirs] = [a.session.current, b.session.current];
    await a.session.renewed('g1', 'at-2', { ...grant, generation: 1, refreshToken: 'rt-2' });
    await settled();
    equal(a.session.current, ours);
    equal(b.session.current, theirs);
    deepEqual([theirs?.token, theirs?.grant?.refreshToken], ['at-2', 'rt-2']);
    equal(a.changes(), 1);
    equal(b.changes(), 1);
  });

  it('F31 is not over because the secret storage could not be read once', async () => {
    const secrets = new FakeSecrets();
    const { session, changes } = await open(secrets);
    await session.signIn(byBrowser);
    await settled();
    const before = changes();
    secrets.fails = true;
    await session.reread();
    secrets.fails = false;
    deepEqual([session.current?.token, changes()], ['at-canary', before]);
    await session.reread();
    equal(session.current?.token, 'at-canary');
  });

  it('F14 never goes back to a refresh token that is used up', async () => {
    const secrets = new FakeSecrets();
    const { session } = await open(secrets);
    await session.signIn(byBrowser);
    const old = secrets.values.get(KEY) ?? '';
    await session.renewed('g1', 'at-2', { ...grant, generation: 1, refreshToken: 'rt-2' });
    secrets.values.set(KEY, old);
    await session.reread();
    equal(session.current?.grant?.refreshToken, 'rt-2');
  });

  it('T15.41 F31 lasts until the window is closed without a secret storage, and is written nowhere', async () => {
    const secrets = new FakeSecrets(true);
    const { session, log } = await open(secrets);
    equal(await session.signIn(byBrowser), 'untilClosed');
    await session.renewed('g1', 'at-2', { ...grant, generation: 1, refreshToken: 'rt-2' });
    equal(session.current?.token, 'at-2');
    equal(secrets.values.size, 0);
    ok(!/canary|at-2|rt-2/.test(log.lines.join()));
  });

  for (const [title, text] of [
    ['nonsense', 'nonsense'],
    ['half a grant', JSON.stringify({ ...byBrowser, grant: { id: 'g1' } })],
    ['another form', JSON.stringify({ v: 9 })],
  ] as const) {
    it(`T15.42 F32 a kept sign-in that is damaged (${title}) is told, not used, and replaced by the next`, async () => {
      const secrets = new FakeSecrets();
      secrets.values.set(KEY, text);
      const { session, damages, log } = await open(secrets);
      equal(session.current?.token, undefined);
      equal(damages(), 1);
      ok(!log.lines.join().includes('canary'));
      await session.signIn(byBrowser);
      await settled();
      equal(session.current?.token, 'at-canary');
    });
  }

  it('T15.43 F44 one that the provider has ended ends in all windows, and is told where it was found', async () => {
    const secrets = new FakeSecrets();
    const a = await open(secrets);
    const b = await open(secrets);
    await a.session.signIn(byBrowser);
    await settled();
    await a.session.ended('g1');
    await settled();
    deepEqual([a.session.current, b.session.current], [undefined, undefined]);
    deepEqual([a.ends(), b.ends()], [1, 0]);
    equal(secrets.values.size, 0);
  });

  it('T15.44 the end of an earlier sign-in does not end the present one', async () => {
    const { session } = await open(new FakeSecrets());
    await session.signIn({ ...byBrowser, grant: { ...grant, id: 'g2' } });
    await session.ended('g1');
    equal(session.current?.grant?.id, 'g2');
  });

  it('T15.45 is used only with the server it was given for', async () => {
    const { session } = await open(new FakeSecrets());
    await session.signIn(byBrowser);
    did.settings.set('serverUrl', { globalValue: 'https://evil.example' });
    fake.configurationChanged.fire({ affectsConfiguration: () => true });
    equal(session.current, undefined);
  });

  it('moves to another organisation as another sign-in, with the same token', async () => {
    const { session } = await open(new FakeSecrets());
    await session.signIn(byBrowser);
    const before = session.current;
    await session.moveTo({ orgId: 'org_2', orgName: 'Orbit', role: 'member' });
    ok(session.current !== before);
    deepEqual([session.current?.account.orgId, session.current?.token], ['org_2', 'at-canary']);
  });
});

describe('the Accounts menu', () => {
  beforeEach(() => did.reset());

  async function provider(first: typeof byBrowser | typeof signIn | undefined) {
    const { session } = await open(new FakeSecrets());
    if (first) {
      await session.signIn(first);
    }
    const acts: string[] = [];
    const act = {
      signIn: async () => {
        acts.push('in');
        await session.signIn(byBrowser);
      },
      signOut: async () => {
        acts.push('out');
        await session.signOut();
      },
    };
    const made = new CreditsAuthentication(session, act, async (_signIn, scope) => `narrow ${scope}`);
    return { made, session, acts };
  }

  it('names the person and the organisation, without fetching a token for that', async () => {
    const { made } = await provider(byBrowser);
    const [shown] = await made.getSessions(undefined);
    equal(shown?.account.label, 'Ada · Analytical Engines');
    equal(shown?.accessToken, '');
  });

  it('T15.46 gives other extensions a token that reads, never the one that buys', async () => {
    const { made } = await provider(byBrowser);
    const [shared] = await made.getSessions(['credits:read']);
    equal(shared?.accessToken, 'narrow credits:read');
    deepEqual(shared?.scopes, ['credits:read']);
    deepEqual(await made.getSessions(['credits:purchase']), []);
    await rejects(made.createSession(['credits:read', 'credits:purchase']));
  });

  it('T15.47 shares no pasted token', async () => {
    const { made } = await provider(signIn);
    deepEqual(await made.getSessions(['credits:read']), []);
    deepEqual(await made.getSessions(undefined), []);
  });

  it('signs in for an extension that asks, and out from the menu, and tells of both', async () => {
    const { made, acts } = await provider(undefined);
    const told: unknown[] = [];
    made.onDidChangeSessions(change => told.push([change.added?.length ?? 0, change.removed?.length ?? 0]));
    const session = await made.createSession(['credits:read']);
    await made.removeSession('of-another');
    await made.removeSession(session.id);
    await settled();
    deepEqual(acts, ['in', 'out']);
    deepEqual(told, [
      [1, 0],
      [0, 1],
    ]);
  });
});

describe('whose account it is', () => {
  const accounts = (claims = new Set<string>()) =>
    new EditorAccounts(async key => !claims.has(key) && Boolean(claims.add(key)));

  beforeEach(() => did.reset());

  it('is told once when the editor knows the person by another domain', async () => {
    did.accounts.set('microsoft', ['ada@home.example']);
    const known = accounts();
    equal(await known.otherThan('ada@acme.example'), 'ada@home.example');
    equal(await known.otherThan('ada@acme.example'), undefined);
  });

  it('is no news for the same domain, for names that are no addresses, or without accounts', async () => {
    equal(await accounts().otherThan('ada@acme.example'), undefined);
    did.accounts.set('github', ['ada-lovelace']);
    equal(await accounts().otherThan('ada@acme.example'), undefined);
    did.accounts.set('microsoft', ['ada@ACME.example', 'ada@home.example']);
    equal(await accounts().otherThan('ada@acme.example'), undefined);
  });
});
