// The hot cache as a sink. Where it has no position (in memory at every start, in Redis after it was emptied) it begins at the
// head of the log: nothing older is needed, because rooms come in from PostgreSQL when they are read.
import type { EventLog } from '../../event-log/event-log.ts';
import type { Chunk, Sink, WriteOutcome } from '../sink.ts';
import { foldRuns } from './fold-runs.ts';
import type { RoomCache } from './room-cache.ts';

export class CacheSink implements Sink {
  readonly #cache: RoomCache;
  readonly #log: Pick<EventLog, 'partitions' | 'head'>;
  /** Up to where this process has applied events. */
  #passed = new Map<number, number>();

  constructor(cache: RoomCache, log: Pick<EventLog, 'partitions' | 'head'>) {
    this.#cache = cache;
    this.#log = log;
  }

  async load(): Promise<ReadonlyMap<number, number>> {
    const heads = await this.#heads();
    const known = await this.#cache.positions(this.#log.partitions);
    // Positions beyond the log are those of another log, which was here before: nothing in the cache is to be believed.
    if ([...known].some(([partition, position]) => position > (heads.get(partition) ?? 0))) await this.#cache.clear();
    await this.#cache.start(heads);
    // Read after that: where two processes start at once, the first one's positions count for both.
    this.#passed = await this.#cache.positions(this.#log.partitions);
    return new Map(this.#passed);
  }

  async write(chunk: Chunk): Promise<WriteOutcome> {
    const outcome = await this.#cache.apply(foldRuns(chunk));
    if (outcome === 'written') for (const [partition, { to }] of chunk.moves) this.#passed.set(partition, to);
    return outcome;
  }

  /**
   * Gives positions back to a cache that was emptied while nothing happened in the log, so that rooms can be filled again. What
   * this process has passed is exact: an emptied cache holds no room that could have missed an event.
   */
  async restore(): Promise<void> {
    if (this.#passed.size > 0) await this.#cache.start(this.#passed);
  }

  async #heads(): Promise<Map<number, number>> {
    const partitions = Array.from({ length: this.#log.partitions }, (_, partition) => partition);
    return new Map(await Promise.all(partitions.map(async (at) => [at, await this.#log.head(at)] as const)));
  }
}
