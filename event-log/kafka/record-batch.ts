// Kafka's record batch (magic 2), written and read, and THE RULE: every record carries the offset its writer predicted for it, and
// a record that lies elsewhere, or says nothing of it, is void (docs/decisions/0001-predicted-offsets.md). Every reader of the
// topic must apply that rule, so it is applied here, in isVoid, where bytes become records, and nowhere else.
import assert from 'node:assert/strict';
import type { LogRecord, NewRecord } from '../event-log.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter, MAX_VARINT_BYTES, varintBytes } from './byte-writer.ts';
import { crc32c } from './crc32c.ts';

/** The header with the predicted offset, as decimal digits, so that any Kafka tool shows it and any language compares it. */
const PREDICTED_OFFSET = 'predicted-offset';
/** The header of a barrier: an id that is never used again, for whoever looks at the topic. */
const BARRIER = 'barrier';

export type DecodedRecords = { records: LogRecord[]; nextOffset: number };

/** Bytes in the log are not what Kafka or this adapter writes: a broken disk, or a foreign writer. Reading on would be guessing. */
export class LogCorruptError extends Error {
  override readonly name = 'LogCorruptError';
  readonly code = 'log_corrupt';
  readonly retryable = false;
}

type RawRecord = { key: string; value: Buffer | null; header: string; headerValue: string };

const MAGIC = 2;
/** Bytes from a batch's start to its first record. */
const HEADER_BYTES = 61;
/** Bytes before the part of a batch that its length field counts. */
const LENGTH_END = 12;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const COMPRESSION_MASK = 0x07;
const CONTROL_MASK = 0x20;
const PREDICTED_OFFSET_BYTES = Buffer.from(PREDICTED_OFFSET);
/** Digits of the largest safe integer; a longer text is no offset. */
const MAX_OFFSET_DIGITS = 16;

/** One batch of all records, the first predicted to land at `expectedOffset`. `nowMs`: the broker puts its own time over it. */
export function encodeAppend(records: readonly NewRecord[], expectedOffset: number, nowMs: number): Buffer {
  assert.ok(records.length > 0, 'an append has at least one record');
  assert.ok(Number.isSafeInteger(expectedOffset + records.length) && expectedOffset >= 0);
  return encodeBatch(
    records.map(({ key, value }, index) => ({
      key,
      value,
      header: PREDICTED_OFFSET,
      headerValue: String(expectedOffset + index),
    })),
    nowMs,
  );
}

/** A record that is void wherever it lands, because it predicts nothing. */
export function encodeBarrier(nonce: string, nowMs: number): Buffer {
  return encodeBatch([{ key: '', value: null, header: BARRIER, headerValue: nonce }], nowMs);
}

/**
 * The records that count in bytes[start, end) of a fetch's answer, from offset `from` on. Kafka gives whole batches, so those
 * below `from` are dropped; a last batch that is cut off is left for the next fetch. `nextOffset` is where that one begins.
 * A value is a view of the answer, not a copy: who keeps one for long keeps the whole answer. Throws LogCorruptError.
 */
export function decodeBatches(bytes: Buffer, start: number, end: number, from: number): DecodedRecords {
  const decoded: DecodedRecords = { records: [], nextOffset: from };
  let at = start;
  while (at + HEADER_BYTES <= end) {
    const batchEnd = at + LENGTH_END + bytes.readInt32BE(at + 8);
    if (batchEnd > end) break;
    decodeBatch(bytes, at, batchEnd, decoded);
    at = batchEnd;
  }
  return decoded;
}

