// Looks after the cache's positions once a second: a cache that was emptied while the log is quiet would else refuse every fill
// until the next event.
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { RoomCacheUnavailableError } from './room-cache.ts';

const EVERY_MS = 1_000;

export class PositionWatch {
  readonly #restore: () => Promise<void>;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(restore: () => Promise<void>, logger: Logger) {
    this.#restore = restore;
    this.#logger = logger;
  }

  /** Resolves after stop(); rejects on a bug. */
  run(): Promise<void> {
    this.#running ??= this.#watch();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // A failed run is reported by run() itself.
    await this.#running?.catch(() => undefined);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#restore();
      } catch (error) {
        if (!(error instanceof RoomCacheUnavailableError)) throw error;
        this.#logger.debug({ err: error }, 'the positions of the room cache cannot be looked at');
      }
      // Being woken up by stop() is the only way in which this timer rejects.
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
