// Discarded records: what somebody has taken out of a projection by hand, because nobody will ever be able to project it.
//
// A discard belongs to the projection as such, not to one set of its tables: it is kept under the projection's base name, and every
// fold passes over the record, so that tables built anew mean the same as those in which it was discarded. A projector looks the
// discards up when it loads. It need not notice one that is made while it runs: only a parked record can be discarded, which
// lies below the projector's checkpoint, so it does not come by again before the projector loads again.
import type { Knex } from 'knex';
import type { LogRecord } from '../event-log/event-log.ts';
import { changeRows, queryRows } from '../platform/sql.ts';
import type { ProjectionKey } from './checkpoints.ts';
import type { BookkeepingTables } from './history/tables.ts';

/** Says of a place in the log whether its record was discarded. */
export type Discards = { has(partition: number, offset: number): boolean };

export const NO_DISCARDS: Discards = { has: () => false };

export type Discard = {
  partition: number;
  record: Pick<LogRecord, 'offset' | 'key' | 'value'>;
  reason: string;
  by: string;
  atMs: number;
};

/** The name of the projection that a set of tables is made for: builds beside the live tables are called `<name>#<number>`. */
function baseNameOf({ name }: ProjectionKey): string {
  return name.replace(/#\d+$/, '');
}

/** Those of these partitions. They are made by hand, so they are few. The primary key serves it. */
export async function loadDiscards(
  tx: Knex,
  tables: BookkeepingTables,
  key: ProjectionKey,
  partitions: readonly number[],
): Promise<Discards> {
  const rows = await queryRows<{ partition: number; offset: string }>(
    tx,
    `select partition, "offset" from ${tables.discardedRecords}
      where projection = ? and version = ? and partition = any (?::integer[])`,
    [baseNameOf(key), key.version, partitions],
  );
  if (rows.length === 0) return NO_DISCARDS;
  const places = new Set(rows.map(({ partition, offset }) => `${partition}-${offset}`));
  return { has: (partition, offset) => places.has(`${partition}-${offset}`) };
}

/** Remembers for ever that the record is passed over. */
export async function insertDiscard(
  tx: Knex,
  tables: BookkeepingTables,
  key: ProjectionKey,
  { partition, record, reason, by, atMs }: Discard,
): Promise<void> {
  await changeRows(
    tx,
    `insert into ${tables.discardedRecords} (projection, version, partition, "offset", stream, reason, value,
                                             discarded_by, discarded_at_ms)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [baseNameOf(key), key.version, partition, record.offset, record.key, reason, record.value, by, atMs],
  );
}

/** What was discarded of one stream, in the order of the log. There is no index for it: the table is small. */
export async function selectDiscards(
  tx: Knex,
  tables: BookkeepingTables,
  key: ProjectionKey,
  stream: string,
): Promise<Discard[]> {
  const rows = await queryRows<{
    partition: number;
    offset: string;
    reason: string;
    value: Buffer;
    discarded_by: string;
    discarded_at_ms: string;
  }>(
    tx,
    `select partition, "offset", reason, value, discarded_by, discarded_at_ms from ${tables.discardedRecords}
      where projection = ? and version = ? and stream = ? order by partition, "offset"`,
    [baseNameOf(key), key.version, stream],
  );
  return rows.map(({ partition, offset, reason, value, discarded_by, discarded_at_ms }) => {
    const record = { offset: Number(offset), key: stream, value };
    return { partition, record, reason, by: discarded_by, atMs: Number(discarded_at_ms) };
  });
}
