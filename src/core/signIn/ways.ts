// The ways to sign in, the order in which they are offered, and why one is not: a table, so that no condition hides
// in the flows themselves.

export type Way =
  /** The browser comes back to a port of this machine. */
  | 'loopback'
  /** The browser comes back to the editor's own address, by the credits server's fixed page. */
  | 'editorUri'
  /** A code to type in on any device. */
  | 'device'
  /** An access token is pasted. */
  | 'token';

/** Where the extension runs, and before what kind of window. */
export type Place = 'desktop' | 'remote' | 'web' | 'fork';

export type WhyNot =
  /** The browser is on another machine than the extension, so 127.0.0.1 is not the same for both. */
  | 'browserElsewhere'
  /** An editor in a browser has no port of its own that the person's browser reaches. */
  | 'noPorts'
  /** Which program the system opens for this editor's addresses is not known. */
  | 'unknownEditor'
  /** The credits server names no identity provider. */
  | 'tokensOnly'
  /** The identity provider gives no codes for other devices. */
  | 'noDeviceCodes';

type Row = Readonly<Record<Way, WhyNot | true>>;

export const table: Readonly<Record<Place, Row>> = {
  desktop: { loopback: true, editorUri: true, device: true, token: true },
  remote: { loopback: 'browserElsewhere', editorUri: true, device: true, token: true },
  web: { loopback: 'noPorts', editorUri: true, device: true, token: true },
  fork: { loopback: true, editorUri: 'unknownEditor', device: true, token: true },
};

const order: readonly Way[] = ['loopback', 'editorUri', 'device', 'token'];

/** The addresses that an editor's own installer gives to that editor. */
const KNOWN_SCHEMES = ['vscode', 'vscode-insiders'];

export interface HostFacts {
  readonly isWeb: boolean;
  /** The extension runs on another machine than the window. */
  readonly isRemote: boolean;
  readonly uriScheme: string;
}

export interface ProviderFacts {
  readonly hasDeviceCodes: boolean;
}

export function placeOf({ isWeb, isRemote, uriScheme }: HostFacts): Place {
  if (isWeb) {
    return 'web';
  }
  if (isRemote) {
    return 'remote';
  }
  return KNOWN_SCHEMES.includes(uriScheme) ? 'desktop' : 'fork';
}

/** Undefined when nothing stands against it. */
export function whyNot(way: Way, place: Place, provider: ProviderFacts | undefined): WhyNot | undefined {
  if (way !== 'token' && !provider) {
    return 'tokensOnly';
  }
  if (way === 'device' && !provider?.hasDeviceCodes) {
    return 'noDeviceCodes';
  }
  const entry = table[place][way];
  return entry === true ? undefined : entry;
}

/** What can be offered here, best first. The last one, a pasted token, always can. */
export function waysFor(place: Place, provider: ProviderFacts | undefined): Way[] {
  return order.filter(way => whyNot(way, place, provider) === undefined);
}
