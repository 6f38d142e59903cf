// The log of the first build, read for ever: every later build makes the same of it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { evolve, initialState, type RoomState } from '../commands/chatroom/state.ts';
import { type Codec, openCodec } from '../event-log/codec/codec.ts';
import { decodeBatch } from '../event-log/codec/decode-batch.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { registrySchemas } from '../event-log/codec/registry-schemas.ts';
import type { SchemaSource } from '../event-log/codec/schema-source.ts';
import { type EventOfAnyBuild, readStoredEvent } from '../event-log/codec/upcast.ts';
import type { Chunk, ProjectedRecord } from '../projections/sink.ts';
import { changeToFrame } from '../realtime/rooms/room-state.ts';
import { type ChatEvent, EVENT_TYPES } from '../schemas/generated/events.ts';
import { SUPERSEDED_TYPES } from '../schemas/generated/superseded-events.ts';
import {
  GOLDEN_PARTITIONS,
  type GoldenRow,
  goldenFrames,
  goldenRecords,
  goldenRows,
  goldenStates,
} from './support/golden-log.ts';
import { type HistoryHarness, openHistoryHarness } from './support/history-harness.ts';
import { stackEnv } from './support/stack-env.ts';

const KEYS = {
  rooms: ['room_id'],
  memberships: ['room_id', 'user_id'],
  invitations: ['room_id', 'user_id'],
  messages: ['room_id', 'version'],
  roomEvents: ['room_id', 'version'],
} as const;
type Table = keyof typeof KEYS;

const registry = () => {
  const topic = `test-${randomBytes(6).toString('hex')}`;
  return registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic });
};

for (const [name, openSource] of Object.entries({ 'the schema folder': folderSchemas, 'a registry': registry })) {
  describe(`REPLAY-102 the log that the first build wrote, by the schemas of ${name}`, () => {
    let harness: HistoryHarness;
    let records: ProjectedRecord[];
    let events: ChatEvent[];

    before(async () => {
      harness = await openHistoryHarness();
      const source = openSource();
      const codec = await openCodec(source);
      records = await decodeGolden(codec, source);
      events = records.map(({ content }) => {
        assert.ok('event' in content, JSON.stringify(content));
        return content.event;
      });
    });

    after(() => harness.close());

    it('has every type in its first version, and every one is read as one of today', () => {
      const ids = new Set(goldenRecords().map(({ record }) => record.value.readInt32BE(1)));
      assert.deepEqual([...ids].sort(), [1, 2, 3, 4, 5, 6, 7]);
      const types: readonly string[] = EVENT_TYPES;
      assert.deepEqual(
        events.filter(({ type }) => !types.includes(type)),
        [],
      );
    });

    it('folds into the rows that it always folded into', async () => {
      const sink = harness.openSink({ partitions: GOLDEN_PARTITIONS });
      await sink.load([0, 1]);
      assert.equal(await sink.write(chunkOf(records)), 'written');
      const wanted = goldenRows();
      for (const table of Object.keys(KEYS) as Table[]) {
        const rows = await rowsOf(harness, table);
        assert.deepEqual(rows, wanted.filter((golden) => golden.table === table).map(todayRow), table);
      }
    });

    it('adds up to the states that decisions were made on', () => {
      const states = new Map<string, RoomState>();
      for (const event of events) {
        const { stream } = event.metadata;
        states.set(stream, evolve(states.get(stream) ?? initialState, event));
      }
      const found = [...states].map(([stream, state]) => {
        assert.ok(state.status !== 'none');
        const { members, invited } = state;
        return { stream, state: { ...state, members: members.toJS(), invited: [...invited.keys()] } };
      });
      assert.deepEqual(found, goldenStates());
    });

    it('REPLAY-103 shows sockets the frames that they always got', () => {
      const frames = events.map((event) => changeToFrame({ version: event.metadata.version, event }));
      assert.deepEqual(
        frames.map((frame) => frame && { event: frame.name, data: JSON.parse(frame.json) as unknown }),
        goldenFrames(),
      );
    });
  });
}

