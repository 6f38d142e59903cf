// A KAFKA BROKER WITHOUT DISK, NETWORK OR CLOCK, for one partition: the three requests that the adapter speaks, from bytes to bytes.
// broker-conformance.int.test.ts holds it to what a real broker answers; whatever else a broker can do to its clients (losing,
// delaying, breaking) is not here but between it and them (simulated-network.ts).
import assert from 'node:assert/strict';
import { ByteReader } from '../../event-log/kafka/byte-reader.ts';
import { ByteWriter } from '../../event-log/kafka/byte-writer.ts';
import { crc32c } from '../../event-log/kafka/crc32c.ts';
import { LATEST } from '../../event-log/kafka/requests.ts';

/** `bytes` is the batch as it stands in the log: with its offset, and the log's time over its own. */
export type StoredBatch = { baseOffset: number; nextOffset: number; appendedAt: number; bytes: Buffer };

export type BrokerDeps = {
  topic: string;
  /** Milliseconds since 1970 UTC, for the time of an append. */
  now: () => number;
  onAppended?: (batch: StoredBatch) => void;
};

export const PRODUCE = 0;
const FETCH = 1;
const LIST_OFFSETS = 2;

const OFFSET_OUT_OF_RANGE = 1;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_PARTITION = 3;
const PARTITION = 0;
const NONE = -1;
/** Places in a record batch, from its start. */
const EPOCH_AT = 12;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const MAX_TIME_AT = 35;
const LOG_APPEND_TIME = 0x08;

export class SimulatedBroker {
  readonly #deps: BrokerDeps;
  readonly #batches: StoredBatch[] = [];

  constructor(deps: BrokerDeps) {
    this.#deps = deps;
  }

  /** The next offset to be written. */
  get head(): number {
    return this.#batches.at(-1)?.nextOffset ?? 0;
  }

  /** What a request is answered with; a produce request has written by then. */
  handle(apiKey: number, request: Buffer): Buffer {
    const reader = new ByteReader(request);
    if (apiKey === PRODUCE) return this.#produce(reader);
    if (apiKey === FETCH) return this.#fetch(reader);
    assert.equal(apiKey, LIST_OFFSETS);
    return this.#listOffsets(reader);
  }

  /** An answer with this error, for a request that was not looked at. */
  refuse(apiKey: number, errorCode: number): Buffer {
    if (apiKey === PRODUCE) return this.#produceAnswer(PARTITION, { errorCode });
    if (apiKey === FETCH) return this.#fetchAnswer(PARTITION, { errorCode });
    return this.#listAnswer(PARTITION, { errorCode });
  }

