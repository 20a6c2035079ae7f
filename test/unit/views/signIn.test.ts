// Signing in as the person meets it: each answer a server can give, each way out, and each way on. The provider and
// the server say what a test tells them; boxes, notifications and lists are the editor's, in memory.
import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import { get } from 'node:http';
import type { SecretStorage } from 'vscode';
import type { Me, Membership } from '../../../protocol/api.ts';
import { connector } from '../../../src/core/connect.ts';
import { Emitter } from '../../../src/core/event.ts';
import type { HostFacts } from '../../../src/core/signIn/ways.ts';
import { FakeClock, settled } from '../../support/clock.ts';
import { CollectingLog, MemorySlot, ORG, SERVER } from '../../support/core.ts';
import type { FakeBox, FakeProgress } from '../../support/fakeVscode.ts';
import { CLIENT, ISSUER, ScriptedIssuer } from '../../support/scriptedIssuer.ts';
import { html, json, problem, ScriptedServer, unreachable } from '../../support/scriptedServer.ts';
import { FakeSecrets } from '../../support/secrets.ts';
import { fake } from '../../support/vscode.ts';

const { offerReload, SignInGuide, signOut, switchOrganisation, tellEnds } = await import(
  '../../../src/views/signIn.ts'
);
const { Session } = await import('../../../src/vscode/session.ts');
const { Settings } = await import('../../../src/vscode/settings.ts');
const { EditorAccounts } = await import('../../../src/vscode/editorAccounts.ts');
const { did } = fake;

const TOKEN = 'crd_pat_canary';
const META = {
  service: 'credits',
  api_versions: ['v1'],
  server_version: '1.4.0',
  payment_mode: 'test',
  features: { checkout: true, events: true },
};
const acme: Membership = { id: ORG, name: 'Acme', role: 'admin', permissions: { can_purchase: true } };
const orbit: Membership = { ...acme, id: 'org_2', name: 'Orbit', role: 'user' };
const web: HostFacts = { isWeb: true, isRemote: true, uriScheme: 'code-oss' };
const desktop: HostFacts = { isWeb: false, isRemote: false, uriScheme: 'vscode' };

class Desk {
  readonly clock = new FakeClock();
  readonly server = new ScriptedServer();
  readonly issuer: ScriptedIssuer;
  readonly log = new CollectingLog();
  readonly answers = new Emitter<URLSearchParams>();
  readonly opened: string[] = [];
  browserOpens = true;
  readonly lastServerUrl = new MemorySlot<string>();
  readonly lastOrganisations = new MemorySlot<Readonly<Record<string, string>>>();
  readonly session: InstanceType<typeof Session>;
  readonly guide: InstanceType<typeof SignInGuide>;
  readonly means: ConstructorParameters<typeof SignInGuide>[0];
  me: Me = {
    principal: { id: 'usr_1', kind: 'person', name: 'Ada', email: 'ada@acme.example' },
    orgs: [acme],
  };
  /** Requests to such addresses are not answered before `letGo`. */
  holds: RegExp | undefined;
  letGo: () => void = () => undefined;
  held = 0;

