// What one process shares with others through Redis: its own connections to it, sets and pub-sub over them.
import { createRedisExpiringSets, type ExpiringSets } from '../../platform/expiring-sets.ts';
import { createRedisPubSub, type PubSub } from '../../platform/pub-sub.ts';
import { holds } from '../../platform/pub-sub-contract.ts';
import { openRedis } from '../../platform/redis.ts';
import { silent } from './history-harness.ts';

export type RedisSharing = { sets: ExpiringSets; pubSub: PubSub; close(): void };

/** Resolves when Redis answers. */
export async function openRedisSharing(address: { host: string; port: number }, prefix: string): Promise<RedisSharing> {
  const open = (connectionName: string) => openRedis({ ...address, connectionName }, silent);
  const [publisher, subscriber] = [open('publisher'), open('subscriber')];
  await holds(() => publisher.status === 'ready' && subscriber.status === 'ready');
  return {
    sets: createRedisExpiringSets(publisher, prefix),
    pubSub: createRedisPubSub({ publisher, subscriber, prefix, log: silent }),
    close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
