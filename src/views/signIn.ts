// Signing in and out, from the question for the server to the balance: nothing is stored before the server has accepted
// the token.
import { commands, env, l10n, ProgressLocation, window } from 'vscode';
import type { Me, Membership } from '../../protocol/api.ts';
import type { Account, Grant } from '../core/account.ts';
import { type Clock, seconds, sleep } from '../core/clock.ts';
import { type Connect, newClient } from '../core/connect.ts';
import type { CreditsClientMeans } from '../core/creditsClient.ts';
import { asCreditsError } from '../core/errors.ts';
import { type Disposable, Owned } from '../core/event.ts';
import { newId } from '../core/random.ts';
import type { IdentityProvider } from '../core/signIn/identityProvider.ts';
import { type HostFacts, placeOf, waysFor } from '../core/signIn/ways.ts';
import type { Slot } from '../core/slot.ts';
import type { EditorAccounts } from '../vscode/editorAccounts.ts';
import type { Session } from '../vscode/session.ts';
import type { Settings } from '../vscode/settings.ts';
import type { BrowserMeans, UnderWay } from './browserSignIn.ts';
import { describeError } from './describe.ts';
import { describeSignIn, nameOfWay } from './describeSignIn.ts';
import { askServer, askToken, pickOrganisation, readServer, type Server, whoIs } from './signInQuestions.ts';
import { inert } from './text.ts';

export interface SignInMeans {
  readonly session: Session;
  readonly settings: Settings;
  readonly client: CreditsClientMeans;
  readonly lastServerUrl: Slot<string>;
  /** The organisation of the last sign-in, by server and person. */
  readonly lastOrganisations: Slot<Readonly<Record<string, string>>>;
  readonly host: HostFacts;
  readonly browser: BrowserMeans;
  readonly accounts: EditorAccounts;
}

/** An answer that takes longer is worth a word, and a way out. */
const SLOW_MS = seconds(1);

/** At most this many people are remembered. */
const MAX_REMEMBERED = 20;

/** One sign-in at a time; the two commands of its notification act on it. */
export class SignInGuide {
  readonly #means: SignInMeans;
  #running: AbortController | undefined;
  #underWay: UnderWay | undefined;

  constructor(means: SignInMeans) {
    this.#means = means;
  }

  /** From the question for the server to the balance. Asked again, it starts anew. */
  async signIn(): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      await signIn(this.#means, running.signal, underWay => {
        if (this.#running === running) {
          this.#underWay = underWay;
          void commands.executeCommand('setContext', 'credits.signingIn', underWay !== undefined);
        }
      });
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
      }
    }
  }

  async copyLink(): Promise<void> {
    if (this.#underWay) {
      await env.clipboard.writeText(this.#underWay.copyText);
    }
  }

  anotherWay(): void {
    this.#underWay?.anotherWay.abort();
  }

  dispose(): void {
    this.#running?.abort();
  }
}

/** Ends it here and in all windows, and then at the identity provider, which may be out of reach. */
export async function signOut({ session, client, browser }: SignInMeans): Promise<void> {
  await session.reread();
  const { current } = session;
  await session.signOut();
  if (current?.grant?.refreshToken) {
    await revoke(current.account.serverUrl, current.grant, { client, browser });
  }
}

export async function switchOrganisation(means: SignInMeans, connect: Connect): Promise<void> {
  const { session } = means;
  const { current } = session;
  if (!current) {
    return;
  }
  const { account } = current;
  let me: Me;
  try {
    me = await (await connect(current)).me();
  } catch (error) {
    void window.showErrorMessage(describeError(asCreditsError(error)));
    return;
  }
  if (me.orgs.length < 2) {
    void window.showInformationMessage(
      l10n.t('{0} is your only organisation on this server.', inert(account.orgName)),
    );
    return;
  }
  const org = await pickOrganisation(me, account.orgId);
  // Someone else may have signed in while the list was open.
  if (org && org.id !== account.orgId && session.current === current) {
    await session.moveTo({ orgId: org.id, orgName: org.name, role: org.role });
    await remember(means, account.serverUrl, me, org);
    await warnOfMismatch(means, me, org);
  }
}

