// The way back from the browser on a desktop (RFC 8252 section 7.3): a port of 127.0.0.1 that is open for one sign-in,
// and takes one answer. Any page in the browser can knock there, so all that is not that answer is refused (T15, T16).
import { type Clock, sleep } from '../core/clock.ts';
import { newNonce } from '../core/random.ts';
import { SignInError } from '../core/signIn/errors.ts';
import { isRecord } from '../core/slot.ts';

const PATH = '/callback';
/** Codes and states are short; a longer address is nobody's answer. */
const MAX_URL = 8_000;

export interface Loopback {
  readonly redirectUri: string;
  /** The first answer that carries this state. */
  wait(state: string, signal: AbortSignal): Promise<URLSearchParams>;
  dispose(): void;
}

/** What the page in the browser says at the end. */
export interface Words {
  readonly language: string;
  readonly done: Saying;
  /** For an answer that is a refusal. */
  readonly refused: Saying;
}

interface Saying {
  readonly title: string;
  readonly text: string;
}

export async function listen(words: Words, clock: Clock, patienceMs: number): Promise<Loopback> {
  let expected: string | undefined;
  let take: ((answer: URLSearchParams) => void) | undefined;
  let host = '';
  let http: typeof import('node:http');
  try {
    // biome-ignore lint/style/noRestrictedImports: only where there is Node, and only when someone signs in
    http = await import('node:http');
  } catch {
    throw new SignInError('noWayBack', 'no_node');
  }
  const nonce = newNonce();
  const server = http.createServer((request, response) => {
    const say = (status: number, text: string) =>
      response
        .writeHead(status, {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`,
          'Cache-Control': 'no-store',
          'Referrer-Policy': 'no-referrer',
          'X-Content-Type-Options': 'nosniff',
          Connection: 'close',
        })
        .end(text);
    // A name that leads here by a trick of DNS is not ours.
    if (request.headers['host'] !== host) {
      return say(421, '');
    }
    if (request.method !== 'GET') {
      return say(405, '');
    }
    // The person comes by a navigation; what a script of another page sends says so itself.
    const mode = request.headers['sec-fetch-mode'];
    if (request.headers['origin'] !== undefined || (mode !== undefined && mode !== 'navigate')) {
      return say(403, '');
    }
    const url = request.url ?? '';
    const [path, query = ''] = url.split('?', 2);
    if (url.length > MAX_URL || path !== PATH) {
      return say(404, '');
    }
    const answer = new URLSearchParams(query);
    if (!take || expected === undefined || answer.get('state') !== expected) {
      return say(400, '');
    }
    say(200, pageOf(words, answer.has('error') ? words.refused : words.done, nonce));
    const first = take;
    take = undefined;
    first(answer);
    return undefined;
  });
  const over = new AbortController();
  const dispose = () => {
    over.abort();
    server.close();
    // After the answer's last byte; a browser would keep its connection open.
    queueMicrotask(() => server.closeIdleConnections());
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', () => reject(new SignInError('noWayBack', 'no_port')));
    server.once('listening', resolve);
    server.listen(0, '127.0.0.1');
  });
  const address = server.address();
  host = `127.0.0.1:${isRecord(address) ? String(address['port']) : ''}`;
  void sleep(clock, patienceMs, over.signal).then(dispose);
  return {
    redirectUri: `http://${host}${PATH}`,
    wait: (state, signal) =>
      new Promise((resolve, reject) => {
        expected = state;
        take = resolve;
        const stop = () => reject(new SignInError(signal.aborted ? 'canceled' : 'timeout'));
        // One that is over already tells nobody any more.
        if (signal.aborted || over.signal.aborted) {
          stop();
        }
        signal.addEventListener('abort', stop, { once: true });
        over.signal.addEventListener('abort', stop, { once: true });
      }),
    dispose,
  };
}

function pageOf({ language }: Words, { title, text }: Saying, nonce: string): string {
  return `<!doctype html>
<html lang="${escaped(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style nonce="${nonce}">
:root{color-scheme:light dark;--page:#f4f5f8;--card:#fff;--ink:#1b1f2a;--soft:#5b6272;--line:#cfd4e0}
@media (prefers-color-scheme:dark){:root{--page:#12141a;--card:#1b1e27;--ink:#eceef4;--soft:#a2a9ba;--line:#3a4052}}
body{box-sizing:border-box;margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:440px;padding:32px;background:var(--card);border:1px solid var(--line);border-radius:16px;text-align:center}
h1{margin:0 0 8px;font-size:24px;line-height:1.25}
p{margin:0;color:var(--soft)}
</style>
</head>
<body><main><h1>${escaped(title)}</h1><p>${escaped(text)}</p></main></body>
</html>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, found => `&#${found.charCodeAt(0)};`);
}
