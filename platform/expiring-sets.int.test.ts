import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as elapse } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import pino from 'pino';
import { stackEnv } from '../tests/support/stack-env.ts';
import { createRedisExpiringSets, ExpiringSetsUnavailableError } from './expiring-sets.ts';
import { describeExpiringSets } from './expiring-sets-contract.ts';
import { openRedis, type RedisClient } from './redis.ts';

describe('expiring sets: Redis', () => {
  const prefix = `test:${randomUUID()}:`;
  const clients: RedisClient[] = [];

  before(async () => {
    for (const connectionName of ['sets-one', 'sets-two']) {
      const client = openRedis({ ...stackEnv.redis(), connectionName }, pino({ level: 'silent' }));
      clients.push(client);
      await new Promise((resolve) => client.once('ready', resolve));
    }
  });

  after(() => {
    for (const client of clients) client.disconnect();
  });

  describeExpiringSets('in Redis', () => {
    const [one, two] = clients;
    assert.ok(one && two);
    return {
      sets: createRedisExpiringSets(one, prefix),
      another: createRedisExpiringSets(two, prefix),
      // The server's own clock decides, so here time really has to pass.
      elapse: (ms) => elapse(ms),
    };
  });

  it('leave nothing behind in Redis once all members have expired', async () => {
    const [client] = clients;
    assert.ok(client);
    const sets = createRedisExpiringSets(client, prefix);
    await sets.add('gone', 'ada', 30);
    while ((await client.exists(`${prefix}gone`)) === 1) await elapse(5);
    assert.deepEqual(await sets.members('gone'), []);
  });

  it('say so when Redis cannot be reached', async () => {
    const away = openRedis({ host: '127.0.0.1', port: 1, connectionName: 'away' }, pino({ level: 'silent' }));
    try {
      await assert.rejects(createRedisExpiringSets(away, prefix).add('key', 'ada', 30), ExpiringSetsUnavailableError);
    } finally {
      away.disconnect();
    }
  });
});
