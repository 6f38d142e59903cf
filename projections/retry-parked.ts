// Tries a parked stream again, in order and in one transaction. What can be projected is, up to the first record that cannot; from
// there on the stream stays parked. So the tables mean the same as after a fold of the log from its start, and the first record
// that is put aside is always the one at fault.
import type { Knex } from 'knex';
import type { LogRecord } from '../event-log/event-log.ts';
import type { Database } from '../platform/postgres.ts';
import { lockCheckpoint } from './checkpoints.ts';
import type { Decode } from './decode-records.ts';
import { loadDiscards } from './discards.ts';
import type { BookkeepingTables } from './history/tables.ts';
import {
  deleteParkedStream,
  moveParkedStream,
  type ParkedRecord,
  selectParkedRecords,
  selectParkedStreams,
} from './parking.ts';
import { describePoison, isPoison, type ReadableRecord, readRecord, toLoggedEvent } from './poison.ts';
import { type TableProjection, UnprojectableError } from './table-projection.ts';

export type RetryDeps = { tables: BookkeepingTables; projection: TableProjection; decode: Decode };

/**
 * The record that keeps a stream parked. `unreadable`: it is no event of the stream that this build knows. `outOfOrder`: it does not
 * follow what is there. `refused`: it is the stream's next event, and PostgreSQL cannot hold it.
 */
export type Fault = {
  partition: number;
  record: LogRecord;
  kind: 'unreadable' | 'outOfOrder' | 'refused';
  reason: string;
};

/** `projected` counts records. `notParked`: there is nothing to try, maybe because somebody else has just done it. */
export type Retried =
  | { kind: 'goesOn'; projected: number }
  | { kind: 'staysParked'; projected: number; fault: Fault }
  | { kind: 'notParked' };

const RECORDS_PER_PAGE = 1_000;

/** Throws what is no fault of the records; nothing has changed then. Any number may be under way at once, of one stream too. */
export function retryParked(db: Database, deps: RetryDeps, stream: string): Promise<Retried> {
  return db.transaction((tx) => retryParkedIn(tx, deps, stream));
}

/** The same inside a transaction. Whoever projects the stream's partition waits until that ends. */
export async function retryParkedIn(tx: Knex.Transaction, deps: RetryDeps, stream: string): Promise<Retried> {
  const { tables, projection } = deps;
  const parked = await lockParkedStream(tx, deps, stream);
  if (parked === null) return { kind: 'notParked' };
  let projected = 0;
  for (let after = { partition: -1, offset: -1 }; ; ) {
    const page = await selectParkedRecords(tx, tables, projection, { stream, after, limit: RECORDS_PER_PAGE });
    const outcome = await projectPage(tx, deps, page);
    projected += outcome.projected;
    if (outcome.fault !== null) {
      const { partition, record, reason } = outcome.fault;
      // A writer that is none of ours may have put the stream into several partitions; then nothing is forgotten, for what comes
      // again has no effect.
      const firstOffset = partition === parked.partition ? record.offset : parked.firstOffset;
      await moveParkedStream(tx, tables, projection, { stream, partition: parked.partition, firstOffset, reason });
      return { kind: 'staysParked', projected, fault: outcome.fault };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < RECORDS_PER_PAGE) break;
    after = { partition: last.partition, offset: last.record.offset };
  }
  await deleteParkedStream(tx, tables, projection, stream);
  return { kind: 'goesOn', projected };
}

/**
 * The parked stream, which until the transaction ends nobody projects, retries or parks further; null where it is not parked. Every
 * other writer holds the checkpoint's lock too, so it is looked at again behind that.
 */
async function lockParkedStream(
  tx: Knex.Transaction,
  { tables, projection }: Pick<RetryDeps, 'tables' | 'projection'>,
  stream: string,
): Promise<{ partition: number; firstOffset: number } | null> {
  const [seen] = await selectParkedStreams(tx, tables, projection, stream);
  if (seen === undefined) return null;
  await lockCheckpoint(tx, tables, projection, seen.partition);
  const [parked] = await selectParkedStreams(tx, tables, projection, stream);
  return parked ?? null;
}

async function projectPage(
  tx: Knex.Transaction,
  deps: RetryDeps,
  page: readonly ParkedRecord[],
): Promise<{ projected: number; fault: Fault | null }> {
  const partitions = [...new Set(page.map(({ partition }) => partition))];
  const discards = await loadDiscards(tx, deps.tables, deps.projection, partitions);
  const kept = page.filter(({ partition, record }) => !discards.has(partition, record.offset));
  const contents = await deps.decode(kept.map(({ record }) => record));
  const readable: ReadableRecord[] = [];
  let unreadable: string | null = null;
  for (const [at, record] of kept.entries()) {
    const content = contents[at];
    if (content === undefined) throw new RangeError('decode must give one content a record');
    const read = readRecord({ ...record, content });
    if ('fault' in read) {
      unreadable = read.fault;
      break;
    }
    readable.push(read);
  }
  const { count, error } = await writeInOrder(tx, deps.projection, readable);
  const at = kept[count];
  if (at === undefined) return { projected: count, fault: null };
  if (error !== null) {
    const kind = error instanceof UnprojectableError ? 'outOfOrder' : 'refused';
    return { projected: count, fault: { ...at, kind, reason: describePoison(error) } };
  }
  return { projected: count, fault: { ...at, kind: 'unreadable', reason: unreadable ?? '' } };
}

/** Writes the records up to the first that cannot be written, which it finds by halving. Returns how many, and why no more. */
async function writeInOrder(
  tx: Knex.Transaction,
  projection: TableProjection,
  records: readonly ReadableRecord[],
): Promise<{ count: number; error: unknown }> {
  if (records.length === 0) return { count: 0, error: null };
  try {
    // A transaction inside a transaction is a savepoint.
    await tx.transaction((savepoint) => projection.write(savepoint, records.map(toLoggedEvent)));
    return { count: records.length, error: null };
  } catch (error) {
    if (!isPoison(error)) throw error;
    if (records.length === 1) return { count: 0, error };
  }
  const middle = records.length >> 1;
  const first = await writeInOrder(tx, projection, records.slice(0, middle));
  if (first.error !== null) return first;
  const rest = await writeInOrder(tx, projection, records.slice(middle));
  return { count: middle + rest.count, error: rest.error };
}
