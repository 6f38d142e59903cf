// One Redis client per purpose. Commands fail fast while Redis is away (no offline queue): everything in Redis can be done
// without, so a caller falls back instead of waiting.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { Logger } from './logger.ts';

export type RedisClient = Redis;

/** Connects in the background and for ever again, with backoff of at most 1 s. Commands time out after 1 s. */
export function openRedis(options: { host: string; port: number; connectionName: string }, log: Logger): RedisClient {
  const redis = new Redis({
    host: options.host,
    port: options.port,
    connectionName: options.connectionName,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 1_000,
    connectTimeout: 2_000,
    enableAutoPipelining: true,
    retryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
  });
  redis.on('error', (error) => log.warn({ err: error }, 'redis is not reachable'));
  return redis;
}

/** Resolves when Redis answers, or after that time all the same: what is in it can be done without. */
export async function whenReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(timeoutMs) });
  } catch {
    // It is away; the client goes on trying.
  }
}
