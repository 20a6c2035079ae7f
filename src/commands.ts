// Every command of the manifest, one line each, each a call on a part. None of them returns anything (T19).
import { commands, l10n, window } from 'vscode';
import { type Disposable, Owned } from './core/event.ts';
import type { Log } from './core/log.ts';

export interface Acts {
  readonly open: () => void;
  readonly openInSideBar: () => Promise<void>;
  readonly buy: () => Promise<void>;
  readonly refresh: () => Promise<void>;
  readonly signIn: () => Promise<void>;
  readonly signOut: () => Promise<void>;
  readonly switchOrganisation: () => Promise<void>;
  readonly copySignInLink: () => Promise<void>;
  readonly signInAnotherWay: () => void;
  readonly showLog: () => void;
  readonly copyBalance: () => Promise<void>;
  readonly exportUsage: () => Promise<void>;
  readonly manageBilling: () => Promise<void>;
}

export function registerCommands(acts: Acts, log: Log): Disposable {
  const owned = new Owned();
  // Whatever arguments come along, from another extension perhaps, are not passed on.
  const register = (id: string, act: () => unknown) =>
    owned.own(commands.registerCommand(id, () => atTheEdge(act, log)));

  register('credits.open', acts.open);
  register('credits.openInSideBar', acts.openInSideBar);
  register('credits.buy', acts.buy);
  register('credits.refresh', acts.refresh);
  register('credits.signIn', acts.signIn);
  register('credits.signOut', acts.signOut);
  register('credits.switchOrganisation', acts.switchOrganisation);
  register('credits.copySignInLink', acts.copySignInLink);
  register('credits.signInAnotherWay', acts.signInAnotherWay);
  register('credits.showLog', acts.showLog);
  register('credits.copyBalance', acts.copyBalance);
  register('credits.exportUsage', acts.exportUsage);
  register('credits.manageBilling', acts.manageBilling);
  return owned;
}

/** Runs what a person asked for; what is not told where it happens is told here, and logged. */
export async function atTheEdge(act: () => unknown, log: Log): Promise<void> {
  try {
    await act();
  } catch (error) {
    log.error(error instanceof Error ? (error.stack ?? error.message) : 'unknown error');
    void window.showErrorMessage(l10n.t('Something went wrong. The log of Credits has the details.'));
  }
}
