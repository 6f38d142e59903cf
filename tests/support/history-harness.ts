// The history in PostgreSQL for one test file: schemas of its own, dropped afterwards.
import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { type Codec, openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import { systemClock } from '../../platform/clock.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { type Database, type DatabaseOptions, openDatabase } from '../../platform/postgres.ts';
import { openHistorySink } from '../../projections/history/open-history-sink.ts';
import {
  BOOKKEEPING_SCHEMA,
  bookkeepingTables,
  HISTORY_SCHEMA,
  historyTables,
} from '../../projections/history/tables.ts';
import { createProjectionMetrics } from '../../projections/metrics.ts';
import type { PostgresSink } from '../../projections/postgres-sink.ts';
import type { Chunk, ProjectedRecord } from '../../projections/sink.ts';
import { createQueries, type Queries } from '../../read-api/queries/queries.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { stackEnv } from './stack-env.ts';

export const silent = pino({ level: 'silent' });

export type HistoryHarness = {
  db: Database;
  codec: Codec;
  queries: Queries;
  tables: ReturnType<typeof historyTables> & ReturnType<typeof bookkeepingTables>;
  /** Real name → the name it has in the product. */
  schemas: ReadonlyMap<string, string>;
  /** A sink as another process would have it. */
  openSink(options?: { partitions?: number; maxParkedStreams?: number; db?: Database }): PostgresSink;
  /** As writers of the product have it, but for how long their locks last: connections of their own, which the caller closes. */
  openWriterDb(locks: NonNullable<DatabaseOptions['locks']>, url?: string): Database;
  /** Every row of the history, for comparing. */
  allRows(): Promise<Record<string, unknown[]>>;
  /** Empties all tables, the checkpoints too. */
  clear(): Promise<void>;
  close(): Promise<void>;
};

/** `databaseUrl` may lead through a proxy; cleaning up always goes straight to the server. */
export async function openHistoryHarness(databaseUrl = stackEnv.databaseUrl()): Promise<HistoryHarness> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const [historySchema, bookkeepingSchema] = [`${name}_history`, `${name}_roomlog`];
  const db = openDatabase({ url: databaseUrl, poolMax: 6, applicationName: name }, silent);
  const tables = { ...historyTables(historySchema), ...bookkeepingTables(bookkeepingSchema) };
  const codec = await openCodec(folderSchemas());
  return {
    db,
    codec,
    tables,
    schemas: new Map([
      [historySchema, HISTORY_SCHEMA],
      [bookkeepingSchema, BOOKKEEPING_SCHEMA],
    ]),
    queries: createQueries({ db, historySchema, bookkeepingSchema }),
    openWriterDb: (locks, url = databaseUrl) => openDatabase({ url, poolMax: 2, applicationName: name, locks }, silent),
    openSink: ({ partitions = 2, maxParkedStreams = 100, db: writerDb = db } = {}) =>
      openHistorySink({
        db: writerDb,
        historySchema,
        bookkeepingSchema,
        partitions,
        codec,
        clock: systemClock,
        logger: silent,
        metrics: createProjectionMetrics(createMetrics()),
        maxParkedStreams,
      }),
    async allRows() {
      const rows: Record<string, unknown[]> = {};
      for (const [table, name] of Object.entries(historyTables(historySchema))) {
        const found = await db.raw<{ rows: unknown[] }>(`select * from ${name} as t order by t::text`);
        rows[table] = found.rows;
      }
      return rows;
    },
    async clear() {
      // Quicker than truncate where there is little to remove.
      await db.raw(
        Object.values(tables)
          .map((table) => `delete from ${table}`)
          .join('; '),
      );
    },
    async close() {
      await db.destroy();
      const direct = openDatabase({ url: stackEnv.databaseUrl(), poolMax: 1, applicationName: name }, silent);
      await direct.raw('drop schema if exists ??, ?? cascade', [historySchema, bookkeepingSchema]);
      await direct.destroy();
    },
  };
}

/** The events as records of one partition from an offset on, encoded as the log has them. */
export function toRecords(codec: Codec, events: readonly ChatEvent[], from = 0, partition = 0): ProjectedRecord[] {
  return events.map((event, index) => ({
    partition,
    record: { offset: from + index, key: event.metadata.stream, value: codec.encode(event), appendedAt: 1 },
    content: { event },
  }));
}

/** A chunk of one partition; it moves the checkpoint behind its last record. */
export function toChunk(records: readonly ProjectedRecord[], from: number, partition = 0): Chunk {
  const to = (records.at(-1)?.record.offset ?? from - 1) + 1;
  return { records, moves: new Map([[partition, { from, to }]]) };
}
