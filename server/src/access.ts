// Who is asking, and what they may do. The token says who; the membership, looked up now, says what.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Scope, scopes } from '../../protocol/api.ts';
import { type Clock, MINUTE_MS } from './clock.ts';
import type { Database, Query, Tx } from './database/database.ts';
import type { Role } from './database/tables.ts';
import { type Principal, personOf } from './identity/people.ts';
import type { IdentityProviders } from './identity/provider.ts';
import { hashOf } from './ids.ts';
import { RequestRefused } from './problems.ts';

/** A principal in one organisation, with the role it has there at this moment. */
export interface Member {
  readonly principal: Principal;
  readonly orgId: string;
  readonly orgName: string;
  readonly role: Role;
  readonly credential: Credential;
}

/** A member whose request was let in for this. */
export interface LetIn extends Member {
  readonly action: Action;
}

/** What a principal asks with. */
export interface Credential {
  /** What it was given for; undefined for all that its principal may. */
  readonly scopes: readonly string[] | undefined;
  /** Of tokens of this server: nothing made with one lasts longer. */
  readonly expiresAt: Date | null;
  /** Of tokens of this server: what ends with it. */
  readonly tokenId: string | null;
}

export const actions = [
  'read_balance',
  'read_offer',
  'listen',
  'purchase',
  'follow_purchases',
  'close_purchase',
  'manage_billing',
  'manage_tokens',
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
  'close_purchase',
  'read_usage',
  'read_teams',
  'read_alerts',
];

/** Of one's own teams: who is in them, what they use, and budgets of those in them whose role is lower. */
const everyLead: readonly Action[] = [...everyPerson, 'read_members', 'read_team_usage', 'set_user_budgets'];

/**
 * The whole of which role may do what. `follow_purchases`, `read_usage`, `read_teams` and `read_alerts` show admins all and
 * others their own; `manage_team` (who is in a team, and its budget) is for any team with admins and for teams one is
 * in oneself with team owners.
 */
export const allowed: Record<Role, readonly Action[]> = {
  admin: [
    ...everyLead,
    'purchase',
    'manage_billing',
    'manage_tokens',
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

/** What a token must be for besides: one of these is enough. */
export const needed: Record<Action, readonly [Scope, ...Scope[]]> = {
  read_balance: ['credits:read'],
  read_offer: ['credits:read'],
  listen: ['credits:read'],
  read_usage: ['credits:history'],
  read_history: ['credits:history'],
  read_audit: ['credits:history'],
  follow_purchases: ['credits:history', 'credits:purchase'],
  close_purchase: ['credits:purchase'],
  purchase: ['credits:purchase'],
  manage_billing: ['credits:manage'],
  manage_tokens: ['credits:manage'],
  post_usage: ['credits:usage.write'],
  read_alerts: ['credits:read'],
  read_teams: ['credits:read'],
  read_members: ['credits:read'],
  read_team_usage: ['credits:history'],
  set_user_budgets: ['credits:manage'],
  manage_team: ['credits:manage'],
  manage_teams: ['credits:manage'],
  change_roles: ['credits:manage'],
  manage_settings: ['credits:manage'],
};

export const reaches = ({ scopes }: Credential, accepted: readonly Scope[]): boolean =>
  scopes === undefined || accepted.some(scope => scopes.includes(scope));

export const may = (role: Role, action: Action): boolean => allowed[role].includes(action);

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `Access.signedIn`. */
    principal: Principal;
    /** Set with it. */
    credential: Credential;
    /** Set by `Access.allow`. */
    member: LetIn;
  }
}

export class Access {
  readonly #database: Database;
  readonly #query: Query;
  readonly #clock: Clock;
  readonly #providers: IdentityProviders | undefined;

  constructor({ database, clock, providers }: AccessParts) {
    this.#database = database;
    this.#query = database.query;
    this.#clock = clock;
    this.#providers = providers;
  }

