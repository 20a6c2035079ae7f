// A client that knows nothing but docs/api/openapi.json drives a listening server through every operation and every
// error that is documented, and holds each answer against the document with a validator that is not ours. A new
// operation or error is a new line in `ways`; until there is one, the last test names it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Purchase } from '../../protocol/api.ts';
import { MAX_SAFE_AMOUNT } from '../../protocol/units.ts';
import { openApiFile } from '../../scripts/openapi.ts';
import { eventually } from '../../scripts/support/eventually.ts';
import type { Config } from '../../server/src/config.ts';
import { type Database, DatabaseUnavailable } from '../../server/src/database/database.ts';
import { repairProjection } from '../../server/src/ledger/verify.ts';
import { sharedDatabase } from './support/databases.ts';
import { drift } from './support/drift.ts';
import { House, houseWithStripe, type Org, sessionEvent } from './support/house.ts';
import { join } from './support/people.ts';
import { IdentitySide } from './support/signIn.ts';
import type { StripeSide } from './support/stripeSide.ts';

interface Answer {
  readonly description: string;
  readonly content?: Record<string, { schema: object }>;
  readonly headers?: Record<string, unknown>;
}

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly security?: unknown[];
  readonly requestBody?: { content: Record<string, { schema: object }> };
  readonly responses: Record<string, Answer>;
}

interface Asked {
  readonly path?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  /** Which server, where it is not the usual one. */
  readonly at?: string;
}

/** An operation's answer: `getBalance 304`, `createPurchase 409 quote_changed`. */
type Name = string;

const document = JSON.parse(readFileSync(openApiFile, 'utf8'));
const operations = new Map<string, Operation>(
  Object.entries<Record<string, Omit<Operation, 'id'> & { operationId: string }>>(document.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        operation.operationId,
        { ...operation, id: operation.operationId, method: method.toUpperCase(), path },
      ]),
  ),
);

const documented: Name[] = [...operations.values()].flatMap(({ id, responses }) =>
  Object.entries(responses).flatMap(([status, { description }]) => {
    const codes = [...description.matchAll(/^`(\w+)`:/gm)].map(([, code]) => code);
    return codes.length > 0 && Number(status) >= 400
      ? codes.map(code => `${id} ${status} ${code}`)
      : [`${id} ${status}`];
  }),
);

/** Documented for what is to come, and not to be had yet; each with the reason. */
const cannotHappen: Record<Name, string> = {
  'getBalance 403 insufficient_scope': 'every kind of token may read the balance',
};

