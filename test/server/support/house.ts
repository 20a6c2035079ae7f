// A whole server in memory for each test that wants one: the real app, a real database, no port. The database is one
// for all tests of the process, because starting one takes seconds; each test has organisations of its own.
import assert from 'node:assert/strict';
import { createEmulator } from 'emulate';
import type { LightMyRequestResponse as Response } from 'fastify';
import Stripe from 'stripe';
import type { Balance, CreatePurchase, Purchase } from '../../../protocol/api.ts';
import { admit } from '../../../server/src/access.ts';
import { type App, type AppOptions, buildApp } from '../../../server/src/app.ts';
import { type Config, readConfig } from '../../../server/src/config.ts';
import type { Database } from '../../../server/src/database/database.ts';
import { newSecret } from '../../../server/src/ids.ts';
import { sharedDatabase } from './databases.ts';
import { StripeSide } from './stripeSide.ts';

export const WEBHOOK_SECRET = 'whsec_of_the_tests';

/** A clock that is turned by hand; it starts at the real time and stands still. */
export class TestClock {
  #now = new Date();
  readonly now = (): Date => new Date(this.#now);

  advance(ms: number): void {
    this.#now = new Date(this.#now.getTime() + ms);
  }
}

export interface Org {
  readonly id: string;
  readonly admin: string;
  readonly member: string;
  readonly service: string;
}

export interface HouseOptions {
  readonly environment?: Record<string, string>;
  readonly clock?: TestClock;
  readonly log?: NonNullable<AppOptions['log']>;
  readonly answerWithinMs?: number;
  readonly leaveWithinMs?: number;
  readonly sdk?: NonNullable<AppOptions['sdk']>;
  /** A change to what was read from the environment. */
  readonly configured?: (config: Config) => Config;
  /** Another one than all tests share. Closed by whoever opened it. */
  readonly database?: Database;
}

export class House {
  readonly app: App;
  readonly database: Database;
  readonly clock: TestClock;

  private constructor(app: App, database: Database, clock: TestClock) {
    this.app = app;
    this.database = database;
    this.clock = clock;
  }

  static async build({
    environment = {},
    clock = new TestClock(),
    database: ownDatabase,
    configured = config => config,
    ...options
  }: HouseOptions = {}): Promise<House> {
    const database = ownDatabase ?? (await sharedDatabase());
    // A test may ask more often than people do, on a machine that is busy with others.
    const unhurried = {
      RATE_LIMIT_PER_MINUTE: '1000000',
      RATE_LIMIT_SERVICE_PER_MINUTE: '1000000',
      MAX_EVENT_LOOP_DELAY_MS: '0',
    };
    const config = configured(
      readConfig({ STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET, ...unhurried, ...environment }),
    );
    const app = await buildApp({ config, database, clock: clock.now, ...options });
    await app.ready();
    return new House(app, database, clock);
  }

  close(): Promise<void> {
    return this.app.close();
  }

  /** An organisation with an admin, a member and a service, and 5,218 credits unless told otherwise. */
  async org(openingUcr = 5_218_000_000n): Promise<Org> {
    const name = newSecret().slice(0, 12);
    const id = `org_${name}`;
    const org = {
      id,
      admin: `crd_pat_${newSecret()}`,
      member: `crd_pat_${newSecret()}`,
      service: `crd_svc_${newSecret()}`,
    };
    await this.database.transaction(async tx => {
      await this.app.parts.ledger.openOrganisation(tx, id, 'Acme Robotics');
      const person = (who: string) => ({
        id: `usr_${who}_${name}`,
        kind: 'person' as const,
        name: who,
        email: null,
      });
      const at = this.clock.now();
      await admit(tx, { orgId: id, principal: person('Ada'), role: 'admin', token: org.admin }, at);
      await admit(tx, { orgId: id, principal: person('Max'), role: 'user', token: org.member }, at);
      const service = { id: `svc_${name}`, kind: 'service' as const, name: 'Gateway', email: null };
      await admit(tx, { orgId: id, principal: service, role: 'service', token: org.service }, at);
      if (openingUcr > 0n) {
        await this.app.parts.ledger.grant(tx, id, {
          kind: 'promotional',
          amountUcr: openingUcr,
          type: 'grant',
          source: { type: 'opening_balance', id },
          actor: 'test',
        });
      }
    });
    return org;
  }

  get(path: string, token?: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.app.inject({ method: 'GET', url: path, headers: { ...bearer(token), ...headers } });
  }

  post(
    path: string,
    token: string | undefined,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return this.app.inject({
      method: 'POST',
      url: path,
      headers: { ...bearer(token), ...headers },
      ...(body && { payload: body }),
    });
  }

