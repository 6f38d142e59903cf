// Builds of two versions of the history side by side on a real PostgreSQL: what an upgrade of a running installation is.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type Codec, openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { until } from '../event-log/contract/log-probe.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import type { OpenOwnership } from '../event-log/ownership/ownership.ts';
import { systemClock } from '../platform/clock.ts';
import { type ReadyChecks, runChecks } from '../platform/http-app.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createMetrics } from '../platform/metrics.ts';
import { type Database, openDatabase } from '../platform/postgres.ts';
import { createQueries, type Queries } from '../read-api/queries/queries.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { createFreshDatabase, type FreshDatabase, runSql } from '../tests/support/fresh-database.ts';
import { silent } from '../tests/support/history-harness.ts';
import { VERSION_1, VERSION_2 } from '../tests/support/history-v2/versions.ts';
import { MemoryOwnershipGroup } from '../tests/support/memory-ownership.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { bookkeepingTables, historyKeyOf, historySchemaOf } from './history/tables.ts';
import type { HistoryVersion } from './history/versions.ts';
import { dropVersion, type MoveOutcome, moveLiveVersion, VersionInUseError } from './live-version.ts';
import { openProjectionsRole } from './role.ts';
import type { TakeoverMode } from './takeover.ts';

const PARTITIONS = 2;
const ROOMS = 6;
const WAIT_MS = 60_000;
const OLD = [VERSION_1];
const NEW = [VERSION_1, VERSION_2];
const tables = bookkeepingTables('roomlog');

type Build = { ready: ReadyChecks; stop(): Promise<void>; kill(): Promise<void> };

