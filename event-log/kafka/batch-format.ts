// Kafka's record batch (magic 2), written and read: what all topics have in common. What a record means, and which ones count, is
// for those who use it (record-batch.ts for events, snapshot-batch.ts for snapshots).
import { ByteReader } from './byte-reader.ts';
import { ByteWriter, MAX_VARINT_BYTES, varintBytes } from './byte-writer.ts';
import { crc32c } from './crc32c.ts';

/** A record to be written, with the one header that it may have; its name and value are ASCII. */
export type RawRecord = { key: string; value: Buffer | null; header: { name: string; value: string } | null };

/** Bytes in the log are not what Kafka or this adapter writes: a broken disk, or a foreign writer. Reading on would be guessing. */
export class LogCorruptError extends Error {
  override readonly name = 'LogCorruptError';
  readonly code = 'log_corrupt';
  readonly retryable = false;
}

/** Where a record lies in the bytes that `reader` reads, which stands at its headers. A length of -1 is null. */
export type FoundRecord = {
  readonly reader: ByteReader;
  offset: number;
  appendedAt: number;
  keyAt: number;
  keyBytes: number;
  valueAt: number;
  valueBytes: number;
};

const MAGIC = 2;
/** Bytes from a batch's start to its first record. */
const HEADER_BYTES = 61;
/** Bytes before the part of a batch that its length field counts. */
const LENGTH_END = 12;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const COMPRESSION_MASK = 0x07;
const CONTROL_MASK = 0x20;

/** One batch. `nowMs`: where the topic says so, the broker puts its own time over it. */
export function encodeBatch(records: readonly RawRecord[], nowMs: number): Buffer {
  const writer = new ByteWriter(records.reduce((sum, record) => sum + maxRecordBytes(record), HEADER_BYTES));
  writer.int64(0);
  const lengthAt = writer.gapInt32();
  writer.int32(-1);
  writer.int8(MAGIC);
  const crcAt = writer.gapInt32();
  writer.int16(0);
  writer.int32(records.length - 1);
  writer.int64(nowMs);
  writer.int64(nowMs);
  // No producer id, epoch or sequence: a duplicate is told by its offset, so the broker need not look for one.
  writer.int64(-1);
  writer.int16(-1);
  writer.int32(-1);
  writer.int32(records.length);
  for (const [index, record] of records.entries()) encodeRecord(writer, record, index);
  writer.fillInt32(lengthAt, writer.length - LENGTH_END);
  writer.fillInt32(crcAt, crc32c(writer.written, ATTRIBUTES_AT, writer.length));
  return writer.written;
}

/** At least as many bytes as the record takes in a batch. */
export function maxRecordBytes({ key, value, header }: RawRecord): number {
  const maxUtf8Bytes = 3 * (key.length + (header === null ? 0 : header.name.length + header.value.length));
  return maxUtf8Bytes + (value?.length ?? 0) + 8 * MAX_VARINT_BYTES;
}

/**
 * Shows every record in bytes[start, end) of a fetch's answer, from offset `from` on. Kafka gives whole batches, so those below
 * `from` are passed over; a last batch that is cut off is left for the next fetch. Returns where that one begins. What is shown
 * is the same object every time. Throws LogCorruptError.
 */
export function readBatches(
  bytes: Buffer,
  start: number,
  end: number,
  from: number,
  onRecord: (record: FoundRecord) => void,
): number {
  const found: FoundRecord = {
    reader: new ByteReader(bytes),
    offset: 0,
    appendedAt: 0,
    keyAt: 0,
    keyBytes: 0,
    valueAt: 0,
    valueBytes: 0,
  };
  let next = from;
  let at = start;
  while (at + HEADER_BYTES <= end) {
    const batchEnd = at + LENGTH_END + bytes.readInt32BE(at + 8);
    if (batchEnd > end) break;
    next = Math.max(next, readBatch(found, at, batchEnd, next, onRecord));
    at = batchEnd;
  }
  return next;
}

function encodeRecord(writer: ByteWriter, { key, value, header }: RawRecord, offsetDelta: number): void {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = value?.length ?? -1;
  // Attributes, time delta and header count are one byte each.
  const size =
    3 +
    varintBytes(offsetDelta) +
    varintBytes(keyBytes) +
    keyBytes +
    varintBytes(valueBytes) +
    Math.max(valueBytes, 0) +
    (header === null ? 0 : asciiBytes(header.name) + asciiBytes(header.value));
  writer.varint(size);
  writer.int8(0);
  writer.varint(0);
  writer.varint(offsetDelta);
  writer.varint(keyBytes);
  writer.utf8(key);
  writer.varint(valueBytes);
  if (value !== null) writer.raw(value);
  writer.varint(header === null ? 0 : 1);
  if (header === null) return;
  writer.varint(header.name.length);
  writer.utf8(header.name);
  writer.varint(header.value.length);
  writer.utf8(header.value);
}

/** Bytes of an ASCII text behind its length. */
function asciiBytes(text: string): number {
  return varintBytes(text.length) + text.length;
}

/** Returns the offset behind the batch. */
function readBatch(
  found: FoundRecord,
  start: number,
  end: number,
  from: number,
  onRecord: (record: FoundRecord) => void,
): number {
  const { reader } = found;
  const { bytes } = reader;
  reader.at = start;
  const baseOffset = reader.int64();
  const magic = bytes.readInt8(start + CRC_AT - 1);
  if (magic !== MAGIC) throw new LogCorruptError(`batch at offset ${baseOffset}: format ${magic} instead of ${MAGIC}`);
  if (crc32c(bytes, start + ATTRIBUTES_AT, end) !== bytes.readUInt32BE(start + CRC_AT)) {
    throw new LogCorruptError(`batch at offset ${baseOffset}: the checksum does not fit`);
  }
  reader.at = start + ATTRIBUTES_AT;
  const attributes = reader.int16();
  const nextOffset = baseOffset + reader.int32() + 1;
  reader.skip(8);
  // Where the topic stamps append times, the newest time of a batch is the time of every record in it.
  found.appendedAt = reader.int64();
  reader.skip(14);
  if ((attributes & CONTROL_MASK) !== 0) return nextOffset;
  // The topic's setting compression.type=uncompressed makes the broker unpack whatever anybody writes.
  if ((attributes & COMPRESSION_MASK) !== 0) throw new LogCorruptError(`batch at offset ${baseOffset}: is compressed`);
  for (let left = reader.int32(); left > 0; left--) readRecord(found, baseOffset, from, onRecord);
  return nextOffset;
}

function readRecord(
  found: FoundRecord,
  baseOffset: number,
  from: number,
  onRecord: (record: FoundRecord) => void,
): void {
  const { reader } = found;
  const size = reader.varint();
  const end = reader.at + size;
  reader.skip(1);
  reader.skipVarint();
  found.offset = baseOffset + reader.varint();
  found.keyBytes = reader.varint();
  found.keyAt = reader.at;
  reader.skip(Math.max(found.keyBytes, 0));
  found.valueBytes = reader.varint();
  found.valueAt = reader.at;
  reader.skip(Math.max(found.valueBytes, 0));
  if (found.offset >= from) onRecord(found);
  reader.at = end;
}
