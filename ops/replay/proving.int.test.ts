// verify, repair, diff and audit as a user runs them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { openRedis } from '../../platform/redis.ts';
import { createRedisRoomCache, roomCachePrefix } from '../../projections/cache/redis-room-cache.ts';
import { historyOfRooms } from '../../tests/support/cli-logs.ts';
import { silent } from '../../tests/support/history-harness.ts';
import { freshTopic } from '../../tests/support/kafka-harness.ts';
import { openProjectedLog, type ProjectedLog } from '../../tests/support/projected-log.ts';
import { type ReplayEnd, runReplay, startReplay } from '../../tests/support/replay-cli.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';

const HISTORY_CODE = new URL('../../projections/history/', import.meta.url).pathname;

describe('proving and repairing by npm run replay', () => {
  let world: ProjectedLog;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-test-'));
    world = await openProjectedLog('proving');
    await world.append(historyOfRooms(['lobby', 'attic', 'cellar']));
    await world.project();
  });
  after(async () => {
    await world.close();
    await rm(folder, { recursive: true });
  });

  const run = (...args: string[]): Promise<ReplayEnd> => runReplay(args, world.settings);
  const builds = async (): Promise<string[]> => {
    const { rows } = await world.db.raw<{ rows: { state: string }[] }>('select state from roomlog.projection_builds');
    return rows.map(({ state }) => state);
  };
  const jsonOf = ({ stdout }: ReplayEnd): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

  it('REPLAY-42 REPLAY-45 verify shows damage, repair heals it, verify proves it', async () => {
    const sound = await run('verify', 'history');
    assert.equal(sound.exit, 0, sound.stderr);
    assert.match(sound.stdout, /^history, version 1: equal\nat 0-\d+ 1-\d+: 3 rooms, 21 rows live, 12 events folded/);
    await world.db.raw(`update history_v1.messages set text = 'changed' where room_id = 'attic' and version = 3`);
    const damaged = await run('verify', 'history', '--rooms', '1', '--json');
    assert.equal(damaged.exit, 1, damaged.stderr);
    const { isEqual, differingRooms, examples } = jsonOf(damaged);
    assert.deepEqual([isEqual, differingRooms, (examples as { roomId: string }[])[0]?.roomId], [false, 1, 'attic']);
    const repaired = await run('repair', 'history', '--room', 'attic');
    assert.equal(repaired.exit, 0, repaired.stderr);
    assert.match(repaired.stdout, /messages version=3: text before "changed", by the log "hello"/);
    assert.equal((await run('verify', 'history')).exit, 0);
    assert.deepEqual(await builds(), ['live']);
  }).timeout(60_000);

  it('REPLAY-44 the build of a verify that was killed is dropped by the next one', async () => {
    const holding = await world.db.transaction();
    await holding.raw('lock table history_v1.rooms in access exclusive mode');
    const killed = startReplay(['verify', 'history'], world.settings);
    try {
      await until('a scratch build', async () => (await builds()).includes('scratch'));
    } finally {
      killed.kill('SIGKILL');
      await killed.ended;
      await holding.rollback();
    }
    assert.ok((await builds()).includes('scratch'));
    const next = await run('verify', 'history');
    assert.equal(next.exit, 0, next.stderr);
    assert.deepEqual(await builds(), ['live']);
  }).timeout(60_000);

  it('REPLAY-45 REPLAY-51 the entry of a repaired room in Redis goes, and audit compares the one that is there', async () => {
    const LOG_TOPIC = freshTopic();
    const { host, port } = stackEnv.redis();
    const redis = openRedis({ host, port, connectionName: 'test' }, silent);
    await once(redis, 'ready');
    const cache = createRedisRoomCache({ redis, prefix: roomCachePrefix(LOG_TOPIC) });
    const settings = { ...world.settings, LOG_TOPIC, REDIS_HOST: host, REDIS_PORT: String(port) };
    await cache.start(
      new Map([
        [0, 0],
        [1, 0],
      ]),
    );
    for (const partition of [0, 1]) await cache.open('attic', partition);
    const room = { roomId: 'attic', partition: 0, checkpoint: 100, version: 4, hasOlder: true };
    assert.ok(await cache.fill({ ...room, messages: [], memberIds: ['ada'] }));
    const audited = await runReplay(['audit', '--room', 'attic', '--json'], settings);
    assert.equal(audited.exit, 1, audited.stderr);
    assert.match(JSON.stringify(jsonOf(audited).faults), /user bob is no member there/);
    assert.equal((await runReplay(['repair', 'history', '--room', 'attic'], settings)).exit, 0);
    assert.equal(await cache.newest('attic', 10), null);
    const again = await runReplay(['audit', '--room', 'attic'], settings);
    assert.equal(again.exit, 0, again.stderr);
    assert.match(again.stdout, /^room attic: sound\n(.*\n)*hot cache: does not have the room\n/);
    await cache.clear();
    redis.disconnect();
  }).timeout(60_000);

  it('REPLAY-46 diff shows what other code would make, from a folder and from a git ref', async () => {
    const same = await run('diff', 'history', '--with', 'HEAD', '--limit-events', '10');
    assert.equal(same.exit, 0, same.stderr);
    await world.db.raw('create table if not exists copy_of_messages as select * from history_v1.messages');
    await writeCode(`
      import { createHistoryProjection as create } from '${HISTORY_CODE}history-projection.ts';
      const shout = (one) => one.event.type !== 'MessageSent' ? one : { ...one, event: { ...one.event, text: one.event.text + '!' } };
      export const createHistoryProjection = (schema) => ({ write: (tx, events) => create(schema).write(tx, events.map(shout)) });`);
    const differing = await run('diff', 'history', '--with', folder, '--rooms', '2', '--json');
    assert.equal(differing.exit, 1, differing.stderr);
    const { tables, examples, differingRooms } = jsonOf(differing) as {
      tables: { table: string; changed: number }[];
      examples: unknown[];
      differingRooms: number;
    };
    assert.deepEqual(
      [examples.length, differingRooms, tables.find(({ table }) => table === 'messages')?.changed],
      [2, 3, 6],
    );
    const { rows } = await world.db.raw<{ rows: unknown[] }>(
      'select * from history_v1.messages except select * from copy_of_messages',
    );
    assert.deepEqual([rows, await builds()], [[], ['live']]);
  }).timeout(60_000);

  for (const [what, code, exit, pattern] of [
    ['code that is broken', 'export const = 1', 2, /cannot be loaded/],
    ['code without the projection', 'export const nothing = 1', 2, /no createHistoryProjection/],
    ['code that fails', 'export const createHistoryProjection = () => ({ write: async () => null.x })', 4, /fails/],
    [
      'code whose statements PostgreSQL refuses',
      "export const createHistoryProjection = () => ({ write: async (tx) => tx.raw('select nonsense') })",
      4,
      /fails: column "nonsense" does not exist/,
    ],
  ] as const) {
    it(`REPLAY-47 diff refuses ${what}`, async () => {
      await writeCode(code);
      await assertRefused(exit, pattern, 'diff', 'history', '--with', folder);
    }).timeout(30_000);
  }

  for (const [args, exit, pattern] of [
    [['diff', 'history', '--with', 'no-such-ref'], 2, /neither a folder nor a git ref/],
    [['diff', 'history', '--with', 'docs'], 2, /no projection of the history/],
    [['verify', 'nonsense'], 2, /no projection "nonsense"/],
    [['repair', 'history', '--room', 'nowhere'], 2, /no room "nowhere"/],
    [['audit', '--room', 'nowhere'], 2, /no room "nowhere"/],
  ] as const) {
    it(`REPLAY-2 REPLAY-47 refuses "${args.join(' ')}"`, () => assertRefused(exit, pattern, ...args)).timeout(30_000);
  }

  async function assertRefused(exit: number, pattern: RegExp, ...args: string[]): Promise<void> {
    const end = await run('--json', ...args);
    assert.deepEqual([end.exit, end.stdout], [exit, ''], end.stderr);
    assert.match(end.stderr, pattern);
    assert.match(end.stderr, /^replay: .*\n$/);
    assert.deepEqual(await builds(), ['live']);
  }

  async function writeCode(code: string): Promise<void> {
    await copyFile(join(HISTORY_CODE, 'create-tables.sql'), join(folder, 'create-tables.sql'));
    await writeFile(join(folder, 'history-projection.ts'), code);
  }
});
