import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { openRedis, type RedisClient } from '../../platform/redis.ts';
import { silent } from '../../tests/support/history-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { createRedisRoomCache } from './redis-room-cache.ts';
import { BEGIN, END } from './redis-room-scripts.ts';
import { MAX_CACHED_MEMBERS, RoomCacheUnavailableError, type RoomFill } from './room-cache.ts';
import { describeRoomCache } from './room-cache-contract.ts';

describe('the room cache in Redis', () => {
  let redis: RedisClient;
  const prefix = `test:${randomUUID()}:`;

  before(async () => {
    redis = openRedis({ ...stackEnv.redis(), connectionName: 'room-cache-test' }, silent);
    await new Promise((resolve) => redis.once('ready', resolve));
  });

  after(async () => {
    await createRedisRoomCache({ redis, prefix }).clear();
    redis.disconnect();
  });

  const fresh = (idleMs = 60_000) => {
    const own = `${prefix}${randomUUID()}[*]:`;
    return { own, cache: createRedisRoomCache({ redis, prefix: own, idleMs }) };
  };
  const room: RoomFill = {
    roomId: 'red',
    partition: 0,
    checkpoint: 0,
    version: 1,
    messages: [],
    hasOlder: false,
    memberIds: ['ada'],
  };

  describeRoomCache('in Redis', () => fresh().cache);

  async function bringIn(fill: Partial<RoomFill> = {}, idleMs?: number) {
    const { own, cache } = fresh(idleMs);
    await cache.start(new Map([[0, 0]]));
    await cache.open('red', 0);
    assert.equal(await cache.fill({ ...room, ...fill }), true);
    return { own, cache };
  }

  it('PROJ-28 takes no page from an entry or a partition of which it does not know the position, and fills it again', async () => {
    for (const spoil of [
      (own: string) => redis.hdel(`${own}room:red`, 'g'),
      (own: string) => redis.del(`${own}checkpoint:0`),
    ]) {
      const { own, cache } = await bringIn();
      await spoil(own);
      assert.equal(await cache.newest('red', 1), null);
      await cache.start(new Map([[0, 5]]));
      const wanted = await cache.open('red', 0);
      assert.equal(await cache.fill({ ...room, checkpoint: wanted ?? -1 }), true);
      assert.equal((await cache.newest('red', 1))?.version, 1);
    }
  });

  it('is not deceived when Redis takes away one key of a room', async () => {
    const { own, cache } = await bringIn();
    await redis.del(`${own}members:red`);
    assert.equal(await cache.isMember('red', 'ada'), null);
    const members = [{ version: 2, userId: 'bob', isMember: true }];
    const run = { roomId: 'red', firstVersion: 2, lastVersion: 2, messages: [], isCut: false, members };
    await cache.apply({ moves: new Map([[0, { from: 0, to: 1 }]]), dropped: [], runs: [run] });
    assert.equal(await cache.isMember('red', 'ada'), null);
    assert.equal((await cache.newest('red', 1))?.version, 2);
    await redis.hset(`${own}room:red`, 'n', 1);
    assert.equal(await cache.newest('red', 1), null);
    assert.notEqual(await cache.open('red', 0), null);
  });

  it('PROJ-15 lets a room go that nobody reads', async () => {
    const { own, cache } = await bringIn({}, 30);
    while ((await redis.exists(`${own}room:red`)) === 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await cache.newest('red', 1), null);
    assert.equal(await redis.exists(`${own}members:red`), 0);
  });

  it('takes in a room with as many members as it may have, and one with more without them', async () => {
    const memberIds = Array.from({ length: MAX_CACHED_MEMBERS }, (_, at) => `user ${at}`);
    const most = await bringIn({ memberIds });
    assert.equal(await most.cache.isMember('red', `user ${MAX_CACHED_MEMBERS - 1}`), true);
    const more = await bringIn({ memberIds: [...memberIds, 'ada'] });
    assert.equal(await more.cache.isMember('red', 'ada'), null);
    assert.equal((await more.cache.newest('red', 1))?.version, 1);
  });

  it('says so when Redis cannot be reached', async () => {
    const away = openRedis({ host: '127.0.0.1', port: 1, connectionName: 'away' }, silent);
    const cache = createRedisRoomCache({ redis: away, prefix });
    try {
      await assert.rejects(cache.newest('red', 1), RoomCacheUnavailableError);
      const chunk = { moves: new Map([[0, { from: 0, to: 1 }]]), dropped: [], runs: [] };
      await assert.rejects(cache.apply(chunk), RoomCacheUnavailableError);
    } finally {
      away.disconnect();
    }
  });

  it('PROJ-22 does not move a position when the cache was emptied in the middle of a chunk', async () => {
    const { own, cache } = fresh();
    const keys = [`${own}checkpoint:0`, `${own}seen:0`];
    await cache.start(new Map([[0, 10]]));
    assert.equal(await redis.eval(BEGIN, 2, ...keys, 10, 12), 1);
    // The chunk's events are applied, the cache is emptied, and somebody who had the partition before gives it a position.
    await cache.clear();
    await cache.start(new Map([[0, 10]]));
    assert.equal(await redis.eval(END, 2, ...keys, 10, 12), 0);
    assert.deepEqual(await cache.positions([0]), new Map([[0, 10]]));
  });

  it('clears rooms and positions, and nothing of others', async () => {
    const [cleared, other] = [await bringIn(), await bringIn()];
    await cleared.cache.clear();
    assert.equal(await cleared.cache.newest('red', 1), null);
    assert.deepEqual(await cleared.cache.positions([0]), new Map());
    assert.notEqual(await other.cache.newest('red', 1), null);
    assert.deepEqual(await other.cache.positions([0]), new Map([[0, 0]]));
  });
});