  constructor(issuer: ScriptedIssuer, host: HostFacts, browserSignIn: boolean, secrets: FakeSecrets) {
    this.issuer = issuer;
    this.server.instead = ({ path, headers }) => {
      if (path === '/v1/meta') {
        const sign_in = { client_id: CLIENT, redirect_uri: `${SERVER}/sign-in/return` };
        return json(browserSignIn ? { ...META, sign_in } : META);
      }
      if (path === '/v1/me') {
        const isKnown = [`Bearer ${TOKEN}`, 'Bearer at-1'].includes(headers.get('authorization') ?? '');
        return isKnown ? json(this.me) : problem(401, 'unauthenticated');
      }
      return path === '/v1/sign-in-returns' ? json({ expires_at: '2026-11-22T12:05:00Z' }) : undefined;
    };
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (this.holds?.test(url)) {
        this.held++;
        await new Promise<void>(resolve => {
          this.letGo = resolve;
        });
      }
      return url.startsWith(ISSUER) || url.includes('/.well-known/')
        ? await issuer.fetch(input, init)
        : await this.server.fetch(input, init);
    };
    const { clock, log } = this;
    const settings = new Settings();
    this.session = new Session(secrets as unknown as SecretStorage, settings, log);
    const claims = new Set<string>();
    this.means = {
      session: this.session,
      settings,
      client: { fetch, clock, userAgent: 'test/1' },
      lastServerUrl: this.lastServerUrl,
      lastOrganisations: this.lastOrganisations,
      host,
      browser: {
        open: async url => {
          this.opened.push(url);
          return this.browserOpens;
        },
        signedInUri: async () => 'vscode://pub.ext/signed-in',
        onDidSignIn: this.answers.event,
        clock,
        log,
      },
      accounts: new EditorAccounts(async key => !claims.has(key) && Boolean(claims.add(key))),
    };
    this.guide = new SignInGuide(this.means);
  }

  /** The person agrees at the provider, and the browser comes back to the editor. */
  comeBack(change: Record<string, string | undefined> = {}): void {
    this.answers.fire(this.issuer.answerTo(this.opened.at(-1) ?? '', change));
  }

  count(url: string): number {
    return this.issuer.seen.filter(one => one.url === url).length;
  }

  get everythingSaid(): string {
    return [this.log.lines, did.messages.map(({ text }) => text), did.progresses.flatMap(one => one.messages)]
      .flat()
      .join('\n');
  }
}

let issuer: ScriptedIssuer;

function desk({
  host = web,
  browser = true,
  url = SERVER as string,
  secrets = new FakeSecrets(),
} = {}): Desk {
  did.settings.set('serverUrl', { globalValue: url });
  return new Desk(issuer, host, browser, secrets);
}

