// Every state the panel can be in, as the host would send it. The gallery draws them, the tests measure them.
import type {
  BudgetView,
  DetailView,
  OfferView,
  PanelState,
  PaymentView,
  PendingView,
  RecordsView,
  UsageView,
} from '../../protocol/messages.ts';
import { UCR_PER_CREDIT } from '../../protocol/units.ts';

export type SignedIn = Extract<PanelState, { kind: 'signedIn' }>;

export interface GalleryState {
  readonly state: PanelState;
  readonly records?: RecordsView;
  /** What the person had chosen and typed, as the page keeps it. */
  readonly draft?: unknown;
}

/** The gallery's clock stands here, so that its pictures are the same tomorrow. */
export const nowMs = Date.parse('2026-11-22T12:00:00Z');
const day = 86_400_000;
const credits = (n: number) => Math.round(n * UCR_PER_CREDIT);

const offer: OfferView = {
  currency: 'usd',
  creditsPerMajorUnit: 100,
  presets: [
    { amountMinor: 5_000, creditsUcr: credits(5_000), popular: false },
    { amountMinor: 10_000, creditsUcr: credits(10_000), popular: true },
    { amountMinor: 50_000, creditsUcr: credits(50_000), popular: false },
  ],
  custom: { currency: 'usd', min_minor: 1_000, max_minor: 1_000_000, step_minor: 100 },
};

const ownBudget: BudgetView = {
  scope: 'user',
  name: 'Ada Lovelace',
  limitUcr: credits(1_000),
  usedUcr: credits(640),
  resetsAtMs: Date.parse('2026-12-01T00:00:00Z'),
  resetsToUcr: credits(1_000),
};
const teamBudget: BudgetView = {
  scope: 'team',
  name: 'Engines',
  limitUcr: credits(4_000),
  usedUcr: credits(3_400),
  resetsAtMs: Date.parse('2027-01-01T00:00:00Z'),
  // More this quarter than usually.
  resetsToUcr: credits(2_500),
};

const detail: DetailView = {
  included: {
    kind: 'known',
    remainingUcr: credits(1_218),
    grantedUcr: credits(2_500),
    resetsAtMs: Date.parse('2026-12-01T00:00:00Z'),
  },
  addOn: { remainingUcr: credits(4_000), totalUcr: null },
  heldUcr: 0,
  budgets: [],
  stop: null,
  runway: { days: 9, lowDays: 7, highDays: 12 },
  nextExpiry: null,
};

const noPlan: DetailView = {
  ...detail,
  included: null,
  addOn: { remainingUcr: credits(5_218), totalUcr: credits(10_000) },
  runway: null,
};

const payment: PaymentView = {
  id: 'pur_1',
  status: 'credited',
  amountMinor: 5_000,
  currency: 'usd',
  creditsUcr: credits(5_000),
  atMs: nowMs - 3 * day,
  byName: 'Ada Lovelace',
  refundedMinor: 0,
  dispute: null,
  hasReceipt: true,
  hasInvoice: true,
};

const payments: readonly PaymentView[] = [
  { ...payment, id: 'pur_7', status: 'open', hasReceipt: false, hasInvoice: false, atMs: nowMs - day },
  payment,
  { ...payment, id: 'pur_2', amountMinor: 10_000, creditsUcr: credits(10_000), atMs: nowMs - 30 * day },
  { ...payment, id: 'pur_3', refundedMinor: 2_000, atMs: nowMs - 61 * day },
  {
    ...payment,
    id: 'pur_4',
    status: 'canceled',
    hasReceipt: false,
    hasInvoice: false,
    atMs: nowMs - 70 * day,
  },
  { ...payment, id: 'pur_5', status: 'failed', hasReceipt: false, hasInvoice: false, atMs: nowMs - 71 * day },
  { ...payment, id: 'pur_6', refundedMinor: 5_000, atMs: nowMs - 90 * day },
];

const days = Array.from({ length: 30 }, (_, index) => ({
  key: new Date(nowMs - (29 - index) * day).toISOString().slice(0, 10),
  name: null,
  // A week's rhythm, and a quiet day in the middle.
  usedUcr:
    index === 12 ? 0 : credits(Math.round(90 + 60 * Math.sin(index / 1.3) + (index % 7 < 2 ? -60 : 40))),
})).filter(({ usedUcr }) => usedUcr > 0);

