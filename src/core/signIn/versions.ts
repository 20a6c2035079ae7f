// Whether server and extension speak the same, and if not, which of the two is behind.

/** The version of the API that this extension speaks. */
export const API_VERSION = 'v1';

export type VersionGap = 'serverBehind' | 'extensionBehind';

/** Undefined when both speak ours. */
export function versionGap(spoken: readonly string[]): VersionGap | undefined {
  if (spoken.includes(API_VERSION)) {
    return undefined;
  }
  return spoken.some(version => numberOf(version) > numberOf(API_VERSION))
    ? 'extensionBehind'
    : 'serverBehind';
}

/** What is not written like a version of ours is older than all of them. */
function numberOf(version: string): number {
  return Number(/^v(\d{1,6})$/.exec(version)?.[1] ?? -1);
}
