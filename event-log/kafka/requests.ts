// The three requests the adapter speaks: Produce v7, Fetch v11 and ListOffsets v3, each for one topic. All brokers from 2.3 to 4.x
// speak them. kafkajs has them too; its decoders throw away what other partitions got when one has an error, hide where a batch
// ends, and cost two to three times the processor time (docs/decisions/0004-kafka-fetch.md).
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

export type KafkaRequest<Answer> = {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  encode(): Buffer;
  decode(payload: Buffer): { throttleMs: number; answer: Answer };
};

/** Milliseconds, bytes: what the broker waits for and gives at most. */
export type FetchLimits = { maxWaitMs: number; maxBytes: number; maxPartitionBytes: number };

/** What a fetch got of one partition: record batches in bytes[start, end). `head` is the high watermark. */
export type FetchedPartition = {
  partition: number;
  errorCode: number;
  head: number;
  bytes: Buffer;
  start: number;
  end: number;
};

/** What listOffsets looks for besides a time: the next offset to be written, and the first that is still there. */
export const LATEST = -1;
export const EARLIEST = -2;

const NO_REPLICA = -1;
const READ_UNCOMMITTED = 0;
const ALL_REPLICAS = -1;

/** Every broker must speak these versions; checked at the first connection. */
export const SPOKEN_VERSIONS = [
  { apiName: 'Produce', apiKey: 0, apiVersion: 7 },
  { apiName: 'Fetch', apiKey: 1, apiVersion: 11 },
  { apiName: 'ListOffsets', apiKey: 2, apiVersion: 3 },
] as const;

/** Writes one batch to one partition and waits for all replicas. The base offset means something only where there is no error. */
export function produceRequest(
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): KafkaRequest<{ errorCode: number; baseOffset: number }> {
  return {
    ...SPOKEN_VERSIONS[0],
    encode: () => {
      const writer = new ByteWriter(64 + topic.length * 3 + batch.length);
      writer.int16(-1); // no transactional id
      writer.int16(ALL_REPLICAS);
      writer.int32(timeoutMs);
      writer.int32(1);
      writer.string(topic);
      writer.int32(1);
      writer.int32(partition);
      writer.int32(batch.length);
      writer.raw(batch);
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const [answer] = readPartitions(reader, () => {
        const [errorCode, baseOffset] = [reader.int16(), reader.int64()];
        reader.skip(16); // append time, log start
        return { errorCode, baseOffset };
      });
      if (answer === undefined) throw new Error('the broker answered a produce request without the partition');
      return { throttleMs: reader.int32(), answer };
    },
  };
}

/** Asks for what comes at and after those offsets; waits up to maxWaitMs where nothing is there yet. */
export function fetchRequest(
  topic: string,
  offsets: readonly { partition: number; offset: number }[],
  limits: FetchLimits,
): KafkaRequest<FetchedPartition[]> {
  return {
    ...SPOKEN_VERSIONS[1],
    encode: () => {
      const writer = new ByteWriter(64 + topic.length * 3 + offsets.length * 28);
      writer.int32(NO_REPLICA);
      writer.int32(limits.maxWaitMs);
      writer.int32(1); // answer as soon as there is one byte
      writer.int32(limits.maxBytes);
      writer.int8(READ_UNCOMMITTED);
      writer.int32(0); // no fetch session
      writer.int32(-1);
      writer.int32(1);
      writer.string(topic);
      writer.int32(offsets.length);
      for (const { partition, offset } of offsets) {
        writer.int32(partition);
        writer.int32(-1); // any leader epoch
        writer.int64(offset);
        writer.int64(-1); // only followers tell their log start
        writer.int32(limits.maxPartitionBytes);
      }
      writer.int32(0); // nothing to forget
      writer.string(''); // no rack
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      if (errorCode !== 0) throw new Error(`the broker refused the fetch with error ${errorCode}`);
      reader.skip(4); // session
      return { throttleMs, answer: readPartitions(reader, (partition) => readFetched(reader, partition)) };
    },
  };
}

/** The first offset of each partition at or after that time (milliseconds), -1 where there is none; LATEST: the head. */
export function listOffsetsRequest(
  topic: string,
  partition: number,
  time: number,
): KafkaRequest<{ errorCode: number; offset: number }> {
  return {
    ...SPOKEN_VERSIONS[2],
    encode: () => {
      const writer = new ByteWriter(64 + topic.length * 3);
      writer.int32(NO_REPLICA);
      writer.int8(READ_UNCOMMITTED);
      writer.int32(1);
      writer.string(topic);
      writer.int32(1);
      writer.int32(partition);
      writer.int64(time);
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const throttleMs = reader.int32();
      const [answer] = readPartitions(reader, () => {
        const errorCode = reader.int16();
        reader.skip(8); // the time of that offset
        return { errorCode, offset: reader.int64() };
      });
      if (answer === undefined) throw new Error('the broker answered a question for an offset without the partition');
      return { throttleMs, answer };
    },
  };
}

function readFetched(reader: ByteReader, partition: number): FetchedPartition {
  const errorCode = reader.int16();
  const head = reader.int64();
  reader.skip(16); // last stable offset, log start
  const aborted = reader.int32();
  if (aborted > 0) reader.skip(16 * aborted);
  reader.skip(4); // preferred replica
  const start = reader.at + 4;
  const end = start + Math.max(reader.int32(), 0);
  reader.at = end;
  return { partition, errorCode, head, bytes: reader.bytes, start, end };
}

/** All three answers are topics of partitions; ours always of the one topic that was asked for. */
function readPartitions<Part>(reader: ByteReader, readOne: (partition: number) => Part): Part[] {
  const parts: Part[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) parts.push(readOne(reader.int32()));
  }
  return parts;
}
