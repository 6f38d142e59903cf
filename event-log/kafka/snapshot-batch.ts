// What a record of the snapshot topic is: a key and a value, or a null value where the key was deleted. No offset is predicted
// here: who wrote a key and whether it counts is told by the key itself (docs/decisions/0008-snapshots.md).
import { MAX_SNAPSHOT_VALUE_BYTES, type SnapshotEntry } from '../snapshot-store.ts';
import { encodeBatch, maxRecordBytes, type RawRecord, readBatches } from './batch-format.ts';

/** Bytes of one batch at most: any single entry fits, behind a key of 100 KiB. */
export const MAX_SNAPSHOT_BATCH_BYTES = MAX_SNAPSHOT_VALUE_BYTES + 100 * 1024;

/** The entries in as few batches as they fit into, in their order. */
export function* encodeEntries(entries: readonly SnapshotEntry[], nowMs: number): Generator<Buffer> {
  let records: RawRecord[] = [];
  let bytes = 0;
  for (const { key, value } of entries) {
    const record = { key, value, header: null };
    const size = maxRecordBytes(record);
    if (records.length > 0 && bytes + size > MAX_SNAPSHOT_BATCH_BYTES - BATCH_HEADER_BYTES) {
      yield encodeBatch(records, nowMs);
      records = [];
      bytes = 0;
    }
    records.push(record);
    bytes += size;
  }
  if (records.length > 0) yield encodeBatch(records, nowMs);
}

/** Room for what a batch has besides its records. */
const BATCH_HEADER_BYTES = 100;

/**
 * The entries in bytes[start, end) of a fetch's answer, from offset `from` on. A value is a view of the answer, not a copy.
 * Throws LogCorruptError.
 */
export function decodeEntries(
  bytes: Buffer,
  start: number,
  end: number,
  from: number,
): { entries: SnapshotEntry[]; nextOffset: number } {
  const entries: SnapshotEntry[] = [];
  const nextOffset = readBatches(bytes, start, end, from, ({ keyAt, keyBytes, valueAt, valueBytes }) => {
    entries.push({
      key: bytes.toString('utf8', keyAt, keyAt + Math.max(keyBytes, 0)),
      value: valueBytes < 0 ? null : bytes.subarray(valueAt, valueAt + valueBytes),
    });
  });
  return { entries, nextOffset };
}
