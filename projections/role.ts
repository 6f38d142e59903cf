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
import { type HistoryVersions, openHistoryVersions } from './history/open-history-versions.ts';
import { HISTORY_VERSIONS, type HistoryVersion } from './history/versions.ts';
import { createProjectionMetrics, type ProjectionMetrics } from './metrics.ts';
import { noteOf, Projector, type ProjectorOptions } from './projector.ts';
import { verifyVersion } from './replay/verify-version.ts';
import type { TakeoverMode } from './takeover.ts';

export type ProjectionsSettings = { chunkRecords: number; maxParkedStreams: number; takeover: TakeoverMode };

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
  /** Oldest first; those that this build declares where left out. */
  historyVersions?: readonly HistoryVersion[];
  /** Connections of its own for comparing a newer version with the log; closed after that. */
  openVerifyingDb: () => Database;
};

export type CacheProjectionDeps = Omit<
  ProjectionsRoleDeps,
  'db' | 'clock' | 'cache' | 'openOwnership' | 'historyVersions' | 'openVerifyingDb'
> & {
  cache: RoomCache;
};

/** One that is not running yet. */
type Projection = {
  ready: ReadyChecks;
  /** What runs, by the name that it has in logs. */
  parts: Record<string, { run(): Promise<void>; stop(): Promise<void> }>;
};

const ROLE = 'projections';
const CACHE_PROJECTION = 'cache';

/**
 * Both projections. They start following at once; PostgreSQL and Redis may come later, which /ready shows. The processes that keep one
 * version of the history share its partitions among them, so that builds of different versions do not leave each other's work undone;
 * the hot cache has the partitions of the newest.
 */
export async function openProjectionsRole(deps: ProjectionsRoleDeps): Promise<Role> {
  const metrics = createProjectionMetrics(deps.metrics);
  const { versions, ...history } = createHistory(deps, metrics);
  const cache = deps.cache === null ? null : createCache({ ...deps, cache: deps.cache }, metrics, []);
  for (const [at, { version, projector }] of versions.entries()) {
    const isNewest = at === versions.length - 1;
    const ownership = deps.openOwnership(groupOf(version), ({ mine }) => {
      projector.assign(mine);
      if (isNewest) cache?.projector.assign(mine);
    });
    // Started first and so stopped last: when the partitions go to others, no chunk of ours is under way any more.
    deps.lifecycle.run(`${groupOf(version)} ownership`, ownership);
  }
  return runAll(cache === null ? [history] : [history, cache], deps.lifecycle);
}

function groupOf(version: number): string {
  return version === 1 ? ROLE : `${ROLE}-v${version}`;
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

function createHistory(deps: ProjectionsRoleDeps, metrics: ProjectionMetrics): HistoryVersions {
  const { settings, db, codec, clock, logger, eventLog, historyVersions = HISTORY_VERSIONS } = deps;
  return openHistoryVersions({
    versions: historyVersions,
    takeover: settings.takeover,
    verify: (version, signal) => verifyApart(deps, version, signal),
    sink: { ...settings, db, codec, clock, logger, metrics, partitions: eventLog.partitions },
    projector: projectorOptions(deps, metrics),
  });
}

async function verifyApart(
  deps: ProjectionsRoleDeps,
  version: HistoryVersion,
  signal: AbortSignal,
): Promise<boolean | null> {
  const db = deps.openVerifyingDb();
  try {
    const { eventLog: log, codec, clock, logger } = deps;
    const { maxParkedStreams } = deps.settings;
    return await verifyVersion(
      { db, log, decode: decodeWith(codec), clock, logger, maxParkedStreams },
      version,
      signal,
    );
  } finally {
    await db.destroy();
  }
}

function createCache(
  deps: CacheProjectionDeps,
  metrics: ProjectionMetrics,
  partitions: readonly number[],
): Projection & { projector: Projector } {
  const sink = new CacheSink(deps.cache, deps.eventLog);
  const projector = new Projector({ ...projectorOptions(deps, metrics), name: CACHE_PROJECTION, sink, partitions });
  const watch = new PositionWatch(async () => {
    if ((await sink.restore()) === 'setBack') projector.reload();
  }, deps.logger);
  const parts = { 'cache projection': projector, 'cache positions': watch };
  // Everything goes on without the cache, only slower.
  return { projector, ready: { 'cache projection': () => noteOf(projector) }, parts };
}

function projectorOptions(
  { eventLog, codec, logger, settings }: Omit<CacheProjectionDeps, 'cache'>,
  metrics: ProjectionMetrics,
): Omit<ProjectorOptions, 'name' | 'sink' | 'partitions'> {
  return { log: eventLog, decode: decodeWith(codec), maxRecords: settings.chunkRecords, logger, metrics };
}
