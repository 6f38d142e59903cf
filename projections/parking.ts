// Parking: what becomes of a stream with a record that cannot be projected. That record and all later ones of the stream are put
// aside, in order and as raw bytes, because projecting the later ones without it would make a state that never was.
import type { Knex } from 'knex';
import type { LogRecord } from '../event-log/event-log.ts';
import { changeRows, queryRows } from '../platform/sql.ts';
import type { ProjectionKey } from './checkpoints.ts';
import type { BookkeepingTables } from './history/tables.ts';

export type ParkedStream = { stream: string; partition: number; firstOffset: number; reason: string; atMs: number };
export type ParkedRecord = { partition: number; record: LogRecord };

const MAX_REASON_CHARACTERS = 500;

/** The names of the parked streams of these partitions, in order. */
export async function listParkedStreams(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  partitions: readonly number[],
): Promise<{ stream: string }[]> {
  return queryRows(
    tx,
    `select stream from ${tables.parkedStreams}
      where projection = ? and version = ? and partition = any (?::integer[]) order by stream`,
    [name, version, partitions],
  );
}

/** How many streams are parked: `own` of these partitions, `all` together. The primary key's first columns serve it. */
export async function countParkedStreams(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  partitions: readonly number[],
): Promise<{ own: number; all: number }> {
  const [counts] = await queryRows<{ own: number; all: number }>(
    tx,
    `select count(*) filter (where partition = any (?::integer[]))::integer as own, count(*)::integer as all
       from ${tables.parkedStreams} where projection = ? and version = ?`,
    [partitions, name, version],
  );
  return counts ?? { own: 0, all: 0 };
}

/** Those of the streams that are parked, each with the offset from which on its records are put aside. The primary key serves it. */
export async function loadFirstOffsets(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  streams: readonly string[],
): Promise<Map<string, number>> {
  const rows = await queryRows<{ stream: string; first_offset: string }>(
    tx,
    `select stream, first_offset from ${tables.parkedStreams}
      where projection = ? and version = ? and stream = any (?::text[])`,
    [name, version, streams],
  );
  return new Map(rows.map(({ stream, first_offset }) => [stream, Number(first_offset)]));
}

/** The stream a record belongs to, as PostgreSQL can hold it: a key that is not ours may have a NUL in it. */
export function parkingKeyOf(record: LogRecord): string {
  return record.key.replaceAll('\0', '\uFFFD');
}

/**
 * A stream that is parked already stays so from where it was: two projectors may park one at once where a writer that is none of
 * ours has put its records into several partitions.
 */
export async function insertParkedStreams(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  streams: readonly ParkedStream[],
): Promise<void> {
  await changeRows(
    tx,
    `insert into ${tables.parkedStreams} (projection, version, stream, partition, first_offset, reason, parked_at_ms)
     select ?::text, ?::integer, * from unnest(?::text[], ?::integer[], ?::bigint[], ?::text[], ?::bigint[])
     on conflict do nothing`,
    [
      name,
      version,
      streams.map(({ stream }) => stream),
      streams.map(({ partition }) => partition),
      streams.map(({ firstOffset }) => firstOffset),
      streams.map(({ reason }) => toStoredReason(reason)),
      streams.map(({ atMs }) => atMs),
    ],
  );
}

export async function insertParkedRecords(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  parked: readonly ParkedRecord[],
): Promise<void> {
  await changeRows(
    tx,
    `insert into ${tables.parkedRecords} (projection, version, stream, partition, "offset", appended_at_ms, value)
     select ?::text, ?::integer, * from unnest(?::text[], ?::integer[], ?::bigint[], ?::bigint[], ?::bytea[])`,
    [
      name,
      version,
      parked.map(({ record }) => parkingKeyOf(record)),
      parked.map(({ partition }) => partition),
      parked.map(({ record }) => record.offset),
      parked.map(({ record }) => record.appendedAt),
      parked.map(({ record }) => record.value),
    ],
  );
}

