// Two servers on one PostgreSQL, each with its own connections and port: to the money and to whoever listens they are one.
import assert from 'node:assert/strict';
import { createParser } from 'eventsource-parser';
import { sql } from 'kysely';
import type { Database } from '../../server/src/database/database.ts';
import { freshDatabase, openFor } from './support/databases.ts';
import {
  bearer,
  booksAreInOrder,
  type House,
  houseWithStripe,
  type Org,
  sessionEvent,
} from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

interface Told {
  readonly event: string | undefined;
  readonly data: Record<string, unknown>;
}

/** What a listener at this address hears, until it has heard `enough`. */
async function hear(
  address: string,
  org: Org,
  enough: (told: readonly Told[]) => boolean,
  onOpen: () => void,
): Promise<readonly Told[]> {
  const leaving = new AbortController();
  const told: Told[] = [];
  const parser = createParser({ onEvent: ({ event, data }) => told.push({ event, data: JSON.parse(data) }) });
  const answer = await fetch(`${address}/v1/orgs/${org.id}/events`, {
    headers: bearer(org.member),
    signal: leaving.signal,
  });
  assert.ok(answer.body);
  const text = answer.body.pipeThrough(new TextDecoderStream());
  for await (const chunk of text) {
    parser.feed(chunk);
    if (told.length > 0) {
      onOpen();
    }
    if (enough(told)) {
      break;
    }
  }
  leaving.abort();
  return told;
}

describe('two servers on one PostgreSQL', () => {
  let databases: Database[] = [];
  let one: House;
  let two: House;
  let stripe: StripeSide;
  let addressOfTwo: string;
  let org: Org;

  before(async () => {
    const url = await freshDatabase();
    databases = await Promise.all([
      openFor(url, { applicationName: 'one' }),
      openFor(url, { applicationName: 'two' }),
    ]);
    const [first, second] = databases;
    assert.ok(first && second);
    const side = await houseWithStripe({ database: first });
    one = side.house;
    stripe = side.stripe;
    // Both reach the same payment side.
    two = (await houseWithStripe({ database: second, clock: one.clock, sdk: stripe.sdk })).house;
    addressOfTwo = await two.app.listen({ host: '127.0.0.1', port: 0 });
  });
  beforeEach(async () => {
    org = await one.org();
  });
  after(async () => {
    await booksAreInOrder(one);
    await one?.close();
    await two?.close();
    await Promise.all(databases.map(database => database.close()));
  });

  const paid = async () => {
    const purchase = await one.bought(org);
    const session = stripe.sessionOf(purchase.id);
    stripe.double.pay(session.id);
    return { purchase, sessionId: session.id };
  };
  const listening = (enough: (told: readonly Told[]) => boolean) => {
    let opened = () => {};
    const open = new Promise<void>(resolve => {
      opened = resolve;
    });
    return { open, heard: hear(addressOfTwo, org, enough, opened) };
  };
  const credited = (told: readonly Told[]) => told.some(({ data }) => data['status'] === 'credited');

  it('F48 a delivery at one moves the listener at the other', async () => {
    const { sessionId } = await paid();
    const { open, heard } = listening(credited);
    await open;
    assert.equal((await one.deliver(sessionEvent(sessionId))).statusCode, 200);
    const told = await heard;
    assert.ok(told.some(({ data }) => data['available_ucr'] === 10_218_000_000));
    assert.deepEqual(await two.balance(org), await one.balance(org));
  });

  it('a listener hears of what happened at the other while its own server was deaf', async () => {
    const { sessionId } = await paid();
    const { open, heard } = listening(credited);
    await open;
    const [first] = databases;
    assert.ok(first);
    const { rows } = await sql<{ ended: boolean }>`select pg_terminate_backend(pid) as ended
      from pg_stat_activity where application_name = 'two bell'`.execute(first.query);
    assert.deepEqual(rows, [{ ended: true }]);
    await one.deliver(sessionEvent(sessionId));
    await heard;
  });

  it('T27 F55 50 deliveries of one event, spread over both at once, are one credit', async () => {
    const { sessionId } = await paid();
    const event = sessionEvent(sessionId);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : two).deliver(event)),
    );
    assert.deepEqual(new Set(answers.map(answer => answer.statusCode)), new Set([200]));
    const balance = await two.balance(org);
    assert.deepEqual([balance.available_ucr, balance.version], [10_218_000_000, 2]);
  });

  it('F41 the same key at both at once is one purchase', async () => {
    const answers = await Promise.all([one.buy(org, {}, 'same'), two.buy(org, {}, 'same')]);
    for (const answer of answers) {
      assert.ok([201, 409].includes(answer.statusCode), answer.body);
    }
    const again = await two.buy(org, {}, 'same');
    assert.equal(again.statusCode, 201);
    const list = await one.get(`/v1/orgs/${org.id}/purchases`, org.admin);
    assert.deepEqual(
      list.json().data.map((purchase: { id: string }) => purchase.id),
      [again.json().id],
    );
  });

  it('F72 50 debits spread over both at once are taken in one order', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? one : two).post(`/v1/orgs/${org.id}/usage`, org.service, {
          event_id: `e${n}`,
          amount_ucr: 1_000_000,
        }),
      ),
    );
    assert.deepEqual(
      answers.map(answer => answer.json().balance_version).sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, n) => n + 2),
    );
    assert.equal((await one.balance(org)).available_ucr, 5_168_000_000);
  });

  it('F62 what one took in and did not finish, the other finishes', async () => {
    const { purchase, sessionId } = await paid();
    stripe.failing = /GET/;
    const answer = await one.deliver(sessionEvent(sessionId));
    assert.equal(answer.statusCode, 503);
    stripe.failing = undefined;
    await Promise.all([one.app.parts.reconciler.look(), two.app.parts.reconciler.look()]);
    assert.equal((await two.purchase(org, purchase.id)).status, 'credited');
    assert.equal((await one.balance(org)).available_ucr, 10_218_000_000);
  });
});