const usage: UsageView = {
  group: 'day',
  isEveryones: true,
  fromMs: nowMs - 30 * day,
  toMs: nowMs,
  totalUcr: days.reduce((sum, { usedUcr }) => sum + usedUcr, 0),
  rows: days,
};

const records: RecordsView = {
  payments: { value: { rows: payments, hasMore: true }, busy: false, problem: null },
  usage: { value: usage, busy: false, problem: null, wanted: 'day' },
  settings: { value: { lowBelowUcr: credits(1_000) }, busy: false, problem: null },
  organisations: 1,
};

const admin: SignedIn = {
  kind: 'signedIn',
  locale: 'en',
  orgId: 'org_acme',
  orgName: 'Acme Robotics',
  role: 'Admin',
  personName: 'Ada Lovelace',
  serverHost: 'credits.acme.example',
  testMode: false,
  balance: { kind: 'known', availableUcr: credits(5_218), asOfMs: nowMs - 5_000 },
  detail,
  canManageBilling: true,
  refreshing: false,
  buying: { kind: 'allowed', offer, payHost: 'checkout.stripe.com' },
  pending: null,
  notice: null,
};

const member: SignedIn = {
  ...admin,
  role: 'User',
  personName: 'Grace Hopper',
  canManageBilling: false,
  detail: { ...detail, budgets: [ownBudget, teamBudget] },
  buying: {
    kind: 'blocked',
    reason: 'Only administrators of your organisation can buy credits.',
    canAsk: true,
    contactName: 'Ada Lovelace',
  },
};

const ownRecords: RecordsView = {
  payments: { value: { rows: [], hasMore: false }, busy: false, problem: null },
  usage: { value: { ...usage, isEveryones: false }, busy: false, problem: null, wanted: 'day' },
  settings: null,
  organisations: 1,
};

const noRecords: RecordsView = {
  payments: { value: { rows: [], hasMore: false }, busy: false, problem: null },
  usage: { value: { ...usage, totalUcr: 0, rows: [] }, busy: false, problem: null, wanted: 'day' },
  settings: { value: { lowBelowUcr: null }, busy: false, problem: null },
  organisations: 1,
};

const waiting: PendingView = {
  phase: 'waiting',
  amountMinor: 5_000,
  currency: 'usd',
  creditsUcr: credits(5_000),
  host: 'checkout.stripe.com',
  canCopyLink: true,
};

const offline = 'The credits server cannot be reached. Check the connection.';
const refused = 'The access token is no longer accepted. Sign in again.';

/** The last known figure, and why it is no newer one. */
function old(reason: string, signInAgain: boolean): GalleryState {
  return {
    state: {
      ...admin,
      balance: {
        kind: 'stale',
        availableUcr: credits(5_218),
        asOfMs: nowMs - 6 * 60_000,
        reason,
        signInAgain,
      },
    },
    records: {
      ...records,
      payments: { ...records.payments, problem: reason },
      usage: { ...records.usage, problem: reason },
      settings: { value: null, busy: false, problem: reason },
    },
  };
}
const tooOld = 'The answer is not one a credits server gives. Check the server address.';
const blocked = (reason: string): SignedIn => ({
  ...admin,
  buying: { kind: 'blocked', reason, canAsk: false, contactName: null },
});