/** Lets whatever goes on come to rest; signatures are checked on threads of their own. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 4_000; performance.now() < endMs; ) {
    if (holds()) {
      return;
    }
    await settled();
  }
  throw new Error(`not true: ${what}`);
}

async function boxAsks(words: RegExp): Promise<FakeBox> {
  const isIt = (box: FakeBox | undefined): box is FakeBox => box?.isOpen === true && words.test(box.prompt);
  await until(`a box asks for ${words}`, () => isIt(did.boxes.at(-1)));
  const box = did.boxes.at(-1);
  ok(isIt(box));
  return box;
}

async function notificationSays(words: RegExp): Promise<FakeProgress> {
  const isIt = (one: FakeProgress | undefined): one is FakeProgress =>
    one?.isOpen === true && words.test(one.messages.at(-1) ?? '');
  await until(`a notification says ${words}`, () => isIt(did.progresses.at(-1)));
  const progress = did.progresses.at(-1);
  ok(isIt(progress));
  return progress;
}

beforeEach(async () => {
  did.reset();
  issuer = await ScriptedIssuer.create();
});

describe('the question for the server', () => {
  const bad: ReadonlyArray<
    readonly [title: string, typed: string, answer: () => Response | Promise<Response>, said: RegExp]
  > = [
    ['nothing', '  ', () => json(META), /Enter the address/],
    ['no address', 'credits', () => json(META), /not a web address/],
    ['an address without https', 'http://credits.example.com', () => json(META), /begin with https/],
    ['a name in the address', 'https://ada@credits.example.com', () => json(META), /user name or password/],
    ['a page of a service', 'https://credits.example.com/?a=b', () => json(META), /before any/],
    ['a web page', SERVER, () => html(), /A web page answered/],
    ['a web page that says not found', SERVER, () => html(404), /A web page answered/],
    ['another service', SERVER, () => json({ hello: 'world' }), /not one a credits server gives/],
    ['a service that does not know the path', SERVER, () => problem(404, 'not_found'), /status 404/],
    ['a service that wants a sign-in', SERVER, () => problem(401, 'unauthenticated'), /status 401/],
    ['a service that forbids', SERVER, () => problem(403, 'forbidden'), /status 403/],
    [
      'a network that wants a sign-in first',
      SERVER,
      () => new Response(null, { status: 302, headers: { location: 'https://portal.example' } }),
      /network may want you to sign in first/,
    ],
    ['a proxy that wants a sign-in', SERVER, () => html(407), /proxy asks for a sign-in/],
    [
      'a certificate nobody trusts',
      SERVER,
      () => Promise.reject(unreachable('DEPTH_ZERO_SELF_SIGNED_CERT')),
      /certificate is not trusted/,
    ],
    [
      'a certificate that has run out',
      SERVER,
      () => Promise.reject(unreachable('CERT_HAS_EXPIRED')),
      /certificate is not trusted/,
    ],
    ['nobody', SERVER, () => Promise.reject(unreachable()), /cannot be reached/],
    ['no such name', SERVER, () => Promise.reject(unreachable('ENOTFOUND')), /cannot be reached/],
    [
      'a server that is down',
      SERVER,
      () => problem(503, 'unavailable'),
      /problem at the moment \(status 503\)/,
    ],
    ['a server that is busy', SERVER, () => problem(429, 'rate_limited'), /busy at the moment/],
    [
      'a server that is too old',
      SERVER,
      () => json({ ...META, api_versions: ['v0'] }),
      /server \(version 1\.4\.0\) is too old .* v0, not v1/,
    ],
    [
      'a server that speaks nothing we know',
      SERVER,
      () => json({ ...META, api_versions: [] }),
      /server \(version 1\.4\.0\) is too old/,
    ],
    [
      'a server that is too new',
      SERVER,
      () => json({ ...META, api_versions: ['v2', 'v3'] }),
      /extension is too old .* v2, v3 and no longer v1/,
    ],
  ];
  for (const [title, typed, answer, said] of bad) {
    it(`says what is wrong with ${title}, and keeps what was typed`, async () => {
      const one = desk({ browser: false, url: '' });
      const honest = one.server.instead;
      one.server.instead = answer;
      const done = one.guide.signIn();
      const box = await boxAsks(/Address of your/);
      box.type(typed);
      await box.enter();
      match(box.validationMessage ?? '', said);
      equal(box.value, typed);
      ok(box.isOpen && box.enabled && !box.busy);
      equal(one.lastServerUrl.read(), undefined);
      // Put right in the same box, it goes on.
      one.server.instead = honest;
      box.type(SERVER);
      await box.enter();
      (await boxAsks(/Access token/)).leave();
      await done;
      equal(one.session.current, undefined);
    });
  }

  it('says that nobody answered in time, and keeps what was typed', async () => {
    const one = desk({ browser: false, url: '' });
    one.holds = /meta$/;
    const done = one.guide.signIn();
    const box = await boxAsks(/Address of your/);
    box.type(SERVER);
    const asked = box.enter();
    await until('it asks', () => one.held === 1);
    ok(box.busy);
    await one.clock.advance(60_000);
    await asked;
    match(box.validationMessage ?? '', /took too long/);
    equal(box.value, SERVER);
    box.leave();
    await done;
  });

  it('is answered while it is typed, and takes nothing that came after it was left', async () => {
    const one = desk({ browser: false, url: '' });
    const done = one.guide.signIn();
    const box = await boxAsks(/Address of your/);
    box.type('http://x');
    match(box.validationMessage ?? '', /begin with https/);
    box.type(SERVER);
    equal(box.validationMessage, undefined);
    one.holds = /meta$/;
    const asked = box.enter();
    await until('it asks', () => one.held === 1);
    box.leave();
    await done;
    one.letGo();
    await asked;
    await settled();
    equal(did.boxes.length, 1);
    equal(one.lastServerUrl.read(), undefined);
  });

  it('offers the server of last time', async () => {
    const one = desk({ browser: false, url: '' });
    await one.lastServerUrl.write(SERVER);
    const done = one.guide.signIn();
    const box = await boxAsks(/Address of your/);
    equal(box.value, SERVER);
    box.leave();
    await done;
  });

  it('is not asked where the product the editor is part of names one', async () => {
    const one = desk({ browser: false, url: '' });
    did.settings.set('serverUrl', { defaultValue: SERVER });
    const done = one.guide.signIn();
    (await boxAsks(/Access token for credits\.example\.com/)).leave();
    await done;
    equal(did.boxes.length, 1);
  });

  it('is not asked where the setting names one; what is wrong with that is said with its name', async () => {
    const one = desk({ browser: false });
    one.server.instead = () => json({ ...META, api_versions: ['v0'] });
    await one.guide.signIn();
    equal(did.boxes.length, 0);
    match(did.messages.at(-1)?.text ?? '', /credits\.serverUrl.*too old/);
  });
});

describe('a pasted token', () => {
  it('is checked before it is kept, hidden while it is typed, and kept in the box when it is wrong', async () => {
    const one = desk({ browser: false });
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token for credits\.example\.com/);
    ok(box.password);
    for (const [typed, said] of [
      ['', /Enter the access token/],
      ['two words', /blanks or letters no token has/],
      ['crd_pat_ünlaut', /blanks or letters no token has/],
    ] as const) {
      const before = one.server.seen.length;
      box.type(typed);
      await box.enter();
      match(box.validationMessage ?? '', said);
      equal(one.server.seen.length, before);
    }
    box.type('crd_pat_wrong');
    await box.enter();
    match(box.validationMessage ?? '', /does not accept this token/);
    equal(box.value, 'crd_pat_wrong');
    box.type(TOKEN);
    await box.enter();
    await done;
    deepEqual([one.session.current?.account.orgName, one.session.current?.token], ['Acme', TOKEN]);
    equal(one.lastServerUrl.read(), SERVER);
    ok(!/canary|wrong/.test(one.everythingSaid));
  });

  it('F31 is kept until the window is closed where there is no secret storage, and that is said', async () => {
    const secrets = new FakeSecrets(true);
    const one = desk({ browser: false, secrets });
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token/);
    box.type(TOKEN);
    await box.enter();
    await done;
    equal(one.session.current?.token, TOKEN);
    equal(secrets.values.size, 0);
    match(did.messages[0]?.text ?? '', /secret storage is not available.*until this window is closed/);
    ok(!one.everythingSaid.includes(TOKEN));
    // Nor is it in what the editor keeps in plain files.
    ok(![one.lastServerUrl.text, one.lastOrganisations.text].join().includes(TOKEN));
  });

  it('of somebody without an organisation opens nothing', async () => {
    const one = desk({ browser: false });
    one.me = { ...one.me, orgs: [] };
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token/);
    box.type(TOKEN);
    await box.enter();
    match(box.validationMessage ?? '', /belong to no organisation/);
    box.leave();
    await done;
    equal(one.session.current, undefined);
  });

  it('can be left while the server is asked, and is not used then', async () => {
    const one = desk({ browser: false });
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token/);
    box.type(TOKEN);
    one.holds = /me$/;
    const asked = box.enter();
    await until('it asks', () => one.held === 1);
    box.leave();
    await done;
    one.letGo();
    await asked;
    await settled();
    equal(one.session.current, undefined);
  });
});

describe('signing in in the browser', () => {
  it('goes from the click to the account, and leaves nothing open', async () => {
    const one = desk();
    const done = one.guide.signIn();
    await notificationSays(/Go on in your browser, at id\.example\.com/);
    equal(did.contexts.get('credits.signingIn'), true);
    await one.guide.copyLink();
    equal(did.clipboard, one.opened[0]);
    one.comeBack();
    await done;
    const { current } = one.session;
    deepEqual(
      [current?.account.personName, current?.account.orgName, current?.token, current?.grant?.refreshToken],
      ['Ada', 'Acme', 'at-1', 'rt-1'],
    );
    equal(did.contexts.get('credits.signingIn'), false);
    ok(did.progresses.every(progress => !progress.isOpen));
    ok(!/at-1|rt-1|code-1/.test(one.everythingSaid));
    equal(one.clock.pending, 0);
  });

  // Where the person stands when they leave: what is held back there, and what must not happen afterwards.
  const steps: ReadonlyArray<
    readonly [title: string, holds: RegExp | undefined, words: RegExp | undefined, mustRevoke?: boolean]
  > = [
    ['while the server is slow', /meta$/, /Waiting for the server/],
    ['while the provider is looked up', /well-known/, /Waiting for the server/],
    ['while the way back is announced', /sign-in-returns$/, undefined],
    ['in the browser', undefined, /Go on in your browser/],
    ['while the answer is exchanged', /token$/, /Go on in your browser/, true],
    ['while the server is asked who it is', /me$/, /Waiting for the server/, true],
  ];
  for (const [title, holds, words, mustRevoke = false] of steps) {
    it(`can be left ${title}; nothing opens and nobody is signed in afterwards`, async () => {
      const one = desk();
      one.holds = holds;
      const done = one.guide.signIn();
      if (mustRevoke) {
        await until('the browser is open', () => one.opened.length === 1);
        one.comeBack();
      }
      if (holds !== undefined) {
        await until('it is held', () => one.held > 0);
        await one.clock.advance(1_500);
      }
      const progress = words ? await notificationSays(words) : did.progresses.at(-1);
      const opened = one.opened.length;
      progress?.cancel();
      await done;
      equal(progress?.isOpen, false);
      one.holds = undefined;
      one.letGo();
      await one.clock.advance(20_000);
      equal(one.session.current, undefined);
      equal(one.opened.length, opened);
      equal(did.contexts.get('credits.signingIn') ?? false, false);
      deepEqual(did.messages, []);
      // What the provider has given already, or gives yet, is made worthless.
      await until('it is revoked', () => one.count(`${ISSUER}/revoke`) === (mustRevoke ? 1 : 0));
      equal(one.count(`${ISSUER}/revoke`), mustRevoke ? 1 : 0);
      equal(one.clock.pending, 0);
    });
  }

  it('can be left at the question for the organisation, and what was given is revoked', async () => {
    const one = desk();
    one.me = { ...one.me, orgs: [acme, orbit] };
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    one.comeBack();
    await done;
    equal(one.session.current, undefined);
    const revoked = one.issuer.seen.find(({ url }) => url === `${ISSUER}/revoke`);
    equal(revoked?.form.get('token'), 'rt-1');
  });

  it('"Having trouble?" goes on to a code, then to a token, and asks nothing again', async () => {
    const one = desk();
    const done = one.guide.signIn();
    await notificationSays(/Having trouble\?/);
    one.guide.anotherWay();
    await notificationSays(/Enter the code WDJB-MJHT at id\.example\.com/);
    const [panel] = did.panels;
    match(panel?.webview.html ?? '', /WDJB-MJHT/);
    equal(panel?.isDisposed, false);
    await one.guide.copyLink();
    equal(did.clipboard, 'WDJB-MJHT');
    one.guide.anotherWay();
    const box = await boxAsks(/Access token/);
    equal(panel?.isDisposed, true);
    box.type(TOKEN);
    await box.enter();
    await done;
    equal(one.session.current?.token, TOKEN);
    equal(one.server.count(/meta$/), 1);
    equal(one.count(`${ISSUER}/.well-known/openid-configuration`), 1);
  });

  it('a callback that never comes ends after five minutes and offers the next way, or another try', async () => {
    const one = desk();
    did.answer = ({ actions }) => actions[0];
    const done = one.guide.signIn();
    await notificationSays(/Go on in your browser/);
    await one.clock.advance(299_000);
    equal(did.messages.length, 0);
    await one.clock.advance(1_000);
    const progress = await notificationSays(/Enter the code/);
    match(did.messages[0]?.text ?? '', /within five minutes/);
    deepEqual(did.messages[0]?.actions, ['Use a Code on Any Device', 'Try Again']);
    progress.cancel();
    await done;
    equal(one.clock.pending, 0);
  });

  it('"Try Again" begins anew the same way, and an answer to the first try is none to the second', async () => {
    const one = desk();
    did.answer = () => 'Try Again';
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    const [first = ''] = one.opened;
    one.answers.fire(new URLSearchParams({ error: 'access_denied', state: stateOf(first), iss: ISSUER }));
    await until('the browser is open again', () => one.opened.length === 2);
    match(did.messages[0]?.text ?? '', /declined in the browser/);
    notEqual(stateOf(one.opened[1] ?? ''), stateOf(first));
    one.answers.fire(one.issuer.answerTo(first));
    await settled();
    equal(one.count(`${ISSUER}/token`), 0);
    one.comeBack();
    await done;
    equal(one.session.current?.token, 'at-1');
  });

  it('a warning that is closed ends it', async () => {
    const one = desk();
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    one.comeBack({ iss: 'https://evil.example' });
    await done;
    match(did.messages[0]?.text ?? '', /does not belong to this sign-in/);
    equal(one.session.current, undefined);
  });

  it('asked for a second time it starts anew, and the first one is over', async () => {
    const one = desk();
    const first = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    const second = one.guide.signIn();
    await first;
    await until('the browser is open again', () => one.opened.length === 2);
    equal(did.contexts.get('credits.signingIn'), true);
    one.comeBack();
    await second;
    equal(one.session.current?.token, 'at-1');
  });

  it('says that the browser did not open, and keeps the link at hand', async () => {
    const one = desk();
    one.browserOpens = false;
    const done = one.guide.signIn();
    const progress = await notificationSays(/did not open.*Copy link/);
    progress.cancel();
    await done;
  });

  it('known to the provider and not to the server: said, and what was given is revoked', async () => {
    const one = desk();
    const honest = one.server.instead;
    one.server.instead = seen => (seen.path === '/v1/me' ? problem(401, 'unauthenticated') : honest?.(seen));
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    one.comeBack();
    await done;
    match(did.messages[0]?.text ?? '', /not to this credits server/);
    equal(one.count(`${ISSUER}/revoke`), 1);
  });

  it('a provider that cannot be trusted costs nothing: a token can be pasted instead', async () => {
    const one = desk();
    issuer.metadata = { issuer: 'https://evil.example' };
    did.answer = () => 'Paste an Access Token';
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token/);
    match(did.messages[0]?.text ?? '', /do not agree on who they are/);
    box.leave();
    await done;
    equal(one.opened.length, 0);
  });
});

describe('signing in with a code on another device', () => {
  async function toCode() {
    const one = desk();
    const done = one.guide.signIn();
    await notificationSays(/Having trouble\?/);
    return { one, done };
  }

  it('can be left while the code is asked for, and no page opens afterwards', async () => {
    const { one, done } = await toCode();
    one.holds = /device$/;
    one.guide.anotherWay();
    await until('it is held', () => one.held === 1);
    did.progresses.at(-1)?.cancel();
    await done;
    one.letGo();
    await one.clock.advance(20_000);
    equal(did.panels.length, 0);
    equal(one.clock.pending, 0);
  });

  it('can be left while it waits: the page closes, and the provider is asked no more', async () => {
    const { one, done } = await toCode();
    one.issuer.instead = url =>
      url === `${ISSUER}/token` ? json({ error: 'authorization_pending' }, 400) : undefined;
    one.guide.anotherWay();
    const progress = await notificationSays(/Enter the code/);
    await one.clock.advance(5_000);
    await until('the provider is asked', () => one.count(`${ISSUER}/token`) === 1);
    progress.cancel();
    await done;
    await one.clock.advance(60_000);
    equal(one.count(`${ISSUER}/token`), 1);
    equal(did.panels[0]?.isDisposed, true);
    equal(one.clock.pending, 0);
  });

  it('signs in once the person has agreed elsewhere, and the page closes', async () => {
    const { one, done } = await toCode();
    one.guide.anotherWay();
    await notificationSays(/Enter the code/);
    await one.clock.advance(5_000);
    await done;
    equal(one.session.current?.token, 'at-1');
    equal(did.panels[0]?.isDisposed, true);
  });

  it('"Try Again" shows a new code when the first has expired', async () => {
    const { one, done } = await toCode();
    let codes = 0;
    one.issuer.instead = url => {
      codes += url === `${ISSUER}/device` ? 1 : 0;
      return url === `${ISSUER}/token` && codes === 1 ? json({ error: 'expired_token' }, 400) : undefined;
    };
    did.answer = () => 'Try Again';
    one.guide.anotherWay();
    await notificationSays(/Enter the code/);
    await one.clock.advance(5_000);
    await until('there is another page', () => did.panels.length === 2);
    match(did.messages[0]?.text ?? '', /no longer good/);
    deepEqual(did.messages[0]?.actions, ['Paste an Access Token', 'Try Again']);
    await one.clock.advance(5_000);
    await done;
    equal(one.session.current?.token, 'at-1');
  });
});

describe('signing in by a port of this machine', () => {
  /** Comes by as a browser does; fetch would say of itself that it is a script. */
  const visit = (url: string) =>
    new Promise<number>((resolve, reject) => {
      get(url, response => resolve(response.resume().statusCode ?? 0)).on('error', reject);
    });
  const listening = () => process.getActiveResourcesInfo().filter(name => name === 'TCPServerWrap').length;

  it('goes from the click to the account, and closes the port', async () => {
    const before = listening();
    const one = desk({ host: desktop });
    const done = one.guide.signIn();
    await notificationSays(/Go on in your browser/);
    const asked = one.opened[0] ?? '';
    const redirectUri = new URL(asked).searchParams.get('redirect_uri') ?? '';
    equal(await visit(`${redirectUri}?${one.issuer.answerTo(asked)}`), 200);
    await done;
    equal(one.session.current?.token, 'at-1');
    await until('the port is closed', () => listening() === before);
    await rejects(visit(redirectUri), { code: 'ECONNREFUSED' });
    equal(one.clock.pending, 0);
  });

  it('can be left at any time, and the port is closed', async () => {
    const before = listening();
    const one = desk({ host: desktop });
    const done = one.guide.signIn();
    const progress = await notificationSays(/Go on in your browser/);
    match(
      new URL(one.opened[0] ?? '').searchParams.get('redirect_uri') ?? '',
      /^http:\/\/127\.0\.0\.1:\d+\//,
    );
    equal(listening(), before + 1);
    progress.cancel();
    await done;
    await until('the port is closed', () => listening() === before);
    equal(one.session.current, undefined);
    equal(one.clock.pending, 0);
  });
});

