// Hands out the client of a sign-in, one for each, and loads it when it is first wanted: the editor's start does not
// wait for HTTP and schemas it may never need.
import type { SignIn } from './account.ts';
import type { CreditsClient, CreditsClientMeans, TokenSource } from './creditsClient.ts';

export type Connect = (signIn: SignIn) => Promise<CreditsClient>;

/** @param renewing where the tokens of sign-ins come from that are renewed; without it they stay as they are */
export function connector(
  means: CreditsClientMeans,
  renewing: (signIn: SignIn) => TokenSource | string = signIn => signIn.token,
): Connect {
  const clients = new WeakMap<SignIn, Promise<CreditsClient>>();
  return signIn => {
    let client = clients.get(signIn);
    if (!client) {
      client = newClient(signIn.account.serverUrl, renewing(signIn), means);
      clients.set(signIn, client);
    }
    return client;
  };
}

/** A client of its own, for a token that is still to be tried. */
export async function newClient(
  serverUrl: string,
  token: TokenSource | string | undefined,
  means: CreditsClientMeans,
): Promise<CreditsClient> {
  const { CreditsClient } = await import('./creditsClient.ts');
  return new CreditsClient(serverUrl, token, means);
}
