// The commands role as a process of its own.

import { documentRoutes, SOCKET_PORT } from '../documents/document-routes.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSnapshotStore } from '../event-log/open-snapshot-store.ts';
import { ownershipOpener } from '../event-log/ownership/open-ownership.ts';
import { createTokenVerifier } from '../platform/auth.ts';
import { systemClock } from '../platform/clock.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { Lifecycle, stopOnSignals } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createRateLimit } from '../platform/rate-limit.ts';
import { openRedis } from '../platform/redis.ts';
import { serveRole } from '../platform/serve-role.ts';
import { failInSentences } from '../platform/tell-of-failure.ts';
import { createRedisWrittenPositions } from '../platform/written-positions.ts';
import { LIMITS } from '../schemas/limits.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { readCommandsConfig } from './config.ts';
import { openCommandsRole } from './role.ts';

failInSentences();
const config = readCommandsConfig();
const logger = createLogger('commands', config.logLevel);
const verifier = createTokenVerifier(config.tokenKeys);
const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
stopOnSignals(lifecycle, (code) => process.exit(code));
const metrics = createMetrics();

const { log: eventLog, codec } = await openEventLog(config.eventLog, { logger, clientId: 'roomlog-commands' });
lifecycle.add('event log', () => eventLog.close());
const redis = config.redis === null ? undefined : openRedis({ ...config.redis, connectionName: 'commands' }, logger);
lifecycle.add('redis', async () => redis?.disconnect());
const writeLimit = createRateLimit({ ...config.rateLimit, keyPrefix: 'writes', redis });

const prefix = `roomlog:${config.logTopic}:`;
const written = redis === undefined ? null : createRedisWrittenPositions({ redis, prefix, logger });

const { internalSecret } = config;
const openOwnership = ownershipOpener(config.eventLog, {
  partitions: eventLog.partitions,
  address: config.advertisedUrl,
  clientId: 'roomlog-commands',
  logger,
});
const deps = { lifecycle, logger, metrics, eventLog, codec, verifier, writeLimit, internalSecret, written };
const snapshots = await openSnapshotStore(config.eventLog, { logger, clientId: 'roomlog-commands' });
lifecycle.add('snapshots', () => snapshots.close());
const parts = { ...deps, openOwnership, snapshots, ids: uuidv7Ids, clock: systemClock };
const role = openCommandsRole(parts);
const { port, frontendUrl } = config;
const answers = { problems: REJECTIONS, bodyLimitBytes: LIMITS.httpBodyBytes };
const routes = [...documentRoutes({ socketPort: SOCKET_PORT }), ...role.routes];
await serveRole({ ...role, routes }, { port, frontendUrl, ...answers, lifecycle, log: logger, metrics });
