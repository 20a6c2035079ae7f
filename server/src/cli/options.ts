// The words after a command: read by its list of options, with every fault in a sentence.
import { parseArgs } from 'node:util';
import { UCR_PER_CREDIT } from '../../../protocol/units.ts';

/** The person asked for something that cannot be done; the message says what and what to do instead. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused';
}

/** Of any text in the contract, which what is stored by hand is told through as well. */
const MAX_TEXT_LENGTH = 1_000;

/** `--name VALUE` for each, and whether it must be there. */
export type OptionList = Readonly<Record<string, 'needed' | 'optional' | 'flag'>>;

export class Options {
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;

  /** @throws {CommandRefused} */
  constructor(args: readonly string[], list: OptionList) {
    try {
      const options = Object.fromEntries(
        Object.entries(list).map(([name, kind]) => [
          name,
          { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) },
        ]),
      );
      this.#values = parseArgs({ args: withNegatives(args), options }).values as Record<
        string,
        string | boolean
      >;
    } catch (error) {
      const [sentence = ''] = (error as Error).message.split(/\.\s|\n/, 1);
      throw new CommandRefused(`${sentence.replace(/\.$/, '')}. See --help.`);
    }
    // What is blank is not there: it would name nobody, or be no reason.
    const isMissing = (name: string) =>
      list[name] === 'needed' || (list[name] === 'optional' && this.has(name));
    const missing = Object.keys(list).filter(name => isMissing(name) && this.text(name) === '');
    if (missing.length > 0) {
      throw new CommandRefused(`${missing.map(name => `--${name}`).join(', ')} must be given. See --help.`);
    }
    const tooLong = Object.keys(list).find(name => this.text(name).length > MAX_TEXT_LENGTH);
    if (tooLong !== undefined) {
      throw new CommandRefused(`--${tooLong} must have at most ${MAX_TEXT_LENGTH} characters.`);
    }
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string, fallback = ''): string {
    const value = this.#values[name];
    return typeof value === 'string' ? value.trim() : fallback;
  }

  whole(name: string, min: number, max: number, fallback?: number): number {
    const text = this.text(name, fallback === undefined ? '' : String(fallback));
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      throw new CommandRefused(`--${name} must be a whole number from ${min} to ${max}, not "${text}".`);
    }
    return value;
  }

  /** Whole or with up to six decimals, as micro-credits. */
  credits(name: string, { negative = false, zero = false } = {}): bigint {
    const [, sign, whole = '', part = ''] = /^(-?)(\d{1,9})(?:\.(\d{1,6}))?$/.exec(this.text(name)) ?? [];
    const ucr = BigInt(whole || 0) * BigInt(UCR_PER_CREDIT) + BigInt((part || '').padEnd(6, '0'));
    if (whole === '' || (ucr === 0n && !zero) || (sign === '-' && !negative)) {
      const kind = negative ? 'other than 0' : zero ? 'from 0 on' : 'above 0';
      throw new CommandRefused(
        `--${name} must be a number of credits ${kind}, with at most six decimals, not "${this.text(name)}".`,
      );
    }
    return sign === '-' ? -ucr : ucr;
  }

  /** Of the years that the contract can tell: RFC 3339 ends with four digits. */
  dateAfter(name: string, now: Date): Date {
    const text = this.text(name);
    const date = new Date(text);
    // A day that no month has, such as 31 February, would be read as one of the next.
    const isDay = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(text) && date > now;
    if (!isDay || !date.toISOString().startsWith(text.slice(0, 10))) {
      throw new CommandRefused(
        `--${name} must be a day to come, such as 2027-01-31 or 2027-01-31T18:00Z, not "${text}".`,
      );
    }
    return date;
  }

  oneOf<Value extends string>(name: string, values: readonly Value[], fallback?: Value): Value {
    const value = values.find(each => each === this.text(name, fallback));
    if (value === undefined) {
      throw new CommandRefused(`--${name} must be one of ${values.join(', ')}, not "${this.text(name)}".`);
    }
    return value;
  }
}

/** `--credits -5` as `--credits=-5`: a number below zero is no option. */
function withNegatives(args: readonly string[]): string[] {
  const isNegative = (word: string | undefined) => /^-\d/.test(word ?? '');
  return args.flatMap((word, place) =>
    isNegative(word) ? [] : isNegative(args[place + 1]) ? [`${word}=${args[place + 1]}`] : [word],
  );
}
