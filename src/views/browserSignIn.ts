// The way through the browser as a person sees it: one notification that says what to do next, with a way out and a
// way on. Each way that fails or takes too long offers the next one; what was chosen before stays chosen.
import { l10n, ProgressLocation, window } from 'vscode';
import type { Clock } from '../core/clock.ts';
import { sleep } from '../core/clock.ts';
import type { CreditsClient } from '../core/creditsClient.ts';
import { asCreditsError } from '../core/errors.ts';
import type { Event } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { SignInError } from '../core/signIn/errors.ts';
import { type IdentityProvider, PATIENCE_MS, type Tokens } from '../core/signIn/identityProvider.ts';
import type { Way } from '../core/signIn/ways.ts';
import { listen } from '../vscode/loopback.ts';
import { describeError } from './describe.ts';
import { describeSignIn, nameOfWay } from './describeSignIn.ts';
import { DeviceCodePage } from './deviceCodePage.ts';
import { inert, wordsLanguage } from './text.ts';

export interface BrowserMeans {
  readonly open: (url: string) => Promise<boolean>;
  /** The editor's own address for answers, as the browser can reach it. */
  readonly signedInUri: () => Promise<string>;
  readonly onDidSignIn: Event<URLSearchParams>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the notification's links act on. */
export interface UnderWay {
  /** A link or a code. */
  copyText: string;
  readonly anotherWay: AbortController;
}

interface Try {
  readonly provider: IdentityProvider;
  readonly redirectUri: string;
  readonly client: CreditsClient;
  readonly signal: AbortSignal;
  readonly underWay: UnderWay;
  readonly report: (text: string) => void;
}

/**
 * Tries the ways in their order until one has led to tokens.
 * @returns `token` when the person is to paste one, undefined when they have given up
 */
export async function signInByBrowser(
  given: {
    readonly provider: IdentityProvider;
    readonly redirectUri: string;
    readonly client: CreditsClient;
    readonly ways: readonly Way[];
    readonly signal: AbortSignal;
    readonly follow: (underWay: UnderWay | undefined) => void;
  },
  means: BrowserMeans,
): Promise<Tokens | 'token' | undefined> {
  const { ways, signal, follow } = given;
  for (let nth = 0; nth < ways.length && !signal.aborted; ) {
    const way = ways[nth] ?? 'token';
    const next = ways[nth + 1];
    if (way === 'token') {
      return 'token';
    }
    const underWay: UnderWay = { copyText: '', anotherWay: new AbortController() };
    follow(underWay);
    try {
      return await tryOne(way, { ...given, underWay }, means);
    } catch (error) {
      if (underWay.anotherWay.signal.aborted) {
        nth++;
        continue;
      }
      if (signal.aborted || (error instanceof SignInError && error.reason === 'canceled')) {
        return undefined;
      }
      means.log.warn(`sign-in by ${way}: ${error instanceof Error ? error.message : 'failed'}`);
      const step = await ask(error, next);
      if (step === undefined) {
        return undefined;
      }
      nth += step;
    } finally {
      follow(undefined);
    }
  }
  return undefined;
}

/** @returns 0 to try the same way again, 1 for the next one */
async function ask(error: unknown, next: Way | undefined): Promise<0 | 1 | undefined> {
  const told = error instanceof SignInError ? describeSignIn(error) : describeError(asCreditsError(error));
  const again = l10n.t('Try Again');
  const another = next && nameOfWay(next);
  const chosen = await window.showWarningMessage(told, ...(another ? [another, again] : [again]));
  return chosen === again ? 0 : chosen !== undefined ? 1 : undefined;
}

async function tryOne(
  way: Exclude<Way, 'token'>,
  given: Omit<Try, 'report'>,
  means: BrowserMeans,
): Promise<Tokens> {
  const title = l10n.t('Signing in to Credits');
  return await window.withProgress(
    { location: ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const canceled = new AbortController();
      const listening = token.onCancellationRequested(() => canceled.abort());
      const signal = AbortSignal.any([given.signal, canceled.signal, given.underWay.anotherWay.signal]);
      const one = { ...given, signal, report: (message: string) => progress.report({ message }) };
      const tokens = by(way, one, means);
      // Whoever leaves does not wait for an exchange that is under way. What it still brings is made worthless.
      tokens
        .then(({ refreshToken }) =>
          signal.aborted && refreshToken ? one.provider.revoke(refreshToken) : undefined,
        )
        .catch(() => undefined);
      try {
        return await Promise.race([tokens, leaving(signal)]);
      } finally {
        listening.dispose();
      }
    },
  );
}

async function by(way: Exclude<Way, 'token'>, one: Try, means: BrowserMeans): Promise<Tokens> {
  switch (way) {
    case 'loopback':
      return await byLoopback(one, means);
    case 'editorUri':
      return await byEditorUri(one, means);
    case 'device':
      return await byDevice(one);
  }
}

function leaving(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = () => reject(new SignInError('canceled'));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) {
      leave();
    }
  });
}

