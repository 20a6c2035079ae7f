// Holds many event streams open from a process of its own, and tells when each heard that credits had come.
import { Agent, get } from 'node:http';

export interface Opening {
  readonly url: string;
  readonly tokens: readonly string[];
  readonly streamsPerPerson: number;
}

/** One payment, as all streams heard it: moments on the clock that all processes share, in ms. */
export interface Heard {
  readonly arrivalsMs: readonly number[];
}

/** Connections asked for at the same time; more would overflow the queue of a listening socket. */
const openingAtOnce = 100;

const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
let arrivalsMs: number[] = [];
let open = 0;

process.on('message', async ({ url, tokens, streamsPerPerson }: Opening) => {
  const started = performance.now();
  const wanted = tokens.flatMap(token => Array.from({ length: streamsPerPerson }, () => token));
  const queue = wanted.entries();
  await Promise.all(
    Array.from({ length: openingAtOnce }, async () => {
      for (const [nth, token] of queue) {
        await listen(url, token, nth);
      }
    }),
  );
  process.send?.({ open, ms: performance.now() - started });
});

/** Settles with the first event, which is the balance as it is. */
function listen(url: string, token: string, nth: number): Promise<void> {
  // Ports of one source address run out at some 28,000; Linux has the whole of 127.0.0.0/8.
  const source = process.platform === 'linux' ? { localAddress: `127.0.0.${1 + (nth % 4)}` } : {};
  return new Promise((resolve, reject) => {
    let version = 0;
    const request = get(url, { agent, ...source, headers: { authorization: `Bearer ${token}` } }, answer => {
      if (answer.statusCode !== 200) {
        reject(new Error(`A stream was answered ${answer.statusCode}.`));
      }
      answer.setEncoding('utf8').on('data', (text: string) => {
        const told = /"version":(\d+)/.exec(text)?.[1];
        if (told === undefined || Number(told) <= version) {
          return;
        }
        const isFirst = version === 0;
        version = Number(told);
        if (isFirst) {
          open++;
          resolve();
        } else {
          heard();
        }
      });
      answer.once('close', () => {
        open--;
      });
    });
    request.once('error', reject);
  });
}

function heard(): void {
  arrivalsMs.push(Number(process.hrtime.bigint()) / 1e6);
  if (arrivalsMs.length === open) {
    process.send?.({ arrivalsMs } satisfies Heard);
    arrivalsMs = [];
  }
}
