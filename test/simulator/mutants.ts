// Bugs that a credits server could have, each put into the production sources by the smallest change that makes it real
// there. Where several defences stand behind each other, the change takes all of them out: one alone would hold.
import type { Edit } from '../../scripts/support/sourceCopy.ts';

export interface Bug {
  readonly name: string;
  readonly edits: readonly Edit[];
}

const at = (file: string, from: string, to: string): Edit => ({ file: `server/src/${file}`, from, to });

export const bugs: readonly Bug[] = [
  {
    name: 'no unique key',
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
    ],
  },
  {
    name: 'check outside the transaction',
    edits: [
      at(
        'ledger/posting.ts',
        `    .where('org_id', '=', orgId)
    .forUpdate()`,
        `    .where('org_id', '=', orgId)`,
      ),
      at(
        'purchases/fulfilment.ts',
        `    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);
      const current = await read(tx, purchase);`,
        `    const current = purchase;
    await this.#database.transaction(async tx => {
      await lockOrganisation(tx, purchase.org_id);`,
      ),
    ],
  },
  {
    name: 'dedupe by event id only',
    edits: [
      at('purchases/purchase.ts', '  credited: [],', "  credited: ['credited'],"),
      at(
        'purchases/fulfilment.ts',
        'if (status === purchase.status || !',
        "if ((status === purchase.status && status !== 'credited') || !",
      ),
      at(
        'purchases/fulfilment.ts',
        'await this.#advance(tx, current, session, finding);',
        'await this.#advance(tx, current, session, finding, eventKey);',
      ),
      at(
        'purchases/fulfilment.ts',
        'session: Session, finding: Finding): Promise<void>',
        'session: Session, finding: Finding, eventKey?: string): Promise<void>',
      ),
      at(
        'purchases/fulfilment.ts',
        "source: { type: 'checkout_session', id: session.id }",
        "source: { type: 'checkout_session', id: eventKey ?? session.id }",
      ),
    ],
  },
  {
    name: 'credit on unpaid',
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
    edits: [
      at(
        'purchases/fulfilment.ts',
        '      amountUcr: purchase.credits_ucr,\n',
        '      amountUcr: (purchase.credits_ucr * BigInt(session.returned?.paidMinor ?? 0)) / purchase.amount_minor,\n',
      ),
    ],
  },
  {
    name: 'refund added instead of set',
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
  const all = purchase.reversed_ucr + now.reversedUcr;
  return { ...now, reversedUcr: all < purchase.credits_ucr ? all : purchase.credits_ucr };
}

function read(tx: Tx,`,
      ),
    ],
  },
  {
    name: "early 'duplicate' answer before commit",
    edits: [
      at(
        'purchases/fulfilment.ts',
        ".returning('status')\n      .executeTakeFirstOrThrow();\n    return stored.status === 'received'",
        ".returning(['status', 'received_at'])\n      .executeTakeFirstOrThrow();\n    return stored.status === 'received' && stored.received_at.getTime() === now.getTime()",
      ),
      at(
        'purchases/reconciler.ts',
        'await fulfilment.unsettled(AT_ONCE)',
        '[] as { key: string; sessionId: null; paymentIntentId: null }[]',
      ),
    ],
  },
  {
    name: 'expiry ignored',
    edits: [
      at(
        'ledger/settling.ts',
        "where a.org_id = ${orgId} and a.balance_ucr <> 0 and a.kind = 'grant'),",
        'where a.org_id = ${orgId} and false),',
      ),
      at(
        'ledger/posting.ts',
        ".where(({ or, eb }) => or([eb('grants.expires_at', 'is', null), eb('grants.expires_at', '>', now)]))\n    .orderBy",
        '.orderBy',
      ),
    ],
  },
  {
    name: 'role from token',
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
    edits: [at('purchases/fulfilment.ts', 'if (differences.length > 0) {', 'if (differences.length > 9) {')],
  },
  {
    name: 'late payment not credited',
    edits: [
      at(
        'purchases/purchase.ts',
        "expired: ['processing', 'credited', 'needs_review'],",
        "expired: ['needs_review'],",
      ),
    ],
  },
  {
    name: 'an old look undoes a newer one',
    edits: [
      at(
        'purchases/fulfilment.ts',
        'if (look < purchase.look_stored || (look === purchase.look_stored && look > 0n)) {',
        'if (look < 0n) {',
      ),
    ],
  },
  {
    name: 'shares worked out before what fell due',
    edits: [at('purchases/reversal.ts', '  await ledger.settle(tx, orgId);\n', '')],
  },
];
