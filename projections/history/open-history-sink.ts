// The history as a sink: which tables it needs, where its checkpoints are, how it writes.
import type { Codec } from '../../event-log/codec/codec.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Database } from '../../platform/postgres.ts';
import { createTables } from '../create-tables.ts';
import { decodeWith } from '../decode-records.ts';
import type { ProjectionMetrics } from '../metrics.ts';
import { PostgresSink } from '../postgres-sink.ts';
import { createHistoryProjection } from './history-projection.ts';

export type HistorySinkDeps = {
  db: Database;
  /** Other schemas than the live ones are for rebuilding beside them, and for tests. */
  historySchema: string;
  bookkeepingSchema: string;
  partitions: number;
  codec: Codec;
  clock: Clock;
  logger: Logger;
  metrics: ProjectionMetrics;
  maxParkedStreams: number;
};

export const BOOKKEEPING_FILE = new URL('../create-bookkeeping.sql', import.meta.url);
export const TABLES_FILE = new URL('./create-tables.sql', import.meta.url);

/** Touches nothing yet: the tables are created when the sink is loaded. */
export function openHistorySink(deps: HistorySinkDeps): PostgresSink {
  const { db, historySchema, bookkeepingSchema } = deps;
  return new PostgresSink({
    ...deps,
    projection: createHistoryProjection(historySchema),
    decode: decodeWith(deps.codec),
    prepare: () =>
      createTables(db, [
        { schema: bookkeepingSchema, file: BOOKKEEPING_FILE },
        { schema: historySchema, file: TABLES_FILE },
      ]),
  });
}
