// The sandbox's first organisations, people and tokens, from a JSON file. Reading it twice changes nothing.
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { MAX_SAFE_AMOUNT } from '../../protocol/units.ts';
import { admit } from './access.ts';
import type { Clock } from './clock.ts';
import type { Database } from './database/database.ts';
import type { Ledger } from './ledger/ledger.ts';

const id = (prefix: string) => z.string().check(z.regex(new RegExp(`^${prefix}_[0-9A-Za-z_-]{1,80}$`)));

const Seed = z.strictObject({
  organisations: z.array(
    z.strictObject({
      id: id('org'),
      name: z.string().check(z.minLength(1), z.maxLength(200)),
      opening_balance_ucr: z.optional(z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT))),
      plan: z.optional(
        z.strictObject({
          included_ucr: z.int().check(z.minimum(1), z.maximum(MAX_SAFE_AMOUNT)),
          anchor_day: z.int().check(z.minimum(1), z.maximum(31)),
          rollover_cap_ucr: z.optional(z.int().check(z.minimum(0), z.maximum(MAX_SAFE_AMOUNT))),
        }),
      ),
      people: z.array(
        z.strictObject({
          id: id('usr'),
          name: z.string(),
          email: z.nullable(z.string()),
          role: z.enum(['admin', 'team_owner', 'team_lead', 'user']),
          /** Without one the person signs in by the identity provider. */
          token: z.optional(z.string().check(z.regex(/^crd_pat_[0-9A-Za-z_-]{16,200}$/))),
        }),
      ),
      services: z._default(
        z.array(
          z.strictObject({
            id: id('svc'),
            name: z.string(),
            token: z.string().check(z.regex(/^crd_svc_[0-9A-Za-z_-]{16,200}$/)),
          }),
        ),
        [],
      ),
    }),
  ),
});
export type Seed = z.input<typeof Seed>;

export class SeedFault extends Error {
  override readonly name = 'SeedFault';
}

/** @throws {SeedFault} */
export function readSeedFile(path: string): Seed {
  let text: unknown;
  try {
    text = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SeedFault(
      `The seed file ${path} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
  const parsed = Seed.safeParse(text);
  if (!parsed.success) {
    throw new SeedFault(`The seed file ${path} is not valid:\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

export async function plant(database: Database, ledger: Ledger, clock: Clock, seed: Seed): Promise<void> {
  for (const organisation of seed.organisations) {
    await database.transaction(async tx => {
      await ledger.openOrganisation(tx, organisation.id, organisation.name);
      const members = [
        ...organisation.people.map(person => ({ ...person, kind: 'person' as const })),
        ...(organisation.services ?? []).map(service => ({
          ...service,
          kind: 'service' as const,
          role: 'service' as const,
          email: null,
        })),
      ];
      for (const [place, { token, role, ...principal }] of members.entries()) {
        // A millisecond apart, so that the file's order is the order of seniority.
        const at = new Date(clock().getTime() + place);
        await admit(tx, { orgId: organisation.id, principal, role, ...(token && { token }) }, at);
      }
      if (organisation.opening_balance_ucr) {
        await ledger.grant(tx, organisation.id, {
          kind: 'promotional',
          amountUcr: BigInt(organisation.opening_balance_ucr),
          type: 'grant',
          source: { type: 'opening_balance', id: organisation.id },
          actor: 'seed',
        });
      }
      if (organisation.plan && !(await ledger.hadPlan(tx, organisation.id))) {
        const { included_ucr, anchor_day, rollover_cap_ucr } = organisation.plan;
        await ledger.setPlan(tx, organisation.id, {
          includedUcr: BigInt(included_ucr),
          anchorDay: anchor_day,
          rolloverCapUcr: BigInt(rollover_cap_ucr ?? 0),
        });
      }
    });
  }
}
