// A log and its history in a PostgreSQL database of its own, for tests of the replay tool: what is appended is projected when the
// test says so, by the product's projector.

import type { Codec } from '../../event-log/codec/codec.ts';
import { until } from '../../event-log/contract/log-probe.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { openEventLog } from '../../event-log/open-event-log.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import { systemClock } from '../../platform/clock.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { type Database, openDatabase } from '../../platform/postgres.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { openHistorySink } from '../../projections/history/open-history-sink.ts';
import { BOOKKEEPING_SCHEMA, HISTORY_SCHEMA } from '../../projections/history/tables.ts';
import { createProjectionMetrics } from '../../projections/metrics.ts';
import { Projector } from '../../projections/projector.ts';
import { createQueries, type Queries } from '../../read-api/queries/queries.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { createFreshDatabase } from './fresh-database.ts';
import { silent } from './history-harness.ts';
import { stackEnv } from './stack-env.ts';

export type ProjectedLog = {
  db: Database;
  log: EventLog;
  codec: Codec;
  queries: Queries;
  /** What a process has to be given to work on it. */
  settings: Record<string, string | undefined>;
  append(events: readonly ChatEvent[]): Promise<void>;
  /** Whatever the bytes are, under a key. */
  appendBytes(key: string, value: Buffer): Promise<void>;
  /** Runs the projector until history is at the head of the log. */
  project(): Promise<void>;
  close(): Promise<void>;
};

const PARTITIONS = 2;

export async function openProjectedLog(name: string): Promise<ProjectedLog> {
  const database = await createFreshDatabase(stackEnv.databaseUrl(), name);
  const eventLog = {
    kind: 'postgres' as const,
    databaseUrl: database.url,
    partitions: PARTITIONS,
    ownerSessionMs: 5_000,
  };
  const { log, codec } = await openEventLog(eventLog, { logger: silent, clientId: name });
  const db = openDatabase({ url: database.url, poolMax: 4, applicationName: name }, silent);
  const queries = createQueries({ db });
  const metrics = createProjectionMetrics(createMetrics());

  const isAtHead = async (): Promise<boolean> => {
    const checkpoints = await queries.checkpoints();
    if (checkpoints.size < PARTITIONS) return false;
    for (const [partition, checkpoint] of checkpoints) if (checkpoint < (await log.head(partition))) return false;
    return true;
  };
  const appendBytes = async (key: string, value: Buffer): Promise<void> => {
    const partition = partitionOf(key, PARTITIONS);
    const outcome = await log.append(partition, await log.head(partition), [{ key, value }]);
    if (outcome.kind === 'conflict') throw new Error('somebody else writes to the log of this test');
  };
  return {
    db,
    log,
    codec,
    queries,
    settings: {
      DATABASE_URL: database.url,
      LOG_PARTITIONS: String(PARTITIONS),
      KAFKA_BROKERS: undefined,
      SCHEMA_REGISTRY_URL: undefined,
      REDIS_HOST: undefined,
    },
    appendBytes,
    async append(events) {
      for (const event of events) await appendBytes(event.metadata.stream, codec.encode(event));
    },
    async project() {
      const sink = openHistorySink({
        db,
        historySchema: HISTORY_SCHEMA,
        bookkeepingSchema: BOOKKEEPING_SCHEMA,
        partitions: PARTITIONS,
        codec,
        clock: systemClock,
        logger: silent,
        metrics,
        maxParkedStreams: 100,
      });
      const options = { log, decode: decodeWith(codec), maxRecords: 1_000, logger: silent, metrics };
      const projector = new Projector({ ...options, name: 'history', sink });
      const running = projector.run();
      await until('history is at the head', () => isAtHead().catch(() => false));
      await projector.stop();
      await running;
    },
    async close() {
      await db.destroy();
      await log.close();
      await database.drop();
    },
  };
}
