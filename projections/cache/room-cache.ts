// THE PORT of the hot cache: per room the newest messages, the members, and the version they belong to. Two twins stand behind
// it (memory-room-cache.ts for one process, redis-room-cache.ts for many) and one contract suite (room-cache-contract.ts).
//
// What is in it is never wrong, at worst absent or a moment old:
// - events change a room only when they follow its version exactly; where one is missing, the room's entry is dropped;
// - a room comes in from PostgreSQL in two steps. `open` notes how far the cache's projector has come and has the room's later
//   events kept; `fill` takes a snapshot that holds everything up to there, then the kept events. A snapshot alone would miss
//   what passed by while it was read, and nothing would notice until the room's next event. Comparing positions alone would
//   refuse nearly every snapshot of a busy partition, because PostgreSQL is always a few milliseconds behind the cache.
import type { MessageView } from '../../schemas/wire.ts';
import type { WriteOutcome } from '../sink.ts';

export type CachedPage = {
  /** Ascending. */
  messages: MessageView[];
  /** Of the room, which these messages belong to. */
  version: number;
  /** The room has older messages than these. */
  hasMore: boolean;
  /** The page reflects all of the room's events below `nextOffset` of its partition, and maybe later ones. */
  position: { partition: number; nextOffset: number };
};

/** A room as a snapshot of PostgreSQL has it. `checkpoint` is that of its partition in the same snapshot. */
export type RoomFill = {
  roomId: string;
  partition: number;
  checkpoint: number;
  version: number;
  /** The newest ones, ascending, at most LIMITS.cachedMessages. */
  messages: readonly MessageView[];
  /** The room has older messages than these. */
  hasOlder: boolean;
  memberIds: readonly string[];
};

export type MemberChange = { version: number; userId: string; isMember: boolean };

/** What all events of a room from one version to another change, without a gap between them. */
export type RoomRun = {
  roomId: string;
  firstVersion: number;
  lastVersion: number;
  /** The newest ones of the run, ascending, at most LIMITS.cachedMessages. */
  messages: readonly MessageView[];
  /** The run had more messages than these. */
  isCut: boolean;
  members: readonly MemberChange[];
};

export type CacheChunk = {
  moves: ReadonlyMap<number, { from: number; to: number }>;
  /** Rooms with something that cannot be read: their entries go first. */
  dropped: readonly string[];
  /** In order; several of one room where a gap lies between them. */
  runs: readonly RoomRun[];
};

/** Every method throws RoomCacheUnavailableError while the cache cannot be reached. */
export type RoomCache = {
  /** The newest messages, at most `limit`; null where the cache does not have the room. */
  newest(roomId: string, limit: number): Promise<CachedPage | null>;
  /** Whether the user is a member; null where the cache does not know. */
  isMember(roomId: string, userId: string): Promise<boolean | null>;
  /**
   * Begins to take the room in: resolves with the position of the partition that the snapshot to fill it with must have reached.
   * Null where the room is in already, or where the partition has no position.
   */
  open(roomId: string, partition: number): Promise<number | null>;
  /** Takes in a room that is open; says whether it did. Not, where the snapshot's checkpoint is below the position told. */
  fill(room: RoomFill): Promise<boolean>;
  /**
   * Changes the rooms that are cached and moves the positions. `fenced`: a position is not where it was expected, because
   * another projector moved it or the cache was emptied.
   */
  apply(chunk: CacheChunk): Promise<WriteOutcome>;
  /** Up to where events were applied, of these partitions. One that is absent has no position: nothing can be filled in it. */
  positions(partitions: readonly number[]): Promise<Map<number, number>>;
  /** Gives partitions that have no position the given one; those that have one keep it. */
  start(positions: ReadonlyMap<number, number>): Promise<void>;
  /** Forgets these rooms, or all of them. The positions stay, so every one may be opened again at once. */
  drop(roomIds: readonly string[] | 'all'): Promise<void>;
  /** Forgets everything, positions too. */
  clear(): Promise<void>;
};

/** Go on without the cache. */
export class RoomCacheUnavailableError extends Error {
  override readonly name = 'RoomCacheUnavailableError';
  readonly code = 'room_cache_unavailable';
  readonly retryable = true;
}

/** A room with more members is cached without them: who is one is then asked of PostgreSQL. */
export const MAX_CACHED_MEMBERS = 50_000;
/** Runs kept for a room that is open; one more, and the room is dropped, to be opened again by its next reader. */
export const MAX_KEPT_RUNS = 200;
