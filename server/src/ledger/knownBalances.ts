// Balances that were read are good until something changes, and that stands in the organisation's row: every posting
// writes to it, of this process or another. So most reads are of that row alone.
import { sql } from 'kysely';
import type { Query } from '../database/database.ts';
import { type BalanceFigures, readBalance, rowState, type SumUp, sumUpBalance } from './balance.ts';

/** Organisations; about a kilobyte each. */
const KEPT = 5_000;

interface Known {
  readonly figures: BalanceFigures;
  readonly readAt: Date;
}

export class KnownBalances {
  /** Those that were asked for last are last. */
  readonly #known = new Map<string, Known>();
  readonly #sums = new Map<string, Promise<BalanceFigures>>();

  /** As `readBalance`; the same object while nothing has changed. */
  async read(query: Query, orgId: string, now: Date): Promise<BalanceFigures> {
    const known = this.#known.get(orgId);
    if (known && isOfTime(known, now) && known.figures.rowState === (await stateOf(query, orgId))) {
      this.#keep(orgId, known);
      return known.figures;
    }
    const figures = await readBalance(query, orgId, now, this.#sumUpOnce);
    this.#keep(orgId, { figures, readAt: now });
    return figures;
  }

  /** Nothing is posted while an organisation is frozen, so many readers are served by one sum. */
  readonly #sumUpOnce: SumUp = async (query, orgId, now, rowState) => {
    const known = this.#known.get(orgId);
    if (known && isOfTime(known, now) && known.figures.isFrozen && known.figures.rowState === rowState) {
      return known.figures;
    }
    const key = `${orgId} ${rowState}`;
    const underWay =
      this.#sums.get(key) ??
      sumUpBalance(query, orgId, now).finally(() => {
        this.#sums.delete(key);
      });
    this.#sums.set(key, underWay);
    return underWay;
  };

  #keep(orgId: string, known: Known): void {
    this.#known.delete(orgId);
    this.#known.set(orgId, known);
    if (this.#known.size > KEPT) {
      const [oldest = ''] = this.#known.keys();
      this.#known.delete(oldest);
    }
  }
}

/** Time alone changes figures, too; and a clock that was set back asks for others. */
function isOfTime({ figures, readAt }: Known, now: Date): boolean {
  return now >= readAt && (figures.changesAt === null || now < figures.changesAt);
}

async function stateOf(query: Query, orgId: string): Promise<string | undefined> {
  const { rows } = await sql<{ state: string }>`
    select ${rowState} as state from organisations o where o.org_id = ${orgId}`.execute(query);
  return rows[0]?.state;
}
