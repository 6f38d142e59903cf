// How far the log was written, as far as writers have told: so that readers can wait a moment for what was acknowledged before
// they asked. Only a hint: who does not hear of a write reads what was there before, as without it. A port with a twin in memory
// (one process) and one in Redis (many processes), held to one contract suite.
import type { Logger } from './logger.ts';
import type { RedisClient } from './redis.ts';

export type WrittenPositions = {
  /** What lies at that offset is about to be acknowledged. Never throws and never waits. */
  note(partition: number, offset: number): void;
  /** The last offset noted, by partition. Empty while it cannot be known. Never rejects. */
  last(): Promise<ReadonlyMap<number, number>>;
};

export function createMemoryWrittenPositions(): WrittenPositions {
  const offsetByPartition = new Map<number, number>();
  return {
    note: (partition, offset) => void offsetByPartition.set(partition, offset),
    last: () => Promise.resolve(offsetByPartition),
  };
}

export type RedisWrittenPositionsDeps = {
  /** Stays the caller's to close. */
  redis: RedisClient;
  prefix: string;
  logger: Logger;
};

/** One hash for all partitions; a partition has one writer at a time, so its last word is its newest. */
export function createRedisWrittenPositions({ redis, prefix, logger }: RedisWrittenPositionsDeps): WrittenPositions {
  const key = `${prefix}written`;
  return {
    note(partition, offset) {
      // A pipeline of its own leaves at once; the client's automatic one leaves with the next turn, which a busy process may take
      // only after the writer's client has had its answer. Redis being away costs readers the wait, and writers nothing.
      const noted = redis.pipeline().hset(key, partition, offset).exec();
      noted.catch((error: unknown) => logger.debug({ err: error }, 'a written position could not be noted'));
    },
    async last() {
      try {
        const entries = Object.entries(await redis.hgetall(key));
        return new Map(entries.map(([partition, offset]) => [Number(partition), Number(offset)]));
      } catch (error) {
        logger.debug({ err: error }, 'the written positions cannot be read');
        return new Map();
      }
    },
  };
}
