// Reading that ends: ranges, heads, offsets of times.
import type { Time } from '../../platform/time.ts';
import {
  type BatchOf,
  type InspectedBatch,
  type LogBatch,
  LogUnavailableError,
  OffsetOutOfRangeError,
} from '../event-log.ts';
import { LogCorruptError } from './batch-format.ts';
import type { LeaderConnections } from './kafka-connections.ts';
import { decodeBatches, inspectBatches, type RecordDecoder } from './record-batch.ts';
import {
  type FetchedPartition,
  type FetchLimits,
  fetchRequest,
  type KafkaRequest,
  LATEST,
  listOffsetsRequest,
} from './requests.ts';

/** Bytes of one fetch. Small enough that decoding one holds up the process for a few milliseconds only. */
export const FETCH_BYTES = { maxBytes: 4 * 1024 * 1024, maxPartitionBytes: 1024 * 1024 };
/** Milliseconds the broker waits where the high watermark has not come yet to what a writer was already told. */
const READ_LIMITS: FetchLimits = { ...FETCH_BYTES, maxWaitMs: 50 };
/** Milliseconds between two attempts to read. */
const RETRY_MS = 50;

const OFFSET_OUT_OF_RANGE = 1;

export class KafkaReader {
  readonly #connections: LeaderConnections;
  readonly #topic: string;
  readonly #timeoutMs: number;
  readonly #time: Time;

  /** `timeoutMs` bounds every single question, and the time a read may go without getting on. */
  constructor(connections: LeaderConnections, topic: string, timeoutMs: number, time: Time) {
    this.#connections = connections;
    this.#topic = topic;
    this.#timeoutMs = timeoutMs;
    this.#time = time;
  }

  async head(partition: number): Promise<number> {
    return await this.#offset(partition, LATEST);
  }

  async offsetAt(partition: number, timeMs: number): Promise<number> {
    // Negative times mean something else to Kafka; before 1970 nothing was appended.
    const offset = await this.#offset(partition, Math.max(0, Math.ceil(timeMs)));
    return offset >= 0 ? offset : await this.head(partition);
  }

  read(partition: number, from: number, to: number): AsyncGenerator<LogBatch> {
    return this.#read({ partition, from, to }, decodeBatches);
  }

  inspect(partition: number, from: number, to: number): AsyncGenerator<InspectedBatch> {
    return this.#read({ partition, from, to }, inspectBatches);
  }

  async *#read<R extends { offset: number }>(
    { partition, from, to }: { partition: number; from: number; to: number },
    decode: RecordDecoder<R>,
  ): AsyncGenerator<BatchOf<R>> {
    let next = from;
    let progressAt = this.#time.now();
    while (next < to) {
      try {
        const batch = decodeWith(decode, await this.#fetch(partition, next), next);
        if (batch.nextOffset > next) {
          next = Math.min(batch.nextOffset, to);
          yield { ...batch, records: batch.records.filter(({ offset }) => offset < to), nextOffset: next };
          // The time that whoever reads spends on the batch is not ours.
          progressAt = this.#time.now();
          continue;
        }
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        if (this.#time.now() - progressAt > this.#timeoutMs) throw error;
        await this.#time.pause(RETRY_MS);
      }
      if (this.#time.now() - progressAt > this.#timeoutMs) {
        throw new LogUnavailableError(`partition ${partition} cannot be read beyond offset ${next} yet, wanted ${to}`);
      }
    }
  }

  async #fetch(partition: number, from: number): Promise<FetchedPartition> {
    const request = fetchRequest(this.#topic, [{ partition, offset: from }], READ_LIMITS);
    const [fetched] = await this.#ask(partition, request, ([one]) => one?.errorCode ?? 0);
    if (fetched === undefined) throw new LogUnavailableError(`Kafka answered a fetch without partition ${partition}`);
    return fetched;
  }

  async #offset(partition: number, time: number): Promise<number> {
    const request = listOffsetsRequest(this.#topic, partition, time);
    const { errorCode, offset } = await this.#ask(partition, request, (answer) => answer.errorCode);
    if (errorCode !== 0)
      throw new LogUnavailableError(`Kafka answered the question for an offset with error ${errorCode}`);
    return offset;
  }

  /** Asks the leader. Whatever fails is LogUnavailableError; that and an error in the answer make the next question connect anew. */
  async #ask<Answer>(
    partition: number,
    request: KafkaRequest<Answer>,
    errorCodeOf: (answer: Answer) => number,
  ): Promise<Answer> {
    try {
      const connection = await this.#connections.toLeader(partition);
      try {
        const answer = await connection.send(request, this.#timeoutMs);
        if (errorCodeOf(answer) !== 0) connection.retire();
        return answer;
      } catch (error) {
        connection.retire();
        throw error;
      }
    } catch (error) {
      if (error instanceof LogUnavailableError) throw error;
      throw new LogUnavailableError(`Kafka did not answer ${request.apiName}`, { cause: error });
    }
  }
}

/**
 * The batch that a fetch at `from` got. An offset outside the log is OffsetOutOfRangeError and nothing else: kafkajs would go on at
 * the log's end without a word. Every other error passes, also one that is not known: LogUnavailableError.
 */
export function decodeFetched(fetched: FetchedPartition, from: number): LogBatch {
  return decodeWith(decodeBatches, fetched, from);
}

function decodeWith<R>(decode: RecordDecoder<R>, fetched: FetchedPartition, from: number): BatchOf<R> {
  const { partition, errorCode, bytes, start, end } = fetched;
  if (errorCode === OFFSET_OUT_OF_RANGE) {
    throw new OffsetOutOfRangeError(
      `offset ${from} of partition ${partition} is not in the log: records were deleted, or the log is not the one it was`,
    );
  }
  if (errorCode !== 0)
    throw new LogUnavailableError(`Kafka answered the fetch of partition ${partition} with error ${errorCode}`);
  try {
    const { records, nextOffset } = decode(bytes, start, end, from);
    return { partition, records, nextOffset, head: Math.max(fetched.head, nextOffset) };
  } catch (error) {
    if (!(error instanceof LogCorruptError)) throw error;
    throw new LogCorruptError(`partition ${partition}, ${error.message}`, { cause: error });
  }
}
