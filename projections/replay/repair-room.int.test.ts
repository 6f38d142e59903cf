import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'mocha';
import { createMetrics } from '../../platform/metrics.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { createProjectionMetrics } from '../metrics.ts';
import { Projector } from '../projector.ts';
import { listBuilds } from './builds.ts';
import type { Comparison } from './compare-tables.ts';
import { type Repair, repairRoom, UnknownRoomError } from './repair-room.ts';
import { type Verification, verifyLive } from './verify-live.ts';

const PARTITIONS = 4;

describe('repairing one room', () => {
  let harness: ReplayHarness;
  const { signal } = new AbortController();

  before(async () => {
    harness = await openReplayHarness(PARTITIONS);
  });
  after(() => harness.close());
  beforeEach(() => harness.clear());

  async function repair(roomId: string): Promise<Repair> {
    const repaired = await repairRoom(harness.deps, { live: harness.projection, roomId, signal });
    assert.ok(repaired);
    return repaired;
  }

  async function verify(): Promise<Verification> {
    const { projection } = harness;
    const verification = await verifyLive(harness.deps, {
      live: projection,
      fresh: projection,
      purpose: 'verify',
      way: 'rows',
      signal,
    });
    assert.ok(verification);
    return verification;
  }

  function projectForLong(): Projector {
    return new Projector({
      name: 'history',
      log: harness.deps.log,
      decode: harness.deps.decode,
      sink: harness.history.openSink({ partitions: PARTITIONS }),
      maxRecords: 10,
      logger: harness.deps.logger,
      metrics: createProjectionMetrics(createMetrics()),
    });
  }

  it('REPLAY-45 heals a damaged room under a live projector that goes on writing to it', async () => {
    const rooms = ['red', 'green'].map((roomId) => roomHistory(roomId));
    for (const room of rooms) {
      await harness.append([room.next('ada', made.room()), room.next('bob', made.joined('bob'))]);
      for (let at = 0; at < 20; at += 1) await harness.append([room.next('bob', made.said(`message ${at}`))]);
    }
    await harness.projectLive();
    const { messages, memberships, invitations, rooms: roomRows } = harness.history.tables;
    const { db } = harness.history;
    await db.raw(`update ${messages} set text = 'changed' where room_id = 'red' and version = 5`);
    await db.raw(`delete from ${messages} where room_id = 'red' and version = 6`);
    await db.raw(`insert into ${invitations} values ('red', 'cy', 'ada', 1)`);
    await db.raw(`update ${roomRows} set member_count = 9 where room_id = 'red'`);
    await db.raw(`delete from ${memberships} where room_id = 'green' and user_id = 'ada'`);
    assert.deepEqual(told((await verify()).comparison), [
      'green memberships user_id=ada missing',
      'red invitations user_id=cy extra',
      'red messages version=5 text',
      'red messages version=6 missing',
      'red rooms  member_count',
    ]);

    const projector = projectForLong();
    const running = projector.run();
    const repairing = new AbortController();
    const writing = (async () => {
      for (let at = 0; !repairing.signal.aborted || at < 50; at += 1) {
        await harness.append(rooms.map((room) => room.next('bob', made.said(`later ${at}`))));
      }
    })();
    const repaired = await repair('red');
    repairing.abort();
    await writing;
    const heads = await harness.heads();
    await until(async () => {
      const { rows } = await db.raw<{ rows: { partition: number; next: number }[] }>(
        `select partition, next_offset::integer as next from ${harness.bookkeeping.checkpoints} where projection = 'history'`,
      );
      return rows.every(({ partition, next }) => next === heads.get(partition));
    });
    await projector.stop();
    await running;

    assert.deepEqual(
      repaired.tables.map(({ table, onlyLeft, onlyRight, changed }) => [table, onlyLeft, onlyRight, changed]),
      [
        ['invitations', 1, 0, 0],
        ['messages', 0, 1, 1],
        ['rooms', 0, 0, 1],
      ],
    );
    assert.deepEqual(told((await verify()).comparison), ['green memberships user_id=ada missing']);
    await repair('green');
    const healed = await verify();
    assert.deepEqual([healed.comparison.isEqual, healed.parked.differences], [true, []]);
    const builds = await listBuilds(db, harness.projection);
    assert.deepEqual(
      builds.map(({ state }) => state),
      ['live'],
    );
  });

  it('REPLAY-45 changes nothing where nothing is wrong', async () => {
    await harness.append([roomHistory('red').next('ada', made.room())]);
    await harness.projectLive();
    const { tables, parked } = await repair('red');
    assert.deepEqual([tables, parked], [[], []]);
  });

  it('REPLAY-45 takes away a room that the log does not have, and refuses one that nobody has', async () => {
    await harness.append([roomHistory('red').next('ada', made.room())]);
    await harness.projectLive();
    await harness.history.db.raw(
      `insert into ${harness.history.tables.memberships} values ('ghost', 'bob', 'the bob', 1)`,
    );
    assert.deepEqual(
      (await repair('ghost')).tables.map(({ table, onlyLeft }) => [table, onlyLeft]),
      [['memberships', 1]],
    );
    assert.equal((await verify()).comparison.isEqual, true);
    await assert.rejects(repair('ghost'), UnknownRoomError);
    assert.equal((await listBuilds(harness.history.db, harness.projection)).length, 1);
  });

  it('REPLAY-45 parks what the log parks and takes the rest out of parking', async () => {
    const [sound, spoilt] = [roomHistory('sound'), roomHistory('spoilt')];
    await harness.append([sound.next('ada', made.room()), spoilt.next('ada', made.room())]);
    await harness.appendRaw(streamOfRoom('spoilt'), Buffer.from('nonsense'));
    await harness.projectLive();
    const { parkedStreams, parkedRecords } = harness.bookkeeping;
    await harness.history.db.raw(`delete from ${parkedStreams}; delete from ${parkedRecords}`);
    await harness.history.db.raw(
      `insert into ${parkedStreams} values ('history', 1, 'room-sound', 0, 3, 'no reason', 0)`,
    );
    assert.equal((await verify()).parked.differences.length, 2);
    for (const roomId of ['sound', 'spoilt']) assert.equal((await repair(roomId)).parked.length, 1);
    assert.deepEqual((await verify()).parked, { alike: 1, differences: [] });
  });
});

/** Each difference as one line: room, table, key, and the columns or what is wrong with the row. */
function told({ examples }: Comparison): string[] {
  return examples.flatMap(({ rows }) =>
    rows.map(({ roomId, table, key: { room_id: _, ...key }, left, right, changed }) => {
      const keys = Object.entries(key).map(([column, value]) => `${column}=${value}`);
      const how = left === null ? 'missing' : right === null ? 'extra' : changed.join();
      return [roomId, table, keys.join(), how].join(' ');
    }),
  );
}

/** The test's own time limit ends it where it never comes true. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise(setImmediate);
}
