// As much of Node's http as the loopback listener uses. The extension's sources see no Node: other hosts have none.
declare module 'node:http' {
  interface IncomingMessage {
    readonly method?: string | undefined;
    readonly url?: string | undefined;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  }
  interface ServerResponse {
    writeHead(status: number, headers: Record<string, string>): this;
    end(text: string): this;
  }
  interface Server {
    listen(port: number, host: string): this;
    once(event: 'listening' | 'error', listener: () => void): this;
    address(): unknown;
    close(): this;
    closeIdleConnections(): void;
  }
  export function createServer(
    listener: (request: IncomingMessage, response: ServerResponse) => void,
  ): Server;
}
