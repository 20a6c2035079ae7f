// A gate in the way of HTTP requests: lets them through and counts them, holds one at a named moment until it is told
// what becomes of it, refuses, or changes an answer. What stands on either side knows nothing of it.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Passed {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** The asking program's own port. */
  readonly fromPort: number;
  /** ms, as of performance.now(). */
  readonly atMs: number;
  /** 0 until it is answered. */
  status: number;
  isOpen: boolean;
}

export interface Which {
  readonly method?: string;
  readonly path: RegExp;
}

/** One request that is held up, and what becomes of it. */
export interface Held {
  /** Settles when a request has come and stands still. */
  readonly caught: Promise<Passed>;
  /** Lets it go on, and holds nothing from now on. */
  release(): void;
  /** Ends its connection: nobody on the other side hears of it. */
  drop(): void;
}

interface Rule extends Which {
  readonly moment: 'request' | 'answer';
  readonly decision: Promise<'release' | 'drop'>;
  readonly catch: (passed: Passed) => void;
  isOver: boolean;
}

export class Gate {
  /** Every request so far, oldest first. */
  readonly passed: Passed[] = [];
  readonly port: number;
  readonly #server: Server;
  #rules: Rule[] = [];
  #refused: Which[] = [];
  #changes: (Which & { readonly change: (answer: unknown) => unknown })[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param targetPort on this machine; need not be open yet */
  static async open(targetPort: number): Promise<Gate> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const gate = new Gate(server);
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      gate.#pass(incoming, outgoing, targetPort).catch(() => outgoing.destroy());
    });
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  seen({ method, path }: Which): Passed[] {
    return this.passed.filter(
      one => (method === undefined || one.method === method) && path.test(pathOf(one)),
    );
  }

  /**
   * Holds the requests that match, from now on until it is decided about the first.
   * @param moment `request`: before the other side hears of it. `answer`: it has answered, and the caller waits.
   */
  hold(which: Which, moment: Rule['moment']): Held {
    let decide: (decision: 'release' | 'drop') => void = () => {};
    let caughtOne: (passed: Passed) => void = () => {};
    const decision = new Promise<'release' | 'drop'>(resolve => {
      decide = resolve;
    });
    const caught = new Promise<Passed>(resolve => {
      caughtOne = resolve;
    });
    const rule: Rule = { ...which, moment, decision, catch: passed => caughtOne(passed), isOver: false };
    this.#rules.push(rule);
    const end = (how: 'release' | 'drop') => {
      rule.isOver = true;
      this.#rules = this.#rules.filter(one => one !== rule);
      decide(how);
    };
    return { caught, release: () => end('release'), drop: () => end('drop') };
  }

  /** Cuts off what matches until the returned function is called; what is under way already too. */
  refuse(which: Which): () => void {
    this.#refused.push(which);
    for (const one of this.#under) {
      if (matches(which, one.passed)) one.end();
    }
    return () => {
      this.#refused = this.#refused.filter(one => one !== which);
    };
  }

  /** Changes the JSON of answers that match, until the returned function is called. */
  change(which: Which, change: (answer: unknown) => unknown): () => void {
    const rule = { ...which, change };
    this.#changes.push(rule);
    return () => {
      this.#changes = this.#changes.filter(one => one !== rule);
    };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  readonly #under = new Set<{ passed: Passed; end: () => void }>();

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse, targetPort: number): Promise<void> {
    const { method = 'GET', url: path = '/' } = incoming;
    const body = await buffer(incoming);
    const passed: Passed = {
      method,
      path,
      headers: incoming.headers as Record<string, string | undefined>,
      body: body.toString('utf8'),
      fromPort: incoming.socket.remotePort ?? 0,
      atMs: performance.now(),
      status: 0,
      isOpen: true,
    };
    this.passed.push(passed);
    const under = { passed, end: () => outgoing.destroy() };
    this.#under.add(under);
    outgoing.once('close', () => {
      passed.isOpen = false;
      this.#under.delete(under);
    });

    if (this.#refused.some(one => matches(one, passed)) || !(await this.#mayGoOn(passed, 'request'))) {
      outgoing.destroy();
      return;
    }
    const changes = this.#changes.filter(one => matches(one, passed));
    const headers = { ...incoming.headers };
    // An unchanged answer has no body to change.
    if (changes.length > 0) delete headers['if-none-match'];
    const onward = request({ host: '127.0.0.1', port: targetPort, method, path, headers });
    outgoing.once('close', () => onward.destroy());
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    passed.status = answer.statusCode ?? 0;
    const given = { ...answer.headers };
    if (/event-stream/.test(given['content-type'] ?? '')) {
      outgoing.writeHead(passed.status, given);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      return;
    }
    let content = await buffer(answer);
    for (const { change } of changes) {
      content = Buffer.from(JSON.stringify(change(JSON.parse(content.toString('utf8')))));
    }
    if (!(await this.#mayGoOn(passed, 'answer'))) {
      outgoing.destroy();
      return;
    }
    delete given['transfer-encoding'];
    if (passed.status !== 304 && passed.status !== 204) given['content-length'] = String(content.length);
    outgoing.writeHead(passed.status, given);
    outgoing.end(content);
  }

  async #mayGoOn(passed: Passed, moment: Rule['moment']): Promise<boolean> {
    const rule = this.#rules.find(one => one.moment === moment && !one.isOver && matches(one, passed));
    if (!rule) return true;
    rule.catch(passed);
    return (await rule.decision) === 'release';
  }
}

function pathOf({ path }: Passed): string {
  return path.split('?', 1)[0] ?? '';
}

function matches({ method, path }: Which, passed: Passed): boolean {
  return (method === undefined || method === passed.method) && path.test(pathOf(passed));
}
