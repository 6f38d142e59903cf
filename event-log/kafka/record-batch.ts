// What a record of the event topic is, and THE RULE: every record carries the offset its writer predicted for it, and a record that
// lies elsewhere, or says nothing of it, is void (docs/decisions/0001-predicted-offsets.md). Every reader of the topic must apply
// that rule, so it is applied here, in isVoid, where bytes become records, and nowhere else.
import assert from 'node:assert/strict';
import type { InspectedRecord, LogRecord, NewRecord } from '../event-log.ts';
import { encodeBatch, type FoundRecord, readBatches } from './batch-format.ts';
import type { ByteReader } from './byte-reader.ts';

/** The header with the predicted offset, as decimal digits, so that any Kafka tool shows it and any language compares it. */
const PREDICTED_OFFSET = 'predicted-offset';
/** The header of a barrier: an id that is never used again, for whoever looks at the topic. */
const BARRIER = 'barrier';

/** Makes records of bytes[start, end) of a fetch's answer, from offset `from` on. */
export type RecordDecoder<R> = (bytes: Buffer, start: number, end: number, from: number) => DecodedRecords<R>;
export type DecodedRecords<R = LogRecord> = { records: R[]; nextOffset: number };

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
      header: { name: PREDICTED_OFFSET, value: String(expectedOffset + index) },
    })),
    nowMs,
  );
}

/** A record that is void wherever it lands, because it predicts nothing. */
export function encodeBarrier(nonce: string, nowMs: number): Buffer {
  return encodeBatch([{ key: '', value: null, header: { name: BARRIER, value: nonce } }], nowMs);
}

/**
 * The records that count in bytes[start, end) of a fetch's answer, from offset `from` on; a last batch that is cut off is left
 * for the next fetch. `nextOffset` is where that one begins. A value is a view of the answer, not a copy: who keeps one for long
 * keeps the whole answer. Throws LogCorruptError.
 */
export function decodeBatches(bytes: Buffer, start: number, end: number, from: number): DecodedRecords {
  const records: LogRecord[] = [];
  const nextOffset = readBatches(bytes, start, end, from, (found) => {
    const record = toLogRecord(found);
    if (record !== undefined) records.push(record);
  });
  return { records, nextOffset };
}

/** All records, also those that do not count, otherwise as decodeBatches. The control records of transactions are no records. */
export function inspectBatches(
  bytes: Buffer,
  start: number,
  end: number,
  from: number,
): DecodedRecords<InspectedRecord> {
  const records: InspectedRecord[] = [];
  const nextOffset = readBatches(bytes, start, end, from, (found) => {
    records.push(toInspected(found));
  });
  return { records, nextOffset };
}

/** The record, or undefined when it does not count. */
function toLogRecord(found: FoundRecord): LogRecord | undefined {
  if (!counts(found)) return undefined;
  const { reader, offset, appendedAt, keyAt, keyBytes, valueAt, valueBytes } = found;
  const { bytes } = reader;
  return {
    offset,
    key: bytes.toString('utf8', keyAt, keyAt + keyBytes),
    value: bytes.subarray(valueAt, valueAt + valueBytes),
    appendedAt,
  };
}

function toInspected(found: FoundRecord): InspectedRecord {
  const { reader, offset, appendedAt, keyAt, keyBytes, valueAt, valueBytes } = found;
  const { bytes } = reader;
  const headersAt = reader.at;
  const isEvent = counts(found);
  const key = keyBytes < 0 ? null : bytes.toString('utf8', keyAt, keyAt + keyBytes);
  const value = valueBytes < 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes);
  const record = { offset, key, value, appendedAt };
  if (isEvent) return { ...record, is: 'event' };
  reader.at = headersAt;
  const headers = readHeaders(reader);
  const predicted = headers.filter(({ name }) => name === PREDICTED_OFFSET).map((header) => header.value);
  const isBarrier = value === null && predicted.length === 0 && headers.some(({ name }) => name === BARRIER);
  return isBarrier ? { ...record, is: 'barrier' } : { ...record, is: 'void', predicted };
}

function counts({ reader, offset, keyBytes, valueBytes }: FoundRecord): boolean {
  return keyBytes >= 0 && valueBytes >= 0 && !isVoid(reader, offset);
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

/** The headers that the reader stands at, as texts. */
function readHeaders(reader: ByteReader): { name: string; value: string }[] {
  const readText = (): string => {
    const length = Math.max(reader.varint(), 0);
    const start = reader.at;
    reader.skip(length);
    return reader.bytes.toString('utf8', start, start + length);
  };
  return Array.from({ length: Math.max(reader.varint(), 0) }, () => ({ name: readText(), value: readText() }));
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
