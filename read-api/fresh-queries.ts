// Lets a reader who names no position see what was acknowledged before it asked, as far as that is known and history gets there
// soon: a client that creates a room and reads it at once needs no header for that. Hot pages do not come this way; they are
// as new as the cache, which events reach before history.
import type { WrittenPositions } from '../platform/written-positions.ts';
import { LIMITS } from '../schemas/limits.ts';
import type { PositionWaiter } from './position-waiter.ts';
import type { Queries } from './queries/queries.ts';

/** The queries that a request begins with, each behind a wait of at most LIMITS.freshReadMs; then history answers as it is. */
export function freshQueries(queries: Queries, positions: PositionWaiter, written: WrittenPositions): Queries {
  const catchUp = async (): Promise<void> => {
    const last = await written.last();
    const waits = [...last].map(([partition, offset]) => positions.wait({ partition, offset }, LIMITS.freshReadMs));
    await Promise.all(waits);
  };
  return {
    ...queries,
    roomFor: async (...question) => {
      await catchUp();
      return queries.roomFor(...question);
    },
    roomPage: async (...question) => {
      await catchUp();
      return queries.roomPage(...question);
    },
  };
}
