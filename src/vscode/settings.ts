// The settings as values with an event. Only what the person set for all workspaces counts: a workspace, trusted or
// not, cannot name a host (T1). To look where a value comes from is dear, so only addresses pay for it.
import { type ConfigurationChangeEvent, workspace } from 'vscode';
import { type Disposable, Emitter } from '../core/event.ts';

const SECTION = 'credits';

const statusBarFormats = ['credits', 'percent', 'runway', 'compact'] as const;
export type StatusBarFormat = (typeof statusBarFormats)[number];

export class Settings {
  readonly #changed = new Emitter<void>();
  readonly #listening: Disposable;
  /** Made anew at each change only: the editor puts it together from all its sources. */
  #values = workspace.getConfiguration(SECTION);

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#listening = workspace.onDidChangeConfiguration((event: ConfigurationChangeEvent) => {
      if (event.affectsConfiguration(SECTION)) {
        this.#values = workspace.getConfiguration(SECTION);
        this.#changed.fire();
      }
    });
  }

  /** As typed, so not yet checked; empty when not set. */
  get serverUrl(): string {
    return asString(this.#readOwn('serverUrl')).trim();
  }

  /** As typed; entries that are no exact origins are ignored where they are used. */
  get allowedCheckoutOrigins(): readonly string[] {
    const value = this.#readOwn('allowedCheckoutOrigins');
    return Array.isArray(value) ? value.filter(entry => typeof entry === 'string') : [];
  }

  get lowBalanceWarnings(): boolean {
    return this.#read('lowBalanceWarnings') !== false;
  }

  /** In whole credits; 0 for no such warning. */
  get warnWhenCreditsLeft(): number {
    return asPositive(this.#read('warnWhenCreditsLeft')) ?? 0;
  }

  /** 0 for no such warning. */
  get warnWhenDaysLeft(): number {
    return asPositive(this.#read('warnWhenDaysLeft')) ?? 0;
  }

  get warnWhenPercentUsed(): number {
    return Math.min(100, asPositive(this.#read('warnWhenPercentUsed')) ?? 90);
  }

  get statusBarAlignment(): 'left' | 'right' {
    return this.#read('statusBarAlignment') === 'left' ? 'left' : 'right';
  }

  get statusBarFormat(): StatusBarFormat {
    const value = this.#read('statusBarFormat');
    return statusBarFormats.find(format => format === value) ?? 'credits';
  }

  get statusBarOrganization(): boolean {
    return this.#read('statusBarOrganization') === true;
  }

  dispose(): void {
    this.#listening.dispose();
    this.#changed.dispose();
  }

  #read(key: string): unknown {
    return this.#values.get(key);
  }

  /** For addresses: application scope keeps workspaces out already; the person's own value only is the second lock. */
  #readOwn(key: string): unknown {
    const value = this.#values.inspect(key);
    return value?.globalValue ?? value?.defaultValue;
  }
}

function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function asPositive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}
