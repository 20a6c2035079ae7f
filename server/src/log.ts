// The log: JSON lines on stderr, with nothing in them that opens a door.
import pino, { type DestinationStream, type Logger } from 'pino';

/**
 * What is logged of a request is named here, field by field: no headers, no query, no body, and the route's pattern
 * instead of the address, because a return page's address is itself a key. JSON keeps line breaks inside the line (T41).
 */
export function createLog(level: string, destination: DestinationStream = pino.destination(2)): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          '*.authorization',
          '*.token',
          '*.secret',
          '*.secretKey',
          '*.headers',
          'authorization',
          'token',
          'headers',
        ],
        censor: '[redacted]',
      },
      serializers: {
        req: (request: { method?: string; routeOptions?: { url?: string | undefined } }) => ({
          method: request.method,
          route: request.routeOptions?.url,
        }),
        res: (reply: { statusCode?: number }) => ({ status: reply.statusCode }),
        err: describeError,
        cause: describeError,
      },
    },
    destination,
  );
}

/** Class, code and place. A database's or payment side's error also carries parameters and headers: left out. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error === undefined ? undefined : { type: typeof error };
  }
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    message: hideTokens(error.message),
    code,
    stack: error.stack && hideTokens(error.stack),
  };
}

function hideTokens(text: string): string {
  return text
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '[redacted]')
    .replace(/\b(crd_(?:pat|svc)|[sr]k_(?:live|test)|whsec)_[0-9A-Za-z_-]+/g, '$1_[redacted]');
}
