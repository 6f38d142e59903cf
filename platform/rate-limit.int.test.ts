import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, it } from 'mocha';
import pino from 'pino';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../tests/support/tcp-proxy.ts';
import { createRateLimit } from './rate-limit.ts';
import { describeRateLimitContract } from './rate-limit-contract.ts';
import { openRedis, type RedisClient } from './redis.ts';

const log = pino({ level: 'silent' });

describe('rate limit with Redis', () => {
  let redis: RedisClient;
  const prefixes: string[] = [];

  before(async () => {
    redis = openRedis({ ...stackEnv.redis(), connectionName: 'rate-limit-test' }, log);
    await once(redis, 'ready');
  });

  after(async () => {
    for (const prefix of prefixes) {
      const keys = await redis.keys(`${prefix}:*`);
      if (keys.length > 0) await redis.del(...keys);
    }
    redis.disconnect();
  });

  function newPrefix(): string {
    const prefix = `test-${randomUUID()}`;
    prefixes.push(prefix);
    return prefix;
  }

  describeRateLimitContract('Redis', () => createRateLimit({ perSecond: 2, burst: 4, keyPrefix: newPrefix(), redis }));

  it('RATE-3 counts the calls of all processes together', async () => {
    const keyPrefix = newPrefix();
    const one = createRateLimit({ perSecond: 2, burst: 4, keyPrefix, redis });
    const other = createRateLimit({ perSecond: 2, burst: 4, keyPrefix, redis });
    for (let call = 0; call < 2; call++) {
      assert.equal(await one.consume('ada'), null);
      assert.equal(await other.consume('ada'), null);
    }
    assert.notEqual(await one.consume('ada'), null);
    assert.notEqual(await other.consume('ada'), null);
  });

  describe('that goes away', () => {
    let proxy: TcpProxy;
    let far: RedisClient;

    before(async () => {
      proxy = await openTcpProxy(stackEnv.redis());
      far = openRedis({ host: proxy.host, port: proxy.port, connectionName: 'rate-limit-test-far' }, log);
      await once(far, 'ready');
    });

    after(async () => {
      far.disconnect();
      await proxy.close();
    });

    it('RATE-4 goes on counting in memory, at once', async () => {
      const limit = createRateLimit({ perSecond: 2, burst: 4, keyPrefix: newPrefix(), redis: far });
      assert.equal(await limit.consume('ada'), null);
      const closed = once(far, 'close');
      await proxy.refuse();
      await closed;
      const began = Date.now();
      for (let call = 0; call < 4; call++) assert.equal(await limit.consume('ada'), null);
      assert.notEqual(await limit.consume('ada'), null);
      assert.ok(Date.now() - began < 500, `took ${Date.now() - began} ms`);
    });
  });
});
