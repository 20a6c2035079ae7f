// One organisation's ledger at hand: short words for what tests do to it, and for what they look at.
import assert from 'node:assert/strict';
import type { Balance, CreateHold } from '../../../protocol/api.ts';
import type { GrantKind, TransactionType } from '../../../server/src/database/tables.ts';
import type { Posted } from '../../../server/src/ledger/ledger.ts';
import type { Plan } from '../../../server/src/ledger/plan.ts';
import type { House, Org } from './house.ts';

let count = 0;

export class Desk {
  readonly house: House;
  readonly org: Org;

  constructor(house: House, org: Org) {
    this.house = house;
    this.org = org;
  }

  get #ledger() {
    return this.house.app.parts.ledger;
  }

  get now(): Date {
    return this.house.clock.now();
  }

  inMs(ms: number): Date {
    return new Date(this.now.getTime() + ms);
  }

  grant(
    amount: number,
    kind: GrantKind = 'purchased',
    expiresAt?: Date,
    id = `t${count++}`,
  ): Promise<Posted> {
    return this.house.database.transaction(tx =>
      this.#ledger.grant(tx, this.org.id, {
        kind,
        amountUcr: BigInt(amount),
        type: 'grant',
        source: { type: 'test', id },
        actor: 'test',
        ...(expiresAt && { expiresAt }),
      }),
    );
  }

  use(amount: number, eventId = `t${count++}`): Promise<Posted> {
    return this.house.database.transaction(tx =>
      this.#ledger.use(tx, this.org.id, {
        eventId,
        amountUcr: BigInt(amount),
        userId: undefined,
        model: undefined,
        actor: 'test',
      }),
    );
  }

  plan(plan: Plan | null): Promise<void> {
    return this.house.database.transaction(tx => this.#ledger.setPlan(tx, this.org.id, plan));
  }

  adjust(amount: number, reason = 'test', adjustmentId?: string): Promise<Posted> {
    return this.house.database.transaction(tx =>
      this.#ledger.adjust(tx, this.org.id, {
        amountUcr: BigInt(amount),
        actor: 'operator',
        reason,
        ...(adjustmentId && { adjustmentId }),
      }),
    );
  }

  hold(hold_id: string, amount_ucr: number, change: Partial<CreateHold> = {}) {
    const body = { hold_id, amount_ucr, expires_in_s: 60, ...change };
    return this.house.post(`/v1/orgs/${this.org.id}/holds`, this.org.service, body);
  }

  finalize(holdId: string, amount_ucr: number) {
    return this.house.post(`/v1/orgs/${this.org.id}/holds/${holdId}/finalize`, this.org.service, {
      amount_ucr,
    });
  }

  release(holdId: string) {
    return this.house.post(`/v1/orgs/${this.org.id}/holds/${holdId}/release`, this.org.service, {});
  }

  /** As anybody reads it; the contract's invariant is looked at each time. */
  async balance(): Promise<Balance> {
    const balance = await this.house.balance(this.org);
    assert.equal(
      balance.available_ucr,
      sumOf(balance),
      'available = included + purchased + promotional - held - debt',
    );
    return balance;
  }

  /** Included, promotional, purchased, held, debt. */
  async parts(): Promise<number[]> {
    const { included, promotional, purchased, held_ucr, debt_ucr } = await this.balance();
    return [includedIn(included), promotional.remaining_ucr, purchased.remaining_ucr, held_ucr, debt_ucr];
  }

  transactions(type: TransactionType) {
    return this.house.database.query
      .selectFrom('ledger_transactions')
      .selectAll()
      .where('org_id', '=', this.org.id)
      .where('type', '=', type)
      .orderBy('version')
      .execute();
  }

  async account(id: string): Promise<number> {
    const { balance_ucr } = await this.house.database.query
      .selectFrom('accounts')
      .select('balance_ucr')
      .where('org_id', '=', this.org.id)
      .where('account_id', '=', id)
      .executeTakeFirstOrThrow();
    return Number(balance_ucr);
  }

  /** The events that listeners were told, oldest first. */
  async told(): Promise<Array<{ version: number; available_ucr: number }>> {
    const rows = await this.house.database.query
      .selectFrom('outbox')
      .select('data')
      .where('org_id', '=', this.org.id)
      .where('event', '=', 'balance.updated')
      .orderBy('sequence')
      .execute();
    return rows.map(({ data }) => data as { version: number; available_ucr: number });
  }
}

export function sumOf({ included, promotional, purchased, held_ucr, debt_ucr }: Balance): number {
  return includedIn(included) + promotional.remaining_ucr + purchased.remaining_ucr - held_ucr - debt_ucr;
}

function includedIn(included: Balance['included']): number {
  return included.state === 'available' ? included.remaining_ucr : 0;
}
