// What rebuilding, verifying and repairing need to know of a projection into tables.
import { copyMessages, copyRoomEvents } from '../history/copy-rows.ts';
import { createHistoryProjection } from '../history/history-projection.ts';
import { BOOKKEEPING_SCHEMA, HISTORY_PROJECTION, HISTORY_SCHEMA } from '../history/tables.ts';
import { TABLES_FILE } from '../history/versions.ts';
import type { TableProjection } from '../table-projection.ts';

/**
 * How a build is written. `rows` is the live path. `copy` is for tables that are being filled from the beginning of the log: the
 * same fold, but what only grows comes by COPY.
 */
export type WritingWay = 'rows' | 'copy';

export type ReplayedProjection = {
  name: string;
  version: number;
  /** Where readers read this version. */
  schema: string;
  bookkeepingSchema: string;
  /** SQL without schema names, as for createTables. */
  tablesFile: URL;
  /** Tables that only grow and hold nearly all rows: while a build is filled by COPY they have no index at all. */
  growingTables: readonly string[];
  into(schema: string, way: WritingWay): TableProjection;
};

/** The history; other schemas than the product's are for tests. */
export function replayedHistory(
  schemas: { schema: string; bookkeepingSchema: string } = {
    schema: HISTORY_SCHEMA,
    bookkeepingSchema: BOOKKEEPING_SCHEMA,
  },
): ReplayedProjection {
  return {
    ...HISTORY_PROJECTION,
    ...schemas,
    tablesFile: TABLES_FILE,
    growingTables: ['messages', 'room_events'],
    into: (schema, way) =>
      way === 'rows'
        ? createHistoryProjection(schema)
        : createHistoryProjection(schema, { insertMessages: copyMessages, insertRoomEvents: copyRoomEvents }),
  };
}
