// Which addresses may be talked to, and which may be opened: exact comparison after parsing, never by substring.

export type AddressProblem =
  | 'blank'
  | 'notAnAddress'
  /** Neither https nor http on this machine. */
  | 'insecure'
  /** A user name or password inside the address. */
  | 'userinfo'
  /** A question mark or hash, which a server's base address has no use for. */
  | 'queryOrFragment'
  /** A well-formed address that is not on the list. */
  | 'notAllowed';

export type ServerAddress =
  | { readonly ok: true; readonly url: string; readonly origin: string }
  | { readonly ok: false; readonly problem: AddressProblem };

export type CheckoutAddress =
  | { readonly ok: true; readonly url: string; readonly host: string }
  | { readonly ok: false; readonly problem: AddressProblem; readonly host: string | undefined };

/** Where Stripe keeps receipts and invoices. Source: https://docs.stripe.com/receipts and /invoicing/hosted-invoice-page */
const STRIPE_DOCUMENT_ORIGINS = ['https://pay.stripe.com', 'https://invoice.stripe.com'];

/** Payment pages known to everyone. Source: https://docs.stripe.com/payments/checkout and /customer-management */
const STRIPE_ORIGINS = ['https://checkout.stripe.com', 'https://billing.stripe.com'];

/** This machine by number or by reserved name (RFC 6761 section 6.3): 127.0.0.0/8, [::1], localhost, *.localhost. */
export function isLoopback(hostname: string): boolean {
  return (
    /^127(?:\.\d{1,3}){3}$/.test(hostname) ||
    hostname === '[::1]' ||
    hostname === 'localhost' ||
    hostname.endsWith('.localhost')
  );
}

/** The base address of a credits server, without a trailing slash. */
export function readServerAddress(text: string): ServerAddress {
  const typed = text.trim();
  if (typed === '') {
    return { ok: false, problem: 'blank' };
  }
  const url = parse(typed);
  if (!url) {
    return { ok: false, problem: 'notAnAddress' };
  }
  const problem = transportProblem(url, typed);
  if (problem) {
    return { ok: false, problem };
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(typed)) {
    return { ok: false, problem: 'queryOrFragment' };
  }
  return { ok: true, url: url.origin + url.pathname.replace(/\/+$/, ''), origin: url.origin };
}

/** Whether an address of another's may be talked to: https, or http on this machine, and no name or password in it. */
export function isSafeTransport(text: string): boolean {
  const url = parse(text);
  return url !== undefined && transportProblem(url, text) === undefined;
}

/** An entry of the setting that lists further payment pages: an origin and nothing else, or undefined. */
export function readOrigin(text: string): string | undefined {
  const typed = text.trim();
  const url = parse(typed);
  if (!url || transportProblem(url, typed)) {
    return undefined;
  }
  return url.pathname === '/' && url.search === '' && url.hash === '' ? url.origin : undefined;
}

/** The origins a payment page may have. Never the server's choice: only ours, its own, and the person's. */
export function checkoutOrigins(serverUrl: string, extra: readonly string[]): ReadonlySet<string> {
  const origins = new Set(STRIPE_ORIGINS);
  const server = readServerAddress(serverUrl);
  if (server.ok) {
    origins.add(server.origin);
  }
  for (const entry of extra) {
    const origin = readOrigin(entry);
    if (origin) {
      origins.add(origin);
    }
  }
  return origins;
}

/** The same for receipts and invoices. */
export function documentOrigins(serverUrl: string, extra: readonly string[]): ReadonlySet<string> {
  return new Set([...checkoutOrigins(serverUrl, extra), ...STRIPE_DOCUMENT_ORIGINS]);
}

/** Checks a payment page's address. `url` is the parsed form, so what was checked is what is opened. */
export function readCheckoutAddress(text: string, allowed: ReadonlySet<string>): CheckoutAddress {
  const url = parse(text);
  if (!url) {
    return { ok: false, problem: 'notAnAddress', host: undefined };
  }
  const problem = transportProblem(url, text) ?? (allowed.has(url.origin) ? undefined : 'notAllowed');
  return problem
    ? { ok: false, problem, host: url.host || undefined }
    : { ok: true, url: url.href, host: url.host };
}

function parse(text: string): URL | undefined {
  // Backslashes, blanks, control and non-ASCII characters are where two parsers disagree about the host, so no
  // address that is to be trusted has them.
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes('\\')) {
    return undefined;
  }
  // `https:evil.example` and `https:///evil.example` are repaired by the URL parser; what needs repair is refused.
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#]/i.test(text)) {
    return undefined;
  }
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function transportProblem(url: URL, text: string): AddressProblem | undefined {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    return 'insecure';
  }
  // Read from the text: the parser drops an empty user name (`https://@host`) without a trace.
  const authority = text.slice(text.indexOf('//') + 2).split(/[/?#]/, 1)[0] ?? '';
  return authority.includes('@') ? 'userinfo' : undefined;
}

/** One address as people write them: no quoting, no comment, no second recipient, nothing that mail would read as more. */
const MAIL = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+[a-z\d-]{2,63}$/i;

/** Longer ones are cut off or refused by mail programs. */
const MAX_MAIL_BODY = 1_000;

/**
 * A `mailto:` address, or undefined for what is no e-mail address. Everything but the `@` is encoded, so that no name
 * can add a recipient or a header (RFC 6068).
 */
export function mailAddress(to: string, subject: string, body: string): string | undefined {
  if (!MAIL.test(to)) {
    return undefined;
  }
  const at = to.lastIndexOf('@');
  const encoded = (text: string) =>
    encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\ufffd').replaceAll(/\r?\n/g, '\r\n'));
  const recipient = `${encodeURIComponent(to.slice(0, at))}@${to.slice(at + 1)}`;
  const flat = subject.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200);
  return `mailto:${recipient}?subject=${encoded(flat)}&body=${encoded(body.slice(0, MAX_MAIL_BODY))}`;
}
