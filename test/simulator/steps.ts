// The places where a server's work can be cut: before and after everything that it commits or asks Stripe for. Put
// around the real database and the real SDK's transport from outside; the server itself knows nothing of it.
import {
  InsertQueryNode,
  type KyselyPlugin,
  RawNode,
  type RootOperationNode,
  TableNode,
  UpdateQueryNode,
} from 'kysely';
import type Stripe from 'stripe';
import { type Database, DatabaseUnavailable, withRetries } from '../../server/src/database/database.ts';

/**
 * Called at each place; what it throws cuts the work there. `failure` is what a caller would see had the connection
 * broken at this place: before it nothing was done, after it nobody knows.
 */
export type OnStep = (step: string, failure: () => Error) => void;

export type HttpClient = NonNullable<Stripe.StripeConfig['httpClient']>;

const connectionLost = () => new DatabaseUnavailable('lost');
const outcomeUnknown = () => new DatabaseUnavailable('outcome_unknown');
// Not called ECONNRESET, which the SDK would try again in real time.
const dropped = () => Object.assign(new TypeError('no answer'), { code: 'EDROPPED' });

/** `beforeBegin` may take its time before a transaction, as a busy machine does. */
export function databaseInSteps(
  database: Database,
  onStep: OnStep,
  beforeBegin = async (): Promise<void> => {},
): Database {
  const query = database.query.withPlugin(statements(onStep));
  return {
    ...database,
    query,
    longReads: query,
    transaction: work =>
      withRetries(async () => {
        await beforeBegin();
        onStep('before begin', connectionLost);
        const result = await query.transaction().execute(async tx => {
          const done = await work(tx);
          onStep('before commit', connectionLost);
          return done;
        });
        onStep('after commit', outcomeUnknown);
        return result;
      }),
  };
}

/** A statement that writes is a step; outside of a transaction it is one that commits by itself. */
function statements(onStep: OnStep): KyselyPlugin {
  const writing = new WeakMap<object, string>();
  return {
    transformQuery({ node, queryId }) {
      const name = written(node);
      if (name !== undefined) {
        onStep(`before ${name}`, connectionLost);
        writing.set(queryId, name);
      }
      return node;
    },
    async transformResult({ result, queryId }) {
      const name = writing.get(queryId);
      if (name !== undefined) {
        onStep(`after ${name}`, outcomeUnknown);
      }
      return result;
    },
  };
}

/** The table that a statement writes to, or the function of the database that writes for it. */
function written(node: RootOperationNode): string | undefined {
  if (RawNode.is(node)) {
    const [, table, writer] = /\binsert into (\w+)|\b(post_\w+)\(/.exec(node.sqlFragments.join('?')) ?? [];
    return table ?? writer;
  }
  const table = InsertQueryNode.is(node) ? node.into : UpdateQueryNode.is(node) ? node.table : undefined;
  return table && (TableNode.is(table) ? table.table.identifier.name : 'a table');
}

export function stripeInSteps(stripe: HttpClient, onStep: OnStep): HttpClient {
  return {
    getClientName: () => stripe.getClientName(),
    makeRequest: async (...asked) => {
      const [, , path, method] = asked;
      onStep(`before ${method} ${path}`, dropped);
      const answer = await stripe.makeRequest(...asked);
      onStep(`after ${method} ${path}`, dropped);
      return answer;
    },
  };
}
