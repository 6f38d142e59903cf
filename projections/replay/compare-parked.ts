// What two builds have parked: the same streams from the same offsets on, or not.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { ProjectionKey } from '../checkpoints.ts';
import type { BookkeepingTables } from '../history/tables.ts';

export type ParkedSide = { tx: Knex; key: ProjectionKey };
/** Where a stream is parked from, and how many of its records are; null where it is not parked. */
export type Parked = { firstOffset: number; records: number } | null;
export type ParkedComparison = {
  /** Parked on both sides alike. */
  alike: number;
  differences: { stream: string; partition: number; left: Parked; right: Parked }[];
};

/** Of all streams, or of one. Streams that may be parked are bounded by MAX_PARKED_STREAMS, so they are all held. */
export async function compareParked(
  tables: BookkeepingTables,
  left: ParkedSide,
  right: ParkedSide,
  stream: string | null = null,
): Promise<ParkedComparison> {
  const [lefts, rights] = [await loadParked(tables, left, stream), await loadParked(tables, right, stream)];
  const comparison: ParkedComparison = { alike: 0, differences: [] };
  for (const parked of [...new Set([...lefts.keys(), ...rights.keys()])].sort()) {
    const [inLeft, inRight] = [lefts.get(parked), rights.get(parked)];
    if (inLeft?.firstOffset === inRight?.firstOffset && inLeft?.records === inRight?.records) comparison.alike += 1;
    else {
      comparison.differences.push({
        stream: parked,
        partition: (inLeft ?? inRight)?.partition ?? 0,
        left: toParked(inLeft),
        right: toParked(inRight),
      });
    }
  }
  return comparison;
}

type ParkedRow = { stream: string; partition: number; firstOffset: number; records: number };

async function loadParked(
  tables: BookkeepingTables,
  { tx, key }: ParkedSide,
  stream: string | null,
): Promise<Map<string, ParkedRow>> {
  const rows = await queryRows<ParkedRow>(
    tx,
    `select stream, partition, first_offset::float8 as "firstOffset",
            (select count(*)::integer from ${tables.parkedRecords} as record
              where record.projection = parked.projection and record.version = parked.version
                and record.stream = parked.stream) as records
       from ${tables.parkedStreams} as parked where projection = ? and version = ? and (?::text is null or stream = ?)`,
    [key.name, key.version, stream, stream],
  );
  return new Map(rows.map((row) => [row.stream, row]));
}

function toParked(row: ParkedRow | undefined): Parked {
  return row === undefined ? null : { firstOffset: row.firstOffset, records: row.records };
}
