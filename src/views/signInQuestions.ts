// What a sign-in asks the person: which server, which token, which organisation. Each answer is checked while the box is
// open, so a mistake is corrected where it was made.
import { commands, type InputBox, l10n, type QuickPickItem, window } from 'vscode';
import type { Me, Membership, Meta } from '../../protocol/api.ts';
import { readServerAddress } from '../core/address.ts';
import { newClient } from '../core/connect.ts';
import type { CreditsClientMeans } from '../core/creditsClient.ts';
import { asCreditsError } from '../core/errors.ts';
import { Owned } from '../core/event.ts';
import { API_VERSION, type VersionGap, versionGap } from '../core/signIn/versions.ts';
import { describeAddress } from './describe.ts';
import { describeServer } from './describeSignIn.ts';
import { inert, roleText } from './text.ts';

export interface Server {
  readonly url: string;
  readonly meta: Meta;
}

export function askServer(client: CreditsClientMeans, lastUrl: string): Promise<Server | undefined> {
  return ask({
    title: l10n.t('Sign In to Credits'),
    prompt: l10n.t("Address of your organisation's credits server"),
    placeholder: 'https://credits.example.com',
    value: lastUrl,
    isSecret: false,
    typed: text => {
      const address = readServerAddress(text);
      return address.ok || text.trim() === '' ? undefined : describeAddress(address.problem);
    },
    accept: text => readServer(text, client),
  });
}

/** Whether there is a credits server at that address, and one that speaks our version. */
export async function readServer(
  text: string,
  client: CreditsClientMeans,
): Promise<{ value: Server } | { problem: string }> {
  const address = readServerAddress(text);
  if (!address.ok) {
    return { problem: describeAddress(address.problem) };
  }
  try {
    const meta = await (await newClient(address.url, undefined, client)).meta();
    const gap = versionGap(meta.api_versions);
    return gap ? { problem: describeGap(gap, meta) } : { value: { url: address.url, meta } };
  } catch (error) {
    return { problem: describeServer(asCreditsError(error)) };
  }
}

function describeGap(gap: VersionGap, { server_version, api_versions }: Meta): string {
  const spoken = inert(api_versions.join(', '));
  switch (gap) {
    case 'serverBehind':
      return l10n.t(
        'This credits server (version {0}) is too old for this extension: it speaks {1}, not {2}. Ask its administrator to update it.',
        inert(server_version),
        spoken === '' ? '–' : spoken,
        API_VERSION,
      );
    case 'extensionBehind':
      return l10n.t(
        'This extension is too old for this credits server (version {0}), which speaks {1} and no longer {2}. Update the extension.',
        inert(server_version),
        spoken,
        API_VERSION,
      );
  }
}

/** Asks the server whose token it is. */
export async function whoIs(
  client: CreditsClientMeans,
  serverUrl: string,
  token: string,
): Promise<{ me: Me } | { problem: string; isRefused: boolean }> {
  try {
    const me = await (await newClient(serverUrl, token, client)).me();
    return me.orgs.length > 0
      ? { me }
      : { problem: l10n.t('You belong to no organisation on this credits server.'), isRefused: false };
  } catch (caught) {
    const error = asCreditsError(caught);
    return { problem: describeServer(error), isRefused: error.reason === 'unauthenticated' };
  }
}

export function askToken(
  client: CreditsClientMeans,
  serverUrl: string,
): Promise<{ token: string; me: Me } | undefined> {
  return ask({
    title: l10n.t('Sign In to Credits'),
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
      const answer = await whoIs(client, serverUrl, token);
      return 'me' in answer
        ? { value: { token, me: answer.me } }
        : {
            problem: answer.isRefused
              ? l10n.t('The server does not accept this token. Check it and try again.')
              : answer.problem,
          };
    },
  });
}

/** @param presentId the one that is shown now */
export async function pickOrganisation(
  { orgs }: Me,
  presentId: string | undefined,
): Promise<Membership | undefined> {
  const items = orgs.map((org): QuickPickItem & { org: Membership } => ({
    label: inert(org.name),
    description:
      org.id === presentId ? l10n.t('{0} · shown now', inert(roleText(org.role))) : inert(roleText(org.role)),
    org,
  }));
  const chosen = await window.showQuickPick(items, {
    title: l10n.t('Credits'),
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
    // A box gives the focus back where it was. In the status bar that brings up its tooltip, over the notification that
    // comes next.
    const show = () => box.show();
    void commands.executeCommand('workbench.action.focusActiveEditorGroup').then(show, show);
  });
}
