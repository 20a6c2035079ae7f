// Every way of saying no: one error class with facts, one table of sentences, one place that makes problem+json of them.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { type Problem, type ProblemCode, problemStatus, type Scope } from '../../protocol/api.ts';
import { DatabaseUnavailable } from './database/database.ts';
import { sqlState } from './database/sqlState.ts';

export interface ProblemFacts {
  readonly errors?: Array<{ pointer: string; code: string }>;
  readonly retry_after_s?: number;
  readonly credits_ucr?: number;
  readonly budget?: { id: string; name: string };
}

/** Told in the head of the answer only. */
interface Wanted {
  /** What a token would have to be for. */
  readonly scope?: Scope;
}

/** The request cannot be done, and the asker can be told why. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly problem: ProblemCode;
  readonly facts: ProblemFacts;
  readonly scope: Scope | undefined;

  constructor(problem: ProblemCode, { scope, ...facts }: ProblemFacts & Wanted = {}, options?: ErrorOptions) {
    super(sentences[problem].detail, options);
    this.problem = problem;
    this.facts = facts;
    this.scope = scope;
  }
}

export const sentences: Record<ProblemCode, { readonly title: string; readonly detail: string }> = {
  idempotency_key_required: {
    title: 'Idempotency key required',
    detail:
      'Send an Idempotency-Key header of 1 to 255 visible characters, so that a retry cannot buy twice.',
  },
  invalid_signature: { title: 'Invalid signature', detail: 'The signature of this delivery is not valid.' },
  unauthenticated: { title: 'Not signed in', detail: 'Send a valid access token as a bearer token.' },
  budget_exceeded: { title: 'Budget used up', detail: 'A budget does not cover this.' },
  insufficient_credits: { title: 'Not enough credits', detail: 'The balance does not cover this.' },
  insufficient_role: {
    title: 'Not allowed for this role',
    detail: 'An admin of the organisation can do this.',
  },
  insufficient_scope: {
    title: 'Not allowed for this kind of token',
    detail: 'This kind of access token cannot do this.',
  },
  hold_not_found: { title: 'Hold not found', detail: 'No such hold is visible to this token.' },
  hold_not_open: { title: 'Hold no longer open', detail: 'The hold has already ended in another way.' },
  member_not_found: { title: 'Member not found', detail: 'No such member is visible to this token.' },
  not_found: { title: 'Not found', detail: 'There is nothing at this address.' },
  org_not_found: {
    title: 'Organisation not found',
    detail: 'No such organisation is visible to this token.',
  },
  purchase_not_found: { title: 'Purchase not found', detail: 'No such purchase is visible to this token.' },
  team_not_found: { title: 'Team not found', detail: 'No such team is visible to this token.' },
  last_admin: {
    title: 'Last admin',
    detail: 'An organisation always has an admin: make somebody else one first.',
  },
  token_not_found: { title: 'Token not found', detail: 'No such token is visible to this one.' },
  too_many_tokens: {
    title: 'Too many tokens',
    detail: 'Revoke one that is no longer used first.',
  },
  purchase_not_open: {
    title: 'Purchase no longer open',
    detail: 'The payment has already been made, so it cannot be canceled.',
  },
  purchasing_blocked: {
    title: 'Purchasing is blocked',
    detail: 'Credits cannot be bought for this organisation at present.',
  },
  quote_changed: {
    title: 'The price has changed',
    detail: 'This amount now buys another number of credits. Nothing was charged.',
  },
  request_in_progress: {
    title: 'Already in progress',
    detail: 'A request with this Idempotency-Key is still being worked on.',
  },
  payload_too_large: { title: 'Too large', detail: 'The body of the request is too large.' },
  unsupported_media_type: { title: 'Unsupported media type', detail: 'Send application/json.' },
  amount_out_of_range: {
    title: 'Amount out of range',
    detail: 'The amount is outside of what can be bought.',
  },
  currency_mismatch: { title: 'Other currency', detail: 'Credits are sold in another currency here.' },
  idempotency_key_reused: {
    title: 'Key used for something else',
    detail: 'This key was used before with another request. Nothing was done now.',
  },
  return_uri_not_allowed: {
    title: 'Return address not allowed',
    detail: 'The return address is not one that this server sends people to.',
  },
  validation_failed: { title: 'Not valid', detail: 'The request is not of the expected form.' },
  rate_limited: { title: 'Too many requests', detail: 'Wait a moment before trying again.' },
  internal_error: { title: 'Internal error', detail: 'Something went wrong on our side.' },
  ledger_frozen: {
    title: 'Ledger under repair',
    detail:
      'Nothing can be bought, used or granted until this organisation’s books are repaired. The balance shown is right.',
  },
  payment_provider_unavailable: {
    title: 'Payment side not reachable',
    detail: 'The payment provider cannot be reached. Nothing was charged; try again with the same key.',
  },
  unavailable: { title: 'Not available', detail: 'The server cannot do this at the moment.' },
};

export const PROBLEM_TYPE = 'application/problem+json';

declare module 'fastify' {
  interface FastifyInstance {
    /** Where it is told who gives out tokens; undefined where there are only this server's own. */
    resourceMetadata: string | undefined;
  }
}

