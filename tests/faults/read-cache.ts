// The hot cache as Redis shows it. The keys are explained in projections/cache/redis-room-scripts.ts.
import { Redis } from 'ioredis';
import type { CachedRoom, CacheRead } from './check-cache.ts';

export type RedisPlace = { host: string; port: number; prefix: string };

const KEYS_AT_ONCE = 1_000;

/** Hands the cache to `use`, and ends the connection after it. */
export async function withCache(place: RedisPlace, use: (cache: CacheRead) => Promise<void>): Promise<void> {
  const { host, port, prefix } = place;
  const redis = new Redis({ host, port, lazyConnect: true, connectTimeout: 5_000, retryStrategy: () => null });
  // Without a listener a connection that fails would end the process; the command that waits for it tells of it.
  redis.on('error', () => undefined);
  await redis.connect();
  try {
    const checkpoints = new Map<number, number>();
    for await (const [key, partition] of scan(redis, `${prefix}checkpoint:`)) {
      checkpoints.set(Number(partition), Number(await redis.get(key)));
    }
    await use({ rooms: readRooms(redis, prefix), checkpoints });
  } finally {
    redis.disconnect();
  }
}

async function* readRooms(redis: Redis, prefix: string): AsyncGenerator<CachedRoom> {
  for await (const [key, roomId] of scan(redis, `${prefix}room:`)) {
    const answers = await redis
      .multi()
      .hgetall(key)
      .lrange(`${prefix}messages:${roomId}`, 0, -1)
      .smembers(`${prefix}members:${roomId}`)
      .exec();
    const [entry, messages, members] = (answers ?? []).map(([error, answer]) => {
      if (error) throw error;
      return answer;
    }) as [Record<string, string>, string[], string[]];
    // Without a version it is being filled; with a list of another length it counts as absent for every reader.
    if (entry.v === undefined || Number(entry.n) !== messages.length) continue;
    yield {
      roomId,
      version: Number(entry.v),
      hasOlder: entry.o === '1',
      messages: messages.map((text): unknown => JSON.parse(text)),
      memberIds: members.includes('') ? members.filter((userId) => userId !== '') : null,
    };
  }
}

/** Every key with that beginning, once, and what follows it. */
async function* scan(redis: Redis, prefix: string): AsyncGenerator<[key: string, rest: string]> {
  const seen = new Set<string>();
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`;
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_AT_ONCE);
    for (const key of keys) {
      if (!seen.has(key)) yield [key, key.slice(prefix.length)];
      seen.add(key);
    }
    cursor = next;
  } while (cursor !== '0');
}
