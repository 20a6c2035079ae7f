// The description of the API, made from the very schemas that check requests and shape answers.
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import * as z from 'zod/mini';
import * as api from '../../protocol/api.ts';
import packageJson from '../package.json' with { type: 'json' };

/** The shapes that get a name of their own in the document. */
const named = z.registry<{ id: string }>();
const shapes = {
  Meta: api.Meta,
  ProtectedResource: api.ProtectedResource,
  CreateSignInReturn: api.CreateSignInReturn,
  SignInReturn: api.SignInReturn,
  Membership: api.Membership,
  Me: api.Me,
  Budget: api.Budget,
  Balance: api.Balance,
  PurchaseOptions: api.PurchaseOptions,
  CreatePurchase: api.CreatePurchase,
  Purchase: api.Purchase,
  PurchaseList: api.PurchaseList,
  PortalSession: api.PortalSession,
  AuditEntry: api.AuditEntry,
  AuditList: api.AuditList,
  PostUsage: api.PostUsage,
  UsagePosted: api.UsagePosted,
  CreateHold: api.CreateHold,
  FinalizeHold: api.FinalizeHold,
  Hold: api.Hold,
  LedgerTransaction: api.LedgerTransaction,
  LedgerList: api.LedgerList,
  Grant: api.Grant,
  GrantList: api.GrantList,
  UsageReport: api.UsageReport,
  Problem: api.Problem,
  BalanceUpdatedEvent: api.events['balance.updated'],
  PurchaseUpdatedEvent: api.events['purchase.updated'],
  ResyncEvent: api.events.resync,
  StreamClosingEvent: api.events['stream.closing'],
};
for (const [id, shape] of Object.entries<z.ZodMiniType>(shapes)) {
  named.add(shape, { id });
}

/** What an answer says in its head, besides what every answer says. */
const headers: Record<
  string,
  { description: string; on: ReadonlyArray<[operation: string, status: string]> }
> = {
  ETag: {
    description: 'Names this state of the balance: `"<version>-<hash>"`.',
    on: [
      ['getBalance', '200'],
      ['getBalance', '304'],
    ],
  },
  Location: { description: 'Where the purchase is.', on: [['createPurchase', '201']] },
  [api.IDEMPOTENCY_REPLAYED_HEADER]: {
    description: '`true` when this is the answer to an earlier request with the same key.',
    on: [['createPurchase', '201']],
  },
};

export async function describeApi(app: FastifyInstance): Promise<void> {
  const transformObject = createJsonSchemaTransformObject({ schemaRegistry: named });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Credits server',
        version: packageJson.version,
        license: { name: 'MIT', identifier: 'MIT' },
        description: [
          'Balance, purchases and usage of an organisation’s credits.',
          'Amounts named `*_ucr` are integer micro-credits (1 credit = 1,000,000); `*_minor` are integer minor units of `currency`. Times are RFC 3339 in UTC.',
          `Every answer carries \`Credits-Version: ${api.CREDITS_VERSION}\`. Inside v1 only additions are made: ignore fields and enum values you do not know.`,
          'Errors are `application/problem+json` (RFC 9457) with a stable `code` and the `request_id` to name when asking for help.',
        ].join('\n\n'),
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          accessToken: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A personal (`crd_pat_…`) or service (`crd_svc_…`) access token, or one of the identity provider that `GET /.well-known/oauth-protected-resource` names.',
          },
        },
      },
    },
    transform: createJsonSchemaTransform({ schemaRegistry: named }),
    transformObject: document =>
      tidied(transformObject(document) as Description) as ReturnType<typeof transformObject>,
  });
}

interface Answer {
  description: string;
  content?: Record<string, { schema: { type?: string } }>;
  headers?: Record<string, unknown>;
}

interface Operation {
  operationId: string;
  summary: string;
  security?: unknown[];
  parameters?: Array<{ in: string; name: string; required: boolean }>;
  responses: Record<string, Answer>;
}

interface Description {
  components: { schemas: Record<string, unknown>; headers?: Record<string, unknown> };
  paths: Record<string, Record<string, Operation>>;
}

/** What the generator cannot know: one shape for asking and answering, open to additions; heads; what must be sent. */
function tidied(generated: Description): Description {
  const document = withoutTwins(generated) as Description;
  for (const name of Object.keys(document.components.schemas)) {
    if (name.endsWith('Input')) {
      delete document.components.schemas[name];
    }
  }
  document.components.headers = {
    'Credits-Version': { description: 'The dated version of the contract.', schema: { type: 'string' } },
  };
  for (const operation of Object.values(document.paths).flatMap(path => Object.values(path))) {
    for (const parameter of operation.parameters ?? []) {
      parameter.required ||= ['idempotency-key', 'stripe-signature'].includes(parameter.name);
    }
    for (const [status, answer] of Object.entries(operation.responses)) {
      if (answer.description === 'Default Response') {
        answer.description = `${operation.summary}.`;
      }
      if (answer.content?.['text/plain']?.schema.type === 'null') {
        delete answer.content;
      }
      answer.headers = { 'Credits-Version': { $ref: '#/components/headers/Credits-Version' } };
      for (const [header, { description, on }] of Object.entries(headers)) {
        if (on.some(([id, code]) => id === operation.operationId && code === status)) {
          answer.headers[header] = { description, schema: { type: 'string' } };
        }
      }
    }
  }
  return document;
}

/** The generator writes each shape twice, as input and as output, and closes the outputs to additions. */
function withoutTwins(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutTwins);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => !(key === 'additionalProperties' && inner === false))
      .map(([key, inner]) => [
        key,
        key === '$ref' && typeof inner === 'string' ? inner.replace(/Input$/, '') : withoutTwins(inner),
      ]),
  );
}
