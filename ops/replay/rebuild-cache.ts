// Fills the hot cache in Redis from PostgreSQL, while everybody goes on reading and writing: rooms come in by the cache's own protocol,
// as they do when they are read.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import { type BringInDeps, bringIn } from '../../read-api/bring-in.ts';

export type RoomPlace = { roomId: string; partition: number };

export type RebuildCounts = { done: number; filled: number; present: number; failed: number };

/** Attempts at one room: one that is written to very fast may outgrow what is kept for it while it is open. */
const ATTEMPTS = 3;
const LANES = 8;

/** The rooms in which something was said last, the newest first. One step of an index a room. */
export async function selectNewestRooms(db: Knex, tables: HistoryTables, limit: number): Promise<RoomPlace[]> {
  const rows = await queryRows<{ room_id: string; partition: number }>(
    db,
    `select room_id, partition from (
       select room_id, partition, created_at_ms,
              (select occurred_at_ms from ${tables.messages} as message
                where message.room_id = room.room_id order by message.version desc limit 1) as said_at_ms
         from ${tables.rooms} as room
     ) as room
      order by coalesce(said_at_ms, created_at_ms) desc, room_id limit ?`,
    [limit],
  );
  return rows.map(({ room_id, partition }) => ({ roomId: room_id, partition }));
}

/**
 * Partitions without a position get that of history: any is right while the cache holds no room of theirs, and whoever keeps the
 * cache goes on from it. Where nobody keeps it, nothing could be filled without one.
 */
export async function givePositions(
  { cache }: Pick<BringInDeps, 'cache'>,
  checkpoints: ReadonlyMap<number, number>,
): Promise<void> {
  const known = await cache.positions([...checkpoints.keys()]);
  const missing = [...checkpoints].filter(([partition]) => !known.has(partition));
  if (missing.length > 0) await cache.start(new Map(missing));
}

/** Brings the rooms in, some at a time in their order. Throws when PostgreSQL or the cache cannot be reached. */
export async function bringInAll(
  deps: BringInDeps,
  rooms: readonly RoomPlace[],
  { signal, counts }: { signal: AbortSignal; counts: RebuildCounts },
): Promise<void> {
  const waiting = rooms.values();
  const failing = new AbortController();
  const lane = async (): Promise<void> => {
    // All lanes take from one iterator.
    for (const { roomId, partition } of waiting) {
      if (signal.aborted || failing.signal.aborted) return;
      const outcome = await bringInPatiently(deps, roomId, partition);
      counts.done += 1;
      counts[outcome] += 1;
    }
  };
  const ends = await Promise.allSettled(
    Array.from({ length: Math.min(LANES, rooms.length) }, () =>
      lane().catch((error: unknown) => {
        failing.abort();
        throw error;
      }),
    ),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** `present`: a reader brought it in meanwhile. */
async function bringInPatiently(
  deps: BringInDeps,
  roomId: string,
  partition: number,
): Promise<'filled' | 'present' | 'failed'> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const outcome = await bringIn(deps, roomId, partition);
    if (outcome === 'filled') return 'filled';
    if (outcome === 'notOpen') return 'present';
  }
  return 'failed';
}
