import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type ChatEvent, EVENT_TYPES, type MessageSent } from '../../schemas/generated/events.ts';
import { type AvroRecord, loadEventSchemas } from '../../schemas/load.ts';
import { arbitraryEvent } from '../../tests/support/arbitraries.ts';
import { earlierEvents, goldenEvents, readGoldenBytes, readGoldenFiles } from '../../tests/support/golden-events.ts';
import type { LogBatch } from '../event-log.ts';
import { type Codec, openCodec } from './codec.ts';
import { decodeBatch } from './decode-batch.ts';
import { DecodeError, UnknownEventTypeError, UnknownSchemaError } from './decode-errors.ts';
import { folderSchemas } from './folder-schemas.ts';
import { type SchemaSource, SchemaSourceError } from './schema-source.ts';

const codec = await openCodec(folderSchemas());
const message = goldenEvents.MessageSent;

describe('the codec', () => {
  it('gives back every event as it was, as plain objects', () => {
    fc.assert(
      fc.property(arbitraryEvent, (event) => {
        // A clone, because what fast-check makes has no prototype.
        assert.deepEqual(codec.decode(codec.encode(event)), structuredClone(event));
      }),
    );
  });

  it('encodes events larger than its buffer', () => {
    const event: MessageSent = { ...message, text: '😀'.repeat(60_000) };
    assert.deepEqual(codec.decode(codec.encode(event)), event);
    assert.deepEqual(codec.decode(codec.encode(message)), message);
  });

  it('hands out bytes of their own, which a later event does not overwrite', () => {
    const first = codec.encode(message);
    codec.encode(goldenEvents.RoomCreated);
    assert.deepEqual(codec.decode(first), message);
  });

  it('refuses to encode what has not the shape of its event', () => {
    const { text: _, ...textless } = message;
    assert.throws(() => codec.encode(textless as MessageSent), /invalid "string"/);
  });

  for (const type of EVENT_TYPES) {
    it(`encodes ${type} to the bytes that lie in logs already, and decodes them`, () => {
      const bytes = Buffer.from(readGoldenBytes()[type] ?? '', 'hex');
      assert.deepEqual(codec.decode(bytes), goldenEvents[type]);
      assert.equal(codec.encode(goldenEvents[type]).toString('hex'), bytes.toString('hex'));
    });
  }

  for (const { file, bytes } of readGoldenFiles()) {
    it(`REPLAY-100 REPLAY-101 decodes all of ${file}, whatever was written since, to the events of today`, () => {
      const today: Record<string, ChatEvent> = { ...goldenEvents, ...earlierEvents[file] };
      for (const [type, hex] of Object.entries(bytes)) {
        assert.deepEqual(codec.decode(Buffer.from(hex, 'hex')), today[type], type);
      }
    });
  }

  it('REPLAY-101 never writes a superseded type', () => {
    const { metadata, roomId } = goldenEvents.RoomArchived;
    const superseded = { type: 'RoomDetailsChanged', metadata, roomId, name: 'Lobby', description: '' };
    assert.throws(() => codec.encode(superseded as unknown as ChatEvent), /no schema for RoomDetailsChanged/);
  });
});

describe('bytes that are no event', () => {
  const whole = codec.encode(message);

  it('are a value that says why, never an exception', () => {
    const reasonOf = (bytes: Buffer) => {
      const tried = codec.tryDecode(bytes);
      return 'undecodable' in tried ? tried.undecodable.reason : Object.keys(tried)[0];
    };
    assert.equal(reasonOf(Buffer.alloc(0)), 'not_framed');
    assert.equal(reasonOf(Buffer.from('{"text":"hello"}')), 'not_framed');
    assert.equal(reasonOf(whole.subarray(0, 5)), 'malformed');
    assert.equal(reasonOf(whole.subarray(0, -1)), 'malformed');
    assert.equal(reasonOf(Buffer.concat([whole, Buffer.of(0)])), 'malformed');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(whole.length), (noise, cut) => {
        codec.tryDecode(Buffer.from(noise));
        codec.tryDecode(Buffer.concat([whole.subarray(0, cut), noise]));
      }),
    );
  });

  it('are thrown by decode', () => {
    assert.throws(() => codec.decode(whole.subarray(0, 20)), DecodeError);
    assert.throws(
      () => codec.decode(withId(whole, 999)),
      (error) => {
        return error instanceof UnknownSchemaError && error.schemaId === 999;
      },
    );
  });
});

