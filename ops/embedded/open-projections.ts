// The projections of a process that runs all roles: in a thread of their own. Only a hot cache in memory is kept here, where its
// readers are.
import { AggregatorRegistry } from 'prom-client';
import type { EventLogSettings } from '../../event-log/config.ts';
import type { Role } from '../../platform/role.ts';
import { ProjectionsThread, type ThreadSettings } from '../../projections/projections-thread.ts';
import { type CacheProjectionDeps, openCacheProjection, type ProjectionsSettings } from '../../projections/role.ts';

export type OpenProjectionsDeps = Omit<CacheProjectionDeps, 'settings'> &
  Omit<ThreadSettings, 'eventLog' | 'projections'> & {
    eventLogSettings: EventLogSettings;
    projections: ProjectionsSettings;
  };

/** Resolves when the thread is up, with the role and the text of all metrics. Throws what kept the thread from coming up. */
export async function openProjections(
  deps: OpenProjectionsDeps,
): Promise<{ role: Role; metricsText: () => Promise<string> }> {
  const { eventLogSettings, projections } = deps;
  const { databaseUrl, redis, logTopic, sharesPartitions, logLevel, logTo } = deps;
  const where = { eventLog: eventLogSettings, databaseUrl, redis, logTopic, sharesPartitions };
  const settings = { ...where, projections, logLevel, logTo };
  const thread = new ProjectionsThread(settings);
  const role = await thread.open();
  deps.lifecycle.run('projections', thread);
  const cache = redis === null ? openCacheProjection({ ...deps, settings: projections }).ready : {};
  return {
    role: { ...role, ready: { ...role.ready, ...cache } },
    metricsText: async () => {
      const ofThreads = [await deps.metrics.getMetricsAsJSON(), await thread.metrics()];
      return AggregatorRegistry.aggregate(ofThreads).metrics();
    },
  };
}