describe('a sign-in that ends by itself', () => {
  it('F32 is told, with the way to the next, where what was kept cannot be read', async () => {
    const secrets = new FakeSecrets();
    secrets.values.set('credits.signIn.v1', 'nonsense');
    const one = desk({ secrets });
    let again = 0;
    did.answer = ({ actions }) => actions[0];
    tellEnds(one.session, () => again++);
    await settled();
    match(did.messages[0]?.text ?? '', /cannot be read any more/);
    deepEqual([did.messages[0]?.actions, again], [['Sign In'], 1]);
  });

  it('F44 is told with the organisation it was for', async () => {
    const one = desk();
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    one.comeBack();
    await done;
    tellEnds(one.session, () => undefined);
    await one.session.ended(one.session.current?.grant?.id ?? '');
    match(did.messages.at(-1)?.text ?? '', /Your sign-in for Acme has ended/);
    equal(one.session.current, undefined);
  });

  it('F39 a window that cannot read another one’s sign-in offers to be loaded anew', async () => {
    const one = desk();
    const ran: string[] = [];
    const { executeCommand } = fake.commands;
    fake.commands.executeCommand = async command => void ran.push(command);
    try {
      did.answer = ({ actions }) => actions[0];
      offerReload(one.session);
      one.session.missed();
      await settled();
    } finally {
      fake.commands.executeCommand = executeCommand;
    }
    match(did.messages[0]?.text ?? '', /Another window signed in/);
    deepEqual(ran, ['workbench.action.reloadWindow']);
  });
});

