import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, beforeEach, describe, it } from 'mocha';
import { openRedis, type RedisClient } from '../../platform/redis.ts';
import { createRedisRoomCache, roomCachePrefix } from '../../projections/cache/redis-room-cache.ts';
import type { RoomCache } from '../../projections/cache/room-cache.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { silent } from '../../tests/support/history-harness.ts';
import { openProjectedLog, type ProjectedLog } from '../../tests/support/projected-log.ts';
import { type ReplayEnd, runReplay } from '../../tests/support/replay-cli.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';

describe('cache rebuild', function () {
  this.timeout(60_000);
  const topic = `cache-${randomUUID()}`;
  let chat: ProjectedLog;
  let redis: RedisClient;
  let cache: RoomCache;

  before(async () => {
    chat = await openProjectedLog('cache');
    // Green was made first and spoken in last.
    const [green, red, blue] = [roomHistory('green'), roomHistory('red'), roomHistory('blue')];
    await chat.append([green.next('ada', made.room()), red.next('ada', made.room()), blue.next('ada', made.room())]);
    await chat.append([red.next('ada', made.said('one')), green.next('ada', made.said('one'))]);
    await chat.append([green.next('ada', made.said('two'))]);
    await chat.project();
    redis = openRedis({ ...stackEnv.redis(), connectionName: 'cache-test' }, silent);
    await once(redis, 'ready');
    cache = createRedisRoomCache({ redis, prefix: roomCachePrefix(topic) });
  });

  beforeEach(() => cache.clear());

  after(async () => {
    await cache.clear();
    redis.disconnect();
    await chat.close();
  });

  const redisAt = { REDIS_HOST: stackEnv.redis().host, REDIS_PORT: String(stackEnv.redis().port) };
  const rebuild = (args: string[] = [], settings: Record<string, string | undefined> = redisAt): Promise<ReplayEnd> =>
    runReplay(['cache', 'rebuild', ...args], { ...chat.settings, LOG_TOPIC: topic, ...settings });
  const versionOf = async (roomId: string): Promise<number | undefined> => (await cache.newest(roomId, 9))?.version;

  it('REPLAY-67 fills an empty Redis, which nobody keeps, from PostgreSQL', async () => {
    const { exit, stdout, stderr } = await rebuild();
    assert.deepEqual([exit, stdout], [0, 'Filled: 3 rooms.\n'], stderr);
    assert.match(stderr, /3 \/ 3 rooms/);
    assert.deepEqual([await versionOf('green'), await versionOf('red'), await versionOf('blue')], [3, 2, 1]);
    assert.equal(await cache.isMember('green', 'ada'), true);
    assert.deepEqual(await cache.positions([0, 1]), await chat.queries.checkpoints());
  });

  it('REPLAY-67 drops what was cached, keeps the positions, and fills again', async () => {
    await rebuild();
    await redis.hset(`${roomCachePrefix(topic)}room:green`, 'v', 99);
    const { exit, stdout } = await rebuild(['--json']);
    assert.equal(exit, 0);
    assert.deepEqual(JSON.parse(stdout), { rooms: 3, filled: 3, present: 0, failed: 0 });
    assert.equal(await versionOf('green'), 3);
  });

  it('REPLAY-68 takes the rooms first in which something was said last, and says where it stopped', async () => {
    const { exit, stderr } = await rebuild(['--rooms', '1']);
    assert.equal(exit, 0);
    assert.match(stderr, /Only the 1 rooms/);
    assert.deepEqual([await versionOf('green'), await versionOf('red')], [3, undefined]);
  });

  it('REPLAY-69 fills one room alone', async () => {
    await rebuild();
    for (const room of ['green', 'red']) await redis.hset(`${roomCachePrefix(topic)}room:${room}`, 'v', 99);
    const { exit, stdout } = await rebuild(['--room', 'red']);
    assert.deepEqual([exit, stdout], [0, 'Filled: 1 rooms.\n']);
    assert.deepEqual([await versionOf('green'), await versionOf('red')], [99, 2]);
  });

  it('REPLAY-70 refuses what it cannot do', async () => {
    const noRedis = await rebuild([], { REDIS_HOST: undefined });
    assert.equal(noRedis.exit, 4);
    assert.match(noRedis.stderr, /^replay: without REDIS_HOST .*memory.*\n$/);
    const away = await rebuild([], { ...redisAt, REDIS_PORT: '9' });
    assert.equal(away.exit, 3);
    assert.match(away.stderr, /^replay: Redis cannot be reached.*\n$/);
    const unknown = await rebuild(['--room', 'none']);
    assert.equal(unknown.exit, 2);
    assert.match(unknown.stderr, /^replay: history has no room none\n$/);
    assert.equal((await rebuild(['--rooms', '0'])).exit, 2);
  });
});
