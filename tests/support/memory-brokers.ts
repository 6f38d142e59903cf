// Brokers in memory that the Kafka adapter's parts talk to in its own protocol's bytes, for what cannot be had of a real broker at
// will: answers that no broker gives yet, leaders that move at a chosen moment, and counts of what was asked.
import { LogUnavailableError } from '../../event-log/event-log.ts';
import { ByteReader } from '../../event-log/kafka/byte-reader.ts';
import { ByteWriter } from '../../event-log/kafka/byte-writer.ts';
import type { KafkaConnection, LeaderConnections } from '../../event-log/kafka/kafka-connections.ts';
import type { FollowerConnections } from '../../event-log/kafka/kafka-follower.ts';
import { encodeAppend } from '../../event-log/kafka/record-batch.ts';
import type { KafkaRequest } from '../../event-log/kafka/requests.ts';

const NOT_LEADER = 6;
/** Times are not part of what these brokers show, so the checksum made with time 0 stays right. */
const NO_TIME = 0;

/** Answers every produce request with one error code and base offset. */
export function brokerAnsweringProduce(errorCode: number, baseOffset: number): LeaderConnections & { retired: number } {
  const broker = {
    retired: 0,
    toLeader: async (): Promise<KafkaConnection> => ({
      send: async (request) => {
        request.encode();
        return request.decode(produceAnswer(errorCode, baseOffset)).answer;
      },
      retire: () => {
        broker.retired++;
      },
    }),
  };
  return broker;
}

export class MemoryBrokers implements FollowerConnections {
  /** Who leads each partition; what a broker that does not lead is asked for, it refuses. */
  readonly leaderByPartition = new Map<number, number>();
  /** How many fetches asked for each partition. */
  readonly fetchesByPartition = new Map<number, number>();
  /** Nodes that cannot be reached. */
  readonly down = new Set<number>();
  /** How often a connection was given up. */
  retired = 0;
  /** The partitions of each fetch that was held. */
  readonly held: number[][] = [];
  readonly #batchesByPartition = new Map<number, Buffer[]>();
  #answered: Promise<void> | null = null;
  #closed = false;

  /** Each batch is one record, whose offset is its index. */
  append(partition: number, texts: readonly string[]): void {
    const batches = this.#batchesByPartition.get(partition) ?? [];
    for (const text of texts) {
      const bytes = encodeAppend([{ key: 'room-memory', value: Buffer.from(text) }], batches.length, NO_TIME);
      bytes.writeBigInt64BE(BigInt(batches.length), 0);
      batches.push(bytes);
    }
    this.#batchesByPartition.set(partition, batches);
  }

  /** From now on fetches are not answered, as those that wait for records. The function answers them, with what there is then. */
  holdFetches(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answered = promise;
    return resolve;
  }

  /** From now on fetches are answered; those that are held stay so. */
  answerFetches(): void {
    this.#answered = null;
  }

  async leaders(partitions: Iterable<number>): Promise<Map<number, number[]>> {
    const partitionsByNode = new Map<number, number[]>();
    for (const partition of partitions) {
      const node = this.leaderByPartition.get(partition) ?? -1;
      partitionsByNode.set(node, [...(partitionsByNode.get(node) ?? []), partition]);
    }
    return partitionsByNode;
  }

  async toNode(node: number): Promise<KafkaConnection> {
    if (this.#closed || this.down.has(node)) throw new LogUnavailableError(`node ${node} is down`);
    return {
      send: (request) => this.#send(node, request),
      retire: () => {
        this.retired++;
      },
    };
  }

  close(): void {
    this.#closed = true;
  }

  async #send<Answer>(node: number, request: KafkaRequest<Answer>): Promise<Answer> {
    // As slow as the next turn of the event loop, so that a follower that never waits does not starve the test.
    await new Promise(setImmediate);
    if (this.#closed || this.down.has(node)) throw new Error('the connection broke');
    const asked = askedOffsets(request.encode());
    for (const { partition } of asked) {
      this.fetchesByPartition.set(partition, (this.fetchesByPartition.get(partition) ?? 0) + 1);
    }
    if (this.#answered !== null) {
      this.held.push(asked.map(({ partition }) => partition));
      await this.#answered;
    }
    return request.decode(this.#fetchAnswer(node, asked)).answer;
  }

  /** One batch of each partition at most, so that backlogs take many fetches. */
  #fetchAnswer(node: number, asked: readonly { partition: number; offset: number }[]): Buffer {
    const writer = new ByteWriter(1_000_000);
    writer.int32(0);
    writer.int16(0);
    writer.int32(0);
    writer.int32(1);
    writer.string('memory');
    writer.int32(asked.length);
    for (const { partition, offset } of asked) {
      const batches = this.#batchesByPartition.get(partition) ?? [];
      const batch = batches[offset] ?? Buffer.alloc(0);
      const leads = this.leaderByPartition.get(partition) === node;
      writer.int32(partition);
      writer.int16(leads ? 0 : NOT_LEADER);
      writer.int64(batches.length);
      writer.int64(batches.length);
      writer.int64(0);
      writer.int32(-1);
      writer.int32(-1);
      writer.int32(leads ? batch.length : 0);
      if (leads) writer.raw(batch);
    }
    return writer.written;
  }
}

function produceAnswer(errorCode: number, baseOffset: number): Buffer {
  const writer = new ByteWriter(100);
  writer.int32(1);
  writer.string('memory');
  writer.int32(1);
  writer.int32(0);
  writer.int16(errorCode);
  writer.int64(baseOffset);
  writer.int64(-1);
  writer.int64(0);
  writer.int32(0);
  return writer.written;
}

function askedOffsets(fetch: Buffer): { partition: number; offset: number }[] {
  const reader = new ByteReader(fetch);
  reader.skip(4 + 4 + 4 + 4 + 1 + 4 + 4);
  reader.int32();
  reader.string();
  const asked: { partition: number; offset: number }[] = [];
  for (let left = reader.int32(); left > 0; left--) {
    const partition = reader.int32();
    reader.skip(4);
    asked.push({ partition, offset: reader.int64() });
    reader.skip(12);
  }
  return asked;
}
