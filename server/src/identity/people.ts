// Who somebody is here whom an identity provider has vouched for.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { noteEverywhere } from '../audit.ts';
import type { Database } from '../database/database.ts';
import type { Identity } from './provider.ts';

/** Somebody, or a program, that asks. */
export interface Principal {
  readonly id: string;
  readonly kind: 'person' | 'service';
  readonly name: string;
  readonly email: string | null;
}

/**
 * The person of this subject. At the first sign-in the one with the verified e-mail address becomes it; later only the
 * subject counts. Somebody who is nobody's match is a stranger: signed in, and a member of nothing.
 */
export async function personOf(database: Database, identity: Identity, at: Date): Promise<Principal> {
  return (
    (await known(database, identity)) ?? (await firstMatch(database, identity, at)) ?? stranger(identity)
  );
}

function known({ query }: Database, { issuer, subject }: Identity): Promise<Principal | undefined> {
  return query
    .selectFrom('identities')
    .innerJoin('principals', 'principals.principal_id', 'identities.principal_id')
    .select(['principals.principal_id as id', 'principals.kind', 'principals.name', 'principals.email'])
    .where('identities.issuer', '=', issuer)
    .where('identities.subject', '=', subject)
    .executeTakeFirst();
}

async function firstMatch(database: Database, identity: Identity, at: Date): Promise<Principal | undefined> {
  const { issuer, subject, email } = identity;
  if (email === null) {
    return undefined;
  }
  const candidates = await database.query
    .selectFrom('principals')
    .select(['principal_id as id', 'kind', 'name', 'email'])
    .where(sql`lower(email)`, '=', email.toLowerCase())
    .where('kind', '=', 'person')
    .limit(2)
    .execute();
  const [person] = candidates;
  // Two people of one address: nobody can tell here which of them it is.
  if (!person || candidates.length > 1) {
    return undefined;
  }
  const linked = await database.transaction(async tx => {
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('identities')
      .values({ issuer, subject, principal_id: person.id, created_at: at })
      // Refused too where the person already is another subject of this provider: the address has a new owner.
      .onConflict(conflict => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) {
      return false;
    }
    await noteEverywhere(tx, person.id, { action: 'user.linked', actor: person.id, details: { issuer } }, at);
    return true;
  });
  // Another request of the same person may have been faster.
  return linked ? person : known(database, identity);
}

/** Always the same id for the same person, and no row: signing in alone changes nothing here. */
function stranger({ issuer, subject, name, email }: Identity): Principal {
  const hash = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('hex');
  return { id: `usr_${hash.slice(0, 26)}`, kind: 'person', name: name ?? email ?? subject, email };
}
