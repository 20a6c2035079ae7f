// Saying no: one form, one status for each code, and nothing of our inside shown.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import Fastify from 'fastify';
import { Problem, type ProblemCode, problemStatus } from '../../protocol/api.ts';
import { createLog } from '../../server/src/log.ts';
import { answerProblems, RequestRefused, sentences } from '../../server/src/problems.ts';
import { bearer, House, type Org } from './support/house.ts';

describe('a problem', () => {
  let house: House;
  let org: Org;
  before(async () => {
    house = await House.build();
    org = await house.org();
  });
  after(() => house.close());

  for (const name of ['a\0', 'half a pair \ud800', '\udc00\ud83d other way round']) {
    it(`T35 says which text cannot be stored: ${JSON.stringify(name)}`, async () => {
      const asked = [
        ['/event_id', `/v1/orgs/${org.id}/usage`, org.service, { event_id: name, amount_ucr: 1 }],
        [
          '/user_id',
          `/v1/orgs/${org.id}/usage`,
          org.service,
          { event_id: 'e', amount_ucr: 1, user_id: name },
        ],
        ['/model', `/v1/orgs/${org.id}/usage`, org.service, { event_id: 'e', amount_ucr: 1, model: name }],
        ['/name', `/v1/orgs/${org.id}/teams`, org.admin, { name }],
        ['/name', '/v1/me/tokens', org.admin, { name, scopes: ['credits:read'], expires_in_days: 1 }],
      ] as const;
      for (const [pointer, path, token, body] of asked) {
        const answer = await house.post(path, token, body);
        assert.equal(answer.statusCode, 422, answer.body);
        const { code, errors } = answer.json<Problem>();
        assert.deepEqual([code, errors?.map(error => error.pointer)], ['validation_failed', [pointer]]);
      }
    });
  }

  it('T35 knows no name with a character that cannot be stored, and says so as of any other', async () => {
    const unknown = [
      ['org_not_found', '/v1/orgs/a%00b/balance'],
      ['purchase_not_found', `/v1/orgs/${org.id}/purchases/a%00b`],
    ] as const;
    for (const [code, path] of unknown) {
      assert.equal((await house.get(path, org.admin)).json<Problem>().code, code, path);
    }
    const url = `/v1/orgs/${org.id}/teams/a%00b`;
    const rename = { method: 'PUT', url, headers: bearer(org.admin), payload: { name: 'b' } } as const;
    assert.equal((await house.app.inject(rename)).json<Problem>().code, 'team_not_found');
    assert.equal((await house.app.inject('/return/a%00b')).statusCode, 404);
  });

  const expected: Record<ProblemCode, number> = {
    idempotency_key_required: 400,
    invalid_signature: 400,
    unauthenticated: 401,
    budget_exceeded: 402,
    insufficient_credits: 402,
    insufficient_role: 403,
    insufficient_scope: 403,
    not_found: 404,
    hold_not_found: 404,
    member_not_found: 404,
    org_not_found: 404,
    purchase_not_found: 404,
    team_not_found: 404,
    token_not_found: 404,
    hold_not_open: 409,
    last_admin: 409,
    purchase_not_open: 409,
    purchasing_blocked: 409,
    quote_changed: 409,
    request_in_progress: 409,
    too_many_tokens: 409,
    payload_too_large: 413,
    unsupported_media_type: 415,
    amount_out_of_range: 422,
    currency_mismatch: 422,
    idempotency_key_reused: 422,
    return_uri_not_allowed: 422,
    validation_failed: 422,
    rate_limited: 429,
    internal_error: 500,
    ledger_frozen: 503,
    payment_provider_unavailable: 503,
    unavailable: 503,
  };

  it('has one status for each code, and a sentence', () => {
    assert.deepEqual({ ...problemStatus }, expected);
    assert.deepEqual(new Set(Object.keys(sentences)), new Set(Object.keys(expected)));
  });

  /** A server with one route that fails as told. */
  async function failing(error: unknown) {
    const app = Fastify();
    answerProblems(app);
    app.get('/', () => {
      throw error;
    });
    const answer = await app.inject('/');
    await app.close();
    return answer;
  }

  for (const code of Object.keys(expected) as ProblemCode[]) {
    it(`${code} is answered with ${expected[code]} as problem+json`, async () => {
      const answer = await failing(new RequestRefused(code));
      assert.equal(answer.statusCode, expected[code]);
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json\b/);
      const problem = Problem.parse(answer.json());
      assert.deepEqual([problem.code, problem.status], [code, expected[code]]);
    });
  }

  it('hides what went wrong on our side', async () => {
    const answer = await failing(new Error('password of the database is hunter2'));
    assert.deepEqual([answer.statusCode, answer.json().code], [500, 'internal_error']);
    assert.doesNotMatch(answer.body, /hunter2/);
  });

  for (const [name, code, status] of [
    ['F67 the disk is full', '53100', 503],
    ['F67 the database is read-only', '25006', 503],
    ['F68 there are too many connections', '53300', 503],
    ['the connection broke', '08006', 503],
    ['the database is shutting down', '57P01', 503],
    ['T35 text of an identity provider cannot be stored', '22021', 422],
    ['our SQL is wrong', '42601', 500],
  ] as const) {
    it(`says ${status} when ${name}`, async () => {
      const answer = await failing(Object.assign(new Error('secret detail'), { code }));
      assert.equal(answer.statusCode, status);
      assert.doesNotMatch(answer.body, /secret/);
    });
  }

  const usage = (payload: string | Buffer, type = 'application/json') =>
    house.app.inject({
      method: 'POST',
      url: `/v1/orgs/${org.id}/usage`,
      headers: { ...bearer(org.service), 'content-type': type },
      payload,
    });
  const asked: ReadonlyArray<
    readonly [name: string, code: ProblemCode, ask: () => ReturnType<typeof usage>]
  > = [
    ['an unknown address', 'not_found', () => house.get('/v1/nowhere')],
    ['an address that cannot be decoded', 'not_found', () => house.get('/v1/%zz')],
    ['a method that is not there', 'not_found', () => house.app.inject({ method: 'DELETE', url: '/v1/me' })],
    ['a body that is not JSON', 'validation_failed', () => usage('{')],
    ['an empty body', 'validation_failed', () => usage('')],
    ['a body that is no object', 'validation_failed', () => usage('[]')],
    [
      'T35 a body that reaches for the prototype',
      'validation_failed',
      () => usage('{"__proto__":{"event_id":"e"}}'),
    ],
    [
      'T35 a body nested 10,000 deep',
      'validation_failed',
      () => usage(`${'['.repeat(10_000)}${']'.repeat(10_000)}`),
    ],
    [
      'T35 a body that is too large',
      'payload_too_large',
      () => usage(JSON.stringify({ event_id: 'e'.repeat(70_000) })),
    ],
    ['a body of another type', 'unsupported_media_type', () => usage('<a/>', 'application/xml')],
  ];
  for (const [name, code, ask] of asked) {
    it(`${code} answers ${name}`, async () => {
      const answer = await ask();
      assert.deepEqual([answer.json().code, answer.statusCode], [code, expected[code]]);
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json\b/);
      assert.match(answer.json().request_id, /^req_[0-9a-z]{26}$/);
    });
  }

  it('points at each field that is wrong', async () => {
    const answer = await usage(JSON.stringify({ event_id: '', amount_ucr: 0 }));
    assert.deepEqual(answer.json().errors, [
      { pointer: '/event_id', code: 'too_small' },
      { pointer: '/amount_ucr', code: 'too_small' },
    ]);
  });
});

