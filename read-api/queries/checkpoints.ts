// How far the history is.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { BookkeepingTables } from '../../projections/history/tables.ts';
import type { HistoryAt } from './live-history.ts';

/** By partition: the next offset to be projected into history. Empty until the projection has started for the first time. */
export async function selectCheckpoints(db: Knex, { name, version, tables }: HistoryAt): Promise<Map<number, number>> {
  const rows = await queryRows<{ partition: number; next_offset: string }>(
    db,
    `select partition, next_offset from ${tables.checkpoints} where projection = ? and version = ?`,
    [name, version],
  );
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]));
}

/** The version that is live; null where no projector has said so yet. */
export async function selectLiveVersion(
  db: Knex,
  tables: BookkeepingTables,
  projection: string,
): Promise<number | null> {
  const rows = await queryRows<{ version: number }>(db, `select version from ${tables.live} where projection = ?`, [
    projection,
  ]);
  return rows[0]?.version ?? null;
}
