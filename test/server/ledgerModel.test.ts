// Random lives of an organisation against a plain model of the ledger, every rule looked at after each step.
//
// Replay a failure with what it prints: LEDGER_SEED=… LEDGER_PATH=… npm run test:server -- --grep lives
// Look longer with LEDGER_RUNS=1000.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import { RequestRefused } from '../../server/src/problems.ts';
import { Desk } from './support/desk.ts';
import { booksAreInOrder, House, TestClock } from './support/house.ts';
import { LedgerModel, type Outcome } from './support/ledgerModel.ts';

const SECOND = 1_000; // ms
const DAY = 86_400 * SECOND;

const amount = fc.integer({ min: 1, max: 100 });
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
/** How many ask for the same at once. */
const times = fc.constantFrom(1, 1, 1, 3);
const life = fc.constantFrom(null, SECOND, 60 * SECOND, DAY, 10 * DAY, 40 * DAY);

const step = fc.oneof(
  fc.record({ do: fc.constant('grant'), kind: fc.constantFrom('promotional', 'purchased'), amount, life }),
  fc.record({ do: fc.constant('use'), id: fc.oneof(id, fc.uuid()), amount, times }),
  fc.record({ do: fc.constant('hold'), id, amount, seconds: fc.constantFrom(1, 60, 86_400), times }),
  fc.record({ do: fc.constant('finalize'), id, amount: fc.integer({ min: 0, max: 120 }), times }),
  fc.record({ do: fc.constant('release'), id, times }),
  fc.record({ do: fc.constant('adjust'), amount: fc.integer({ min: -60, max: 60 }).filter(n => n !== 0) }),
  fc.record({
    do: fc.constant('plan'),
    plan: fc.option(
      fc.record({
        included: amount,
        anchorDay: fc.integer({ min: 1, max: 31 }),
        cap: fc.constantFrom(0, 0, 20, 1_000),
      }),
      { freq: 5 },
    ),
  }),
  fc.record({
    do: fc.constant('wait'),
    ms: fc.constantFrom(1, SECOND, 59 * SECOND, DAY, 12 * DAY, 31 * DAY, 70 * DAY),
    look: fc.boolean(),
  }),
) as fc.Arbitrary<Step>;

type Step =
  | { do: 'grant'; kind: 'promotional' | 'purchased'; amount: number; life: number | null }
  | { do: 'use'; id: string; amount: number; times: number }
  | { do: 'hold'; id: string; amount: number; seconds: number; times: number }
  | { do: 'finalize'; id: string; amount: number; times: number }
  | { do: 'release'; id: string; times: number }
  | { do: 'adjust'; amount: number }
  | { do: 'plan'; plan: { included: number; anchorDay: number; cap: number } | null }
  | { do: 'wait'; ms: number; look: boolean };

/** What fast-check is asked for; a failure prints seed and path. */
function chosen(runs: number): { numRuns: number; seed?: number; path?: string } {
  const { LEDGER_RUNS, LEDGER_SEED, LEDGER_PATH } = process.env;
  return {
    numRuns: Number(LEDGER_RUNS ?? runs),
    ...(LEDGER_SEED !== undefined && { seed: Number(LEDGER_SEED) }),
    ...(LEDGER_PATH !== undefined && { path: LEDGER_PATH }),
  };
}