describe('the log', () => {
  it('T41 keeps one line for each entry, without tokens, headers, bodies or addresses that are keys', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const house = await House.build({ log: createLog('trace', sink) });
    const org = await house.org();
    const canary = 'CANARY\r\n{"level":60,"msg":"forged"}';
    await house.get(`/v1/orgs/${org.id}/balance?token=CANARY`, org.admin, {
      'user-agent': 'CANARY',
      'x-request-id': 'CANARY',
    });
    await house.get('/return/CANARY00000000000000000000000000');
    await house.post(`/v1/orgs/${org.id}/usage`, org.service, {
      event_id: canary,
      amount_ucr: 1,
      model: canary,
    });
    await house.post(`/v1/orgs/${org.id}/usage`, 'crd_svc_CANARY0000000000000000000000', {
      event_id: canary,
    });
    await house.get(`/v1/orgs/${encodeURIComponent(canary)}/balance`, org.admin);
    house.app.log.error(
      {
        err: new Error(`no: ${org.admin} sk_test_CANARY whsec_CANARY\r\nforged`),
        token: org.admin,
        headers: { authorization: org.admin },
      },
      'x',
    );
    await house.close();

    const text = lines.join('');
    assert.ok(lines.length >= 6);
    for (const line of text.trimEnd().split('\n')) {
      assert.equal(typeof JSON.parse(line).level, 'number');
    }
    assert.doesNotMatch(text, /CANARY/);
    for (const token of [org.admin, org.service, org.member]) {
      assert.ok(!text.includes(token));
    }
    assert.doesNotMatch(text, /^\{"level":60/m);
  });
});
