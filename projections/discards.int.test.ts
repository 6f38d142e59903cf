import assert from 'node:assert/strict';
import avro from 'avsc';
import { after, before, beforeEach, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { readSchemaVersions } from '../event-log/codec/folder-schemas.ts';
import { until } from '../event-log/contract/log-probe.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { systemClock } from '../platform/clock.ts';
import { createMetrics } from '../platform/metrics.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { EVENT_NAMESPACE } from '../schemas/load.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import {
  type HistoryHarness,
  openHistoryHarness,
  silent,
  toChunk,
  toRecords,
} from '../tests/support/history-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { createTables } from './create-tables.ts';
import { type Decode, decodeWith } from './decode-records.ts';
import { discardParked } from './discard-parked.ts';
import { createHistoryProjection } from './history/history-projection.ts';
import { createProjectionMetrics } from './metrics.ts';
import { selectParkedStreams } from './parking.ts';
import { PostgresSink } from './postgres-sink.ts';
import { Projector } from './projector.ts';
import { type RetryDeps, retryParked } from './retry-parked.ts';
import type { ProjectedRecord } from './sink.ts';

const STRANGER_ID = 9_999;
const STRANGER = { type: 'record', name: 'RoomPainted', namespace: EVENT_NAMESPACE, fields: [] } as const;
const RED = 'room-red';

describe('records that can never be projected', () => {
  let harness: HistoryHarness;
  let decode: Decode;
  let deps: RetryDeps;
  let historySchema: string;

  before(async () => {
    harness = await openHistoryHarness();
    await harness.openSink().load([0, 1]);
    historySchema = [...harness.schemas.keys()][0] ?? '';
    const stranger = { id: STRANGER_ID, schema: { ...STRANGER, doc: '', fields: [] } };
    const codec = await openCodec({
      load: async () => [...readSchemaVersions(), stranger],
      find: async () => null,
    });
    decode = decodeWith(codec);
    deps = { tables: harness.tables, projection: createHistoryProjection(historySchema), decode };
  });

  after(() => harness.close());
  beforeEach(() => harness.clear());

  const unknownType = (): Buffer => {
    const bytes = Buffer.concat([
      Buffer.alloc(5),
      avro.Type.forSchema(STRANGER as unknown as avro.Schema).toBuffer({}),
    ]);
    bytes.writeInt32BE(STRANGER_ID, 1);
    return bytes;
  };

  /** Two rooms by turns, red at even offsets; each has four events. Bytes that are given take the place of what lies there. */
  async function log(bytesByOffset: Record<number, Buffer | null> = {}): Promise<ProjectedRecord[]> {
    const rooms = ['red', 'green'].map(roomHistory);
    const events: ChatEvent[] = [];
    for (let offset = 0; events.length < 8; offset++) {
      const room = rooms[offset % 2];
      assert.ok(room);
      events.push(room.next('ada', room.version === 0 ? made.room() : made.said(`${offset}`)));
    }
    const records = toRecords(harness.codec, events);
    return decoded(insert(records, bytesByOffset));
  }

  /** Records of red that are none of its events come between its second and third one; null takes the second one away. */
  function insert(records: ProjectedRecord[], bytesByOffset: Record<number, Buffer | null>): ProjectedRecord[] {
    const strays = Object.values(bytesByOffset).filter((value) => value !== null);
    const kept = bytesByOffset[2] === null ? records.filter(({ record }) => record.offset !== 2) : records;
    const inserted = strays.map((value) => ({
      partition: 0,
      record: { offset: 0, key: RED, value, appendedAt: 1 },
      content: { fault: 'not decoded yet' },
    }));
    const all = [...kept.slice(0, 3), ...inserted, ...kept.slice(3)];
    return all.map((one, offset) => ({ ...one, record: { ...one.record, offset } }));
  }

  async function decoded(records: ProjectedRecord[]): Promise<ProjectedRecord[]> {
    const contents = await decode(records.map(({ record }) => record));
    return records.map((record, at) => ({ ...record, content: contents[at] ?? { fault: 'not decoded' } }));
  }

  async function project(records: ProjectedRecord[]): Promise<void> {
    const sink = harness.openSink();
    await sink.load([0]);
    for (const record of records) {
      assert.equal(await sink.write(toChunk([record], record.record.offset)), 'written');
    }
  }

  async function versions(schema = historySchema): Promise<Record<string, number>> {
    const { rows } = await harness.db.raw<{ rows: { room_id: string; version: string }[] }>(
      `select room_id, version from "${schema}".rooms`,
    );
    return Object.fromEntries(rows.map(({ room_id, version }) => [room_id, Number(version)]));
  }

  const wish = { stream: RED, offset: null, by: 'ada', atMs: 5, isTrial: false };
  const parked = () => selectParkedStreams(harness.db, deps.tables, deps.projection, null);

  const strays = { 'garbage bytes': Buffer.from('garbage'), 'an unknown type': unknownType() };
  for (const [name, bytes] of Object.entries(strays)) {
    it(`PROJ-24 PROJ-26 ${name} park one room alone, which goes on when they are discarded`, async () => {
      await project(await log({ 3: bytes }));
      assert.deepEqual(await versions(), { red: 2, green: 4 });
      const retried = await retryParked(harness.db, deps, RED);
      assert.ok(retried.kind === 'staysParked');
      assert.deepEqual([retried.fault.kind, retried.fault.record.offset, retried.projected], ['unreadable', 3, 0]);
      const outcome = await discardParked(harness.db, deps, wish);
      assert.ok(outcome.kind === 'discarded');
      assert.deepEqual(outcome.rest, { kind: 'goesOn', projected: 2 });
      assert.deepEqual(await versions(), { red: 4, green: 4 });
      assert.deepEqual(await parked(), []);
      const { rows } = await harness.db.raw(`select * from ${deps.tables.discardedRecords}`);
      const [{ reason, ...row }] = rows as [Record<string, unknown>];
      assert.deepEqual(row, {
        projection: 'history',
        version: 1,
        partition: 0,
        offset: '3',
        stream: RED,
        value: bytes,
        discarded_by: 'ada',
        discarded_at_ms: '5',
      });
      assert.match(String(reason), /cannot be decoded|no event type RoomPainted/);
    });
  }

  it('PROJ-24 an event behind a gap can be discarded, and what still has the gap stays parked', async () => {
    await project(await log({ 2: null }));
    assert.deepEqual(await versions(), { red: 1, green: 4 });
    const outcome = await discardParked(harness.db, deps, wish);
    assert.ok(outcome.kind === 'discarded' && outcome.rest.kind === 'staysParked');
    assert.deepEqual([outcome.fault.kind, outcome.fault.record.offset], ['outOfOrder', 3]);
    assert.equal(outcome.rest.fault.record.offset, 5);
    const [stream] = await parked();
    assert.deepEqual(
      [stream?.firstOffset, stream?.records, stream?.reason],
      [5, 1, 'UnprojectableError: version 4 follows 1'],
    );
  });

  it('PROJ-25 a retry projects what comes before the record at fault, and parks from there on', async () => {
    const records = await log({ 3: Buffer.from('garbage'), 4: Buffer.from('more garbage') });
    await project(records);
    const first = records[3]?.record.value;
    assert.ok(first);
    // What parked the stream turns out to be readable, what follows does not: as with a build that knows more.
    const mended: Decode = async (all) =>
      (await decode(all)).map((content, at) => (all[at]?.value.equals(first) ? { event: roomAt(2) } : content));
    const retried = await retryParked(harness.db, { ...deps, decode: mended }, RED);
    assert.ok(retried.kind === 'staysParked');
    assert.deepEqual([retried.projected, retried.fault.record.offset], [1, 4]);
    const [stream] = await parked();
    assert.deepEqual([stream?.firstOffset, stream?.records], [4, 3]);
    // What comes now is put aside still.
    const last = roomHistory('red');
    const late = Array.from({ length: 5 }, (_, at) => last.next('ada', at === 0 ? made.room() : made.said('late')));
    const sink = harness.openSink();
    await sink.load([0]);
    await sink.write(toChunk(toRecords(harness.codec, late.slice(4), 10), 10));
    assert.equal((await parked())[0]?.records, 4);
  });

  /** An event that red has already. */
  function roomAt(version: number): ChatEvent {
    const room = roomHistory('red');
    let event = room.next('ada', made.room());
    while (room.version < version) event = room.next('ada', made.said('again'));
    return event;
  }

  it('PROJ-26 an event that follows is never discarded, nor one behind the fault', async () => {
    const room = roomHistory('red');
    const events = [
      room.next('ada', made.room()),
      room.next('ada', made.said('a NUL \0 that no column takes')),
      room.next('ada', made.said('fine')),
    ];
    await project(await decoded(toRecords(harness.codec, events)));
    assert.deepEqual(await discardParked(harness.db, deps, wish), { kind: 'isEvent' });
    assert.deepEqual(await discardParked(harness.db, deps, { ...wish, offset: 2 }), { kind: 'isEvent' });
    assert.deepEqual(await discardParked(harness.db, deps, { ...wish, offset: 9 }), { kind: 'noSuchRecord' });
    assert.deepEqual(await discardParked(harness.db, deps, { ...wish, stream: 'room-blue' }), { kind: 'notParked' });
    assert.equal((await parked())[0]?.records, 2);
    assert.deepEqual((await harness.db.raw(`select * from ${deps.tables.discardedRecords}`)).rows, []);
  });

  it('PROJ-26 a trial says the same and changes nothing', async () => {
    await project(await log({ 3: Buffer.from('garbage') }));
    const before = [await harness.allRows(), await parked()];
    const trial = await discardParked(harness.db, deps, { ...wish, isTrial: true });
    assert.deepEqual([await harness.allRows(), await parked()], before);
    assert.deepEqual(trial, await discardParked(harness.db, deps, wish));
  });

  it('PROJ-25 of retries and discards at once each record gets in once', async () => {
    await project(await log({ 3: Buffer.from('garbage') }));
    const outcomes = await Promise.all([
      ...Array.from({ length: 3 }, () => retryParked(harness.db, deps, RED)),
      ...Array.from({ length: 2 }, () => discardParked(harness.db, deps, wish)),
    ]);
    const kinds = outcomes.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'discarded').length, 1, kinds.join());
    assert.deepEqual(await versions(), { red: 4, green: 4 });
    assert.deepEqual(await parked(), []);
  });

  it('PROJ-27 every fold passes over what was discarded: tables that are built anew are the same', async () => {
    const records = await log({ 3: Buffer.from('garbage'), 4: unknownType() });
    await project(records);
    await discardParked(harness.db, deps, wish);
    const outcome = await discardParked(harness.db, deps, wish);
    assert.ok(outcome.kind === 'discarded' && outcome.rest.kind === 'goesOn');
    const shadow = `${historySchema}_b2`;
    const tables = new URL('./history/create-tables.sql', import.meta.url);
    try {
      const projection = { ...createHistoryProjection(shadow), name: 'history#2' };
      const sink = new PostgresSink({
        db: harness.db,
        projection,
        prepare: () => createTables(harness.db, [{ schema: shadow, file: tables }]),
        bookkeepingSchema: [...harness.schemas.keys()][1] ?? '',
        partitions: 2,
        decode,
        clock: systemClock,
        logger: silent,
        metrics: createProjectionMetrics(createMetrics()),
        maxParkedStreams: 10,
      });
      await sink.load([0]);
      assert.equal(await sink.write(toChunk(records, 0)), 'written');
      assert.equal(sink.parkedStreams, 0);
      assert.deepEqual(await versions(shadow), await versions());
      assert.deepEqual(await versions(shadow), { red: 4, green: 4 });
    } finally {
      await harness.db.raw('drop schema if exists ?? cascade', [shadow]);
    }
  });

  it('PROJ-5 PROJ-6 a projector whose PostgreSQL is away parks nothing, and tries again for ever', async () => {
    const url = new URL(stackEnv.databaseUrl());
    const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    url.host = `127.0.0.1:${proxy.port}`;
    const behind = await openHistoryHarness(url.href);
    const store = new MemoryStore(1);
    const { log: eventLog } = openMemoryEventLog(store);
    const metrics = createProjectionMetrics(createMetrics());
    let retries = 0;
    const projector = new Projector({
      name: 'history',
      log: eventLog,
      decode: decodeWith(behind.codec),
      sink: behind.openSink({ partitions: 1 }),
      maxRecords: 100,
      logger: silent,
      metrics: {
        ...metrics,
        retried: () => {
          retries += 1;
        },
      },
    });
    const running = projector.run();
    const room = roomHistory('red');
    const append = (event: ChatEvent): void => {
      store.append(0, store.head(0), [{ key: event.metadata.stream, value: behind.codec.encode(event) }]);
    };
    const isProjected = async (): Promise<boolean> => (await behind.queries.checkpoints()).get(0) === store.head(0);
    try {
      append(room.next('ada', made.room()));
      await until('it is projected', () => isProjected().catch(() => false));
      await proxy.refuse();
      append(room.next('ada', made.said('while it is away')));
      await until('it has tried again and again', async () => retries >= 4);
      await proxy.accept();
      await until('it is projected', () => isProjected().catch(() => false));
      assert.equal((await behind.queries.roomSnapshot('red'))?.version, 2);
      assert.deepEqual((await behind.db.raw(`select * from ${behind.tables.parkedStreams}`)).rows, []);
    } finally {
      await projector.stop();
      await running;
      await eventLog.close();
      await behind.close();
      await proxy.close();
    }
  });
});
