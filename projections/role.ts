// Wires the projections: the history into PostgreSQL, and the hot cache where there is one.
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { Clock } from '../platform/clock.ts';
import type { ReadyChecks } from '../platform/http-app.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Database } from '../platform/postgres.ts';
import type { Role } from '../platform/role.ts';
import { CacheSink } from './cache/cache-sink.ts';
import { PositionWatch } from './cache/position-watch.ts';
import type { RoomCache } from './cache/room-cache.ts';
import { decodeWith } from './decode-records.ts';
import { openHistorySink } from './history/open-history-sink.ts';
import { BOOKKEEPING_SCHEMA, HISTORY_PROJECTION, HISTORY_SCHEMA } from './history/tables.ts';
import { createProjectionMetrics, type ProjectionMetrics } from './metrics.ts';
import { Projector } from './projector.ts';

export type ProjectionsSettings = { chunkRecords: number; maxParkedStreams: number };

export type ProjectionsRoleDeps = {
  settings: ProjectionsSettings;
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  eventLog: EventLog;
  codec: Codec;
  db: Database;
  /** Null where this process has no cache to keep: one in memory is of use only to the readers of the same process. */
  cache: RoomCache | null;
  clock: Clock;
};

export type CacheProjectionDeps = Omit<ProjectionsRoleDeps, 'db' | 'clock' | 'cache'> & { cache: RoomCache };

const CACHE_PROJECTION = 'cache';

/** Both projections. They start following at once; PostgreSQL and Redis may come later, which /ready shows. */
export async function openProjectionsRole(deps: ProjectionsRoleDeps): Promise<Role> {
  const metrics = createProjectionMetrics(deps.metrics);
  const history = runHistoryProjector(deps, metrics);
  const cache = deps.cache === null ? {} : runCacheProjector({ ...deps, cache: deps.cache }, metrics);
  return { name: 'projections', routes: [], ready: { ...history, ...cache } };
}

/** The hot cache alone: for a process whose cache is in its memory while the history is projected elsewhere. */
export function openCacheProjection(deps: CacheProjectionDeps): Role {
  return { name: 'projections', routes: [], ready: runCacheProjector(deps, createProjectionMetrics(deps.metrics)) };
}

function runHistoryProjector(deps: ProjectionsRoleDeps, metrics: ProjectionMetrics): ReadyChecks {
  const sink = openHistorySink({
    ...deps,
    ...deps.settings,
    metrics,
    historySchema: HISTORY_SCHEMA,
    bookkeepingSchema: BOOKKEEPING_SCHEMA,
    partitions: deps.eventLog.partitions,
  });
  const history = new Projector({ ...projectorOptions(deps, metrics), name: HISTORY_PROJECTION.name, sink });
  deps.lifecycle.run('history projection', history);
  return {
    'history projection': () => history.check(),
    'parked streams': () => (sink.parkedStreams > 0 ? `parked streams: ${sink.parkedStreams}` : undefined),
  };
}

function runCacheProjector(deps: CacheProjectionDeps, metrics: ProjectionMetrics): ReadyChecks {
  const sink = new CacheSink(deps.cache, deps.eventLog);
  const projector = new Projector({ ...projectorOptions(deps, metrics), name: CACHE_PROJECTION, sink });
  deps.lifecycle.run('cache projection', projector);
  deps.lifecycle.run('cache positions', new PositionWatch(() => sink.restore(), deps.logger));
  return { 'cache projection': () => noteOf(projector) };
}

function projectorOptions(
  { eventLog, codec, logger, settings }: Omit<CacheProjectionDeps, 'cache'>,
  metrics: ProjectionMetrics,
): Omit<ConstructorParameters<typeof Projector>[0], 'name' | 'sink'> {
  return { log: eventLog, decode: decodeWith(codec), maxRecords: settings.chunkRecords, logger, metrics };
}

/** Everything goes on without the cache, only slower: a note, not a reason to take the node out of service. */
function noteOf(projector: Projector): string | undefined {
  try {
    projector.check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
