// What lies outside the editor: receipts, invoices and the provider's billing pages. The server names the address, our
// own list decides whether it is opened (T9).
import { l10n } from 'vscode';
import type { Sessions } from '../core/account.ts';
import { readCheckoutAddress } from '../core/address.ts';
import type { Connect } from '../core/connect.ts';
import { asCreditsError } from '../core/errors.ts';
import type { Records } from '../core/records.ts';
import { describeError } from './describe.ts';
import type { Notices } from './notices.ts';
import { inert } from './text.ts';

export interface BillingMeans {
  readonly sessions: Sessions;
  readonly connect: Connect;
  readonly records: Records;
  readonly notices: Notices;
  /** Origins that may be opened for someone signed in to this server. */
  readonly allowedOrigins: (serverUrl: string) => ReadonlySet<string>;
  readonly open: (url: string) => Promise<boolean>;
}

export class Billing {
  readonly #means: BillingMeans;
  #opening: Promise<void> | undefined;

  constructor(means: BillingMeans) {
    this.#means = means;
  }

  async openDocument(paymentId: string, document: 'receipt' | 'invoice'): Promise<void> {
    const { records, sessions } = this.#means;
    const payment = records.state.payments.value?.purchases.find(({ id }) => id === paymentId);
    const url = document === 'receipt' ? payment?.receipt_url : payment?.invoice_url;
    if (url && sessions.current) {
      await this.#open(url, sessions.current.account.serverUrl);
    }
  }

  /** A second press while the first is answered opens no second page. */
  manageBilling(): Promise<void> {
    this.#opening ??= this.#openPortal().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openPortal(): Promise<void> {
    const { sessions, connect, notices } = this.#means;
    const signIn = sessions.current;
    if (!signIn) {
      return;
    }
    try {
      const client = await connect(signIn);
      const { url } = await client.openPortal(signIn.account.orgId);
      if (sessions.current === signIn) {
        await this.#open(url, signIn.account.serverUrl);
      }
    } catch (thrown) {
      if (sessions.current === signIn) {
        notices.problem(
          l10n.t('The billing pages could not be opened. {0}', describeError(asCreditsError(thrown))),
        );
      }
    }
  }

  async #open(url: string, serverUrl: string): Promise<void> {
    const { allowedOrigins, notices, open } = this.#means;
    const address = readCheckoutAddress(url, allowedOrigins(serverUrl));
    if (!address.ok) {
      notices.problem(
        l10n.t(
          'The page at {0} is not on the list of allowed ones, so it was not opened.',
          address.host === undefined ? l10n.t('an unreadable address') : inert(address.host),
        ),
      );
      return;
    }
    if (!(await open(address.url))) {
      notices.problem(l10n.t('The browser did not open. The page is at {0}.', address.host));
    }
  }
}
