// Wires the projections: the history into PostgreSQL, and the hot cache where there is one. The processes of this role share out the
// partitions of the log among them; both projections of a process work on the same ones.
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { OpenOwnership } from '../event-log/ownership/ownership.ts';
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
import { Projector, type ProjectorOptions } from './projector.ts';

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
  openOwnership: OpenOwnership;
  clock: Clock;
};

export type CacheProjectionDeps = Omit<ProjectionsRoleDeps, 'db' | 'clock' | 'cache' | 'openOwnership'> & {
  cache: RoomCache;
};

/** One that is not running yet. */
type Projection = {
  projector: Projector;
  ready: ReadyChecks;
  /** What runs, by the name that it has in logs. */
  parts: Record<string, { run(): Promise<void>; stop(): Promise<void> }>;
};

const ROLE = 'projections';
const CACHE_PROJECTION = 'cache';

/** Both projections. They start following at once; PostgreSQL and Redis may come later, which /ready shows. */
export async function openProjectionsRole(deps: ProjectionsRoleDeps): Promise<Role> {
  const metrics = createProjectionMetrics(deps.metrics);
  const projections = [createHistory(deps, metrics)];
  if (deps.cache !== null) projections.push(createCache({ ...deps, cache: deps.cache }, metrics, []));
  const ownership = deps.openOwnership(ROLE, ({ mine }) => {
    for (const { projector } of projections) projector.assign(mine);
  });
  // Started first and so stopped last: when the partitions go to others, no chunk of ours is under way any more.
  deps.lifecycle.run('projection ownership', ownership);
  return runAll(projections, deps.lifecycle);
}

/**
 * The hot cache alone: for a process whose cache is in its memory while the history is projected elsewhere. Of all partitions,
 * whoever has the history of which: nobody else fills it.
 */
export function openCacheProjection(deps: CacheProjectionDeps): Role {
  const all = Array.from({ length: deps.eventLog.partitions }, (_, partition) => partition);
  const projection = createCache(deps, createProjectionMetrics(deps.metrics), all);
  return runAll([projection], deps.lifecycle);
}

function runAll(projections: readonly Projection[], lifecycle: Lifecycle): Role {
  for (const { parts } of projections) for (const [name, part] of Object.entries(parts)) lifecycle.run(name, part);
  return { name: ROLE, routes: [], ready: Object.assign({}, ...projections.map(({ ready }) => ready)) };
}

function createHistory(deps: ProjectionsRoleDeps, metrics: ProjectionMetrics): Projection {
  const sink = openHistorySink({
    ...deps,
    ...deps.settings,
    metrics,
    historySchema: HISTORY_SCHEMA,
    bookkeepingSchema: BOOKKEEPING_SCHEMA,
    partitions: deps.eventLog.partitions,
  });
  const name = HISTORY_PROJECTION.name;
  const projector = new Projector({ ...projectorOptions(deps, metrics), name, sink, partitions: [] });
  const ready = {
    'history projection': () => projector.check(),
    'parked streams': () => (sink.parkedStreams > 0 ? `parked streams: ${sink.parkedStreams}` : undefined),
  };
  return { projector, ready, parts: { 'history projection': projector } };
}

function createCache(deps: CacheProjectionDeps, metrics: ProjectionMetrics, partitions: readonly number[]): Projection {
  const sink = new CacheSink(deps.cache, deps.eventLog);
  const projector = new Projector({ ...projectorOptions(deps, metrics), name: CACHE_PROJECTION, sink, partitions });
  const watch = new PositionWatch(async () => {
    if ((await sink.restore()) === 'setBack') projector.reload();
  }, deps.logger);
  const parts = { 'cache projection': projector, 'cache positions': watch };
  return { projector, ready: { 'cache projection': () => noteOf(projector) }, parts };
}

function projectorOptions(
  { eventLog, codec, logger, settings }: Omit<CacheProjectionDeps, 'cache'>,
  metrics: ProjectionMetrics,
): Omit<ProjectorOptions, 'name' | 'sink' | 'partitions'> {
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
