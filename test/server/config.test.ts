// The configuration: faults are told all at once, and none that matters is let through.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ConfigFaults, helpText, readConfig, variables } from '../../server/src/config.ts';

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigFaults);
    return error.faults;
  }
}

describe('the configuration', () => {
  it('needs nothing, and then nothing can be bought', () => {
    const config = readConfig({});
    assert.equal(config.publicUrl, 'http://credits.localhost:4310');
    assert.equal(config.payments, undefined);
    assert.deepEqual(config.offer.presetsMinor, [5_000, 10_000, 50_000]);
  });

  it('tells every fault at once', () => {
    const faults = faultsOf({
      PORT: '99999',
      CURRENCY: 'zzz',
      CUSTOM_MIN_MINOR: 'ten',
      PRESETS_MINOR: '5000,-1',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://ada:open-sesame@db/credits',
      DATABASE_POOL_SIZE: '0',
      DATABASE_APPLICATION_NAME: 'two words',
      METRICS_TOKEN: 'short',
      RATE_LIMIT_PER_MINUTE: 'many',
      STRIPE_SECRET_KEY: 'pk_test_public',
      RETURN_URI_SCHEMES: 'vscode,javascript',
      PAYMENT_PAGE_HOST: 'https://pay.example.com/',
    });
    for (const name of [
      'PORT',
      'CURRENCY',
      'CUSTOM_MIN_MINOR',
      'PRESETS_MINOR',
      'LOG_LEVEL',
      'DATABASE_URL',
      'DATABASE_POOL_SIZE',
      'DATABASE_APPLICATION_NAME',
      'METRICS_TOKEN',
      'RATE_LIMIT_PER_MINUTE',
      'STRIPE_SECRET_KEY',
      'STRIPE_WEBHOOK_SECRETS',
      'RETURN_URI_SCHEMES',
      'PAYMENT_PAGE_HOST',
    ]) {
      assert.equal(faults.filter(fault => fault.startsWith(`${name} `)).length, 1, name);
    }
    assert.equal(faults.length, 14);
    assert.doesNotMatch(faults.join('\n'), /open-sesame/);
  });

  const stripe = { STRIPE_SECRET_KEY: 'sk_test_abc', STRIPE_WEBHOOK_SECRETS: 'whsec_12345678' };
  const refused: ReadonlyArray<readonly [name: string, environment: Record<string, string>]> = [
    ['a proxy that is no address', { TRUSTED_PROXIES: '10.0.0.1,proxy.example' }],
    ['a network that is none', { TRUSTED_PROXIES: '10.0.0.0/33' }],
    ['trust in everybody', { TRUSTED_PROXIES: '0.0.0.0/0' }],
    ['signs of life too seldom for editors', { HEARTBEAT_MS: '20001' }],
    ['a public address without https', { PUBLIC_URL: 'http://credits.example' }],
    ['a public address with a path', { PUBLIC_URL: 'https://credits.example/base' }],
    ['a public address with a user', { PUBLIC_URL: 'https://a:b@credits.example' }],
    ['a public address that only looks local', { PUBLIC_URL: 'http://localhost.example' }],
    ['listening to the world with a local public address', { HOST: '0.0.0.0' }],
    ['a free port without a public address', { PORT: '0' }],
    ['a seed outside the sandbox', { CREDITS_SEED_FILE: 'seed.json' }],
    [
      'a live key in the sandbox',
      {
        ...stripe,
        CREDITS_SANDBOX: '1',
        STRIPE_SECRET_KEY: 'sk_live_abc',
        STRIPE_API_URL: 'http://127.0.0.1:1',
      },
    ],
    ['the sandbox with Stripe itself', { ...stripe, CREDITS_SANDBOX: '1' }],
    ['a sandbox that is neither on nor off', { CREDITS_SANDBOX: 'yes' }],
    ['payments without a webhook secret', { STRIPE_SECRET_KEY: 'sk_test_abc' }],
    ['a webhook secret that is none', { ...stripe, STRIPE_WEBHOOK_SECRETS: 'secret' }],
    ['a payment side without https', { ...stripe, STRIPE_API_URL: 'http://stripe.example' }],
    ['a largest amount below the smallest', { CUSTOM_MIN_MINOR: '5000', CUSTOM_MAX_MINOR: '1000' }],
    ['an amount that Stripe cannot charge', { PRESETS_MINOR: '100000000' }],
    ['more credits than can be counted', { CREDITS_PER_MAJOR_UNIT: '1000000', CUSTOM_MAX_MINOR: '99999999' }],
    ['a currency that Stripe describes in two ways', { CURRENCY: 'ugx' }],
    ['dinars in single thousandths', { CURRENCY: 'kwd', CUSTOM_STEP_MINOR: '1' }],
    ['krónur in hundredths', { CURRENCY: 'isk', PRESETS_MINOR: '5000,10050' }],
    ['a link scheme that runs code', { RETURN_URI_SCHEMES: 'data' }],
    ['an editor in a browser by its address', { WEB_EDITOR_ORIGINS: 'https://code.example/callback' }],
  ];
  for (const [name, environment] of refused) {
    it(`refuses ${name}`, () =>
      assert.equal(faultsOf(environment).length, 1, faultsOf(environment).join('\n')));
  }

  it('names this server by the address that editors have, whatever tokens call it', () => {
    const identity = {
      PUBLIC_URL: 'https://credits.acme.example',
      OIDC_ISSUERS: 'https://id.acme.example',
      OIDC_CLIENT_ID: 'editor',
    };
    for (const audience of ['https://credits-api.acme.example', 'api://credits']) {
      const config = readConfig({ ...identity, OIDC_AUDIENCE: audience });
      assert.deepEqual(
        [config.identity?.audience, config.identity?.resource],
        [audience, 'https://credits.acme.example'],
      );
    }
    const inside = readConfig({ ...identity, OIDC_RESOURCE: 'http://127.0.0.1:4310' });
    assert.equal(inside.identity?.resource, 'http://127.0.0.1:4310');
    assert.equal(faultsOf({ ...identity, OIDC_RESOURCE: 'http://credits.acme.example' }).length, 1);
  });

  it('T5 repeats no secret in what it says of a fault', () => {
    const secret = 'open-sesame';
    const faults = faultsOf({
      PUBLIC_URL: `https://ada:${secret}@credits.example`,
      STRIPE_API_URL: `ftp://ada:${secret}@stripe.example`,
      CORS_ORIGINS: `https://ada:${secret}@a.example,http://ada:p@${secret}@b.example`,
      OIDC_ISSUERS: `https://ada:${secret}@id.example`,
      OIDC_CLIENT_ID: 'editor',
      STRIPE_SECRET_KEY: `pk_live_${secret}`,
      STRIPE_WEBHOOK_SECRETS: secret,
      METRICS_TOKEN: secret,
      DATABASE_URL: `mysql://ada:${secret}@db/credits`,
    });
    assert.equal(faults.length, 9, faults.join('\n'));
    assert.doesNotMatch(faults.join('\n'), /open-sesame/);
    assert.match(faults.join('\n'), /PUBLIC_URL must be .*credits\.example/);
  });

  it('takes Stripe in test mode and live, and a stand-in in the sandbox', () => {
    assert.equal(readConfig(stripe).payments?.mode, 'test');
    assert.equal(readConfig({ ...stripe, STRIPE_SECRET_KEY: 'rk_live_abc' }).payments?.mode, 'live');
    const sandbox = readConfig({
      CREDITS_SANDBOX: '1',
      STRIPE_API_URL: 'http://127.0.0.1:4000',
      STRIPE_WEBHOOK_SECRETS: 'whsec_12345678',
    });
    assert.equal(sandbox.payments?.mode, 'sandbox');
  });

  it('is explained whole by --help and by the README', () => {
    const readme = readFileSync(new URL('../../server/README.md', import.meta.url), 'utf8').replace(
      / +/g,
      ' ',
    );
    for (const [name, fallback] of variables) {
      assert.ok(helpText().includes(`  ${name} `), `--help: ${name}`);
      assert.ok(
        readme.includes(`| \`${name}\` | ${fallback === '' ? '' : `\`${fallback}\` `}|`),
        `README: ${name}`,
      );
    }
  });
});
