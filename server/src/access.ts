// Who is asking, and what they may do. The token says who; the membership, looked up now, says what.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from './clock.ts';
import type { Query, Tx } from './database/database.ts';
import type { Role } from './database/tables.ts';
import { hashOf } from './ids.ts';
import { RequestRefused } from './problems.ts';

export interface Principal {
  readonly id: string;
  readonly kind: 'person' | 'service';
  readonly name: string;
  readonly email: string | null;
}

/** A principal in one organisation, with the role it has there at this moment. */
export interface Member {
  readonly principal: Principal;
  readonly orgId: string;
  readonly orgName: string;
  readonly role: Role;
}

export const actions = [
  'read_balance',
  'read_offer',
  'listen',
  'purchase',
  'follow_purchases',
  'manage_billing',
  'read_audit',
  'post_usage',
  'read_usage',
  'read_history',
  'read_members',
  'change_roles',
  'read_teams',
  'manage_teams',
  'manage_team',
  'set_user_budgets',
  'read_team_usage',
  'manage_settings',
  'read_alerts',
] as const;
export type Action = (typeof actions)[number];

const everyPerson: readonly Action[] = [
  'read_balance',
  'read_offer',
  'listen',
  'follow_purchases',
  'read_usage',
  'read_teams',
  'read_alerts',
];

/** Of one's own teams: who is in them, what they use, and budgets of those in them whose role is lower. */
const everyLead: readonly Action[] = [...everyPerson, 'read_members', 'read_team_usage', 'set_user_budgets'];

/**
 * The whole of who may do what. `follow_purchases`, `read_usage`, `read_teams` and `read_alerts` show admins all and
 * others their own; `manage_team` (who is in a team, and its budget) is for any team with admins and for teams one is
 * in oneself with team owners.
 */
export const allowed: Record<Role, readonly Action[]> = {
  admin: [
    ...everyLead,
    'purchase',
    'manage_billing',
    'read_audit',
    'read_history',
    'change_roles',
    'manage_teams',
    'manage_team',
    'manage_settings',
  ],
  team_owner: [...everyLead, 'manage_team'],
  team_lead: everyLead,
  user: everyPerson,
  service: ['read_balance', 'post_usage'],
};

export const may = (role: Role, action: Action): boolean => allowed[role].includes(action);

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `Access.signedIn`. */
    principal: Principal;
    /** Set by `Access.allow`. */
    member: Member;
  }
}

export class Access {
  readonly #query: Query;
  readonly #clock: Clock;

  constructor(query: Query, clock: Clock) {
    this.#query = query;
    this.#clock = clock;
  }

  /** Hook for routes that ask for any valid token. */
  readonly signedIn = async (request: FastifyRequest): Promise<void> => {
    request.principal = await this.#principalOf(request);
  };

  /**
   * Hook for routes of one organisation. Runs before the body is read, so a refusal has no side effect.
   * An unknown organisation and one that the principal is not a member of look the same.
   */
  allow(action: Action): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
    return async request => {
      const principal = await this.#principalOf(request);
      const { org: orgId } = request.params as { org: string };
      const membership = await this.#query
        .selectFrom('memberships')
        .innerJoin('organisations', 'organisations.org_id', 'memberships.org_id')
        .select(['memberships.role', 'organisations.name'])
        .where('memberships.org_id', '=', orgId)
        .where('memberships.principal_id', '=', principal.id)
        .executeTakeFirst();
      if (!membership) {
        throw new RequestRefused('org_not_found');
      }
      const { role, name: orgName } = membership;
      // A service's token is a service whatever role it may have been given.
      if (!may(principal.kind === 'service' ? 'service' : role, action)) {
        const byKind = principal.kind === 'service' || action === 'post_usage';
        throw new RequestRefused(byKind ? 'insufficient_scope' : 'insufficient_role');
      }
      request.principal = principal;
      request.member = { principal, orgId, orgName, role };
    };
  }

  memberships(principal: Principal): Promise<Array<{ id: string; name: string; role: Role }>> {
    return this.#query
      .selectFrom('memberships')
      .innerJoin('organisations', 'organisations.org_id', 'memberships.org_id')
      .select(['organisations.org_id as id', 'organisations.name', 'memberships.role'])
      .where('memberships.principal_id', '=', principal.id)
      .orderBy('memberships.created_at')
      .orderBy('organisations.org_id')
      .execute();
  }

  async #principalOf(request: FastifyRequest): Promise<Principal> {
    const token = /^Bearer +(crd_(?:pat|svc)_[0-9A-Za-z_-]{16,200})$/i.exec(
      request.headers.authorization ?? '',
    )?.[1];
    if (token === undefined) {
      throw new RequestRefused('unauthenticated');
    }
    const principal = await this.#query
      .selectFrom('tokens')
      .innerJoin('principals', 'principals.principal_id', 'tokens.principal_id')
      .select(['principals.principal_id as id', 'principals.kind', 'principals.name', 'principals.email'])
      .where('tokens.token_hash', '=', hashOf(token))
      .where('tokens.revoked_at', 'is', null)
      .where(({ or, eb }) =>
        or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', this.#clock())]),
      )
      .executeTakeFirst();
    if (!principal) {
      throw new RequestRefused('unauthenticated');
    }
    return principal;
  }
}

/** The admin to name to a member who would like more credits: the one who has been it longest. */
export function firstAdmin(
  query: Query,
  orgId: string,
): Promise<{ name: string; email: string | null } | undefined> {
  return query
    .selectFrom('memberships')
    .innerJoin('principals', 'principals.principal_id', 'memberships.principal_id')
    .select(['principals.name', 'principals.email'])
    .where('memberships.org_id', '=', orgId)
    .where('memberships.role', '=', 'admin')
    .where('principals.kind', '=', 'person')
    .orderBy('memberships.created_at')
    .orderBy('principals.principal_id')
    .executeTakeFirst();
}

export interface NewMember {
  readonly orgId: string;
  readonly principal: Principal;
  readonly role: Role;
  readonly token: string;
}

/** Adds or updates a principal, its membership and its token. The token is kept as a hash only. */
export async function admit(tx: Tx, member: NewMember, at: Date): Promise<void> {
  const { principal } = member;
  await tx
    .insertInto('principals')
    .values({
      principal_id: principal.id,
      kind: principal.kind,
      name: principal.name,
      email: principal.email,
      created_at: at,
    })
    .onConflict(conflict =>
      conflict.column('principal_id').doUpdateSet({ name: principal.name, email: principal.email }),
    )
    .execute();
  await tx
    .insertInto('memberships')
    .values({ org_id: member.orgId, principal_id: principal.id, role: member.role, created_at: at })
    .onConflict(conflict => conflict.columns(['org_id', 'principal_id']).doUpdateSet({ role: member.role }))
    .execute();
  await tx
    .insertInto('tokens')
    .values({
      token_hash: hashOf(member.token),
      principal_id: principal.id,
      created_at: at,
      expires_at: null,
      revoked_at: null,
    })
    .onConflict(conflict => conflict.doNothing())
    .execute();
}
