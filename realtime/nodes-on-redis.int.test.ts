// Two nodes that know of each other through Redis only.
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import pino from 'pino';
import { createRedisExpiringSets } from '../platform/expiring-sets.ts';
import { createRedisPubSub } from '../platform/pub-sub.ts';
import { holds } from '../platform/pub-sub-contract.ts';
import { openRedis, type RedisClient } from '../platform/redis.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { stackEnv } from '../tests/support/stack-env.ts';

describe('two nodes on Redis', () => {
  const clients: RedisClient[] = [];
  let world: RealtimeWorld;

  before(async () => {
    const log = pino({ level: 'silent' });
    const open = (connectionName: string): RedisClient => {
      const client = openRedis({ ...stackEnv.redis(), connectionName }, log);
      clients.push(client);
      return client;
    };
    const [publisher, subscriber] = [open('publisher'), open('subscriber')];
    await holds(() => clients.every(({ status }) => status === 'ready'));
    const prefix = `test:${randomUUID()}:`;
    world = await openRealtimeWorld({
      sets: createRedisExpiringSets(publisher, prefix),
      pubSub: createRedisPubSub({ publisher, subscriber, prefix, log }),
    });
  });

  after(async () => {
    await world.close();
    for (const client of clients) client.disconnect();
  });

  it('RT-11 RT-12 share who is there and who is typing', async () => {
    const [one, two] = [await world.openNode(), await world.openNode()];
    const roomId = await world.room('ada', 'bob');
    const ada = await openSocket(one.url, world.token('ada'));
    const bob = await openSocket(two.url, world.token('bob'));
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await ada.next(SERVER_FRAMES.userJoined, ({ userId }) => userId === 'bob');
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    await ada.next(SERVER_FRAMES.typing, ({ userId }) => userId === 'bob');
    await bob.close();
    await ada.next(SERVER_FRAMES.stopTyping);
    await ada.next(SERVER_FRAMES.userLeft, ({ userId }) => userId === 'bob');
    await ada.close();
  });
});
