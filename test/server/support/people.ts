// More people for an organisation of the tests.
import { admit } from '../../../server/src/access.ts';
import type { Role } from '../../../server/src/database/tables.ts';
import { newSecret } from '../../../server/src/ids.ts';
import type { House, Org } from './house.ts';

export interface Newcomer {
  readonly id: string;
  readonly token: string;
}

export async function join(house: House, org: Org, name: string, role: Role): Promise<Newcomer> {
  const person = { id: `usr_${name}_${org.id.slice('org_'.length)}`, token: `crd_pat_${newSecret()}` };
  const principal = { id: person.id, kind: 'person' as const, name, email: null };
  await house.database.transaction(tx =>
    admit(tx, { orgId: org.id, principal, role, token: person.token }, house.clock.now()),
  );
  return person;
}
