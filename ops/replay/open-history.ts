// The live history as verbs work on it: its tables, its fold, and how its records are decoded.

import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { createTables } from '../../projections/create-tables.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { createHistoryProjection } from '../../projections/history/history-projection.ts';
import { BOOKKEEPING_FILE } from '../../projections/history/open-history-sink.ts';
import { BOOKKEEPING_SCHEMA, bookkeepingTables, HISTORY_SCHEMA } from '../../projections/history/tables.ts';
import type { RetryDeps } from '../../projections/retry-parked.ts';
import { RefusedError } from './exits.ts';
import type { Resources } from './open-resources.ts';

export type History = RetryDeps & { db: Database };

/**
 * Throws RefusedError where nothing was ever projected into this database. Creates what an older build has not made, so that a
 * verb need not wait for a projector of this one.
 */
export async function openHistory(resources: Resources): Promise<History> {
  const db = await resources.db();
  const tables = bookkeepingTables(BOOKKEEPING_SCHEMA);
  const [found] = await queryRows<{ name: string | null }>(db, 'select to_regclass(?) as name', [tables.checkpoints]);
  if (found?.name == null) throw new RefusedError('the history has never been projected into this database');
  await createTables(db, [{ schema: BOOKKEEPING_SCHEMA, file: BOOKKEEPING_FILE }]);
  const { codec } = await resources.eventLog();
  return { db, tables, projection: createHistoryProjection(HISTORY_SCHEMA), decode: decodeWith(codec) };
}