  /** Hook for routes that ask for any valid token. */
  readonly signedIn = async (request: FastifyRequest): Promise<void> => {
    const { principal, credential } = await this.#asker(request, null);
    Object.assign(request, { principal, credential });
  };

  /** Hook for what a person does with their own account. */
  readonly inPerson = async (request: FastifyRequest): Promise<void> => {
    await this.signedIn(request);
    checkScope(request.credential, ['credits:manage']);
    if (request.principal.kind === 'service') {
      throw new RequestRefused('insufficient_scope');
    }
  };

  /**
   * Hook for routes of one organisation. Runs before the body is read, so a refusal has no side effect.
   * An unknown organisation and one that the principal is not a member of look the same.
   */
  allow(action: Action): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
    return async request => {
      const { org: orgId } = request.params as { org: string };
      const { principal, credential, membership } = await this.#asker(request, orgId);
      if (!membership) {
        throw new RequestRefused('org_not_found');
      }
      const { role, name: orgName } = membership;
      // A service's token is a service whatever role it may have been given.
      if (!may(principal.kind === 'service' ? 'service' : role, action)) {
        const byKind = principal.kind === 'service' || action === 'post_usage';
        throw new RequestRefused(byKind ? 'insufficient_scope' : 'insufficient_role');
      }
      checkScope(credential, needed[action]);
      Object.assign(request, { principal, credential });
      request.member = { principal, orgId, orgName, role, credential, action };
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

  /** Who asks, and as what in this organisation: one journey to the database for tokens of this server. */
  async #asker(request: FastifyRequest, orgId: string | null): Promise<Asker> {
    const token = tokenOf(request);
    if (token === undefined) {
      throw new RequestRefused('unauthenticated');
    }
    return OWN_TOKEN.test(token) ? this.#holderOf(token, orgId) : this.#personOf(token, orgId);
  }

  async #holderOf(token: string, orgId: string | null): Promise<Asker> {
    const now = this.#clock();
    const row = await this.#query
      .selectFrom('tokens')
      .innerJoin('principals', 'principals.principal_id', 'tokens.principal_id')
      .leftJoin('memberships as m', join =>
        join.onRef('m.principal_id', '=', 'tokens.principal_id').on('m.org_id', '=', orgId),
      )
      .leftJoin('organisations as o', 'o.org_id', 'm.org_id')
      .select(['principals.principal_id as id', 'principals.kind', 'principals.name', 'principals.email'])
      .select(['tokens.token_id', 'tokens.scope', 'tokens.expires_at', 'tokens.last_used_at'])
      .select(['m.role', 'o.name as org_name'])
      .where('tokens.token_hash', '=', hashOf(token))
      .where('tokens.revoked_at', 'is', null)
      .where(({ or, eb }) => or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
      .executeTakeFirst();
    if (!row) {
      throw new RequestRefused('unauthenticated');
    }
    const { token_id, scope, expires_at, last_used_at, role, org_name, ...principal } = row;
    if (now.getTime() - (last_used_at?.getTime() ?? 0) > USE_NOTED_EVERY_MS) {
      // Nobody waits for it, and a database that only reads still answers.
      this.#query
        .updateTable('tokens')
        .set({ last_used_at: now })
        .where('token_hash', '=', hashOf(token))
        .execute()
        .catch(() => {});
    }
    return {
      principal,
      credential: { scopes: scope?.split(' '), expiresAt: expires_at, tokenId: token_id },
      membership: role !== null && org_name !== null ? { role, name: org_name } : undefined,
    };
  }

  async #personOf(token: string, orgId: string | null): Promise<Asker> {
    if (!this.#providers) {
      throw new RequestRefused('unauthenticated');
    }
    const identity = await this.#providers.verify(token);
    // A token without any of our scopes was made for something else, such as telling a program who signed in.
    const credential = { scopes: identity.scopes, expiresAt: null, tokenId: null };
    checkScope(credential, scopes);
    const principal = await personOf(this.#database, identity, this.#clock());
    const membership = orgId === null ? undefined : await this.#membership(principal, orgId);
    return { principal, credential, membership };
  }

