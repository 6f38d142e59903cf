// THE PORT of what a projection writes to: a place that keeps both the rows and how far it has read, and changes them together.
// Two stand behind it: tables in PostgreSQL (postgres-sink.ts) and the hot cache (cache/cache-sink.ts).
import type { LogRecord } from '../event-log/event-log.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';

/** A record with what it says, or with why it cannot be read. */
export type ProjectedRecord = {
  partition: number;
  record: LogRecord;
  content: { event: ChatEvent } | { fault: string };
};

/** Records in the order of the log within each partition, and how far they move each partition's checkpoint. */
export type Chunk = {
  records: readonly ProjectedRecord[];
  moves: ReadonlyMap<number, { from: number; to: number }>;
};

/**
 * `fenced`: the checkpoint is not where this projector left it, so somebody else projects the same. Nothing was written; load
 * again and go on from there.
 */
export type WriteOutcome = 'written' | 'fenced';

export type Sink = {
  /**
   * The next offset of each of these partitions, which from now on are the projector's own; none of others. Without partitions it
   * asks nobody. Throws an error with `retryable` where trying again can help.
   */
  load(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * Writes all of the chunk and moves the checkpoints, or does neither. Throws an error with `retryable` where trying again can
   * help; the outcome is unknown then, and writing the same chunk again is safe: if it was written after all, it is fenced.
   */
  write(chunk: Chunk): Promise<WriteOutcome>;
};
