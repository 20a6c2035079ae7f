// How a route documents its answers: the schema of the good one, and the problems by the statuses of their codes.
import type { z } from 'zod/mini';
import { Problem, type ProblemCode, problemStatus } from '../../../protocol/api.ts';
import { PROBLEM_TYPE, sentences } from '../problems.ts';

interface Answer {
  description: string;
  content: Record<string, { schema: z.ZodMiniType }>;
}

/** The problems a route can answer, by status, on top of those that any route can. */
export function problems(...codes: ProblemCode[]): Record<number, Answer> {
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

export const needsToken = { security: [{ accessToken: [] }] };
