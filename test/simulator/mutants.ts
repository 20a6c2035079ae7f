// Bugs that a credits server could have, each put into the production sources by the smallest change that makes it real
// there. Where other defences stand behind it, they are taken out too: what is to be seen is the bug, not what stops it.
import type { Edit } from '../../scripts/support/sourceCopy.ts';

export interface Bug {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Defences that would hide the bug. Without them and without the bug, every rule must be kept. */
  readonly behind?: readonly Edit[];
  /** How it shows: what is said of the rule that it breaks. */
  readonly rule: RegExp;
}

const at = (file: string, from: string, to: string): Edit => ({ file: `server/src/${file}`, from, to });

/** The ledger itself takes each payment once; without that, only fulfilment's own check is left. */
const ledgerTakesTwice = [
  at(
    'database/migrations/0001_ledger.ts',
    'constraint one_transaction_per_source unique (org_id, type, source_type, source_id)',
    "check (source_id <> '')",
  ),
  at(
    'ledger/ledger.ts',
    'return findTransaction(tx, orgId, type, source);',
    "return type === 'purchase' ? undefined : findTransaction(tx, orgId, type, source);",
  ),
];

export const bugs: readonly Bug[] = [
  {
    name: 'no unique key',
    rule: /I2 I6 posted twice/,
    edits: [
      at(
        'database/migrations/0001_ledger.ts',
        'constraint one_transaction_per_source unique (org_id, type, source_type, source_id)',
        "check (source_id <> '')",
      ),
      at(
        'database/migrations/0003_ledger_rules.ts',
        'drop constraint usage_events_pkey, add primary key (org_id, source_type, event_id)',
        'drop constraint usage_events_pkey',
      ),
      at('ledger/ledger.ts', 'return findTransaction(tx, orgId, type, source);', 'return undefined;'),
      at('database/migrations/0008_posting.ts', 'if found then', 'if false then'),
    ],
  },
  {
    name: 'check outside the transaction',
    rule: /I2 I6 posted twice: purchase/,
    behind: [
      ...ledgerTakesTwice,
      // The change of a purchase that has changed meanwhile would be refused.
      at(
        'purchases/purchase.ts',
        "    .where('status', '=', purchase.status)\n    .executeTakeFirst",
        '    .executeTakeFirst',
      ),
    ],
    edits: [
      at(
        'purchases/fulfilment.ts',
        `    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const current = await read(tx, purchase);
      const finding`,
        `    const current = purchase;
    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const finding`,
      ),
    ],
  },
  {
    name: 'dedupe by event id only',
    rule: /I2 I6 posted twice: purchase/,
    behind: ledgerTakesTwice,
    edits: [
      at('purchases/purchase.ts', '  credited: [],', "  credited: ['credited'],"),
      at(
        'purchases/fulfilment.ts',
        '|| status === purchase.status || !',
        "|| (status === purchase.status && status !== 'credited') || !",
      ),
    ],
  },
  {
    name: 'credit on unpaid',
    rule: /I3 credited is what was paid/,
    edits: [
      at(
        'purchases/fulfilment.ts',
        "if (session.paymentStatus === 'paid') {",
        "if (session.status === 'complete') {",
      ),
    ],
  },
  {
    name: 'amount_total credited',
    rule: /I3 the order is credited, without tax/,
    edits: [
      at(
        'purchases/fulfilment.ts',
        'await credit(tx, this.#ledger, purchase, links',
        'const credits_ucr = (purchase.credits_ucr * BigInt(session.returned?.paidMinor ?? 0)) / purchase.amount_minor;\n    await credit(tx, this.#ledger, { ...purchase, credits_ucr }, links',
      ),
    ],
  },
  {
    name: 'refund added instead of set',
    rule: /I5/,
    behind: [
      at(
        'database/migrations/0004_payments.ts',
        'add constraint reversed_is_credited check (reversed_ucr + disputed_ucr <= credits_ucr)',
        'add constraint reversed_is_credited check (reversed_ucr >= 0)',
      ),
    ],
    edits: [
      at(
        'purchases/fulfilment.ts',
        '? reversalOf(purchase.credits_ucr, returned)',
        '? added(purchase, reversalOf(purchase.credits_ucr, returned))',
      ),
      at(
        'purchases/fulfilment.ts',
        'function read(tx: Tx,',
        `function added(purchase: PurchaseRow, now: Reversal): Reversal {
  return { ...now, reversedUcr: purchase.reversed_ucr + now.reversedUcr };
}

function read(tx: Tx,`,
      ),
    ],
  },
  {
    name: "early 'duplicate' answer before commit",
    rule: /every delivery that was taken in is acted on|I2|I5/,
    edits: [
      at(
        'purchases/fulfilment.ts',
        ".returning('status')\n      .executeTakeFirstOrThrow();\n    return stored.status === 'received'",
        ".returning(['status', sql<boolean>`stripe_events.xmax = 0`.as('isFirst')])\n      .executeTakeFirstOrThrow();\n    return stored.status === 'received' && stored.isFirst",
      ),
      at('purchases/reconciler.ts', 'await fulfilment.unsettled(AT_ONCE, this.#tried)', '[] as TakenIn[]'),
    ],
  },
  {
    name: 'expiry ignored',
    rule: /included, promotional, purchased, set aside|the model refuses|I1 what/,
    edits: [
      at(
        'ledger/settling.ts',
        "where a.org_id = ${orgId} and a.balance_ucr <> 0 and a.kind = 'grant'),",
        'where a.org_id = ${orgId} and false),',
      ),
      at(
        'database/migrations/0008_posting.ts',
        '\n            and (g.expires_at is null or g.expires_at > at)',
        '',
      ),
    ],
  },
  {
    name: 'role from token',
    rule: /I8/,
    edits: [
      at(
        'access.ts',
        'const { role, name: orgName } = membership;',
        'const { name: orgName } = membership;\n      const role = remembered.get(`${orgId} ${principal.id}`) ?? membership.role;\n      remembered.set(`${orgId} ${principal.id}`, role);',
      ),
      at(
        'access.ts',
        'export class Access {',
        'const remembered = new Map<string, Role>();\n\nexport class Access {',
      ),
    ],
  },
  {
    name: 'clock taken from the client',
    rule: /a hold lasts as long/,
    edits: [
      at(
        'routes/holds.ts',
        '({ member, body }) =>\n      answered',
        '({ member, body, headers }) =>\n      answered',
      ),
      at(
        'routes/holds.ts',
        'expiresInS: body.expires_in_s,',
        "expiresInS: Math.max(\n            1,\n            body.expires_in_s + Math.round((Date.parse(headers.date ?? '') - clock().getTime()) / 1_000),\n          ),",
      ),
    ],
  },
  {
    name: 'order and payment not compared',
    rule: /I3 credited is what was ordered/,
    edits: [at('purchases/fulfilment.ts', 'if (differences.length > 0) {', 'if (differences.length > 9) {')],
  },
  {
    name: 'late payment not credited',
    rule: /I2 .*, paid, is expired/,
    edits: [
      at(
        'purchases/purchase.ts',
        "expired: ['processing', 'credited', 'needs_review'],",
        "expired: ['needs_review'],",
      ),
    ],
  },
  {
    name: 'only deliveries are heard of',
    rule: /included, promotional, purchased, set aside|I2|I5/,
    edits: [at('purchases/missedNews.ts', 'if (!payments || !readTo) {', 'if (payments || !readTo) {')],
  },
  {
    name: 'an old look undoes a newer one',
    rule: /included, promotional, purchased, set aside|I5/,
    edits: [at('purchases/fulfilment.ts', 'if (look <= purchase.look_stored) {', 'if (look < 0n) {')],
  },
];
