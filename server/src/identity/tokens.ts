// This server's own access tokens: shown once, kept as a hash, for some things, for some time.
import type { AccessToken, NewAccessToken, Scope } from '../../../protocol/api.ts';
import type { Credential } from '../access.ts';
import { noteEverywhere } from '../audit.ts';
import { type Clock, DAY_MS } from '../clock.ts';
import type { Database, Query, Tx } from '../database/database.ts';
import { hashOf, newId, newSecret } from '../ids.ts';
import { takeTurn } from '../ledger/ledger.ts';
import { tell } from '../outbox.ts';
import { RequestRefused } from '../problems.ts';
import type { Principal } from './people.ts';

export interface TokenOrder {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresInDays: number;
  /** The new one never lasts longer. */
  readonly madeWith?: Credential;
}

/** What a token of each kind can be for: a service never buys and never manages. */
export const grantable: Record<Principal['kind'], readonly Scope[]> = {
  person: ['credits:read', 'credits:history', 'credits:purchase', 'credits:manage'],
  service: ['credits:read', 'credits:usage.write'],
};

const prefixes: Record<Principal['kind'], string> = { person: 'crd_pat_', service: 'crd_svc_' };
/** In use at once, of one person or of one organisation's services. */
const MAX_TOKENS = 50;

/** Whose tokens: of one person, or of all services of an organisation. */
export type Owner = { readonly principalId: string } | { readonly servicesOf: string };

export class AccessTokens {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  async list(owner: Owner): Promise<AccessToken[]> {
    const rows = await this.#owned(owner).orderBy('tokens.created_at', 'desc').execute();
    return rows.map(onTheWire);
  }

