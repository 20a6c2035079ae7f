import assert from 'node:assert/strict';
import type { BalanceView, NoticeView, PanelState } from '../../../protocol/messages.ts';
import { HEARD_NOTHING, hear } from '../../../webview/speech.ts';

const credits = (whole: number) => whole * 1_000_000;
const known = (whole: number): BalanceView => ({ kind: 'known', availableUcr: credits(whole), asOfMs: 0 });

function panel(balance: BalanceView, notice: NoticeView | null = null): PanelState {
  return {
    kind: 'signedIn',
    locale: 'en',
    orgId: 'org_acme',
    orgName: 'Acme',
    role: 'Admin',
    personName: 'Ada',
    serverHost: 'credits.example',
    testMode: false,
    balance,
    detail: null,
    canManageBilling: false,
    refreshing: false,
    buying: { kind: 'unknown' },
    pending: null,
    notice,
  };
}

/** What is said over a run of states, silence left out. */
function saidOver(...states: PanelState[]): string[] {
  let heard = HEARD_NOTHING;
  return states.flatMap(state => {
    const next = hear(heard, state, 'en');
    heard = next.heard;
    return next.say === null ? [] : [next.say];
  });
}

describe('a screen reader', () => {
  it('is not told what the page opens with', () => {
    assert.deepEqual(saidOver(panel({ kind: 'loading', lastUcr: null }), panel(known(5_218))), []);
  });

  it('is told a balance that has settled on a new figure, once', () => {
    assert.deepEqual(saidOver(panel(known(5_218)), panel(known(5_000)), panel(known(5_000))), [
      'Balance 5,000 credits',
    ]);
  });

  it('is not told of each model call, but of what they add up to', () => {
    const figures = [5_217.9, 5_217.6, 5_217.1, 5_201, 5_188, 5_160, 5_149];
    assert.deepEqual(saidOver(...figures.map(figure => panel(known(figure)))), ['Balance 5,149 credits']);
  });

  it('is not told of renders that change nothing', () => {
    const loading = panel({ kind: 'loading', lastUcr: credits(5_218) });
    const failed = panel({ kind: 'failed', reason: 'The server did not answer.', signInAgain: false });
    assert.deepEqual(saidOver(panel(known(5_218)), loading, failed, panel(known(5_218))), []);
  });

  it('waits until a changed figure is known to be fresh', () => {
    const stale = panel({
      kind: 'stale',
      availableUcr: credits(4_000),
      asOfMs: 0,
      reason: 'Offline.',
      signInAgain: false,
    });
    assert.deepEqual(saidOver(panel(known(5_218)), stale), []);
    assert.deepEqual(saidOver(panel(known(5_218)), stale, panel(known(4_000))), ['Balance 4,000 credits']);
  });

  it('is not told twice what a success notice has just said', () => {
    const notice = { id: 1, tone: 'success', text: '5,000 credits added. Balance 10,218.' } as const;
    assert.deepEqual(saidOver(panel(known(5_218)), panel(known(10_218), notice)), []);
    assert.deepEqual(
      saidOver(panel(known(5_218)), panel(known(10_218), notice), panel(known(8_000), notice)),
      ['Balance 8,000 credits'],
    );
  });

  it('is told the balance when the notice beside it was another matter', () => {
    const notice = { id: 1, tone: 'info', text: 'Link copied.' } as const;
    assert.deepEqual(saidOver(panel(known(5_218)), panel(known(5_000), notice)), ['Balance 5,000 credits']);
  });

  it('hears nothing on signing out', () => {
    const out: PanelState = { kind: 'signedOut', locale: 'en', serverHost: null, notice: null };
    assert.deepEqual(saidOver(panel(known(5_218)), out), []);
  });
});
