// Facts into sentences: what happened, and what to do about it. The only place where errors have words.
import { l10n } from 'vscode';
import type { AmountLimits, AmountProblem } from '../../protocol/amount.ts';
import { formatMoney } from '../../protocol/format.ts';
import type { AddressProblem } from '../core/address.ts';
import type { CreditsError } from '../core/errors.ts';
import { inert } from './text.ts';

export function describeError(error: CreditsError): string {
  switch (error.reason) {
    case 'offline':
      return l10n.t('The credits server cannot be reached. Check the connection.');
    case 'timeout':
      return l10n.t('The credits server took too long to answer.');
    case 'unauthenticated':
      return l10n.t('The access token is no longer accepted. Sign in again.');
    case 'forbidden':
      return l10n.t('Your role in this organisation does not allow it.');
    case 'notFound':
      return l10n.t(
        'The organisation was not found on the credits server. You may have been moved to another.',
      );
    case 'rejected':
      return describeRejection(error);
    case 'rateLimited':
      return l10n.t('The credits server asks for a pause. The balance updates by itself afterwards.');
    case 'serverFault':
      return error.code === 'payment_provider_unavailable'
        ? l10n.t('The payment provider cannot be reached at the moment.')
        : l10n.t('The credits server has a problem (status {0}). Trying again later.', error.status ?? 500);
    case 'unreadable':
      return describeUnreadable(error);
    case 'redirected':
      return l10n.t(
        'The server points to another address. It was not followed, because your token is for this one only.',
      );
    case 'proxy':
      return l10n.t("The network's proxy asks for a sign-in. Check the proxy settings of the editor.");
    case 'certificate':
      return l10n.t("The server's certificate is not trusted on this machine, so nothing was sent.");
  }
}

function describeUnreadable(error: CreditsError): string {
  switch (error.found) {
    case 'html':
      return l10n.t(
        "A web page answered instead of the credits server. Your network may want you to sign in, or the address is another service's.",
      );
    case 'tooLarge':
      return l10n.t('The credits server sent far more than expected, so it was not read.');
    case 'json':
    case 'other':
    case undefined:
      return l10n.t('The answer is not one a credits server gives. Check the server address.');
  }
}

function describeRejection(error: CreditsError): string {
  switch (error.code) {
    case 'amount_out_of_range':
      return l10n.t('The amount is outside what your organisation allows.');
    case 'currency_mismatch':
      return l10n.t('The organisation pays in another currency.');
    case 'purchasing_blocked':
      return l10n.t('Buying credits is not possible for this organisation at the moment.');
    case 'purchase_not_open':
      return l10n.t('This purchase is no longer open.');
    case 'return_uri_not_allowed':
      return l10n.t(
        'The credits server does not know the address of this editor. An administrator of the server can add it.',
      );
    case 'quote_changed':
      return l10n.t('The price has changed. Look at the new figure before you buy.');
    default:
      return l10n.t(
        'The credits server refused the request ({0}).',
        inert(error.code ?? String(error.status ?? '')),
      );
  }
}

/** Why this person cannot buy now; the reasons are the contract's, unknown ones are named as they are. */
export function describeBlocked(reason: string | null): string {
  switch (reason) {
    case 'not_admin':
      return l10n.t('Only administrators of your organisation can buy credits.');
    case 'purchasing_disabled':
      return l10n.t('Buying credits is switched off for your organisation.');
    case 'payments_unavailable':
      return l10n.t('Payments are not available at the moment.');
    case 'daily_limit':
      return l10n.t('Your organisation has bought as much as it may within 24 hours.');
    case 'dispute_open':
      return l10n.t('Buying is paused while an earlier payment is disputed.');
    case 'past_due':
      return l10n.t('Buying is paused until an overdue invoice is paid.');
    default:
      return reason === null
        ? l10n.t('Buying credits is not possible at the moment.')
        : l10n.t('Buying credits is not possible at the moment ({0}).', inert(reason));
  }
}

export function describeAddress(problem: AddressProblem): string {
  switch (problem) {
    case 'blank':
      return l10n.t("Enter the address of your organisation's credits server.");
    case 'notAnAddress':
      return l10n.t('This is not a web address. It looks like https://credits.example.com.');
    case 'insecure':
      return l10n.t(
        'The address must begin with https://. Plain http is accepted for this machine only (localhost, 127.0.0.1).',
      );
    case 'userinfo':
      return l10n.t('The address must not contain a user name or password.');
    case 'queryOrFragment':
      return l10n.t('The address must end before any "?" or "#".');
    case 'notAllowed':
      return l10n.t('This address is not on the list of allowed ones.');
  }
}

export function describeAmount(problem: AmountProblem, limits: AmountLimits, locale: string): string {
  const money = (minor: number) => formatMoney(minor, limits.currency, locale);
  switch (problem) {
    case 'blank':
      return l10n.t('Enter an amount from {0} to {1}.', money(limits.min_minor), money(limits.max_minor));
    case 'not_a_number':
      return l10n.t('Enter the amount in plain digits, such as 75.');
    case 'other_currency':
      return l10n.t('Your organisation pays in {0}.', limits.currency.toUpperCase());
    case 'ambiguous':
      return l10n.t('This could be two amounts. Enter plain digits, such as 75.');
    case 'not_a_step':
      return l10n.t('Enter a multiple of {0}.', money(limits.step_minor));
    case 'below_minimum':
      return l10n.t('The smallest amount is {0}.', money(limits.min_minor));
    case 'above_maximum':
      return l10n.t('The largest amount is {0}.', money(limits.max_minor));
  }
}
