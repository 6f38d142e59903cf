// What verbs work on, opened when first asked for: a verb that needs only PostgreSQL works while Kafka is away. Without DATABASE_URL
// it is the PostgreSQL in the data folder: that of the Roomlog which runs there, else started for as long as the verb takes.
import { once } from 'node:events';
import type { Codec } from '../../event-log/codec/codec.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { openEventLog } from '../../event-log/open-event-log.ts';
import type { Logger } from '../../platform/logger.ts';
import { type Database, openDatabase } from '../../platform/postgres.ts';
import { findRunningServer, startPostgresServer } from '../../platform/postgres-server.ts';
import { openRedis } from '../../platform/redis.ts';
import { createRedisRoomCache, roomCachePrefix } from '../../projections/cache/redis-room-cache.ts';
import type { RoomCache } from '../../projections/cache/room-cache.ts';
import type { ReplayConfig } from './config.ts';
import { lowerBackend } from './lower-backend.ts';

export type Resources = {
  readonly config: ReplayConfig;
  readonly logger: Logger;
  /** Throws UnreachableServerError. */
  databaseUrl(): Promise<string>;
  /** A pool of its own for the verb. Throws UnreachableServerError. */
  db(): Promise<Database>;
  /** Throws LogUnavailableError, LogSettingsError or SchemaSourceError. */
  eventLog(): Promise<{ log: EventLog; codec: Codec }>;
  /** Null where the hot cache is in the memory of another process. */
  cache(): Promise<RoomCache | null>;
  /** Gives back everything that was opened, the last first. */
  close(): Promise<void>;
};

/** A server is away that the verb cannot do without. */
export class UnreachableServerError extends Error {
  override readonly name = 'UnreachableServerError';
  readonly code = 'unreachable';
  readonly retryable = true;
}

const CLIENT_ID = 'roomlog-replay';
const POOL_MAX = 12;
/** Milliseconds for which somebody at a terminal waits for servers that may be starting. */
const OPEN_LOG_MS = 5_000;
const OPEN_REDIS_MS = 3_000;
/** Building an index over a large history takes minutes. */
const STATEMENT_MS = 3_600_000;

/** Opens nothing yet. */
export function openResources(config: ReplayConfig, logger: Logger): Resources {
  const closings: (() => Promise<unknown>)[] = [];
  const databaseUrl = onlyOnce(() => findDatabase(config, closings));
  const db = onlyOnce(async () => {
    const url = await databaseUrl();
    const database = openDatabase(
      {
        url,
        poolMax: POOL_MAX,
        applicationName: 'roomlog replay',
        statementTimeoutMs: STATEMENT_MS,
        onConnect: async (connection) => void (await lowerBackend(connection)),
      },
      logger,
    );
    closings.push(() => database.destroy());
    await reach('PostgreSQL', () => database.raw('select 1'));
    return database;
  });
  const eventLog = onlyOnce(async () => {
    const settings = config.eventLogOn(config.databaseUrl ?? (await databaseUrl()));
    const opened = await openEventLog(settings, { logger, clientId: CLIENT_ID, openTimeoutMs: OPEN_LOG_MS });
    closings.push(() => opened.log.close());
    return opened;
  });
  const cache = onlyOnce(async () => {
    if (config.redis === null) return null;
    const redis = openRedis({ ...config.redis, connectionName: 'replay' }, logger);
    closings.push(async () => redis.disconnect());
    await reach('Redis', () => once(redis, 'ready', { signal: AbortSignal.timeout(OPEN_REDIS_MS) }));
    return createRedisRoomCache({ redis, prefix: roomCachePrefix(config.logTopic) });
  });
  return {
    config,
    logger,
    databaseUrl,
    db,
    eventLog,
    cache,
    async close() {
      for (const close of closings.reverse()) await close();
    },
  };
}

async function findDatabase(config: ReplayConfig, closings: (() => Promise<unknown>)[]): Promise<string> {
  if (config.databaseUrl !== undefined) return config.databaseUrl;
  const running = await findRunningServer(config.postgresDir);
  if (running !== null) return running.databaseUrl;
  const lock = {
    applicationName: 'roomlog replay',
    onLost: (error: Error) => {
      throw error;
    },
  };
  const server = await startPostgresServer({ dataDir: config.postgresDir, lock });
  closings.push(() => server.stop());
  return server.databaseUrl;
}

async function reach<Answer>(name: string, ask: () => PromiseLike<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    throw new UnreachableServerError(`${name} cannot be reached`, { cause: error });
  }
}

function onlyOnce<Value>(open: () => Promise<Value>): () => Promise<Value> {
  let opened: Promise<Value> | undefined;
  return () => (opened ??= open());
}
