// The composition root: makes the parts, joins them, owns them; decides nothing. Facts flow down from the server to
// the views, wishes flow up from the views to the server.
import {
  authentication,
  commands,
  type Disposable,
  type ExtensionContext,
  ExtensionKind,
  env,
  l10n,
  UIKind,
  window,
  workspace,
} from 'vscode';
import type { CreditsApi } from './api.ts';
import { atTheEdge, registerCommands } from './commands.ts';
import { checkoutOrigins, documentOrigins } from './core/address.ts';
import { Checkout } from './core/checkout.ts';
import { claim } from './core/claim.ts';
import { systemClock as clock } from './core/clock.ts';
import { connector } from './core/connect.ts';
import { CreditsStore } from './core/creditsStore.ts';
import { EventStream } from './core/eventStream.ts';
import { Lease, readLease } from './core/lease.ts';
import { publicApi } from './core/outlook.ts';
import { readPurchaseRecord } from './core/purchaseRecord.ts';
import { newId, newNonce } from './core/random.ts';
import { Records, type UsageGroup } from './core/records.ts';
import { Refresher } from './core/refresher.ts';
import { readPause, readSharedBalance, readWish } from './core/sharedBalance.ts';
import { Lookout, SharedCollection, SharedFile } from './core/sharedState.ts';
import { Renewal, readRenewal, refreshAtProvider } from './core/signIn/renewal.ts';
import { readWarned } from './core/warnings.ts';
import { Windows } from './core/windows.ts';
import { type AdminRequest, askAdmin } from './views/askAdmin.ts';
import { registerBalanceTool } from './views/balanceTool.ts';
import { Billing } from './views/billing.ts';
import { buyFromPalette } from './views/buyCommand.ts';
import { Buying } from './views/buying.ts';
import { copyBalance } from './views/copyBalance.ts';
import { CreditsPanel, PANEL_TYPE, VIEW_ID } from './views/creditsPanel.ts';
import { exportUsage } from './views/exportUsage.ts';
import { LowBalanceWarning } from './views/lowBalanceWarning.ts';
import { Notices } from './views/notices.ts';
import { panelState, recordsView } from './views/panelState.ts';
import { grantWish } from './views/panelWishes.ts';
import { offerReload, SignInGuide, signOut, switchOrganisation, tellEnds } from './views/signIn.ts';
import { BalanceStatusBar } from './views/statusBar.ts';
import { WindowAttention } from './vscode/attention.ts';
import { CreditsAuthentication, PROVIDER_ID } from './vscode/authenticationProvider.ts';
import { openOutside, returnUri, signedInUri } from './vscode/browser.ts';
import { ContextKeys } from './vscode/contextKeys.ts';
import { EditorAccounts } from './vscode/editorAccounts.ts';
import { editorFetch } from './vscode/editorFetch.ts';
import { LogChannel } from './vscode/logChannel.ts';
import { openMemory } from './vscode/memory.ts';
import { adoptSandbox } from './vscode/sandbox.ts';
import { readSessionNews, Session } from './vscode/session.ts';
import { Settings } from './vscode/settings.ts';
import { SharedFolder } from './vscode/sharedFolder.ts';
import { CreditsUriHandler } from './vscode/uriHandler.ts';

/** What the editor waits for when it closes: another window need not wait for this one's death. */
let letGo: () => Promise<void> = async () => undefined;

export function deactivate(): Promise<void> {
  return letGo();
}

