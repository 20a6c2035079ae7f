// A server in a process of its own that can be told where to die. It composes the real app as the program does; what
// it adds is around the database and Stripe's transport, not in them. Started by crashes.ts.
import Stripe from 'stripe';
import { admit } from '../../server/src/access.ts';
import { type App, buildApp } from '../../server/src/app.ts';
import { systemClock } from '../../server/src/clock.ts';
import { readConfig } from '../../server/src/config.ts';
import { openEmbedded } from '../../server/src/database/database.ts';
import { databaseInSteps, type OnStep, stripeInSteps } from '../simulator/steps.ts';
import { ADMIN, ORG, type Order, type Report, WEBHOOK_SECRET } from './wire.ts';

const [stripePort = ''] = process.argv.slice(2);

let deadly: string | undefined;
let behindMs = 0;
const onStep: OnStep = step => {
  if (deadly !== undefined && step.startsWith(deadly)) {
    // The kernel ends the process here: nothing is flushed, closed or rolled back.
    process.kill(process.pid, 'SIGKILL');
  }
};

const config = readConfig({
  STRIPE_SECRET_KEY: 'sk_test_of_the_crashes',
  STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
  RATE_LIMIT_PER_MINUTE: '1000000',
  // On a busy machine a process that has just started would refuse to answer.
  MAX_EVENT_LOOP_DELAY_MS: '60000',
});
const clock = () => new Date(systemClock().getTime() - behindMs);
const report = (what: Report): void => void process.send?.(what);

/** Waits with everything loaded until the server before it is dead. */
async function open(directory: string): Promise<App> {
  const database = databaseInSteps(await openEmbedded(directory), onStep);
  const httpClient = stripeInSteps(Stripe.createNodeHttpClient(), onStep);
  const sdk = {
    httpClient,
    protocol: 'http',
    host: '127.0.0.1',
    port: Number(stripePort),
    maxNetworkRetries: 0,
  } as const;
  const app = await buildApp({ config, database, clock, sdk });
  await database.transaction(async tx => {
    await app.parts.ledger.openOrganisation(tx, ORG, 'Acme Robotics');
    const principal = { id: 'usr_ada', kind: 'person', name: 'Ada', email: null } as const;
    await admit(tx, { orgId: ORG, principal, role: 'admin', token: ADMIN }, clock());
  });
  const drifts = (await app.parts.bookKeeper.check()).length;
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  report({ is: 'listening', address, drifts });
  return app;
}

let opening: Promise<App> | undefined;
process.on('message', async (order: Order) => {
  switch (order.do) {
    case 'open':
      opening = open(order.directory);
      return;
    case 'dieAt':
      deadly = order.step;
      report({ is: 'armed' });
      return;
    case 'look':
      behindMs = order.agoMs;
      await (await opening)?.parts.reconciler.look();
      behindMs = 0;
      report({ is: 'looked' });
  }
});
process.on('disconnect', () => process.exit());
