import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { stackEnv } from '../tests/support/stack-env.ts';
import { createLogger } from './logger.ts';
import { openRedis, type RedisClient } from './redis.ts';
import { createRedisWrittenPositions } from './written-positions.ts';
import { describeWrittenPositions } from './written-positions-contract.ts';

const logger = createLogger('test', 'silent');

describe('written positions: Redis', () => {
  const prefix = `test:${randomUUID()}:`;
  const clients: RedisClient[] = [];

  before(async () => {
    for (const connectionName of ['writer', 'reader']) {
      const client = openRedis({ ...stackEnv.redis(), connectionName }, logger);
      clients.push(client);
      await new Promise((resolve) => client.once('ready', resolve));
    }
  });
  after(async () => {
    await clients[0]?.del(`${prefix}written`);
    for (const client of clients) client.disconnect();
  });

  describeWrittenPositions('in Redis', () => {
    const [writer, reader] = clients;
    assert.ok(writer && reader);
    return {
      writer: createRedisWrittenPositions({ redis: writer, prefix, logger }),
      reader: createRedisWrittenPositions({ redis: reader, prefix, logger }),
    };
  });

  it('are unknown while Redis is away, which is no fault', async () => {
    const away = openRedis({ host: '127.0.0.1', port: 1, connectionName: 'away' }, logger);
    const positions = createRedisWrittenPositions({ redis: away, prefix, logger });
    positions.note(0, 1);
    assert.equal((await positions.last()).size, 0);
    away.disconnect();
  });
});
