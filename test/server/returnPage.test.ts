// The page after payment: says what is so, whatever its address says, and runs nothing.
import assert from 'node:assert/strict';
import { type House, houseWithStripe, type Org } from './support/house.ts';
import type { StripeSide } from './support/stripeSide.ts';

describe('the return page', () => {
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
    await house.close();
  });

  async function opened() {
    const purchase = await house.bought(org, {
      return_uri: 'vscode://studio-credits.code-studio-credits/returned',
    });
    const session = stripe.sessionOf(purchase.id);
    return { purchase, session, path: new URL(session.success_url ?? '').pathname };
  }

  it('credits what was paid although no webhook came, and shows the new balance', async () => {
    const { session, path } = await opened();
    stripe.double.pay(session.id);
    const page = await house.get(path);
    assert.equal(page.statusCode, 200);
    for (const text of [
      '5,000 credits added',
      'Acme Robotics',
      '$50',
      'New balance',
      '10,218',
      'Test mode',
    ]) {
      assert.ok(page.body.includes(text), text);
    }
    assert.ok(page.body.includes('href="vscode://studio-credits.code-studio-credits/returned"'));
  });

  it('T14 claims no payment that was not made, however it is asked', async () => {
    const { path } = await opened();
    for (const address of [path, `${path}?success=true`, `${path}?payment_status=paid&session_id=cs_x`]) {
      const page = await house.get(address);
      assert.ok(page.body.includes('Waiting for confirmation'), address);
      assert.ok(!page.body.includes('New balance'), 'a balance is shown only with the credits in it');
    }
    assert.equal((await house.balance(org)).available_ucr, 5_218_000_000);
  });

  it('T14 shows after leaving the payment page that nothing was charged, and leads back to it', async () => {
    const { session, path } = await opened();
    const page = await house.get(`${path}/canceled`);
    assert.ok(page.body.includes('Not paid'));
    assert.ok(page.body.includes(`href="${session.url}"`));
    assert.equal(session.status, 'open', 'looking at a page cancels nothing');
    stripe.double.pay(session.id);
    house.clock.advance(2_000);
    assert.ok((await house.get(`${path}/canceled`)).body.includes('5,000 credits added'));
  });

  it('says so when the payment is on its way, canceled, expired, failed or under review', async () => {
    for (const [status, title] of [
      ['processing', 'Payment on its way'],
      ['canceled', 'Purchase canceled'],
      ['expired', 'The payment page has expired'],
      ['failed', 'Payment failed'],
      ['needs_review', 'We are looking at this payment'],
    ] as const) {
      const { purchase, path } = await opened();
      await house.database.query
        .updateTable('purchases')
        .set({ status, session_id: null })
        .where('org_id', '=', org.id)
        .where('purchase_id', '=', purchase.id)
        .execute();
      assert.ok((await house.get(path)).body.includes(`<h1>${title}</h1>`), title);
    }
  });

  it('T7 runs nothing: no script, a strict policy, and names of people as text', async () => {
    await house.database.query
      .updateTable('organisations')
      .set({ name: '<script>alert(1)</script>"><img src=x onerror=alert(1)>' })
      .where('org_id', '=', org.id)
      .execute();
    const { path } = await opened();
    const page = await house.get(path);
    assert.doesNotMatch(page.body, /<script|<img/);
    assert.ok(page.body.includes('&lt;script&gt;'));
    assert.match(
      String(page.headers['content-security-policy']),
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
    assert.equal(page.headers['cache-control'], 'no-store');
  });

  it('shows nothing for an address that belongs to no purchase', async () => {
    for (const path of ['/return/x', `/return/${'a'.repeat(32)}`, `/return/${'a'.repeat(32)}/canceled`]) {
      const page = await house.get(path);
      assert.equal(page.statusCode, 404);
      assert.ok(page.body.includes('Nothing here'));
    }
  });
});
