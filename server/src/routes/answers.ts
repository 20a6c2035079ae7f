// How a route documents its answers: the schema of the good one, and the problems by the statuses of their codes.
import * as z from 'zod/mini';
import { Problem, type ProblemCode, problemStatus } from '../../../protocol/api.ts';
import { PROBLEM_TYPE, sentences } from '../problems.ts';

interface Answer {
  description: string;
  content: Record<string, { schema: z.ZodMiniType }>;
}

/** The problems a route can answer, by status, on top of those that any route can. */
export function problems(...codes: ProblemCode[]): Record<number, Answer> {
  return problemsUnlimited(...codes, 'rate_limited');
}

/** The same for a route that may be asked however often (rateLimits.ts). */
export function problemsUnlimited(...codes: ProblemCode[]): Record<number, Answer> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, 'internal_error', 'unavailable'] as const) {
    const status = problemStatus[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map(code => `\`${code}\`: ${sentences[code].detail}`).join('\n\n'),
        content: { [PROBLEM_TYPE]: { schema: Problem } },
      },
    ]),
  );
}

/** The problems of changing something of an organisation. A body that is not asked for is read all the same. */
export function changeProblems(...codes: ProblemCode[]): Record<number, Answer> {
  return problems(
    'unauthenticated',
    'insufficient_role',
    'insufficient_scope',
    'org_not_found',
    'payload_too_large',
    'unsupported_media_type',
    'validation_failed',
    ...codes,
  );
}

/** 204 */
export const done = { description: 'Done.', content: { 'text/plain': { schema: z.null() } } };

const limit = z.optional(z.string().check(z.regex(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200')));
const DEFAULT_LIMIT = 50;

/** The query of a list; `cursor` is what a cursor of it looks like. */
export const pageOf = (cursor: RegExp) =>
  z.object({ limit, cursor: z.optional(z.string().check(z.regex(cursor, 'a cursor of an earlier answer'))) });

export const rowsOf = (page: { limit?: string | undefined }): number => Number(page.limit ?? DEFAULT_LIMIT);

export const needsToken = { security: [{ accessToken: [] }] };
