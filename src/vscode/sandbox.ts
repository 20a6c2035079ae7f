// Only in the sandbox build: takes over the sign-in that `npm start` hands in by the environment, so that a newcomer
// sees a balance without typing anything. The packaged extension does not contain this file.
import { type Clock, seconds, sleep } from '../core/clock.ts';
import { newClient } from '../core/connect.ts';
import type { CreditsClientMeans } from '../core/creditsClient.ts';
import { asCreditsError } from '../core/errors.ts';
import { once } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import type { Session } from './session.ts';

/** The server may still be starting when the editor is. */
const TRIES = 30;

export async function adoptSandbox(
  session: Session,
  means: CreditsClientMeans,
  clock: Clock,
  log: Log,
): Promise<void> {
  const env = environment();
  const serverUrl = env['CREDITS_SANDBOX_SERVER_URL'];
  const token = env['CREDITS_SANDBOX_TOKEN'];
  if (!serverUrl || !token) {
    return;
  }
  if (!session.isRead) {
    await once(session.onDidChange);
  }
  for (let attempt = 1; attempt <= TRIES && !session.current; attempt++) {
    try {
      const me = await (await newClient(serverUrl, token, means)).me();
      const org = me.orgs[0];
      if (org) {
        const { principal } = me;
        await session.signIn({
          account: {
            serverUrl,
            personId: principal.id,
            personName: principal.name,
            orgId: org.id,
            orgName: org.name,
            role: org.role,
          },
          token,
        });
      }
      return;
    } catch (error) {
      log.info(`sandbox sign-in: ${asCreditsError(error).message}`);
      await sleep(clock, seconds(2));
    }
  }
}

/** Node has an environment, a web worker has none. */
function environment(): Readonly<Record<string, string | undefined>> {
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return host.process?.env ?? {};
}
