// Lets a reader who names no position see what was acknowledged before it asked, as far as that is known and history gets there
// soon: a client that creates a room and reads it at once needs no header for that. Hot pages do not come this way; they are
// as new as the cache, which events reach before history.
import type { WrittenPositions } from '../platform/written-positions.ts';
import { LIMITS } from '../schemas/limits.ts';
import type { PositionWaiter } from './position-waiter.ts';
import type { RoomFor } from './queries/members.ts';
import type { Queries } from './queries/queries.ts';
import type { RoomPage } from './queries/room-pages.ts';
import type { Standing } from './standing.ts';

/** The queries, of which those that a request begins with say how far behind they are. */
export type FreshQueries = Omit<Queries, 'roomFor' | 'roomPage'> & {
  roomFor(...question: Parameters<Queries['roomFor']>): Promise<(RoomFor & { standing: Standing }) | null>;
  roomPage(...question: Parameters<Queries['roomPage']>): Promise<RoomPage & { standing: Standing }>;
};

/** Milliseconds for which a look at the checkpoints serves lists of rooms: about the time between two chunks of a projector. */
const LOOK_MS = 20;

/**
 * Puts those queries behind a wait of at most LIMITS.freshReadMs; then history answers as it is. Without `written` nobody waits, for
 * nothing is known of what was acknowledged.
 */
export function freshQueries(
  queries: Queries,
  positions: PositionWaiter,
  written: WrittenPositions | null,
): FreshQueries {
  const catchUp = async (): Promise<ReadonlyMap<number, number>> => {
    const last = (await written?.last()) ?? new Map<number, number>();
    const waits = [...last].map(([partition, offset]) => positions.wait({ partition, offset }, LIMITS.freshReadMs));
    await Promise.all(waits);
    return last;
  };
  return {
    ...queries,
    roomFor: async (...question) => {
      const last = await catchUp();
      const found = await queries.roomFor(...question);
      if (found === null) return null;
      return { ...found, standing: { nextOffsets: new Map([[found.partition, found.checkpoint]]), written: last } };
    },
    roomPage: async (...question) => {
      const last = await catchUp();
      // Before the page, so that the page has at least that.
      const nextOffsets = await positions.checkpoints(LOOK_MS);
      return { ...(await queries.roomPage(...question)), standing: { nextOffsets, written: last } };
    },
  };
}
