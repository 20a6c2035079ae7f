// What can happen in a schedule, as plain data: drawn from a seed, printed when it fails, and run again as it is.
// Whom or what an operation means is a number, taken modulo what there is at that moment, so that a schedule stays
// runnable when others of its operations are left out.
import fc from 'fast-check';

/** Where in the work of an operation something breaks: at its nth step that is persisted or leaves the process. */
export interface Fault {
  readonly at: number;
  /**
   * `crash`: the process is gone, in the middle, and another takes its place. `lost`: the step is not done, or is done
   * and its answer is lost; the process lives on.
   */
  readonly how: 'crash' | 'lost';
}

interface At {
  /** One of the two servers on the one database. */
  readonly server: number;
  readonly fault?: Fault | undefined;
}

export type Request = At &
  (
    | { do: 'buy'; org: number; who: 'admin' | 'other'; amountMinor: number; key: number; stale: boolean }
    | { do: 'look' | 'cancel'; purchase: number; who: 'admin' | 'other' }
    | { do: 'return'; session: number; canceled: boolean }
    | { do: 'deliver'; event: number; any: boolean; how: 'plain' | 'twin' | 'forged' | 'old'; times: number }
    | { do: 'use'; org: number; id: number; credits: number; times: number }
    | { do: 'hold'; org: number; id: number; credits: number; seconds: number; times: number }
    | { do: 'finalize'; org: number; id: number; credits: number; times: number }
    | { do: 'release'; org: number; id: number }
    | { do: 'read'; org: number; late: boolean }
    | { do: 'reconcile' | 'due' }
    | { do: 'grant'; org: number; id: number; credits: number; lifeMs: number | null }
    | { do: 'adjust'; org: number; id: number; credits: number }
  );

export type Operation =
  | Request
  | { do: 'together'; requests: Request[] }
  /** One server has read a payment when money goes back; the other hears of it and stores it first. */
  | { do: 'overtaken'; session: number; part: number; server: number }
  | { do: 'pay'; session: number; how: 'card' | 'delayed' | 'declined'; taxMinor: number; late: boolean }
  | { do: 'settle'; session: number; ok: boolean }
  | { do: 'expire'; session: number }
  | { do: 'tamper'; session: number; what: 'amount' | 'currency' }
  | { do: 'refund'; session: number; part: number }
  | { do: 'failRefund'; refund: number }
  | { do: 'dispute'; session: number; inquiry: boolean; part: number }
  | { do: 'withdraw'; session: number }
  | { do: 'close'; session: number; won: boolean }
  | { do: 'lose'; event: number; all: boolean }
  | { do: 'plan'; org: number; plan: { credits: number; anchorDay: number; capCredits: number } | null }
  | { do: 'role'; org: number; role: 'admin' | 'user' | 'team_owner' }
  | { do: 'wait'; ms: number }
  | { do: 'turnClock'; ms: number }
  | { do: 'restart'; server: number };

const SECOND = 1_000; // ms
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

const any = fc.nat({ max: 10_000 });
const credits = fc.integer({ min: 1, max: 4_000 });
/** Few enough that they meet again. */
const id = fc.nat({ max: 30 });
/** How many ask for the same at once. */
const times = fc.constantFrom(1, 1, 1, 2, 3);
const server = fc.constantFrom(0, 1);
const fault = fc.option(
  fc.record({ at: fc.nat({ max: 40 }), how: fc.constantFrom('crash' as const, 'lost' as const) }),
  { freq: 5, nil: undefined },
);
const fewFaults = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fault });
const at = { server, fault: fewFaults };

const amountMinor = fc.constantFrom(1_000, 2_500, 5_000, 10_000, 33_300);
const who = fc.constantFrom('admin' as const, 'admin' as const, 'admin' as const, 'other' as const);
const part = fc.constantFrom(1, 0.5, 0.25, 0.1);

type Weighted<T> = { weight: number; arbitrary: fc.Arbitrary<T> };
const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>): Weighted<T> => ({ weight, arbitrary });
const is = <T extends string>(name: T) => fc.constant(name);

