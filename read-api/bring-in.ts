// Brings one room into the hot cache: what the cache's port says about `open` and `fill` (projections/cache/room-cache.ts), seen from
// whoever reads PostgreSQL.
import type { RoomCache } from '../projections/cache/room-cache.ts';
import { LIMITS } from '../schemas/limits.ts';
import type { PositionWaiter } from './position-waiter.ts';
import type { Queries } from './queries/queries.ts';

export type BringInDeps = { cache: RoomCache; queries: Pick<Queries, 'roomSnapshot'>; positions: PositionWaiter };

/**
 * `notOpen`: it is in already, or its partition has no position. `notFilled`: history is behind the cache for too long, has no such
 * room, or the room was dropped meanwhile; trying again may help. Throws when PostgreSQL or the cache cannot be reached.
 */
export async function bringIn(
  { cache, queries, positions }: BringInDeps,
  roomId: string,
  partition: number,
): Promise<'filled' | 'notOpen' | 'notFilled'> {
  const position = await cache.open(roomId, partition);
  if (position === null) return 'notOpen';
  // The position is the next offset that the cache has not passed: history must have what lies just below it.
  if ((await positions.wait({ partition, offset: position - 1 })) !== 'reached') return 'notFilled';
  const snapshot = await queries.roomSnapshot(roomId, LIMITS.cachedMessages + 1);
  if (snapshot === null) return 'notFilled';
  const { checkpoint, version, members } = snapshot;
  const messages = snapshot.messages.slice(-LIMITS.cachedMessages);
  const hasOlder = snapshot.messages.length > messages.length;
  const memberIds = members.map(({ userId }) => userId);
  const isIn = await cache.fill({ roomId, partition, checkpoint, version, messages, hasOlder, memberIds });
  return isIn ? 'filled' : 'notFilled';
}
