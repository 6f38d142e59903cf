// The event log on Kafka: one topic, appended to by predicted offsets (docs/decisions/0001-predicted-offsets.md) and read by fetches of
// our own (docs/decisions/0004-kafka-fetch.md).
//
// An append is acknowledged when all in-sync replicas have it. With one replica that is its memory: it outlives a crash of the
// process, and a power cut only if the broker runs with log.flush.interval.messages=1.
import assert from 'node:assert/strict';
import { systemTime } from '../../platform/time.ts';
import {
  type AppendResult,
  type EventLog,
  type FollowOptions,
  type InspectedBatch,
  type LogBatch,
  type LogFollower,
  LogUnavailableError,
  type NewRecord,
} from '../event-log.ts';
import { FailedPartitions } from './failed-partitions.ts';
import { KafkaAppender } from './kafka-appender.ts';
import { KafkaConnections } from './kafka-connections.ts';
import { KafkaFollower } from './kafka-follower.ts';
import { connectionOptions, type KafkaTopicOptions, openOnTopic } from './kafka-opening.ts';
import { KafkaReader } from './kafka-reader.ts';

export type KafkaEventLogOptions = KafkaTopicOptions & {
  /** Milliseconds until an append without an answer ends as OutcomeUnknownError. Default 1,500. */
  appendTimeoutMs?: number;
  /** Milliseconds that a single question may take, and that a read may go without getting on. Default 2,000. */
  readTimeoutMs?: number;
};

/**
 * Sets of connections that appends are spread over, by partition, when there are replicas to wait for. A broker begins with the
 * next request of a connection only when the replicas have the last one, so on one connection partitions wait for each other.
 */
const APPEND_LANES = 8;
/**
 * Creates the topic where there is none, checks it, and opens the log. Throws LogSettingsError, naming all that is wrong, or
 * LogUnavailableError when Kafka was not there in openTimeoutMs.
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  return await openOnTopic('events', options, () => openWhenLed(options));
}

/** Brokers learn of a new topic one after the other and refuse it until then; so all partitions are asked for their heads first. */
async function openWhenLed(options: KafkaEventLogOptions): Promise<EventLog> {
  const eventLog = new KafkaEventLog(options);
  try {
    await Promise.all(Array.from({ length: options.partitions }, (_, partition) => eventLog.head(partition)));
    return eventLog;
  } catch (error) {
    await eventLog.close();
    throw error;
  }
}

class KafkaEventLog implements EventLog {
  readonly partitions: number;
  readonly #options: KafkaEventLogOptions;
  readonly #appending: readonly KafkaConnections[];
  readonly #reading: KafkaConnections;
  readonly #failed: FailedPartitions;
  readonly #appender: KafkaAppender;
  readonly #reader: KafkaReader;
  readonly #followers = new Set<KafkaFollower>();
  #closed = false;

  constructor(options: KafkaEventLogOptions) {
    const { topic, appendTimeoutMs = 1_500, readTimeoutMs = 2_000 } = options;
    this.partitions = options.partitions;
    this.#options = options;
    const lanes = options.replicationFactor === 1 ? 1 : APPEND_LANES;
    this.#appending = Array.from(
      { length: lanes },
      () => new KafkaConnections(connectionOptions(options, appendTimeoutMs)),
    );
    this.#reading = new KafkaConnections(connectionOptions(options, readTimeoutMs));
    const openWatch = (): KafkaConnections => new KafkaConnections(connectionOptions(options, appendTimeoutMs));
    this.#failed = new FailedPartitions(openWatch, topic, systemTime);
    this.#appender = new KafkaAppender(this.#appending, topic, appendTimeoutMs, this.#failed);
    this.#reader = new KafkaReader(this.#reading, topic, readTimeoutMs, systemTime);
  }

  append(partition: number, expectedOffset: number, records: readonly NewRecord[]): Promise<AppendResult> {
    this.#assertPartition(partition);
    return this.#appender.append(partition, expectedOffset, records);
  }

  barrier(partition: number): Promise<number> {
    this.#assertPartition(partition);
    return this.#appender.barrier(partition);
  }

  head(partition: number): Promise<number> {
    this.#assertPartition(partition);
    return this.#reader.head(partition);
  }

  offsetAt(partition: number, timeMs: number): Promise<number> {
    this.#assertPartition(partition);
    return this.#reader.offsetAt(partition, timeMs);
  }

  read(partition: number, from: number, to: number): AsyncIterable<LogBatch> {
    this.#assertPartition(partition);
    return this.#reader.read(partition, from, to);
  }

  inspect(partition: number, from: number, to: number): AsyncIterable<InspectedBatch> {
    this.#assertPartition(partition);
    return this.#reader.inspect(partition, from, to);
  }

  follow(options: FollowOptions): LogFollower {
    for (const partition of options.from.keys()) this.#assertPartition(partition);
    const { topic, log, readTimeoutMs = 2_000 } = this.#options;
    if (this.#closed) throw new LogUnavailableError('the event log is closed');
    const connections = new KafkaConnections(connectionOptions(this.#options, readTimeoutMs));
    const follower = new KafkaFollower({ connections, topic, log }, options);
    this.#followers.add(follower);
    return {
      run: () => follower.run().finally(() => this.#followers.delete(follower)),
      stop: () => follower.stop(),
      add: (partition, from) => {
        this.#assertPartition(partition);
        follower.add(partition, from);
      },
      remove: (partition) => follower.remove(partition),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#followers].map((follower) => follower.stop()));
    for (const connections of this.#appending) connections.close();
    this.#reading.close();
    this.#failed.close();
  }

  #assertPartition(partition: number): void {
    assert.ok(
      partition >= 0 && partition < this.partitions,
      `the log has ${this.partitions} partitions, not ${partition}`,
    );
  }
}
