// The audit log: who did what to an organisation's money, for admins, and nobody changes it afterwards.
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { AuditEntry, AuditList } from '../../protocol/api.ts';
import { booksAreInOrder, type House, houseWithStripe, type Org, sessionEvent } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('the audit log', () => {
  let house: House;
  let stripe: StripeSide;
  let org: Org;
  before(async () => {
    ({ house, stripe } = await houseWithStripe());
  });
  beforeEach(async () => {
    org = await house.org();
  });
  after(async () => {
    await booksAreInOrder(house);
    await house.close();
  });

  const read = async (query = ''): Promise<AuditList> =>
    (await house.get(`/v1/orgs/${org.id}/audit${query}`, org.admin)).json();
  /** Oldest first: what was done, and who did it. */
  const story = async () =>
    (await read('?limit=200')).data
      .toReversed()
      .map(({ action, actor }: AuditEntry) => `${action} by ${actor.name ?? actor.id}`);
  const bought = async (): Promise<{ id: string; sessionId: string }> => {
    const { id } = await house.bought(org);
    return { id, sessionId: stripe.sessionOf(id).id };
  };

  it('I8 names who ordered, who paid for what, and what came back', async () => {
    const { id, sessionId } = await bought();
    for (const event of [
      ...stripe.double.pay(sessionId),
      ...stripe.double.refund(sessionId, 1000),
      ...stripe.double.dispute(sessionId, 'open'),
    ]) {
      await house.deliver(event);
      await house.deliver(event);
    }
    await house.app.parts.fulfilment.fulfil(sessionId);
    for (const event of stripe.double.withdrawFunds(sessionId)) {
      await house.deliver(event);
    }
    for (const event of stripe.double.closeDispute(sessionId, 'lost')) {
      await house.deliver(event);
    }
    const told = await story();
    assert.deepEqual(
      [...told.slice(0, 4), ...told.slice(4).toSorted()],
      [
        'credits.grant by test',
        'purchase.created by Ada',
        'purchase.open by Ada',
        'purchase.credited by Ada',
        'purchase.dispute_held by payment_provider',
        'purchase.dispute_lost by payment_provider',
        'purchase.dispute_open by payment_provider',
        'purchase.dispute_released by payment_provider',
        'purchase.refunded by payment_provider',
      ],
    );
    const { data } = await read();
    const credited = data.find(entry => entry.action === 'purchase.credited');
    assert.deepEqual([credited?.purchase_id, credited?.balance_version], [id, 2]);
    const created = data.find(entry => entry.action === 'purchase.created');
    assert.deepEqual(created?.details, { amount_minor: 5000, currency: 'usd', credits_ucr: 5_000_000_000 });
  });

  it('names who canceled, once, and who opened the portal', async () => {
    const { id } = await bought();
    for (const _ of [1, 2]) {
      await house.post(`/v1/orgs/${org.id}/purchases/${id}/cancel`, org.admin);
    }
    await house.post(`/v1/orgs/${org.id}/portal-sessions`, org.admin);
    assert.deepEqual((await story()).slice(3), [
      'purchase.cancel_requested by Ada',
      'purchase.canceled by payment_provider',
      'billing.portal_opened by Ada',
    ]);
  });

  it('is written in the transaction that does it: what is rolled back is not in it', async () => {
    const { id, sessionId } = await bought();
    stripe.double.pay(sessionId);
    const before = await story();
    await assert.rejects(
      house.database.transaction(async tx => {
        await house.app.parts.ledger.grant(tx, org.id, {
          kind: 'promotional',
          amountUcr: 1n,
          type: 'grant',
          source: { type: 'test', id },
          actor: 'test',
        });
        throw new Error('no');
      }),
    );
    assert.deepEqual(await story(), before);
  });

  it('is read newest first, page by page, without a gap', async () => {
    for (let n = 0; n < 3; n++) {
      await bought();
    }
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: AuditList = await read(`?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.data.map(entry => entry.id));
      cursor = page.next_cursor;
    }
    assert.deepEqual(seen, ['aud_7', 'aud_6', 'aud_5', 'aud_4', 'aud_3', 'aud_2', 'aud_1']);
  });

  it('T21 shows nothing of another organisation, and numbers that tell nothing of it', async () => {
    await bought();
    const other = await house.org();
    const list: AuditList = (await house.get(`/v1/orgs/${other.id}/audit`, other.admin)).json();
    assert.deepEqual(
      list.data.map(entry => `${entry.id} ${entry.action}`),
      ['aud_1 credits.grant'],
    );
    assert.equal((await house.get(`/v1/orgs/${other.id}/audit`, org.admin)).statusCode, 404);
  });

  for (const query of ['limit=0', 'limit=201', 'cursor=x', "cursor=aud_1' or 1=1"]) {
    it(`is not read for ${query}`, async () => {
      assert.equal(
        (await house.get(`/v1/orgs/${org.id}/audit?${encodeURI(query)}`, org.admin)).statusCode,
        422,
      );
    });
  }

  for (const [name, statement] of [
    ['changed', sql`update audit_log set actor = 'nobody'`],
    ['deleted', sql`delete from audit_log`],
    ['emptied', sql`truncate audit_log`],
  ] as const) {
    it(`cannot be ${name}, by SQL either`, async () => {
      await assert.rejects(statement.execute(house.database.query), /history is only ever added to/);
    });
  }

  it('F55 has one entry for a credit that came 20 times at once', async () => {
    const { sessionId } = await bought();
    stripe.double.pay(sessionId);
    await Promise.all(Array.from({ length: 20 }, () => house.deliver(sessionEvent(sessionId))));
    assert.equal((await story()).filter(line => line.startsWith('purchase.credited')).length, 1);
  });
});
