// Reads the text of an event stream against the contract. Loaded with the first connection, because it brings the
// schemas along.
import { createParser } from 'eventsource-parser';
import { type EventData, type EventName, events, HEARTBEAT_MS } from '../../protocol/api.ts';

/** One event of the contract, by name. */
export type CreditsEvent = {
  [N in Exclude<EventName, 'stream.closing'>]: { readonly name: N; readonly data: EventData<N> };
}[Exclude<EventName, 'stream.closing'>];

/** The server beats every HEARTBEAT_MS; three missed beats are a dead line. */
export const DEAD_AFTER_MS = 3 * HEARTBEAT_MS;

/** An event longer than this is not one of the contract's. */
const MAX_EVENT_CHARACTERS = 1_048_576;

export interface EventListener {
  readonly onId: (id: string) => void;
  readonly onEvent: (event: CreditsEvent) => void;
  /** An event of the contract that is not as the contract says. */
  readonly onUnreadable: (name: string) => void;
}

/** Takes the stream's bytes as they come, and tells of each whole event. */
export function eventReader({ onId, onEvent, onUnreadable }: EventListener): (bytes: Uint8Array) => void {
  const text = new TextDecoder();
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onId,
    onEvent: ({ event: name, data }) => {
      const event = readEvent(name, data);
      switch (event) {
        case 'closing':
        case 'unknown':
          // The end of a stream is seen when it comes; names that are new in a later server are not for us.
          return;
        case 'unreadable':
          onUnreadable(name ?? '');
          return;
        default:
          onEvent(event);
      }
    },
  });
  return bytes => parser.feed(text.decode(bytes, { stream: true }));
}

function readEvent(
  name: string | undefined,
  data: string,
): CreditsEvent | 'closing' | 'unknown' | 'unreadable' {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return 'unreadable';
  }
  switch (name) {
    case 'balance.updated': {
      const parsed = events[name].safeParse(json);
      return parsed.success ? { name, data: parsed.data } : 'unreadable';
    }
    case 'purchase.updated': {
      const parsed = events[name].safeParse(json);
      return parsed.success ? { name, data: parsed.data } : 'unreadable';
    }
    case 'resync':
      return { name, data: {} };
    case 'stream.closing':
      return 'closing';
    default:
      return 'unknown';
  }
}
