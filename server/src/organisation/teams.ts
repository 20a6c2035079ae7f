// Teams: people of an organisation who share a budget and whose usage is looked at together. One may be in several.
import { sql } from 'kysely';
import type { Team, TeamList } from '../../../protocol/api.ts';
import type { Member } from '../access.ts';
import { note } from '../audit.ts';
import type { Query, Tx } from '../database/database.ts';
import { newId } from '../ids.ts';
import { budgetOnTheWire, readBudgets } from '../ledger/budgets.ts';
import { takeTurn, tellBalance } from '../ledger/ledger.ts';
import { RequestRefused } from '../problems.ts';
import { findPerson, visibleTeams } from './members.ts';

/** Those the member may look into, oldest first; `after` is the id that the page before ended with. */
export async function listTeams(
  query: Query,
  member: Member,
  limit: number,
  after: string | undefined,
  now: Date,
): Promise<TeamList> {
  const { rows } = await sql<Pick<Team, 'id' | 'name'> & { members: bigint }>`
    select t.team_id as id, t.name, (select count(*) from team_members m
      where m.org_id = t.org_id and m.team_id = t.team_id) as members
    from teams t
    where t.org_id = ${member.orgId} and t.team_id > ${after ?? ''} and ${visibleTeams(member, sql`t.team_id`)}
    order by t.team_id limit ${limit + 1}`.execute(query);
  const page = rows.slice(0, limit);
  const ids = page.map(({ id }) => id);
  const budgets = await readBudgets(query, member.orgId, sql`b.team_id = any(${ids})`, now);
  const data = page.map(({ id, name, members }) => {
    const budget = budgets.find(({ teamId }) => teamId === id);
    return { id, name, members: Number(members), budget: budget ? budgetOnTheWire(budget) : null };
  });
  return { data, next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

/** @throws {RequestRefused} team_not_found: no team of the organisation that the member may look into. */
export async function findTeam(
  tx: Query | Tx,
  member: Member,
  teamId: string,
): Promise<{ id: string; name: string }> {
  const { rows } = await sql<{ id: string; name: string }>`
    select team_id as id, name from teams t
    where org_id = ${member.orgId} and team_id = ${teamId} and ${visibleTeams(member, sql`t.team_id`)}`.execute(
    tx,
  );
  if (!rows[0]) {
    throw new RequestRefused('team_not_found');
  }
  return rows[0];
}

export async function createTeam(tx: Tx, member: Member, name: string, at: Date): Promise<Team> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const id = newId('team', at);
  await tx.insertInto('teams').values({ org_id: orgId, team_id: id, name, created_at: at }).execute();
  const details = { team: id, before: null, after: name };
  await note(tx, orgId, { action: 'team.created', actor: member.principal.id, details }, at);
  return { id, name, members: 0, budget: null };
}

export async function renameTeam(
  tx: Tx,
  member: Member,
  teamId: string,
  name: string,
  at: Date,
): Promise<void> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const { id, name: before } = await findTeam(tx, member, teamId);
  await tx.updateTable('teams').set({ name }).where('org_id', '=', orgId).where('team_id', '=', id).execute();
  const details = { team: id, before, after: name };
  await note(tx, orgId, { action: 'team.renamed', actor: member.principal.id, details }, at);
  await tellBalance(tx, orgId, at);
}

/** Its budget goes with it; its people stay. */
export async function deleteTeam(tx: Tx, member: Member, teamId: string, at: Date): Promise<void> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const { id, name: before } = await findTeam(tx, member, teamId);
  await tx.deleteFrom('teams').where('org_id', '=', orgId).where('team_id', '=', id).execute();
  const details = { team: id, before, after: null };
  await note(tx, orgId, { action: 'team.deleted', actor: member.principal.id, details }, at);
  await tellBalance(tx, orgId, at);
}

/** What somebody used before counts for the person only; from now on for the team's budget too. */
export async function putIntoTeam(
  tx: Tx,
  member: Member,
  teamId: string,
  principalId: string,
  at: Date,
): Promise<void> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const team = await findTeam(tx, member, teamId);
  const known = await tx
    .selectFrom('memberships')
    .innerJoin('principals', 'principals.principal_id', 'memberships.principal_id')
    .select('memberships.principal_id as id')
    .where('org_id', '=', orgId)
    .where('memberships.principal_id', '=', principalId)
    .where('kind', '=', 'person')
    .executeTakeFirst();
  if (!known) {
    throw new RequestRefused('member_not_found');
  }
  const added = await tx
    .insertInto('team_members')
    .values({ org_id: orgId, team_id: team.id, principal_id: known.id })
    .onConflict(conflict => conflict.doNothing())
    .returning('principal_id')
    .executeTakeFirst();
  if (added) {
    const details = { team: team.id, member: known.id };
    await note(tx, orgId, { action: 'team.member_added', actor: member.principal.id, details }, at);
    await tellBalance(tx, orgId, at);
  }
}

export async function takeFromTeam(
  tx: Tx,
  member: Member,
  teamId: string,
  principalId: string,
  at: Date,
): Promise<void> {
  const { orgId } = member;
  await takeTurn(tx, orgId);
  const team = await findTeam(tx, member, teamId);
  const person = await findPerson(tx, member, principalId);
  const removed = await tx
    .deleteFrom('team_members')
    .where('org_id', '=', orgId)
    .where('team_id', '=', team.id)
    .where('principal_id', '=', person.id)
    .returning('principal_id')
    .executeTakeFirst();
  if (removed) {
    const details = { team: team.id, member: person.id };
    await note(tx, orgId, { action: 'team.member_removed', actor: member.principal.id, details }, at);
    await tellBalance(tx, orgId, at);
  }
}
