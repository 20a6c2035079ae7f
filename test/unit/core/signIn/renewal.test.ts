import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { Grant, SignIn } from '../../../../src/core/account.ts';
import { claim } from '../../../../src/core/claim.ts';
import { connector } from '../../../../src/core/connect.ts';
import { CreditsError } from '../../../../src/core/errors.ts';
import { SharedFile } from '../../../../src/core/sharedState.ts';
import { SignInError } from '../../../../src/core/signIn/errors.ts';
import { type GrantKeeper, Renewal, readRenewal } from '../../../../src/core/signIn/renewal.ts';
import { FakeClock, settled } from '../../../support/clock.ts';
import { account, CollectingLog } from '../../../support/core.ts';
import { MemoryFolder } from '../../../support/folder.ts';
import { problem, ScriptedServer } from '../../../support/scriptedServer.ts';

/** A provider that rotates, and ends the sign-in when a refresh token is shown a second time. */
class Provider {
  newest = 'rt-0';
  isRevoked: boolean = false;
  isAway: boolean = false;
  lifeMs = 600_000;
  readonly scopes: Array<string | undefined> = [];
  #count = 0;

  async refresh(refreshToken: string, scope: string | undefined, nowMs: number) {
    if (this.isAway) {
      throw new SignInError('unreachable');
    }
    if (this.isRevoked || refreshToken !== this.newest) {
      this.isRevoked = true;
      throw new SignInError('ended', 'invalid_grant');
    }
    this.#count++;
    this.scopes.push(scope);
    this.newest = `rt-${this.#count}`;
    const accessToken = `${scope ?? 'at'}-${this.#count}`;
    return { accessToken, refreshToken: this.newest, expiresAtMs: nowMs + this.lifeMs };
  }

  get count(): number {
    return this.#count;
  }
}

/** The secret storage of one editor; some hosts read it once per window. */
class Secrets {
  kept: { token: string; grant: Grant } | undefined;
}

class Keeper implements GrantKeeper {
  readonly signIn: { account: SignIn['account']; token: string; grant: Grant };
  current: SignIn | undefined;
  ends = 0;
  misses = 0;
  readonly #secrets: Secrets;
  readonly #readsOnce: boolean;

  constructor(secrets: Secrets, grant: Grant, readsOnce: boolean) {
    this.#secrets = secrets;
    this.#readsOnce = readsOnce;
    this.signIn = { account, token: 'at-0', grant };
    this.current = this.signIn;
  }

  async reread(): Promise<void> {
    const { kept } = this.#secrets;
    if (kept && !this.#readsOnce && kept.grant.generation > this.signIn.grant.generation) {
      this.signIn.token = kept.token;
      this.signIn.grant = kept.grant;
    }
  }

  async renewed(_grantId: string, token: string, grant: Grant): Promise<void> {
    this.signIn.token = token;
    this.signIn.grant = grant;
    this.#secrets.kept = { token, grant };
  }

  async ended(): Promise<void> {
    this.ends++;
    this.current = undefined;
  }

  missed(): void {
    this.misses++;
  }
}

