// Waiting for something to come true, with an end to it and a sentence about what was seen instead.
import { setTimeout as pause } from 'node:timers/promises';

/** Something that should have come true did not. The message is for people. */
export class NotTrue extends Error {
  override readonly name = 'NotTrue';
}

/**
 * Reads again and again until what is read holds; returns that reading.
 * @param what completes "... did not happen within 15 s": a clause such as "the panel shows the new balance"
 */
export async function eventually<T>(
  what: string,
  read: () => Promise<T> | T,
  holds: (seen: T) => boolean,
  { withinMs = 15_000, everyMs = 50 }: { withinMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let seen = 'nothing';
  for (;;) {
    try {
      const value = await read();
      if (holds(value)) {
        return value;
      }
      seen = typeof value === 'string' ? `"${value}"` : String(JSON.stringify(value));
    } catch (error) {
      seen = `an error: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`;
    }
    if (performance.now() > deadline) {
      throw new NotTrue(`Not true within ${withinMs / 1000} s: ${what}. Seen: ${seen}.`);
    }
    await pause(everyMs);
  }
}