/** Says so when a sign-in ended without anyone's doing here, and offers the next. */
export function tellEnds(session: Session, again: () => void): Disposable {
  const owned = new Owned();
  const offer = async (text: string) => {
    const action = l10n.t('Sign In');
    if ((await window.showWarningMessage(text, action)) === action) {
      again();
    }
  };
  owned.own(
    session.onDidEnd(({ account }) =>
      offer(
        l10n.t(
          "Your sign-in for {0} has ended: your organisation's identity provider no longer accepts it. Sign in again to see the balance.",
          inert(account.orgName),
        ),
      ),
    ),
  );
  owned.own(
    session.onDidFindDamage(() =>
      offer(l10n.t('The kept sign-in cannot be read any more, so it is not used. Sign in again.')),
    ),
  );
  return owned;
}

async function signIn(
  means: SignInMeans,
  signal: AbortSignal,
  follow: (underWay: UnderWay | undefined) => void,
): Promise<void> {
  const { session, settings } = means;
  const server =
    settings.serverUrl === ''
      ? await askServer(means.client, means.lastServerUrl.read() ?? '')
      : await withPatience(configuredServer(means), signal, means.browser.clock);
  if (!server || signal.aborted) {
    return;
  }
  const accepted = await authenticate(means, server, signal, follow);
  if (!accepted || signal.aborted) {
    return;
  }
  const { me, token, grant } = accepted;
  const org = await chooseOrganisation(means, server.url, me);
  if (!org || signal.aborted) {
    if (grant) {
      await revoke(server.url, grant, means);
    }
    return;
  }
  const account = accountOf(server.url, me, org);
  const outcome = await session.signIn({ account, token, ...(grant ? { grant } : {}) });
  await means.lastServerUrl.write(server.url);
  await remember(means, server.url, me, org);
  if (outcome === 'untilClosed') {
    void window.showWarningMessage(
      l10n.t(
        "Your system's secret storage is not available, so you are signed in until this window is closed. The token was not written anywhere.",
      ),
    );
  }
  await warnOfMismatch(means, me, org);
}

interface Accepted {
  readonly token: string;
  readonly me: Me;
  readonly grant?: Grant;
}

/** In the browser where the server names an identity provider, else by a pasted token. */
async function authenticate(
  means: SignInMeans,
  server: Server,
  signal: AbortSignal,
  follow: (underWay: UnderWay | undefined) => void,
): Promise<Accepted | undefined> {
  if (!server.meta.sign_in) {
    return await askToken(means.client, server.url);
  }
  const { discover } = await import('../core/signIn/identityProvider.ts');
  const { signInByBrowser } = await import('./browserSignIn.ts');
  let provider: IdentityProvider;
  try {
    const discovery = discover(server.url, server.meta.sign_in, means.client);
    const found = await withPatience(discovery, signal, means.browser.clock);
    if (!found) {
      return undefined;
    }
    provider = found;
  } catch (error) {
    return await offerToken(means, server.url, error);
  }
  const client = await newClient(server.url, undefined, means.client);
  const ways = waysFor(placeOf(means.host), provider);
  const redirectUri = server.meta.sign_in.redirect_uri;
  const tokens = await signInByBrowser(
    { provider, redirectUri, client, ways, signal, follow },
    means.browser,
  );
  if (tokens === 'token') {
    return await askToken(means.client, server.url);
  }
  if (!tokens) {
    return undefined;
  }
  const grant: Grant = {
    id: newId(),
    generation: 0,
    issuer: provider.issuer,
    clientId: provider.clientId,
    refreshToken: tokens.refreshToken,
    expiresAtMs: tokens.expiresAtMs,
  };
  const asking = whoIs(means.client, server.url, tokens.accessToken);
  const answer = await withPatience(asking, signal, means.browser.clock);
  if (answer && 'me' in answer) {
    return { token: tokens.accessToken, me: answer.me, grant };
  }
  await revoke(server.url, grant, means);
  if (!answer) {
    return undefined;
  }
  void window.showErrorMessage(
    answer.isRefused
      ? l10n.t(
          'You are known to the identity provider, but not to this credits server. Ask an administrator of your organisation to add you.',
        )
      : answer.problem,
  );
  return undefined;
}

async function offerToken(
  means: SignInMeans,
  serverUrl: string,
  error: unknown,
): Promise<Accepted | undefined> {
  const { SignInError } = await import('../core/signIn/errors.ts');
  const told = error instanceof SignInError ? describeSignIn(error) : describeError(asCreditsError(error));
  const paste = nameOfWay('token');
  return (await window.showWarningMessage(told, paste)) === paste
    ? await askToken(means.client, serverUrl)
    : undefined;
}

