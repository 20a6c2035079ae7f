import { deepEqual, equal, ok } from 'node:assert/strict';
import {
  checkoutOrigins,
  mailAddress,
  readCheckoutAddress,
  readOrigin,
  readServerAddress,
} from '../../../src/core/address.ts';

describe('the address of a credits server', () => {
  const accepted: ReadonlyArray<readonly [typed: string, url: string]> = [
    ['https://credits.example.com', 'https://credits.example.com'],
    ['  https://credits.example.com/  ', 'https://credits.example.com'],
    ['https://credits.example.com/team/credits/', 'https://credits.example.com/team/credits'],
    ['HTTPS://Credits.Example.COM:8443', 'https://credits.example.com:8443'],
    ['https://credits.example.com:443', 'https://credits.example.com'],
    ['http://127.0.0.1:4000', 'http://127.0.0.1:4000'],
    ['http://127.8.9.10:4000', 'http://127.8.9.10:4000'],
    ['http://[::1]:4000', 'http://[::1]:4000'],
    ['http://localhost:4000', 'http://localhost:4000'],
    ['http://pay.localhost:4000', 'http://pay.localhost:4000'],
  ];
  for (const [typed, url] of accepted) {
    it(`takes ${JSON.stringify(typed)}`, () => {
      const read = readServerAddress(typed);
      equal(read.ok && read.url, url);
    });
  }

  const refused: ReadonlyArray<readonly [typed: string, problem: string]> = [
    ['', 'blank'],
    ['   ', 'blank'],
    ['credits.example.com', 'notAnAddress'],
    ['https://', 'notAnAddress'],
    ['https:credits.example.com', 'notAnAddress'],
    ['https:///credits.example.com', 'notAnAddress'],
    ['https:\\\\credits.example.com', 'notAnAddress'],
    ['https://credits.exämple.com', 'notAnAddress'],
    ['https://a b.example', 'notAnAddress'],
    ['http://credits.example.com', 'insecure'],
    ['http://x', 'insecure'],
    ['http://localhost.evil', 'insecure'],
    ['http://127.0.0.1.evil.example', 'insecure'],
    ['http://128.0.0.1', 'insecure'],
    ['http://10.0.0.1', 'insecure'],
    ['http://[::2]', 'insecure'],
    ['http://[::ffff:127.0.0.1]', 'insecure'],
    ['http://localhost.', 'insecure'],
    ['http://notlocalhost', 'insecure'],
    ['ftp://credits.example.com', 'insecure'],
    ['file:///etc/passwd', 'notAnAddress'],
    ['vscode://settings', 'insecure'],
    ['https://user@credits.example.com', 'userinfo'],
    ['https://user:word@credits.example.com', 'userinfo'],
    ['https://credits.example.com?x=1', 'queryOrFragment'],
    ['https://credits.example.com/?', 'queryOrFragment'],
    ['https://credits.example.com#x', 'queryOrFragment'],
  ];
  for (const [typed, problem] of refused) {
    it(`T37 refuses ${JSON.stringify(typed)}: ${problem}`, () => {
      deepEqual(readServerAddress(typed), { ok: false, problem });
    });
  }
});