  #produce(reader: ByteReader): Buffer {
    assert.equal(reader.string(), null, 'no transactional id');
    assert.equal(reader.int16(), -1, 'waits for all replicas');
    reader.skip(4);
    const partition = this.#partition(reader);
    const length = reader.int32();
    const batch = Buffer.from(reader.bytes.subarray(reader.at, reader.at + length));
    if (partition !== PARTITION) return this.#produceAnswer(partition, { errorCode: UNKNOWN_PARTITION });
    if (crc32c(batch, ATTRIBUTES_AT, batch.length) !== batch.readUInt32BE(CRC_AT)) {
      return this.#produceAnswer(partition, { errorCode: CORRUPT_MESSAGE });
    }
    const baseOffset = this.#store(batch);
    return this.#produceAnswer(partition, { errorCode: 0, baseOffset });
  }

  #store(bytes: Buffer): number {
    const baseOffset = this.head;
    const appendedAt = this.#deps.now();
    bytes.writeBigInt64BE(BigInt(baseOffset), 0);
    bytes.writeInt32BE(0, EPOCH_AT);
    bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) | LOG_APPEND_TIME, ATTRIBUTES_AT);
    bytes.writeBigInt64BE(BigInt(appendedAt), MAX_TIME_AT);
    bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT, bytes.length), CRC_AT);
    const batch = { baseOffset, nextOffset: baseOffset + bytes.readInt32BE(LAST_DELTA_AT) + 1, appendedAt, bytes };
    this.#batches.push(batch);
    this.#deps.onAppended?.(batch);
    return baseOffset;
  }

  /** Whole batches from the one with the offset on, the last one cut off where the limit is; the first one never is. */
  #fetch(reader: ByteReader): Buffer {
    reader.skip(4 + 4 + 4);
    const maxBytes = reader.int32();
    reader.skip(1 + 4 + 4);
    const partition = this.#partition(reader);
    reader.skip(4);
    const offset = reader.int64();
    reader.skip(8);
    const limit = Math.min(maxBytes, reader.int32());
    if (partition !== PARTITION) return this.#fetchAnswer(partition, { errorCode: UNKNOWN_PARTITION });
    if (offset > this.head) return this.#fetchAnswer(partition, { errorCode: OFFSET_OUT_OF_RANGE });
    const found = this.#batches.filter(({ nextOffset }) => nextOffset > offset).map(({ bytes }) => bytes);
    const bytes = Buffer.concat(found).subarray(0, Math.max(limit, found[0]?.length ?? 0));
    return this.#fetchAnswer(partition, { errorCode: 0, bytes });
  }

  #listOffsets(reader: ByteReader): Buffer {
    reader.skip(4 + 1);
    const partition = this.#partition(reader);
    const time = reader.int64();
    if (partition !== PARTITION) return this.#listAnswer(partition, { errorCode: UNKNOWN_PARTITION });
    const offset = time === LATEST ? this.head : this.#batches.find(({ appendedAt }) => appendedAt >= time)?.baseOffset;
    return this.#listAnswer(partition, { errorCode: 0, offset: offset ?? NONE });
  }

  /** All three requests name one topic and one partition. */
  #partition(reader: ByteReader): number {
    assert.equal(reader.int32(), 1);
    assert.equal(reader.string(), this.#deps.topic);
    assert.equal(reader.int32(), 1);
    return reader.int32();
  }

  #produceAnswer(
    partition: number,
    { errorCode, baseOffset = NONE }: { errorCode: number; baseOffset?: number },
  ): Buffer {
    const writer = this.#answer(64, partition);
    writer.int16(errorCode);
    writer.int64(baseOffset);
    writer.int64(NONE); // append time
    writer.int64(errorCode === 0 ? 0 : NONE); // log start
    writer.int32(0);
    return writer.written;
  }

  #fetchAnswer(partition: number, { errorCode, bytes = EMPTY }: { errorCode: number; bytes?: Buffer }): Buffer {
    const head = errorCode === 0 ? this.head : NONE;
    const writer = new ByteWriter(128 + this.#deps.topic.length + bytes.length);
    writer.int32(0);
    writer.int16(0);
    writer.int32(0); // no session
    this.#place(writer, partition);
    writer.int16(errorCode);
    writer.int64(head);
    writer.int64(head);
    writer.int64(0);
    writer.int32(NONE); // nothing was aborted
    writer.int32(NONE); // no preferred replica
    writer.int32(bytes.length);
    writer.raw(bytes);
    return writer.written;
  }

  #listAnswer(partition: number, { errorCode, offset = NONE }: { errorCode: number; offset?: number }): Buffer {
    const writer = new ByteWriter(64 + this.#deps.topic.length);
    writer.int32(0);
    this.#place(writer, partition);
    writer.int16(errorCode);
    writer.int64(NONE); // the time of that offset, which nobody reads
    writer.int64(offset);
    return writer.written;
  }

  #answer(size: number, partition: number): ByteWriter {
    const writer = new ByteWriter(size + this.#deps.topic.length);
    this.#place(writer, partition);
    return writer;
  }

  #place(writer: ByteWriter, partition: number): void {
    writer.int32(1);
    writer.string(this.#deps.topic);
    writer.int32(1);
    writer.int32(partition);
  }
}

const EMPTY = Buffer.alloc(0);