/** The provider is told that a sign-in is over. It may be out of reach; nothing here waits on that. */
async function revoke(
  serverUrl: string,
  grant: Grant,
  { client, browser }: Pick<SignInMeans, 'client' | 'browser'>,
): Promise<void> {
  if (grant.refreshToken === null) {
    return;
  }
  try {
    const { openAgain } = await import('../core/signIn/identityProvider.ts');
    await (await openAgain(grant, serverUrl, client)).revoke(grant.refreshToken);
  } catch (error) {
    browser.log.info(`revocation: ${error instanceof Error ? error.message : 'failed'}`);
  }
}

/** Where the host shows a new sign-in only to windows that start after it. */
export function offerReload(session: Session): Disposable {
  return session.onDidMiss(async () => {
    const reload = l10n.t('Reload to Sign In');
    const chosen = await window.showInformationMessage(
      l10n.t('Another window signed in to Credits. Reload this window to follow.'),
      reload,
    );
    if (chosen === reload) {
      await commands.executeCommand('workbench.action.reloadWindow');
    }
  });
}

export function accountOf(serverUrl: string, me: Me, org: Membership): Account {
  return {
    serverUrl,
    personId: me.principal.id,
    personName: me.principal.name,
    orgId: org.id,
    orgName: org.name,
    role: org.role,
  };
}

/** Undefined when the person did not want to wait, which is offered once the answer takes its time. */
async function withPatience<T>(
  answer: Promise<T>,
  signal: AbortSignal,
  clock: Clock,
): Promise<T | undefined> {
  const isHere = new AbortController();
  const here = () => isHere.abort();
  answer.then(here, here);
  await sleep(clock, SLOW_MS, AbortSignal.any([isHere.signal, signal]));
  if (isHere.signal.aborted || signal.aborted) {
    return signal.aborted ? undefined : await answer;
  }
  return await window.withProgress(
    {
      location: ProgressLocation.Notification,
      title: l10n.t('Signing in to Credits'),
      cancellable: true,
    },
    async (progress, token) => {
      progress.report({ message: l10n.t('Waiting for the server…') });
      const left = new Promise<undefined>(resolve => {
        const leave = () => resolve(undefined);
        token.onCancellationRequested(leave);
        signal.addEventListener('abort', leave, { once: true });
      });
      return await Promise.race([answer, left]);
    },
  );
}

async function configuredServer({ settings, client }: SignInMeans): Promise<Server | undefined> {
  const answer = await readServer(settings.serverUrl, client);
  if ('value' in answer) {
    return answer.value;
  }
  void window.showErrorMessage(l10n.t('The setting "credits.serverUrl" cannot be used. {0}', answer.problem));
  return undefined;
}

/** The organisation of last time without a question; with several and no memory, the person picks. */
async function chooseOrganisation(
  { lastOrganisations }: SignInMeans,
  serverUrl: string,
  me: Me,
): Promise<Membership | undefined> {
  const last = lastOrganisations.read()?.[personKey(serverUrl, me)];
  const known = me.orgs.find(org => org.id === last);
  return known ?? (me.orgs.length === 1 ? me.orgs[0] : await pickOrganisation(me, undefined));
}

async function remember(
  { lastOrganisations }: SignInMeans,
  serverUrl: string,
  me: Me,
  org: Membership,
): Promise<void> {
  const key = personKey(serverUrl, me);
  const others = Object.entries(lastOrganisations.read() ?? {}).filter(([known]) => known !== key);
  await lastOrganisations.write(Object.fromEntries([...others.slice(1 - MAX_REMEMBERED), [key, org.id]]));
}

function personKey(serverUrl: string, { principal }: Me): string {
  return JSON.stringify([serverUrl, principal.id]);
}

/** Told once: whose credits these are is easily mistaken where one person has two accounts. */
async function warnOfMismatch({ accounts }: SignInMeans, { principal }: Me, org: Membership): Promise<void> {
  const other = principal.email === null ? undefined : await accounts.otherThan(principal.email);
  if (other !== undefined && principal.email !== null) {
    void window.showWarningMessage(
      l10n.t(
        'These are the credits of {0}, for {1}. In this editor you are signed in as {2}.',
        inert(org.name),
        inert(principal.email),
        inert(other),
      ),
    );
  }
}