describe('the API as documented', function () {
  this.timeout(120_000);
  const covered = new Set<Name>();
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (formats as unknown as (validator: Ajv2020) => void)(ajv);
  ajv.addSchema({ ...document, $id: 'api' });

  const ada = { id: 'subject-of-the-contract', name: 'Ada', email: 'contract@acme.example' };
  let provider: IdentitySide;
  let house: House;
  let withoutPayments: House;
  let stripe: StripeSide;
  let org: Org;
  let url: string;
  let urlWithoutPayments: string;
  /** Lets everybody ask once a minute. */
  let strict: House;
  let urlOfTheStrict: string;
  let failure: (() => Error) | undefined;

  before(async () => {
    const database = failing(await sharedDatabase(), () => failure?.());
    provider = await IdentitySide.start([ada]);
    ({ house, stripe } = await houseWithStripe({
      database,
      environment: provider.environment,
      configured: config => failingSettings(config, () => failure?.()),
    }));
    withoutPayments = await House.build();
    strict = await House.build({
      environment: { RATE_LIMIT_PER_MINUTE: '1', RATE_LIMIT_SERVICE_PER_MINUTE: '1' },
    });
    url = await house.app.listen({ port: 0, host: '127.0.0.1' });
    urlWithoutPayments = await withoutPayments.app.listen({ port: 0, host: '127.0.0.1' });
    urlOfTheStrict = await strict.app.listen({ port: 0, host: '127.0.0.1' });
    org = await house.org();
  });
  after(async () => {
    await house?.close();
    await withoutPayments?.close();
    await strict?.close();
    await provider?.close();
  });

  const matches = (schema: object, value: unknown, what: string): void => {
    const pointer = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/'));
    assert.ok(ajv.validate(pointer, value), `${what}: ${ajv.errorsText()} in ${JSON.stringify(value)}`);
  };

  /** Asks as the document says, and expects the answer of this name. */
  async function ask(name: Name, asked: Asked = {}): Promise<Response> {
    const [id = '', status = '', code] = name.split(' ');
    const operation = operations.get(id);
    assert.ok(operation, `there is no operation ${id}`);
    const given: Record<string, string> = { org: org.id, ...asked.path };
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, part) =>
      encodeURIComponent(given[part] ?? 'unknown'),
    );
    const token = asked.token === undefined ? org.admin : asked.token;
    const isText = typeof asked.body === 'string';
    if (Number(status) < 300 && operation.requestBody) {
      matches(
        operation.requestBody.content['application/json']?.schema ?? {},
        asked.body,
        `request of ${name}`,
      );
    }
    const response = await fetch(`${asked.at ?? url}${path}?${new URLSearchParams(asked.query)}`, {
      method: operation.method,
      headers: {
        ...(token !== null && operation.security && { authorization: `Bearer ${token}` }),
        ...(asked.body !== undefined && { 'content-type': 'application/json' }),
        ...asked.headers,
      },
      ...(asked.body !== undefined && { body: isText ? (asked.body as string) : JSON.stringify(asked.body) }),
    });
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const isStream = type === 'text/event-stream';
    const text = isStream ? '' : await response.clone().text();
    assert.equal(String(response.status), status, `${name}: ${text}`);
    const answer = operation.responses[status];
    assert.ok(answer, `${name} is not documented`);
    for (const header of Object.keys(answer.headers ?? {})) {
      // Said only of an answer to an earlier request.
      assert.ok(response.headers.has(header) || header === 'Idempotency-Replayed', `${name} has ${header}`);
    }
    if (answer.content) {
      assert.ok(answer.content[type], `${name} is ${type}`);
      if (!isStream) {
        matches(answer.content[type].schema, JSON.parse(text), name);
      }
    } else {
      assert.equal(text, '', `${name} has no body`);
    }
    if (code !== undefined) {
      assert.equal(JSON.parse(text).code, code, name);
    }
    covered.add(name);
    return response;
  }

  const order = { amount_minor: 5_000, currency: 'usd', expected_credits_ucr: 5_000_000_000 };
  let count = 0;
  const key = () => ({ 'idempotency-key': `key-${count++}` });
  const bought = async (): Promise<Purchase> => house.bought(org);
  const webhook = (event: object, secret?: string) => {
    const body = JSON.stringify(event);
    return { body, headers: { 'stripe-signature': house.signature(body, secret) } };
  };
  const use = (amount_ucr: number, event_id = `event-${count++}`) => ({
    token: org.service,
    body: { event_id, amount_ucr },
  });
  const held = async (): Promise<{ token: string; path: { hold: string } }> => {
    const hold = `hold-${count++}`;
    const body = { hold_id: hold, amount_ucr: 1_000, expires_in_s: 60 };
    await house.post(`/v1/orgs/${org.id}/holds`, org.service, body);
    return { token: org.service, path: { hold } };
  };
  const disputed = async (): Promise<void> => {
    const { id } = stripe.sessionOf((await bought()).id);
    stripe.double.pay(id);
    stripe.double.dispute(id, 'open');
    await house.deliver(sessionEvent(id));
  };
  const paid = async (): Promise<Purchase> => {
    const purchase = await bought();
    const { id } = stripe.sessionOf(purchase.id);
    stripe.double.pay(id);
    await house.deliver(sessionEvent(id));
    return purchase;
  };
  const signInReturn = () => ({
    state: `${count++}`.padStart(43, 's'),
    callback_uri: 'vscode://credits.credits/signed-in',
  });
  const tokenOrder = { name: 'laptop', scopes: ['credits:read'], expires_in_days: 30 };
  const inOrg = (path: string) => `/v1/orgs/${org.id}${path}`;
  const tokenMade = async (path: string): Promise<string> =>
    (await house.post(path, org.admin, tokenOrder)).json().id;
  const untilTooMany = async (id: string, path: string) => {
    let status = 201;
    for (let made = 0; made < 1_000 && status === 201; made++) {
      ({ statusCode: status } = await house.post(path, org.admin, tokenOrder));
    }
    await ask(`${id} 409 too_many_tokens`, { body: tokenOrder });
  };
  const personOf = (name: string) => ({ member: `usr_${name}_${org.id.slice('org_'.length)}` });
  const newcomer = async () => ({ member: (await join(house, org, `New${count++}`, 'user')).id });
  const budget = { limit_ucr: 1_000, period: 'month' };
  const limited = async () => {
    const path = await newcomer();
    await ask('setMemberBudget 200', { path, body: budget });
    return path;
  };
  const team = async () => ({
    team: (await house.post(inOrg('/teams'), org.admin, { name: 'Robotics' })).json().id as string,
  });
  const inItsOwnOrg = async (work: () => Promise<unknown>): Promise<void> => {
    const before = org;
    org = await house.org();
    try {
      await work();
    } finally {
      org = before;
    }
  };
  const whileFrozen = (asked: () => Asked | Promise<Asked>, id: string) =>
    inItsOwnOrg(async () => {
      const question = await asked();
      await drift(house, org);
      await house.app.parts.bookKeeper.check();
      await ask(`${id} 503 ledger_frozen`, question);
      await repairProjection(house.database, org.id);
      await house.app.parts.bookKeeper.check();
    });
  /** Another server, with settings of its own, for as long as the work takes. */
  const besides = async (
    environment: Record<string, string>,
    work: (other: House, at: string) => Promise<unknown>,
  ): Promise<void> => {
    const other = await House.build({ environment });
    try {
      await work(other, await other.app.listen({ port: 0, host: '127.0.0.1' }));
    } finally {
      await other.close();
    }
  };
  /** At a server whose event loop lags behind. */
  const whileBehind = (work: (at: string) => Promise<unknown>) =>
    besides({ MAX_EVENT_LOOP_DELAY_MS: '1' }, async (other, at) => {
      await eventually(
        'the server is behind',
        async () => {
          const until = performance.now() + 100;
          while (performance.now() < until);
          return other.app.isUnderPressure();
        },
        behind => behind,
      );
      await work(at);
    });

  /** Whose token an operation takes: those of gateways, and those of people. */
  const ofServices = new Set(['postUsage', 'createHold', 'finalizeHold', 'releaseHold']);
  const caller = (id: string) => (ofServices.has(id) ? org.service : org.admin);

  /** How to get each answer that is one operation's own. */
  const ways: Record<Name, () => Promise<unknown>> = {
    'getMeta 200': () => ask('getMeta 200'),
    'getMe 200': () => ask('getMe 200'),
    'getMeta 503 unavailable': () => whileBehind(at => ask('getMeta 503 unavailable', { at })),
    'getMe 403 insufficient_scope': async () => {
      // An identity provider's token that says who signed in, and is for nothing here.
      const { access_token } = await provider.signIn(ada.email, { scope: 'openid email' });
      await ask('getMe 403 insufficient_scope', { token: access_token });
    },
    'getProtectedResource 200': () => ask('getProtectedResource 200'),
    'getProtectedResource 404 not_found': () =>
      ask('getProtectedResource 404 not_found', { at: urlWithoutPayments }),
    'getProtectedResource 503 unavailable': () =>
      whileBehind(at => ask('getProtectedResource 503 unavailable', { at })),
    'createSignInReturn 201': () => ask('createSignInReturn 201', { body: signInReturn() }),
    'createSignInReturn 404 not_found': () =>
      ask('createSignInReturn 404 not_found', { body: signInReturn(), at: urlWithoutPayments }),
    'createSignInReturn 422 return_uri_not_allowed': () =>
      ask('createSignInReturn 422 return_uri_not_allowed', {
        body: { ...signInReturn(), callback_uri: 'https://shop.example/' },
      }),
    'listMyTokens 200': () => ask('listMyTokens 200'),
    'createMyToken 201': () => ask('createMyToken 201', { body: tokenOrder }),
    'createMyToken 403 insufficient_role': async () => {
      const { id, token } = await join(house, org, `Left${count++}`, 'user');
      await house.database.query.deleteFrom('memberships').where('principal_id', '=', id).execute();
      await ask('createMyToken 403 insufficient_role', { body: tokenOrder, token });
    },
    'createMyToken 409 too_many_tokens': () =>
      inItsOwnOrg(() => untilTooMany('createMyToken', '/v1/me/tokens')),
    'revokeMyToken 204': async () =>
      ask('revokeMyToken 204', { path: { token: await tokenMade('/v1/me/tokens') } }),
    'listTokens 200': () => ask('listTokens 200'),
    'createToken 201': () => ask('createToken 201', { body: tokenOrder }),
    'createToken 409 too_many_tokens': () => inItsOwnOrg(() => untilTooMany('createToken', inOrg('/tokens'))),
    'revokeToken 204': async () =>
      ask('revokeToken 204', { path: { token: await tokenMade(inOrg('/tokens')) } }),
    'listMembers 200': () => ask('listMembers 200'),
    'removeMember 204': async () => ask('removeMember 204', { path: await newcomer() }),
    'removeMember 409 last_admin': () => ask('removeMember 409 last_admin', { path: personOf('Ada') }),
    'setRole 204': async () => ask('setRole 204', { path: await newcomer(), body: { role: 'team_lead' } }),
    'setRole 409 last_admin': () =>
      ask('setRole 409 last_admin', { path: personOf('Ada'), body: { role: 'user' } }),
    'setMemberBudget 200': async () => ask('setMemberBudget 200', { path: await newcomer(), body: budget }),
    'liftMemberBudget 204': async () => ask('liftMemberBudget 204', { path: await limited() }),
    'listTeams 200': () => ask('listTeams 200'),
    'createTeam 201': () => ask('createTeam 201', { body: { name: 'Robotics' } }),
    'renameTeam 204': async () => ask('renameTeam 204', { path: await team(), body: { name: 'Arms' } }),
    'deleteTeam 204': async () => ask('deleteTeam 204', { path: await team() }),
    'putIntoTeam 204': async () =>
      ask('putIntoTeam 204', { path: { ...(await team()), ...personOf('Max') } }),
    'putIntoTeam 404 member_not_found': async () =>
      ask('putIntoTeam 404 member_not_found', { path: await team() }),
    'takeFromTeam 204': async () => {
      const path = { ...(await team()), ...personOf('Max') };
      await ask('putIntoTeam 204', { path });
      await ask('takeFromTeam 204', { path });
    },
    'takeFromTeam 404 member_not_found': async () =>
      ask('takeFromTeam 404 member_not_found', { path: await team() }),
    'setTeamBudget 200': async () => ask('setTeamBudget 200', { path: await team(), body: budget }),
    'liftTeamBudget 204': async () => {
      const path = await team();
      await ask('setTeamBudget 200', { path, body: budget });
      await ask('liftTeamBudget 204', { path });
    },
    'getSettings 200': () => ask('getSettings 200'),
    'setSettings 200': () =>
      ask('setSettings 200', {
        body: { low_balance_threshold_ucr: 1_000, contact: { name: 'Ada', email: null } },
      }),
    'listAlerts 200': () => ask('listAlerts 200'),
    'createHold 402 budget_exceeded': async () => {
      const { member: user_id } = await limited();
      await ask('createHold 402 budget_exceeded', {
        token: org.service,
        body: { hold_id: `hold-${count++}`, amount_ucr: budget.limit_ucr + 1, expires_in_s: 60, user_id },
      });
    },
    'createPurchase 503 ledger_frozen': () =>
      whileFrozen(() => ({ body: order, headers: key() }), 'createPurchase'),
    'cancelPurchase 503 ledger_frozen': () =>
      whileFrozen(async () => ({ path: { purchase: (await bought()).id } }), 'cancelPurchase'),
    'postUsage 503 ledger_frozen': () => whileFrozen(() => use(1_000), 'postUsage'),
    'createHold 503 ledger_frozen': () =>
      whileFrozen(
        () => ({ token: org.service, body: { hold_id: 'frozen', amount_ucr: 1, expires_in_s: 60 } }),
        'createHold',
      ),
    'finalizeHold 503 ledger_frozen': () =>
      whileFrozen(async () => ({ ...(await held()), body: { amount_ucr: 1 } }), 'finalizeHold'),
    'releaseHold 503 ledger_frozen': () => whileFrozen(held, 'releaseHold'),
    'getHealth 200': () => ask('getHealth 200'),
    'getBalance 200': () => ask('getBalance 200'),
    'getBalance 304': async () => {
      const etag = (await ask('getBalance 200')).headers.get('etag') ?? '';
      await ask('getBalance 304', { headers: { 'if-none-match': etag } });
    },
    'getPurchaseOptions 200': () => ask('getPurchaseOptions 200'),
    'createPurchase 201': async () => {
      const headers = key();
      await ask('createPurchase 201', { body: order, headers });
      const again = await ask('createPurchase 201', { body: order, headers });
      assert.equal(again.headers.get('idempotency-replayed'), 'true');
    },
    'createPurchase 400 idempotency_key_required': () =>
      ask('createPurchase 400 idempotency_key_required', { body: order }),
    'createPurchase 409 quote_changed': () =>
      ask('createPurchase 409 quote_changed', {
        body: { ...order, expected_credits_ucr: 1 },
        headers: key(),
      }),
    'createPurchase 409 request_in_progress': async () => {
      const headers = key();
      stripe.holding = /checkout\/sessions/;
      const calls = stripe.double.calls.length;
      const first = ask('createPurchase 201', { body: order, headers });
      while (
        !stripe
          .requests()
          .slice(calls)
          .some(line => line.endsWith('checkout/sessions'))
      ) {
        await new Promise(resolve => setImmediate(resolve));
      }
      await ask('createPurchase 409 request_in_progress', { body: order, headers });
      stripe.letGo();
      await first;
    },
    'createPurchase 409 purchasing_blocked': async () => {
      const before = org;
      org = await house.org();
      await disputed();
      await ask('createPurchase 409 purchasing_blocked', { body: order, headers: key() });
      org = before;
    },
    'createPurchase 422 amount_out_of_range': () =>
      ask('createPurchase 422 amount_out_of_range', { body: { ...order, amount_minor: 1 }, headers: key() }),
    'createPurchase 422 currency_mismatch': () =>
      ask('createPurchase 422 currency_mismatch', { body: { ...order, currency: 'eur' }, headers: key() }),
    'createPurchase 422 return_uri_not_allowed': () =>
      ask('createPurchase 422 return_uri_not_allowed', {
        body: { ...order, return_uri: 'https://shop.example/' },
        headers: key(),
      }),
    'createPurchase 422 idempotency_key_reused': async () => {
      const headers = key();
      await ask('createPurchase 201', { body: order, headers });
      const other = { ...order, amount_minor: 10_000, expected_credits_ucr: 10_000_000_000 };
      await ask('createPurchase 422 idempotency_key_reused', { body: other, headers });
    },
    'createPurchase 503 payment_provider_unavailable': () =>
      whileStripeIsAway(() =>
        ask('createPurchase 503 payment_provider_unavailable', { body: order, headers: key() }),
      ),
    'listPurchases 200': () => ask('listPurchases 200', { query: { limit: '2' } }),
    'getPurchase 200': async () => ask('getPurchase 200', { path: { purchase: (await bought()).id } }),
    'cancelPurchase 200': async () => ask('cancelPurchase 200', { path: { purchase: (await bought()).id } }),
    'cancelPurchase 409 purchase_not_open': async () =>
      ask('cancelPurchase 409 purchase_not_open', { path: { purchase: (await paid()).id } }),
    'cancelPurchase 503 payment_provider_unavailable': async () => {
      const path = { purchase: (await bought()).id };
      await whileStripeIsAway(() => ask('cancelPurchase 503 payment_provider_unavailable', { path }));
    },
    'createPortalSession 201': () => ask('createPortalSession 201'),
    'createPortalSession 409 purchasing_blocked': () =>
      ask('createPortalSession 409 purchasing_blocked', { at: urlWithoutPayments }),
    'createPortalSession 503 payment_provider_unavailable': () =>
      whileStripeIsAway(() => ask('createPortalSession 503 payment_provider_unavailable')),
    'listAudit 200': () => ask('listAudit 200'),
    'postUsage 200': () => ask('postUsage 200', use(1_000)),
    'postUsage 422 amount_out_of_range': async () => {
      const before = org;
      org = await house.org(0n);
      await ask('postUsage 200', use(MAX_SAFE_AMOUNT));
      await ask('postUsage 422 amount_out_of_range', use(MAX_SAFE_AMOUNT));
      org = before;
    },
    'postUsage 422 idempotency_key_reused': async () => {
      const { event_id } = use(1).body;
      await ask('postUsage 200', use(1_000, event_id));
      await ask('postUsage 422 idempotency_key_reused', use(2_000, event_id));
    },
    'getUsage 200': async () => {
      for (const group_by of ['day', 'model', 'user']) {
        await ask('getUsage 200', { query: { group_by } });
      }
    },
    'createHold 200': () =>
      ask('createHold 200', {
        token: org.service,
        body: { hold_id: `hold-${count++}`, amount_ucr: 1_000, expires_in_s: 60 },
      }),
    'createHold 402 insufficient_credits': () =>
      ask('createHold 402 insufficient_credits', {
        token: org.service,
        body: { hold_id: 'too-much', amount_ucr: MAX_SAFE_AMOUNT, expires_in_s: 60 },
      }),
    'createHold 422 idempotency_key_reused': async () => {
      const { path } = await held();
      const body = { hold_id: path.hold, amount_ucr: 2_000, expires_in_s: 60 };
      await ask('createHold 422 idempotency_key_reused', { token: org.service, body });
    },
    'finalizeHold 200': async () => ask('finalizeHold 200', { ...(await held()), body: { amount_ucr: 500 } }),
    'finalizeHold 404 hold_not_found': () =>
      ask('finalizeHold 404 hold_not_found', { token: org.service, body: { amount_ucr: 1 } }),
    'finalizeHold 409 hold_not_open': async () => {
      const hold = await held();
      await ask('releaseHold 200', hold);
      await ask('finalizeHold 409 hold_not_open', { ...hold, body: { amount_ucr: 1 } });
    },
    'finalizeHold 422 amount_out_of_range': async () => {
      const before = org;
      org = await house.org();
      const hold = await held();
      await ask('postUsage 200', use(MAX_SAFE_AMOUNT));
      await ask('finalizeHold 422 amount_out_of_range', { ...hold, body: { amount_ucr: MAX_SAFE_AMOUNT } });
      org = before;
    },
    'finalizeHold 422 idempotency_key_reused': async () => {
      const hold = await held();
      await ask('finalizeHold 200', { ...hold, body: { amount_ucr: 500 } });
      await ask('finalizeHold 422 idempotency_key_reused', { ...hold, body: { amount_ucr: 501 } });
    },
    'releaseHold 200': async () => ask('releaseHold 200', await held()),
    'releaseHold 404 hold_not_found': () => ask('releaseHold 404 hold_not_found', { token: org.service }),
    'releaseHold 409 hold_not_open': async () => {
      const hold = await held();
      await ask('finalizeHold 200', { ...hold, body: { amount_ucr: 1 } });
      await ask('releaseHold 409 hold_not_open', hold);
    },
    'listLedger 200': () => ask('listLedger 200'),
    'listGrants 200': () => ask('listGrants 200'),
    'listen 200': async () => {
      const response = await ask('listen 200');
      const reader = response.body?.getReader();
      let text = '';
      while (!/^data: .*\n\n/m.test(text)) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        assert.ok(!done, 'the stream says something first');
        text += new TextDecoder().decode(value);
      }
      await reader?.cancel();
      assert.match(text, /event: balance\.updated/);
      const data = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '');
      matches({ $ref: '#/components/schemas/BalanceUpdatedEvent' }, data, 'the first event');
    },
    'receiveStripeEvent 200': () =>
      ask('receiveStripeEvent 200', webhook(sessionEvent('cs_test_unknown', 'x.y'))),
    'receiveStripeEvent 400 invalid_signature': () =>
      ask(
        'receiveStripeEvent 400 invalid_signature',
        webhook(sessionEvent('cs_test_unknown'), 'whsec_other'),
      ),
    'receiveStripeEvent 404 not_found': () =>
      ask('receiveStripeEvent 404 not_found', { ...webhook({}), at: urlWithoutPayments }),
    'receiveStripeEvent 413 payload_too_large': () =>
      ask('receiveStripeEvent 413 payload_too_large', { body: 'x'.repeat(1_100_000) }),
    'receiveStripeEvent 503 payment_provider_unavailable': () =>
      whileStripeIsAway(() =>
        ask('receiveStripeEvent 503 payment_provider_unavailable', webhook(sessionEvent('cs_test_unknown'))),
      ),
  };

  /** What many operations refuse alike. */
  const alike: Record<string, (operation: Operation, name: Name) => Promise<unknown>> = {
    '401 unauthenticated': (_, name) => ask(name, { token: null }),
    '403 insufficient_role': (operation, name) => ask(name, { ...fitting(operation), token: org.member }),
    '403 insufficient_scope': (operation, name) =>
      ask(name, { ...fitting(operation), token: ofServices.has(operation.id) ? org.admin : org.service }),
    '404 org_not_found': (operation, name) =>
      ask(name, { ...fitting(operation), path: { org: 'org_nobodys' } }),
    '404 purchase_not_found': (_, name) => ask(name),
    '404 token_not_found': (_, name) => ask(name, { path: { token: `tok_${'0'.repeat(26)}` } }),
    '404 team_not_found': ({ id }, name) => ask(name, { body: bodies[id] }),
    '404 member_not_found': ({ id }, name) => ask(name, { body: bodies[id] }),
    '413 payload_too_large': (operation, name) =>
      ask(name, { ...fitting(operation), body: { event_id: 'e'.repeat(70_000) } }),
    '415 unsupported_media_type': (operation, name) =>
      ask(name, { ...fitting(operation), body: '<a/>', headers: { 'content-type': 'application/xml' } }),
    '422 validation_failed': (operation, name) =>
      ask(
        name,
        operation.requestBody
          ? { ...fitting(operation), body: {} }
          : operation.method === 'GET'
            ? { query: { limit: '0' }, path: { purchase: 'p'.repeat(101) } }
            : { ...fitting(operation), body: '{' },
      ),
    '429 rate_limited': async (operation, name) => {
      const asked = { ...fitting(operation), at: urlOfTheStrict };
      const once =
        asked.token === null || !operation.security ? {} : { authorization: `Bearer ${asked.token}` };
      // Where no token is asked for, the address is who asks.
      await fetch(`${urlOfTheStrict}/v1/${operation.security ? 'me' : 'meta'}`, { headers: once });
      await ask(name, asked);
    },
    '500 internal_error': (operation, name) =>
      whileTheDatabaseFails(
        () => new Error('a bug'),
        () => ask(name, fitting(operation)),
      ),
    '503 unavailable': (operation, name) =>
      whileTheDatabaseFails(
        () => new DatabaseUnavailable('unreachable'),
        () => ask(name, fitting(operation)),
      ),
  };

  /** What passes the check of its shape, so that the answer is about something else. */
  const bodies: Record<string, object> = {
    setRole: { role: 'user' },
    setMemberBudget: budget,
    setTeamBudget: budget,
    renameTeam: { name: 'Robotics' },
  };

  function fitting({ id, requestBody }: Operation): Asked {
    return {
      token: caller(id),
      ...(requestBody && { body: {} }),
      ...(id === 'createSignInReturn' && { body: signInReturn() }),
      ...(id === 'getUsage' && { query: { group_by: 'day' } }),
      ...(id === 'receiveStripeEvent' && webhook(sessionEvent('cs_test_unknown'))),
    };
  }

  async function whileStripeIsAway(work: () => Promise<unknown>): Promise<void> {
    stripe.failing = /./;
    try {
      await work();
    } finally {
      stripe.failing = undefined;
    }
  }

  async function whileTheDatabaseFails(error: () => Error, work: () => Promise<unknown>): Promise<void> {
    failure = error;
    try {
      await work();
    } finally {
      failure = undefined;
    }
  }

  for (const name of documented.filter(each => !(each in cannotHappen))) {
    const [id = '', ...answer] = name.split(' ');
    const operation = operations.get(id);
    const way = ways[name] ?? (operation && alike[answer.join(' ')]?.bind(undefined, operation, name));
    if (way) {
      it(name, () => way());
    }
  }

  it('tells what can be wrong with a body, which is read with every change, and with an id in the address', () => {
    const untold = [...operations.values()].flatMap(({ id, method, path }) => {
      const isChange = method !== 'GET' && id !== 'receiveStripeEvent';
      const hasId = /\{(?!org\})/.test(path);
      const names = [
        ...(isChange ? ['413 payload_too_large', '415 unsupported_media_type'] : []),
        ...(isChange || hasId ? ['422 validation_failed'] : []),
      ].map(answer => `${id} ${answer}`);
      return names.filter(name => !documented.includes(name));
    });
    assert.deepEqual(untold, []);
  });

  it('is covered: every operation, and every error of it', () => {
    const missing = documented.filter(name => !covered.has(name) && !(name in cannotHappen));
    assert.deepEqual(missing, [], 'add a way to get these');
  });

  it('has no way to what is not documented', () => {
    const known = new Set(documented);
    assert.deepEqual(
      [...Object.keys(ways), ...Object.keys(cannotHappen)].filter(name => !known.has(name)),
      [],
    );
  });
});

/** The same database, out of order for as long as there is a failure. */
function failing(database: Database, failure: () => Error | undefined): Database {
  const query = database.query.withPlugin({
    transformQuery({ node }) {
      const error = failure();
      if (error) {
        throw error;
      }
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  return { ...database, query, transaction: work => query.transaction().execute(work) };
}

/** The same settings, whose sign-in cannot be read for as long as there is a failure. */
function failingSettings(config: Config, failure: () => Error | undefined): Config {
  const unlessFailing = <T>(value: T): T => {
    const error = failure();
    if (error) {
      throw error;
    }
    return value;
  };
  const { identity: read } = config;
  const identity = read && {
    ...read,
    get resource() {
      return unlessFailing(read.resource);
    },
  };
  return {
    ...config,
    get identity() {
      return unlessFailing(identity);
    },
  };
}