/** Nothing opens for someone who has left meanwhile. */
function stayOrLeave({ signal }: Try): void {
  if (signal.aborted) {
    throw new SignInError('canceled');
  }
}

/** The links that stand in the notification; the editor turns them into clicks on our own commands. */
function links(): string {
  const copy = l10n.t('Copy link');
  const trouble = l10n.t('Having trouble?');
  return `[${copy}](command:credits.copySignInLink) · [${trouble}](command:credits.signInAnotherWay)`;
}

async function sendToBrowser(url: string, { underWay, report }: Try, means: BrowserMeans): Promise<void> {
  underWay.copyText = url;
  const host = new URL(url).host;
  report(`${l10n.t('Go on in your browser, at {0}.', host)} ${links()}`);
  // True proves nothing, so the links stay; false is said.
  if (!(await means.open(url))) {
    report(`${l10n.t('The browser did not open. Copy the link into one.')} ${links()}`);
  }
}

/** An answer may come, or the person may leave, before the editor has said how the opening went. */
async function whileInBrowser(
  answer: Promise<URLSearchParams>,
  url: string,
  one: Try,
  means: BrowserMeans,
): Promise<URLSearchParams> {
  answer.catch(() => undefined);
  stayOrLeave(one);
  await Promise.race([answer, sendToBrowser(url, one, means)]);
  return await answer;
}

async function byLoopback(one: Try, means: BrowserMeans): Promise<Tokens> {
  const words = {
    language: wordsLanguage(),
    done: {
      title: l10n.t('Back to your editor'),
      text: l10n.t('Your editor finishes the sign-in. You can close this page.'),
    },
    refused: {
      title: l10n.t('Not signed in'),
      text: l10n.t('The sign-in was not completed. Your editor tells what to do.'),
    },
  };
  const loopback = await listen(words, means.clock, PATIENCE_MS);
  try {
    const attempt = await one.provider.begin(loopback.redirectUri);
    const answer = loopback.wait(attempt.state, one.signal);
    return await attempt.redeem(await whileInBrowser(answer, attempt.url, one, means));
  } finally {
    loopback.dispose();
  }
}

async function byEditorUri(one: Try, means: BrowserMeans): Promise<Tokens> {
  const attempt = await one.provider.begin(one.redirectUri);
  await one.client.expectSignIn(attempt.state, await means.signedInUri());
  const answer = nextAnswer(means.onDidSignIn, attempt.state, means.clock, one.signal);
  return await attempt.redeem(await whileInBrowser(answer, attempt.url, one, means));
}

async function byDevice(one: Try): Promise<Tokens> {
  const device = await one.provider.beginDevice();
  stayOrLeave(one);
  one.underWay.copyText = device.userCode;
  const page = new DeviceCodePage(device);
  const trouble = l10n.t('Having trouble?');
  const todo = l10n.t(
    'Enter the code {0} at {1}, on any device.',
    inert(device.userCode),
    new URL(device.url).host,
  );
  one.report(`${todo} [${trouble}](command:credits.signInAnotherWay)`);
  try {
    return await device.wait(one.signal);
  } finally {
    page.dispose();
  }
}

/** The first answer with that state; what carries another is somebody else's, or an attack. */
export async function nextAnswer(
  answers: Event<URLSearchParams>,
  state: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<URLSearchParams> {
  const found = new AbortController();
  let answer: URLSearchParams | undefined;
  const listening = answers(one => {
    if (answer === undefined && one.get('state') === state) {
      answer = one;
      found.abort();
    }
  });
  await sleep(clock, PATIENCE_MS, AbortSignal.any([signal, found.signal]));
  listening.dispose();
  if (answer) {
    return answer;
  }
  throw new SignInError(signal.aborted ? 'canceled' : 'timeout');
}
