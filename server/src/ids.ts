// Names for things: prefixed, sortable by the time they were made, and secrets nobody can guess.
import { createHash, randomBytes } from 'node:crypto';

/** Crockford's base 32, lower case: no i, l, o, u. Source: https://github.com/ulid/spec */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

type Prefix = 'pur' | 'gr' | 'adj' | 'req' | 'srv' | 'usr' | 'svc' | 'team' | 'bud';

/** `pur_01jd…`: 48 bits of milliseconds, then 80 bits of chance. Later ids sort after earlier ones. */
export function newId(prefix: Prefix, at: Date): string {
  let time = '';
  for (let rest = at.getTime(), digit = 0; digit < 10; digit++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  return `${prefix}_${time}${random32(16)}`;
}

/** 32 characters of base 32 hold 160 bits, enough that guessing is no attack. */
export function newSecret(): string {
  return random32(32);
}

/** What is stored instead of a token. The tokens have 160 bits of chance, so a plain fast hash is right. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function random32(length: number): string {
  // 256 is a multiple of 32, so the low five bits of a random byte are evenly spread.
  return Array.from(randomBytes(length), byte => ALPHABET.charAt(byte & 31)).join('');
}
