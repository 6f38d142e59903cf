// What a memory log holds, and what its server side does with a request: the predicted-offset rule of
// docs/decisions/0001-predicted-offsets.md in its plainest form. Everything lands at the head; a record counts where it landed
// at the offset it was predicted for.
import {
  type BatchOf,
  type InspectedBatch,
  type InspectedRecord,
  type LogBatch,
  type LogRecord,
  type NewRecord,
  OffsetOutOfRangeError,
} from '../event-log.ts';

/** `predicted` is null for a barrier, which never counts. */
type Entry = NewRecord & { predicted: number | null; appendedAt: number };

type Partition = { firstOffset: number; entries: Entry[]; watchers: Set<() => void> };

export class MemoryStore {
  readonly #partitions: Partition[];
  #connections = 0;

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, () => ({
      firstOffset: 0,
      entries: [],
      watchers: new Set(),
    }));
  }

  get partitions(): number {
    return this.#partitions.length;
  }

  /** The number of a new connection. */
  connect(): number {
    return ++this.#connections;
  }

  /** Where the first record landed. */
  append(partition: number, expectedOffset: number, records: readonly NewRecord[]): number {
    const base = this.head(partition);
    const { entries } = this.#of(partition);
    const appendedAt = Date.now();
    for (const [index, { key, value }] of records.entries())
      entries.push({ key, value, predicted: expectedOffset + index, appendedAt });
    this.#wake(partition);
    return base;
  }

  barrier(partition: number): number {
    const offset = this.head(partition);
    this.#of(partition).entries.push({ key: '', value: Buffer.alloc(0), predicted: null, appendedAt: Date.now() });
    this.#wake(partition);
    return offset;
  }

  head(partition: number): number {
    const { firstOffset, entries } = this.#of(partition);
    return firstOffset + entries.length;
  }

  offsetAt(partition: number, timeMs: number): number {
    const { firstOffset, entries } = this.#of(partition);
    const index = entries.findIndex(
      (entry, position) => entry.predicted === firstOffset + position && entry.appendedAt >= timeMs,
    );
    return index === -1 ? this.head(partition) : firstOffset + index;
  }

  /** What counts of at most `limit` entries from `from` on. */
  batch(partition: number, from: number, to: number, limit: number): LogBatch {
    return this.#batch({ partition, from, to, limit }, toLogRecord);
  }

  /** All that lies there of at most `limit` entries from `from` on. */
  inspect(partition: number, from: number, to: number, limit: number): InspectedBatch {
    return this.#batch({ partition, from, to, limit }, toInspected);
  }

  #batch<R>(
    { partition, from, to, limit }: { partition: number; from: number; to: number; limit: number },
    toRecord: (offset: number, entry: Entry) => R | null,
  ): BatchOf<R> {
    const { firstOffset, entries } = this.#of(partition);
    const head = this.head(partition);
    if (from < firstOffset || from > head)
      throw new OffsetOutOfRangeError(`offset ${from} of partition ${partition} is not in [${firstOffset}, ${head}]`);
    const nextOffset = Math.min(from + limit, to, head);
    const records: R[] = [];
    for (let offset = from; offset < nextOffset; offset++) {
      const entry = entries[offset - firstOffset];
      const record = entry === undefined ? null : toRecord(offset, entry);
      if (record !== null) records.push(record);
    }
    return { partition, records, nextOffset: Math.max(from, nextOffset), head };
  }

  deleteBelow(partition: number, offset: number): void {
    const held = this.#of(partition);
    held.entries.splice(0, offset - held.firstOffset);
    held.firstOffset = offset;
  }

  /** Calls back whenever something lands in the partition, until the returned function is called. */
  watch(partition: number, onLanded: () => void): () => void {
    const { watchers } = this.#of(partition);
    watchers.add(onLanded);
    return () => watchers.delete(onLanded);
  }

  #wake(partition: number): void {
    for (const watcher of this.#of(partition).watchers) watcher();
  }

  #of(partition: number): Partition {
    const found = this.#partitions[partition];
    if (!found) throw new RangeError(`there is no partition ${partition}`);
    return found;
  }
}

/** Null where it does not count. */
function toLogRecord(offset: number, { predicted, ...record }: Entry): LogRecord | null {
  return predicted === offset ? { offset, ...record } : null;
}

function toInspected(offset: number, entry: Entry): InspectedRecord {
  const { predicted, key, value, appendedAt } = entry;
  if (predicted === null) return { offset, key, value: null, appendedAt, is: 'barrier' };
  const record = { offset, key, value, appendedAt };
  if (toLogRecord(offset, entry) !== null) return { ...record, is: 'event' };
  return { ...record, is: 'void', predicted: [String(predicted)] };
}
