// How long a projector that is not behind waits after a chunk. A quiet room's event is projected at once; under load what comes
// meanwhile shares a fetch and a transaction, which cost more than its rows, and the more so the less time there is for them: a chunk
// that took long is followed by a long rest, so on a machine that has too much to do history steps back from the live feed.
export const CHUNK_REST = {
  /** Milliseconds from one chunk's beginning to the next one's at least. */
  leastMs: 20,
  /** For each millisecond that the chunk took. */
  perMs: 2,
  /** What history may be older under load because of it. */
  mostMs: 100,
};

/** Milliseconds to rest after a chunk that took so many. */
export function restAfter(tookMs: number): number {
  const { leastMs, perMs, mostMs } = CHUNK_REST;
  return Math.min(Math.max(leastMs - tookMs, tookMs * perMs), mostMs);
}
