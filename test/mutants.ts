// Each defence with the smallest change that takes it out, and the test that must then turn red.

export interface Mutant {
  /** Threats and faults the defence stands against. */
  readonly row: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
  readonly test: string;
  /** Part of the title of the test that must fail. */
  readonly title: string;
}

export const mutants: readonly Mutant[] = [
  {
    row: 'T23 signature of a webhook',
    file: 'server/src/purchases/payments.ts',
    from: "    throw new RequestRefused('invalid_signature');\n  }\n\n  async #ask",
    to: "    return notice(JSON.parse(rawBody.toString('utf8')), rawBody);\n  }\n\n  async #ask",
    test: 'test/server/webhook.test.ts',
    title: 'T23 F58 a signature of another secret',
  },
  {
    row: 'T24 a webhook from the future',
    file: 'server/src/purchases/payments.ts',
    from: '!(timestampS <= nowS + TOLERANCE_S)',
    to: 'Number.isNaN(timestampS)',
    test: 'test/server/webhook.test.ts',
    title: 'T24 F58 a delivery ten years ahead',
  },
  {
    row: 'T24 an old webhook',
    file: 'server/src/purchases/payments.ts',
    from: '          TOLERANCE_S,\n          undefined,',
    to: '          0,\n          undefined,',
    test: 'test/server/webhook.test.ts',
    title: 'T24 F58 a delivery 301 seconds old',
  },
  {
    row: 'T26 live and test mode',
    file: 'server/src/purchases/fulfilment.ts',
    from: "notice.livemode !== null && notice.livemode !== (this.#payments?.mode === 'live')",
    to: 'false',
    test: 'test/server/webhook.test.ts',
    title: 'T26 ignores events of live mode',
  },
  {
    row: 'T20 only admins buy',
    file: 'server/src/access.ts',
    from: "const everyPerson: readonly Action[] = ['read_balance',",
    to: "const everyPerson: readonly Action[] = ['purchase', 'read_balance',",
    test: 'test/server/access.test.ts',
    title: 'T20 I8 makes no order for a member',
  },
  {
    row: 'T20 a service never buys',
    file: 'server/src/access.ts',
    from: "principal.kind === 'service' ? 'service' : role, action",
    to: 'role, action',
    test: 'test/server/access.test.ts',
    title: 'T20 lets a service never buy',
  },
  {
    row: 'F19 an older version never replaces a newer one',
    file: 'src/core/balance.ts',
    from: 'reading.snapshot.version < last.snapshot.version',
    to: 'false',
    test: 'test/unit/core/balance.test.ts',
    title: 'F19',
  },
  {
    row: "F17 another organisation's answer",
    file: 'src/core/balance.ts',
    from: 'reading.snapshot.org_id !== orgId',
    to: 'false',
    test: 'test/unit/core/balance.test.ts',
    title: '',
  },
  {
    row: 'T12 the list of payment pages',
    file: 'src/core/address.ts',
    from: "(allowed.has(url.origin) ? undefined : 'notAllowed')",
    to: 'undefined',
    test: 'test/unit/core/address.test.ts',
    title: 'T12 does not open',
  },
  {
    row: 'T12 a user name in an address',
    file: 'src/core/address.ts',
    from: "return authority.includes('@') ? 'userinfo' : undefined;",
    to: 'return undefined;',
    test: 'test/unit/core/address.test.ts',
    title: 'T12 does not open',
  },
  {
    row: 'T37 plain http',
    file: 'src/core/address.ts',
    from: "if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {",
    to: "if (url.protocol !== 'https:' && url.protocol !== 'http:') {",
    test: 'test/unit/core/address.test.ts',
    title: 'T37 refuses',
  },
  {
    row: 'T9 messages from the page',
    file: 'protocol/messages.ts',
    from: 'return parsed.success ? parsed.data : undefined;',
    to: 'return value as ToHost;',
    test: 'test/unit/protocol/messages.test.ts',
    title: 'T9',
  },
  {
    row: 'F54 an amount that could be read two ways',
    file: 'protocol/amount.ts',
    from: 'fraction.length > fractionDigits',
    to: 'false',
    test: 'test/unit/protocol/amount.test.ts',
    title: '',
  },
];
