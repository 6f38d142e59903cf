// All roles in one process: what `npm start` runs. Each dependency is chosen by its own setting (config.ts), and what is not named
// is brought along: the log and the history in a PostgreSQL of our own, the hot cache, presence and typing in memory.
import { openCommandsRole } from './commands/role.ts';
import { type MainConfig, readMainConfig } from './config.ts';
import { documentRoutes } from './documents/document-routes.ts';
import { openEventLog } from './event-log/open-event-log.ts';
import { openSnapshotStore } from './event-log/open-snapshot-store.ts';
import { ownershipOpener } from './event-log/ownership/open-ownership.ts';
import { everythingOurs } from './event-log/ownership/sole-ownership.ts';
import { devTokenRoute } from './ops/embedded/dev-token-route.ts';
import { openDatabase } from './ops/embedded/open-database.ts';
import { openProjections } from './ops/embedded/open-projections.ts';
import { openShared } from './ops/embedded/open-shared.ts';
import { serveRoles } from './ops/embedded/serve-roles.ts';
import { welcomeText } from './ops/embedded/welcome.ts';
import { whenHistoryIsThere } from './ops/embedded/when-history-is-there.ts';
import { systemClock } from './platform/clock.ts';
import { uuidv7Ids } from './platform/ids.ts';
import { Lifecycle, stopOnSignals } from './platform/lifecycle.ts';
import { createLogger, type Logger } from './platform/logger.ts';
import { createMetrics } from './platform/metrics.ts';
import { readOrCreateSecret } from './platform/secret-file.ts';
import { tellOfFailure } from './platform/tell-of-failure.ts';
import { createQueries } from './read-api/queries/queries.ts';
import { openReadApiRole } from './read-api/role.ts';
import { openRealtimeRole } from './realtime/role.ts';

async function main(): Promise<void> {
  const config = readMainConfig();
  const logger = createLogger('roomlog', config.logLevel, config.logTo);
  const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
  stopOnSignals(lifecycle, (code) => process.exit(code));
  try {
    await start(config, lifecycle, logger);
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

async function start(config: MainConfig, lifecycle: Lifecycle, logger: Logger): Promise<void> {
  const database = await openDatabase({ ...config, lifecycle, logger, onLost: () => process.exit(1) });
  const secret = config.givesTokens ? await readOrCreateSecret(config.jwtSecretFile) : config.tokens.secret;
  const tokenKeys = { ...config.tokens, secret };
  const eventLogSettings = config.eventLogOn(database.url);
  const { log, codec } = await openEventLog(eventLogSettings, { logger, clientId: 'roomlog' });
  lifecycle.add('event log', () => log.close());
  const metrics = createMetrics();
  const shared = openShared({ ...config, databaseUrl: database.url, tokenKeys }, lifecycle, logger);
  const queries = createQueries({ db: shared.readDb });
  const common = { ...shared, lifecycle, logger, metrics, eventLog: log, codec, clock: systemClock, ids: uuidv7Ids };

  const projections = await openProjections({ ...common, ...config, eventLogSettings, databaseUrl: database.url });
  const sharing = { partitions: log.partitions, address: config.advertisedUrl, clientId: 'roomlog', logger };
  const snapshots = await openSnapshotStore(eventLogSettings, { logger, clientId: 'roomlog' });
  lifecycle.add('snapshots', () => snapshots.close());
  const commands = openCommandsRole({
    ...common,
    snapshots,
    internalSecret: config.sharesPartitions ? (config.internalSecret ?? secret ?? null) : config.internalSecret,
    openOwnership: config.sharesPartitions ? ownershipOpener(eventLogSettings, sharing) : everythingOurs(sharing),
  });
  const readApi = await openReadApiRole({ ...common, settings: config.readApi, queries });
  await whenHistoryIsThere(queries);
  const realtime = await openRealtimeRole({
    ...common,
    settings: config.realtime,
    frontendUrl: config.frontendUrl,
    source: queries,
    commands: commands.commands,
  });
  const devTokens = config.givesTokens && secret !== undefined ? [devTokenRoute({ secret, now: systemClock.now })] : [];
  const { ports, frontendUrl } = config;
  const { role, metricsText } = projections;
  const served = {
    ports,
    frontendUrl,
    rest: [commands, readApi],
    realtime,
    projections: role,
    routes: [...documentRoutes({ socketPort: ports.realtime }), ...devTokens],
    metricsText,
  };
  await serveRoles({ ...served, lifecycle, logger, metrics });
  logger.info({ ports }, 'all roles are up');
  process.stdout.write(
    welcomeText({ ...config, database: database.description, secret: devTokens.length > 0 ? secret : undefined }),
  );
}

try {
  await main();
} catch (error) {
  tellOfFailure(error);
  process.exit(1);
}