function encodeBatch(records: readonly RawRecord[], nowMs: number): Buffer {
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

function maxRecordBytes({ key, value, header, headerValue }: RawRecord): number {
  const maxUtf8Bytes = 3 * (key.length + header.length + headerValue.length);
  return maxUtf8Bytes + (value?.length ?? 0) + 8 * MAX_VARINT_BYTES;
}

function encodeRecord(writer: ByteWriter, { key, value, header, headerValue }: RawRecord, offsetDelta: number): void {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = value?.length ?? -1;
  // Attributes, time delta and header count are one byte each; header names and values are ASCII.
  const size =
    3 +
    varintBytes(offsetDelta) +
    varintBytes(keyBytes) +
    keyBytes +
    varintBytes(valueBytes) +
    Math.max(valueBytes, 0) +
    varintBytes(header.length) +
    header.length +
    varintBytes(headerValue.length) +
    headerValue.length;
  writer.varint(size);
  writer.int8(0);
  writer.varint(0);
  writer.varint(offsetDelta);
  writer.varint(keyBytes);
  writer.utf8(key);
  writer.varint(valueBytes);
  if (value !== null) writer.raw(value);
  writer.varint(1);
  writer.varint(header.length);
  writer.utf8(header);
  writer.varint(headerValue.length);
  writer.utf8(headerValue);
}

function decodeBatch(bytes: Buffer, start: number, end: number, into: DecodedRecords): void {
  const reader = new ByteReader(bytes, start);
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
  // The topic stamps append times, and then the newest time of a batch is the time of every record in it.
  const appendedAt = reader.int64();
  reader.skip(14);
  if ((attributes & CONTROL_MASK) === 0) {
    // The topic's setting compression.type=uncompressed makes the broker unpack whatever anybody writes.
    if ((attributes & COMPRESSION_MASK) !== 0)
      throw new LogCorruptError(`batch at offset ${baseOffset}: is compressed`);
    for (let left = reader.int32(); left > 0; left--) {
      const record = decodeRecord(reader, baseOffset, appendedAt);
      if (record !== undefined && record.offset >= into.nextOffset) into.records.push(record);
    }
  }
  into.nextOffset = Math.max(into.nextOffset, nextOffset);
}

/** The record at the reader's place, or undefined when it is void. */
function decodeRecord(reader: ByteReader, baseOffset: number, appendedAt: number): LogRecord | undefined {
  const size = reader.varint();
  const end = reader.at + size;
  reader.skip(1);
  reader.skipVarint();
  const offset = baseOffset + reader.varint();
  const keyBytes = reader.varint();
  const keyAt = reader.at;
  reader.skip(Math.max(keyBytes, 0));
  const valueBytes = reader.varint();
  const valueAt = reader.at;
  reader.skip(Math.max(valueBytes, 0));
  const counts = keyBytes >= 0 && valueBytes >= 0 && !isVoid(reader, offset);
  reader.at = end;
  if (!counts) return undefined;
  const { bytes } = reader;
  return {
    offset,
    key: bytes.toString('utf8', keyAt, keyAt + keyBytes),
    value: bytes.subarray(valueAt, valueAt + valueBytes),
    appendedAt,
  };
}

/** The rule. The reader stands at a record's headers; two predictions are as good as none. */
function isVoid(reader: ByteReader, offset: number): boolean {
  let predictions = 0;
  let fits = false;
  for (let left = reader.varint(); left > 0; left--) {
    const isPrediction = readHeaderName(reader);
    const length = Math.max(reader.varint(), 0);
    if (isPrediction) {
      predictions++;
      fits = readDecimal(reader.bytes, reader.at, length) === offset;
    }
    reader.skip(length);
  }
  return predictions !== 1 || !fits;
}

/** Whether the name is that of the predicted offset. Compared byte by byte, because this runs for every record ever read. */
function readHeaderName(reader: ByteReader): boolean {
  const length = reader.varint();
  const start = reader.at;
  reader.skip(length);
  if (length !== PREDICTED_OFFSET_BYTES.length) return false;
  for (let index = 0; index < length; index++) {
    if (reader.bytes[start + index] !== PREDICTED_OFFSET_BYTES[index]) return false;
  }
  return true;
}

/** The number that decimal digits say, without sign or leading zero; -1 where they say none. */
function readDecimal(bytes: Buffer, start: number, length: number): number {
  if (length < 1 || length > MAX_OFFSET_DIGITS || (length > 1 && bytes[start] === 0x30)) return -1;
  let value = 0;
  for (let index = 0; index < length; index++) {
    const digit = (bytes[start + index] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