export const states: Readonly<Record<string, GalleryState>> = {
  'signed out': { state: { kind: 'signedOut', locale: 'en', serverHost: null, notice: null } },
  'signed out, server known': {
    state: {
      kind: 'signedOut',
      locale: 'en',
      serverHost: 'credits.acme.example',
      notice: { id: 1, tone: 'warning', text: 'Your sign-in has ended. Sign in again.' },
    },
  },
  loading: {
    state: {
      ...admin,
      balance: { kind: 'loading', lastUcr: null },
      detail: null,
      canManageBilling: false,
      buying: { kind: 'unknown' },
    },
    records: {
      payments: { value: null, busy: true, problem: null },
      usage: { value: null, busy: true, problem: null, wanted: 'day' },
      settings: { value: null, busy: true, problem: null },
      organisations: null,
    },
  },
  'loading, last figure known': {
    state: { ...admin, refreshing: true, balance: { kind: 'loading', lastUcr: credits(5_218) } },
    records,
  },
  admin: { state: admin, records },
  'preset chosen, test mode': {
    state: { ...admin, testMode: true },
    records,
    draft: { org: 'org_acme', choice: { kind: 'preset', amountMinor: 10_000 }, typed: '' },
  },
  'several organisations, low balance typed': {
    state: admin,
    records: { ...records, organisations: 3 },
    draft: { org: 'org_acme', choice: { kind: 'none' }, typed: '', lowBelow: '2,500' },
  },
  'low balance refused': {
    state: admin,
    records: {
      ...records,
      settings: { value: { lowBelowUcr: null }, busy: false, problem: offline },
    },
    draft: { org: 'org_acme', choice: { kind: 'none' }, typed: '', lowBelow: '$ 50' },
  },
  'amount typed': {
    state: admin,
    records,
    draft: { org: 'org_acme', choice: { kind: 'custom' }, typed: '75' },
  },
  'amount refused': {
    state: admin,
    records,
    draft: { org: 'org_acme', choice: { kind: 'custom' }, typed: '12.345' },
  },
  'usage by model': {
    state: admin,
    records: {
      ...records,
      usage: {
        ...records.usage,
        wanted: 'model',
        value: {
          ...usage,
          group: 'model',
          totalUcr: credits(3_000),
          rows: [
            { key: 'large-reasoner-4.5', name: null, usedUcr: credits(1_800) },
            { key: 'small-fast-2', name: null, usedUcr: credits(900.5) },
            { key: null, name: null, usedUcr: credits(299.5) },
          ],
        },
      },
    },
  },
  'no plan': { state: { ...admin, detail: noPlan }, records },
  unlimited: {
    state: {
      ...admin,
      detail: {
        ...detail,
        included: { kind: 'unlimited' },
        addOn: { remainingUcr: 0, totalUcr: null },
        runway: null,
      },
    },
    records,
  },
  'allowance not known': {
    state: { ...admin, detail: { ...detail, included: { kind: 'unknown' } } },
    records,
  },
  'credits expire, some on hold': {
    state: {
      ...admin,
      detail: {
        ...detail,
        heldUcr: credits(40),
        nextExpiry: { atMs: Date.parse('2026-12-31T00:00:00Z'), amountUcr: credits(500) },
      },
    },
    records,
  },
  'old figure': old(offline, false),
  'sign in again': old(refused, true),
  offline: {
    state: {
      ...admin,
      balance: { kind: 'failed', reason: offline, signInAgain: false },
      detail: null,
      canManageBilling: false,
      buying: { kind: 'unknown' },
    },
    records: {
      payments: { value: null, busy: false, problem: offline },
      usage: { value: null, busy: false, problem: offline, wanted: 'day' },
      settings: { value: null, busy: false, problem: offline },
      organisations: null,
    },
  },
  forbidden: {
    state: {
      ...member,
      balance: { kind: 'forbidden', reason: 'The balance is shown to administrators of your organisation.' },
      detail: null,
      buying: { kind: 'unknown' },
    },
    records: ownRecords,
  },
  'server too old': {
    state: {
      ...admin,
      balance: {
        kind: 'failed',
        reason: tooOld,
        signInAgain: false,
      },
      detail: null,
      canManageBilling: false,
      buying: { kind: 'unknown' },
    },
    records: {
      payments: { value: null, busy: false, problem: tooOld },
      usage: {
        value: null,
        busy: false,
        problem: tooOld,
        wanted: 'day',
      },
      settings: null,
      organisations: null,
    },
  },
  'empty organisation': {
    state: {
      ...admin,
      balance: { kind: 'known', availableUcr: 0, asOfMs: nowMs },
      detail: { ...noPlan, addOn: { remainingUcr: 0, totalUcr: null } },
    },
    records: noRecords,
  },
  zero: {
    state: {
      ...admin,
      balance: { kind: 'known', availableUcr: 0, asOfMs: nowMs - 60_000 },
      detail: {
        ...noPlan,
        addOn: { remainingUcr: 0, totalUcr: credits(10_000) },
        stop: { kind: 'balance' },
        runway: { days: 0, lowDays: 0, highDays: 0 },
      },
    },
    records,
  },
  'over limit': {
    state: {
      ...admin,
      balance: { kind: 'known', availableUcr: credits(-120), asOfMs: nowMs },
      detail: { ...noPlan, addOn: { remainingUcr: 0, totalUcr: credits(10_000) }, stop: { kind: 'balance' } },
    },
    records,
  },
  huge: {
    state: {
      ...admin,
      balance: { kind: 'known', availableUcr: credits(1_000_000_000), asOfMs: nowMs },
      detail: {
        ...detail,
        included: {
          kind: 'known',
          remainingUcr: credits(999_999_999),
          grantedUcr: credits(1_000_000_000),
          resetsAtMs: nowMs + 9 * day,
        },
        addOn: { remainingUcr: credits(1_000_000_000), totalUcr: credits(4_000_000_000) },
        runway: { days: 1_200, lowDays: 900, highDays: 2_000 },
      },
    },
    records: {
      ...records,
      payments: {
        busy: false,
        problem: null,
        value: {
          hasMore: false,
          rows: [{ ...payment, amountMinor: 1_000_000_000, creditsUcr: credits(1_000_000_000) }],
        },
      },
    },
  },
  'long names': {
    state: {
      ...member,
      orgName:
        'The Extraordinarily Long-Winded International Consortium for Robotics, Donaudampfschifffahrtsgesellschaftskapitänsmützen & Sons, Registered in Three Counties and an Island',
      personName:
        'Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewaren',
      serverHost: 'credits.the-extraordinarily-long-winded-international-consortium.internal.example',
      detail: {
        ...detail,
        budgets: [{ ...teamBudget, name: 'Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikanten' }],
      },
    },
    records: {
      ...ownRecords,
      usage: {
        ...ownRecords.usage,
        wanted: 'model',
        value: {
          ...usage,
          group: 'model',
          isEveryones: false,
          rows: [
            {
              key: 'vendor/very-long-model-name-with-a-date-2026-11-22-and-a-suffix-preview',
              name: null,
              usedUcr: usage.totalUcr,
            },
          ],
        },
      },
    },
  },
  'right to left': {
    state: {
      ...admin,
      orgName: 'شركة الروبوتات المتقدمة',
      personName: 'مريم الحسيني',
      detail: { ...detail, budgets: [{ ...teamBudget, name: 'فريق المحركات' }] },
      notice: { id: 2, tone: 'info', text: 'تم نسخ الرابط.' },
    },
    records: {
      ...records,
      payments: {
        busy: false,
        problem: null,
        value: { hasMore: false, rows: [{ ...payment, byName: 'مريم الحسيني' }] },
      },
    },
  },
  member: { state: member, records: ownRecords },
  'stopped by a budget': {
    state: {
      ...member,
      detail: {
        ...detail,
        budgets: [{ ...ownBudget, usedUcr: credits(1_012) }, teamBudget],
        stop: { kind: 'budget', budget: { ...ownBudget, usedUcr: credits(1_012) } },
      },
    },
    records: ownRecords,
  },
  'dispute open': {
    state: blocked('Buying is paused while an earlier payment is disputed.'),
    records: {
      ...records,
      payments: {
        busy: false,
        problem: null,
        value: { hasMore: false, rows: [{ ...payment, dispute: 'open' }, ...payments.slice(2)] },
      },
    },
  },
  'payments unavailable': { state: blocked('Payments are not available at the moment.'), records },
  'nothing on offer': {
    state: {
      ...admin,
      buying: { kind: 'allowed', offer: { ...offer, presets: [], custom: null }, payHost: null },
    },
    records,
  },
  'purchase starting': {
    state: { ...admin, pending: { ...waiting, phase: 'starting', host: null, canCopyLink: false } },
    records,
  },
  'waiting for payment': { state: { ...admin, testMode: true, pending: waiting }, records },
  'payment in process': {
    state: { ...admin, pending: { ...waiting, phase: 'processing', canCopyLink: false } },
    records,
  },
  credited: {
    state: {
      ...admin,
      balance: { kind: 'known', availableUcr: credits(10_218), asOfMs: nowMs },
      notice: { id: 3, tone: 'success', text: '5,000 credits added. Balance 10,218.' },
    },
    records,
  },
  'purchase refused': {
    state: {
      ...admin,
      notice: {
        id: 4,
        tone: 'error',
        text: 'The payment page did not open. Nothing was charged. Try again.',
      },
    },
    records,
    draft: { org: 'org_acme', choice: { kind: 'preset', amountMinor: 10_000 }, typed: '' },
  },
  'in German': {
    state: {
      ...admin,
      locale: 'de',
      balance: { kind: 'known', availableUcr: credits(5_218.5), asOfMs: nowMs - 3 * day },
    },
    records,
    draft: { org: 'org_acme', choice: { kind: 'custom' }, typed: '750' },
  },
};
