// Who belongs to an organisation, with which role, and how far a member's eye and hand reach among the others.
import { type RawBuilder, sql } from 'kysely';
import type { OrgMember, OrgMemberList, SetRole } from '../../../protocol/api.ts';
import { type Member, may } from '../access.ts';
import { note } from '../audit.ts';
import type { Query, Tx } from '../database/database.ts';
import type { Role } from '../database/tables.ts';
import { takeTurn } from '../ledger/ledger.ts';
import { tell } from '../outbox.ts';
import { RequestRefused } from '../problems.ts';

/** Highest first. A service has no place among people. */
const rank: Record<Role, number> = { admin: 0, team_owner: 1, team_lead: 2, user: 3, service: 4 };

/** The teams a member may look into: an admin all, others those they are in. A condition on `team_id`. */
export function visibleTeams(
  { orgId, principal, role }: Member,
  teamId: RawBuilder<unknown>,
): RawBuilder<boolean> {
  return may(role, 'manage_teams')
    ? sql`true`
    : sql`${teamId} in (
        select team_id from team_members where org_id = ${orgId} and principal_id = ${principal.id})`;
}

/** The people whose figures a member may see: an admin all, owners and leads those in their teams, everyone oneself. */
export function visiblePeople(member: Member, principalId: RawBuilder<unknown>): RawBuilder<boolean> {
  const { orgId, principal, role } = member;
  if (may(role, 'manage_teams')) {
    return sql`true`;
  }
  const oneself = sql`${principalId} = ${principal.id}`;
  return may(role, 'read_team_usage')
    ? sql`(${oneself} or ${principalId} in (
        select principal_id from team_members where org_id = ${orgId} and ${visibleTeams(member, sql`team_id`)}))`
    : sql`${oneself}`;
}

/** By id; `after` is the id that the page before ended with. */
export async function listMembers(
  query: Query,
  member: Member,
  limit: number,
  after: string | undefined,
): Promise<OrgMemberList> {
  const { rows } = await sql<OrgMember>`
    select p.principal_id as id, p.name, p.email, m.role, coalesce((
      select json_agg(json_build_object('id', t.team_id, 'name', t.name) order by t.team_id)
      from team_members tm join teams t on t.org_id = tm.org_id and t.team_id = tm.team_id
      where tm.org_id = m.org_id and tm.principal_id = m.principal_id and ${visibleTeams(member, sql`tm.team_id`)}
    ), '[]') as teams
    from memberships m join principals p on p.principal_id = m.principal_id
    where m.org_id = ${member.orgId} and p.kind = 'person' and p.principal_id > ${after ?? ''}
      and ${visiblePeople(member, sql`p.principal_id`)}
    order by p.principal_id limit ${limit + 1}`.execute(query);
  const data = rows.slice(0, limit);
  return { data, next_cursor: rows.length > limit ? (data.at(-1)?.id ?? null) : null };
}

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** @throws {RequestRefused} member_not_found: not a person of the organisation whom the member can see. */
export async function findPerson(tx: Query | Tx, member: Member, principalId: string): Promise<Person> {
  const { rows } = await sql<Person>`
    select p.principal_id as id, p.name, m.role
    from memberships m join principals p on p.principal_id = m.principal_id
    where m.org_id = ${member.orgId} and m.principal_id = ${principalId} and p.kind = 'person'
      and ${visiblePeople(member, sql`p.principal_id`)}`.execute(tx);
  if (!rows[0]) {
    throw new RequestRefused('member_not_found');
  }
  return rows[0];
}

/** Whether a member is above another: an admin above everyone, others above lower roles; so not above oneself. */
export const isAbove = (member: Member, person: Person): boolean =>
  member.role === 'admin' || rank[member.role] < rank[person.role];

/** @throws {RequestRefused} member_not_found, last_admin */
export async function changeRole(
  tx: Tx,
  member: Member,
  principalId: string,
  role: SetRole['role'],
  at: Date,
): Promise<void> {
  const { orgId, principal } = member;
  await takeTurn(tx, orgId);
  await appoint(tx, orgId, await findPerson(tx, member, principalId), role, principal.id, at);
}

/**
 * Gives somebody another role. The caller holds the organisation's lock.
 *
 * @throws {RequestRefused} last_admin
 */
export async function appoint(
  tx: Tx,
  orgId: string,
  { id, role: before }: Pick<Person, 'id' | 'role'>,
  role: SetRole['role'],
  actor: string,
  at: Date,
): Promise<void> {
  if (before === role) {
    return;
  }
  if (before === 'admin') {
    await checkOtherAdmin(tx, orgId);
  }
  await tx
    .updateTable('memberships')
    .set({ role })
    .where('org_id', '=', orgId)
    .where('principal_id', '=', id)
    .execute();
  const details = { member: id, before, after: role };
  await note(tx, orgId, { action: 'member.role_changed', actor, details }, at);
}

/** @throws {RequestRefused} member_not_found, last_admin */
export async function removeMember(tx: Tx, member: Member, principalId: string, at: Date): Promise<void> {
  const { orgId, principal } = member;
  await takeTurn(tx, orgId);
  await dismiss(tx, orgId, await findPerson(tx, member, principalId), principal.id, at);
}

/**
 * Ends a membership, and with it places in teams and the budget. What the person used stays in the history, and so does
 * the account, which may belong to other organisations. The caller holds the organisation's lock.
 *
 * @throws {RequestRefused} last_admin
 */
export async function dismiss(
  tx: Tx,
  orgId: string,
  { id, role }: Pick<Person, 'id' | 'role'>,
  actor: string,
  at: Date,
): Promise<void> {
  if (role === 'admin') {
    await checkOtherAdmin(tx, orgId);
  }
  await tx.deleteFrom('memberships').where('org_id', '=', orgId).where('principal_id', '=', id).execute();
  const details = { member: id, before: role, after: null };
  await note(tx, orgId, { action: 'member.removed', actor, details }, at);
  await tell(tx, orgId, 'member.removed', { id }, at);
}

/** Somebody has to be left who can undo it. */
async function checkOtherAdmin(tx: Tx, orgId: string): Promise<void> {
  const { count } = await tx
    .selectFrom('memberships')
    .innerJoin('principals', 'principals.principal_id', 'memberships.principal_id')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('org_id', '=', orgId)
    .where('role', '=', 'admin')
    .where('kind', '=', 'person')
    .executeTakeFirstOrThrow();
  if (count <= 1n) {
    throw new RequestRefused('last_admin');
  }
}
