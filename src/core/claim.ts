// Something that is to happen once over all windows, restarts included: whoever claims it first does it. The claim is
// made before the act, so a window that dies in between leaves it undone rather than done twice.
import { type Clock, seconds, sleep } from './clock.ts';
import type { Folder } from './sharedState.ts';
import { isRecord } from './slot.ts';

export interface ClaimMeans {
  readonly folder: Folder;
  /** This window's own, of letters, digits and hyphens. */
  readonly windowId: string;
  readonly clock: Clock;
}

/** Time for a rival's entry to land after it looked; the file system offers no exclusive create everywhere. */
const SETTLE_MS = 300;
/** A rival that has not decided by then has died. */
const UNDECIDED_MS = seconds(2);
const REMEMBERED_MS = 60 * 24 * 3_600_000;
const SWEPT_AT_ONCE = 16;

/** True for exactly one of all callers with the same key, ever. Rejects when the folder cannot be used. */
export async function claim(key: string, { folder, windowId, clock }: ClaimMeans): Promise<boolean> {
  const stem = `claim.v1.${digest(key)}`;
  const won = `${stem}.json`;
  const mine = `${stem}.${windowId}.json`;
  if ((await folder.read(won)) !== undefined) {
    return false;
  }
  if ((await rivals(folder, stem, mine)).length > 0) {
    await sleep(clock, UNDECIDED_MS);
    if ((await folder.read(won)) !== undefined) {
      return false;
    }
    for (const dead of await rivals(folder, stem, mine)) {
      await folder.remove(dead);
    }
  }
  await folder.write(mine, '{}');
  await sleep(clock, SETTLE_MS);
  const names = (await rivals(folder, stem, '')).toSorted((a, b) => (a < b ? -1 : 1));
  // One that stood still meanwhile finds its entry swept away, or the matter decided.
  const isMine = names[0] === mine && (await folder.read(won)) === undefined;
  if (isMine) {
    await folder.write(won, JSON.stringify({ atMs: clock.now() }));
    await sweep(folder, clock.now());
  }
  await folder.remove(mine);
  return isMine;
}

/** Entries of windows that want it and have not decided. */
async function rivals(folder: Folder, stem: string, mine: string): Promise<string[]> {
  const names = await folder.list();
  return names.filter(name => name.startsWith(`${stem}.`) && name !== `${stem}.json` && name !== mine);
}

/** Claims of long ago are let go; their periods are over. A few at a time, because something waits for this claim. */
async function sweep(folder: Folder, nowMs: number): Promise<void> {
  const claims = (await folder.list()).filter(name => /^claim\.v1\.[0-9a-f]+\.json$/.test(name));
  const from = claims.length > 0 ? Math.floor(nowMs / 1_000) % claims.length : 0;
  for (const name of [...claims.slice(from), ...claims.slice(0, from)].slice(0, SWEPT_AT_ONCE)) {
    if (nowMs - atMs(await folder.read(name)) > REMEMBERED_MS) {
      await folder.remove(name);
    }
  }
}

function atMs(text: string | undefined): number {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isRecord(value) && typeof value['atMs'] === 'number' ? value['atMs'] : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** FNV-1a, 64 bits: a file's name that says nothing of the account. Not a secret, and nobody gains by a collision. */
function digest(key: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(key)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, '0');
}
