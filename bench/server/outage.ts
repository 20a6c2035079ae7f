// A thousand editors whose server was away: how they come back, with the extension's real client code and a clock that
// is turned by hand. What is counted are the requests that reach the server once it is there again.
import { connector } from '../../src/core/connect.ts';
import { CreditsStore } from '../../src/core/creditsStore.ts';
import { EventStream } from '../../src/core/eventStream.ts';
import { Refresher } from '../../src/core/refresher.ts';
import { FakeClock } from '../../test/support/clock.ts';
import {
  CollectingLog,
  FakeAttention,
  FakeSessions,
  MemorySlot,
  seededRandom,
} from '../../test/support/core.ts';
import { ScriptedServer, unreachable } from '../../test/support/scriptedServer.ts';
import { median, type Row } from '../support/table.ts';
import type { Bench } from './bench.ts';

const clients = 1_000;
/** What a client asks by itself without a stream. */
const pollIntervalS = 60;
const outageS = 10 * 60;
const watchedS = 5 * 60;

export async function outageRows({ quick }: Bench): Promise<Row[]> {
  const runs = quick ? 1 : 5;
  const peaks: number[] = [];
  const spreads: number[] = [];
  const requests: number[] = [];
  for (let seed = 1; seed <= runs; seed++) {
    const { perSecond, cameBackAtS } = await comeBack(seed);
    peaks.push(Math.max(...perSecond) / (clients / pollIntervalS));
    requests.push(perSecond.reduce((sum, count) => sum + count, 0) / clients);
    cameBackAtS.sort((a, b) => a - b);
    spreads.push(
      (cameBackAtS[Math.floor(clients * 0.95)] ?? Number.NaN) -
        (cameBackAtS[Math.floor(clients * 0.05)] ?? 0),
    );
  }
  const details = { clients, 'outage, s': outageS, 'requests per client': median(requests).toFixed(1) };
  return [
    {
      id: 'outage-peak',
      what: `${clients} clients after an outage: the busiest second / a second of ordinary polling`,
      figure: median(peaks),
      unit: 'ratio',
      limit: { atMost: 2 },
      details,
    },
    {
      id: 'outage-spread',
      what: `the same: from the 5th to the 95th of 100 streams that stand again`,
      figure: median(spreads),
      unit: 's',
      limit: { atLeast: 54 },
      details,
    },
  ];
}

async function comeBack(seed: number): Promise<{ perSecond: number[]; cameBackAtS: number[] }> {
  const clock = new FakeClock();
  const perSecond = Array.from({ length: watchedS }, () => 0);
  const cameBackAtS: number[] = [];
  let awayFromMs = Number.POSITIVE_INFINITY;
  let backAtMs = Number.POSITIVE_INFINITY;
  const stops: Array<() => void> = [];
  const servers: ScriptedServer[] = [];
  for (let n = 0; n < clients; n++) {
    // Each has a server object, because that holds one stream; together they are the one that is away.
    const server = new ScriptedServer();
    servers.push(server);
    server.instead = ({ path }) => {
      if (clock.monotonic() >= awayFromMs && clock.monotonic() < backAtMs) {
        throw unreachable();
      }
      const second = Math.floor((clock.monotonic() - backAtMs) / 1_000);
      if (second >= 0 && second < watchedS) {
        perSecond[second] = (perSecond[second] ?? 0) + 1;
        if (path.endsWith('/events')) {
          cameBackAtS.push((clock.monotonic() - backAtMs) / 1_000);
        }
      }
      return undefined;
    };
    const random = seededRandom(seed * 100_000 + n);
    const log = new CollectingLog();
    const sessions = new FakeSessions();
    const connect = connector({ fetch: server.fetch, clock, userAgent: 'bench/1' });
    const store = new CreditsStore({ sessions, connect, clock, cache: new MemorySlot(), log });
    const hints = new EventStream({ sessions, connect, clock, random, log });
    const refresher = new Refresher({
      sessions,
      store,
      hints,
      attention: new FakeAttention(),
      clock,
      random,
    });
    stops.push(() => [refresher, hints, store].forEach(part => void part.dispose()));
  }
  await clock.advance(30_000);
  awayFromMs = clock.monotonic();
  for (const server of servers) {
    server.endStream();
  }
  await clock.advance(outageS * 1_000);
  backAtMs = clock.monotonic();
  // Heartbeats, without which a stream counts as dead.
  for (let second = 0; second < watchedS; second += 20) {
    for (const server of servers) {
      server.beat();
    }
    await clock.advance(20_000);
  }
  for (const stop of stops) {
    stop();
  }
  return { perSecond, cameBackAtS };
}
