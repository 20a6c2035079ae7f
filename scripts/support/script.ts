// What every script does alike: read its options, and end with one clear sentence instead of a stack.
import { parseArgs } from 'node:util';

/** The person asked for something that cannot be done; the message says what and what to do instead. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** The values of `--name value` options, `help` included; anything else is refused. */
export function readOptions<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
): Partial<Record<Name, string>> & { help: boolean } {
  const options = Object.fromEntries(names.map(name => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    });
    return { ...(values as Partial<Record<Name, string>>), help: values['help'] === true };
  } catch (error) {
    // Node's own message says what is wrong in its first sentence, then gives advice that does not fit here.
    const [sentence] = (error as Error).message.split(/\.\s|\n/, 1);
    throw new Refusal(`${sentence?.replace(/\.$/, '')}. Use --help to see the options.`);
  }
}

/** A whole number in plain digits, within bounds. */
export function readWhole(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    const bounds = [min, max].map(bound => bound.toLocaleString('en-US')).join(' to ');
    throw new Refusal(
      `--${option} must be a whole number from ${bounds}, in plain digits; "${text}" is not.`,
    );
  }
  return value;
}

export function readOneOf<Value extends string>(
  option: string,
  text: string,
  values: readonly Value[],
): Value {
  const value = values.find(each => each === text);
  if (value === undefined) {
    throw new Refusal(`--${option} must be one of ${values.join(', ')}; "${text}" is not.`);
  }
  return value;
}

/** Runs a script; a failure ends it with code 1 and its sentence. Only our own mistakes show a stack. */
export async function runScript(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const isSentence =
      error instanceof Error && !(error instanceof TypeError || error instanceof ReferenceError);
    console.error(isSentence ? error.message : error);
    process.exitCode = 1;
  }
}