/** Hosts that look like one of ours to a person, or to a careless comparison. */
function lookAlikes(host: string): string[] {
  const evil = 'attacker.example';
  const [name = '', ...rest] = host.split('.');
  const parent = rest.join('.');
  const swaps: ReadonlyArray<readonly [string, string]> = [
    ['o', '0'],
    ['l', '1'],
    ['i', '1'],
    ['e', '3'],
    ['t', 'tt'],
    ['c', 'с'], // Cyrillic
    ['e', 'е'], // Cyrillic
    ['p', 'р'], // Cyrillic
    ['s', 'ѕ'], // Cyrillic
    ['i', 'ı'], // dotless
  ];
  return [
    `https://${host}.${evil}/`,
    `https://${host}-${evil}/`,
    `https://${evil}/${host}`,
    `https://${evil}/?${host}`,
    `https://${evil}/#${host}`,
    `https://${evil}#@${host}`,
    `https://${evil}?@${host}`,
    `https://${evil}\\@${host}/`,
    `https://${host}\\@${evil}/`,
    `https://${host}\\.${evil}/`,
    `https://${host}@${evil}/`,
    `https://${host}:443@${evil}/`,
    `https://${host}:x@${evil}/`,
    `https://${host}%40${evil}/`,
    `https://@${host}/`,
    `https://x@${host}/`,
    `https://${host}./`,
    `https://${host}../`,
    `https://${host}:444/`,
    `https://${host}:80/`,
    `https://${host}:8443/`,
    `https://${host}:0/`,
    `http://${host}/`,
    `http://${host}:443/`,
    `ftp://${host}/`,
    `file://${host}/`,
    `wss://${host}/`,
    `vscode://${host}/`,
    `javascript://${host}/%0aalert(1)`,
    `data://${host}/`,
    `ms-settings://${host}/`,
    `blob:https://${host}/x`,
    `view-source:https://${host}/`,
    `//${host}/`,
    `https:/${host}/`,
    `https:${host}/`,
    `https:///${host}/`,
    `https:\\\\${host}\\`,
    ` https://${host}/`,
    `https://${host}/ `,
    `https://${host}\n/`,
    `https://${host}\t/`,
    `https://\u0000${host}/`,
    `https://${host}\u3002/`,
    `https://${host.replaceAll('.', '\u3002')}/`,
    `https://${host.replaceAll('.', '\uff0e')}/`,
    `https://${host.replaceAll('.', '%2e')}.${evil}/`,
    `https://www.${host}/`,
    `https://${name}x.${parent}/`,
    `https://x${name}.${parent}/`,
    `https://${parent}/`,
    `https://${name}/`,
    `https://${name}.${parent}.${parent}/`,
    `https://${name}-${parent}/`,
    `https://${name}${parent}/`,
    `https://[::1]/`,
    `https://127.0.0.1/`,
    `https://2130706433/`,
    `https://[${host}]/`,
    `https://xn--${name}-.${parent}/`,
    ...swaps
      .filter(([from]) => host.includes(from))
      .map(([from, to]) => `https://${host.replace(from, to)}/`),
  ];
}

