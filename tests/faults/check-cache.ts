// The hot cache against the fold of the log. A room may be absent; what is there must be right, at the version that it says, and
// where the cache has passed the room's last event that version must be the last one: a reader would see it for ever.
import { isDeepStrictEqual } from 'node:util';
import { LIMITS } from '../../schemas/limits.ts';
import { endsOf } from './check-tables.ts';
import { expectedMessage } from './expected-frames.ts';
import { type FoldedLog, type FoldedRoom, isMemberAt, newestMessages } from './folded-log.ts';
import type { Violations } from './violations.ts';

export type CachedRoom = {
  roomId: string;
  version: number;
  /** The room has older messages than these. */
  hasOlder: boolean;
  /** Ascending. */
  messages: unknown[];
  /** Null where the cache does not know them. */
  memberIds: string[] | null;
};
export type CacheRead = {
  rooms: AsyncIterable<CachedRoom> | Iterable<CachedRoom>;
  /** Up to where events were applied, by partition. */
  checkpoints: ReadonlyMap<number, number>;
};

export async function checkCache(log: FoldedLog, cache: CacheRead, violations: Violations): Promise<void> {
  const ends = endsOf(log);
  for (const [partition, checkpoint] of cache.checkpoints) {
    const head = log.heads.get(partition) ?? 0;
    if (checkpoint > head) violations.add('cache', 'the cache is beyond the log', { partition, checkpoint, head });
  }
  for await (const cached of cache.rooms) {
    const { roomId, version } = cached;
    const room = log.rooms.get(roomId);
    if (room === undefined || version < 1 || version > room.events.length) {
      violations.add('cache', 'a version is cached that is not in the log', { roomId, version });
      continue;
    }
    const end = room.events.length;
    const hasPassed = (cache.checkpoints.get(room.partition) ?? 0) >= (ends.get(room.partition) ?? 0);
    const details = { roomId, version, end };
    if (hasPassed && version < end) violations.add('cache', 'an outdated room stays in the cache', details);
    compare(room, cached, (message, more) => violations.add('cache', message, { ...details, ...more }));
  }
}

function compare(
  room: FoldedRoom,
  { version, hasOlder, messages, memberIds }: CachedRoom,
  tell: (message: string, details: object) => void,
): void {
  const { newest, total } = newestMessages(room, version, LIMITS.cachedMessages);
  if (!isDeepStrictEqual(messages, newest.map(expectedMessage))) {
    tell('cached messages are not those of the log', { cached: messages.length, expected: newest.length });
  }
  if (hasOlder !== total > messages.length) tell('the cache is wrong about older messages', { hasOlder, total });
  if (memberIds === null) return;
  const expected = [...room.memberTimes.keys()].filter((userId) => isMemberAt(room, userId, version)).sort();
  const cached = [...memberIds].sort();
  if (!isDeepStrictEqual(cached, expected)) tell('cached members are not those of the log', { cached, expected });
}
