import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createQueries } from '../../read-api/queries/queries.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { silent } from '../../tests/support/history-harness.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { createProjectionMetrics } from '../metrics.ts';
import { Projector } from '../projector.ts';
import { buildIndexes } from './build-indexes.ts';
import { createBuild, keyOfBuild, listBuilds, schemaOfBuild } from './builds.ts';
import { FlipRefusedError, flipBuild, lackOf, vectorOf } from './flip.ts';
import { foldInto } from './fold-into.ts';

const ROOMS = Array.from({ length: 8 }, (_, at) => `room-${at}`);
const WANTED_READS = 10_000;
const FLIPS = 20;

describe('making a build live', () => {
  let harness: ReplayHarness;

  before(async () => {
    harness = await openReplayHarness();
  });

  after(() => harness.close());
  beforeEach(() => harness.clear());

  async function makeBuild(): Promise<number> {
    const { db } = harness.history;
    const { projection, deps } = harness;
    const { number } = await createBuild(db, projection, { purpose: 'rebuild', fill: 'copy', atMs: 1 });
    await foldInto(deps, { projection, build: number, way: 'copy', to: await harness.heads(), lanes: 2 });
    await buildIndexes(db, projection, schemaOfBuild(projection, number));
    return number;
  }

  function histories(): ReturnType<typeof roomHistory>[] {
    return ROOMS.map(roomHistory);
  }

  async function states(): Promise<Record<number, string>> {
    const builds = await listBuilds(harness.history.db, harness.projection);
    return Object.fromEntries(builds.map(({ number, state }) => [number, state]));
  }

  it('REPLAY-15 the build serves from then on, the one before is kept, and an older one is dropped', async () => {
    const rooms = histories();
    await harness.append(rooms.map((room) => room.next('ada', made.room())));
    await harness.projectLive();
    const { db } = harness.history;
    // What tells the old tables from the new ones.
    await db.raw(`update ${harness.history.tables.rooms} set name = 'old'`);
    const second = await makeBuild();
    const flip = await flipBuild(harness.deps, harness.projection, second);
    assert.deepEqual([flip.previous, flip.live], [1, second]);
    assert.deepEqual(await states(), { 1: 'previous', 2: 'live' });
    const { rows } = await db.raw(`select distinct name from ${harness.history.tables.rooms}`);
    assert.deepEqual(rows, [{ name: 'Lobby' }]);
    const third = await makeBuild();
    await flipBuild(harness.deps, harness.projection, third);
    assert.deepEqual(await states(), { 2: 'previous', 3: 'live' });
    await assert.rejects(flipBuild(harness.deps, harness.projection, third), FlipRefusedError);
    await assert.rejects(flipBuild(harness.deps, harness.projection, 77), FlipRefusedError);
  });

  it('REPLAY-15 what is parked goes with the tables that it is missing in', async () => {
    const [room = roomHistory('none')] = histories();
    await harness.append([room.next('ada', made.room())]);
    await harness.projectLive();
    const build = await makeBuild();
    await harness.appendRaw(streamOfRoom('room-0'), Buffer.from('nonsense'));
    await foldInto(harness.deps, {
      projection: harness.projection,
      build,
      way: 'rows',
      to: await harness.heads(),
      lanes: 1,
    });
    await flipBuild(harness.deps, harness.projection, build);
    const parked = await harness.history.db.raw(`select projection, stream from ${harness.bookkeeping.parkedStreams}`);
    assert.deepEqual(parked.rows, [{ projection: harness.projection.name, stream: streamOfRoom('room-0') }]);
  });

  it('REPLAY-16 brings the build to where the live tables are, also where they are far ahead', async () => {
    const rooms = histories();
    await harness.append(rooms.map((room) => room.next('ada', made.room())));
    await harness.projectLive();
    const build = await makeBuild();
    for (let turn = 0; turn < 30; turn += 1) {
      await harness.append(rooms.map((room) => room.next('ada', made.said(`${turn}`))));
    }
    await harness.projectLive();
    const { db } = harness.history;
    const before = await vectorOf(db, harness.projection, harness.projection);
    const live = await harness.rowsOf(harness.projection.schema);
    await flipBuild(harness.deps, harness.projection, build);
    assert.equal(lackOf(await vectorOf(db, harness.projection, harness.projection), before), 0);
    assert.deepEqual(await harness.rowsOf(harness.projection.schema), live);
    const kept = keyOfBuild(harness.projection, 1);
    assert.deepEqual(await vectorOf(db, harness.projection, kept), before);
  });

  it('REPLAY-16 gives way to a transaction that reads, and comes through when that has ended', async () => {
    await harness.append(histories().map((room) => room.next('ada', made.room())));
    await harness.projectLive();
    const build = await makeBuild();
    const reading = await harness.history.db.transaction();
    await reading.raw(`select * from ${harness.history.tables.rooms}`);
    let isOver = false;
    const flipping = flipBuild(harness.deps, harness.projection, build).finally(() => (isOver = true));
    // Others read on meanwhile.
    for (let reads = 0; reads < 50; reads += 1) await harness.history.queries.roomSnapshot('room-1');
    assert.equal(isOver, false);
    await reading.commit();
    assert.equal((await flipping).live, build);
  });

  it('REPLAY-17 no read fails or goes back while builds are exchanged under a live projector', async () => {
    const rooms = histories();
    await harness.append(rooms.map((room) => room.next('ada', made.room())));
    await harness.projectLive();
    const { db } = harness.history;
    const { log, decode } = harness.deps;
    const { schema: historySchema, bookkeepingSchema } = harness.projection;
    const projector = new Projector({
      name: 'history',
      log,
      decode,
      sink: harness.history.openSink({ partitions: log.partitions }),
      maxRecords: 50,
      logger: silent,
      metrics: createProjectionMetrics(createMetrics()),
    });
    const running = projector.run();
    const readerDbs = [0, 1, 2].map(() => harness.history.openWriterDb({ standStillMs: 10_000, waitMs: 5_000 }));
    let [isOver, reads, turns] = [false, 0, 0];
    const wrong: string[] = [];

    async function write(): Promise<void> {
      while (!isOver) {
        turns += 1;
        await harness.append(rooms.map((room) => room.next('ada', made.said(`${turns}`))));
      }
    }

    async function read(at: number): Promise<void> {
      const [readerDb] = readerDbs.slice(at % 3);
      assert.ok(readerDb);
      const queries = createQueries({ db: readerDb, historySchema, bookkeepingSchema });
      const seen = new Map<string, number>();
      const see = (what: string, value: number): void => {
        if (value < (seen.get(what) ?? 0)) wrong.push(`${what} went from ${seen.get(what)} to ${value}`);
        seen.set(what, value);
      };
      for (let turn = at; !isOver; turn += 1) {
        const roomId = ROOMS[turn % ROOMS.length] ?? '';
        const snapshot = await queries.roomSnapshot(roomId, 3);
        see(roomId, snapshot?.version ?? -1);
        see(`checkpoint ${snapshot?.partition}`, snapshot?.checkpoint ?? -1);
        const last = snapshot?.messages.at(-1)?.version ?? 0;
        if (last !== 0 && last !== snapshot?.version) wrong.push(`${roomId} at ${snapshot?.version} ends with ${last}`);
        const page = await queries.messagePage(roomId, { newest: true }, 2);
        see(roomId, page.messages.at(-1)?.version ?? snapshot?.version ?? 0);
        see(roomId, (await queries.roomFor(roomId, 'ada'))?.room.version ?? -1);
        for (const [partition, offset] of await queries.checkpoints()) see(`checkpoint ${partition}`, offset);
        reads += 4;
      }
    }

    const busy = [write(), ...Array.from({ length: 6 }, (_, at) => read(at))];
    try {
      let build = await makeBuild();
      for (let flips = 0; flips < FLIPS || reads < WANTED_READS; flips += 1) {
        // The one that was live before is the next to be made live: what a rollback does.
        build = (await flipBuild(harness.deps, harness.projection, build)).previous;
      }
    } finally {
      isOver = true;
      const ends = await Promise.allSettled(busy);
      await projector.stop();
      await running;
      for (const readerDb of readerDbs) await readerDb.destroy();
      for (const end of ends) if (end.status === 'rejected') wrong.push(String(end.reason));
    }
    assert.deepEqual(wrong.slice(0, 5), []);
    assert.ok(reads >= WANTED_READS && turns > FLIPS, `${reads} reads, ${turns} turns`);
    await harness.projectLive();
    await until('the live tables are what the log says', async () => {
      const heads = await harness.heads();
      return lackOf(await vectorOf(db, harness.projection, harness.projection), heads) === 0;
    });
    const fresh = schemaOfBuild(harness.projection, await makeBuild());
    assert.deepEqual(await harness.rowsOf(historySchema), await harness.rowsOf(fresh));
  });
});
