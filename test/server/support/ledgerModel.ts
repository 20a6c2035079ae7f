// What the ledger should be, said once more in the plainest way: lists and loops, no database, no history.
import { nextAnchor } from '../../../server/src/ledger/plan.ts';

export type Kind = 'included' | 'promotional' | 'purchased';
const burnOrder: readonly Kind[] = ['included', 'promotional', 'purchased'];

interface ModelGrant {
  /** Only where another part has to name it. */
  readonly id: string;
  readonly kind: Kind;
  readonly granted: number;
  readonly expires: number;
  free: number;
  held: number;
  /** In dispute. */
  aside: number;
}

interface ModelHold {
  readonly amount: number;
  readonly seconds: number;
  readonly expires: number;
  parts: { readonly grant: ModelGrant; readonly amount: number }[];
  status: 'open' | 'finalized' | 'released' | 'expired';
  used: number;
}

export interface ModelPlan {
  readonly included: number;
  readonly anchorDay: number;
  readonly cap: number;
}

/** `done` or `again` where it goes well, else the code of the refusal. */
export type Outcome = string;

export class LedgerModel {
  now: number;
  debt = 0;
  used = 0;
  expired = 0;
  readonly grants: ModelGrant[] = [];
  readonly events = new Map<string, number>();
  readonly holds = new Map<string, ModelHold>();
  plan: ModelPlan | null = null;
  /** The first moment without a grant of a plan. */
  next = Number.NEGATIVE_INFINITY;

  constructor(now: number) {
    this.now = now;
  }

  get available(): number {
    return this.grants.reduce((sum, { free }) => sum + free, 0) - this.debt;
  }

  /** Included, promotional, purchased, held, debt; as the balance tells them. */
  get parts(): number[] {
    const of = (kind: Kind) =>
      this.grants.filter(grant => grant.kind === kind).reduce((sum, { free, held }) => sum + free + held, 0);
    const held = this.grants.reduce((sum, grant) => sum + grant.held, 0);
    const included = of('included');
    return this.next > this.now
      ? [included, of('promotional'), of('purchased'), held, this.debt]
      : [0, of('promotional') + included, of('purchased'), held, this.debt];
  }

  grant(kind: Kind, amount: number, expires: number, id = ''): Outcome {
    const paidBack = Math.min(this.debt, amount);
    this.debt -= paidBack;
    this.grants.push({
      id,
      kind,
      granted: amount,
      expires,
      free: amount - paidBack,
      held: 0,
      aside: 0,
    });
    return 'done';
  }

  /**
   * To the payer and aside, or below zero back from there. Taken from one grant, and what it has not got becomes debt;
   * given back to debt first, then to the grant up to what was granted, and the rest becomes a grant named `beyondId`.
   */
  takeBack(id: string, repaid: number, setAside: number, beyondId: string): Outcome {
    const grant = this.grants.find(each => each.id === id);
    if (!grant) {
      return 'unknown_grant';
    }
    grant.aside += setAside;
    const taken = repaid + setAside;
    if (taken > 0) {
      const moved = Math.min(grant.free, taken);
      grant.free -= moved;
      this.debt += taken - moved;
      return 'done';
    }
    const forgiven = Math.min(this.debt, -taken);
    this.debt -= forgiven;
    const room = Math.max(0, grant.granted - grant.free - grant.held - grant.aside);
    const moved = Math.min(room, -taken - forgiven);
    grant.free += moved;
    const beyond = -taken - forgiven - moved;
    return beyond > 0 ? this.grant('purchased', beyond, Number.POSITIVE_INFINITY, beyondId) : 'done';
  }

  use(eventId: string, amount: number): Outcome {
    const before = this.events.get(eventId);
    if (before !== undefined) {
      return before === amount ? 'again' : 'idempotency_key_reused';
    }
    this.events.set(eventId, amount);
    this.used += amount;
    this.#burn(amount);
    return 'done';
  }

  hold(holdId: string, amount: number, seconds: number): Outcome {
    const before = this.holds.get(holdId);
    if (before) {
      return before.amount === amount && before.seconds === seconds ? 'again' : 'idempotency_key_reused';
    }
    if (this.available < amount) {
      return 'insufficient_credits';
    }
    const parts = this.#take(amount);
    for (const { grant, amount: held } of parts) {
      grant.held += held;
    }
    const expires = this.now + seconds * 1_000;
    this.holds.set(holdId, { amount, seconds, expires, parts, status: 'open', used: 0 });
    return 'done';
  }

