// What the roles of one process share: connections, the hot cache, what expires, and the limits, each in Redis where one is named
// and in memory where none is.
import { createTokenVerifier, type TokenVerifier } from '../../platform/auth.ts';
import { systemClock } from '../../platform/clock.ts';
import { createMemoryExpiringSets, createRedisExpiringSets, type ExpiringSets } from '../../platform/expiring-sets.ts';
import type { Lifecycle } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import { type Database, openDatabase } from '../../platform/postgres.ts';
import { createMemoryPubSub, createRedisPubSub, type PubSub } from '../../platform/pub-sub.ts';
import { createRateLimit, type RateLimit } from '../../platform/rate-limit.ts';
import { openRedis, type RedisClient } from '../../platform/redis.ts';
import {
  createMemoryWrittenPositions,
  createRedisWrittenPositions,
  type WrittenPositions,
} from '../../platform/written-positions.ts';
import { createMemoryRoomCache } from '../../projections/cache/memory-room-cache.ts';
import { createRedisRoomCache, roomCachePrefix } from '../../projections/cache/redis-room-cache.ts';
import type { RoomCache } from '../../projections/cache/room-cache.ts';

export type SharedOptions = {
  databaseUrl: string;
  redis: { host: string; port: number } | null;
  logTopic: string;
  tokenKeys: { secret: string | undefined; publicKeyPem: string | undefined };
  rateLimit: { perSecond: number; burst: number };
};

export type Shared = {
  /** Of the readers, whose waits are short. */
  readDb: Database;
  cache: RoomCache;
  sets: ExpiringSets;
  pubSub: PubSub;
  writeLimit: RateLimit;
  written: WrittenPositions;
  verifier: TokenVerifier;
};

const READ_CONNECTIONS = 10;
const READ_TIMEOUT_MS = 5_000;
/** In memory: at the bound the room or mark that was used longest ago goes. */
const MAX_CACHED_ROOMS = 2_000;
const MAX_CACHED_MEMBERS = 1_000_000;
const MAX_MARKS = 1_000_000;

export function openShared(options: SharedOptions, lifecycle: Lifecycle, logger: Logger): Shared {
  const { databaseUrl: url, redis: redisAt } = options;
  const verifier = createTokenVerifier(options.tokenKeys);
  const readDb = openDatabase(
    {
      url,
      poolMax: READ_CONNECTIONS,
      applicationName: 'roomlog reads',
      statementTimeoutMs: READ_TIMEOUT_MS,
    },
    logger,
  );
  lifecycle.add('database for reads', () => readDb.destroy());
  const limit = { ...options.rateLimit, keyPrefix: 'writes' };
  const own = { readDb, verifier };
  if (redisAt === null) {
    return {
      ...own,
      cache: createMemoryRoomCache({ maxRooms: MAX_CACHED_ROOMS, maxMembers: MAX_CACHED_MEMBERS }),
      sets: createMemoryExpiringSets({ clock: systemClock, maxMembers: MAX_MARKS }),
      pubSub: createMemoryPubSub(),
      writeLimit: createRateLimit(limit),
      written: createMemoryWrittenPositions(),
    };
  }
  const open = (connectionName: string): RedisClient => {
    const redis = openRedis({ ...redisAt, connectionName }, logger);
    lifecycle.add(connectionName, async () => redis.disconnect());
    return redis;
  };
  const redis = open('roomlog');
  const prefix = `roomlog:${options.logTopic}:`;
  return {
    ...own,
    cache: createRedisRoomCache({ redis, prefix: roomCachePrefix(options.logTopic) }),
    sets: createRedisExpiringSets(redis, prefix),
    pubSub: createRedisPubSub({ publisher: redis, subscriber: open('roomlog subscriptions'), prefix, log: logger }),
    writeLimit: createRateLimit({ ...limit, redis }),
    written: createRedisWrittenPositions({ redis, prefix, logger }),
  };
}
