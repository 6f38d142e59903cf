// The read API as a process of its own.
import { documentRoutes, SOCKET_PORT } from '../documents/document-routes.ts';
import { createTokenVerifier } from '../platform/auth.ts';
import { systemClock } from '../platform/clock.ts';
import { createMemoryExpiringSets, createRedisExpiringSets } from '../platform/expiring-sets.ts';
import { Lifecycle, stopOnSignals } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { openDatabase } from '../platform/postgres.ts';
import { openRedis } from '../platform/redis.ts';
import { serveRole } from '../platform/serve-role.ts';
import { failInSentences } from '../platform/tell-of-failure.ts';
import { createRedisWrittenPositions } from '../platform/written-positions.ts';
import { createRedisRoomCache, roomCachePrefix } from '../projections/cache/redis-room-cache.ts';
import { LIMITS } from '../schemas/limits.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { readReadApiConfig } from './config.ts';
import { createQueries } from './queries/queries.ts';
import { openReadApiRole } from './role.ts';

const MAX_MARKS = 1_000_000;

failInSentences();
const config = readReadApiConfig();
const logger = createLogger('read-api', config.logLevel);
const verifier = createTokenVerifier(config.tokenKeys);
const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
stopOnSignals(lifecycle, (code) => process.exit(code));
const metrics = createMetrics();

const database = {
  url: config.databaseUrl,
  poolMax: 10,
  applicationName: 'roomlog read-api',
  statementTimeoutMs: 5_000,
};
const db = openDatabase(database, logger);
lifecycle.add('database', () => db.destroy());
const redis = config.redis === null ? null : openRedis({ ...config.redis, connectionName: 'read-api' }, logger);
lifecycle.add('redis', async () => redis?.disconnect());
const cache = redis === null ? null : createRedisRoomCache({ redis, prefix: roomCachePrefix(config.logTopic) });
const prefix = `roomlog:${config.logTopic}:`;
const written = redis === null ? null : createRedisWrittenPositions({ redis, prefix, logger });
const sets =
  redis === null
    ? createMemoryExpiringSets({ clock: systemClock, maxMembers: MAX_MARKS })
    : createRedisExpiringSets(redis, prefix);

const queries = createQueries({ db });
const { settings } = config;
const deps = { settings, lifecycle, logger, metrics, queries, cache, sets, written, verifier, clock: systemClock };
const role = await openReadApiRole(deps);
const { port, frontendUrl } = config;
const answers = { problems: REJECTIONS, bodyLimitBytes: LIMITS.httpBodyBytes };
const routes = [...documentRoutes({ socketPort: SOCKET_PORT }), ...role.routes];
await serveRole({ ...role, routes }, { port, frontendUrl, ...answers, lifecycle, log: logger, metrics });