describe('two versions of the history deployed side by side', function () {
  this.timeout(180_000);
  let database: FreshDatabase;
  let admin: Database;
  let codec: Codec;
  let store: MemoryStore;
  let groups: Map<string, MemoryOwnershipGroup>;
  let rooms: ReturnType<typeof roomHistory>[];
  const open: { stop(): Promise<void> }[] = [];

  beforeEach(async () => {
    database = await createFreshDatabase(stackEnv.databaseUrl(), 'versions');
    admin = openPool(4);
    codec = await openCodec(folderSchemas());
    store = new MemoryStore(PARTITIONS);
    groups = new Map();
    rooms = Array.from({ length: ROOMS }, (_, at) => roomHistory(`room-${at}`));
    for (const room of rooms) append(room, made.room());
  });

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.stop();
    await admin.destroy();
    await database.drop();
  });

  function openPool(poolMax: number): Database {
    return openDatabase({ url: database.url, poolMax, applicationName: 'versions' }, silent);
  }

  function append(room: (typeof rooms)[number], body: Parameters<typeof room.next>[1]): void {
    const event = room.next('ada', body);
    const partition = rooms.indexOf(room) % PARTITIONS;
    store.append(partition, store.head(partition), [{ key: event.metadata.stream, value: codec.encode(event) }]);
  }

  /** The projections of one build, sharing the partitions with the others as processes of a role do. */
  async function startBuild(versions: readonly HistoryVersion[], takeover: TakeoverMode = 'caught-up'): Promise<Build> {
    const lifecycle = new Lifecycle({ log: silent, onFailure: () => assert.fail('a part failed') });
    const { log: eventLog } = openMemoryEventLog(store);
    const db = openPool(6);
    const openOwnership: OpenOwnership = (role, onAssigned) => {
      const group = groups.get(role) ?? new MemoryOwnershipGroup(PARTITIONS);
      groups.set(role, group);
      return group.open({ address: '', onAssigned });
    };
    const role = await openProjectionsRole({
      settings: { chunkRecords: 100, maxParkedStreams: 10, takeover },
      lifecycle,
      logger: silent,
      metrics: createMetrics(),
      eventLog,
      codec,
      db,
      cache: null,
      openOwnership,
      openVerifyingDb: () => openPool(10),
      clock: systemClock,
      historyVersions: versions,
    });
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopped ??= lifecycle.stop().then(async () => {
        await eventLog.close();
        await db.destroy();
      });
      return stopped;
    };
    const build = {
      ready: role.ready,
      stop,
      // As far as the tables are concerned: what is not committed is rolled back, nothing is brought to an end.
      kill: async () => {
        await runSql(
          stackEnv.databaseUrl(),
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database.name}'`,
        );
        await stop();
      },
    };
    open.push(build);
    return build;
  }

  const readersOf = (versions: readonly HistoryVersion[]): Queries => {
    const db = openPool(4);
    open.push({ stop: () => db.destroy() });
    return createQueries({ db, versions: versions.map(({ version }) => version) });
  };

  async function live(): Promise<number | undefined> {
    const [there] = await runSql(database.url, `select to_regclass('roomlog.projection_live') is not null as is_there`);
    if (there?.is_there !== true) return undefined;
    const [row] = await runSql(database.url, `select version from roomlog.projection_live`);
    return row === undefined ? undefined : Number(row.version);
  }

  async function isAtHead(version: number): Promise<boolean> {
    const rows = await runSql(
      database.url,
      `select partition, next_offset from roomlog.projection_checkpoints where projection = 'history' and version = ${version}`,
    );
    return (
      rows.length === PARTITIONS && rows.every((row) => Number(row.next_offset) === store.head(Number(row.partition)))
    );
  }

  const untilAtHead = (version: number) =>
    until(`version ${version} is at the head`, async () => (await live()) !== undefined && isAtHead(version), WAIT_MS);
  const untilLive = (version: number) =>
    until(`version ${version} is live`, async () => (await live()) === version, WAIT_MS);

  /** Reads rooms again and again, and fails where one goes back. */
  function watch(queries: Queries): { reads: () => number; end(): Promise<void> } {
    const seen = new Map<string, number>();
    let [reads, isEnding] = [0, false];
    const note = (what: string, version: number): void => {
      assert.ok(version >= (seen.get(what) ?? 0), `${what} went back from ${seen.get(what)} to ${version}`);
      seen.set(what, version);
      reads += 1;
    };
    const running = (async () => {
      while (!isEnding) {
        for (const { roomId } of rooms.map((_, at) => ({ roomId: `room-${at}` }))) {
          const snapshot = await queries.roomSnapshot(roomId);
          note(roomId, snapshot?.version ?? 0);
          note(`checkpoint ${snapshot?.partition}`, snapshot?.checkpoint ?? 0);
          const changes = await queries.eventsAfter(roomId, 0, 100_000);
          note(roomId, changes.at(-1)?.version ?? 0);
        }
      }
    })();
    running.catch(() => undefined);
    return {
      reads: () => reads,
      end: async () => {
        isEnding = true;
        await running;
      },
    };
  }

  /** Writes to all rooms until it is ended. */
  function write(): { end(): Promise<void> } {
    let isEnding = false;
    const running = (async () => {
      for (let at = 0; !isEnding; at++) {
        for (const room of rooms) append(room, made.said(`${at}`));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    return {
      end: async () => {
        isEnding = true;
        await running;
      },
    };
  }

  it('REPLAY-110 REPLAY-111 REPLAY-112 a newer version is made beside the live one and takes over under writes; nobody fails or goes back', async () => {
    await startBuild(OLD);
    await untilAtHead(1);
    const oldReaders = watch(readersOf(OLD));
    const newReaders = watch(readersOf(NEW));
    const writer = write();
    await until('readers read', () => oldReaders.reads() > 50 && newReaders.reads() > 50, WAIT_MS);
    assert.equal(await live(), 1);

    await startBuild(NEW);
    await untilLive(2);
    const [old, fresh] = [oldReaders.reads(), newReaders.reads()];
    await until('readers go on', () => oldReaders.reads() > old + 300 && newReaders.reads() > fresh + 300, WAIT_MS);
    await writer.end();
    await untilAtHead(1);
    await untilAtHead(2);
    await oldReaders.end();
    await newReaders.end();

    for (const [at, room] of rooms.entries()) {
      const roomId = `room-${at}`;
      assert.equal((await readersOf(OLD).roomSnapshot(roomId))?.version, room.version);
      assert.equal((await readersOf(NEW).roomSnapshot(roomId))?.version, room.version);
      const [row] = await runSql(database.url, `select messages from history_v2.rooms where room_id = '${roomId}'`);
      assert.equal(row?.messages, room.version - 1);
    }
  });

  it('REPLAY-110 making a newer version changes nothing in the live tables', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    const rowsOf = async (): Promise<string> =>
      JSON.stringify([
        await runSql(database.url, 'select xmin::text, * from history_v1.rooms order by room_id'),
        await runSql(database.url, 'select xmin::text, * from history_v1.room_events order by room_id, version'),
      ]);
    const before = await rowsOf();
    await startBuild(NEW);
    await untilLive(2);
    assert.equal(await rowsOf(), before);
  });

  it('REPLAY-111 a newer version that was cut off in the middle goes on where it was', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    for (let message = 0; message < 300; message++) for (const room of rooms) append(room, made.said(`${message}`));
    const reached = async (): Promise<number> => {
      const [row] = await runSql(
        database.url,
        `select coalesce(sum(next_offset), 0) as sum from roomlog.projection_checkpoints where version = 2`,
      );
      return Number(row?.sum);
    };
    const first = await startBuild([VERSION_2], 'manual');
    await until('it has begun', async () => (await reached()) > 0, WAIT_MS);
    await first.kill();
    const at = await reached();
    assert.ok(at > 0);
    const second = await startBuild(NEW);
    await untilLive(2);
    await untilAtHead(2);
    await second.stop();
    const [row] = await runSql(database.url, 'select sum(messages) as messages from history_v2.rooms');
    assert.equal(Number(row?.messages), 300 * ROOMS);
  });

  it('REPLAY-116 what was projected before there were pointers is live, and a fresh installation has the newest at once', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    await runSql(database.url, 'drop table roomlog.projection_live');
    assert.equal((await readersOf(NEW).roomSnapshot('room-0'))?.version, 1);
    const held = await startBuild(NEW, 'manual');
    await untilLive(1);
    await held.stop();

    await runSql(database.url, 'drop schema roomlog cascade');
    for (const version of [1, 2]) await runSql(database.url, `drop schema if exists history_v${version} cascade`);
    await startBuild(NEW, 'manual');
    await untilLive(2);
    await untilAtHead(2);
    const [there] = await runSql(database.url, `select to_regclass('history_v1.rooms') as name`);
    assert.equal(there?.name, null, 'an older version is not made only because the build could');
  });

  it('REPLAY-117 moved by hand it goes forwards and back, and is not taken over again by itself', async () => {
    const move = (to: number): Promise<MoveOutcome> =>
      moveLiveVersion(admin, tables, historyKeyOf(to), { automatic: false, atMs: 1 });
    const old = await startBuild(OLD);
    await untilAtHead(1);
    assert.equal((await move(2)).kind, 'refused');
    await old.stop();
    const held = await startBuild(NEW, 'manual');
    await untilAtHead(2);
    const notes = await runChecks(held.ready);
    assert.equal(notes['history projection']?.ok, true);
    const noteOf = async (build: Build) => (await runChecks(build.ready))['history versions']?.note;
    const wanted = 'version 1 is live, version 2 lacks 0 events; it is moved by hand';
    await until('it says what is live', async () => (await noteOf(held)) === wanted);
    assert.deepEqual(await move(2), { kind: 'moved', from: 1, to: 2 });
    assert.deepEqual(await move(2), { kind: 'unchanged', live: 2 });
    assert.deepEqual(await move(1), { kind: 'moved', from: 2, to: 1 });
    await held.stop();
    const again = await startBuild(NEW, 'caught-up');
    await until('it has looked', async () => (await noteOf(again))?.startsWith('version 1 is live') === true);
    const automatic = await moveLiveVersion(admin, tables, historyKeyOf(2), { automatic: true, atMs: 1 });
    assert.deepEqual(automatic, { kind: 'unchanged', live: 1 });
  });

  it('REPLAY-119 verified first: it takes over once its tables were found to be what the log says', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    await startBuild(NEW, 'verified');
    await untilLive(2);
    const builds = await runSql(database.url, `select * from roomlog.projection_builds where state = 'scratch'`);
    assert.deepEqual(builds, [], 'what it was compared with is gone');
  });

  it('REPLAY-119 verified first: it does not take over where they are not, and says so', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    const held = await startBuild(NEW, 'manual');
    await untilAtHead(2);
    await held.stop();
    await runSql(database.url, `update history_v2.rooms set messages = 99 where room_id = 'room-3'`);
    const build = await startBuild(NEW, 'verified');
    const wanted = 'version 1 is live, version 2 lacks 0 events and is not what the log says';
    await until('it says so', async () => (await runChecks(build.ready))['history versions']?.note === wanted, WAIT_MS);
    assert.equal(await live(), 1);
  });

  it('REPLAY-117 is not moved to a version that has parked what the live one has not', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    await startBuild(NEW, 'manual');
    await untilAtHead(2);
    await runSql(
      database.url,
      `insert into roomlog.parked_streams values ('history', 2, 'room-x', 0, 0, 'of no use', 0)`,
    );
    const outcome = await moveLiveVersion(admin, tables, historyKeyOf(2), { automatic: true, atMs: 1 });
    assert.deepEqual(outcome, {
      kind: 'refused',
      live: 1,
      reason: 'version 2 has 1 parked streams that version 1 has not',
    });
  });

  it('REPLAY-115 an older version is kept up until it is dropped, and then stays away; the live one cannot be dropped', async () => {
    const old = await startBuild(OLD);
    await untilAtHead(1);
    await old.stop();
    const build = await startBuild(NEW);
    await untilLive(2);
    for (const room of rooms) append(room, made.said('for both'));
    await untilAtHead(1);
    await untilAtHead(2);
    const drop = (version: number): Promise<void> =>
      dropVersion(admin, tables, historyKeyOf(version), historySchemaOf(version));
    await assert.rejects(drop(2), VersionInUseError);
    await drop(1);
    for (const room of rooms) append(room, made.said('for one'));
    await untilAtHead(2);
    await until('all is well', async () => Object.values(await runChecks(build.ready)).every(({ ok }) => ok), WAIT_MS);
    const [there] = await runSql(database.url, `select to_regclass('history_v1.rooms') as name`);
    assert.equal(there?.name, null);
    assert.equal((await readersOf(NEW).roomSnapshot('room-0'))?.version, rooms[0]?.version);
  });
});