/** The next records of a parked stream after a place in the log, at most `limit`, in order. The primary key serves it. */
export async function selectParkedRecords(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  from: { stream: string; after: { partition: number; offset: number }; limit: number },
): Promise<ParkedRecord[]> {
  const rows = await queryRows<{ partition: number; offset: string; appended_at_ms: string; value: Buffer }>(
    tx,
    `select partition, "offset", appended_at_ms, value from ${tables.parkedRecords}
      where projection = ? and version = ? and stream = ? and (partition, "offset") > (?, ?)
      order by partition, "offset" limit ?`,
    [name, version, from.stream, from.after.partition, from.after.offset, from.limit],
  );
  return rows.map(({ partition, offset, appended_at_ms, value }) => ({
    partition,
    record: { offset: Number(offset), key: from.stream, value, appendedAt: Number(appended_at_ms) },
  }));
}

/** The parked streams with how many records of each are put aside: one, or all in the order in which they were parked. */
export async function selectParkedStreams(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  stream: string | null,
): Promise<(ParkedStream & { records: number })[]> {
  const rows = await queryRows<{
    stream: string;
    partition: number;
    first_offset: string;
    reason: string;
    parked_at_ms: string;
    records: number;
  }>(
    tx,
    `select stream, partition, first_offset, reason, parked_at_ms,
            (select count(*)::integer from ${tables.parkedRecords} as record
              where record.projection = parked.projection and record.version = parked.version
                and record.stream = parked.stream) as records
       from ${tables.parkedStreams} as parked
      where projection = ? and version = ? and (?::text is null or stream = ?)
      order by parked_at_ms, partition, first_offset`,
    [name, version, stream, stream],
  );
  return rows.map(({ first_offset, parked_at_ms, ...row }) => ({
    ...row,
    firstOffset: Number(first_offset),
    atMs: Number(parked_at_ms),
  }));
}

/**
 * The stream stays parked, but only from `firstOffset` on: what lay before it in that partition was projected or discarded in the
 * same transaction, and is forgotten.
 */
export async function moveParkedStream(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  { stream, partition, firstOffset, reason }: Omit<ParkedStream, 'atMs'>,
): Promise<void> {
  await changeRows(
    tx,
    `delete from ${tables.parkedRecords}
      where projection = ? and version = ? and stream = ? and partition = ? and "offset" < ?`,
    [name, version, stream, partition, firstOffset],
  );
  await changeRows(
    tx,
    `update ${tables.parkedStreams} set first_offset = ?, reason = ?
      where projection = ? and version = ? and stream = ?`,
    [firstOffset, toStoredReason(reason), name, version, stream],
  );
}

/** One record of a parked stream; null where none lies at that offset. The primary key serves it. */
export async function selectParkedRecord(
  tx: Knex,
  tables: BookkeepingTables,
  key: ProjectionKey,
  { stream, partition, offset }: { stream: string; partition: number; offset: number },
): Promise<ParkedRecord | null> {
  const from = { stream, after: { partition, offset: offset - 1 }, limit: 1 };
  const [next] = await selectParkedRecords(tx, tables, key, from);
  return next?.partition === partition && next.record.offset === offset ? next : null;
}

/** Forgets one record of a parked stream, which must have been discarded in the same transaction. */
export async function deleteParkedRecord(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  { stream, partition, offset }: { stream: string; partition: number; offset: number },
): Promise<void> {
  await changeRows(
    tx,
    `delete from ${tables.parkedRecords}
      where projection = ? and version = ? and stream = ? and partition = ? and "offset" = ?`,
    [name, version, stream, partition, offset],
  );
}

/** Forgets that the stream was parked; its records must have been projected in the same transaction. */
export async function deleteParkedStream(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  stream: string,
): Promise<void> {
  for (const table of [tables.parkedRecords, tables.parkedStreams]) {
    await changeRows(tx, `delete from ${table} where projection = ? and version = ? and stream = ?`, [
      name,
      version,
      stream,
    ]);
  }
}

/** A reason may quote the value that was refused, which may hold what PostgreSQL cannot. */
function toStoredReason(reason: string): string {
  return reason.replaceAll('\0', '').toWellFormed().slice(0, MAX_REASON_CHARACTERS);
}
