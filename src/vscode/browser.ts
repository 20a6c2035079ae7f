// The world outside the editor: opening an address, and the address that leads back in.
import { env, Uri } from 'vscode';
import { RETURN_PATH, SIGNED_IN_PATH } from './uriHandler.ts';

/** False when the editor knows that nothing opened; true proves nothing. */
export async function openOutside(url: string): Promise<boolean> {
  // As a string, although the type wants a Uri: Uri.parse decodes and encodes again, which damages escapes inside
  // escapes (`%253D`), and payment pages have those. Editors since 1.31 pass a string through as it is.
  return await env.openExternal(url as unknown as Uri);
}

/** @param extensionId `publisher.name`, the authority of addresses that lead here */
export function returnUri(extensionId: string, state: string): Promise<string> {
  return wayIn(extensionId, RETURN_PATH, `state=${encodeURIComponent(state)}`);
}

/** Where the answer to a sign-in is passed on to, by the credits server's page. */
export function signedInUri(extensionId: string): Promise<string> {
  return wayIn(extensionId, SIGNED_IN_PATH, '');
}

async function wayIn(extensionId: string, path: string, query: string): Promise<string> {
  const inside = Uri.from({ scheme: env.uriScheme, authority: extensionId, path, query });
  const outside = await env.asExternalUri(inside);
  // `true` leaves `=` and `&` alone; with them encoded, an editor in a browser does not find the way back.
  return outside.toString(true);
}