describe('the address of a payment page', () => {
  const allowed = checkoutOrigins('https://credits.example.com/base', [
    'https://pay.example.org',
    'http://pay.localhost:4100',
  ]);

  it('T3 accepts none of more than 200 hosts that look like an allowed one', () => {
    const hosts = ['checkout.stripe.com', 'billing.stripe.com', 'credits.example.com', 'pay.example.org'];
    const tried = hosts.flatMap(lookAlikes);
    ok(tried.length > 200, `only ${tried.length} look-alikes`);
    const opened = tried.filter(url => readCheckoutAddress(url, allowed).ok);
    deepEqual(opened, []);
  });

  const good = [
    'https://checkout.stripe.com/c/pay/cs_test_a1B2#fidkdWxOYHwnPyd1blpxYHZxWjA0',
    'https://checkout.stripe.com/c/pay/cs_live_x?u=https%3A%2F%2Fex.test%2Fp%3Fq%3D1%26r%3D2',
    'https://checkout.stripe.com:443/c/pay/cs',
    'https://CHECKOUT.stripe.com/c/pay/cs',
    'https://billing.stripe.com/p/session/x',
    'https://credits.example.com/pay/x',
    'https://pay.example.org/x',
    'http://pay.localhost:4100/checkout/cs_1',
  ];
  for (const url of good) {
    it(`T12 opens ${url}`, () => {
      const read = readCheckoutAddress(url, allowed);
      // What is opened is the parsed form, so that it means to the browser what it meant here.
      equal(read.ok && read.url, new URL(url).href);
    });
  }

  const bad = [
    '',
    'about:blank',
    'file:///etc/passwd',
    'file://checkout.stripe.com/x',
    'vscode://studio.ext/x',
    'vscode-insiders://x',
    'code-oss://x',
    'ms-settings:windowsupdate',
    'javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'command:workbench.action.terminal.new',
    'mailto:pay@stripe.com',
    'tel:123',
    'ssh://checkout.stripe.com',
    'smb://checkout.stripe.com/share',
    'ws://checkout.stripe.com',
    'http://checkout.stripe.com/c/pay/cs',
    'http://credits.example.com/pay',
    'http://pay.localhost:4101/x',
    'http://localhost:4100/x',
    'http://127.0.0.1:4100/x',
    'https://pay.localhost:4100/x',
    'https://stripe.com/x',
    'https://api.stripe.com/x',
    'https://dashboard.stripe.com/x',
    'https://checkout.stripe.co/x',
    'https://checkout.stripe.com.br/x',
    'https://example.com/x',
    'https://pay.example.org.evil/x',
    'https://pay.example.org:444/x',
    'https://user@pay.example.org/x',
    'https://:pass@pay.example.org/x',
    '//checkout.stripe.com/x',
    'checkout.stripe.com/x',
    '/c/pay/cs',
    'not an address',
    `https://${'a'.repeat(300)}.com/`,
    'https://checkout.stripe.com:99999/x',
    'https://checkout.stripe.com:abc/x',
    'https://[checkout.stripe.com]/x',
    'https://%63heckout.stripe.com\\x',
  ];
  for (const url of bad) {
    it(`T12 does not open ${JSON.stringify(url).slice(0, 80)}`, () => {
      equal(readCheckoutAddress(url, allowed).ok, false);
    });
  }

  it('T12 has at least 100 rows in its tables', () => {
    ok(good.length + bad.length + lookAlikes('checkout.stripe.com').length >= 100);
  });

  it('takes exact origins from the setting, and nothing that is more or less than one', () => {
    equal(readOrigin('https://pay.example.org'), 'https://pay.example.org');
    equal(readOrigin('https://pay.example.org/'), 'https://pay.example.org');
    equal(readOrigin('http://pay.localhost:4100'), 'http://pay.localhost:4100');
    for (const entry of [
      '*',
      'https://*.example.org/x',
      'pay.example.org',
      'http://pay.example.org',
      'https://pay.example.org/x',
      'https://u@pay.example.org',
      '',
    ]) {
      equal(readOrigin(entry), undefined, entry);
    }
  });
});

describe('the address of a mail', () => {
  it('T12 encodes everything but the recipient, so that no name adds a header or a second one', () => {
    equal(
      mailAddress(
        'grace.h+ai@navy.example',
        'Credits & more\r\nBcc: x@y.example',
        'Line 1\nLine 2 = 100 %?&cc=x',
      ),
      'mailto:grace.h%2Bai@navy.example?subject=Credits%20%26%20more%20Bcc%3A%20x%40y.example' +
        '&body=Line%201%0D%0ALine%202%20%3D%20100%20%25%3F%26cc%3Dx',
    );
    const url = new URL(mailAddress('a?b=c@x.example', '\ud800', 'é'.repeat(5_000)) ?? '');
    equal(url.pathname, 'a%3Fb%3Dc@x.example');
    equal(url.searchParams.get('subject'), '\ufffd');
    equal(url.searchParams.get('body')?.length, 1_000);
  });

  for (const to of [
    '',
    'grace',
    'a@b',
    'a@b.example,c@d.example',
    'a@b.example;c@d.example',
    'a@b.example?bcc=c@d.example',
    'a b@c.example',
    '"a"@b.example',
    'a@b.example\nBcc: c@d.example',
    'Grace <grace@b.example>',
    'a@-b.example',
    'file:///etc/passwd',
    `${'a'.repeat(65)}@b.example`,
  ]) {
    it(`T12 is none of ${JSON.stringify(to).slice(0, 60)}`, () =>
      equal(mailAddress(to, 's', 'b'), undefined));
  }
});
