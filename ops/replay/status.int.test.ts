import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, it } from 'mocha';
import { openRedis } from '../../platform/redis.ts';
import { createRedisRoomCache, roomCachePrefix } from '../../projections/cache/redis-room-cache.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { silent } from '../../tests/support/history-harness.ts';
import { openProjectedLog, type ProjectedLog } from '../../tests/support/projected-log.ts';
import { type ReplayEnd, runReplay } from '../../tests/support/replay-cli.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import type { Status } from './read-status.ts';

describe('status', function () {
  this.timeout(60_000);
  let chat: ProjectedLog;
  const topic = `status-${randomUUID()}`;
  const red = roomHistory('red');

  before(async () => {
    chat = await openProjectedLog('status');
    await chat.append([red.next('ada', made.room()), red.next('ada', made.said('one'))]);
    await chat.appendBytes('room-blue', Buffer.from('garbage'));
    await chat.project();
    await chat.append([red.next('ada', made.said('two')), red.next('ada', made.said('three'))]);
  });

  after(() => chat.close());

  const status = (settings: Record<string, string | undefined> = {}, ...args: string[]): Promise<ReplayEnd> =>
    runReplay(['status', ...args], { ...chat.settings, LOG_TOPIC: topic, ...settings });
  const json = async (settings: Record<string, string | undefined> = {}): Promise<{ exit: number | null } & Status> => {
    const { exit, stdout } = await status(settings, '--json');
    return { exit, ...JSON.parse(stdout) };
  };
  const redisAt = { REDIS_HOST: stackEnv.redis().host, REDIS_PORT: String(stackEnv.redis().port) };

  it('REPLAY-65 shows how far the history is, in events and seconds, and what it has put aside', async () => {
    const { exit, stdout, stderr } = await status();
    assert.deepEqual([exit, stderr], [0, '']);
    assert.match(stdout, /^history, version 1: 2 events behind, for 0:\d\d, streams parked: 1 \(dlq list\)\n/);
    const { projections, cache, away } = await json();
    const [history] = projections;
    assert.ok(history);
    assert.deepEqual([history.projection, history.version, history.parkedStreams], ['history', 1, 1]);
    assert.deepEqual(history.partitions.map(({ lagEvents }) => lagEvents).sort(), [0, 2]);
    for (const { checkpoint, head, lagEvents, lagSeconds } of history.partitions) {
      assert.equal(lagEvents, (head ?? 0) - checkpoint);
      assert.equal(lagSeconds !== null && lagSeconds > 0, lagEvents === 2);
    }
    assert.deepEqual([cache, away], [null, []]);
  });

  it('REPLAY-65 shows the hot cache in Redis', async () => {
    const redis = openRedis({ ...stackEnv.redis(), connectionName: 'status' }, silent);
    await once(redis, 'ready');
    const cache = createRedisRoomCache({ redis, prefix: roomCachePrefix(topic) });
    try {
      const heads = await Promise.all([chat.log.head(0), chat.log.head(1)]);
      await cache.start(new Map(heads.entries()));
      const answer = await json(redisAt);
      assert.deepEqual(
        answer.cache?.map(({ partition, checkpoint, lagEvents, lagSeconds }) => [
          partition,
          checkpoint,
          lagEvents,
          lagSeconds,
        ]),
        heads.map((head, partition) => [partition, head, 0, 0]),
      );
      assert.match((await status(redisAt)).stdout, /\nhot cache: up to date\n/);
    } finally {
      await cache.clear();
      redis.disconnect();
    }
  });

  it('REPLAY-65 shows the builds and their jobs', async () => {
    await chat.db.raw(`
      insert into roomlog.projection_builds (projection, build, version, purpose, state, created_at_ms, state_at_ms)
      values ('history', 1, 1, 'live', 'live', 1, 1), ('history', 2, 1, 'rebuild', 'copying', 2, 2)`);
    const { stdout } = await status();
    assert.match(stdout, /^history, version 1, build 1: /);
    assert.match(stdout, /history +1 +2 +rebuild +copying +1970-01-01T00:00:00.002Z +run/);
    const { builds } = await json();
    assert.deepEqual(
      builds.map(({ build, state }) => [build, state]),
      [
        [1, 'live'],
        [2, 'copying'],
      ],
    );
  });

  it('REPLAY-66 shows the rest while the log is away', async () => {
    const away = { KAFKA_BROKERS: '127.0.0.1:9', SCHEMA_REGISTRY_URL: stackEnv.schemaRegistryUrl() };
    const { exit, stdout, stderr } = await status(away);
    assert.equal(exit, 3);
    assert.match(stdout, /^history, version 1.*: lag not known, streams parked: 1/);
    assert.match(stderr, /^replay: Kafka was not ready.*\n$/);
  });

  it('REPLAY-66 shows the rest while Redis is away', async () => {
    const answer = await json({ ...redisAt, REDIS_PORT: '9' });
    assert.equal(answer.exit, 3);
    assert.deepEqual(
      answer.away.map(({ server }) => server),
      ['Redis'],
    );
    assert.equal(answer.projections[0]?.partitions.length, 2);
  });

  it('REPLAY-66 says so while PostgreSQL is away', async () => {
    const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing' };
    const { exit, stdout, stderr } = await status(away, '--json');
    assert.equal(exit, 3);
    assert.deepEqual(JSON.parse(stdout).projections, []);
    assert.match(stderr, /^replay: PostgreSQL cannot be reached/);
  });
});