  #membership(principal: Principal, orgId: string): Promise<Membership | undefined> {
    return this.#query
      .selectFrom('memberships')
      .innerJoin('organisations', 'organisations.org_id', 'memberships.org_id')
      .select(['memberships.role', 'organisations.name'])
      .where('memberships.org_id', '=', orgId)
      .where('memberships.principal_id', '=', principal.id)
      .executeTakeFirst();
  }
}

/** What a request is made with, if it has the form of a token. Source: https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
export function tokenOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer +([0-9A-Za-z._~+/=-]{16,8000})$/i.exec(headers.authorization ?? '')?.[1];
}

interface Asker {
  readonly principal: Principal;
  readonly credential: Credential;
  /** In the organisation that was asked about, if it is in it. */
  readonly membership: Membership | undefined;
}

interface Membership {
  readonly role: Role;
  /** Of the organisation. */
  readonly name: string;
}

interface AccessParts {
  readonly database: Database;
  readonly clock: Clock;
  /** Absent: tokens of this server only. */
  readonly providers?: IdentityProviders | undefined;
}

const OWN_TOKEN = /^crd_(?:pat|svc)_[0-9A-Za-z_-]{16,200}$/;
/** So that reading costs no write each time. */
const USE_NOTED_EVERY_MS = 5 * MINUTE_MS;

/** @throws {RequestRefused} that names what the token would have to be for. */
function checkScope(credential: Credential, accepted: readonly [Scope, ...Scope[]]): void {
  if (!reaches(credential, accepted)) {
    throw new RequestRefused('insufficient_scope', { scope: accepted[0] });
  }
}

/**
 * Looks again, under the organisation's lock that changes of members take too: between the door and a transaction lie a
 * body, that may come slowly, and a wait.
 *
 * @returns the role of now
 * @throws {RequestRefused} org_not_found when removed meanwhile, insufficient_role when demoted, unauthenticated when
 * the token was revoked
 */
export async function recheck(tx: Tx, member: Member, action: Action): Promise<Role> {
  const { role, isRevoked } = await standing(tx, member);
  if (isRevoked) {
    throw new RequestRefused('unauthenticated');
  }
  if (role === undefined) {
    throw new RequestRefused('org_not_found');
  }
  if (!may(role, action)) {
    throw new RequestRefused('insufficient_role');
  }
  return role;
}

interface Standing {
  /** Undefined for somebody who is not a member, or not any more. */
  readonly role: Role | undefined;
  readonly isRevoked: boolean;
}

/** What has become meanwhile of somebody who was let in. */
export async function standing(query: Query, { orgId, principal, credential }: Member): Promise<Standing> {
  const token =
    credential.tokenId === null
      ? undefined
      : await query
          .selectFrom('tokens')
          .select('revoked_at')
          .where('token_id', '=', credential.tokenId)
          .executeTakeFirst();
  const membership = await query
    .selectFrom('memberships')
    .select('role')
    .where('org_id', '=', orgId)
    .where('principal_id', '=', principal.id)
    .executeTakeFirst();
  return { role: membership?.role, isRevoked: token !== undefined && token.revoked_at !== null };
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
  readonly token?: string;
}

/** Adds or updates a principal, its membership and its token, if it has one. The token is kept as a hash only. */
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
  if (member.token !== undefined) {
    await giveToken(tx, principal.id, member.token, at);
  }
}

/** One that was made elsewhere. Given again it stays what it is, also revoked. */
export async function giveToken(tx: Tx, principalId: string, token: string, at: Date): Promise<void> {
  await tx
    .insertInto('tokens')
    .values({
      token_hash: hashOf(token),
      principal_id: principalId,
      created_at: at,
      expires_at: null,
      revoked_at: null,
    })
    .onConflict(conflict => conflict.doNothing())
    .execute();
}
