// What admins set for their organisation, and the alerts that come of it.
import { sql } from 'kysely';
import type { AlertList, OrgSettings } from '../../../protocol/api.ts';
import { firstAdmin, type Member, may } from '../access.ts';
import { note } from '../audit.ts';
import type { Query, Tx } from '../database/database.ts';
import { takeTurn, tellBalance } from '../ledger/ledger.ts';

export async function readSettings(query: Query | Tx, orgId: string): Promise<OrgSettings> {
  const row = await query
    .selectFrom('organisations')
    .select(['low_balance_threshold_ucr', 'contact_name', 'contact_email'])
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
  const { low_balance_threshold_ucr: threshold, contact_name: name, contact_email: email } = row;
  return {
    low_balance_threshold_ucr: threshold === null ? null : Number(threshold),
    contact: name === null ? null : { name, email },
  };
}

export async function storeSettings(tx: Tx, member: Member, settings: OrgSettings, at: Date): Promise<void> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const before = await readSettings(tx, orgId);
  const { low_balance_threshold_ucr: threshold, contact } = settings;
  await tx
    .updateTable('organisations')
    .set({
      low_balance_threshold_ucr: threshold === null ? null : BigInt(threshold),
      contact_name: contact?.name ?? null,
      contact_email: contact?.email ?? null,
    })
    .where('org_id', '=', orgId)
    .execute();
  const deed = {
    action: 'settings.changed',
    actor: member.principal.id,
    details: {
      before_threshold_ucr: before.low_balance_threshold_ucr,
      after_threshold_ucr: threshold,
      before_contact: contactLine(before),
      after_contact: contactLine(settings),
    },
  };
  await note(tx, orgId, deed, at);
  await tellBalance(tx, orgId, at);
}

const contactLine = ({ contact }: OrgSettings): string | null =>
  contact && (contact.email === null ? contact.name : `${contact.name} <${contact.email}>`);

/** Whom a member can ask for credits: whoever the admins named, else the first of them. */
export async function contactOf(
  query: Query,
  orgId: string,
): Promise<{ name: string; email: string | null } | null> {
  return (await readSettings(query, orgId)).contact ?? (await firstAdmin(query, orgId)) ?? null;
}

/** Newest first. Admins see all, others those of their own budgets and of their teams'. */
export async function listAlerts(
  query: Query,
  member: Member,
  limit: number,
  before: bigint | undefined,
): Promise<AlertList> {
  const { orgId, principal, role } = member;
  const theirs = may(role, 'manage_settings')
    ? sql`true`
    : sql`a.budget_id in (select b.budget_id from budgets b where b.org_id = ${orgId}
        and (b.principal_id = ${principal.id} or b.team_id in (
          select team_id from team_members where org_id = ${orgId} and principal_id = ${principal.id})))`;
  const { rows } = await sql<{
    alert_id: bigint;
    kind: string;
    percent: number | null;
    period_id: string;
    budget_id: string | null;
    name: string | null;
    created_at: Date;
  }>`
    select a.alert_id, a.kind, a.percent, a.period_id, a.budget_id, a.name, a.created_at from alerts a
    where a.org_id = ${orgId} and ${before === undefined ? sql`true` : sql`a.alert_id < ${before}`} and ${theirs}
    order by a.alert_id desc limit ${limit + 1}`.execute(query);
  const data = rows.slice(0, limit).map(row => ({
    id: `alt_${row.alert_id}`,
    kind: row.kind,
    percent: row.percent,
    period_id: row.period_id,
    budget: row.budget_id === null ? null : { id: row.budget_id, name: row.name ?? '' },
    at: row.created_at.toISOString(),
  }));
  return { data, next_cursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}
