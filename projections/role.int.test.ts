import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { until } from '../event-log/contract/log-probe.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import type { OpenOwnership } from '../event-log/ownership/ownership.ts';
import { everythingOurs } from '../event-log/ownership/sole-ownership.ts';
import { systemClock } from '../platform/clock.ts';
import { type ReadyChecks, runChecks } from '../platform/http-app.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import { type Database, openDatabase } from '../platform/postgres.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { type EventBody, made, roomHistory } from '../tests/support/chat-events.ts';
import { silent } from '../tests/support/history-harness.ts';
import { MemoryOwnershipGroup } from '../tests/support/memory-ownership.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { createMemoryRoomCache } from './cache/memory-room-cache.ts';
import { openCacheProjection, openProjectionsRole } from './role.ts';

describe('the projections role', () => {
  // The role's schemas have fixed names, so the test has a database of its own.
  const name = `projections_${randomBytes(6).toString('hex')}`;
  const url = new URL(stackEnv.databaseUrl());
  const store = new MemoryStore(2);
  const cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 10 });
  let administration: Database;
  let db: Database;

  before(async () => {
    administration = openDatabase({ url: url.href, poolMax: 1, applicationName: name }, silent);
    await administration.raw('create database ??', [name]);
    url.pathname = `/${name}`;
    db = openDatabase({ url: url.href, poolMax: 4, applicationName: name }, silent);
  });

  after(async () => {
    await db.destroy();
    await administration.raw('drop database ?? with (force)', [name]);
    await administration.destroy();
  });

  type RunningRole = { ready: ReadyChecks; metrics: Metrics; stop(): Promise<void> };

  async function startRole(openOwnership: OpenOwnership = everythingOurs(store)): Promise<RunningRole> {
    const lifecycle = new Lifecycle({ log: silent, onFailure: () => assert.fail('a part failed') });
    const { log: eventLog } = openMemoryEventLog(store);
    const metrics = createMetrics();
    const role = await openProjectionsRole({
      settings: { chunkRecords: 100, maxParkedStreams: 10, takeover: 'caught-up' },
      lifecycle,
      logger: silent,
      metrics,
      eventLog,
      codec: await openCodec(folderSchemas()),
      db,
      cache,
      openOwnership,
      openVerifyingDb: () => assert.fail('there is only one version'),
      clock: systemClock,
    });
    const stop = async (): Promise<void> => {
      await lifecycle.stop();
      await eventLog.close();
    };
    return { ready: role.ready, metrics, stop };
  }

  async function withRole(run: (ready: ReadyChecks, metrics: Metrics) => Promise<void>): Promise<void> {
    const { ready, metrics, stop } = await startRole();
    try {
      await run(ready, metrics);
    } finally {
      await stop();
    }
  }

  const queries = () => createQueries({ db });
  const isAt =
    (checkpoint: number, partition = 0) =>
    async (): Promise<boolean> => {
      try {
        return (await queries().checkpoints()).get(partition) === checkpoint;
      } catch {
        // The tables are not there yet.
        return false;
      }
    };

  it('PROJ-7 PROJ-9 shows parked streams and stays ready, and a restart goes on where it stopped', async () => {
    const codec = await openCodec(folderSchemas());
    const [red, green] = [roomHistory('red'), roomHistory('green')];
    const recordOf = (event: ReturnType<typeof red.next>) => ({
      key: event.metadata.stream,
      value: codec.encode(event),
    });
    store.append(0, 0, [recordOf(red.next('ada', made.room())), recordOf(green.next('ada', made.room()))]);

    await withRole(async (ready, metrics) => {
      await until('history is there', isAt(2));
      assert.deepEqual(await runChecks(ready), {
        'history projection': { ok: true },
        'parked streams': { ok: true },
        'cache projection': { ok: true },
      });
      store.append(0, 2, [
        { key: 'room-red', value: Buffer.from('no event') },
        recordOf(green.next('ada', made.said('x'))),
      ]);
      await until('the poison record is passed', isAt(4));
      assert.deepEqual((await runChecks(ready))['parked streams'], { ok: true, note: 'parked streams: 1' });
      const text = await metrics.metrics();
      assert.match(text, /roomlog_projection_parked_streams\{projection="history"\} 1/);
      assert.match(text, /roomlog_projection_events_total\{projection="history"\} 4/);
      assert.match(text, /roomlog_projection_lag_events\{projection="history"\} 0/);
    });

    store.append(0, 4, [recordOf(green.next('ada', made.said('y'))), recordOf(red.next('ada', made.said('z')))]);
    await withRole(async (ready) => {
      await until('the rest is there', isAt(6));
      assert.deepEqual((await runChecks(ready))['parked streams'], { ok: true, note: 'parked streams: 1' });
      assert.equal((await queries().roomSnapshot('green'))?.version, 3);
      assert.equal((await queries().roomSnapshot('red'))?.version, 1);
    });
  });

  it('PROJ-17 PROJ-18 shares the partitions with other processes, and leaves them to those when it stops', async () => {
    const codec = await openCodec(folderSchemas());
    const rooms = ['amber', 'azure'].map(roomHistory);
    const say = (partition: number, body: EventBody): void => {
      const event = rooms[partition]?.next('ada', body);
      assert.ok(event);
      store.append(partition, store.head(partition), [{ key: event.metadata.stream, value: codec.encode(event) }]);
    };
    const areAtHead = async (): Promise<boolean> => {
      for (const partition of [0, 1]) {
        if (!(await isAt(store.head(partition), partition)())) return false;
        if ((await cache.positions([partition])).get(partition) !== store.head(partition)) return false;
      }
      return true;
    };
    const group = new MemoryOwnershipGroup(2);
    const open: OpenOwnership = (role, onAssigned) => {
      assert.equal(role, 'projections');
      return group.open({ address: '', onAssigned });
    };
    const partitionsOf = async ({ metrics }: RunningRole): Promise<number[]> => {
      const values = (await metrics.getSingleMetric('roomlog_projection_partitions')?.get())?.values ?? [];
      return values.map(({ value }) => value);
    };

    const first = await startRole(open);
    for (const partition of [0, 1]) say(partition, made.room());
    await until('the first does it all', areAtHead);
    const second = await startRole(open);
    for (const partition of [0, 1]) say(partition, made.said('to both'));
    await until('both do it', areAtHead);
    assert.deepEqual(
      [await partitionsOf(first), await partitionsOf(second)],
      [
        [1, 1],
        [1, 1],
      ],
    );
    // As if the first had been frozen while all was given away.
    group.tell(0, [0, 1]);
    for (const partition of [0, 1]) say(partition, made.said('to one who believes in all'));
    await until('nothing is lost by it', areAtHead);
    await first.stop();
    for (const partition of [0, 1]) say(partition, made.said('to the last'));
    await until('the second does it all', areAtHead);
    assert.deepEqual(await partitionsOf(second), [2, 2]);
    assert.equal((await runChecks(second.ready))['history projection']?.ok, true);
    await second.stop();
    for (const { version } of rooms) assert.equal(version, 4);
    assert.equal((await queries().roomSnapshot('amber'))?.version, 4);
    assert.equal((await queries().roomSnapshot('azure'))?.version, 4);
  });

  it('PROJ-23 keeps a hot cache in memory of all partitions, also where others have the history of some', async () => {
    const lifecycle = new Lifecycle({ log: silent, onFailure: () => assert.fail('a part failed') });
    const { log: eventLog } = openMemoryEventLog(store);
    const ownCache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 10 });
    const common = { lifecycle, logger: silent, eventLog, codec: await openCodec(folderSchemas()) };
    const settings = { chunkRecords: 100, maxParkedStreams: 10, takeover: 'caught-up' as const };
    openCacheProjection({ ...common, settings, metrics: createMetrics(), cache: ownCache });
    try {
      const heads = new Map([0, 1].map((partition) => [partition, store.head(partition)]));
      await until('it follows both', async () => (await ownCache.positions([0, 1])).size === 2);
      assert.deepEqual(await ownCache.positions([0, 1]), heads);
    } finally {
      await lifecycle.stop();
      await eventLog.close();
    }
  });
});