describe('the organisation', () => {
  const pickName = (name: string) => (items: readonly unknown[]) =>
    (items as Array<{ label: string }>).find(({ label }) => label === name);

  async function signInByToken(one: Desk): Promise<void> {
    const done = one.guide.signIn();
    const box = await boxAsks(/Access token/);
    box.type(TOKEN);
    await box.enter();
    await done;
  }

  it('is asked for once where there are several, and remembered for this person at this server', async () => {
    const one = desk({ browser: false });
    one.me = { ...one.me, orgs: [acme, orbit] };
    let asked = 0;
    did.pick = items => {
      asked++;
      return pickName('Orbit')(items);
    };
    await signInByToken(one);
    equal(one.session.current?.account.orgName, 'Orbit');
    await signOut(one.means);
    await signInByToken(one);
    equal(one.session.current?.account.orgName, 'Orbit');
    equal(asked, 1);
    // Another person is asked.
    await signOut(one.means);
    one.me = { principal: { ...one.me.principal, id: 'usr_2' }, orgs: [acme, orbit] };
    await signInByToken(one);
    equal(asked, 2);
    // Nobody is sent back to an organisation they have left.
    await signOut(one.means);
    one.me = { ...one.me, orgs: [acme] };
    await signInByToken(one);
    equal(one.session.current?.account.orgName, 'Acme');
  });

  it('is switched by the list, which says which one is shown now', async () => {
    const one = desk({ browser: false });
    did.pick = pickName('Acme');
    one.me = { ...one.me, orgs: [acme, orbit] };
    await signInByToken(one);
    const connect = connector(one.means.client);
    let shown: readonly unknown[] = [];
    did.pick = items => {
      shown = items;
      return pickName('Orbit')(items);
    };
    await switchOrganisation(one.means, connect);
    equal(one.session.current?.account.orgName, 'Orbit');
    deepEqual(
      (shown as Array<{ description: string }>).map(({ description }) => description),
      ['admin · shown now', 'user'],
    );
    did.pick = () => undefined;
    await switchOrganisation(one.means, connect);
    equal(one.session.current?.account.orgName, 'Orbit');
    one.me = { ...one.me, orgs: [orbit] };
    await switchOrganisation(one.means, connect);
    match(did.messages.at(-1)?.text ?? '', /Orbit is your only organisation/);
  });

  it('is not switched for whoever has signed in while the list was open', async () => {
    const one = desk({ browser: false });
    did.pick = pickName('Acme');
    one.me = { ...one.me, orgs: [acme, orbit] };
    await signInByToken(one);
    const other = { account: { ...account(one), personId: 'usr_2', personName: 'Max' }, token: 'of-max' };
    did.pick = async (items: readonly unknown[]) => {
      await one.session.signIn(other);
      return pickName('Orbit')(items);
    };
    await switchOrganisation(one.means, connector(one.means.client));
    deepEqual(
      [one.session.current?.account.personName, one.session.current?.account.orgName],
      ['Max', 'Acme'],
    );
  });

  it('b-11 is named with the account where the editor knows the person by another domain, once', async () => {
    const one = desk({ browser: false });
    did.accounts.set('microsoft', ['ada@home.example']);
    await signInByToken(one);
    await settled();
    const told = () => did.messages.filter(({ text }) => /credits of/.test(text));
    equal(
      told()[0]?.text,
      'These are the credits of Acme, for ada@acme.example. In this editor you are signed in as ada@home.example.',
    );
    await signOut(one.means);
    await signInByToken(one);
    await settled();
    equal(told().length, 1);
  });
});

