// How long a payment takes to reach the status bar of a real editor: with the event stream, by polling where the stream
// is cut off, and by the server's own look where the webhook is lost.
// Usage: npm run bench:updates -- [--payments N]     a whole run is written to bench/updates.json
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { type CreatePurchase, type Purchase, paths } from '../protocol/api.ts';
import { creditsFor } from '../protocol/units.ts';
import { orgId, readBalance, type Sandbox } from '../scripts/sandbox.ts';
import { inRoot } from '../scripts/support/places.ts';
import { readOptions, readWhole, runScript } from '../scripts/support/script.ts';
import { Workbench } from '../scripts/support/workbench.ts';
import { type FaultStage, openFaultStage, pay, requests, sessionOf } from '../test/support/faultStage.ts';
import { isMet, type Row, show, writeResults } from './support/table.ts';

const rate = 100;
const amountMinor = 5_000;
/** An editor hears a burst of events together, once in two seconds; payments come one by one. */
const apartMs = 3_000;
/** Once a minute, up to a quarter later, and a second for the way. */
const pollLimitMs = 75_000 + 1_000;
const lostLimitMs = 300_000;

await runScript(async () => {
  const given = readOptions(process.argv.slice(2), ['payments']);
  const payments = readWhole('payments', given.payments ?? '20', 5, 1_000);
  const stage = await openFaultStage({ name: 'bench-updates', balance: 5218, rate });
  try {
    const seat = await stage.seat({ name: 'admin', token: stage.sandbox.tokens.admin });
    const { page } = await Workbench.open(stage.browser, seat);
    await shown(page, await readBalance(stage.sandbox), 60_000);
    const pushed: number[] = [];
    for (let n = 0; n < payments; n++) {
      await pause(apartMs);
      pushed.push(await fromWebhook(stage, page));
    }
    const polled = await without(stage, page, 'events');
    const lost = await without(stage, page, 'webhook');
    const rows = [
      ...pushRows(pushed),
      lateRow('poll', polled, pollLimitMs),
      lateRow('lost', lost, lostLimitMs),
    ];
    console.log('');
    show(rows);
    writeResults(inRoot('bench/updates.json'), rows);
    process.exitCode = rows.every(isMet) ? 0 : 1;
  } finally {
    await stage.close();
  }
});

/** ms from the webhook's arrival at the server to the new figure in the status bar. */
async function fromWebhook({ sandbox, gate }: FaultStage, page: Page): Promise<number> {
  const session = await order(sandbox);
  const change = shown(page, (await readBalance(sandbox)) + creditsOf(amountMinor), 30_000);
  await pay(sandbox, session);
  const atMs = await change;
  const arrived = gate.seen(requests.webhook).at(-1);
  if (!arrived) throw new Error('No webhook came.');
  return atMs - (performance.timeOrigin + arrived.atMs);
}

/** ms from the payment to the new figure, with one way of the news closed. */
async function without(
  { sandbox, gate }: FaultStage,
  page: Page,
  way: 'events' | 'webhook',
): Promise<number> {
  const session = await order(sandbox);
  const open = gate.refuse(requests[way]);
  const change = shown(page, (await readBalance(sandbox)) + creditsOf(amountMinor), lostLimitMs);
  const paidAtMs = Date.now();
  await pay(sandbox, session);
  const atMs = await change;
  open();
  return atMs - paidAtMs;
}

/** Somebody else's order: this editor does not follow it. Its session at the payment side. */
async function order(sandbox: Sandbox): Promise<string> {
  const body: CreatePurchase = {
    amount_minor: amountMinor,
    currency: 'usd',
    expected_credits_ucr: creditsFor(amountMinor, rate, 'usd'),
  };
  const response = await sandbox.ask(paths.purchases(orgId), sandbox.tokens.admin, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
    body: JSON.stringify(body),
  });
  return sessionOf(((await response.json()) as Purchase).checkout_url);
}

function creditsOf(minor: number): number {
  return creditsFor(minor, rate, 'usd') / 1_000_000;
}

/** The moment at which the figure stands in the status bar, ms since 1970 by the page's clock, which is this machine's. */
function shown(page: Page, credits: number, withinMs: number): Promise<number> {
  return page.evaluate(
    ({ figure, id, within }) =>
      new Promise<number>((resolve, reject) => {
        const look = (): void => {
          if (document.getElementById(id)?.textContent?.includes(figure)) {
            observer.disconnect();
            clearTimeout(timer);
            resolve(Date.now());
          }
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
        const timer = setTimeout(() => {
          observer.disconnect();
          reject(new Error(`The status bar did not show ${figure} within ${within / 1_000} s.`));
        }, within);
        look();
      }),
    {
      figure: credits.toLocaleString('en-US'),
      id: 'studio-credits.code-studio-credits.balance',
      within: withinMs,
    },
  );
}

function pushRows(takenMs: readonly number[]): Row[] {
  const sorted = takenMs.toSorted((a, b) => a - b);
  return [
    { part: 50, limitMs: 500 },
    { part: 95, limitMs: 2_000 },
  ].map(({ part, limitMs }) => ({
    id: `update-push-p${part}`,
    what: `from a webhook's arrival to the new figure in the status bar, ${part} of 100 are faster`,
    figure: sorted[Math.ceil((sorted.length * part) / 100) - 1] ?? Number.NaN,
    unit: 'ms',
    limit: { atMost: limitMs },
    details: {
      payments: sorted.length,
      fastest: Math.round(sorted[0] ?? 0),
      slowest: Math.round(sorted.at(-1) ?? 0),
    },
  }));
}

function lateRow(way: 'poll' | 'lost', ms: number, limitMs: number): Row {
  return {
    id: `update-${way}`,
    what:
      way === 'poll'
        ? 'from a payment to the new figure, with the event stream cut off'
        : 'from a payment to the new figure, with the webhook lost',
    figure: ms / 1_000,
    unit: 's',
    limit: { atMost: limitMs / 1_000 },
    details: {},
  };
}
