// Whom the editor knows the person as, for one purpose: to say so when it is somebody of another organisation than the
// one whose credits are shown. Asks the editor for names only, never for a token.
import { authentication } from 'vscode';

/** The editors' own providers; others do not name people by e-mail addresses. */
const PROVIDERS = ['microsoft', 'github'];

export class EditorAccounts {
  readonly #claim: (key: string) => Promise<boolean>;

  /** @param claim true once over all windows and restarts */
  constructor(claim: (key: string) => Promise<boolean>) {
    this.#claim = claim;
  }

  /** An account of another domain, when there are accounts and all of them are; told once for each pair. */
  async otherThan(email: string): Promise<string | undefined> {
    const domain = domainOf(email);
    const labels: string[] = [];
    for (const provider of PROVIDERS) {
      try {
        labels.push(...(await authentication.getAccounts(provider)).map(account => account.label));
      } catch {
        // An editor without that provider.
      }
    }
    const known = labels.filter(label => domainOf(label) !== undefined);
    const [first] = known;
    if (domain === undefined || first === undefined || known.some(label => domainOf(label) === domain)) {
      return undefined;
    }
    try {
      return (await this.#claim(`mismatch ${domain} ${domainOf(first) ?? ''}`)) ? first : undefined;
    } catch {
      return undefined;
    }
  }
}

function domainOf(text: string): string | undefined {
  return /^[^\s@]+@([^\s@]+\.[^\s@]+)$/.exec(text.trim())?.[1]?.toLowerCase();
}
