// One server process as the simulator runs it: the real app on the shared database, with a place to break at each step
// that is persisted or leaves the process. A process that has crashed does nothing more, wherever its work was.
import { type App, buildApp } from '../../server/src/app.ts';
import { readConfig } from '../../server/src/config.ts';
import type { Database } from '../../server/src/database/database.ts';
import type { Fault } from './operations.ts';
import { databaseInSteps, type HttpClient, type OnStep, stripeInSteps } from './steps.ts';

export const WEBHOOK_SECRET = 'whsec_of_the_simulator';

/** The process is gone: nobody hears this but code that would not have run any more. */
class Crash extends Error {
  override readonly name = 'Crash';
}

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
  // Real time has no say here: a busy machine is not the servers' fault.
  MAX_EVENT_LOOP_DELAY_MS: '60000',
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
    const onStep: OnStep = (_, failure) => breaker.pass(failure);
    // Another server is at work on the same database; it is closed by whoever opened it.
    const shared = { ...database, exclusive: false, close: async () => {} };
    const breakable = databaseInSteps(shared, onStep, () => breaker.wait());
    const sdk = { httpClient: stripeInSteps(stripe, onStep), maxNetworkRetries: 0 };
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

  /** The next transaction begins when `letGo` is called. */
  holdTransaction(): { readonly caught: Promise<void>; readonly letGo: () => void } {
    return this.#breaker.hold();
  }

  async stop(): Promise<void> {
    this.#breaker.isGone = true;
    await this.app.close();
  }
}

class Breaker {
  isGone = false as boolean;
  hasBroken = false;
  #fault: Fault | undefined;
  #steps = 0;
  #held: { readonly caught: () => void; readonly until: Promise<void> } | undefined;

  arm(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#steps = 0;
    this.hasBroken = false;
  }

  hold(): { readonly caught: Promise<void>; readonly letGo: () => void } {
    let letGo = () => {};
    const until = new Promise<void>(resolve => {
      letGo = resolve;
    });
    const caught = new Promise<void>(resolve => {
      this.#held = { caught: resolve, until };
    });
    return { caught, letGo };
  }

  async wait(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    held?.caught();
    await held?.until;
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
