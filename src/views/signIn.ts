// Signing in: which server, with which token, for which organisation. Each answer is checked while the box is open, so
// a mistake is corrected where it was made; nothing is stored before the server has accepted the token.
import { commands, type InputBox, l10n, type QuickPickItem, window } from 'vscode';
import type { Me, Membership } from '../../protocol/api.ts';
import type { Account } from '../core/account.ts';
import { readServerAddress } from '../core/address.ts';
import { newClient } from '../core/connect.ts';
import type { CreditsClientMeans } from '../core/creditsClient.ts';
import { asCreditsError } from '../core/errors.ts';
import { type Disposable, Owned } from '../core/event.ts';
import type { Slot } from '../core/slot.ts';
import type { Session } from '../vscode/session.ts';
import type { Settings } from '../vscode/settings.ts';
import { describeAddress, describeError } from './describe.ts';
import { inert } from './text.ts';

export interface SignInMeans {
  readonly session: Session;
  readonly settings: Settings;
  readonly client: CreditsClientMeans;
  readonly lastServerUrl: Slot<string>;
}

export async function signIn(means: SignInMeans): Promise<void> {
  const { session, settings } = means;
  const serverUrl = settings.serverUrl === '' ? await askServer(means) : configuredServer(settings.serverUrl);
  if (serverUrl === undefined) {
    return;
  }
  const accepted = await askToken(means, serverUrl);
  if (!accepted) {
    return;
  }
  const { token, me } = accepted;
  const org = await chooseOrganisation(me);
  if (!org) {
    return;
  }
  const outcome = await session.signIn({ account: accountOf(serverUrl, me, org), token });
  await means.lastServerUrl.write(serverUrl);
  if (outcome === 'untilClosed') {
    void window.showWarningMessage(
      l10n.t(
        "Your system's secret storage is not available, so you are signed in until this window is closed. The token was not written anywhere.",
      ),
    );
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

function configuredServer(setting: string): string | undefined {
  const address = readServerAddress(setting);
  if (address.ok) {
    return address.url;
  }
  void window.showErrorMessage(
    l10n.t('The setting "credits.serverUrl" cannot be used. {0}', describeAddress(address.problem)),
  );
  return undefined;
}

function askServer({ client, lastServerUrl }: SignInMeans): Promise<string | undefined> {
  return ask({
    title: l10n.t('Sign In to Credits (1/2)'),
    prompt: l10n.t("Address of your organisation's credits server"),
    placeholder: 'https://credits.example.com',
    value: lastServerUrl.read() ?? '',
    isSecret: false,
    typed: text => {
      const address = readServerAddress(text);
      return address.ok || text.trim() === '' ? undefined : describeAddress(address.problem);
    },
    accept: async text => {
      const address = readServerAddress(text);
      if (!address.ok) {
        return { problem: describeAddress(address.problem) };
      }
      try {
        await (await newClient(address.url, undefined, client)).meta();
        return { value: address.url };
      } catch (error) {
        return { problem: describeError(asCreditsError(error)) };
      }
    },
  });
}

function askToken(
  { client }: SignInMeans,
  serverUrl: string,
): Promise<{ readonly token: string; readonly me: Me } | undefined> {
  return ask({
    title: l10n.t('Sign In to Credits (2/2)'),
    prompt: l10n.t('Access token for {0}', new URL(serverUrl).host),
    placeholder: '',
    value: '',
    isSecret: true,
    typed: () => undefined,
    accept: async text => {
      const token = text.trim();
      if (token === '') {
        return { problem: l10n.t('Enter the access token your organisation gave you.') };
      }
      // What cannot stand in a header is not sent: some fetches quote a refused header, token and all, in their error.
      if (!/^[\x21-\x7e]{1,2000}$/.test(token)) {
        return { problem: l10n.t('This is not an access token: it has blanks or letters no token has.') };
      }
      try {
        const me = await (await newClient(serverUrl, token, client)).me();
        return me.orgs.length > 0
          ? { value: { token, me } }
          : { problem: l10n.t('This token belongs to no organisation.') };
      } catch (caught) {
        const error = asCreditsError(caught);
        return {
          problem:
            error.reason === 'unauthenticated'
              ? l10n.t('The server does not accept this token. Check it and try again.')
              : describeError(error),
        };
      }
    },
  });
}

async function chooseOrganisation({ orgs }: Me): Promise<Membership | undefined> {
  if (orgs.length === 1) {
    return orgs[0];
  }
  const items = orgs.map((org): QuickPickItem & { org: Membership } => ({
    label: inert(org.name),
    description: inert(org.role),
    org,
  }));
  const chosen = await window.showQuickPick(items, {
    title: l10n.t('Sign In to Credits'),
    placeHolder: l10n.t("Which organisation's credits do you want to see?"),
    ignoreFocusOut: true,
  });
  return chosen?.org;
}

interface Question<T> {
  readonly title: string;
  readonly prompt: string;
  readonly placeholder: string;
  readonly value: string;
  readonly isSecret: boolean;
  /** What is wrong with the text so far, if anything. */
  readonly typed: (text: string) => string | undefined;
  readonly accept: (text: string) => Promise<{ value: T } | { problem: string }>;
}

/** An input box that stays open, text and all, until its answer is accepted or it is left. */
function ask<T>(question: Question<T>): Promise<T | undefined> {
  return new Promise(resolve => {
    const owned = new Owned();
    const box: InputBox = owned.own(window.createInputBox());
    box.title = question.title;
    box.prompt = question.prompt;
    box.placeholder = question.placeholder;
    box.value = question.value;
    box.password = question.isSecret;
    // The token comes from another window, usually a browser; going there must not lose what was typed.
    box.ignoreFocusOut = true;
    const finish = (value: T | undefined) => {
      owned.dispose();
      resolve(value);
    };
    let isOpen = true;
    owned.own(
      box.onDidChangeValue(text => {
        box.validationMessage = question.typed(text);
      }),
    );
    owned.own(
      box.onDidAccept(async () => {
        if (box.busy) {
          return;
        }
        box.busy = true;
        box.enabled = false;
        const answer = await question.accept(box.value);
        if (!isOpen) {
          return;
        }
        box.busy = false;
        box.enabled = true;
        if ('value' in answer) {
          isOpen = false;
          finish(answer.value);
        } else {
          box.validationMessage = answer.problem;
        }
      }),
    );
    owned.own(
      box.onDidHide(() => {
        if (isOpen) {
          isOpen = false;
          finish(undefined);
        }
      }),
    );
    box.show();
  });
}
