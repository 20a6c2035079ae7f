// What other extensions may see of the balance: copies of figures, made field by field, so that nothing else gets out.
import { lastReading, percentUsed } from './balance.ts';
import type { CreditsState, CreditsStore } from './creditsStore.ts';
import { type Disposable, Emitter, type Event, Owned } from './event.ts';

export interface Outlook {
  readonly state: 'signedOut' | 'unknown' | 'current' | 'outdated';
  readonly available: number | undefined;
  readonly unit: string | undefined;
  readonly percentUsed: number | undefined;
  readonly version: number | undefined;
}

const UCR_PER_CREDIT = 1_000_000;

export function outlook({ balance }: CreditsState): Outlook {
  const reading = lastReading(balance);
  if (!reading) {
    const state = balance.kind === 'signedOut' ? 'signedOut' : 'unknown';
    return Object.freeze({
      state,
      available: undefined,
      unit: undefined,
      percentUsed: undefined,
      version: undefined,
    });
  }
  const { snapshot } = reading;
  return Object.freeze({
    state: balance.kind === 'known' ? 'current' : 'outdated',
    available: snapshot.available_ucr / UCR_PER_CREDIT,
    unit: snapshot.unit,
    percentUsed: percentUsed(snapshot),
    version: snapshot.version,
  });
}

/** @param hint what hintUsage() does; bursts are its business */
export function publicApi(store: CreditsStore, hint: () => void, own: <T extends Disposable>(part: T) => T) {
  const owned = own(new Owned());
  const changed = owned.own(new Emitter<Outlook>());
  let told = JSON.stringify(outlook(store.state));
  owned.own(
    store.onDidChange(state => {
      const now = outlook(state);
      const text = JSON.stringify(now);
      if (text !== told) {
        told = text;
        changed.fire(now);
      }
    }),
  );
  const onDidChange: Event<Outlook> = listener => changed.event(listener);
  return Object.freeze({
    getSnapshot: () => outlook(store.state),
    onDidChange,
    hintUsage: () => hint(),
    hasCredits: (credits: number = 1): boolean | undefined => {
      if (typeof credits !== 'number' || !Number.isFinite(credits) || credits < 0) {
        throw new RangeError('credits must be a number from 0 up');
      }
      const { available, state } = outlook(store.state);
      return available === undefined || state === 'signedOut' ? undefined : available >= credits;
    },
  });
}
