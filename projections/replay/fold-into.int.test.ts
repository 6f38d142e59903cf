import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, beforeEach, describe, it } from 'mocha';
import { partitionOf } from '../../event-log/partition-of.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { dumpSchema } from '../../tests/support/dump-schema.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { createCheckpoints } from '../checkpoints.ts';
import { buildIndexes } from './build-indexes.ts';
import { createBuild, dropBuild, keyOfBuild, listBuilds, schemaOfBuild } from './builds.ts';
import { BuildInUseError, type FoldOptions, foldInto } from './fold-into.ts';

const RUNS = 15;
const AT_MS = 1_000;

describe('folding the log into a build', () => {
  let harness: ReplayHarness;

  before(async () => {
    harness = await openReplayHarness();
  });

  after(() => harness.close());
  beforeEach(() => harness.clear());

  async function makeBuild(fill: 'copy' | 'rows' = 'copy'): Promise<{ number: number; schema: string }> {
    const purpose = fill === 'copy' ? 'rebuild' : 'verify';
    const { number } = await createBuild(harness.history.db, harness.projection, { purpose, fill, atMs: AT_MS });
    return { number, schema: schemaOfBuild(harness.projection, number) };
  }

  async function fold(build: number, options: Partial<FoldOptions> = {}): Promise<boolean> {
    const to = await harness.heads();
    return foldInto(harness.deps, { projection: harness.projection, build, way: 'copy', to, lanes: 3, ...options });
  }

  async function checkpoints(build: number): Promise<Record<number, number>> {
    const { name } = keyOfBuild(harness.projection, build);
    const { rows } = await harness.history.db.raw<{ rows: { partition: number; next: string }[] }>(
      `select partition, next_offset as next from ${harness.bookkeeping.checkpoints} where projection = ?`,
      [name],
    );
    return Object.fromEntries(rows.map(({ partition, next }) => [partition, Number(next)]));
  }

  for (const way of ['copy', 'rows'] as const) {
    it(`REPLAY-10 law: a fold by ${way} makes the rows that the live projection makes`, async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryHistory(), fc.integer({ min: 1, max: 5 }), async (events, chunkRecords) => {
          await harness.clear();
          await harness.append(events);
          await harness.projectLive();
          const { number, schema } = await makeBuild(way);
          assert.equal(await fold(number, { way, chunkRecords }), true);
          assert.deepEqual(await harness.rowsOf(schema), await harness.rowsOf(harness.projection.schema));
          assert.deepEqual(await checkpoints(number), Object.fromEntries(await harness.heads()));
        }),
        { numRuns: RUNS },
      );
    });
  }

  it('REPLAY-10 ends at exactly the offsets that it is given, and leaves partitions alone that it is not', async () => {
    await harness.append(manyRooms());
    const { number } = await makeBuild();
    const [partition = 0, head = 0] = [...(await harness.heads())].find(([, at]) => at > 3) ?? [];
    await fold(number, { to: new Map([[partition, head - 2]]) });
    assert.equal((await checkpoints(number))[partition], head - 2);
    assert.equal(Object.values(await checkpoints(number)).filter((at) => at > 0).length, 1);
  });

  it('REPLAY-11 a fold that was cut short goes on at its checkpoints', async () => {
    await harness.append(manyRooms());
    await harness.projectLive();
    const { number, schema } = await makeBuild();
    for (let rounds = 0; ; rounds += 1) {
      const cut = new AbortController();
      const whole = await fold(number, { chunkRecords: 1, signal: cut.signal, onChunk: () => cut.abort() });
      if (whole) break;
      assert.ok(rounds < 100, 'every round gets further');
    }
    assert.deepEqual(await harness.rowsOf(schema), await harness.rowsOf(harness.projection.schema));
  });

  it('REPLAY-11 of two that fold into one build one is told to stop', async () => {
    await harness.append(manyRooms());
    const { number } = await makeBuild();
    const both = [0, 1].map(() => fold(number, { chunkRecords: 1, lanes: 1 }));
    const ends = await Promise.allSettled(both);
    const faults = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    for (const fault of faults) assert.ok(fault instanceof BuildInUseError, String(fault));
    assert.equal(await fold(number), true);
    await harness.projectLive();
    const schema = schemaOfBuild(harness.projection, number);
    assert.deepEqual(await harness.rowsOf(schema), await harness.rowsOf(harness.projection.schema));
  });

  it('REPLAY-10 parks what cannot be projected as the live projection does, under the name of the build', async () => {
    const room = roomHistory('spoilt');
    await harness.append([room.next('ada', made.room())]);
    await harness.appendRaw(streamOfRoom('spoilt'), Buffer.from('nonsense'));
    await harness.append([room.next('ada', made.said('after'))]);
    await harness.append(manyRooms());
    await harness.projectLive();
    const { number, schema } = await makeBuild();
    await fold(number);
    assert.deepEqual(await harness.rowsOf(schema), await harness.rowsOf(harness.projection.schema));
    const { rows } = await harness.history.db.raw<{ rows: { projection: string; records: number }[] }>(
      `select projection, count(*)::integer as records from ${harness.bookkeeping.parkedRecords} group by 1 order by 1`,
    );
    const { name } = keyOfBuild(harness.projection, number);
    assert.deepEqual(rows, [
      { projection: harness.projection.name, records: 2 },
      { projection: name, records: 2 },
    ]);
  });

  it('REPLAY-12 folds only the events of the rooms that are asked for', async () => {
    await harness.append(manyRooms());
    await harness.projectLive();
    const { number, schema } = await makeBuild('rows');
    await fold(number, { way: 'rows', rooms: new Set(['room-1', 'room-4']) });
    const live = await harness.rowsOf(harness.projection.schema);
    const isChosen = (row: unknown): boolean => /room-(1|4)"/.test(JSON.stringify(row));
    const chosen = Object.fromEntries(Object.entries(live).map(([table, rows]) => [table, rows.filter(isChosen)]));
    assert.deepEqual(await harness.rowsOf(schema), chosen);
    const partition = partitionOf(streamOfRoom('room-1'), harness.deps.log.partitions);
    assert.equal((await checkpoints(number))[partition], (await harness.heads()).get(partition));
  });

  it('REPLAY-13 a build that was filled by COPY ends with exactly the tables that are live', async () => {
    await harness.append(manyRooms());
    const { number, schema } = await makeBuild();
    const dump = (of: string): Promise<string> => dumpSchema(harness.history.db, new Map([[of, 'shown']]));
    const live = await dump(harness.projection.schema);
    assert.notEqual(await dump(schema), live);
    await fold(number);
    const made: string[] = [];
    await buildIndexes(harness.history.db, harness.projection, schema, { onIndex: ({ name }) => made.push(name) });
    assert.equal(await dump(schema), live);
    assert.deepEqual(made, ['messages_pkey', 'room_events_pkey', 'rooms_of_space']);
    await buildIndexes(harness.history.db, harness.projection, schema, {
      onIndex: ({ name }) => assert.fail(`${name} again`),
    });
  });

  it('REPLAY-14 a build that is dropped leaves nothing, and the live tables cannot be dropped', async () => {
    const { db } = harness.history;
    const { number, schema } = await makeBuild();
    await harness.append(manyRooms());
    await fold(number);
    assert.deepEqual(
      (await listBuilds(db, harness.projection)).map(({ state }) => state),
      ['live', 'copying'],
    );
    for (const build of [number, number, 1]) await dropBuild(db, harness.projection, build);
    const builds = await listBuilds(db, harness.projection);
    assert.deepEqual(
      builds.map(({ number: left, state }) => [left, state]),
      [[1, 'live']],
    );
    const { rows } = await db.raw<{ rows: unknown[] }>('select 1 from pg_namespace where nspname = ?', [schema]);
    assert.deepEqual(rows, []);
    assert.deepEqual(await checkpoints(number), {});
    assert.ok((await harness.rowsOf(harness.projection.schema)).rooms);
  });

  it('REPLAY-14 numbers of builds are not given twice while the first is there', async () => {
    const { db } = harness.history;
    await createCheckpoints(db, harness.bookkeeping, harness.projection, 1);
    const numbers = await Promise.all([1, 2, 3].map(async () => (await makeBuild()).number));
    assert.deepEqual(numbers.sort(), [2, 3, 4]);
  });

  /** Six rooms with members and messages, their events by turns. */
  function manyRooms() {
    const rooms = Array.from({ length: 6 }, (_, at) => roomHistory(`room-${at}`));
    const turns = [made.room(), made.joined('bob'), made.said('one'), made.said('two'), made.left('bob')];
    return turns.flatMap((turn) => rooms.map((room) => room.next('ada', turn)));
  }
});