describe('REPLAY-104 rows that the first build wrote', () => {
  let harness: HistoryHarness;

  before(async () => {
    harness = await openHistoryHarness();
    await harness.openSink().load([0, 1]);
    for (const { table, row } of goldenRows()) {
      const sql = `insert into ${harness.tables[table]} select * from jsonb_populate_record(null::${harness.tables[table]}, ?)`;
      await harness.db.raw(sql, [JSON.stringify(row)]);
    }
  });

  after(() => harness.close());

  it('are read as the events that their records are read as, so that a reader never meets a superseded type', async () => {
    const source = folderSchemas();
    const records = await decodeGolden(await openCodec(source), source);
    const byRoom = Map.groupBy(
      records.flatMap(({ content }) => ('event' in content ? [content.event] : [])),
      ({ roomId }) => roomId,
    );
    for (const [roomId, events] of byRoom) {
      const changes = await harness.queries.eventsAfter(roomId, 0, 1_000);
      assert.deepEqual(
        changes.map(({ version }) => version),
        events.map(({ metadata }) => metadata.version),
      );
      for (const change of changes) {
        if ('event' in change) assert.deepEqual(change.event, events[change.version - 1]);
      }
    }
  });

  it('hold superseded types: what the test before reads is not there by chance', () => {
    const stored = goldenRows().flatMap(({ table, row }) => (table === 'roomEvents' ? [eventOf(row).type] : []));
    const superseded: readonly string[] = SUPERSEDED_TYPES;
    assert.ok(stored.some((type) => superseded.includes(type)));
  });

  it('give the frames that sockets always got', async () => {
    const shown: unknown[] = [];
    for (const roomId of new Set(goldenRows().flatMap(({ table, row }) => (table === 'rooms' ? [roomOf(row)] : [])))) {
      for (const change of await harness.queries.eventsAfter(roomId, 0, 1_000)) {
        const frame = changeToFrame(change);
        if (frame) shown.push({ event: frame.name, data: JSON.parse(frame.json) as unknown });
      }
    }
    const byText = (frames: unknown[]): string[] => frames.map((frame) => JSON.stringify(frame)).sort();
    assert.deepEqual(byText(shown), byText(goldenFrames()));
  });
});

/** Decoded by the source's own ids: the records hold those of the folder, whose list is in the order of every source's. */
async function decodeGolden(codec: Codec, source: SchemaSource): Promise<ProjectedRecord[]> {
  const [folder, own] = [await folderSchemas().load(), await source.load()];
  const decoded: ProjectedRecord[] = [];
  for (const { partition, record } of goldenRecords()) {
    const value = Buffer.from(record.value);
    const known = own[folder.findIndex(({ id }) => id === value.readInt32BE(1))];
    assert.ok(known);
    value.writeInt32BE(known.id, 1);
    const batch = {
      partition,
      records: [{ ...record, value }],
      nextOffset: record.offset + 1,
      head: record.offset + 1,
    };
    const [one] = (await decodeBatch(codec, batch)).records;
    assert.ok(one && 'event' in one, `${record.key} ${record.offset} is an event`);
    decoded.push({ partition, record, content: { event: one.event } });
  }
  return decoded;
}

function chunkOf(records: readonly ProjectedRecord[]): Chunk {
  const moves = new Map<number, { from: number; to: number }>();
  for (const { partition, record } of records) moves.set(partition, { from: 0, to: record.offset + 1 });
  return { records, moves };
}

async function rowsOf(harness: HistoryHarness, table: Table): Promise<object[]> {
  const order = KEYS[table].map((column) => (column === 'version' ? column : `${column} collate "C"`)).join(', ');
  const sql = `select to_jsonb(t) as row from ${harness.tables[table]} as t order by ${order}`;
  const { rows } = await harness.db.raw<{ rows: { row: object }[] }>(sql);
  return rows.map(({ row }) => row);
}

/** The row as a fold of today writes it: only whole events have another shape now. */
function todayRow({ table, row }: GoldenRow): object {
  return table === 'roomEvents' ? { ...row, event: readStoredEvent(eventOf(row)) } : row;
}

function eventOf(row: object): EventOfAnyBuild {
  return (row as { event: EventOfAnyBuild }).event;
}

function roomOf(row: object): string {
  return (row as { room_id: string }).room_id;
}
