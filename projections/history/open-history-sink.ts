// A version of the history as a sink: which tables it needs, where its checkpoints are, how it writes.
import type { Codec } from '../../event-log/codec/codec.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { createTables, lockTables, runScript } from '../create-tables.ts';
import { decodeWith } from '../decode-records.ts';
import { ensureLiveVersion } from '../live-version.ts';
import type { ProjectionMetrics } from '../metrics.ts';
import { PostgresSink } from '../postgres-sink.ts';
import { bookkeepingTables, historyKeyOf, historyTables } from './tables.ts';
import { HISTORY_VERSIONS, type HistoryVersion } from './versions.ts';

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
  /** The newest that this build declares where left out. */
  version?: HistoryVersion;
};

/** An older version that nobody has made, or that was dropped: it is not made again only because this build could. */
export class VersionGoneError extends Error {
  override readonly name = 'VersionGoneError';
  readonly code = 'version_gone';
  readonly retryable = false;
}

export const BOOKKEEPING_FILE = new URL('../create-bookkeeping.sql', import.meta.url);

/** Touches nothing yet: the tables are created when the sink is loaded. */
export function openHistorySink(deps: HistorySinkDeps): PostgresSink {
  const { db, clock, historySchema, bookkeepingSchema } = deps;
  const version = versionOf(deps);
  return openSink(deps, version, async () => {
    const { tablesFile } = version;
    await createTables(db, [{ schema: bookkeepingSchema, file: BOOKKEEPING_FILE }]);
    const key = historyKeyOf(version.version);
    // Before there are tables or checkpoints of this version, so that one that is there already stays the live one.
    await ensureLiveVersion(db, bookkeepingTables(bookkeepingSchema), key, clock.now());
    await createTables(db, [{ schema: historySchema, file: tablesFile }]);
  });
}

/** The same for an older version: loading throws VersionGoneError where its tables are not there. */
export function openOlderHistorySink(deps: HistorySinkDeps): PostgresSink {
  const { db, historySchema, bookkeepingSchema } = deps;
  const version = versionOf(deps);
  return openSink(deps, version, async () => {
    await db.transaction(async (tx) => {
      await lockTables(tx);
      await runScript(tx, { schema: bookkeepingSchema, file: BOOKKEEPING_FILE });
      const rooms = historyTables(historySchema).rooms;
      const [found] = await queryRows<{ name: string | null }>(tx, 'select to_regclass(?)::text as name', [rooms]);
      if (found?.name == null) throw new VersionGoneError(`there is no version ${version.version} of the history`);
    });
  });
}

function openSink(deps: HistorySinkDeps, version: HistoryVersion, prepare: () => Promise<void>): PostgresSink {
  const projection = version.createProjection(deps.historySchema);
  return new PostgresSink({ ...deps, projection, decode: decodeWith(deps.codec), prepare });
}

function versionOf({ version = HISTORY_VERSIONS.at(-1) }: HistorySinkDeps): HistoryVersion {
  if (version === undefined) throw new RangeError('this build declares no version of the history');
  return version;
}
