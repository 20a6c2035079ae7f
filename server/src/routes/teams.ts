// Teams: made by admins, and looked after by the team owners who are in them.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { Budget, NameTeam, SetBudget, Team, TeamList } from '../../../protocol/api.ts';
import { liftBudget, setBudget } from '../organisation/budgets.ts';
import { change } from '../organisation/change.ts';
import {
  createTeam,
  deleteTeam,
  listTeams,
  putIntoTeam,
  renameTeam,
  takeFromTeam,
} from '../organisation/teams.ts';
import { changeProblems, done, needsToken, pageOf, problems, rowsOf } from './answers.ts';
import { OrgParams } from './balance.ts';
import { MemberParams, type OrganisationParts } from './members.ts';

const TeamParams = z.extend(OrgParams, { team: z.string().check(z.minLength(1), z.maxLength(100)) });
const TeamMemberParams = z.extend(MemberParams, { team: TeamParams.shape.team });

export const teamRoutes: FastifyPluginAsyncZod<OrganisationParts> = async (
  app,
  { access, database, clock },
) => {
  const refusals = changeProblems('team_not_found');

  app.get(
    '/v1/orgs/:org/teams',
    {
      onRequest: access.allow('read_teams'),
      schema: {
        operationId: 'listTeams',
        summary: 'Teams with their budgets, oldest first',
        description: 'Admins see all, others those they are in. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: pageOf(/^team_[\w-]{1,80}$/),
        response: {
          200: TeamList,
          ...problems('unauthenticated', 'insufficient_scope', 'org_not_found', 'validation_failed'),
        },
      },
    },
    async ({ member, query }, reply) => {
      reply.header('cache-control', 'private, no-store');
      return listTeams(database.query, member, rowsOf(query), query.cursor, clock());
    },
  );

  app.post(
    '/v1/orgs/:org/teams',
    {
      onRequest: access.allow('manage_teams'),
      schema: {
        operationId: 'createTeam',
        summary: 'Make a team (admins)',
        ...needsToken,
        params: OrgParams,
        body: NameTeam,
        response: { 201: Team, ...changeProblems() },
      },
    },
    async ({ member, body }, reply) =>
      reply
        .status(201)
        .send(await change(database, member, (tx, asker) => createTeam(tx, asker, body.name, clock()))),
  );

  app.put(
    '/v1/orgs/:org/teams/:team',
    {
      onRequest: access.allow('manage_teams'),
      schema: {
        operationId: 'renameTeam',
        summary: 'Give a team another name (admins)',
        ...needsToken,
        params: TeamParams,
        body: NameTeam,
        response: { 204: done, ...changeProblems('team_not_found') },
      },
    },
    async ({ member, params, body }, reply) => {
      await change(database, member, (tx, asker) => renameTeam(tx, asker, params.team, body.name, clock()));
      return reply.status(204).send();
    },
  );

  app.delete(
    '/v1/orgs/:org/teams/:team',
    {
      onRequest: access.allow('manage_teams'),
      schema: {
        operationId: 'deleteTeam',
        summary: 'Delete a team and its budget; its people stay (admins)',
        ...needsToken,
        params: TeamParams,
        response: { 204: done, ...refusals },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) => deleteTeam(tx, asker, params.team, clock()));
      return reply.status(204).send();
    },
  );

  app.put(
    '/v1/orgs/:org/teams/:team/members/:member',
    {
      onRequest: access.allow('manage_team'),
      schema: {
        operationId: 'putIntoTeam',
        summary: 'Put a person into a team (admins; team owners for teams they are in)',
        ...needsToken,
        params: TeamMemberParams,
        response: {
          204: done,
          ...changeProblems('team_not_found', 'member_not_found'),
        },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) =>
        putIntoTeam(tx, asker, params.team, params.member, clock()),
      );
      return reply.status(204).send();
    },
  );

  app.delete(
    '/v1/orgs/:org/teams/:team/members/:member',
    {
      onRequest: access.allow('manage_team'),
      schema: {
        operationId: 'takeFromTeam',
        summary: 'Take a person out of a team (admins; team owners for teams they are in)',
        ...needsToken,
        params: TeamMemberParams,
        response: {
          204: done,
          ...changeProblems('team_not_found', 'member_not_found'),
        },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) =>
        takeFromTeam(tx, asker, params.team, params.member, clock()),
      );
      return reply.status(204).send();
    },
  );

  app.put(
    '/v1/orgs/:org/teams/:team/budget',
    {
      onRequest: access.allow('manage_team'),
      schema: {
        operationId: 'setTeamBudget',
        summary: 'Limit what a team may use in a period (admins; team owners for teams they are in)',
        description:
          'Periods are of the calendar in UTC and renew themselves. A new budget starts from what its people used in the running period.',
        ...needsToken,
        params: TeamParams,
        body: SetBudget,
        response: { 200: Budget, ...changeProblems('team_not_found') },
      },
    },
    ({ member, params, body }) =>
      change(database, member, (tx, asker) => setBudget(tx, asker, { teamId: params.team }, body, clock())),
  );

  app.delete(
    '/v1/orgs/:org/teams/:team/budget',
    {
      onRequest: access.allow('manage_team'),
      schema: {
        operationId: 'liftTeamBudget',
        summary: 'Lift a team’s budget (admins; team owners for teams they are in)',
        ...needsToken,
        params: TeamParams,
        response: { 204: done, ...refusals },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) => liftBudget(tx, asker, { teamId: params.team }, clock()));
      return reply.status(204).send();
    },
  );
};
