// Work that comes round: once at the start, then again a while after each end, never twice at once, until it is stopped.

export class Rounds {
  readonly #work: () => Promise<void>;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  /** @param work tells of its own failures; it is not to throw */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Long work looks here between its steps. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  start(intervalMs: number): void {
    if (!this.isStopping) {
      this.#running = this.#work().then(() => {
        this.#timer = setTimeout(() => this.start(intervalMs), intervalMs).unref();
      });
    }
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    clearTimeout(this.#timer);
  }
}
