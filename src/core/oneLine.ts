/** Control characters, ends of lines, and what turns the direction of reading. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu;

/** Text from somewhere else for a place that has one line: nothing in it moves a cursor or what stands beside it (T7). */
export function oneLine(text: string, maxLength = 120): string {
  const flat = text.replaceAll(UNSEEN, ' ');
  return flat.length > maxLength ? `${flat.slice(0, maxLength - 1)}…` : flat;
}
