// The socket node as a process of its own.
import { HttpCommandClient } from '../commands/client/http-command-client.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { createTokenVerifier } from '../platform/auth.ts';
import { systemClock } from '../platform/clock.ts';
import { createMemoryExpiringSets, createRedisExpiringSets } from '../platform/expiring-sets.ts';
import { createHttpApp, listen } from '../platform/http-app.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { Lifecycle, stopOnSignals } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { openDatabase } from '../platform/postgres.ts';
import { createMemoryPubSub, createRedisPubSub } from '../platform/pub-sub.ts';
import { createRateLimit } from '../platform/rate-limit.ts';
import { openRedis, whenReady } from '../platform/redis.ts';
import { failInSentences } from '../platform/tell-of-failure.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { LIMITS } from '../schemas/limits.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { readRealtimeConfig } from './config.ts';
import { openRealtimeRole } from './role.ts';

/** Milliseconds to wait for Redis, so that the node's first sign of life is there before its first socket. */
const REDIS_WAIT_MS = 1_000;
const MAX_MARKS = 1_000_000;

failInSentences();
const config = readRealtimeConfig();
const logger = createLogger('realtime', config.logLevel);
const verifier = createTokenVerifier(config.tokenKeys);
const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
stopOnSignals(lifecycle, (code) => process.exit(code));
const metrics = createMetrics();

const { log: eventLog, codec } = await openEventLog(config.eventLog, { logger, clientId: 'roomlog-realtime' });
lifecycle.add('event log', () => eventLog.close());
const database = {
  url: config.databaseUrl,
  poolMax: 8,
  applicationName: 'roomlog realtime',
  statementTimeoutMs: 5_000,
};
const db = openDatabase(database, logger);
lifecycle.add('database', () => db.destroy());
const commands = new HttpCommandClient({
  urls: config.commandsUrls,
  secret: config.internalSecret,
  partitions: eventLog.partitions,
  logger,
});
lifecycle.add('command client', async () => commands.close());

const open = (connectionName: string) => {
  if (config.redis === null) return null;
  const redis = openRedis({ ...config.redis, connectionName }, logger);
  lifecycle.add(connectionName, async () => redis.disconnect());
  return redis;
};
const [redis, subscriber] = [open('realtime'), open('realtime subscriptions')];
for (const client of [redis, subscriber]) if (client !== null) await whenReady(client, REDIS_WAIT_MS);
const prefix = `roomlog:${config.logTopic}:`;
const sets = redis
  ? createRedisExpiringSets(redis, prefix)
  : createMemoryExpiringSets({ clock: systemClock, maxMembers: MAX_MARKS });
const pubSub =
  redis && subscriber ? createRedisPubSub({ publisher: redis, subscriber, prefix, log: logger }) : createMemoryPubSub();
const writeLimit = createRateLimit({ ...config.rateLimit, keyPrefix: 'writes', redis: redis ?? undefined });

const { settings, frontendUrl } = config;
const parts = { lifecycle, logger, metrics, eventLog, codec, commands, verifier, writeLimit, sets, pubSub };
const source = createQueries({ db });
const role = await openRealtimeRole({ ...parts, settings, frontendUrl, source, clock: systemClock, ids: uuidv7Ids });
const app = createHttpApp({
  role: role.name,
  log: logger,
  metrics,
  problems: REJECTIONS,
  frontendUrl,
  bodyLimitBytes: LIMITS.httpBodyBytes,
  ready: { ...role.ready, commands: () => commands.check() },
});
for (const route of role.routes) app.use(route);
const server = await listen(app, config.port);
role.attach(server);
// Only stops listening: what is open here are sockets, and the role ends those right after this.
lifecycle.add('http', async () => void server.close());
logger.info({ port: config.port }, 'the socket node is up');
