// Keeps the token of a browser sign-in fresh: one window renews for all of them. A refresh token is worth something
// once only, and a provider that sees one twice ends the sign-in, so who may use it is claimed in the folder of all
// windows, and which is the newest stands there too. The folder never holds a token.
import type { Grant, SignIn } from '../account.ts';
import { type Clock, seconds, sleep } from '../clock.ts';
import type { CreditsClientMeans, TokenSource } from '../creditsClient.ts';
import { CreditsError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SharedFile } from '../sharedState.ts';
import { isRecord } from '../slot.ts';
import { SignInError } from './errors.ts';
import type { Tokens } from './identityProvider.ts';

/**
 * A token is renewed this long before its end, so that clocks which differ do no harm; one that lives for minutes alone,
 * in the last quarter of its life.
 */
const AHEAD_MS = seconds(60);
/** How long another window may take for a renewal before it is taken for dead; its own exchanges end sooner. */
const OTHERS_MS = seconds(25);
const LOOK_MS = 500;
/** For secrets that travel slower between windows than files. */
const SECRETS_MS = seconds(3);
const TRIES = 4;

/** The newest that is known of a sign-in, for all windows. */
export interface RenewalRecord {
  readonly grantId: string;
  readonly generation: number;
  /** How many windows have failed to renew it since. */
  readonly tries: number;
}

/** Where the sign-in is kept; vscode/session.ts has this shape. */
export interface GrantKeeper {
  readonly current: SignIn | undefined;
  /** Looks at the storage again: another window may have renewed. */
  reread(): Promise<void>;
  /** The sign-in with that grant has new tokens. */
  renewed(grantId: string, token: string, grant: Grant): Promise<void>;
  /** The provider no longer takes it. */
  ended(grantId: string): Promise<void>;
  /** Another window has renewed, and this host does not let this one read it before a reload. */
  missed(): void;
}

export interface RenewalMeans {
  readonly keeper: GrantKeeper;
  readonly refresh: (
    signIn: SignIn,
    grant: Grant & { refreshToken: string },
    scope?: string,
  ) => Promise<Tokens>;
  readonly claim: (key: string) => Promise<boolean>;
  readonly file: SharedFile<RenewalRecord>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Asks the provider that the sign-in is from; loaded when it is first wanted. */
export function refreshAtProvider(means: CreditsClientMeans): RenewalMeans['refresh'] {
  return async (signIn, grant, scope) => {
    const { openAgain } = await import('./identityProvider.ts');
    const provider = await openAgain(grant, signIn.account.serverUrl, means);
    return await provider.refresh(grant.refreshToken, scope);
  };
}

export class Renewal {
  readonly #means: RenewalMeans;
  /** Renewals of this window, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** How long the provider's tokens live, as far as this window has seen one begin. */
  #lifeMs = Number.POSITIVE_INFINITY;
  #readOnly: { readonly grantId: string; readonly token: string; readonly untilMs: number } | undefined;

  constructor(means: RenewalMeans) {
    this.#means = means;
  }

  /** What a client of this sign-in asks for its token. */
  readonly sourceOf = (signIn: SignIn): TokenSource | string => {
    if (!signIn.grant) {
      return signIn.token;
    }
    return {
      token: async () => {
        if (this.#isFresh(signIn)) {
          return signIn.token;
        }
        try {
          return await this.#inTurn(() => this.#renew(signIn, token => !this.#isFresh(signIn) || token));
        } catch (error) {
          // What still holds for a while is better than a failure that may be over by then.
          if (!hasLapsed(signIn.grant, this.#means.clock.now()) && !isEnd(error)) {
            return signIn.token;
          }
          throw error;
        }
      },
      renew: refused =>
        this.#inTurn(async () =>
          signIn.token === refused && signIn.grant?.refreshToken == null
            ? await this.#end(signIn)
            : await this.#renew(signIn, token => token === refused || token),
        ),
    };
  };

