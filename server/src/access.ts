// Who is asking, and what they may do. The token says who; the membership, looked up now, says what.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Scope, scopes } from '../../protocol/api.ts';
import { type Clock, MINUTE_MS } from './clock.ts';
import type { Database, Query, Tx } from './database/database.ts';
import type { Role } from './database/tables.ts';
import { personOf } from './identity/people.ts';
import type { IdentityProviders } from './identity/provider.ts';
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
  readonly credential: Credential;
}

/** What a principal asks with. */
export interface Credential {
  /** What it was given for; undefined for all that its principal may. */
  readonly scopes: readonly string[] | undefined;
  /** Of tokens of this server: nothing made with one lasts longer. */
  readonly expiresAt: Date | null;
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
] as const;
export type Action = (typeof actions)[number];

const everyPerson: readonly Action[] = [
  'read_balance',
  'read_offer',
  'listen',
  'follow_purchases',
  'close_purchase',
  'read_usage',
];

/** The whole of which role may do what. `follow_purchases` and `read_usage` show admins all and others their own. */
export const allowed: Record<Role, readonly Action[]> = {
  admin: [...everyPerson, 'purchase', 'manage_billing', 'manage_tokens', 'read_audit', 'read_history'],
  team_owner: everyPerson,
  team_lead: everyPerson,
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
    member: Member;
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
    Object.assign(request, await this.#asker(request));
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
      const { principal, credential } = await this.#asker(request);
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
      checkScope(credential, needed[action]);
      Object.assign(request, { principal, credential });
      request.member = { principal, orgId, orgName, role, credential };
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

  async #asker(request: FastifyRequest): Promise<Asker> {
    const token = /^Bearer +([0-9A-Za-z._~+/=-]{16,8000})$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      throw new RequestRefused('unauthenticated');
    }
    return OWN_TOKEN.test(token) ? this.#holderOf(token) : this.#personOf(token);
  }

  async #holderOf(token: string): Promise<Asker> {
    const now = this.#clock();
    const row = await this.#query
      .selectFrom('tokens')
      .innerJoin('principals', 'principals.principal_id', 'tokens.principal_id')
      .select(['principals.principal_id as id', 'principals.kind', 'principals.name', 'principals.email'])
      .select(['tokens.scope', 'tokens.expires_at', 'tokens.last_used_at'])
      .where('tokens.token_hash', '=', hashOf(token))
      .where('tokens.revoked_at', 'is', null)
      .where(({ or, eb }) => or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]))
      .executeTakeFirst();
    if (!row) {
      throw new RequestRefused('unauthenticated');
    }
    const { scope, expires_at, last_used_at, ...principal } = row;
    if (now.getTime() - (last_used_at?.getTime() ?? 0) > USE_NOTED_EVERY_MS) {
      // Nobody waits for it, and a database that only reads still answers.
      this.#query
        .updateTable('tokens')
        .set({ last_used_at: now })
        .where('token_hash', '=', hashOf(token))
        .execute()
        .catch(() => {});
    }
    return { principal, credential: { scopes: scope?.split(' '), expiresAt: expires_at } };
  }

  async #personOf(token: string): Promise<Asker> {
    if (!this.#providers) {
      throw new RequestRefused('unauthenticated');
    }
    const identity = await this.#providers.verify(token);
    // A token without any of our scopes was made for something else, such as telling a program who signed in.
    checkScope({ scopes: identity.scopes, expiresAt: null }, scopes);
    const principal = await personOf(this.#database, identity, this.#clock());
    return { principal, credential: { scopes: identity.scopes, expiresAt: null } };
  }
}

interface Asker {
  readonly principal: Principal;
  readonly credential: Credential;
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
  if (member.token === undefined) {
    return;
  }
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
