// One server process as the simulator runs it: the real app on the shared database, with a place to break at each step
// that is persisted or leaves the process. A process that has crashed does nothing more, wherever its work was.
import { InsertQueryNode, type KyselyPlugin, UpdateQueryNode } from 'kysely';
import type Stripe from 'stripe';
import { type App, buildApp } from '../../server/src/app.ts';
import { readConfig } from '../../server/src/config.ts';
import { type Database, DatabaseUnavailable, withRetries } from '../../server/src/database/database.ts';
import type { Fault } from './operations.ts';

export const WEBHOOK_SECRET = 'whsec_of_the_simulator';

/** The process is gone: nobody hears this but code that would not have run any more. */
class Crash extends Error {
  override readonly name = 'Crash';
}

type HttpClient = NonNullable<Stripe.StripeConfig['httpClient']>;

interface Parts {
  readonly database: Database;
  readonly stripe: HttpClient;
  readonly now: () => Date;
}

const config = readConfig({
  STRIPE_SECRET_KEY: 'sk_test_of_the_simulator',
  STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
  RATE_LIMIT_PER_MINUTE: '1000000',
  RATE_LIMIT_SERVICE_PER_MINUTE: '1000000',
});

export class Node {
  readonly app: App;
  readonly database: Database;
  readonly #breaker: Breaker;

  private constructor(app: App, database: Database, breaker: Breaker) {
    this.app = app;
    this.database = database;
    this.#breaker = breaker;
  }

  static async start({ database, stripe, now }: Parts): Promise<Node> {
    const breaker = new Breaker();
    const breakable = withBreaker(database, breaker);
    const sdk = { httpClient: stripeWithBreaker(stripe, breaker), maxNetworkRetries: 0 };
    const app = await buildApp({ config, database: breakable, clock: now, sdk });
    await app.ready();
    return new Node(app, breakable, breaker);
  }

  get isGone(): boolean {
    return this.#breaker.isGone;
  }

  /** From here on: breaks once as told, or not at all. */
  arm(fault: Fault | undefined): void {
    this.#breaker.arm(fault);
  }

  /** Whether something has broken since it was armed: then no answer, or one of a failure, is no wonder. */
  get hasBroken(): boolean {
    return this.#breaker.hasBroken;
  }

  async stop(): Promise<void> {
    this.#breaker.isGone = true;
    await this.app.close();
  }
}

class Breaker {
  isGone = false;
  hasBroken = false;
  #fault: Fault | undefined;
  #steps = 0;

  arm(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#steps = 0;
    this.hasBroken = false;
  }

  /** A step is about to be done, or has just been done. */
  pass(error: () => Error): void {
    if (this.isGone) {
      throw new Crash();
    }
    if (this.#fault && this.#steps++ === this.#fault.at) {
      const { how } = this.#fault;
      this.#fault = undefined;
      this.hasBroken = true;
      this.isGone = how === 'crash';
      throw this.isGone ? new Crash() : error();
    }
  }
}

const connectionLost = () => new DatabaseUnavailable('lost');
const outcomeUnknown = () => new DatabaseUnavailable('outcome_unknown');

function withBreaker(database: Database, breaker: Breaker): Database {
  const query = database.query.withPlugin(statementBreaker(breaker));
  return {
    query,
    longReads: query,
    // Another server is at work on the same database.
    exclusive: false,
    transaction: work =>
      withRetries(async () => {
        breaker.pass(connectionLost);
        const result = await query.transaction().execute(async tx => {
          const done = await work(tx);
          breaker.pass(connectionLost);
          return done;
        });
        breaker.pass(outcomeUnknown);
        return result;
      }),
    listen: (...told) => database.listen(...told),
    close: async () => {},
  };
}

/** A statement that writes is a step; outside of a transaction it is one that commits by itself. */
function statementBreaker(breaker: Breaker): KyselyPlugin {
  const writing = new WeakSet<object>();
  return {
    transformQuery({ node, queryId }) {
      if (InsertQueryNode.is(node) || UpdateQueryNode.is(node)) {
        breaker.pass(connectionLost);
        writing.add(queryId);
      } else if (breaker.isGone) {
        throw new Crash();
      }
      return node;
    },
    async transformResult({ result, queryId }) {
      if (writing.has(queryId)) {
        breaker.pass(outcomeUnknown);
      }
      return result;
    },
  };
}

function stripeWithBreaker(stripe: HttpClient, breaker: Breaker): HttpClient {
  // Not called ECONNRESET, which the SDK would try again in real time.
  const dropped = () => Object.assign(new TypeError('no answer'), { code: 'EDROPPED' });
  return {
    getClientName: () => stripe.getClientName(),
    makeRequest: async (...asked) => {
      breaker.pass(dropped);
      const answer = await stripe.makeRequest(...asked);
      breaker.pass(dropped);
      return answer;
    },
  };
}