  async issueToPerson(
    person: Principal,
    order: TokenOrder,
    actor: string = person.id,
  ): Promise<NewAccessToken> {
    return this.#database.transaction(async tx => {
      await tx
        .selectFrom('principals')
        .select('principal_id')
        .where('principal_id', '=', person.id)
        // Not `for update`: an order by this person refers to it under the organisation's lock, which is wanted here next.
        .forNoKeyUpdate()
        .execute();
      await this.#checkMaker(tx, order.madeWith?.tokenId);
      await this.#checkRoom(tx, { principalId: person.id });
      return this.#issue(tx, person, order, actor);
    });
  }

  /** Each token is a service of its own, so that the ledger and the audit log tell them apart. */
  async issueToService(tx: Tx, orgId: string, order: TokenOrder, actor: string): Promise<NewAccessToken> {
    // Before anything refers to the organisation: two that share its row and both want it alone would deadlock.
    await takeTurn(tx, orgId);
    await this.#checkRoom(tx, { servicesOf: orgId });
    const at = this.#clock();
    const service = { id: newId('svc', at), kind: 'service', name: order.name, email: null } as const;
    const { id: principal_id, kind, name, email } = service;
    await tx.insertInto('principals').values({ principal_id, kind, name, email, created_at: at }).execute();
    await tx
      .insertInto('memberships')
      .values({ org_id: orgId, principal_id, role: 'service', created_at: at })
      .execute();
    return this.#issue(tx, service, order, actor);
  }

  /** At once it is worth nothing: its streams end, and no change or order on its way is made with it. @throws {RequestRefused} for a token that is not the owner's */
  async revoke(tx: Tx, owner: Owner, tokenId: string, actor: string): Promise<void> {
    const token = await this.#owned(owner, tx).where('tokens.token_id', '=', tokenId).executeTakeFirst();
    if (!token) {
      throw new RequestRefused('token_not_found');
    }
    const at = this.#clock();
    await tx
      .updateTable('tokens')
      .set({ revoked_at: at })
      .where('token_id', '=', tokenId)
      .where('revoked_at', 'is', null)
      .execute();
    const details = { token_id: tokenId, name: token.name };
    const deed = { action: 'token.revoked', actor, details };
    for (const orgId of await noteEverywhere(tx, token.principal_id, deed, at)) {
      await tell(tx, orgId, 'token.revoked', { id: tokenId }, at);
    }
  }

  async #issue(tx: Tx, principal: Principal, order: TokenOrder, actor: string): Promise<NewAccessToken> {
    const { name, scopes, expiresInDays, madeWith } = order;
    const beyond = scopes.findIndex(scope => !grantable[principal.kind].includes(scope));
    if (beyond >= 0) {
      throw new RequestRefused('validation_failed', {
        errors: [{ pointer: `/scopes/${beyond}`, code: `not_for_a_${principal.kind}` }],
      });
    }
    const at = this.#clock();
    const asked = new Date(at.getTime() + expiresInDays * DAY_MS);
    const token = prefixes[principal.kind] + newSecret();
    const row = await tx
      .insertInto('tokens')
      .values({
        token_hash: hashOf(token),
        principal_id: principal.id,
        name,
        scope: [...new Set(scopes)].join(' '),
        created_at: at,
        expires_at: madeWith?.expiresAt && madeWith.expiresAt < asked ? madeWith.expiresAt : asked,
        revoked_at: null,
        last_used_at: null,
      })
      .returning(['token_id', 'principal_id', 'name', 'scope', 'created_at', 'expires_at', 'last_used_at'])
      .executeTakeFirstOrThrow();
    const details = { token_id: row.token_id, name, scope: row.scope };
    await noteEverywhere(tx, principal.id, { action: 'token.created', actor, details }, at);
    return { ...onTheWire(row), token };
  }

  /** A token that is being revoked makes no other, however long this request was on its way. */
  async #checkMaker(tx: Tx, tokenId: string | null | undefined): Promise<void> {
    if (!tokenId) {
      return;
    }
    const { revoked_at } = await tx
      .selectFrom('tokens')
      .select('revoked_at')
      .where('token_id', '=', tokenId)
      .forShare()
      .executeTakeFirstOrThrow();
    if (revoked_at !== null) {
      throw new RequestRefused('unauthenticated');
    }
  }

  async #checkRoom(tx: Tx, owner: Owner): Promise<void> {
    if ((await this.#owned(owner, tx).execute()).length >= MAX_TOKENS) {
      throw new RequestRefused('too_many_tokens');
    }
  }

  #owned(owner: Owner, query: Query = this.#database.query) {
    const now = this.#clock();
    const living = query
      .selectFrom('tokens')
      .select(['tokens.token_id', 'tokens.principal_id', 'tokens.name', 'tokens.scope'])
      .select(['tokens.created_at', 'tokens.expires_at', 'tokens.last_used_at'])
      .where('tokens.revoked_at', 'is', null)
      .where(({ or, eb }) => or([eb('tokens.expires_at', 'is', null), eb('tokens.expires_at', '>', now)]));
    return 'principalId' in owner
      ? living.where('tokens.principal_id', '=', owner.principalId)
      : living.where('tokens.principal_id', 'in', query =>
          query
            .selectFrom('memberships')
            .innerJoin('principals', 'principals.principal_id', 'memberships.principal_id')
            .select('memberships.principal_id')
            .where('memberships.org_id', '=', owner.servicesOf)
            .where('principals.kind', '=', 'service'),
        );
  }
}

/** Of someone who left every organisation: before they come back, so that nothing of then counts again. */
export async function revokeOfLeaver(
  tx: Tx,
  principalId: string,
  at: Date,
): Promise<{ token_id: string; name: string | null }[]> {
  return tx
    .updateTable('tokens')
    .set({ revoked_at: at })
    .where('principal_id', '=', principalId)
    .where('revoked_at', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('memberships').select('org_id').where('principal_id', '=', principalId))),
    )
    .returning(['token_id', 'name'])
    .execute();
}

interface TokenRow {
  token_id: string;
  principal_id: string;
  name: string | null;
  scope: string | null;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
}

function onTheWire(row: TokenRow): AccessToken {
  return {
    id: row.token_id,
    name: row.name,
    scopes: row.scope?.split(' ') ?? null,
    principal_id: row.principal_id,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
  };
}
