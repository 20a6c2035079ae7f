// The open event streams: each organisation's outbox is read once for all who listen to it, in the outbox's order.
import type { ServerResponse } from 'node:http';
import type { FastifyBaseLogger } from 'fastify';
import { type EventName, HEARTBEAT_MS } from '../../protocol/api.ts';
import { type Member, standing } from './access.ts';
import { type Clock, MINUTE_MS } from './clock.ts';
import type { Database } from './database/database.ts';
import { balanceOnTheWire } from './ledger/balance.ts';
import type { DueDates } from './ledger/dueDates.ts';
import { newestSequences, readOutbox } from './outbox.ts';
import { RequestRefused } from './problems.ts';

/** How long a client waits before it opens a stream again, in ms. */
const RETRY_MS = 3_000;
/** More than ten editors on two machines; a client that leaks streams is stopped here. */
const STREAMS_PER_PRINCIPAL = 20;
/** A reader this far behind is let go; it resumes where it was. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** After this a stream is renewed, so that a token of an identity provider that has ended counts here too. */
const MAX_AGE_MS = 15 * MINUTE_MS;
const ROWS_AT_ONCE = 500;

interface Stream {
  readonly principalId: string;
  readonly tokenId: string | null;
  readonly out: ServerResponse;
  readonly openedAt: Date;
  cursor: bigint;
}

/** What servers tell each other alone: the streams of this id end. */
const endings: Partial<Record<string, { reason: string; of(stream: Stream): string | null }>> = {
  'member.removed': { reason: 'removed', of: stream => stream.principalId },
  'token.revoked': { reason: 'revoked', of: stream => stream.tokenId },
};

/** One organisation's listeners. Whatever reads or moves a cursor takes its turn, so no row is skipped or sent twice. */
class Channel {
  readonly streams = new Set<Stream>();
  /** Streams that wait for their turn to be added. */
  opening = 0;
  cursor = 0n;
  #turn: Promise<void> = Promise.resolve();

  takeTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

interface Parts {
  readonly database: Database;
  readonly dueDates: DueDates;
  readonly clock: Clock;
  readonly heartbeatMs?: number;
  readonly log: FastifyBaseLogger;
}

export class EventStreams {
  readonly #database: Database;
  readonly #dueDates: DueDates;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  readonly #log: FastifyBaseLogger;
  readonly #channels = new Map<string, Channel>();
  readonly #opened = new Map<string, number>();
  #heartbeat: NodeJS.Timeout | undefined;
  /** Organisations of which it was said that a listener knows too much: with one come all of them. */
  readonly #setBack = new Set<string>();
  #unlisten: (() => Promise<void>) | undefined;
  readonly #closing = new AbortController();

  constructor({ database, dueDates, clock, heartbeatMs = HEARTBEAT_MS, log }: Parts) {
    this.#database = database;
    this.#dueDates = dueDates;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#log = log;
  }

  get openCount(): number {
    return [...this.#opened.values()].reduce((sum, count) => sum + count, 0);
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#database.listen(
      'outbox',
      orgId => this.#pump(orgId),
      () => this.#lookAtAll(),
    );
    this.#heartbeat = setInterval(() => this.#beat(), this.#heartbeatMs).unref();
  }

  /** Ends every stream with a reason, so that clients know to come back. */
  async close(reason: string): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#heartbeat);
    await this.#unlisten?.();
    for (const channel of this.#channels.values()) {
      await channel.takeTurn(async () => {
        for (const stream of channel.streams) {
          end(stream, reason);
        }
      });
    }
  }

