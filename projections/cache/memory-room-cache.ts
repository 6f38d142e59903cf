// The hot cache of one process. Bounded: at the bound the room that was not used for longest goes, and is filled again when
// somebody asks for it.
import { LIMITS } from '../../schemas/limits.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { type CacheChunk, MAX_CACHED_MEMBERS, MAX_KEPT_RUNS, type RoomCache, type RoomRun } from './room-cache.ts';

export type MemoryRoomCacheOptions = {
  maxRooms: number;
  /** Members of all rooms together. */
  maxMembers: number;
};

type ReadyEntry = {
  status: 'ready';
  partition: number;
  version: number;
  messages: MessageView[];
  hasOlder: boolean;
  members: Set<string> | null;
};
type OpenEntry = { status: 'open'; position: number; runs: RoomRun[] };
type Entry = ReadyEntry | OpenEntry;

export function createMemoryRoomCache({ maxRooms, maxMembers }: MemoryRoomCacheOptions): RoomCache {
  /** In the order of last use, oldest first. */
  const entries = new Map<string, Entry>();
  const positions = new Map<number, number>();
  let memberCount = 0;

  function drop(roomId: string): void {
    memberCount -= membersOf(entries.get(roomId))?.size ?? 0;
    entries.delete(roomId);
  }

  function use(roomId: string): Entry | undefined {
    const entry = entries.get(roomId);
    if (entry !== undefined) {
      entries.delete(roomId);
      entries.set(roomId, entry);
    }
    return entry;
  }

  function shrink(): void {
    for (const roomId of entries.keys()) {
      if (entries.size <= maxRooms && memberCount <= maxMembers) return;
      drop(roomId);
    }
  }

  function applyRun(run: RoomRun): void {
    const entry = entries.get(run.roomId);
    if (entry === undefined) return;
    if (entry.status === 'open') {
      if (entry.runs.push(run) > MAX_KEPT_RUNS) drop(run.roomId);
    } else if (run.firstVersion > entry.version + 1) {
      drop(run.roomId);
    } else {
      const before = entry.members?.size ?? 0;
      advance(entry, run);
      memberCount += (entry.members?.size ?? 0) - before;
    }
  }

  return {
    async newest(roomId, limit) {
      const entry = use(roomId);
      if (entry?.status !== 'ready') return null;
      const { partition, version } = entry;
      const hasMore = entry.hasOlder || entry.messages.length > limit;
      const position = { partition, nextOffset: positions.get(partition) ?? 0 };
      return { messages: entry.messages.slice(-limit), version, hasMore, position };
    },

    async isMember(roomId, userId) {
      return membersOf(entries.get(roomId))?.has(userId) ?? null;
    },

    async open(roomId, partition) {
      const position = positions.get(partition);
      const entry = entries.get(roomId);
      if (position === undefined || entry?.status === 'ready') return null;
      if (entry !== undefined) return entry.position;
      entries.set(roomId, { status: 'open', position, runs: [] });
      shrink();
      return position;
    },

    async fill({ roomId, partition, checkpoint, version, messages, hasOlder, memberIds }) {
      const entry = entries.get(roomId);
      if (entry?.status !== 'open' || checkpoint < entry.position) return false;
      const members = memberIds.length > Math.min(MAX_CACHED_MEMBERS, maxMembers) ? null : new Set(memberIds);
      entries.set(roomId, { status: 'ready', partition, version, messages: [...messages], hasOlder, members });
      memberCount += members?.size ?? 0;
      entry.runs.forEach(applyRun);
      shrink();
      return entries.has(roomId);
    },

    async apply(chunk: CacheChunk) {
      for (const [partition, { from }] of chunk.moves) if (positions.get(partition) !== from) return 'fenced';
      for (const [partition, { to }] of chunk.moves) positions.set(partition, to);
      chunk.dropped.forEach(drop);
      chunk.runs.forEach(applyRun);
      shrink();
      return 'written';
    },

    async positions(partitions) {
      return new Map([...positions].filter(([partition]) => partitions.includes(partition)));
    },

    async start(given) {
      for (const [partition, position] of given) if (!positions.has(partition)) positions.set(partition, position);
    },

    async drop(roomIds) {
      for (const roomId of roomIds === 'all' ? [...entries.keys()] : roomIds) drop(roomId);
    },

    async clear() {
      entries.clear();
      positions.clear();
      memberCount = 0;
    },
  };
}

/** The entry after a run that goes on from it or overlaps it. */
function advance(entry: ReadyEntry, run: RoomRun): void {
  if (run.lastVersion <= entry.version) return;
  for (const { version, userId, isMember } of run.members) {
    if (version <= entry.version) continue;
    if (isMember) entry.members?.add(userId);
    else entry.members?.delete(userId);
  }
  entry.messages.push(...run.messages.filter(({ version }) => version > entry.version));
  entry.hasOlder ||= run.isCut || entry.messages.length > LIMITS.cachedMessages;
  entry.messages.splice(0, Math.max(0, entry.messages.length - LIMITS.cachedMessages));
  entry.version = run.lastVersion;
}

function membersOf(entry: Entry | undefined): Set<string> | null {
  return entry?.status === 'ready' ? entry.members : null;
}
