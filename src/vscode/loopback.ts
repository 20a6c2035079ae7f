// The way back from the browser on a desktop (RFC 8252 section 7.3): a port of 127.0.0.1 that is open for one sign-in,
// and takes one answer. Any page in the browser can knock there, so all that is not that answer is refused (T15, T16).
import { type Clock, sleep } from '../core/clock.ts';
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

export interface Words {
  readonly title: string;
  readonly text: string;
  readonly language: string;
}

/** @param words what the page in the browser says at the end */
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
  const server = http.createServer((request, response) => {
    const say = (status: number, text: string) =>
      response
        .writeHead(status, {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
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
    say(200, pageOf(words));
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

function pageOf({ title, text, language }: Words): string {
  return `<!doctype html><html lang="${escaped(language)}"><meta charset="utf-8"><title>${escaped(title)}</title><h1>${escaped(title)}</h1><p>${escaped(text)}</p>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, found => `&#${found.charCodeAt(0)};`);
}
