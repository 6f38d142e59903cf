// Real processes of the role on one log, with what happens to processes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'mocha';
import pino from 'pino';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import { freePort } from '../platform/free-port.ts';
import { openDatabase } from '../platform/postgres.ts';
import { openRedis } from '../platform/redis.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { type RoleProcess, startRole } from '../tests/e2e/support/role-process.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { createFreshDatabase, type FreshDatabase, runSql } from '../tests/support/fresh-database.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { createRedisRoomCache, roomCachePrefix } from './cache/redis-room-cache.ts';

const PARTITIONS = 4;
const SESSION_MS = 2_000;
/** Within which another process has taken over, on a busy machine too: the session, the locks of a frozen one, and some. */
const TAKE_OVER_MS = SESSION_MS + 5_000 + 15_000;
const rooms = Array.from({ length: 12 }, (_, at) => roomHistory(`room-${at}`));

describe('processes of the projections role', function () {
  this.timeout(120_000);
  let database: FreshDatabase;
  let log: EventLog;
  let append: (body: ReturnType<typeof made.room>) => Promise<void>;
  const running: { process: RoleProcess; port: number }[] = [];

  before(async () => {
    database = await createFreshDatabase(stackEnv.databaseUrl(), 'processes');
    const settings = {
      kind: 'postgres' as const,
      databaseUrl: database.url,
      partitions: PARTITIONS,
      ownerSessionMs: SESSION_MS,
    };
    const opened = await openEventLog(settings, { logger: pino({ level: 'silent' }), clientId: 'processes' });
    log = opened.log;
    append = async (body) => {
      for (const room of rooms) {
        const event = room.next('ada', body);
        const { stream } = event.metadata;
        const partition = partitionOf(stream, PARTITIONS);
        await log.append(partition, await log.head(partition), [{ key: stream, value: opened.codec.encode(event) }]);
      }
    };
  });

  afterEach(async () => {
    for (const { process } of running.splice(0)) await process.kill();
  });

  after(async () => {
    await log.close();
    await database.drop();
    const redis = openRedis({ ...stackEnv.redis(), connectionName: 'processes' }, pino({ level: 'silent' }));
    await once(redis, 'ready');
    await createRedisRoomCache({ redis, prefix: roomCachePrefix(database.name) }).clear();
    redis.disconnect();
  });

  async function start(): Promise<RoleProcess> {
    const port = await freePort();
    const env = {
      DATABASE_URL: database.url,
      REDIS_HOST: stackEnv.redis().host,
      REDIS_PORT: String(stackEnv.redis().port),
      LOG_TOPIC: database.name,
      OWNER_SESSION_MS: String(SESSION_MS),
      PROJECTIONS_PORT: String(port),
    };
    const process = await startRole({
      file: 'projections/main.ts',
      env,
      readyUrl: `http://127.0.0.1:${port}/ready`,
    });
    running.push({ process, port });
    return process;
  }

  /** How many partitions each running process has, of history and of the hot cache. */
  async function shares(of = running): Promise<number[][]> {
    const texts = await Promise.all(
      of.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    );
    return texts.map((text) =>
      [...text.matchAll(/^roomlog_projection_partitions\{.*\} (\d+)$/gm)].map(([, n]) => Number(n)),
    );
  }

  const untilShared = (of: typeof running, wanted: number) =>
    until(
      `each has ${wanted} partitions`,
      async () => (await shares(of)).every((share) => share.length === 2 && share.every((count) => count === wanted)),
      TAKE_OVER_MS,
    );

  async function untilProjected(): Promise<void> {
    const rows = `select partition, next_offset from roomlog.projection_checkpoints`;
    const isThere = async (): Promise<boolean> => {
      const [table] = await runSql(database.url, `select to_regclass('roomlog.projection_checkpoints') as name`);
      if (table?.name === null) return false;
      const checkpoints = await runSql(database.url, rows);
      for (const { partition, next_offset } of checkpoints) {
        if (Number(next_offset) !== (await log.head(Number(partition)))) return false;
      }
      return checkpoints.length === PARTITIONS;
    };
    await until('history is at the head of the log', isThere, TAKE_OVER_MS);
  }

  it('PROJ-17 PROJ-18 PROJ-20 share the partitions when they come, freeze, wake up, stop and are killed', async () => {
    await start();
    await append(made.room());
    await untilShared(running, 4);
    await untilProjected();

    const second = await start();
    await untilShared(running, 2);
    await append(made.said('to two'));
    await untilProjected();

    process.kill(second.pid, 'SIGSTOP');
    await append(made.said('to one'));
    await untilProjected();
    await untilShared(running.slice(0, 1), 4);
    process.kill(second.pid, 'SIGCONT');
    await untilShared(running, 2);
    await append(made.said('to two again'));
    await untilProjected();

    const [first] = running.splice(0, 1);
    assert.equal(await first?.process.stop(), 0);
    await untilShared(running, 4);
    await append(made.said('to the second alone'));
    await untilProjected();

    const third = await start();
    await untilShared(running, 2);
    await second.kill();
    running.splice(0, 1);
    await append(made.said('to the third alone'));
    await untilProjected();
    assert.ok(third.isRunning);

    const db = openDatabase({ url: database.url, poolMax: 1, applicationName: 'processes' }, pino({ level: 'silent' }));
    try {
      for (const [at, room] of rooms.entries()) {
        assert.equal((await createQueries({ db }).roomSnapshot(`room-${at}`))?.version, room.version);
      }
    } finally {
      await db.destroy();
    }
    assert.deepEqual(await runSql(database.url, 'select * from roomlog.parked_streams'), []);
  });
});
