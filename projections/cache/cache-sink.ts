// The hot cache as a sink. Where it has no position (in memory at every start, in Redis after it was emptied) it begins at the
// head of the log: nothing older is needed, because rooms come in from PostgreSQL when they are read.
//
// Several processes may keep the cache in Redis, each for its own partitions. None takes anything from another: positions are moved
// from where they are expected, and given only where there are none. Whichever position a partition without one gets, from
// whichever process, a stale one or a new one, it is right: the cache then holds no room that could have missed an event before it.
import type { EventLog } from '../../event-log/event-log.ts';
import type { Chunk, Sink, WriteOutcome } from '../sink.ts';
import { foldRuns } from './fold-runs.ts';
import type { RoomCache } from './room-cache.ts';

export class CacheSink implements Sink {
  readonly #cache: RoomCache;
  readonly #log: Pick<EventLog, 'head'>;
  /** Up to where this process has applied events, by own partition. */
  #passed = new Map<number, number>();

  constructor(cache: RoomCache, log: Pick<EventLog, 'head'>) {
    this.#cache = cache;
    this.#log = log;
  }

  async load(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    this.#passed = new Map();
    if (partitions.length === 0) return this.#passed;
    const known = await this.#cache.positions(partitions);
    // Asked after the positions: whoever had a partition before us may be moving its position still, along with the head.
    const heads = await this.#heads(partitions);
    // Positions beyond the log are those of another log, which was here before: nothing in the cache is to be believed, whosever
    // partition it is of. The other processes are fenced by that and begin at the head, too.
    if ([...known].some(([partition, position]) => position > (heads.get(partition) ?? 0))) await this.#cache.clear();
    await this.#cache.start(heads);
    // Read after that: where two processes start at once, the first one's positions count for both.
    this.#passed = await this.#cache.positions(partitions);
    return new Map(this.#passed);
  }

  async write(chunk: Chunk): Promise<WriteOutcome> {
    const outcome = await this.#cache.apply(foldRuns(chunk));
    if (outcome === 'written') for (const [partition, { to }] of chunk.moves) this.#passed.set(partition, to);
    return outcome;
  }

  /**
   * Looks after the positions while nothing happens in the log. A cache that was emptied gets those of the own partitions back, so
   * that rooms can be filled again: what this process has passed is exact, for no room could have missed an event. `setBack`: the
   * cache has come back as it was before, with rooms that are old: the projector must load again and go over what follows.
   */
  async restore(): Promise<'whole' | 'setBack'> {
    const passed = new Map(this.#passed);
    const positions = await this.#cache.positions([...passed.keys()]);
    const missing = [...passed].filter(([partition]) => !positions.has(partition));
    if (missing.length > 0) await this.#cache.start(new Map(missing));
    const isSetBack = [...positions].some(([partition, position]) => position < (passed.get(partition) ?? 0));
    return isSetBack ? 'setBack' : 'whole';
  }

  async #heads(partitions: readonly number[]): Promise<Map<number, number>> {
    return new Map(await Promise.all(partitions.map(async (at) => [at, await this.#log.head(at)] as const)));
  }
}
