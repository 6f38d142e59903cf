import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { type HistoryHarness, openHistoryHarness, toChunk, toRecords } from '../tests/support/history-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { TooManyParkedStreamsError } from './postgres-sink.ts';
import type { ProjectedRecord } from './sink.ts';

describe('a projection in PostgreSQL', () => {
  let harness: HistoryHarness;

  before(async () => {
    harness = await openHistoryHarness();
    await harness.openSink().load([0, 1]);
  });

  after(() => harness.close());
  beforeEach(() => harness.clear());

  /** Two rooms whose events alternate: red 1, green 1, red 2, … */
  function twoRooms(length = 4): ChatEvent[] {
    const rooms = ['red', 'green'].map(roomHistory);
    return Array.from({ length }, (_, turn) =>
      rooms.map((room) => room.next('ada', turn === 0 ? made.room() : made.said(`${turn}`))),
    ).flat();
  }

  async function versions(): Promise<Record<string, number>> {
    const { rows } = await harness.db.raw<{ rows: { room_id: string; version: string }[] }>(
      `select room_id, version from ${harness.tables.rooms}`,
    );
    return Object.fromEntries(rows.map(({ room_id, version }) => [room_id, Number(version)]));
  }

  async function parkedOffsets(stream: string): Promise<number[]> {
    const { rows } = await harness.db.raw<{ rows: { offset: string }[] }>(
      `select "offset" from ${harness.tables.parkedRecords} where stream = ? order by "offset"`,
      [stream],
    );
    return rows.map(({ offset }) => Number(offset));
  }

  const faulty = (record: ProjectedRecord): ProjectedRecord => ({ ...record, content: { fault: 'no event' } });

  it('PROJ-9 goes on exactly where the last one stopped', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const first = harness.openSink();
    await first.load([0, 1]);
    await first.write(toChunk(records.slice(0, 3), 0));
    const second = harness.openSink();
    assert.equal((await second.load([0, 1])).get(0), 3);
    assert.equal(await second.write(toChunk(records.slice(3), 3)), 'written');
    assert.deepEqual(await versions(), { red: 4, green: 4 });
  });

  it('PROJ-4 a projector whose checkpoint was moved writes nothing', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const zombie = harness.openSink();
    await zombie.load([0, 1]);
    const successor = harness.openSink();
    await successor.load([0, 1]);
    assert.equal(await successor.write(toChunk(records.slice(0, 4), 0)), 'written');
    assert.equal(await zombie.write(toChunk(records.slice(0, 6), 0)), 'fenced');
    assert.deepEqual(await versions(), { red: 2, green: 2 });
    assert.equal((await zombie.load([0, 1])).get(0), 4);
  });

  it('PROJ-4 of projectors that write the same at once exactly one gets it in', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const sinks = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const sink = harness.openSink();
        await sink.load([0, 1]);
        return sink;
      }),
    );
    const outcomes = await Promise.all(sinks.map((sink) => sink.write(toChunk(records, 0))));
    assert.deepEqual(outcomes.sort(), ['fenced', 'fenced', 'fenced', 'written']);
  });

  it('PROJ-1 a chunk that fails leaves neither rows nor a moved checkpoint', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const sink = harness.openSink({ maxParkedStreams: 1 });
    await sink.load([0, 1]);
    // Both streams would have to be parked, which is one too many: the whole transaction goes back.
    await assert.rejects(sink.write(toChunk(records.map(faulty), 0)), TooManyParkedStreamsError);
    assert.deepEqual(await versions(), {});
    assert.equal((await harness.openSink().load([0, 1])).get(0), 0);
  });

  it('PROJ-6 a record that cannot be decoded parks its stream from there on, others go on', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const sink = harness.openSink();
    await sink.load([0, 1]);
    const poisoned = records.map((record, at) => (at === 2 ? faulty(record) : record));
    assert.equal(await sink.write(toChunk(poisoned.slice(0, 5), 0)), 'written');
    assert.equal(await sink.write(toChunk(poisoned.slice(5), 5)), 'written');
    assert.deepEqual(await versions(), { red: 1, green: 4 });
    assert.deepEqual(await parkedOffsets('room-red'), [2, 4, 6]);
    assert.deepEqual(await parkedOffsets('room-green'), []);
    assert.equal(sink.parkedStreams, 1);
  });

  it('PROJ-6 keeps the raw bytes and the reason', async () => {
    const records = toRecords(harness.codec, twoRooms(1));
    const sink = harness.openSink();
    await sink.load([0, 1]);
    await sink.write(toChunk(records.map(faulty).slice(0, 1), 0));
    const parked = await harness.db.raw(`select value from ${harness.tables.parkedRecords}`);
    assert.deepEqual(parked.rows, [{ value: records[0]?.record.value }]);
    const streams = await harness.db.raw(`select stream, reason, first_offset from ${harness.tables.parkedStreams}`);
    assert.deepEqual(streams.rows, [{ stream: 'room-red', reason: 'no event', first_offset: '0' }]);
  });

  it('PROJ-6 a gap in the versions parks the stream', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const sink = harness.openSink();
    await sink.load([0, 1]);
    const [lost] = records.splice(2, 1);
    assert.equal(lost?.record.key, 'room-red');
    await sink.write(toChunk(records, 0));
    assert.deepEqual(await versions(), { red: 1, green: 4 });
    assert.deepEqual(await parkedOffsets('room-red'), [4, 6]);
  });

  it('PROJ-6 what PostgreSQL refuses to hold parks the stream', async () => {
    const events = twoRooms();
    const [, , third] = events;
    assert.ok(third?.type === 'MessageSent');
    third.text = 'a NUL \0 that no column takes';
    const sink = harness.openSink();
    await sink.load([0, 1]);
    assert.equal(await sink.write(toChunk(toRecords(harness.codec, events), 0)), 'written');
    assert.deepEqual(await versions(), { red: 1, green: 4 });
    assert.deepEqual(await parkedOffsets('room-red'), [2, 4, 6]);
  });

  it('PROJ-6 a record under the key of another stream parks that stream', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const stray = records[3];
    assert.ok(stray);
    const sink = harness.openSink();
    await sink.load([0, 1]);
    records[3] = { ...stray, record: { ...stray.record, key: 'room-\0blue' } };
    await sink.write(toChunk(records, 0));
    assert.deepEqual(await parkedOffsets('room-\uFFFDblue'), [3]);
    // Green lost an event by it, so green has a hole.
    assert.deepEqual(await versions(), { red: 4, green: 1 });
  });

  it('PROJ-8 a parked stream goes on at the next start once its cause is gone', async () => {
    const records = toRecords(harness.codec, twoRooms());
    const sink = harness.openSink();
    await sink.load([0, 1]);
    await sink.write(
      toChunk(
        records.slice(0, 6).map((record, at) => (at === 2 ? faulty(record) : record)),
        0,
      ),
    );
    assert.deepEqual(await versions(), { red: 1, green: 3 });
    // The bytes were good all along: a build that can decode them starts.
    const repaired = harness.openSink();
    await repaired.load([0, 1]);
    assert.equal(repaired.parkedStreams, 0);
    assert.deepEqual(await versions(), { red: 3, green: 3 });
    // And the one that parked it, still running, does not park it further.
    assert.equal(await sink.write(toChunk(records.slice(6), 6)), 'written');
    assert.deepEqual(await versions(), { red: 4, green: 4 });
    assert.deepEqual(await parkedOffsets('room-red'), []);
  });

  it('PROJ-8 a stream whose cause is still there stays parked, with all its records', async () => {
    const records = toRecords(harness.codec, twoRooms());
    records.splice(2, 1);
    const sink = harness.openSink();
    await sink.load([0, 1]);
    await sink.write(toChunk(records, 0));
    const again = harness.openSink();
    await again.load([0, 1]);
    assert.equal(again.parkedStreams, 1);
    assert.deepEqual(await parkedOffsets('room-red'), [4, 6]);
  });

  describe('whose partitions several projectors share', () => {
    /** A room in each partition, with a poison record in the middle. */
    function poisoned(partition: number): ProjectedRecord[] {
      const room = roomHistory(['red', 'green'][partition] ?? '');
      const events = Array.from({ length: 4 }, (_, turn) =>
        room.next('ada', turn === 0 ? made.room() : made.said(`${turn}`)),
      );
      const records = toRecords(harness.codec, events, 0, partition);
      return records.map((record, at) => {
        return at === 1 ? faulty({ ...record, record: { ...record.record, value: Buffer.from('no event') } }) : record;
      });
    }

    /** Mends the poison record in the table, as a build that can read it would. */
    async function mend(partition: number): Promise<void> {
      const room = roomHistory(['red', 'green'][partition] ?? '');
      room.next('ada', made.room());
      await harness.db.raw(
        `update ${harness.tables.parkedRecords} set value = ? where partition = ? and "offset" = 1`,
        [harness.codec.encode(room.next('ada', made.said('1'))), partition],
      );
    }

    it('PROJ-17 loads those it is asked for only, and readers see all of them', async () => {
      const sink = harness.openSink();
      assert.deepEqual(await sink.load([1]), new Map([[1, 0]]));
      assert.deepEqual(
        await harness.queries.checkpoints(),
        new Map([
          [0, 0],
          [1, 0],
        ]),
      );
      assert.deepEqual(await sink.load([]), new Map());
    });

    it('PROJ-21 counts the parked streams of its own partitions', async () => {
      const sinks = [harness.openSink(), harness.openSink()] as const;
      for (const [partition, sink] of sinks.entries()) {
        await sink.load([partition]);
        assert.equal(await sink.write(toChunk(poisoned(partition), 0, partition)), 'written');
        assert.equal(sink.parkedStreams, 1);
      }
      await sinks[0].load([0, 1]);
      assert.equal(sinks[0].parkedStreams, 2);
      await sinks[1].load([]);
      assert.equal(sinks[1].parkedStreams, 0);
    });

    it('PROJ-8 MAX_PARKED_STREAMS is of all processes together', async () => {
      const [first, second] = [harness.openSink({ maxParkedStreams: 1 }), harness.openSink({ maxParkedStreams: 1 })];
      await first.load([0]);
      await second.load([1]);
      await first.write(toChunk(poisoned(0), 0));
      await assert.rejects(second.write(toChunk(poisoned(1), 0, 1)), TooManyParkedStreamsError);
    });

    it('PROJ-8 PROJ-21 tries again what is parked in partitions that it gains, and not what is elsewhere', async () => {
      const sink = harness.openSink();
      await sink.load([0, 1]);
      for (const partition of [0, 1]) await sink.write(toChunk(poisoned(partition), 0, partition));
      const other = harness.openSink();
      await other.load([1]);
      for (const partition of [0, 1]) await mend(partition);
      await other.load([1]);
      assert.deepEqual(await versions(), { red: 1, green: 1 }, 'it did not gain what it had');
      await other.load([0, 1]);
      assert.deepEqual(await versions(), { red: 4, green: 1 });
      assert.equal(other.parkedStreams, 1);
      await other.load([0]);
      await other.load([0, 1]);
      assert.deepEqual(await versions(), { red: 4, green: 4 });
      assert.equal(other.parkedStreams, 0);
    });

    it('PROJ-21 a stream goes on once when several gain its partition at the same time, one of them while it writes', async () => {
      const records = poisoned(0);
      const writer = harness.openSink();
      await writer.load([0]);
      await writer.write(toChunk(records.slice(0, 3), 0));
      await mend(0);
      const gaining = [harness.openSink(), harness.openSink(), harness.openSink()];
      const loads = gaining.map((sink) => sink.load([0]));
      const [outcome] = await Promise.all([writer.write(toChunk(records.slice(3), 3)), ...loads]);
      assert.equal(outcome, 'written');
      for (const sink of gaining) await sink.load([0]);
      const last = harness.openSink();
      await last.load([0]);
      assert.deepEqual(await versions(), { red: 4 });
      assert.deepEqual(await parkedOffsets('room-red'), []);
      assert.equal(last.parkedStreams, 0);
    });

    it('PROJ-21 two may park one stream, where a foreign writer has put it into both partitions', async () => {
      const sinks = [harness.openSink(), harness.openSink()];
      const [record] = toRecords(harness.codec, twoRooms(1));
      assert.ok(record);
      const outcomes = await Promise.all(
        sinks.map(async (sink, partition) => {
          await sink.load([partition]);
          return sink.write(toChunk([faulty({ ...record, partition })], 0, partition));
        }),
      );
      assert.deepEqual(outcomes, ['written', 'written']);
      assert.deepEqual(await parkedOffsets('room-red'), [0, 0]);
    });
  });

  it('several processes may create the tables at once', async () => {
    const other = await openHistoryHarness();
    try {
      await Promise.all(Array.from({ length: 4 }, () => other.openSink().load([0, 1])));
      assert.deepEqual(
        await other.openSink().load([0, 1]),
        new Map([
          [0, 0],
          [1, 0],
        ]),
      );
    } finally {
      await other.close();
    }
  });

  describe('behind a proxy', () => {
    const opened: { close(): Promise<void> }[] = [];

    afterEach(async () => {
      for (const part of opened.splice(0).reverse()) await part.close();
    });

    it('PROJ-5 says that trying again helps while PostgreSQL is away', async () => {
      const url = new URL(stackEnv.databaseUrl());
      const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
      opened.push(proxy);
      url.host = `127.0.0.1:${proxy.port}`;
      const behind = await openHistoryHarness(url.href);
      opened.push(behind);
      const sink = behind.openSink();
      await sink.load([0, 1]);
      await proxy.refuse();
      const records = toRecords(behind.codec, twoRooms());
      await assert.rejects(sink.write(toChunk(records, 0)), { retryable: true });
      await proxy.accept();
      assert.equal(await sink.write(toChunk(records, 0)), 'written');
    });
  });
});