describe('what newer nodes write', () => {
  const newerId = 1_001;
  const strangerId = 1_002;
  const withNote = addField(schemaOf('MessageSent'), { name: 'note', type: ['null', 'string'], default: null });
  const stranger: AvroRecord = { ...schemaOf('RoomArchived'), name: 'RoomPainted' };
  const newer = avro.Type.forSchema(withNote as avro.Schema);
  const strange = avro.Type.forSchema(stranger as avro.Schema);
  const newerBytes = withId(Buffer.concat([Buffer.alloc(5), newer.toBuffer({ ...message, note: 'new' })]), newerId);
  const strangerBytes = withId(
    Buffer.concat([Buffer.alloc(5), strange.toBuffer(goldenEvents.RoomArchived)]),
    strangerId,
  );

  it('is read as our own version once its schema is learnt', async () => {
    const { codec: older } = await openLearning({ [newerId]: withNote });
    assert.deepEqual(older.tryDecode(newerBytes), { unknownSchema: newerId });
    await older.learn(newerId);
    assert.deepEqual(older.decode(newerBytes), message);
  });

  it('is passed over, not poison, when it is an event type that we do not have', async () => {
    const { codec: older } = await openLearning({ [strangerId]: stranger });
    await older.learn(strangerId);
    assert.deepEqual(older.tryDecode(strangerBytes), { unknownType: 'RoomPainted' });
    assert.throws(() => older.decode(strangerBytes), UnknownEventTypeError);
  });

  it('is poison when its schema cannot be read as ours', async () => {
    const changed = { ...schemaOf('MessageSent'), fields: [] };
    const { codec: older } = await openLearning({ [newerId]: changed });
    await older.learn(newerId);
    const tried = older.tryDecode(newerBytes);
    assert.equal('undecodable' in tried && tried.undecodable.reason, 'incompatible_schema');
  });

  it('is asked for once, by however many at a time, and a missing schema once in half a minute', async () => {
    const clock = { time: 0, now: () => clock.time };
    const { codec: older, asked } = await openLearning({ [newerId]: withNote }, clock);
    await Promise.all([older.learn(newerId), older.learn(newerId), older.learn(newerId)]);
    assert.deepEqual(asked, [newerId]);
    const missing = withId(newerBytes, 7_777);
    await older.learn(7_777);
    const tried = older.tryDecode(missing);
    assert.equal('undecodable' in tried && tried.undecodable.reason, 'no_such_schema');
    clock.time = 29_999;
    assert.ok('undecodable' in older.tryDecode(missing));
    clock.time = 30_000;
    assert.deepEqual(older.tryDecode(missing), { unknownSchema: 7_777 });
    assert.deepEqual(asked, [newerId, 7_777]);
  });

  it('keeps a bounded number of learnt ids and forgets the oldest', async () => {
    const { codec: older } = await openLearning({});
    for (let id = 10_000; id <= 11_000; id++) await older.learn(id);
    assert.ok('unknownSchema' in older.tryDecode(withId(newerBytes, 10_000)));
    assert.ok('undecodable' in older.tryDecode(withId(newerBytes, 10_001)));
  });

  it('comes out of decodeBatch in its place, beside poison and what is known', async () => {
    const { codec: older, asked } = await openLearning({ [newerId]: withNote, [strangerId]: stranger });
    const values = [
      older.encode(message),
      newerBytes,
      Buffer.from('poison'),
      strangerBytes,
      withId(newerBytes, 5),
      newerBytes,
    ];
    const decoded = await decodeBatch(older, batchOf(values));
    assert.deepEqual(
      decoded.records.map((one) =>
        'event' in one ? 'event' : 'unknownType' in one ? one.unknownType : one.undecodable.reason,
      ),
      ['event', 'event', 'not_framed', 'RoomPainted', 'malformed', 'event'],
    );
    assert.deepEqual(
      decoded.records.map(({ offset, key, appendedAt }) => ({ offset, key, appendedAt })),
      values.map((_, index) => ({ offset: index, key: 'room-1', appendedAt: index + 100 })),
    );
    assert.equal(decoded.nextOffset, values.length);
    assert.deepEqual(asked, [newerId, strangerId]);
  });

  it('fails as a whole, to be tried again, when the schema cannot be asked for now', async () => {
    const failing: SchemaSource = {
      ...folderSchemas(),
      find: () => Promise.reject(new SchemaSourceError('away', { cause: undefined, retryable: true })),
    };
    const older = await openCodec(failing);
    await assert.rejects(decodeBatch(older, batchOf([newerBytes])), SchemaSourceError);
    assert.deepEqual(older.tryDecode(newerBytes), { unknownSchema: newerId });
  });
});

describe('an older version of our own schema', () => {
  it('is read with the defaults of what it did not have yet', async () => {
    const newest = schemaOf('RoomCreated');
    const first = { ...newest, fields: newest.fields.filter(({ name }) => name !== 'description') };
    const source: SchemaSource = {
      load: async () => {
        const all = [...loadEventSchemas().values()].map((schema, index) => ({ id: index + 50, schema }));
        return [{ id: 49, schema: first }, ...all];
      },
      find: async () => null,
    };
    const today = await openCodec(source);
    const bytes = avro.Type.forSchema(first as avro.Schema).toBuffer(goldenEvents.RoomCreated);
    const event = today.decode(withId(Buffer.concat([Buffer.alloc(5), bytes]), 49));
    assert.deepEqual(event, { ...goldenEvents.RoomCreated, description: '' });
    assert.equal(today.encode(event).readInt32BE(1) > 49, true);
  });
});

describe('the schema folder', () => {
  it('knows the ids that are listed there and no others', async () => {
    const source = folderSchemas();
    const file = new URL('../../schemas/generated/versions.json', import.meta.url);
    const listed = JSON.parse(readFileSync(file, 'utf8')) as { id: number }[];
    assert.deepEqual(
      (await source.load()).map(({ id }) => id),
      listed.map(({ id }) => id),
    );
    assert.equal(await source.find(999), null);
  });
});

async function openLearning(
  findable: Record<number, AvroRecord>,
  clock?: { now(): number },
): Promise<{ codec: Codec; asked: number[] }> {
  const asked: number[] = [];
  const source: SchemaSource = {
    ...folderSchemas(),
    find: async (id) => {
      asked.push(id);
      return findable[id] ?? null;
    },
  };
  return { codec: await openCodec(source, clock), asked };
}

function schemaOf(type: string): AvroRecord {
  const schema = loadEventSchemas().get(type);
  assert.ok(schema);
  return schema;
}

function addField(schema: AvroRecord, field: AvroRecord['fields'][number]): AvroRecord {
  return { ...schema, fields: [...schema.fields, field] };
}

function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeInt32BE(id, 1);
  return copy;
}

function batchOf(values: Buffer[]): LogBatch {
  const records = values.map((value, index) => ({ offset: index, key: 'room-1', value, appendedAt: index + 100 }));
  return { partition: 3, records, nextOffset: values.length, head: values.length };
}
