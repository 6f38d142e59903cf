// How far the history is.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import { type BookkeepingTables, HISTORY_PROJECTION } from '../../projections/history/tables.ts';

/** By partition: the next offset to be projected into history. Empty until the projection has started for the first time. */
export async function selectCheckpoints(db: Knex, tables: BookkeepingTables): Promise<Map<number, number>> {
  const { name, version } = HISTORY_PROJECTION;
  const rows = await queryRows<{ partition: number; next_offset: string }>(
    db,
    `select partition, next_offset from ${tables.checkpoints} where projection = ? and version = ?`,
    [name, version],
  );
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]));
}
