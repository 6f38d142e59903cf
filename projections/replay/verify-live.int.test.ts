import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, beforeEach, describe, it } from 'mocha';
import { OffsetOutOfRangeError } from '../../event-log/event-log.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { createBuild, listBuilds } from './builds.ts';
import { NothingProjectedError } from './live-vector.ts';
import { withScratchBuild } from './scratch-build.ts';
import { type Verification, type VerifyOptions, verifyLive } from './verify-live.ts';

const RUNS = 15;

describe('verifying the live tables', () => {
  let harness: ReplayHarness;

  before(async () => {
    harness = await openReplayHarness();
  });
  after(() => harness.close());
  beforeEach(() => harness.clear());

  async function verify(options: Partial<VerifyOptions> = {}): Promise<Verification> {
    const verification = await tryVerifying(options);
    assert.ok(verification);
    return verification;
  }

  function tryVerifying(options: Partial<VerifyOptions> = {}): Promise<Verification | null> {
    const { projection } = harness;
    const { signal } = new AbortController();
    return verifyLive(harness.deps, {
      live: projection,
      fresh: projection,
      purpose: 'verify',
      way: 'copy',
      signal,
      ...options,
    });
  }

  async function scratches(): Promise<number[]> {
    const builds = await listBuilds(harness.history.db, harness.projection);
    return builds.filter(({ state }) => state !== 'live').map(({ number }) => number);
  }

  it('REPLAY-42 law: what the live projector made is equal to the log at its own offsets', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory(), arbitraryHistory({ maxLength: 5 }), async (events, later) => {
        await harness.clear();
        await harness.append(events);
        await harness.projectLive();
        const vector = await harness.heads();
        await harness.append(later);
        const verification = await verify();
        assert.equal(verification.comparison.isEqual, true, JSON.stringify(verification.comparison));
        assert.deepEqual(verification.vector, vector);
        assert.equal(verification.events, events.length);
        assert.deepEqual(verification.parked.differences, []);
      }),
      { numRuns: RUNS },
    );
  });

  it('REPLAY-42 compares at one moment while the live projector goes on', async () => {
    const room = roomHistory('red');
    await harness.append([room.next('ada', made.room())]);
    await harness.projectLive();
    const { log } = harness.deps;
    const read: typeof log.read = async function* (partition, from, to) {
      harness.deps.log = log;
      await harness.append([room.next('ada', made.said('one')), room.next('ada', made.said('two'))]);
      await harness.projectLive();
      yield* log.read(partition, from, to);
    };
    harness.deps.log = Object.create(log, { read: { value: read } }) as typeof log;
    const { comparison, vector, events } = await verify();
    assert.deepEqual([comparison.isEqual, events, vector], [true, 3, await harness.heads()]);
  });

  it('REPLAY-42 tells what is wrong in which room', async () => {
    const rooms = ['red', 'green', 'blue'].map((roomId) => roomHistory(roomId));
    await harness.append(
      rooms.flatMap((room) => [room.next('ada', made.room()), room.next('bob', made.joined('bob'))]),
    );
    await harness.append(rooms.map((room) => room.next('bob', made.said('hello'))));
    await harness.projectLive();
    const { messages, rooms: roomRows, memberships } = harness.history.tables;
    const { db } = harness.history;
    await db.raw(`update ${messages} set text = 'hullo' where room_id = 'red'`);
    await db.raw(`delete from ${memberships} where room_id = 'green' and user_id = 'bob'`);
    await db.raw(`update ${roomRows} set member_count = 7 where room_id = 'green'`);
    const { comparison } = await verify();
    assert.deepEqual([comparison.isEqual, comparison.rooms, comparison.differingRooms], [false, 3, 2]);
    const told = comparison.examples.flatMap(({ rows }) =>
      rows.map(({ roomId, table, changed, left, right }) => [
        roomId,
        table,
        ...(changed.length > 0
          ? changed.flatMap((column) => [column, left?.[column], right?.[column]])
          : [left, right?.user_id]),
      ]),
    );
    assert.deepEqual(told, [
      ['green', 'memberships', null, 'bob'],
      ['green', 'rooms', 'member_count', 7, 2],
      ['red', 'messages', 'text', 'hullo', 'hello'],
    ]);
  });

  it('REPLAY-43 expects what is parked to be parked again, from the same record on', async () => {
    const room = roomHistory('spoilt');
    await harness.append([room.next('ada', made.room())]);
    await harness.appendRaw(streamOfRoom('spoilt'), Buffer.from('nonsense'));
    await harness.append([room.next('ada', made.said('after'))]);
    await harness.append([roomHistory('sound').next('ada', made.room())]);
    await harness.projectLive();
    const before = await verify();
    assert.deepEqual([before.comparison.isEqual, before.parked], [true, { alike: 1, differences: [] }]);
    const { parkedStreams, parkedRecords } = harness.bookkeeping;
    await harness.history.db.raw(
      `delete from ${parkedRecords} where "offset" = (select max("offset") from ${parkedRecords})`,
    );
    await harness.history.db.raw(
      `insert into ${parkedStreams} values ('history', 1, 'room-sound', 0, 12, 'no reason', 0)`,
    );
    const { parked } = await verify();
    assert.equal(parked.alike, 0);
    assert.deepEqual(
      parked.differences.map(({ stream, left, right }) => [stream, left?.records, right?.records]),
      [
        ['room-sound', 0, undefined],
        ['room-spoilt', 1, 2],
      ],
    );
  });

  it('REPLAY-44 leaves nothing behind: neither when it is done, nor when it fails, nor when it is told to stop', async () => {
    await harness.append(twoRooms());
    await harness.projectLive();
    await verify();
    assert.deepEqual(await scratches(), []);
    const stopping = new AbortController();
    const stopped = await tryVerifying({ signal: stopping.signal, onBegin: () => stopping.abort() });
    assert.deepEqual([stopped, await scratches()], [null, []]);
    const { log } = harness.deps;
    harness.deps.log = Object.create(log, {
      read: {
        value: () => {
          throw new OffsetOutOfRangeError('the log is another one');
        },
      },
    }) as typeof log;
    await assert.rejects(verify(), OffsetOutOfRangeError);
    assert.deepEqual(await scratches(), []);
  });

  it('REPLAY-44 drops what a dead process left behind, and nothing that is in use', async () => {
    await harness.append(twoRooms());
    await harness.projectLive();
    const { db } = harness.history;
    const left = await createBuild(db, harness.projection, { purpose: 'verify', fill: 'rows', atMs: 1 });
    await withScratchBuild(harness.deps, harness.projection, { purpose: 'diff', fill: 'rows' }, async (used) => {
      assert.deepEqual(await scratches(), [used]);
      assert.equal((await verify()).comparison.isEqual, true);
      assert.deepEqual(await scratches(), [used]);
    });
    assert.deepEqual(await scratches(), []);
    assert.ok(left.number > 0);
  });

  it('REPLAY-44 says that there is nothing to verify, and makes nothing', async () => {
    const { bookkeepingSchema, ...projection } = harness.projection;
    const absent = { ...projection, bookkeepingSchema: `${bookkeepingSchema}_absent` };
    await assert.rejects(verify({ live: absent, fresh: absent }), NothingProjectedError);
    const { rows } = await harness.history.db.raw<{ rows: { id: string | null }[] }>(
      'select to_regnamespace(?) as id',
      [absent.bookkeepingSchema],
    );
    assert.deepEqual(rows, [{ id: null }]);
  });
});

function twoRooms(): ChatEvent[] {
  return ['red', 'green'].map((roomId) => roomHistory(roomId).next('ada', made.room()));
}
