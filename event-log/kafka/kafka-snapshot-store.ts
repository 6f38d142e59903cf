// The snapshot store on Kafka: a compacted topic beside the event topic, with as many partitions. A write is a few produce requests,
// one after the other; a read is everything from the topic's first offset to its end.
//
// Compaction may remove a record while it is read, but only where a newer one of its key lies further on. So a reader that goes on
// to the end there is when it arrives has seen a newer value of every key that it has missed, and it does so: a bound set at the
// beginning could lie before that newer one.
import assert from 'node:assert/strict';
import { withDeadline } from '../../platform/lifecycle.ts';
import {
  MAX_SNAPSHOT_VALUE_BYTES,
  type SnapshotEntry,
  type SnapshotStore,
  SnapshotStoreError,
} from '../snapshot-store.ts';
import { WriteTurns } from '../write-turns.ts';
import { KafkaConnections } from './kafka-connections.ts';
import { connectionOptions, type KafkaTopicOptions, openOnTopic } from './kafka-opening.ts';
import {
  EARLIEST,
  type FetchedPartition,
  type FetchLimits,
  fetchRequest,
  type KafkaRequest,
  listOffsetsRequest,
  produceRequest,
} from './requests.ts';
import { decodeEntries, encodeEntries } from './snapshot-batch.ts';

export type KafkaSnapshotStoreOptions = KafkaTopicOptions & {
  /** Milliseconds that any single request may take. Default 3,000. */
  requestTimeoutMs?: number;
};

/** Bytes of one fetch. It is decoded in one go, which holds up the process for about ten milliseconds; smaller ones ask more often. */
const FETCH_BYTES = 8 * 1024 * 1024;
const READ_LIMITS: FetchLimits = { maxBytes: FETCH_BYTES, maxPartitionBytes: FETCH_BYTES, maxWaitMs: 10 };

/**
 * Creates the topic where there is none, checks it, and opens the store. Throws LogSettingsError, naming all that is wrong, or
 * LogUnavailableError when Kafka was not there in openTimeoutMs.
 */
export async function openKafkaSnapshotStore(options: KafkaSnapshotStoreOptions): Promise<SnapshotStore> {
  return await openOnTopic('snapshots', options, async () => {
    const store = new KafkaSnapshotStore(options);
    try {
      await Promise.all(Array.from({ length: options.partitions }, (_, partition) => store.firstOffset(partition)));
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  });
}

class KafkaSnapshotStore implements SnapshotStore {
  readonly #topic: string;
  readonly #partitions: number;
  readonly #timeoutMs: number;
  /** A broker works off one request of a connection at a time, so reading has its own. */
  readonly #writing: KafkaConnections;
  readonly #reading: KafkaConnections;
  readonly #turns = new WriteTurns();

  constructor(options: KafkaSnapshotStoreOptions) {
    const { requestTimeoutMs = 3_000 } = options;
    this.#topic = options.topic;
    this.#partitions = options.partitions;
    this.#timeoutMs = requestTimeoutMs;
    this.#writing = new KafkaConnections(connectionOptions(options, requestTimeoutMs));
    this.#reading = new KafkaConnections(connectionOptions(options, requestTimeoutMs));
  }

  async write(partition: number, entries: readonly SnapshotEntry[]): Promise<void> {
    this.#assertPartition(partition);
    for (const { key, value } of entries) {
      assert.ok((value?.length ?? 0) <= MAX_SNAPSHOT_VALUE_BYTES, `the value of ${key} has ${value?.length} bytes`);
    }
    await this.#turns.take(partition, async () => {
      for (const batch of encodeEntries(entries, Date.now())) await this.#produce(partition, batch);
    });
  }

  async *read(partition: number): AsyncGenerator<readonly SnapshotEntry[]> {
    this.#assertPartition(partition);
    let next = await this.firstOffset(partition);
    while (true) {
      const { head, bytes, start, end } = await this.#fetch(partition, next);
      const { entries, nextOffset } = decodeOrFail(bytes, start, end, next);
      yield entries;
      // Below the head there may be nothing any more: compaction removes the newest records too when they are old enough.
      if (nextOffset >= head || start === end) return;
      if (nextOffset === next) throw new SnapshotStoreError(`Kafka gave no whole batch at offset ${next}`);
      next = nextOffset;
    }
  }

  async close(): Promise<void> {
    this.#writing.close();
    this.#reading.close();
  }

  /** The first offset that is still there. Throws SnapshotStoreError. */
  async firstOffset(partition: number): Promise<number> {
    const request = listOffsetsRequest(this.#topic, partition, EARLIEST);
    return (await this.#ask(this.#reading, partition, request, (answer) => answer.errorCode)).offset;
  }

  async #produce(partition: number, batch: Buffer): Promise<void> {
    const request = produceRequest(this.#topic, partition, batch, this.#timeoutMs);
    await this.#ask(this.#writing, partition, request, (answer) => answer.errorCode);
  }

  async #fetch(partition: number, from: number): Promise<FetchedPartition> {
    const request = fetchRequest(this.#topic, [{ partition, offset: from }], READ_LIMITS);
    const [fetched] = await this.#ask(this.#reading, partition, request, ([one]) => one?.errorCode ?? 0);
    if (fetched === undefined) throw new SnapshotStoreError(`Kafka answered a fetch without partition ${partition}`);
    return fetched;
  }

  /** Asks the leader. An error in the answer, and no answer, are SnapshotStoreError; then the next request connects anew. */
  async #ask<Answer>(
    connections: KafkaConnections,
    partition: number,
    request: KafkaRequest<Answer>,
    errorCodeOf: (answer: Answer) => number,
  ): Promise<Answer> {
    let answer: Answer;
    try {
      const connection = await withDeadline(connections.toLeader(partition), this.#timeoutMs);
      try {
        answer = await connection.send(request, this.#timeoutMs);
        if (errorCodeOf(answer) !== 0) connection.retire();
      } catch (error) {
        connection.retire();
        throw error;
      }
    } catch (error) {
      throw new SnapshotStoreError(`Kafka did not answer ${request.apiName} for snapshots`, { cause: error });
    }
    const errorCode = errorCodeOf(answer);
    if (errorCode === 0) return answer;
    throw new SnapshotStoreError(`Kafka answered ${request.apiName} for snapshots with error ${errorCode}`);
  }

  #assertPartition(partition: number): void {
    assert.ok(partition >= 0 && partition < this.#partitions, `there are ${this.#partitions} partitions`);
  }
}

/** Bytes that are no snapshots are as good as a store that does not answer: there is the log. */
function decodeOrFail(bytes: Buffer, start: number, end: number, from: number): ReturnType<typeof decodeEntries> {
  try {
    return decodeEntries(bytes, start, end, from);
  } catch (error) {
    throw new SnapshotStoreError('the snapshot topic cannot be read', { cause: error });
  }
}