export function answerProblems(app: FastifyInstance, resourceMetadata?: string): void {
  app.decorate('resourceMetadata', resourceMetadata);
  app.setErrorHandler<FastifyError>((error, request, reply) =>
    sendProblem(request, reply, asRefusal(error, request)),
  );
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, new RequestRefused('not_found')));
}

/** For an address that cannot be decoded: no route's, so it does not come by the handlers above. */
export function answerBadAddress(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  sendProblem(request, reply, new RequestRefused('not_found'));
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, refusal: RequestRefused): FastifyReply {
  const { problem: code, facts, scope } = refusal;
  const status = problemStatus[code];
  if (status === 401 || scope !== undefined) {
    reply.header('www-authenticate', challenge(request.server.resourceMetadata, scope));
  }
  if (facts.retry_after_s !== undefined) {
    reply.header('retry-after', facts.retry_after_s);
  }
  const problem: Problem = {
    type: `urn:credits:problem:${code}`,
    ...sentences[code],
    status,
    code,
    request_id: request.id,
    ...facts,
  };
  // Answered as a finished text: an error's answer must not depend on the schema of the route that failed.
  return reply.status(status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** Source: https://www.rfc-editor.org/rfc/rfc9728#section-5.1, https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function challenge(resourceMetadata: string | undefined, scope: Scope | undefined): string {
  const parameters = [
    ...(resourceMetadata === undefined ? [] : [`resource_metadata="${resourceMetadata}"`]),
    ...(scope === undefined ? [] : ['error="insufficient_scope"', `scope="${scope}"`]),
  ];
  return `Bearer ${parameters.join(', ')}`.trimEnd();
}

function asRefusal(error: FastifyError, request: FastifyRequest): RequestRefused {
  if (error instanceof RequestRefused) {
    if (problemStatus[error.problem] >= 500) {
      request.log.warn({ err: error, cause: error.cause }, 'request failed');
    }
    return error;
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new RequestRefused('validation_failed', {
      errors: error.validation.map(issue => ({ pointer: issue.instancePath, code: issue.keyword })),
    });
  }
  const state = sqlState(error);
  if (state !== undefined && DATABASE_CANNOT_NOW.some(prefix => state.startsWith(prefix))) {
    request.log.error({ err: error }, 'database unavailable');
    return new RequestRefused('unavailable', { retry_after_s: 5 }, { cause: error });
  }
  if (state !== undefined && NOT_STORABLE.includes(state)) {
    return new RequestRefused('validation_failed', {}, { cause: error });
  }
  if (error instanceof DatabaseUnavailable) {
    request.log.error({ err: error, cause: error.cause }, 'database unavailable');
    const retry_after_s = (error as DatabaseUnavailable).reason === 'busy' ? 1 : 5;
    return new RequestRefused('unavailable', { retry_after_s }, { cause: error });
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    return new RequestRefused(
      status === 413
        ? 'payload_too_large'
        : status === 415
          ? 'unsupported_media_type'
          : status === 404
            ? 'not_found'
            : 'validation_failed',
    );
  }
  request.log.error({ err: error }, 'unexpected error');
  return new RequestRefused('internal_error', {}, { cause: error });
}

/**
 * Connection exceptions, insufficient resources (disk full), operator intervention, a read-only database (F67), and
 * what stayed so after several attempts: conflicts, deadlocks, locks and statements that took too long (F65).
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const DATABASE_CANNOT_NOW = ['08', '53', '57', '25006', '40', '55P03'];

/**
 * Characters that no text in the database can have (U+0000, half of a surrogate pair), and times beyond its calendar.
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const NOT_STORABLE = ['22021', '22P02', '22P05', '22008'];
