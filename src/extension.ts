// The composition root: makes the parts, joins them, owns them; decides nothing. Facts flow down from the server to
// the views, wishes flow up from the views to the server.
import { type Disposable, type ExtensionContext, env, l10n, window } from 'vscode';
import { atTheEdge, registerCommands } from './commands.ts';
import { checkoutOrigins } from './core/address.ts';
import { Checkout } from './core/checkout.ts';
import { systemClock as clock } from './core/clock.ts';
import { connector } from './core/connect.ts';
import { CreditsStore } from './core/creditsStore.ts';
import { EventStream } from './core/eventStream.ts';
import { newId, newNonce } from './core/random.ts';
import { Refresher } from './core/refresher.ts';
import { askAdmin } from './views/askAdmin.ts';
import { buyFromPalette } from './views/buyCommand.ts';
import { Buying } from './views/buying.ts';
import { CreditsPanel, PANEL_TYPE } from './views/creditsPanel.ts';
import { LowBalanceWarning } from './views/lowBalanceWarning.ts';
import { Notices } from './views/notices.ts';
import { panelState } from './views/panelState.ts';
import { grantWish } from './views/panelWishes.ts';
import { signIn } from './views/signIn.ts';
import { BalanceStatusBar } from './views/statusBar.ts';
import { WindowAttention } from './vscode/attention.ts';
import { openOutside, returnUri } from './vscode/browser.ts';
import { ContextKeys } from './vscode/contextKeys.ts';
import { editorFetch } from './vscode/editorFetch.ts';
import { openMemory } from './vscode/memory.ts';
import { adoptSandbox } from './vscode/sandbox.ts';
import { Session } from './vscode/session.ts';
import { Settings } from './vscode/settings.ts';
import { CreditsUriHandler } from './vscode/uriHandler.ts';

export function activate(context: ExtensionContext): void {
  const own = <T extends Disposable>(part: T): T => {
    context.subscriptions.push(part);
    return part;
  };
  const locale = env.language;
  const random = Math.random;

  // What the editor gives.
  const log = own(window.createOutputChannel(l10n.t('Credits'), { log: true }));
  const memory = openMemory(context.globalState);
  const settings = own(new Settings());
  const session = own(new Session(context.secrets, settings, log));
  const attention = own(new WindowAttention());
  const returns = own(new CreditsUriHandler());

  // What the server says, and the one owner of it.
  const means = { fetch: editorFetch, clock, userAgent: `code-studio-credits/${versionOf(context)}` };
  const connect = connector(means);
  const store = own(new CreditsStore({ sessions: session, connect, clock, cache: memory.balance, log }));
  const hints = own(new EventStream({ sessions: session, connect, clock, random, log }));
  const checkout = own(
    new Checkout({
      sessions: session,
      connect,
      store,
      hints,
      attention,
      returned: returns.onDidReturn,
      open: openOutside,
      returnUri: state => returnUri(context.extension.id, state),
      allowedOrigins: serverUrl => checkoutOrigins(serverUrl, settings.allowedCheckoutOrigins),
      newId,
      records: memory.purchases,
      clock,
      random,
      log,
    }),
  );

  // What the person sees. The status bar comes first, with the balance of last time, before anything is asked.
  own(new BalanceStatusBar(store, checkout, clock, locale));
  const notices = own(new Notices());
  // What was told to one account is not for the next.
  own(session.onDidChange(() => notices.dismiss()));
  const buying = own(new Buying(checkout, store, notices, memory.payHost, locale));
  const panel = own(
    new CreditsPanel({
      extensionUri: context.extensionUri,
      title: l10n.t('Credits'),
      state: () =>
        panelState({
          state: store.state,
          pending: checkout.pending,
          notice: notices.current,
          ageMs: reading => store.ageMs(reading),
          nowMs: clock.now(),
          locale,
          serverUrl: settings.serverUrl || memory.serverUrl.read(),
          payHost: memory.payHost.read(),
        }),
      onDidChange: [store.onDidChange, checkout.onDidChange, notices.onDidChange],
      wish: wish => void atTheEdge(() => grantWish(wish, wishes), log),
      newNonce,
      log,
    }),
  );

  // What the person can do.
  const ask = () => askAdmin(store, notices, locale);
  const signInHere = () => signIn({ session, settings, client: means, lastServerUrl: memory.serverUrl });
  const wishes = {
    signIn: signInHere,
    refresh: () => store.refresh(),
    buy: (amountMinor: number, creditsUcr: number) => buying.buy(amountMinor, creditsUcr),
    resume: () => buying.resume(),
    copyLink: () => buying.copyLink(),
    checkNow: () => buying.checkNow(),
    cancel: () => buying.cancel(),
    askAdmin: ask,
    dismissNotice: (id: number) => notices.dismiss(id),
  };
  own(
    registerCommands(
      {
        open: () => panel.show(),
        buy: () => buyFromPalette(store, buying, ask, locale),
        refresh: () => store.refresh(),
        signIn: signInHere,
        signOut: () => session.signOut(),
        showLog: () => log.show(),
      },
      log,
    ),
  );
  own(window.registerUriHandler(returns));
  own(window.registerWebviewPanelSerializer(PANEL_TYPE, panel));
  own(new ContextKeys(store));
  own(
    new LowBalanceWarning({
      store,
      settings,
      seen: memory.seen,
      buy: () => panel.show(),
      ask: () => void atTheEdge(ask, log),
      locale,
    }),
  );

  // Last, because it asks the first question, and everyone who wants the answer listens by now.
  own(new Refresher({ sessions: session, store, hints, attention, clock, random }));
  if (__SANDBOX__) {
    void adoptSandbox(session, means, clock, log);
  }
}

function versionOf({ extension }: ExtensionContext): string {
  const { version } = extension.packageJSON as { version?: unknown };
  return typeof version === 'string' ? version : '0.0.0';
}