describe('the ledger over random lives', function () {
  this.timeout(10 * 60_000);
  let house: House;
  const clock = new TestClock();
  before(async () => {
    house = await House.build({ clock });
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const turnTo = (text: string) => clock.advance(new Date(text).getTime() - clock.now().getTime());

  const told = async (work: Promise<{ duplicate: boolean } | undefined>): Promise<Outcome> => {
    try {
      return (await work)?.duplicate ? 'again' : 'done';
    } catch (error) {
      if (error instanceof RequestRefused) {
        return error.problem;
      }
      throw error;
    }
  };
  const answered = async (asked: ReturnType<Desk['hold']>): Promise<Outcome> => {
    const answer = await asked;
    const body = answer.json();
    return answer.statusCode === 200 ? (body.duplicate ? 'again' : 'done') : body.code;
  };

  /** The same thing asked for several times at once: in some order, the answers are those of asking one by one. */
  async function happens(desk: Desk, model: LedgerModel, it: Step): Promise<void> {
    const both = async (times: number, real: () => Promise<Outcome>, wanted: () => Outcome) => {
      const outcomes = await Promise.all(Array.from({ length: times }, real));
      const inOrder = (list: Outcome[]) => list.toSorted((a, b) => a.localeCompare(b));
      assert.deepEqual(inOrder(outcomes), inOrder(Array.from({ length: times }, wanted)));
    };
    switch (it.do) {
      case 'grant': {
        const end = it.life === null ? undefined : desk.inMs(it.life);
        const expires = end?.getTime() ?? Number.POSITIVE_INFINITY;
        return both(
          1,
          () => told(desk.grant(it.amount, it.kind, end)),
          () => model.grant(it.kind, it.amount, expires),
        );
      }
      case 'use':
        return both(
          it.times,
          () => told(desk.use(it.amount, it.id)),
          () => model.use(it.id, it.amount),
        );
      case 'hold':
        return both(
          it.times,
          () => answered(desk.hold(it.id, it.amount, { expires_in_s: it.seconds })),
          () => model.hold(it.id, it.amount, it.seconds),
        );
      case 'finalize':
        return both(
          it.times,
          () => answered(desk.finalize(it.id, it.amount)),
          () => model.finalize(it.id, it.amount),
        );
      case 'release':
        return both(
          it.times,
          () => answered(desk.release(it.id)),
          () => model.release(it.id),
        );
      case 'adjust':
        return both(
          1,
          () => told(desk.adjust(it.amount)),
          () => model.adjust(it.amount),
        );
      case 'plan': {
        const plan = it.plan && {
          includedUcr: BigInt(it.plan.included),
          anchorDay: it.plan.anchorDay,
          rolloverCapUcr: BigInt(it.plan.cap),
        };
        await desk.plan(plan);
        model.setPlan(it.plan);
        return;
      }
      case 'wait':
        clock.advance(it.ms);
        model.passTo(clock.now().getTime());
        if (it.look) {
          await house.app.parts.dueDates.look();
        }
    }
  }

  interface Books {
    drifts: bigint;
    unbalanced: bigint;
    everything: bigint;
    version: bigint;
    transactions: bigint;
    held: bigint;
    on_hold: bigint;
    used: bigint;
    events: bigint;
    distinct_events: bigint;
    past: string | null;
  }
  /** The rules, asked of the rows themselves; `past` is all history up to a version, in one line. */
  async function booksOf(desk: Desk, upTo: bigint): Promise<Books> {
    const org = desk.org.id;
    const { rows } = await sql<Books>`
      with e as (select * from ledger_entries where org_id = ${org}),
        t as (select * from ledger_transactions where org_id = ${org})
      select
        (select count(*) from accounts a where org_id = ${org}
          and balance_ucr <> (select coalesce(sum(amount_ucr), 0) from e where e.account_id = a.account_id)) as drifts,
        (select count(*) from (select 1 from t left join e using (version)
          group by version having coalesce(sum(amount_ucr), 1) <> 0 or count(*) < 2) x) as unbalanced,
        (select coalesce(sum(amount_ucr), 0)::bigint from e) as everything,
        (select version from organisations where org_id = ${org}) as version,
        (select count(*) from t) as transactions,
        (select coalesce(sum(balance_ucr), 0)::bigint from accounts where org_id = ${org} and kind = 'hold') as held,
        (select coalesce(sum(amount_ucr), 0)::bigint from holds where org_id = ${org} and status = 'open') as on_hold,
        (select balance_ucr from accounts where org_id = ${org} and account_id = 'usage') as used,
        (select coalesce(sum(amount_ucr), 0)::bigint from usage_events where org_id = ${org}) as events,
        (select coalesce(sum(amount_ucr), 0)::bigint from (select distinct on (source_type, event_id) amount_ucr
          from usage_events where org_id = ${org} order by source_type, event_id) x) as distinct_events,
        (select md5(string_agg(t::text || (select string_agg(e::text, ',' order by account_id) from e
          where e.version = t.version), ';' order by version)) from t where version <= ${upTo}) as past`.execute(
      house.database.query,
    );
    assert.ok(rows[0]);
    return rows[0];
  }

  it('I1 I4 I6 F72 keeps every rule and equals its model after each step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async steps => {
        turnTo('2027-01-10T12:00:00Z');
        const desk = new Desk(house, await house.org(0n));
        const model = new LedgerModel(clock.now().getTime());
        let before = await booksOf(desk, 0n);
        for (const it of steps) {
          await happens(desk, model, it);
          // Reading the balance checks that available is the sum of its parts.
          const balance = await desk.balance();
          assert.deepEqual(await desk.parts(), model.parts, JSON.stringify(it));
          assert.equal(balance.available_ucr, model.available);
          const books = await booksOf(desk, before.version);
          assert.deepEqual(
            { drifts: books.drifts, unbalanced: books.unbalanced, everything: books.everything },
            { drifts: 0n, unbalanced: 0n, everything: 0n },
            'I1 balances are the sums of their entries, and transactions sum to zero',
          );
          const now = await booksOf(desk, books.version);
          assert.equal(books.past, before.past, 'I4 nothing of the past has changed');
          assert.deepEqual([books.version, BigInt(balance.version)], [books.transactions, books.version]);
          assert.equal(books.held, books.on_hold, 'open holds are what is on hold');
          assert.deepEqual(
            [books.used, books.events, books.distinct_events],
            [BigInt(model.used), books.used, books.used],
            'I6 what was used was debited, each once',
          );
          assert.equal(await desk.account('breakage'), model.expired);
          before = now;
        }
      }),
      chosen(20),
    );
  });

  it('F72 gives many at once no more than there is, in whatever order they come', async () => {
    const wish = fc.record({ amount: fc.integer({ min: 1, max: 60 }), hold: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.array(wish, { minLength: 5, maxLength: 25 }),
        async (granted, wishes) => {
          const desk = new Desk(house, await house.org(0n));
          await desk.grant(granted);
          let used = 0;
          let held = 0;
          await Promise.all(
            wishes.map(async (it, n) => {
              if (!it.hold) {
                used += it.amount;
                await desk.use(it.amount);
                return;
              }
              const answer = await desk.hold(`h${n}`, it.amount);
              if (answer.statusCode === 200) {
                held += it.amount;
                assert.ok(answer.json().available_ucr >= 0, 'a hold never takes what is not there');
              } else {
                assert.equal(answer.json().code, 'insufficient_credits');
              }
            }),
          );
          assert.ok(held <= granted);
          const balance = await desk.balance();
          assert.deepEqual([balance.available_ucr, balance.held_ucr], [granted - used - held, held]);
          // Strict order: each transaction left the balance that the next one began with.
          const told = await desk.told();
          assert.deepEqual(
            told.map(({ version }) => version),
            told.map((_, n) => n + 1),
          );
        },
      ),
      chosen(15),
    );
  });
});