  /** @throws {RequestRefused} when the principal has too many open, or the server is closing. */
  checkRoom(member: Member): void {
    if (this.#closing.signal.aborted) {
      throw new RequestRefused('unavailable', { retry_after_s: RETRY_MS / 1_000 });
    }
    if ((this.#opened.get(member.principal.id) ?? 0) >= STREAMS_PER_PRINCIPAL) {
      throw new RequestRefused('rate_limited', { retry_after_s: 60 });
    }
  }

  /** Takes over an answer whose head has been written: what was missed, the balance as it is, then what happens. */
  async open(member: Member, lastEventId: bigint | undefined, out: ServerResponse): Promise<void> {
    if (out.closed) {
      return; // Its end was told while it was let in, and will not be told again to whoever counts streams.
    }
    const { orgId, principal, credential } = member;
    const { tokenId } = credential;
    const stream: Stream = { principalId: principal.id, tokenId, out, openedAt: this.#clock(), cursor: 0n };
    const channel = this.#channels.get(orgId) ?? new Channel();
    this.#channels.set(orgId, channel);
    this.#count(stream, 1);
    out.once('close', () => {
      this.#count(stream, -1);
      channel.streams.delete(stream);
    });
    // A connection that breaks is an ordinary end.
    out.on('error', () => {});
    out.write(`retry: ${RETRY_MS}\n\n`);
    channel.opening++;
    await channel.takeTurn(async () => {
      channel.opening--;
      const now = this.#clock();
      const figures = await this.#dueDates.readBalance(orgId);
      // What ended since the request was let in was told before the cursor, and will not be heard.
      const { role, isRevoked } = await standing(this.#database.query, member);
      if (role === undefined || isRevoked) {
        end(stream, isRevoked ? 'revoked' : 'removed');
        return;
      }
      if (lastEventId !== undefined) {
        await this.#catchUp(stream, orgId, lastEventId, figures.outboxSequence);
      }
      const balance = balanceOnTheWire(figures, now);
      stream.cursor = figures.outboxSequence;
      send(stream, 'balance.updated', {
        version: balance.version,
        available_ucr: balance.available_ucr,
        level: balance.low_balance.level,
        as_of: balance.as_of,
      });
      if (channel.streams.size === 0) {
        channel.cursor = stream.cursor;
      }
      if (out.closed || this.#closing.signal.aborted) {
        end(stream, 'shutdown');
      } else {
        channel.streams.add(stream);
      }
    });
  }

  async #catchUp(stream: Stream, orgId: string, lastEventId: bigint, upTo: bigint): Promise<void> {
    const missed = upTo - lastEventId;
    if (missed < 0n && !this.#setBack.has(orgId)) {
      this.#setBack.add(orgId);
      this.#log.warn(
        { org: orgId },
        'a listener has heard of events to come: after a restore run "restored"',
      );
    }
    // More would fill the connection before it is read, and the next try would begin at the same place.
    const rows =
      missed > 0n && missed <= BigInt(ROWS_AT_ONCE)
        ? await readOutbox(this.#database.query, orgId, lastEventId, ROWS_AT_ONCE)
        : [];
    // No longer kept, or of a time that a restore has cut off.
    const isWhole = missed === 0n || rows[0]?.sequence === lastEventId + 1n;
    if (!isWhole) {
      stream.cursor = upTo;
      send(stream, 'resync', {});
      return;
    }
    stream.cursor = lastEventId;
    // What came after the balance was read is the pump's to send.
    for (const row of rows.filter(({ sequence }) => sequence <= upTo)) {
      stream.cursor = row.sequence;
      // Whoever opens a stream is a member now, also when removed and added again meanwhile.
      if (!(row.event in endings)) {
        send(stream, row.event, row.data);
      }
    }
  }

  /** The bell rang: everything new goes to everyone who listens. */
  #pump(orgId: string): void {
    const channel = this.#channels.get(orgId);
    if (!channel) {
      return;
    }
    channel
      .takeTurn(async () => {
        if (channel.streams.size === 0) {
          if (channel.opening === 0) {
            this.#channels.delete(orgId);
          }
          return;
        }
        const rows = await readOutbox(this.#database.query, orgId, channel.cursor, ROWS_AT_ONCE);
        for (const row of rows) {
          channel.cursor = row.sequence;
          const ending = endings[row.event];
          const text = eventText(row.sequence, row.event, row.data);
          for (const stream of channel.streams) {
            if (row.sequence > stream.cursor) {
              stream.cursor = row.sequence;
              if (!ending) {
                write(stream, text);
              } else if (row.data['id'] === ending.of(stream)) {
                end(stream, ending.reason);
              }
            }
          }
        }
        if (rows.length === ROWS_AT_ONCE) {
          this.#pump(orgId);
        }
      })
      .catch(error => this.#log.error({ err: error, org: orgId }, 'outbox could not be read'));
  }

  /** The bell is only a hint and may have rung unheard: whoever is behind its outbox catches up. */
  #lookAtAll(): void {
    newestSequences(this.#database.query, [...this.#channels.keys()])
      .then(newest => {
        for (const [orgId, sequence] of newest) {
          if (sequence > (this.#channels.get(orgId)?.cursor ?? sequence)) {
            this.#pump(orgId);
          }
        }
      })
      .catch(error => this.#log.error({ err: error }, 'outboxes could not be looked at'));
  }

  #beat(): void {
    this.#lookAtAll();
    const now = this.#clock().getTime();
    for (const channel of this.#channels.values()) {
      for (const stream of channel.streams) {
        if (stream.out.writableEnded) {
          stream.out.destroy(); // Its end has not been read since the last beat, and may never be.
        } else if (now - stream.openedAt.getTime() > MAX_AGE_MS) {
          end(stream, 'renew');
        } else {
          write(stream, ':\n\n');
        }
      }
    }
  }

  #count(stream: Stream, change: 1 | -1): void {
    const open = (this.#opened.get(stream.principalId) ?? 0) + change;
    if (open > 0) {
      this.#opened.set(stream.principalId, open);
    } else {
      this.#opened.delete(stream.principalId);
    }
  }
}

function send(stream: Stream, event: EventName | (string & {}), data: Record<string, unknown>): void {
  write(stream, eventText(stream.cursor, event, data));
}

function eventText(id: bigint, event: string, data: Record<string, unknown>): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Without an id: the client's last id stays that of the last event it has seen. */
function end({ out }: Stream, reason: string): void {
  if (out.writableEnded) {
    return;
  }
  out.end(`event: stream.closing\ndata: ${JSON.stringify({ reason })}\n\n`);
}

function write({ out }: Stream, text: string): void {
  if (out.writableLength > MAX_UNREAD_BYTES) {
    out.destroy();
  } else if (!out.writableEnded) {
    out.write(text);
  }
}
