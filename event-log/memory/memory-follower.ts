// Follows partitions of a memory log: one loop per partition, woken when something lands.
import { type FollowOptions, type LogBatch, type LogFollower, LogUnavailableError } from '../event-log.ts';
import type { MemoryConnection } from './memory-connection.ts';
import type { MemoryStore } from './memory-store.ts';

const RETRY_MS = 20;

export class MemoryFollower implements LogFollower {
  readonly #store: MemoryStore;
  readonly #connection: MemoryConnection;
  readonly #options: FollowOptions;
  readonly #batchEntries: number;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: MemoryStore, connection: MemoryConnection, options: FollowOptions, batchEntries: number) {
    this.#store = store;
    this.#connection = connection;
    this.#options = options;
    this.#batchEntries = batchEntries;
  }

  async run(): Promise<void> {
    const loops = [...this.#options.from].map(([partition, from]) => this.#follow(partition, from));
    this.#running = Promise.allSettled(loops);
    try {
      await Promise.all(loops);
    } finally {
      // One partition that cannot go on ends the others too.
      this.#stopping.abort();
      await this.#running;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #follow(partition: number, from: number): Promise<void> {
    let next = from;
    while (!this.#isStopping()) {
      const landing = this.#nextLanding(partition);
      try {
        const batch = await this.#ask(partition, next);
        if (this.#isStopping()) return;
        if (batch === null) landing.expectSoon();
        else if (batch.nextOffset > next) {
          await this.#options.handle(batch);
          next = batch.nextOffset;
          continue;
        }
        await landing.happened;
      } finally {
        landing.forget();
      }
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Null while the log cannot be reached. */
  async #ask(partition: number, from: number): Promise<LogBatch | null> {
    try {
      return await this.#connection.ask('read', () =>
        this.#store.batch(partition, from, Number.MAX_SAFE_INTEGER, this.#batchEntries),
      );
    } catch (error) {
      if (error instanceof LogUnavailableError) return null;
      throw error;
    }
  }

  /** `happened` resolves when something lands, on stop, or after `expectSoon` in a moment. */
  #nextLanding(partition: number): { happened: Promise<void>; expectSoon: () => void; forget: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { signal } = this.#stopping;
    const onAbort = () => resolve();
    const unwatch = this.#store.watch(partition, resolve);
    signal.addEventListener('abort', onAbort);
    return {
      happened: promise,
      expectSoon: () => setTimeout(resolve, RETRY_MS),
      forget: () => {
        unwatch();
        signal.removeEventListener('abort', onAbort);
      },
    };
  }
}
