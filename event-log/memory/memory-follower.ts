// Follows partitions of a memory log: one loop per partition, woken when something lands.
import { type FollowOptions, type LogBatch, type LogFollower, LogUnavailableError } from '../event-log.ts';
import { type FollowPartition, PartitionLoops } from '../partition-loops.ts';
import type { MemoryConnection } from './memory-connection.ts';
import type { MemoryStore } from './memory-store.ts';

const RETRY_MS = 20;

export function createMemoryFollower(
  store: MemoryStore,
  connection: MemoryConnection,
  options: FollowOptions,
  batchEntries: number,
): LogFollower {
  /** Null while the log cannot be reached. */
  async function ask(partition: number, from: number): Promise<LogBatch | null> {
    try {
      return await connection.ask('read', () => store.batch(partition, from, Number.MAX_SAFE_INTEGER, batchEntries));
    } catch (error) {
      if (error instanceof LogUnavailableError) return null;
      throw error;
    }
  }

  const follow: FollowPartition = async (partition, from, hand, signal) => {
    let next = from;
    while (!signal.aborted) {
      const landing = nextLanding(store, partition, signal);
      try {
        const batch = await ask(partition, next);
        if (batch === null) landing.expectSoon();
        else if (batch.nextOffset > next) {
          await hand(batch);
          next = batch.nextOffset;
          continue;
        }
        await landing.happened;
      } finally {
        landing.forget();
      }
    }
  };

  return new PartitionLoops(options, follow);
}

/** `happened` resolves when something lands, on abort, or after `expectSoon` in a moment. */
function nextLanding(
  store: MemoryStore,
  partition: number,
  signal: AbortSignal,
): { happened: Promise<void>; expectSoon: () => void; forget: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  const unwatch = store.watch(partition, resolve);
  signal.addEventListener('abort', onAbort);
  return {
    happened: promise,
    expectSoon: () => setTimeout(resolve, RETRY_MS),
    forget: () => {
      unwatch();
      signal.removeEventListener('abort', onAbort);
    },
  };
}
