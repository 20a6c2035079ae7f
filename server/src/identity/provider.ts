// Access tokens of identity providers: whether one of them made this token, for this server, and for now.
import {
  type CryptoKey,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import * as z from 'zod/mini';
import { type Clock, HOUR_MS } from '../clock.ts';
import { type IdentityConfig, isSecureOrLoopback } from '../config.ts';
import { RequestRefused } from '../problems.ts';

/** What a provider vouches for. Roles are not among it: they are this server's own. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** Only one that the provider has verified. */
  readonly email: string | null;
  readonly name: string | null;
  readonly scopes: readonly string[];
}

/** Signatures that need the provider's private key. With `none` or a shared secret anybody could sign. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** How far two clocks may be apart. */
const TOLERANCE_S = 60;
const ANSWER_WITHIN_MS = 5_000;
const MAX_METADATA_BYTES = 256 * 1024;
/** A key that was taken back counts for so long at most. */
const KEYS_FRESH_MS = HOUR_MS;
/** A provider that did not answer, or a key that it does not have, is not asked for again sooner. */
const ASK_AGAIN_MS = { failed: 5_000, keys: 30_000 };

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

type KeySet = ReturnType<typeof createRemoteJWKSet>;
type FindKey = (header?: JWSHeaderParameters, token?: FlattenedJWSInput) => Promise<CryptoKey>;

/** @throws {RequestRefused} `unauthenticated` for a token that is not good, `unavailable` when that could not be found out. */
export class IdentityProviders {
  readonly config: IdentityConfig;
  readonly #clock: Clock;
  readonly #keys: ReadonlyMap<string, PublicKeys>;

  constructor(config: IdentityConfig, clock: Clock) {
    this.config = config;
    this.#clock = clock;
    this.#keys = new Map(config.issuers.map(issuer => [issuer, new PublicKeys(issuer)]));
  }

  async verify(token: string): Promise<Identity> {
    const { audience, claims, tokenType } = this.config;
    const issuer = issuerOf(token);
    const keys = issuer === undefined ? undefined : this.#keys.get(issuer);
    if (issuer === undefined || !keys) {
      throw new RequestRefused('unauthenticated');
    }
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys.find, {
        algorithms: ALGORITHMS,
        issuer,
        audience,
        requiredClaims: ['exp', claims.subject],
        clockTolerance: TOLERANCE_S,
        currentDate: this.#clock(),
        ...(tokenType && { typ: tokenType }),
      }));
    } catch (error) {
      throw error instanceof errors.JOSEError
        ? new RequestRefused('unauthenticated', {}, { cause: error })
        : error;
    }
    const subject = payload[claims.subject];
    if (typeof subject !== 'string' || subject === '' || subject.length > 255) {
      throw new RequestRefused('unauthenticated');
    }
    const email = payload[claims.email];
    const verified = [true, 'true', 1, '1'].includes(payload[claims.emailVerified] as string);
    const name = payload['name'];
    return {
      issuer,
      subject,
      email: typeof email === 'string' && verified ? email : null,
      name: typeof name === 'string' && name !== '' ? name.slice(0, 200) : null,
      scopes: scopesOf(payload),
    };
  }
}

/** Not yet believed: only chooses whose keys it is checked with. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

/** `scope` by RFC 9068; some providers say `scp`, as a text or as a list. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  const said = scope ?? scp;
  return Array.isArray(said) ? said.filter(item => typeof item === 'string') : String(said ?? '').split(' ');
}

/** It is not asked: it did not answer a moment ago. */
class Paused extends Error {
  override readonly name = 'Paused';
}

/** One provider's keys, looked up when the first token needs them. */
class PublicKeys {
  readonly #issuer: string;
  #known: Promise<KeySet> | undefined;
  /** Monotonic, ms. */
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  readonly find: FindKey = async (header, token) => {
    try {
      const keys = await this.#keySet();
      if (!keys.fresh) {
        this.#checkPause();
      }
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw error;
      }
      if (!(error instanceof Paused)) {
        this.#failedAt = performance.now();
      }
      // Whether the token is good is not known, so nobody is told that it is not.
      throw new RequestRefused('unavailable', { retry_after_s: 5 }, { cause: error });
    }
  };

  /** Asked once for all who wait. A failure is remembered for a moment, success for as long as the server runs. */
  #keySet(): Promise<KeySet> {
    if (!this.#known) {
      this.#checkPause();
      this.#known = discover(this.#issuer);
      this.#known.catch(() => {
        this.#known = undefined;
      });
    }
    return this.#known;
  }

  /** @throws {Paused} */
  #checkPause(): void {
    if (performance.now() - this.#failedAt < ASK_AGAIN_MS.failed) {
      throw new Paused(`${this.#issuer} did not answer a moment ago`);
    }
  }
}

/** Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discover(issuer: string): Promise<KeySet> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await fetch(address, {
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    throw new Error(`${address} answered ${answer.status}`);
  }
  const metadata = Discovery.parse(JSON.parse(await shortText(answer)));
  const keys = URL.parse(metadata.jwks_uri);
  if (metadata.issuer !== issuer || !keys || !isSecureOrLoopback(keys)) {
    throw new Error(`${address} is of another issuer, or its keys are not at a secure address`);
  }
  return createRemoteJWKSet(keys, {
    timeoutDuration: ANSWER_WITHIN_MS,
    cooldownDuration: ASK_AGAIN_MS.keys,
    cacheMaxAge: KEYS_FRESH_MS,
  });
}

async function shortText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_METADATA_BYTES) {
      throw new Error('the metadata is too long');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
