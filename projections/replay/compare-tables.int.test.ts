import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, beforeEach, describe, it } from 'mocha';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { type EventBody, made, roomHistory } from '../../tests/support/chat-events.ts';
import { arbitraryDamage, damageOne } from '../../tests/support/damage.ts';
import { type HistoryHarness, openHistoryHarness, toChunk, toRecords } from '../../tests/support/history-harness.ts';
import type { PostgresSink } from '../postgres-sink.ts';
import { quoteName } from './compare-rows.ts';
import { type CompareBounds, type Comparison, compareTables } from './compare-tables.ts';

const RUNS = 15;
/** Each run fills and empties the tables of both sides. */
const LAW_MS = 60_000;

describe('comparing the tables of two schemas', () => {
  let left: HistoryHarness;
  let right: HistoryHarness;

  before(async () => {
    [left, right] = await Promise.all([openHistoryHarness(), openHistoryHarness()]);
    // Makes the tables.
    for (const harness of [left, right]) await harness.openSink().load([0, 1]);
  });
  beforeEach(async () => {
    for (const harness of [left, right]) await fold(harness, [], []);
  });
  after(() => Promise.all([left.close(), right.close()]));

  /** Folds the events, cut into chunks of these sizes. */
  async function fold(harness: HistoryHarness, events: readonly ChatEvent[], sizes: Iterable<number>): Promise<void> {
    const sink: PostgresSink = harness.openSink();
    await harness.clear();
    await sink.load([0, 1]);
    const records = toRecords(harness.codec, events);
    const size = sizes[Symbol.iterator]();
    for (let at = 0; at < records.length; ) {
      const next = size.next();
      const length = next.done === true ? records.length : next.value;
      assert.equal(await sink.write(toChunk(records.slice(at, at + length), at)), 'written');
      at += length;
    }
  }

  async function foldBoth(events: readonly ChatEvent[]): Promise<void> {
    for (const harness of [left, right]) await fold(harness, events, []);
  }

  function compare(bounds?: CompareBounds): Promise<Comparison> {
    const [leftSchema, rightSchema] = [schemaOf(left), schemaOf(right)];
    return left.db.transaction((leftTx) =>
      right.db.transaction((rightTx) =>
        compareTables({ tx: leftTx, schema: leftSchema }, { tx: rightTx, schema: rightSchema }, bounds),
      ),
    );
  }

  it('REPLAY-40 law: one log makes equal tables however it is cut, and in whichever order the rows lie', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory(), fc.infiniteStream(fc.integer({ min: 1, max: 5 })), async (events, sizes) => {
        await fold(left, events, []);
        await fold(right, events, sizes);
        for (const table of Object.values(rightTables())) {
          await right.db.raw(`create temp table moved as select * from ${table}; delete from ${table};
                              insert into ${table} select * from moved order by random(); drop table moved`);
        }
        const comparison = await compare();
        assert.equal(comparison.isEqual, true, JSON.stringify(comparison));
        assert.equal(comparison.rooms, new Set(events.map(({ roomId }) => roomId)).size);
        for (const { leftRows, rightRows, leftHash, rightHash } of comparison.tables) {
          assert.deepEqual([leftRows, leftHash], [rightRows, rightHash]);
        }
      }),
      { numRuns: RUNS },
    );
  }).timeout(LAW_MS);

  it('REPLAY-40 law: any one damaged cell or row is found and named', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryHistory({ minLength: 1 }),
        arbitraryDamage,
        fc.boolean(),
        async (events, how, isLeft) => {
          await foldBoth(events);
          const damaged = await damageOne((isLeft ? left : right).db, schemaOf(isLeft ? left : right), how);
          fc.pre(damaged !== null);
          const comparison = await compare();
          const found = comparison.examples.flatMap(({ rows }) => rows);
          const [expectedLeft, expectedRight] = isLeft
            ? [damaged.after, damaged.before]
            : [damaged.before, damaged.after];
          assert.deepEqual([comparison.isEqual, comparison.differingRooms, found.length], [false, 1, 1]);
          assert.deepEqual(
            { ...found[0] },
            {
              table: damaged.table,
              roomId: damaged.roomId,
              key: damaged.key,
              left: expectedLeft,
              right: expectedRight,
              changed: damaged.changed,
            },
          );
        },
      ),
      { numRuns: RUNS * 2 },
    );
  }).timeout(LAW_MS);

  it('REPLAY-40 a row that is there twice is a difference', async () => {
    const room = roomHistory('red');
    await foldBoth([room.next('ada', made.room()), room.next('ada', made.said('once'))]);
    const { messages } = rightTables();
    await right.db.raw(`alter table ${messages} drop constraint messages_pkey`);
    await right.db.raw(`insert into ${messages} select * from ${messages}`);
    const comparison = await compare();
    await right.db.raw(`delete from ${messages}`);
    await right.db.raw(`alter table ${messages} add constraint messages_pkey primary key (room_id, version)`);
    const [table] = comparison.tables.filter(({ differingRooms }) => differingRooms > 0);
    assert.deepEqual(
      [comparison.isEqual, table?.table, table?.onlyLeft, table?.onlyRight, table?.changed],
      [false, 'messages', 0, 1, 0],
    );
  });

  it('REPLAY-40 tells of few rooms and counts all', async () => {
    const rooms = Array.from({ length: 450 }, (_, at) => roomHistory(`room-${String(at).padStart(3, '0')}`));
    await fold(
      left,
      rooms.map((room) => room.next('ada', made.room())),
      [],
    );
    const comparison = await compare({ maxRooms: 2, maxRowsPerTable: 1 });
    assert.deepEqual([comparison.rooms, comparison.differingRooms], [450, 450]);
    assert.deepEqual(
      comparison.examples.map(({ roomId }) => roomId),
      ['room-000', 'room-001'],
    );
    assert.equal(comparison.tables.find(({ table }) => table === 'rooms')?.onlyLeft, 450);
  });

  it('REPLAY-41 an event in the shape of an earlier build is the same event', async () => {
    const room = roomHistory('red');
    const edited: EventBody = { type: 'RoomDetailsEdited', before: null, after: { name: 'Attic', description: 'New' } };
    await foldBoth([room.next('ada', made.room()), room.next('ada', edited), room.next('bob', made.joined('bob'))]);
    const { roomEvents } = left.tables;
    await left.db.raw(`update ${roomEvents} set event = event - 'invitedBy' where event \\? 'invitedBy'`);
    await left.db.raw(
      `update ${roomEvents} set event = (event - 'before' - 'after') || (event -> 'after') || '{"type": "RoomDetailsChanged"}'
        where event \\? 'after'`,
    );
    const comparison = await compare();
    assert.deepEqual([comparison.isEqual, comparison.differingRooms, comparison.examples], [true, 0, []]);
    assert.equal(comparison.tables.find(({ table }) => table === 'room_events')?.older, 2);
  });

  it('REPLAY-41 compares the columns that both have and names the others', async () => {
    const room = roomHistory('red');
    await foldBoth([room.next('ada', made.room()), room.next('ada', made.said('hello'))]);
    const { messages } = rightTables();
    await right.db.raw(`alter table ${messages} rename column reply_to to answers`);
    await right.db.raw(`alter table ${messages} alter column user_id type varchar(80)`);
    const other = quoteName(schemaOf(right));
    await right.db.raw(`create table ${other}.reactions (room_id text, emoji text)`);
    const comparison = await compare();
    await right.db.raw(`drop table ${other}.reactions`);
    await right.db.raw(`alter table ${messages} rename column answers to reply_to`);
    await right.db.raw(`alter table ${messages} alter column user_id type text`);
    assert.deepEqual([comparison.isEqual, comparison.differingRooms], [false, 0]);
    assert.deepEqual(comparison.tables.find(({ table }) => table === 'messages')?.columns, {
      onlyLeft: ['reply_to'],
      onlyRight: ['answers'],
      retyped: ['user_id'],
    });
    const reactions = comparison.tables.find(({ table }) => table === 'reactions');
    assert.deepEqual([reactions?.leftRows, reactions?.rightRows], [null, 0]);
  });

  function rightTables(): { [table: string]: string } & { messages: string } {
    const { rooms, memberships, invitations, messages, roomEvents } = right.tables;
    return { rooms, memberships, invitations, messages, roomEvents };
  }
});

function schemaOf(harness: HistoryHarness): string {
  const [schema] = harness.schemas.keys();
  assert.ok(schema);
  return schema;
}