export function activate(context: ExtensionContext): CreditsApi {
  const own = <T extends Disposable>(part: T): T => {
    context.subscriptions.push(part);
    return part;
  };
  const locale = env.language;
  const random = Math.random;

  // What the editor gives.
  const log = own(new LogChannel());
  const memory = openMemory(context.globalState);
  const settings = own(new Settings());
  const windowId = newId();
  const folder = own(new SharedFolder(context.globalStorageUri, context.globalState, windowId));
  const shared = {
    session: new SharedFile(folder, 'session.v1', readSessionNews),
    renewal: new SharedFile(folder, 'renewal.v1', readRenewal),
    lease: new SharedFile(folder, 'lease.v1', readLease),
    balance: new SharedFile(folder, 'balance.v1', readSharedBalance),
    pause: new SharedFile(folder, 'pause.v1', readPause),
    wish: new SharedFile(folder, 'wish.v1', readWish),
    warned: new SharedFile(folder, 'warned.v1', readWarned),
    purchases: new SharedCollection(folder, 'purchase.v1', readPurchaseRecord, one => one.idempotencyKey),
  };
  const session = own(new Session(context.secrets, settings, log, shared.session));
  const attention = own(new WindowAttention());
  const returns = own(new CreditsUriHandler());

  // What the server says, and the one owner of it.
  const means = { fetch: editorFetch, clock, userAgent: `code-studio-credits/${versionOf(context)}` };
  const claimOnce = (key: string) => claim(key, { folder, windowId, clock });
  const renewal = new Renewal({
    keeper: session,
    refresh: refreshAtProvider(means),
    claim: claimOnce,
    file: shared.renewal,
    clock,
    log,
  });
  const connect = connector(means, renewal.sourceOf);
  const store = own(new CreditsStore({ sessions: session, connect, clock, cache: memory.balance, log }));
  const lease = own(
    new Lease({ file: shared.lease, isShared: folder.isShared, id: windowId, clock, random, log }),
  );
  letGo = () => lease.release();
  const windows = own(
    new Windows({ ...shared, sessions: session, store, lease, attention, newId, clock, log }),
  );
  const hints = own(new EventStream({ sessions: windows.sessions, connect, clock, random, log }));
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
      records: shared.purchases,
      leading: lease,
      clock,
      random,
      log,
    }),
  );
  const records = own(new Records({ sessions: session, connect, clock, quiet: store, log }));

  // What the person sees. The status bar comes first, with the balance of last time, before anything is asked.
  own(new BalanceStatusBar(store, checkout, settings, clock, locale));
  const notices = own(new Notices());
  // What was told to one account is not for the next.
  own(session.onDidChange(() => notices.dismiss()));
  const buying = own(new Buying({ checkout, store, notices, isPanelVisible: () => panel.isVisible, locale }));
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
        }),
      onDidChange: [store.onDidChange, checkout.onDidChange, notices.onDidChange],
      records: () => recordsView(records.state),
      onDidChangeRecords: records.onDidChange,
      inSight: () => void atTheEdge(() => records.look(), log),
      wish: wish => void atTheEdge(() => grantWish(wish, wishes), log),
      newNonce,
      log,
    }),
  );

  // Somebody else, or another organisation, before a panel that stays in sight.
  own(session.onDidChange(() => panel.isVisible && void atTheEdge(() => records.look(), log)));
  own(checkout.onDidSettle(() => panel.isVisible && void atTheEdge(() => records.refreshPayments(), log)));
  const billing = new Billing({
    sessions: session,
    connect,
    records,
    notices,
    allowedOrigins: serverUrl => documentOrigins(serverUrl, settings.allowedCheckoutOrigins),
    open: openOutside,
  });

  // What the person can do.
  const ask = (request?: AdminRequest) =>
    askAdmin({ store, notices, open: openOutside, nowMs: () => clock.now(), locale }, request);
  const signInMeans = {
    session,
    settings,
    client: means,
    lastServerUrl: memory.serverUrl,
    lastOrganisations: memory.organisations,
    host: {
      isWeb: env.uiKind === UIKind.Web,
      isRemote: env.remoteName !== undefined && context.extension.extensionKind === ExtensionKind.Workspace,
      uriScheme: env.uriScheme,
    },
    browser: {
      open: openOutside,
      signedInUri: () => signedInUri(context.extension.id),
      onDidSignIn: returns.onDidSignIn,
      clock,
      log,
    },
    accounts: new EditorAccounts(claimOnce),
  };
  const guide = own(new SignInGuide(signInMeans));
  const signInHere = () => guide.signIn();
  const signOutHere = () => signOut(signInMeans);
  const wishes = {
    signIn: signInHere,
    refresh: async () => void (await Promise.all([store.refresh(), records.look()])),
    buy: (amountMinor: number, creditsUcr: number) => buying.buy(amountMinor, creditsUcr),
    resume: () => buying.resume(),
    copyLink: () => buying.copyLink(),
    checkNow: () => buying.checkNow(),
    cancel: () => buying.cancel(),
    askAdmin: () => ask(),
    dismissNotice: (id: number) => notices.dismiss(id),
    showUsage: (group: UsageGroup) => records.refreshUsage(group),
    showPayments: () => records.refreshPayments(),
    showMorePayments: () => records.morePayments(),
    openDocument: (id: string, document: 'receipt' | 'invoice') => billing.openDocument(id, document),
    manageBilling: () => billing.manageBilling(),
    exportUsage: () => exportUsage({ records, folder: workspace.workspaceFolders?.[0]?.uri }),
    openSettings: async () =>
      void (await commands.executeCommand('workbench.action.openSettings', 'credits.')),
    switchOrganisation: () => switchOrganisation(signInMeans, connect),
    showLowBalance: () => records.refreshSettings(),
    setLowBalance: (belowUcr: number | null) => records.setLowBalance(belowUcr),
  };
  own(
    registerCommands(
      {
        open: () => panel.show(),
        openInSideBar: () => panel.showInSideBar(),
        buy: () => buyFromPalette(store, buying, () => ask(), locale),
        refresh: () => store.refresh(),
        signIn: signInHere,
        signOut: signOutHere,
        switchOrganisation: wishes.switchOrganisation,
        copySignInLink: () => guide.copyLink(),
        signInAnotherWay: () => guide.anotherWay(),
        showLog: () => log.show(),
        copyBalance: () => copyBalance(store, clock, locale),
        exportUsage: wishes.exportUsage,
        manageBilling: wishes.manageBilling,
      },
      log,
    ),
  );
  const accounts = own(
    new CreditsAuthentication(session, { signIn: signInHere, signOut: signOutHere }, (signIn, scope) =>
      renewal.readOnlyToken(signIn, scope),
    ),
  );
  own(
    new LowBalanceWarning({
      store,
      settings,
      attention,
      leading: lease,
      warned: shared.warned,
      claim: claimOnce,
      purchases: checkout,
      open: () => panel.show(),
      ask: request => void atTheEdge(() => ask(request), log),
      clock,
      log,
      locale,
    }),
  );

  own(offerReload(session));
  own(tellEnds(session, () => void atTheEdge(signInHere, log)));

  // In the editor's next turn, after the first paint: nobody needs these before activate() has returned.
  own(
    clock.after(0)(() => {
      own(window.registerUriHandler(returns));
      own(authentication.registerAuthenticationProvider(PROVIDER_ID, l10n.t('Credits'), accounts));
      own(window.registerWebviewPanelSerializer(PANEL_TYPE, panel));
      own(window.registerWebviewViewProvider(VIEW_ID, panel));
      own(new ContextKeys(store));

      // Last, because it asks the first question, and everyone who wants the answer listens by now.
      own(
        new Refresher({
          sessions: windows.sessions,
          store,
          hints,
          attention: windows.attention,
          hinted: windows.onDidHint,
          clock,
          random,
        }),
      );
      own(
        new Lookout({
          folder,
          clock,
          log,
          watched: [shared.session, shared.pause, shared.balance, shared.wish, shared.purchases],
          isWanted: () => session.current !== undefined,
          onDidWant: session.onDidChange,
        }),
      );
      if (__SANDBOX__) {
        void adoptSandbox(session, means, clock, log);
      }
    }),
  );

  const api = publicApi(store, () => windows.hint(), own);
  own(registerBalanceTool(api));
  return api;
}

function versionOf({ extension }: ExtensionContext): string {
  const { version } = extension.packageJSON as { version?: unknown };
  return typeof version === 'string' ? version : '0.0.0';
}
