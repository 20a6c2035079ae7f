// What the database holds, read as rows and never through the code that wrote them, and the rules it must keep:
// I1 balances are the sums of their entries, I2 a paid payment is credited once, I3 nothing else is, I4 history stays,
// I5 no more is taken back than was credited, I6 a usage event debits once.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Database } from '../../server/src/database/database.ts';
import { type Kind, LedgerModel, type ModelPlan } from '../server/support/ledgerModel.ts';

export interface Transaction {
  readonly version: number;
  readonly type: string;
  readonly sourceType: string;
  readonly sourceId: string;
  readonly actor: string;
  readonly bookedAt: number;
  readonly effectiveAt: number;
  readonly entries: ReadonlyMap<string, number>;
}

interface TransactionRow {
  org_id: string;
  version: bigint;
  type: string;
  source_type: string;
  source_id: string;
  actor: string;
  booked_at: Date;
  effective_at: Date;
  entries: [account: string, amount: number][];
}

/** What one organisation's ledger was seen to hold, step by step. */
export class Seen {
  readonly transactions: Transaction[] = [];
  readonly accounts = new Map<string, number>();
  readonly kinds = new Map<string, Kind>();
  readonly #sources = new Set<string>();

  get version(): number {
    return this.transactions.length;
  }

  /** What could be spent if every grant counted now. */
  get free(): number {
    return this.#sum(account => this.kinds.has(account) || account === 'debt');
  }

  /** Free credits of each kind, what is set aside, debt, what was used and what expired. */
  get totals(): number[] {
    const of = (kind: Kind) => this.#sum(account => this.kinds.get(account) === kind);
    return [
      of('included'),
      of('promotional'),
      of('purchased'),
      this.#sum(account => /^(hold|dispute):/.test(account)),
      0 - (this.accounts.get('debt') ?? 0),
      this.accounts.get('usage') ?? 0,
      this.accounts.get('breakage') ?? 0,
    ];
  }

  add(transaction: Transaction): void {
    const { version, type, sourceType, sourceId, entries } = transaction;
    assert.equal(version, this.version + 1, 'I1 versions have no gap');
    const source = `${type} ${sourceType} ${sourceId}`;
    assert.ok(!this.#sources.has(source), `I2 I6 posted twice: ${source}`);
    this.#sources.add(source);
    let sum = 0;
    for (const [account, amount] of entries) {
      sum += amount;
      this.accounts.set(account, (this.accounts.get(account) ?? 0) + amount);
    }
    assert.equal(sum, 0, `I1 ${source} sums to zero`);
    assert.ok(entries.size >= 2, `I1 ${source} has two sides`);
    this.transactions.push(transaction);
  }

  #sum(counts: (account: string) => boolean): number {
    return [...this.accounts].reduce((sum, [account, amount]) => sum + (counts(account) ? amount : 0), 0);
  }
}

export class Books {
  readonly #database: Database;
  readonly seen = new Map<string, Seen>();

  constructor(database: Database, orgIds: readonly string[]) {
    this.#database = database;
    for (const orgId of orgIds) {
      this.seen.set(orgId, new Seen());
    }
  }

  of(orgId: string): Seen {
    const seen = this.seen.get(orgId);
    assert.ok(seen);
    return seen;
  }

