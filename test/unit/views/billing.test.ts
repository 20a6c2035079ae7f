import { deepEqual, equal, match } from 'node:assert/strict';
import type { Purchase } from '../../../protocol/api.ts';
import { documentOrigins } from '../../../src/core/address.ts';
import { connector } from '../../../src/core/connect.ts';
import type { Records } from '../../../src/core/records.ts';
import { FakeClock } from '../../support/clock.ts';
import { FakeSessions } from '../../support/core.ts';
import { json, problem, ScriptedServer } from '../../support/scriptedServer.ts';
import { fake } from '../../support/vscode.ts';

const { Billing } = await import('../../../src/views/billing.ts');
const { Notices } = await import('../../../src/views/notices.ts');

function world(
  urls: Partial<Purchase> = {},
  portal = json({ url: 'https://billing.stripe.com/p/session/x' }),
) {
  const server = new ScriptedServer();
  server.instead = ({ path }) => (path.endsWith('/portal-sessions') ? portal : undefined);
  const opened: string[] = [];
  const notices = new Notices();
  const purchase = { id: 'pur_1', receipt_url: null, invoice_url: null, ...urls };
  const billing = new Billing({
    sessions: new FakeSessions(),
    connect: connector({ fetch: server.fetch, clock: new FakeClock(), userAgent: 'test/0' }),
    records: {
      state: { payments: { value: { purchases: [purchase], nextCursor: null } } },
    } as unknown as Records,
    notices,
    allowedOrigins: serverUrl => documentOrigins(serverUrl, []),
    open: async url => {
      opened.push(url);
      return true;
    },
  });
  return { billing, opened, notices, server };
}

describe('receipts, invoices and billing pages', () => {
  it("opens Stripe's receipts and the server's own", async () => {
    const { billing, opened } = world({
      receipt_url: 'https://pay.stripe.com/receipts/1',
      invoice_url: 'https://credits.example.com/invoices/1',
    });
    await billing.openDocument('pur_1', 'receipt');
    await billing.openDocument('pur_1', 'invoice');
    deepEqual(opened, ['https://pay.stripe.com/receipts/1', 'https://credits.example.com/invoices/1']);
  });

  const refused = [
    'https://attacker.example/receipt',
    'https://pay.stripe.com.attacker.example/',
    'http://pay.stripe.com/receipts/1',
    'javascript:alert(1)',
    'command:workbench.action.quit',
    'file:///etc/passwd',
    'https://pay.stripe.com@attacker.example/',
  ];
  for (const url of refused) {
    it(`T9 does not open ${url}, and says so`, async () => {
      const { billing, opened, notices } = world({ receipt_url: url });
      await billing.openDocument('pur_1', 'receipt');
      deepEqual(opened, []);
      match(notices.current?.text ?? '', /not on the list of allowed ones/);
    });
  }

  it('T9 opens nothing for a payment it does not know', async () => {
    const { billing, opened } = world();
    await billing.openDocument('https://attacker.example', 'receipt');
    await billing.openDocument('pur_1', 'receipt');
    deepEqual(opened, []);
  });

  it('T9 opens the billing pages once for two presses, and only where they may be', async () => {
    const { billing, opened, server } = world();
    await Promise.all([billing.manageBilling(), billing.manageBilling()]);
    deepEqual(opened, ['https://billing.stripe.com/p/session/x']);
    equal(server.count(/portal-sessions$/, 'POST'), 1);
    const other = world({}, json({ url: 'https://attacker.example/p' }));
    await other.billing.manageBilling();
    deepEqual(other.opened, []);
    match(other.notices.current?.text ?? '', /attacker\.example is not on the list/);
  });

  it('tells when the server does not open them', async () => {
    const { billing, notices } = world({}, problem(403, 'insufficient_role'));
    fake.did.reset();
    await billing.manageBilling();
    match(notices.current?.text ?? '', /billing pages could not be opened. Your role/);
    // Who asked by the palette has no panel to look at.
    deepEqual(
      fake.did.messages.map(({ text }) => text),
      [notices.current?.text],
    );
  });
});
