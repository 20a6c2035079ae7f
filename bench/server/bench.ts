// What the server's benches share: a server in this process on a real database, with a person who may do everything.

import { admit } from '../../server/src/access.ts';
import type { AppOptions } from '../../server/src/app.ts';
import { type App, buildApp } from '../../server/src/app.ts';
import { systemClock } from '../../server/src/clock.ts';
import { readConfig } from '../../server/src/config.ts';
import type { Database } from '../../server/src/database/database.ts';
import { openPostgres } from '../../server/src/database/postgres.ts';
import { newSecret } from '../../server/src/ids.ts';

export interface Bench {
  /** An empty database. */
  readonly postgresUrl: string;
  /** Small sizes: shows that the bench works, not how fast the server is. */
  readonly quick: boolean;
}

export const webhookSecret = 'whsec_of_the_bench';

/** As the server is configured by itself, but for patience: a bench asks more at once than a request may wait for. */
export function openOnPostgres(url: string): Promise<Database> {
  return openPostgres(
    {
      url,
      applicationName: 'bench',
      poolSize: 10,
      poolWaitMs: 30_000,
      statementTimeoutMs: 600_000,
      lockTimeoutMs: 30_000,
      idleInTransactionTimeoutMs: 60_000,
    },
    { warn() {} },
  );
}

export async function serverOn(database: Database, sdk?: AppOptions['sdk']): Promise<App> {
  const config = readConfig({
    STRIPE_SECRET_KEY: 'sk_test_of_the_bench',
    STRIPE_WEBHOOK_SECRETS: webhookSecret,
    RATE_LIMIT_PER_MINUTE: '100000000',
  });
  return buildApp({ config, database, ...(sdk && { sdk }) });
}

export interface Organisation {
  readonly id: string;
  readonly token: string;
}

export async function newOrganisation(
  app: App,
  database: Database,
  name: string,
  openingUcr: bigint,
): Promise<Organisation> {
  const organisation = { id: `org_${name}`, token: `crd_pat_${newSecret()}` };
  const { ledger } = app.parts;
  await database.transaction(async tx => {
    await ledger.openOrganisation(tx, organisation.id, name);
    const principal = { id: `usr_${name}`, kind: 'person', name: 'Ada', email: null } as const;
    await admit(
      tx,
      { orgId: organisation.id, principal, role: 'admin', token: organisation.token },
      systemClock(),
    );
    await ledger.grant(tx, organisation.id, {
      kind: 'purchased',
      amountUcr: openingUcr,
      type: 'purchase',
      source: { type: 'opening_balance', id: organisation.id },
      actor: 'bench',
    });
  });
  return organisation;
}
