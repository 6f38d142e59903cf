import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import pino from 'pino';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { createRedisPubSub, type PubSub, PubSubUnavailableError } from './pub-sub.ts';
import { describePubSub, holds } from './pub-sub-contract.ts';
import { openRedis, type RedisClient } from './redis.ts';

describe('pub-sub: Redis', () => {
  const log = pino({ level: 'silent' });
  const prefix = `test:${randomUUID()}:`;
  const clients: RedisClient[] = [];
  const handles: PubSub[] = [];

  async function open(address: { host: string; port: number }): Promise<PubSub> {
    const [publisher, subscriber] = ['publisher', 'subscriber'].map((connectionName) =>
      openRedis({ ...address, connectionName }, log),
    );
    assert.ok(publisher && subscriber);
    clients.push(publisher, subscriber);
    await holds(() => publisher.status === 'ready' && subscriber.status === 'ready');
    return createRedisPubSub({ publisher, subscriber, prefix, log });
  }

  before(async () => {
    handles.push(await open(stackEnv.redis()), await open(stackEnv.redis()));
  });

  after(() => {
    for (const client of clients) client.disconnect();
  });

  describePubSub('in Redis', () => {
    const [one, two] = handles;
    assert.ok(one && two);
    return { one, two };
  });

  it('subscriptions hold again after the connection broke, also those made meanwhile', async () => {
    const [other] = handles;
    assert.ok(other);
    const proxy = await openTcpProxy(stackEnv.redis());
    try {
      const broken = await open({ host: proxy.host, port: proxy.port });
      const heard = new Set<string>();
      await broken.subscribe('before', () => heard.add('before'));
      await proxy.refuse();
      await assert.rejects(broken.publish('before', 'lost'), PubSubUnavailableError);
      await broken.subscribe('meanwhile', () => heard.add('meanwhile'));
      await proxy.accept();
      while (heard.size < 2) {
        await other.publish('before', 'x');
        await other.publish('meanwhile', 'x');
        await pause(10);
      }
    } finally {
      await proxy.close();
    }
  });
});
