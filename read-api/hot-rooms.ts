// The hot cache from the reader's side: what it has is taken from there, and a room that it does not have is brought in behind
// the reader's back, because the page itself is quicker to read than all that the cache wants to know.
import type { Logger } from '../platform/logger.ts';
import { isRetryable } from '../platform/retryable.ts';
import type { WrittenPositions } from '../platform/written-positions.ts';
import type { CachedPage, RoomCache } from '../projections/cache/room-cache.ts';
import { bringIn } from './bring-in.ts';
import type { ReadMetrics } from './metrics.ts';
import type { PositionWaiter } from './position-waiter.ts';
import type { Queries } from './queries/queries.ts';
import type { Standing } from './standing.ts';

export type HotRoomsDeps = {
  /** Null where there is none: then every page is a miss. */
  cache: RoomCache | null;
  queries: Queries;
  positions: PositionWaiter;
  logger: Logger;
  metrics: ReadMetrics;
  /** Null where nothing is heard of what was acknowledged. */
  written: WrittenPositions | null;
  /** Rooms that are brought in at a time; at the bound a room waits for its next reader. */
  maxRefills: number;
};

/** `null`: the cache does not know. */
export type HotRoom = { page: HotPage | null; isMember: boolean | null };
export type HotPage = CachedPage & { standing: Standing };

const COLD: HotRoom = { page: null, isMember: null };

export class HotRooms {
  readonly #deps: HotRoomsDeps;
  readonly #refills = new Map<string, Promise<void>>();

  constructor(deps: HotRoomsDeps) {
    this.#deps = deps;
  }

  /** What the cache has of the room for this user. A cache that cannot be reached has nothing. */
  async look(roomId: string, userId: string, limit: number): Promise<HotRoom> {
    const { cache, written, logger } = this.#deps;
    if (cache === null) return COLD;
    try {
      // Asked together, these are one round trip to Redis.
      const [page, isMember, last] = await Promise.all([
        cache.newest(roomId, limit),
        cache.isMember(roomId, userId),
        written?.last() ?? new Map<number, number>(),
      ]);
      if (page === null) return { page, isMember };
      const { partition, nextOffset } = page.position;
      return {
        page: { ...page, standing: { nextOffsets: new Map([[partition, nextOffset]]), written: last } },
        isMember,
      };
    } catch (error) {
      if (!isRetryable(error)) throw error;
      logger.debug({ err: error }, 'the hot cache cannot be read');
      return COLD;
    }
  }

  /** Brings the room in, unless that is being done already or too many are. */
  refill(roomId: string, partition: number): void {
    const { cache, maxRefills } = this.#deps;
    if (cache === null || this.#refills.has(roomId) || this.#refills.size >= maxRefills) return;
    const refill = this.#bringIn(cache, roomId, partition).finally(() => this.#refills.delete(roomId));
    this.#refills.set(roomId, refill);
  }

  /** Resolves when nothing is being brought in any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#refills.values());
  }

  /** Never rejects: nobody waits for it, and the next reader tries again. */
  async #bringIn(cache: RoomCache, roomId: string, partition: number): Promise<void> {
    const { queries, positions, metrics, logger } = this.#deps;
    try {
      const outcome = await bringIn({ cache, queries, positions }, roomId, partition);
      if (outcome !== 'notOpen') metrics.refilled(outcome === 'filled');
    } catch (error) {
      metrics.refilled(false);
      logger[isRetryable(error) ? 'debug' : 'error']({ err: error }, 'a room could not be brought into the hot cache');
    }
  }
}
