// The projections role as a process of its own.
import { openEventLog } from '../event-log/open-event-log.ts';
import { ownershipOpener } from '../event-log/ownership/open-ownership.ts';
import { systemClock } from '../platform/clock.ts';
import { Lifecycle, stopOnSignals } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { openRedis } from '../platform/redis.ts';
import { serveRole } from '../platform/serve-role.ts';
import { failInSentences } from '../platform/tell-of-failure.ts';
import { LIMITS } from '../schemas/limits.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { createRedisRoomCache, roomCachePrefix } from './cache/redis-room-cache.ts';
import { readProjectionsConfig } from './config.ts';
import { openProjectionsDatabase, openVerifyingDatabase } from './open-projections-database.ts';
import { openProjectionsRole } from './role.ts';

failInSentences();
const config = readProjectionsConfig();
const logger = createLogger('projections', config.logLevel);
const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
stopOnSignals(lifecycle, (code) => process.exit(code));
const metrics = createMetrics();

const clientId = 'roomlog-projections';
const { log: eventLog, codec } = await openEventLog(config.eventLog, { logger, clientId });
lifecycle.add('event log', () => eventLog.close());
const db = openProjectionsDatabase(config.databaseUrl, logger);
lifecycle.add('database', () => db.destroy());
const redis = config.redis === null ? null : openRedis({ ...config.redis, connectionName: 'projections' }, logger);
lifecycle.add('redis', async () => redis?.disconnect());
const cache = redis === null ? null : createRedisRoomCache({ redis, prefix: roomCachePrefix(config.logTopic) });

const sharing = { partitions: eventLog.partitions, address: '', clientId, logger };
const openOwnership = ownershipOpener(config.eventLog, sharing);
const { settings } = config;
const openVerifyingDb = () => openVerifyingDatabase(config.databaseUrl, logger);
const parts = { lifecycle, logger, metrics, eventLog, codec, db, cache };
const deps = { ...parts, settings, openOwnership, openVerifyingDb, clock: systemClock };
const role = await openProjectionsRole(deps);
const { port, frontendUrl } = config;
const answers = { problems: REJECTIONS, bodyLimitBytes: LIMITS.httpBodyBytes };
await serveRole(role, { port, frontendUrl, ...answers, lifecycle, log: logger, metrics });