const requests: Weighted<Request>[] = [
  weighted(
    14,
    fc.record({
      do: is('buy'),
      org: any,
      who,
      amountMinor,
      key: id,
      stale: fc.constantFrom(false, false, false, false, false, true),
      ...at,
    }),
  ),
  weighted(
    24,
    fc.record({
      do: is('deliver'),
      event: any,
      any: fc.constantFrom(false, false, true),
      how: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'twin', 'twin', 'forged', 'old'),
      times,
      ...at,
    }),
  ),
  weighted(5, fc.record({ do: is('look'), purchase: any, who, ...at })),
  weighted(3, fc.record({ do: is('cancel'), purchase: any, who, ...at })),
  weighted(3, fc.record({ do: is('return'), session: any, canceled: fc.boolean(), ...at })),
  weighted(12, fc.record({ do: is('use'), org: any, id, credits, times, ...at })),
  weighted(
    6,
    fc.record({
      do: is('hold'),
      org: any,
      id,
      credits,
      seconds: fc.constantFrom(1, 60, 86_400),
      times,
      ...at,
    }),
  ),
  weighted(5, fc.record({ do: is('finalize'), org: any, id, credits: fc.nat({ max: 5_000 }), times, ...at })),
  weighted(2, fc.record({ do: is('release'), org: any, id, ...at })),
  weighted(8, fc.record({ do: is('read'), org: any, late: fc.boolean(), ...at })),
  weighted(4, fc.record({ do: is('reconcile'), ...at })),
  weighted(3, fc.record({ do: is('due'), ...at })),
  weighted(
    4,
    fc.record({
      do: is('grant'),
      org: any,
      id,
      credits,
      lifeMs: fc.constantFrom(null, 60 * SECOND, DAY, 10 * DAY),
      ...at,
    }),
  ),
  weighted(
    2,
    fc.record({
      do: is('adjust'),
      org: any,
      id,
      credits: fc.integer({ min: -500, max: 500 }).filter(n => n !== 0),
      ...at,
    }),
  ),
];

const operation: fc.Arbitrary<Operation> = fc.oneof<Weighted<Operation>[]>(
  ...requests,
  weighted(
    8,
    fc.record({
      do: is('together'),
      requests: fc.array(fc.oneof<Weighted<Request>[]>(...requests), { minLength: 2, maxLength: 4 }),
    }),
  ),
  weighted(
    14,
    fc.record({
      do: is('pay'),
      session: any,
      how: fc.constantFrom('card', 'card', 'card', 'card', 'delayed', 'delayed', 'declined'),
      taxMinor: fc.constantFrom(0, 0, 190, 800),
      late: fc.constantFrom(false, false, false, true),
    }),
  ),
  weighted(4, fc.record({ do: is('settle'), session: any, ok: fc.constantFrom(true, true, false) })),
  weighted(2, fc.record({ do: is('expire'), session: any })),
  weighted(1, fc.record({ do: is('tamper'), session: any, what: fc.constantFrom('amount', 'currency') })),
  weighted(5, fc.record({ do: is('refund'), session: any, part })),
  weighted(1, fc.record({ do: is('overtaken'), session: any, part, server })),
  weighted(1, fc.record({ do: is('failRefund'), refund: any })),
  weighted(
    3,
    fc.record({ do: is('dispute'), session: any, inquiry: fc.constantFrom(false, false, true), part }),
  ),
  weighted(3, fc.record({ do: is('withdraw'), session: any })),
  weighted(2, fc.record({ do: is('close'), session: any, won: fc.boolean() })),
  weighted(2, fc.record({ do: is('lose'), event: any, all: fc.boolean() })),
  weighted(
    2,
    fc.record({
      do: is('plan'),
      org: any,
      plan: fc.option(
        fc.record({
          credits,
          anchorDay: fc.integer({ min: 1, max: 31 }),
          capCredits: fc.constantFrom(0, 0, 500, 100_000),
        }),
        { freq: 4, nil: null },
      ),
    }),
  ),
  weighted(2, fc.record({ do: is('role'), org: any, role: fc.constantFrom('admin', 'user', 'team_owner') })),
  weighted(
    6,
    fc.record({
      do: is('wait'),
      ms: fc.constantFrom(
        1,
        SECOND,
        3 * SECOND,
        59 * SECOND,
        20 * 60 * SECOND,
        HOUR,
        DAY,
        12 * DAY,
        31 * DAY,
      ),
    }),
  ),
  weighted(
    2,
    fc.record({
      do: is('turnClock'),
      ms: fc.constantFrom(-2 * HOUR, -60 * SECOND, -SECOND, SECOND, 200 * SECOND, HOUR),
    }),
  ),
  weighted(1, fc.record({ do: is('restart'), server })),
);

/** The schedule of a seed. */
export function schedule(seed: number, operations: number): Operation[] {
  const arbitrary = fc.array(operation, { minLength: operations, maxLength: operations });
  return fc.sample(arbitrary, { seed, numRuns: 1 })[0] ?? [];
}
