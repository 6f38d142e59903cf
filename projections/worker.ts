// The projections in a thread of their own, for a process that runs all roles: folding and writing history costs about a sixth of
// what such a process does under load, and on a thread of its own it delays nobody's message. It is the role itself, with
// connections of its own; what the process needs of it, it asks for by messages (projections-thread.ts is the other end).
import { parentPort, workerData } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { openEventLog } from '../event-log/open-event-log.ts';
import { ownershipOpener } from '../event-log/ownership/open-ownership.ts';
import { everythingOurs } from '../event-log/ownership/sole-ownership.ts';
import { systemClock } from '../platform/clock.ts';
import { runChecks } from '../platform/http-app.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { openRedis } from '../platform/redis.ts';
import { createRedisRoomCache, roomCachePrefix } from './cache/redis-room-cache.ts';
import { openProjectionsDatabase, openVerifyingDatabase } from './open-projections-database.ts';
import type { ThreadAnswer, ThreadQuestion, ThreadSettings } from './projections-thread.ts';
import { openProjectionsRole } from './role.ts';

if (parentPort === null) throw new Error('projections/worker.ts runs in a worker thread only');
const port = parentPort;
const settings = workerData as ThreadSettings;
const logger = createLogger('projections', settings.logLevel, settings.logTo);
const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
// Without the process's own metrics, which the main thread reports.
const metrics = new Registry();

const clientId = 'roomlog-projections';
const { log: eventLog, codec } = await openEventLog(settings.eventLog, { logger, clientId });
lifecycle.add('event log of the projections', () => eventLog.close());
const db = openProjectionsDatabase(settings.databaseUrl, logger);
lifecycle.add('database of the projections', () => db.destroy());
const redis = settings.redis === null ? null : openRedis({ ...settings.redis, connectionName: 'projections' }, logger);
lifecycle.add('redis of the projections', async () => redis?.disconnect());
const cache = redis === null ? null : createRedisRoomCache({ redis, prefix: roomCachePrefix(settings.logTopic) });
const sharing = { partitions: eventLog.partitions, address: '', clientId, logger };
const role = await openProjectionsRole({
  settings: settings.projections,
  lifecycle,
  logger,
  metrics,
  eventLog,
  codec,
  db,
  cache,
  openOwnership: settings.sharesPartitions ? ownershipOpener(settings.eventLog, sharing) : everythingOurs(sharing),
  openVerifyingDb: () => openVerifyingDatabase(settings.databaseUrl, logger),
  clock: systemClock,
});

port.on('message', (question: ThreadQuestion) => void answer(question));
port.postMessage({ kind: 'up', checks: Object.keys(role.ready) } satisfies ThreadAnswer);

async function answer({ id, kind }: ThreadQuestion): Promise<void> {
  switch (kind) {
    case 'ready':
      port.postMessage({ kind, id, checks: await runChecks(role.ready) } satisfies ThreadAnswer);
      break;
    case 'metrics':
      port.postMessage({ kind, id, metrics: await metrics.getMetricsAsJSON() } satisfies ThreadAnswer);
      break;
    case 'stop':
      await lifecycle.stop();
      port.postMessage({ kind, id } satisfies ThreadAnswer);
      port.close();
      break;
  }
}
