// Follows a log for the contract's cases and keeps what is handed out.
import assert from 'node:assert/strict';
import type { EventLog, LogBatch, LogFollower, LogRecord } from '../event-log.ts';
import { checkBatch } from './log-probe.ts';

export type Collected = {
  of(partition: number): LogRecord[];
  nextOffset(partition: number): number;
  add(partition: number, from: number): void;
  /** From its end on a batch of the partition is a failure, until it is added again. */
  remove(partition: number): Promise<void>;
  /** Stops the follower and fails if it had failed. */
  stop(): Promise<void>;
};

/** Every batch is checked against the one before it. `handle`, where given, takes its time with each. */
export function collect(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  handle: (batch: LogBatch) => Promise<void> | void = () => undefined,
): Collected {
  const recordsByPartition = new Map<number, LogRecord[]>();
  const nextByPartition = new Map(from);
  const nextOffset = (partition: number) => nextByPartition.get(partition) ?? 0;
  const follower: LogFollower = log.follow({
    from,
    handle: async (batch) => {
      const { partition, records } = batch;
      const next = nextByPartition.get(partition);
      assert.ok(next !== undefined, `partition ${partition} was removed`);
      nextByPartition.set(partition, checkBatch(batch, partition, next));
      recordsByPartition.set(partition, [...(recordsByPartition.get(partition) ?? []), ...records]);
      await handle(batch);
    },
  });
  const running = follower.run();
  // The failure is reported by stop(); without a handler here it would count as unhandled until then.
  running.catch(() => undefined);
  return {
    of: (partition) => recordsByPartition.get(partition) ?? [],
    nextOffset,
    add: (partition, offset) => {
      recordsByPartition.set(partition, []);
      nextByPartition.set(partition, offset);
      follower.add(partition, offset);
    },
    remove: async (partition) => {
      await follower.remove(partition);
      nextByPartition.delete(partition);
    },
    stop: async () => {
      await follower.stop();
      await running;
    },
  };
}