describe('renewing a sign-in', () => {
  let clock: FakeClock;
  let folder: MemoryFolder;
  let provider: Provider;
  let secrets: Secrets;

  beforeEach(() => {
    clock = new FakeClock();
    folder = new MemoryFolder();
    provider = new Provider();
    secrets = new Secrets();
  });

  function window(name: string, given: { readsOnce?: boolean; dies?: boolean } = {}) {
    const grant: Grant = {
      id: 'g1',
      generation: 0,
      issuer: 'https://id.example.com',
      clientId: 'c',
      refreshToken: 'rt-0',
      expiresAtMs: Date.parse('2026-11-22T12:10:00Z'),
    };
    const keeper = new Keeper(secrets, grant, given.readsOnce ?? false);
    const renewal = new Renewal({
      keeper,
      refresh: async (_signIn, { refreshToken }, scope) =>
        given.dies
          ? await new Promise<never>(() => undefined)
          : await provider.refresh(refreshToken, scope, clock.now()),
      claim: key => claim(key, { folder, windowId: name, clock }),
      file: new SharedFile(folder, 'renewal.v1', readRenewal),
      clock,
      log: new CollectingLog(),
    });
    const source = renewal.sourceOf(keeper.signIn);
    if (typeof source === 'string') {
      throw new Error('a source was expected');
    }
    return { keeper, renewal, source };
  }

  /** Runs to its end on the standing clock. */
  async function run<T>(act: Promise<T>, ms = 60_000): Promise<T> {
    act.catch(() => undefined);
    for (let step = 0; step < ms; step += 500) {
      await clock.advance(500);
    }
    return await act;
  }

  it('F13 happens a minute before the end, and not before', async () => {
    const { source } = window('a');
    equal(await source.token(), 'at-0');
    await clock.advance(539_000);
    equal(await source.token(), 'at-0');
    await clock.advance(1_500);
    equal(await run(source.token()), 'at-1');
    equal(provider.count, 1);
  });

  it('F13 happens in the last quarter of a life of a minute, and not at each request', async () => {
    provider.lifeMs = 60_000;
    const { source } = window('a');
    await clock.advance(545_000);
    equal(await run(source.token(), 1_000), 'at-1');
    for (let request = 0; request < 30; request++) {
      equal(await run(source.token(), 1_000), 'at-1');
    }
    await clock.advance(20_000);
    equal(await run(source.token(), 1_000), 'at-2');
  });

  it('F14 happens once for all windows, and all have the new token', async () => {
    const all = ['a', 'b', 'c'].map(name => window(name));
    await clock.advance(545_000);
    const tokens = await run(Promise.all(all.flatMap(({ source }) => [source.token(), source.token()])));
    deepEqual(new Set(tokens), new Set(['at-1']));
    equal(provider.count, 1);
    equal(provider.isRevoked, false);
  });

  it('F14 is taken over when the window that began it has died', async () => {
    const dead = window('a', { dies: true });
    const other = window('b');
    await clock.advance(545_000);
    void dead.source.token();
    await clock.advance(1_000);
    equal(await run(other.source.token()), 'at-1');
    equal(provider.isRevoked, false);
  });

  it('T15.32 a refresh token that another window has used is never shown again', async () => {
    const a = window('a');
    const b = window('b', { readsOnce: true });
    await clock.advance(600_000);
    equal(await run(a.source.token()), 'at-1');
    await rejects(run(b.source.token()), (error: unknown) => error instanceof CreditsError);
    equal(b.keeper.misses, 1);
    equal(b.keeper.ends, 0);
    equal(provider.isRevoked, false);
    equal(await run(a.source.token()), 'at-1');
  });

  it('T15.33 F44 a revoked refresh token ends the sign-in, and asks the provider no more', async () => {
    const { source, keeper } = window('a');
    provider.isRevoked = true;
    await clock.advance(600_000);
    await rejects(
      run(source.token()),
      (error: unknown) => error instanceof CreditsError && error.reason === 'unauthenticated',
    );
    equal(keeper.ends, 1);
    equal(keeper.current, undefined);
  });

  it('a provider that is away costs nothing while the token lasts, and is no sign-out after', async () => {
    const { source, keeper } = window('a');
    provider.isAway = true;
    await clock.advance(545_000);
    equal(await run(source.token(), 20_000), 'at-0');
    await clock.advance(60_000);
    await rejects(run(source.token()), (error: unknown) => error instanceof CreditsError && error.mayHeal);
    equal(keeper.ends, 0);
    provider.isAway = false;
    equal(await run(source.token()), 'at-1');
  });

  it('a folder that cannot be used does not keep one window from renewing', async () => {
    folder.fails = true;
    const { source } = window('a');
    await clock.advance(600_000);
    equal(await run(source.token()), 'at-1');
  });

  it('F13 a token the server refuses is renewed once, and the request goes out again', async () => {
    const { renewal, keeper } = window('a');
    const server = new ScriptedServer();
    server.instead = seen =>
      seen.headers.get('authorization') === 'Bearer at-0' ? problem(401, 'unauthenticated') : undefined;
    const connect = connector({ fetch: server.fetch, clock, userAgent: 't' }, renewal.sourceOf);
    const asked = connect(keeper.signIn).then(client => client.me());
    equal((await run(asked)).principal.id, 'usr_1');
    deepEqual(
      server.seen.map(one => one.headers.get('authorization')),
      ['Bearer at-0', 'Bearer at-1'],
    );
  });

  it('T15.34 an account that was deleted ends the sign-in, after one try', async () => {
    const { renewal, keeper } = window('a');
    provider.isRevoked = true;
    const server = new ScriptedServer();
    server.instead = () => problem(401, 'unauthenticated');
    const connect = connector({ fetch: server.fetch, clock, userAgent: 't' }, renewal.sourceOf);
    await rejects(
      run(connect(keeper.signIn).then(client => client.me())),
      (error: unknown) => error instanceof CreditsError && error.reason === 'unauthenticated',
    );
    equal(server.seen.length, 1);
    equal(keeper.ends, 1);
  });

  it('T15.35 others get a token that reads and no more; our own stays ours', async () => {
    const { renewal, keeper } = window('a');
    equal(await run(renewal.readOnlyToken(keeper.signIn, 'credits:read')), 'credits:read-1');
    equal(await run(renewal.readOnlyToken(keeper.signIn, 'credits:read')), 'credits:read-1');
    equal(keeper.signIn.token, 'at-0');
    deepEqual(provider.scopes, ['credits:read']);
    ok(!folder.text.includes('rt-') && !folder.text.includes('at-') && !folder.text.includes('read-1'));
  });

  it('leaves nothing behind', async () => {
    const { source } = window('a');
    await clock.advance(600_000);
    await run(source.token());
    await settled();
    equal(clock.pending, 0);
  });
});
