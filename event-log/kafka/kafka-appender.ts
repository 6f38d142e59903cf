// Appends and barriers. One append of a partition is in flight at a time, none is ever repeated here, and every one ends within its
// deadline as one of: it is there, it is not and never will be, nobody knows.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { withDeadline } from '../../platform/lifecycle.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { type AppendResult, LogUnavailableError, type NewRecord, OutcomeUnknownError } from '../event-log.ts';
import type { FailedPartitions } from './failed-partitions.ts';
import type { KafkaConnection, LeaderConnections } from './kafka-connections.ts';
import { encodeAppend, encodeBarrier } from './record-batch.ts';
import { produceRequest } from './requests.ts';

/**
 * Bytes of one encoded append; the topic must take that many. Group commit stops at LIMITS.appendBytes, so a larger one is a bug
 * of the caller, unless a single record is that large.
 */
export const MAX_BATCH_BYTES = 2 * LIMITS.appendBytes;

/**
 * The only answers that mean "not written": the broker gives them before it writes. All others, also those that it may invent
 * one day, mean that the outcome is unknown. NOT_LEADER_OR_FOLLOWER (6) is not among these: a leader that has written the batch
 * and is deposed while it waits for the other replicas says that, too. The same holds for NOT_ENOUGH_REPLICAS_AFTER_APPEND (20).
 */
const NEVER_WRITTEN: ReadonlyMap<number, string> = new Map([
  [10, 'the batch is larger than the topic takes'],
  [18, 'the batch is larger than a segment of the topic'],
  [19, 'too few replicas are in sync'],
  [29, 'writing to the topic is not allowed'],
  [87, 'the broker found a record invalid'],
]);

/** The broker failed inside, before it wrote, behind it, or in between. */
const UNKNOWN_SERVER_ERROR = -1;

export class KafkaAppender {
  readonly #lanes: readonly LeaderConnections[];
  readonly #topic: string;
  readonly #timeoutMs: number;
  readonly #failed: Pick<FailedPartitions, 'has' | 'add'>;
  readonly #inFlight = new Set<number>();

  /** A partition always uses the same one of `lanes`. `timeoutMs` bounds each append and barrier. */
  constructor(
    lanes: readonly LeaderConnections[],
    topic: string,
    timeoutMs: number,
    failed: Pick<FailedPartitions, 'has' | 'add'>,
  ) {
    assert.ok(lanes.length > 0);
    this.#failed = failed;
    this.#lanes = lanes;
    this.#topic = topic;
    this.#timeoutMs = timeoutMs;
  }

  /** See EventLog.append. LogUnavailableError: nothing was written, nor ever will be. */
  async append(partition: number, expectedOffset: number, records: readonly NewRecord[]): Promise<AppendResult> {
    assert.ok(
      !this.#inFlight.has(partition),
      `partition ${partition} has an append in flight: a second one could overtake it`,
    );
    this.#inFlight.add(partition);
    try {
      const baseOffset = await this.#produce(partition, encodeAppend(records, expectedOffset, Date.now()));
      if (baseOffset === expectedOffset) return { kind: 'appended', firstOffset: baseOffset };
      return { kind: 'conflict', head: baseOffset + records.length };
    } finally {
      this.#inFlight.delete(partition);
    }
  }

  /** See EventLog.barrier. A barrier whose outcome is unknown does no harm, and the caller writes another one. */
  async barrier(partition: number): Promise<number> {
    try {
      return await this.#produce(partition, encodeBarrier(randomUUID(), Date.now()));
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError)) throw error;
      throw new LogUnavailableError(`the barrier was not confirmed: ${error.message}`, { cause: error });
    }
  }

  /** The offset at which the batch lies. The deadline counts from here: opening connections is part of it. */
  async #produce(partition: number, batch: Buffer): Promise<number> {
    assert.ok(batch.length <= MAX_BATCH_BYTES, `an append of ${batch.length} bytes is larger than ${MAX_BATCH_BYTES}`);
    if (this.#failed.has(partition)) {
      throw new LogUnavailableError(
        `Kafka failed inside as it wrote to partition ${partition}: it is not written to until that broker is started anew`,
      );
    }
    const deadline = performance.now() + this.#timeoutMs;
    const connection = await this.#connect(partition, this.#timeoutMs);
    const leftMs = Math.max(1, deadline - performance.now());
    const answer = await this.#send(connection, partition, batch, leftMs);
    if (answer.errorCode === 0) return answer.baseOffset;
    connection.retire();
    const refusal = NEVER_WRITTEN.get(answer.errorCode);
    if (answer.errorCode === UNKNOWN_SERVER_ERROR) this.#failed.add(partition);
    if (refusal !== undefined) throw new LogUnavailableError(`Kafka refused the append: ${refusal}`);
    throw new OutcomeUnknownError(`Kafka answered the append with error ${answer.errorCode}`);
  }

  async #connect(partition: number, timeoutMs: number): Promise<KafkaConnection> {
    const lane = this.#lanes[partition % this.#lanes.length];
    assert.ok(lane !== undefined);
    try {
      return await withDeadline(lane.toLeader(partition), timeoutMs);
    } catch (error) {
      if (error instanceof LogUnavailableError) throw error;
      throw new LogUnavailableError('Kafka cannot be reached in time', { cause: error });
    }
  }

  async #send(connection: KafkaConnection, partition: number, batch: Buffer, timeoutMs: number) {
    try {
      const request = produceRequest(this.#topic, partition, batch, Math.ceil(timeoutMs));
      return await connection.send(request, timeoutMs);
    } catch (error) {
      // From here on bytes may have left. An answer that comes after the deadline finds nobody waiting, which is as it should be.
      connection.retire();
      throw new OutcomeUnknownError('the append got no answer from Kafka', { cause: error });
    }
  }
}