  finalize(holdId: string, used: number): Outcome {
    const hold = this.holds.get(holdId);
    if (!hold) {
      return 'hold_not_found';
    }
    if (hold.status === 'finalized') {
      return hold.used === used ? 'again' : 'idempotency_key_reused';
    }
    if (hold.status === 'released') {
      return 'hold_not_open';
    }
    this.#end(hold, 'finalized', used, this.now);
    return 'done';
  }

  release(holdId: string): Outcome {
    const hold = this.holds.get(holdId);
    if (!hold) {
      return 'hold_not_found';
    }
    if (hold.status !== 'open') {
      return hold.status === 'finalized' ? 'hold_not_open' : 'again';
    }
    this.#end(hold, 'released', 0, this.now);
    return 'done';
  }

  adjust(amount: number): Outcome {
    if (amount > 0) {
      return this.grant('promotional', amount, Number.POSITIVE_INFINITY);
    }
    this.#burn(-amount);
    return 'done';
  }

  setPlan(plan: ModelPlan | null): Outcome {
    if (plan) {
      const running = lastDay(this.now, plan.anchorDay);
      this.next = this.plan || this.next > running ? this.next : running;
    }
    this.plan = plan;
    this.passTo(this.now);
    return 'done';
  }

  /** Lets time pass, moment by moment: ends of grants, then ends of holds, then a new period. */
  passTo(now: number): void {
    for (;;) {
      // Of several that end at one moment the first by name comes first; which of them pays a debt depends on it.
      const open = [...this.holds]
        .sort(([a], [b]) => sign(a, b))
        .map(([, hold]) => hold)
        .filter(({ status }) => status === 'open');
      const due = Math.min(
        ...this.grants.filter(({ free }) => free > 0).map(({ expires }) => expires),
        ...open.map(({ expires }) => expires),
        this.plan ? this.next : Number.POSITIVE_INFINITY,
      );
      if (due > now) {
        break;
      }
      let unused = 0;
      const ended = this.grants.filter(({ expires }) => expires <= due);
      for (const grant of ended.sort((a, b) => burnOrder.indexOf(a.kind) - burnOrder.indexOf(b.kind))) {
        const paidBack = Math.min(this.debt, grant.free);
        this.debt -= paidBack;
        unused += grant.kind === 'included' ? grant.free - paidBack : 0;
        this.expired += grant.free - paidBack;
        grant.free = 0;
      }
      for (const hold of open.filter(({ expires }) => expires <= due)) {
        this.#end(hold, 'expired', 0, due);
      }
      if (this.plan && this.next === due) {
        this.next = nextAnchor(new Date(due), this.plan.anchorDay).getTime();
        const rolled = Math.min(unused, this.plan.cap);
        this.expired -= rolled;
        this.grant('included', rolled, this.next);
        this.grant('included', this.plan.included, this.next);
      }
    }
    this.now = now;
  }

  #end(hold: ModelHold, status: ModelHold['status'], used: number, at: number): void {
    let toUse = used;
    for (const { grant, amount } of hold.parts) {
      const nowUsed = Math.min(amount, toUse);
      const back = amount - nowUsed;
      toUse -= nowUsed;
      grant.held -= amount;
      const paidBack = Math.min(this.debt, back);
      this.debt -= paidBack;
      if (grant.expires <= at) {
        this.expired += back - paidBack;
      } else {
        grant.free += back - paidBack;
      }
    }
    this.#burn(toUse);
    hold.parts = [];
    hold.status = status;
    hold.used = used;
    this.used += used;
  }

  #burn(amount: number): void {
    this.debt += amount - this.#take(amount).reduce((sum, part) => sum + part.amount, 0);
  }

  #take(amount: number): { grant: ModelGrant; amount: number }[] {
    let rest = amount;
    const inOrder = this.grants
      .filter(({ free }) => free > 0)
      .sort(
        (a, b) =>
          burnOrder.indexOf(a.kind) - burnOrder.indexOf(b.kind) ||
          sign(a.expires, b.expires) ||
          sign(a.id, b.id),
      );
    return inOrder.flatMap(grant => {
      const taken = Math.min(grant.free, rest);
      rest -= taken;
      grant.free -= taken;
      return taken > 0 ? [{ grant, amount: taken }] : [];
    });
  }
}

/** Infinity minus Infinity is no number, so ends are compared and not subtracted. */
const sign = <T extends number | string>(a: T, b: T): number => (a === b ? 0 : a < b ? -1 : 1);

function lastDay(now: number, anchorDay: number): number {
  // The first anchor after a month before now is the last one before it, or the one after that.
  let day = nextAnchor(new Date(now - 62 * 86_400_000), anchorDay).getTime();
  for (let next = day; next <= now; next = nextAnchor(new Date(next), anchorDay).getTime()) {
    day = next;
  }
  return day;
}