  async balance(org: Org): Promise<Balance> {
    const answer = await this.get(`/v1/orgs/${org.id}/balance`, org.admin);
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json<Balance>();
  }

  buy(
    org: Org,
    order: Partial<Record<keyof CreatePurchase, unknown>> = {},
    key: string = newSecret(),
  ): Promise<Response> {
    const body = { amount_minor: 5000, currency: 'usd', expected_credits_ucr: 5_000_000_000, ...order };
    return this.post(`/v1/orgs/${org.id}/purchases`, org.admin, body, { 'idempotency-key': key });
  }

  async bought(org: Org, order: Partial<CreatePurchase> = {}): Promise<Purchase> {
    const answer = await this.buy(org, order);
    assert.equal(answer.statusCode, 201, answer.body);
    return answer.json<Purchase>();
  }

  async purchase(org: Org, id: string): Promise<Purchase> {
    // Each look may ask the payment side, which it does at most every two seconds.
    this.clock.advance(2_000);
    const answer = await this.get(`/v1/orgs/${org.id}/purchases/${id}`, org.admin);
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json<Purchase>();
  }

  /** A delivery with Stripe's own signature over exactly this text. */
  deliver(
    event: object | string,
    { secret = WEBHOOK_SECRET, ageS = 0, headers = {} as Record<string, string> } = {},
  ): Promise<Response> {
    const payload = typeof event === 'string' ? event : JSON.stringify(event);
    return this.app.inject({
      method: 'POST',
      url: '/webhooks/stripe',
      headers: {
        'content-type': 'application/json',
        'stripe-signature': this.signature(payload, secret, ageS),
        ...headers,
      },
      payload,
    });
  }

  signature(payload: string, secret = WEBHOOK_SECRET, ageS = 0): string {
    const timestamp = Math.floor(this.clock.now().getTime() / 1_000) - ageS;
    return Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  }
}

let eventCount = 0;

/** An event as Stripe sends it; each has an id of its own. */
export function sessionEvent(
  sessionId: string,
  type = 'checkout.session.completed',
  change: object = {},
): object {
  return {
    id: `evt_${Date.now()}_${eventCount++}`,
    object: 'event',
    type,
    livemode: false,
    data: { object: { id: sessionId, object: 'checkout.session', livemode: false } },
    ...change,
  };
}

/** A server in test mode whose payment side is the double: full amounts, like Stripe. */
export async function houseWithStripe(
  options: HouseOptions = {},
): Promise<{ house: House; stripe: StripeSide }> {
  const clock = options.clock ?? new TestClock();
  const stripe = new StripeSide(clock.now);
  const house = await House.build({
    ...options,
    clock,
    sdk: options.sdk ?? stripe.sdk,
    environment: { STRIPE_SECRET_KEY: 'sk_test_of_the_tests', ...options.environment },
  });
  if (!options.database) {
    // How far another test's Stripe was read says nothing of this one.
    await house.database.query.deleteFrom('stripe_reading').execute();
  }
  return { house, stripe };
}

export interface Emulated {
  readonly url: string;
  readonly environment: Record<string, string>;
  /** What a person does on the hosted page: presses Pay. */
  pay(checkoutUrl: string): Promise<void>;
  close(): Promise<void>;
}

/** The sandbox's payment side, as `npm start` uses it. Its webhooks go to `webhookUrl`, or nowhere. */
export async function startEmulator(webhookUrl = 'http://127.0.0.1:9/lost'): Promise<Emulated> {
  const emulator = await createEmulator({
    service: 'stripe',
    port: 0,
    seed: {
      stripe: {
        products: [{ name: 'Credits' }],
        prices: [{ id: 'price_unit', product_name: 'Credits', currency: 'usd', unit_amount: 1 }],
        webhooks: [{ url: webhookUrl, events: ['*'], secret: WEBHOOK_SECRET }],
      },
    },
  });
  const url = emulator.url.replace('localhost', '127.0.0.1');
  return {
    url,
    environment: {
      CREDITS_SANDBOX: '1',
      STRIPE_API_URL: url,
      STRIPE_UNIT_PRICE_ID: 'price_unit',
      STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
    },
    async pay(checkoutUrl) {
      const page = `${url}${new URL(checkoutUrl).pathname}/complete`;
      const answer = await fetch(page, { method: 'POST', redirect: 'manual' });
      assert.equal(answer.status, 302, 'the hosted page sends people back after payment');
    },
    close: () => emulator.close(),
  };
}

/** What any connection to the house may be tested for when a test is over: the books are in order. */
export async function booksAreInOrder(house: House): Promise<void> {
  assert.deepEqual(await house.app.parts.bookKeeper.check(), []);
}

export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