describe('signing out', () => {
  async function signedIn(): Promise<Desk> {
    const one = desk();
    const done = one.guide.signIn();
    await until('the browser is open', () => one.opened.length === 1);
    one.comeBack();
    await done;
    return one;
  }

  it('T15.48 ends here first, and then makes the refresh token worthless at the provider', async () => {
    const one = await signedIn();
    one.holds = /revoke$/;
    const done = signOut(one.means);
    await until('the provider is told', () => one.held === 1);
    equal(one.session.current, undefined);
    one.letGo();
    await done;
    const revoked = one.issuer.seen.find(({ url }) => url === `${ISSUER}/revoke`);
    deepEqual([revoked?.form.get('token'), revoked?.form.get('token_type_hint')], ['rt-1', 'refresh_token']);
  });

  it('works without the provider, says nothing of it, and writes no token anywhere', async () => {
    const one = await signedIn();
    one.issuer.instead = () => {
      throw unreachable();
    };
    await signOut(one.means);
    equal(one.session.current, undefined);
    deepEqual(did.messages, []);
    ok(!/rt-1|at-1/.test(one.everythingSaid));
  });
});

function stateOf(url: string): string {
  return new URL(url).searchParams.get('state') ?? '';
}

function account(one: Desk) {
  const { current } = one.session;
  ok(current);
  return current.account;
}
