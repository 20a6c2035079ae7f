// The people of an organisation: who they are, what they may do, and how much each may use.
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import { Budget, OrgMemberList, SetBudget, SetRole } from '../../../protocol/api.ts';
import type { Access } from '../access.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/database.ts';
import { liftBudget, setBudget } from '../organisation/budgets.ts';
import { change } from '../organisation/change.ts';
import { changeRole, listMembers, removeMember } from '../organisation/members.ts';
import { changeProblems, done, needsToken, pageOf, problems, rowsOf } from './answers.ts';
import { OrgParams } from './balance.ts';

export interface OrganisationParts {
  access: Access;
  database: Database;
  clock: Clock;
}

export const MemberParams = z.extend(OrgParams, {
  member: z.string().check(z.minLength(1), z.maxLength(100)),
});

export const memberRoutes: FastifyPluginAsyncZod<OrganisationParts> = async (
  app,
  { access, database, clock },
) => {
  app.get(
    '/v1/orgs/:org/members',
    {
      onRequest: access.allow('read_members'),
      schema: {
        operationId: 'listMembers',
        summary: 'People, by id',
        description:
          'Admins see all, team owners and team leads themselves and the people of their teams. `limit` is 1 to 200, 50 when not given.',
        ...needsToken,
        params: OrgParams,
        querystring: pageOf(/^usr_[\w-]{1,80}$/),
        response: {
          200: OrgMemberList,
          ...problems(
            'unauthenticated',
            'insufficient_role',
            'insufficient_scope',
            'org_not_found',
            'validation_failed',
          ),
        },
      },
    },
    async ({ member, query }, reply) => {
      reply.header('cache-control', 'private, no-store');
      return listMembers(database.query, member, rowsOf(query), query.cursor);
    },
  );

  app.delete(
    '/v1/orgs/:org/members/:member',
    {
      onRequest: access.allow('change_roles'),
      schema: {
        operationId: 'removeMember',
        summary: 'Remove a person from the organisation (admins)',
        description:
          'Counts at once, for open event streams too. What the person used stays in the history. The last admin stays.',
        ...needsToken,
        params: MemberParams,
        response: {
          204: done,
          ...changeProblems('member_not_found', 'last_admin'),
        },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) => removeMember(tx, asker, params.member, clock()));
      return reply.status(204).send();
    },
  );

  app.put(
    '/v1/orgs/:org/members/:member/role',
    {
      onRequest: access.allow('change_roles'),
      schema: {
        operationId: 'setRole',
        summary: 'Give a person another role (admins)',
        description: 'Counts at once, also for a change or an order on its way. The last admin stays one.',
        ...needsToken,
        params: MemberParams,
        body: SetRole,
        response: { 204: done, ...changeProblems('member_not_found', 'last_admin') },
      },
    },
    async ({ member, params, body }, reply) => {
      await change(database, member, (tx, asker) => changeRole(tx, asker, params.member, body.role, clock()));
      return reply.status(204).send();
    },
  );

  app.put(
    '/v1/orgs/:org/members/:member/budget',
    {
      onRequest: access.allow('set_user_budgets'),
      schema: {
        operationId: 'setMemberBudget',
        summary: 'Limit what a person may use in a period',
        description: [
          'Admins for everyone; team owners and team leads for people of lower role in their teams, so never for themselves.',
          'Periods are of the calendar in UTC and renew themselves. A new budget starts from what was used in the running period.',
        ].join('\n\n'),
        ...needsToken,
        params: MemberParams,
        body: SetBudget,
        response: { 200: Budget, ...changeProblems('member_not_found') },
      },
    },
    ({ member, params, body }) =>
      change(database, member, (tx, asker) =>
        setBudget(tx, asker, { principalId: params.member }, body, clock()),
      ),
  );

  app.delete(
    '/v1/orgs/:org/members/:member/budget',
    {
      onRequest: access.allow('set_user_budgets'),
      schema: {
        operationId: 'liftMemberBudget',
        summary: 'Lift a person’s budget',
        ...needsToken,
        params: MemberParams,
        response: {
          204: done,
          ...changeProblems('member_not_found'),
        },
      },
    },
    async ({ member, params }, reply) => {
      await change(database, member, (tx, asker) =>
        liftBudget(tx, asker, { principalId: params.member }, clock()),
      );
      return reply.status(204).send();
    },
  );
};
