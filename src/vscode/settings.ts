// The settings as values with an event. Only what the person set for all workspaces counts: a workspace, trusted or
// not, cannot name a host (T1).
import { type ConfigurationChangeEvent, workspace } from 'vscode';
import { type Disposable, Emitter } from '../core/event.ts';

const SECTION = 'credits';

const statusBarFormats = ['credits', 'percent', 'runway', 'compact'] as const;
export type StatusBarFormat = (typeof statusBarFormats)[number];

export class Settings {
  readonly #changed = new Emitter<void>();
  readonly #listening: Disposable;

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#listening = workspace.onDidChangeConfiguration((event: ConfigurationChangeEvent) => {
      if (event.affectsConfiguration(SECTION)) {
        this.#changed.fire();
      }
    });
  }

  /** As typed, so not yet checked; empty when not set. */
  get serverUrl(): string {
    return asString(this.#read('serverUrl')).trim();
  }

  /** As typed; entries that are no exact origins are ignored where they are used. */
  get allowedCheckoutOrigins(): readonly string[] {
    const value = this.#read('allowedCheckoutOrigins');
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
    // Application scope keeps workspaces out already; reading the person's own value only is the second lock.
    const value = workspace.getConfiguration(SECTION).inspect(key);
    return value?.globalValue ?? value?.defaultValue;
  }
}

function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function asPositive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}
