// The newest records that went into the log through this handle. Followers of the same handle are nearly always at the head, and
// what they would ask PostgreSQL for has just been sent to it: in one process with three followers that was three quarters of all
// statements. What is here is in the log: a record is added only after its append was confirmed, and at its own offset.
import type { LogRecord } from '../event-log.ts';

/** At the bound the older half is forgotten, and followers that are further behind read from PostgreSQL. */
const MAX_RECORDS = 4_096;
const MAX_BYTES = 4 * 1024 * 1024;

type Run = { records: LogRecord[]; bytes: number };

export class RecentRecords {
  readonly #runByPartition = new Map<number, Run>();

  /** Records of one confirmed append. What somebody else wrote in between is not here, so the run starts anew behind it. */
  add(partition: number, records: readonly LogRecord[]): void {
    const [first] = records;
    if (first === undefined) return;
    let run = this.#runByPartition.get(partition);
    if (run?.records.at(-1)?.offset !== first.offset - 1) run = { records: [], bytes: 0 };
    this.#runByPartition.set(partition, run);
    for (const record of records) {
      run.records.push(record);
      run.bytes += record.value.length;
    }
    if (run.records.length > MAX_RECORDS || run.bytes > MAX_BYTES) forgetOlderHalf(run);
  }

  /** The records from an offset on, at most as many as said (one at least), or null where they are not all here. */
  from(partition: number, offset: number, maxRecords: number, maxBytes: number): LogRecord[] | null {
    const records = this.#runByPartition.get(partition)?.records;
    const start = offset - (records?.[0]?.offset ?? Number.POSITIVE_INFINITY);
    if (records === undefined || start < 0 || start >= records.length) return null;
    const found: LogRecord[] = [];
    let bytes = 0;
    for (let at = start; at < records.length && found.length < maxRecords && bytes < maxBytes; at++) {
      const record = records[at];
      if (record === undefined) break;
      found.push(record);
      bytes += record.value.length;
    }
    return found;
  }
}

function forgetOlderHalf(run: Run): void {
  run.records.splice(0, Math.ceil(run.records.length / 2));
  run.bytes = run.records.reduce((sum, { value }) => sum + value.length, 0);
}
