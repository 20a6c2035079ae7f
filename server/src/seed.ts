// The sandbox's first organisations, people and tokens, from a JSON file. Reading it twice changes nothing.
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { SetBudget } from '../../protocol/api.ts';
import { MAX_SAFE_AMOUNT } from '../../protocol/units.ts';
import { admit, giveToken, type Member } from './access.ts';
import type { Clock } from './clock.ts';
import type { Database, Tx } from './database/database.ts';
import type { Ledger } from './ledger/ledger.ts';
import { setBudget } from './organisation/budgets.ts';
import { RequestRefused } from './problems.ts';

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
          budget: z.optional(SetBudget),
        }),
      ),
      teams: z._default(
        z.array(
          z.strictObject({
            id: id('team'),
            name: z.string().check(z.minLength(1), z.maxLength(100)),
            members: z.array(z.string()),
            budget: z.optional(SetBudget),
          }),
        ),
        [],
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
    const planting = database.transaction(async tx => {
      const { isNew } = await ledger.openOrganisation(tx, organisation.id, organisation.name);
      const members = [
        ...organisation.people.map(person => ({ ...person, kind: 'person' as const })),
        ...(organisation.services ?? []).map(service => ({
          ...service,
          kind: 'service' as const,
          role: 'service' as const,
          email: null,
        })),
      ];
      for (const [place, { token, role, id, kind, name, email }] of members.entries()) {
        // A millisecond apart, so that the file's order is the order of seniority.
        const at = new Date(clock().getTime() + place);
        const principal = { id, kind, name, email };
        if (!isNew && (await isKnown(tx, id))) {
          // They may have another role by now, or none.
          await (token && giveToken(tx, id, token, at));
          continue;
        }
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
      await plantTeams(tx, organisation, clock());
    });
    // One that is frozen for repair has been planted before; the others are to be served.
    await planting.catch(error => {
      if (!(error instanceof RequestRefused && error.problem === 'ledger_frozen')) {
        throw error;
      }
    });
  }
}

async function isKnown(tx: Tx, principalId: string): Promise<boolean> {
  const row = await tx
    .selectFrom('principals')
    .select('principal_id')
    .where('principal_id', '=', principalId)
    .executeTakeFirst();
  return row !== undefined;
}

/** Teams that are not there yet, and budgets for those that have none: what people changed since stays. */
async function plantTeams(tx: Tx, organisation: Seed['organisations'][number], at: Date): Promise<void> {
  const { id: orgId, name: orgName, teams = [], people } = organisation;
  const principal = { id: 'seed', kind: 'service', name: 'Seed', email: null } as const;
  const credential = { scopes: undefined, expiresAt: null, tokenId: null };
  const member: Member = { principal, orgId, orgName, role: 'admin', credential };
  for (const team of teams) {
    const created = await tx
      .insertInto('teams')
      .values({ org_id: orgId, team_id: team.id, name: team.name, created_at: at })
      .onConflict(conflict => conflict.doNothing())
      .returning('team_id')
      .executeTakeFirst();
    for (const principal_id of created ? team.members : []) {
      await tx.insertInto('team_members').values({ org_id: orgId, team_id: team.id, principal_id }).execute();
    }
    if (created && team.budget) {
      await setBudget(tx, member, { teamId: team.id }, team.budget, at);
    }
  }
  for (const { id: principalId, budget } of people) {
    const known = await tx
      .selectFrom('budgets')
      .select('budget_id')
      .where('org_id', '=', orgId)
      .where('principal_id', '=', principalId)
      .executeTakeFirst();
    if (budget && !known) {
      await setBudget(tx, member, { principalId }, budget, at);
    }
  }
}
