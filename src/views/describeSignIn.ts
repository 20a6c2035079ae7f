// What happened at a sign-in, in sentences: what is wrong, and what to do about it.
import { l10n } from 'vscode';
import type { CreditsError } from '../core/errors.ts';
import type { SignInError } from '../core/signIn/errors.ts';
import type { Way } from '../core/signIn/ways.ts';
import { describeError } from './describe.ts';

export function describeSignIn(error: SignInError): string {
  switch (error.reason) {
    case 'notOffered':
      return l10n.t('This credits server takes access tokens only.');
    case 'unsupported':
      return l10n.t("Your organisation's identity provider does not offer this way to sign in.");
    case 'unreachable':
      return l10n.t("Your organisation's identity provider cannot be reached at the moment.");
    case 'untrusted':
      return l10n.t(
        "The credits server and its identity provider do not agree on who they are ({0}), so nothing was sent. Tell your organisation's administrator.",
        error.code ?? '',
      );
    case 'mismatch':
      return l10n.t(
        'The answer that came back does not belong to this sign-in, so it was not used. Start again from here.',
      );
    case 'denied':
      return l10n.t('The sign-in was declined in the browser.');
    case 'expired':
      return l10n.t('The code was no longer good when it came back. Start again.');
    case 'ended':
      return l10n.t("Your organisation's identity provider no longer accepts this sign-in.");
    case 'timeout':
      return l10n.t('Nobody came back from the browser within five minutes.');
    case 'canceled':
      return l10n.t('The sign-in was cancelled.');
    case 'noWayBack':
      return l10n.t('This editor cannot take the answer from the browser.');
    case 'refused':
      return l10n.t("Your organisation's identity provider refused the sign-in ({0}).", error.code ?? '');
  }
}

/** What is wrong with the address of a server that nobody is signed in to yet. */
export function describeServer(error: CreditsError): string {
  switch (error.reason) {
    case 'redirected':
      return l10n.t(
        'The address leads on to another one, which was not followed. Your network may want you to sign in first, or the server has moved.',
      );
    case 'serverFault':
      return l10n.t(
        'The server has a problem at the moment (status {0}). Try again later.',
        error.status ?? 500,
      );
    case 'rateLimited':
      return l10n.t('The server is busy at the moment. Try again in a minute.');
    case 'unauthenticated':
    case 'forbidden':
    case 'notFound':
    case 'rejected':
      return l10n.t(
        'This address answers, but not as a credits server does (status {0}). Check the address.',
        error.status ?? 400,
      );
    default:
      return describeError(error);
  }
}

export function nameOfWay(way: Way): string {
  switch (way) {
    case 'loopback':
    case 'editorUri':
      return l10n.t('Sign In in the Browser');
    case 'device':
      return l10n.t('Use a Code on Any Device');
    case 'token':
      return l10n.t('Paste an Access Token');
  }
}
