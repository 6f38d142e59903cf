// The write side over a log in memory, and what a test asks of it.
import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { Executor } from '../../commands/executor.ts';
import { createCommandMetrics } from '../../commands/metrics.ts';
import { PartitionOwner, type PartitionOwnerDeps } from '../../commands/partition-owner.ts';
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

export type WriteSide = Running & { executor: Executor };
export type OwnerSide = Running & { owner: PartitionOwner };

type Running = {
  registry: Registry;
  execute(command: Command): Promise<Accepted | Rejection>;
  /** The value of a counter or gauge, or the count of a histogram, summed over its labels but for those given. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  stop(): Promise<void>;
};

type MoreDeps = Partial<Pick<PartitionOwnerDeps, 'snapshots' | 'eventsPerSnapshot' | 'time' | 'written'>>;

/** Reads and owns every partition of the log. */
export async function openWriteSide(log: EventLog, more: MoreDeps = {}): Promise<WriteSide> {
  const registry = new Registry();
  const executor = new Executor(ownerDeps(log, registry, more));
  executor.assign(Array.from({ length: log.partitions }, (_, partition) => partition));
  const execute = (command: Command) =>
    executor.execute(partitionOf(streamOfRoom(command.body.roomId), log.partitions), command);
  return { executor, ...(await runOwner(executor, execute, registry)) };
}

/** Reads and owns the first partition of the log. */
export async function openOwner(log: EventLog, more: MoreDeps = {}): Promise<OwnerSide> {
  const registry = new Registry();
  const owner = new PartitionOwner(0, ownerDeps(log, registry, more));
  return { owner, ...(await runOwner(owner, (command) => owner.execute(command), registry)) };
}

function ownerDeps(log: EventLog, registry: Registry, more: MoreDeps): PartitionOwnerDeps {
  return {
    log,
    codec: testCodec,
    ids: uuidv7Ids,
    logger: createLogger('test', 'silent'),
    metrics: createCommandMetrics(registry),
    written: null,
    snapshots: null,
    time: systemTime,
    ...more,
  };
}

async function runOwner(
  owner: Executor | PartitionOwner,
  execute: Running['execute'],
  registry: Registry,
): Promise<Running> {
  const running = owner.run();
  await owner.loaded();
  return {
    registry,
    execute,
    metric: async (name, labels = {}) => {
      const { values = [], type } = (await registry.getSingleMetric(name)?.get()) ?? {};
      const wanted = Object.entries(labels);
      return values
        .filter(
          (value) => String(type) !== 'histogram' || ('metricName' in value && value.metricName === `${name}_count`),
        )
        .filter((value) => wanted.every(([label, text]) => (value.labels as Record<string, unknown>)[label] === text))
        .reduce((sum, { value }) => sum + value, 0);
    },
    stop: async () => {
      await owner.stop();
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