  /** Takes in what is new since the last look, and compares the projection with the entries. Tells what is new. */
  async look(): Promise<[orgId: string, transaction: Transaction][]> {
    const { rows: organisations } = await sql<{ org_id: string; version: bigint }>`
      select org_id, version from organisations`.execute(this.#database.query);
    const moved = organisations.filter(({ org_id, version }) => BigInt(this.of(org_id).version) !== version);
    const fresh: [string, Transaction][] = [];
    for (const { org_id: orgId, version } of moved) {
      const seen = this.of(orgId);
      for (const transaction of await this.#transactions(orgId, seen.version)) {
        fresh.push([orgId, transaction]);
      }
      const { rows: grants } = await sql<{ grant_id: string; kind: Kind }>`
        select grant_id, kind from grants where org_id = ${orgId}`.execute(this.#database.query);
      for (const { grant_id, kind } of grants) {
        seen.kinds.set(grant_id, kind);
      }
      for (const [, transaction] of fresh.filter(([id]) => id === orgId)) {
        seen.add(transaction);
      }
      assert.equal(BigInt(seen.version), version, 'I1 the version is the number of transactions');
      const { rows } = await sql<{ account_id: string; balance_ucr: bigint }>`
        select account_id, balance_ucr from accounts where org_id = ${orgId}`.execute(this.#database.query);
      for (const { account_id, balance_ucr } of rows) {
        const expected = seen.accounts.get(account_id) ?? 0;
        assert.equal(Number(balance_ucr), expected, `I1 ${account_id} is the sum of its entries`);
      }
    }
    return fresh;
  }

  /** I4: all that was ever seen is still there, to the last field. */
  async nothingHasChanged(): Promise<void> {
    for (const [orgId, seen] of this.seen) {
      assert.deepEqual(await this.#transactions(orgId, 0), seen.transactions, 'I4 history is only added to');
    }
  }

  async #transactions(orgId: string, after: number): Promise<Transaction[]> {
    const { rows } = await sql<TransactionRow>`
      select t.org_id, t.version, t.type, t.source_type, t.source_id, t.actor, t.created_at as booked_at,
        t.effective_at, jsonb_agg(jsonb_build_array(e.account_id, e.amount_ucr) order by e.account_id) as entries
      from ledger_transactions t left join ledger_entries e using (org_id, version)
      where t.org_id = ${orgId} and t.version > ${after}
      group by t.org_id, t.version order by t.version`.execute(this.#database.query);
    return rows.map(row => ({
      version: Number(row.version),
      type: row.type,
      sourceType: row.source_type,
      sourceId: row.source_id,
      actor: row.actor,
      bookedAt: row.booked_at.getTime(),
      effectiveAt: row.effective_at.getTime(),
      entries: new Map(row.entries),
    }));
  }
}

/** What was asked for, by the names that the ledger keeps: the amounts come from here and never from the books. */
export interface Wishes {
  readonly grants: ReadonlyMap<string, { amount: number; expires: number }>;
  readonly adjustments: ReadonlyMap<string, number>;
  /** Amounts sent under one id; the first that arrived counts. */
  readonly usage: ReadonlyMap<string, ReadonlySet<number>>;
  readonly holds: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly finals: ReadonlyMap<string, ReadonlySet<number>>;
  /** By session: what was ordered, and the grant it became. */
  readonly purchases: ReadonlyMap<string, { credits: number; grantId: string | null; purchaseId: string }>;
  readonly plans: ReadonlyArray<{ afterVersion: number; at: number; plan: ModelPlan | null }>;
}

/**
 * Lets a plain model live through the same wishes in the order in which the database took them, and compares after each.
 * What time does by itself (expiry, the end of holds, a plan's periods) the model works out; the books are not asked.
 */
export function replay(seen: Seen, wishes: Wishes, start: number): void {
  const model = new LedgerModel(start);
  const again = new Seen();
  for (const [grant, kind] of seen.kinds) {
    again.kinds.set(grant, kind);
  }
  const plans = [...wishes.plans];
  const compare = (what: string) =>
    assert.deepEqual(
      again.totals,
      totalsOf(model),
      `${what}: included, promotional, purchased, set aside, debt, used, expired`,
    );

  for (const [place, transaction] of seen.transactions.entries()) {
    for (let next = plans[0]; next && next.afterVersion < transaction.version; next = plans[0]) {
      plans.shift();
      model.passTo(next.at);
      model.setPlan(next.plan);
    }
    again.add(transaction);
    model.passTo(transaction.bookedAt);
    if (isByItself(transaction)) {
      continue;
    }
    const before = seen.transactions[place - 1];
    assert.equal(
      wish(model, transaction, wishes, seen.kinds),
      'done',
      `the model refuses ${named(transaction)} after ${before && named(before)}`,
    );
    compare(named(transaction));
  }
  for (const { at, plan } of plans) {
    model.passTo(at);
    model.setPlan(plan);
  }
  compare('in the end');
}

const named = ({ version, type, sourceType, sourceId }: Transaction): string =>
  `${version} ${type} ${sourceType} ${sourceId}`;

function isByItself({ type, sourceType, actor }: Transaction): boolean {
  return (
    type === 'expiry' ||
    (type === 'release' && actor === 'ledger') ||
    (type === 'grant' && sourceType.startsWith('plan_'))
  );
}

function wish(
  model: LedgerModel,
  transaction: Transaction,
  wishes: Wishes,
  kinds: ReadonlyMap<string, Kind>,
): string {
  const { type, sourceType, sourceId, entries } = transaction;
  switch (`${type} ${sourceType}`) {
    case 'purchase checkout_session': {
      const purchase = wishes.purchases.get(sourceId);
      assert.ok(purchase?.grantId, `I3 nobody ordered ${sourceId}`);
      return model.grant('purchased', purchase.credits, Number.POSITIVE_INFINITY, purchase.grantId);
    }
    case 'refund purchase':
    case 'dispute_hold purchase':
    case 'dispute_release purchase': {
      const [purchaseId] = sourceId.split(':');
      const purchase = [...wishes.purchases.values()].find(each => each.purchaseId === purchaseId);
      assert.ok(purchase?.grantId, `nothing is known of ${sourceId}`);
      const { grantId } = purchase;
      const moved = (account: string) => entries.get(account) ?? 0;
      const beyond = [...entries.keys()].find(account => kinds.has(account) && account !== grantId);
      return model.takeBack(grantId, moved('payments'), moved(`dispute:${grantId}`), beyond ?? '');
    }
    case 'grant test': {
      const grant = wishes.grants.get(sourceId);
      assert.ok(grant, `nobody granted ${sourceId}`);
      return model.grant('promotional', grant.amount, grant.expires);
    }
    case 'adjustment adjustment': {
      const amount = wishes.adjustments.get(sourceId);
      assert.ok(amount !== undefined, `nobody adjusted ${sourceId}`);
      return model.adjust(amount);
    }
    case 'usage usage_event': {
      const amount = entries.get('usage') ?? 0;
      assert.ok(wishes.usage.get(sourceId)?.has(amount), `I6 nobody used ${amount} as ${sourceId}`);
      return model.use(sourceId, amount);
    }
    case 'hold hold': {
      const amount = sumOf(entries, account => account.startsWith('hold:'));
      const seconds = wishes.holds.get(sourceId)?.get(amount);
      assert.ok(seconds !== undefined, `nobody held ${amount} as ${sourceId}`);
      return model.hold(sourceId, amount, seconds);
    }
    case 'usage hold': {
      const amount = entries.get('usage') ?? 0;
      assert.ok(wishes.finals.get(sourceId)?.has(amount), `I6 nobody finalized ${sourceId} with ${amount}`);
      return model.finalize(sourceId, amount);
    }
    case 'release hold':
      return model.release(sourceId);
    default:
      throw new assert.AssertionError({ message: `nobody wished for ${named(transaction)}` });
  }
}

function totalsOf(model: LedgerModel): number[] {
  const free = (kind: Kind) =>
    model.grants.reduce((sum, grant) => sum + (grant.kind === kind ? grant.free : 0), 0);
  const away = model.grants.reduce((sum, { held, aside }) => sum + held + aside, 0);
  return [
    free('included'),
    free('promotional'),
    free('purchased'),
    away,
    model.debt,
    model.used,
    model.expired,
  ];
}

function sumOf(entries: ReadonlyMap<string, number>, counts: (account: string) => boolean): number {
  return [...entries].reduce((sum, [account, amount]) => sum + (counts(account) ? amount : 0), 0);
}