  /** A token that can read and no more, for others on this machine. */
  readOnlyToken(signIn: SignIn, scope: string): Promise<string | undefined> {
    return this.#inTurn(async () => {
      const { clock } = this.#means;
      const kept = this.#readOnly;
      if (kept && kept.grantId === signIn.grant?.id && kept.untilMs - this.#aheadMs > clock.now()) {
        return kept.token;
      }
      if (signIn.grant?.refreshToken == null) {
        return undefined;
      }
      let token: string | undefined;
      await this.#renew(signIn, () => token === undefined || token, {
        scope,
        take: tokens => {
          token = tokens.accessToken;
          const untilMs = tokens.expiresAtMs ?? Number.POSITIVE_INFINITY;
          this.#readOnly = { grantId: signIn.grant?.id ?? '', token, untilMs };
        },
      });
      return token;
    });
  }

  /**
   * @param wantsMore true while the token that is there is not enough, else that token
   * @param narrowed asks for a token of less scope beside the present one, which stays
   */
  async #renew(
    signIn: SignIn,
    wantsMore: (token: string) => true | string,
    narrowed?: { scope: string; take: (tokens: Tokens) => void },
  ): Promise<string> {
    const { keeper, claim, clock, log } = this.#means;
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      // Another window may have done it already.
      await keeper.reread();
      const enough = wantsMore(signIn.token);
      if (enough !== true) {
        return enough;
      }
      const { grant } = signIn;
      if (!grant || grant.refreshToken === null || keeper.current?.grant?.id !== grant.id) {
        return await this.#end(signIn);
      }
      const { refreshToken } = grant;
      const record = await this.#newest(grant);
      if (record.generation > grant.generation) {
        await this.#waitForNewer(signIn, grant, SECRETS_MS);
        if (signIn.grant === grant) {
          // This refresh token is used up; to show it again would end the sign-in for everyone.
          keeper.missed();
          throw new CreditsError('unauthenticated', { cause: 'RENEWED_ELSEWHERE' });
        }
        continue;
      }
      let isMine = true;
      try {
        isMine = await claim(`renewal ${grant.id} ${grant.generation} ${record.tries}`);
      } catch {
        // Without a folder there is nobody to agree with.
      }
      if (!isMine) {
        await this.#waitForNewer(signIn, grant, OTHERS_MS);
        if (signIn.grant === grant && (await this.#newest(grant)).tries === record.tries) {
          await this.#note({ ...record, tries: record.tries + 1 });
        }
        continue;
      }
      let tokens: Tokens;
      try {
        tokens = await this.#means.refresh(signIn, { ...grant, refreshToken }, narrowed?.scope);
      } catch (error) {
        if (error instanceof SignInError && error.reason === 'ended') {
          await keeper.reread();
          if (signIn.grant !== grant) {
            continue;
          }
          return await this.#end(signIn);
        }
        await this.#note({ ...record, tries: record.tries + 1 });
        log.warn(`renewal: ${error instanceof SignInError ? error.message : 'failed'}`);
        throw new CreditsError('offline', { cause: 'IDENTITY_PROVIDER' });
      }
      this.#lifeMs = (tokens.expiresAtMs ?? Number.POSITIVE_INFINITY) - clock.now();
      const generation = grant.generation + 1;
      const isNarrowed = narrowed !== undefined;
      await keeper.renewed(grant.id, isNarrowed ? signIn.token : tokens.accessToken, {
        ...grant,
        generation,
        refreshToken: tokens.refreshToken,
        expiresAtMs: isNarrowed ? grant.expiresAtMs : tokens.expiresAtMs,
      });
      await this.#note({ grantId: grant.id, generation, tries: 0 });
      log.info(`renewal: generation ${generation}`);
      narrowed?.take(tokens);
      return narrowed ? tokens.accessToken : signIn.token;
    }
    log.warn(`renewal: given up at ${clock.now()}`);
    throw new CreditsError('offline', { cause: 'RENEWAL' });
  }

  async #end(signIn: SignIn): Promise<never> {
    if (signIn.grant) {
      await this.#means.keeper.ended(signIn.grant.id);
    }
    throw new CreditsError('unauthenticated', { cause: 'SIGN_IN_ENDED' });
  }

  async #waitForNewer(signIn: SignIn, grant: Grant, ms: number): Promise<void> {
    const { clock, keeper } = this.#means;
    const endMs = clock.monotonic() + ms;
    while (signIn.grant === grant && clock.monotonic() < endMs) {
      await sleep(clock, LOOK_MS);
      await keeper.reread();
    }
  }

  async #newest(grant: Grant): Promise<RenewalRecord> {
    const own = { grantId: grant.id, generation: grant.generation, tries: 0 };
    try {
      const record = await this.#means.file.load();
      return record?.grantId === grant.id && record.generation >= grant.generation ? record : own;
    } catch {
      return own;
    }
  }

  async #note(record: RenewalRecord): Promise<void> {
    try {
      await this.#means.file.write(record);
    } catch {
      // A folder that cannot be written to cannot be read by others either.
    }
  }

  #isFresh({ grant }: SignIn): boolean {
    const { clock } = this.#means;
    return !grant || grant.expiresAtMs === null || grant.expiresAtMs - clock.now() > this.#aheadMs;
  }

  get #aheadMs(): number {
    return Math.min(AHEAD_MS, this.#lifeMs / 4);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function hasLapsed(grant: Grant | undefined, nowMs: number): boolean {
  return grant?.expiresAtMs != null && grant.expiresAtMs <= nowMs;
}

function isEnd(error: unknown): boolean {
  return error instanceof CreditsError && error.reason === 'unauthenticated';
}

export function readRenewal(value: unknown): RenewalRecord | undefined {
  if (!isRecord(value)) {
    return undefined;
  }
  const { grantId, generation, tries } = value;
  return typeof grantId === 'string' && Number.isSafeInteger(generation) && Number.isSafeInteger(tries)
    ? { grantId, generation: generation as number, tries: tries as number }
    : undefined;
}
