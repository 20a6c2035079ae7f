// What one window remembers by itself: each key with its type and its reader. What must be true for all windows, or must
// not be lost, is in the shared folder (core/sharedState.ts): an update of globalState may not outlive a quick reload.
// A key carries the version of its form, so that a newer extension's value is neither misread nor destroyed (F33).
import type { Memento } from 'vscode';
import { type CachedBalance, readCachedBalance } from '../core/creditsStore.ts';
import { isRecord, type Slot } from '../core/slot.ts';

export interface Memory {
  /** Painted at the next start, before anything is asked. */
  readonly balance: Slot<CachedBalance>;
  /** The server of the last sign-in, offered at the next. */
  readonly serverUrl: Slot<string>;
  /** The organisation of the last sign-in, by server and person. */
  readonly organisations: Slot<Readonly<Record<string, string>>>;
}

export function openMemory(store: Memento): Memory {
  const slot = <T>(key: string, reader: (value: unknown) => T | undefined): Slot<T> => ({
    read: () => reader(store.get<unknown>(key)),
    write: async value => {
      await store.update(key, value);
    },
  });
  return {
    balance: slot('balance.v1', readCachedBalance),
    serverUrl: slot('serverUrl.v1', readText),
    organisations: slot('organisations.v1', readTexts),
  };
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 2_000 ? value : undefined;
}

function readTexts(value: unknown): Readonly<Record<string, string>> | undefined {
  return isRecord(value) && Object.values(value).every(one => typeof one === 'string')
    ? (value as Record<string, string>)
    : undefined;
}
