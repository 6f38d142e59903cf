// A history with a log behind it, for tests of the replay engine: real PostgreSQL, the log in memory.
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import { systemClock } from '../../platform/clock.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { bookkeepingTables, historyTables } from '../../projections/history/tables.ts';
import { type FoldDeps, headsOf } from '../../projections/replay/fold-into.ts';
import { type ReplayedProjection, replayedHistory } from '../../projections/replay/replayed-projection.ts';
import type { Sink } from '../../projections/sink.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { type HistoryHarness, openHistoryHarness, silent } from './history-harness.ts';

export type ReplayHarness = {
  history: HistoryHarness;
  projection: ReplayedProjection;
  deps: FoldDeps;
  bookkeeping: ReturnType<typeof bookkeepingTables>;
  /** The events at the heads of the partitions that their streams belong to. */
  append(events: readonly ChatEvent[]): Promise<void>;
  /** A record of that key at the head of its partition. */
  appendRaw(key: string, value: Buffer): Promise<void>;
  /** Projects what the log has into the live tables, as the projections role does. */
  projectLive(): Promise<void>;
  heads(): Promise<Map<number, number>>;
  /** Every row of the tables in a schema, for comparing. */
  rowsOf(schema: string): Promise<Record<string, unknown[]>>;
  /** Drops all builds and empties the live tables and the log. */
  clear(): Promise<void>;
  close(): Promise<void>;
};

export async function openReplayHarness(partitions = 4): Promise<ReplayHarness> {
  const history = await openHistoryHarness();
  const { db, codec } = history;
  const [schema = '', bookkeepingSchema = ''] = history.schemas.keys();
  const projection = replayedHistory({ schema, bookkeepingSchema });
  const bookkeeping = bookkeepingTables(bookkeepingSchema);
  const decode = decodeWith(codec);
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const deps: FoldDeps = {
    db,
    log: openMemoryEventLog(new MemoryStore(partitions)).log,
    decode,
    clock: systemClock,
    logger: silent,
    maxParkedStreams: 100,
  };

  async function append(records: readonly { key: string; value: Buffer }[]): Promise<void> {
    for (const record of records) {
      const partition = partitionOf(record.key, partitions);
      await deps.log.append(partition, await deps.log.head(partition), [record]);
    }
  }

  async function projectPartition(sink: Sink, partition: number, from: number): Promise<void> {
    const to = await deps.log.head(partition);
    for await (const { records, nextOffset } of deps.log.read(partition, from, to)) {
      const contents = await decode(records);
      const chunk = records.map((record, at) => ({ partition, record, content: contents[at] ?? { fault: 'none' } }));
      await sink.write({ records: chunk, moves: new Map([[partition, { from, to: nextOffset }]]) });
      from = nextOffset;
    }
  }

  async function dropBuilds(): Promise<void> {
    const { rows } = await db.raw<{ rows: { name: string }[] }>(
      'select nspname as name from pg_namespace where starts_with(nspname, ?)',
      [`${schema}_`],
    );
    for (const { name } of rows) await db.raw('drop schema ?? cascade', [name]);
  }

  await history.openSink({ partitions }).load(all);
  return {
    history,
    projection,
    deps,
    bookkeeping,
    append: (events) => append(events.map((event) => ({ key: event.metadata.stream, value: codec.encode(event) }))),
    appendRaw: (key, value) => append([{ key, value }]),
    async projectLive() {
      const sink = history.openSink({ partitions });
      for (const [partition, from] of await sink.load(all)) await projectPartition(sink, partition, from);
    },
    heads: () => headsOf(deps.log),
    async rowsOf(of) {
      const rows: Record<string, unknown[]> = {};
      for (const [table, name] of Object.entries(historyTables(of))) {
        rows[table] = (await db.raw<{ rows: unknown[] }>(`select * from ${name} as t order by t::text`)).rows;
      }
      return rows;
    },
    async clear() {
      await dropBuilds();
      await db.raw(`truncate ${[...Object.values(historyTables(schema)), ...Object.values(bookkeeping)].join(', ')}`);
      deps.log = openMemoryEventLog(new MemoryStore(partitions)).log;
    },
    async close() {
      await dropBuilds();
      await history.close();
    },
  };
}
