// The write side over a log in memory, and what a test asks of it.
import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { Executor } from '../../commands/executor.ts';
import { createCommandMetrics } from '../../commands/metrics.ts';
import type { PartitionOwnerDeps } from '../../commands/partition-owner.ts';
import { type Codec, openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import { uuidv7Ids } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import { systemTime } from '../../platform/time.ts';
import { type Accepted, type Command, streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { isRejection, type Rejection, type RejectionCode } from '../../schemas/rejections.ts';

export const testCodec: Codec = await openCodec(folderSchemas());

export type WriteSide = {
  executor: Executor;
  registry: Registry;
  execute(command: Command): Promise<Accepted | Rejection>;
  /** The value of a counter or gauge, summed over its labels. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
};

/** Reads and owns every partition of the log. */
export async function openWriteSide(
  log: EventLog,
  more: Partial<Pick<PartitionOwnerDeps, 'snapshots' | 'eventsPerSnapshot' | 'time'>> = {},
): Promise<WriteSide> {
  const registry = new Registry();
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  const executor = new Executor({
    log,
    codec: testCodec,
    ids: uuidv7Ids,
    logger: createLogger('test', 'silent'),
    metrics: createCommandMetrics(registry),
    written: null,
    snapshots: null,
    time: systemTime,
    ...more,
  });
  const running = executor.run();
  executor.assign(partitions);
  await executor.loaded();
  return {
    executor,
    registry,
    execute: (command) => executor.execute(partitionOf(streamOfRoom(command.body.roomId), log.partitions), command),
    metric: async (name) => {
      const metric = await registry.getSingleMetric(name)?.get();
      return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    stop: async () => {
      await executor.stop();
      await running;
    },
  };
}

/** All events of the log, with where they lie. */
export async function eventsOf(log: EventLog): Promise<{ partition: number; offset: number; event: ChatEvent }[]> {
  const found: { partition: number; offset: number; event: ChatEvent }[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const head = await log.head(partition);
    for await (const { records } of log.read(partition, 0, head))
      for (const { offset, value } of records) found.push({ partition, offset, event: testCodec.decode(value) });
  }
  return found;
}

export function mustAccept(answer: Accepted | Rejection): Accepted {
  assert.ok(!isRejection(answer), `refused: ${JSON.stringify(answer)}`);
  return answer;
}

export function assertRejected(answer: Accepted | Rejection, code: RejectionCode): void {
  assert.ok(isRejection(answer), `accepted: ${JSON.stringify(answer)}`);
  assert.equal(answer.rejected, code);
}
