// The codec on a real schema registry.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import avro from 'avsc';
import { describe, it } from 'mocha';
import { EVENT_TYPES } from '../../schemas/generated/events.ts';
import { SUPERSEDED_TYPES } from '../../schemas/generated/superseded-events.ts';
import { type AvroRecord, EVENT_NAMESPACE, loadEventSchemas } from '../../schemas/load.ts';
import { goldenEvents } from '../../tests/support/golden-events.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openCodec } from './codec.ts';
import { decodeBatch } from './decode-batch.ts';
import { registrySchemas } from './registry-schemas.ts';
import { SchemaSourceError } from './schema-source.ts';

describe('schemas in a registry', () => {
  it('are registered under <topic>-<record name>, each subject FULL_TRANSITIVE before anything is in it', async () => {
    const topic = freshTopic();
    await registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic }).load();
    const subjects = (await ask<string[]>('GET', '/subjects')).body.filter((name) => name.startsWith(`${topic}-`));
    const types = [...EVENT_TYPES, ...SUPERSEDED_TYPES];
    assert.deepEqual(subjects.sort(), types.map((type) => subjectOf(topic, type)).sort());
    for (const subject of subjects) {
      const { body } = await ask<{ compatibilityLevel: string }>('GET', `/config/${subject}`);
      assert.equal(body.compatibilityLevel, 'FULL_TRANSITIVE');
    }
  });

  it('keep their ids over restarts and between nodes that start at the same moment', async () => {
    const source = () => registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic });
    const topic = freshTopic();
    const [first, second] = await Promise.all([source().load(), source().load()]);
    assert.deepEqual(first, second);
    assert.deepEqual(await source().load(), first);
  });

  it('give the id that stands in the bytes, under which the registry has the schema as it is in the folder', async () => {
    const topic = freshTopic();
    const codec = await openCodec(registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic }));
    for (const event of Object.values(goldenEvents)) {
      const bytes = codec.encode(event);
      const { body } = await ask<{ schema: string }>('GET', `/schemas/ids/${bytes.readInt32BE(1)}`);
      assert.deepEqual(JSON.parse(body.schema), loadEventSchemas().get(event.type));
      assert.deepEqual(codec.decode(bytes), event);
    }
  });

  it('of newer nodes are learnt: a new field is dropped, a new event type passed over, an id of nobody is poison', async () => {
    const topic = freshTopic();
    const codec = await openCodec(registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic }));
    const message = schemaOf('MessageSent');
    const newer = {
      ...message,
      fields: [...message.fields, { name: 'note', type: ['null', 'string'], default: null }],
    };
    const painted = { ...schemaOf('RoomArchived'), name: 'RoomPainted' };
    const values = [
      await encodeNewer(topic, 'MessageSent', newer, { ...goldenEvents.MessageSent, note: 'from the future' }),
      await encodeNewer(topic, 'RoomPainted', painted, goldenEvents.RoomArchived),
      Buffer.concat([framed(2_000_000_000), Buffer.from('nonsense')]),
      codec.encode(goldenEvents.MessageSent),
    ];
    const records = values.map((value, offset) => ({ offset, key: 'room-1', value, appendedAt: 0 }));
    const decoded = await decodeBatch(codec, { partition: 0, records, nextOffset: 4, head: 4 });
    const [fromNewer, fromStranger, fromNobody, own] = decoded.records;
    assert.ok(fromNewer && 'event' in fromNewer && own && 'event' in own);
    assert.deepEqual(fromNewer.event, goldenEvents.MessageSent);
    assert.deepEqual(own.event, goldenEvents.MessageSent);
    assert.ok(fromStranger && 'unknownType' in fromStranger && fromStranger.unknownType === 'RoomPainted');
    assert.ok(fromNobody && 'undecodable' in fromNobody && fromNobody.undecodable.reason === 'no_such_schema');
  });

  it('that contradict what the subject holds are refused for good', async () => {
    const topic = freshTopic();
    const subject = subjectOf(topic, 'MessageSent');
    const other = { ...schemaOf('MessageSent'), fields: [{ name: 'text', type: 'long' }] };
    await ask('PUT', `/config/${subject}`, { compatibility: 'FULL_TRANSITIVE' });
    assert.equal((await ask('POST', `/subjects/${subject}/versions`, { schema: JSON.stringify(other) })).status, 200);
    await assert.rejects(
      openCodec(registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic })),
      (error) => error instanceof SchemaSourceError && !error.retryable && error.message.includes(subject),
    );
  });

  it('of a registry that cannot be reached, or fails, are a fault that passes', async () => {
    const failing = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () =>
        socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
      );
    });
    await new Promise<void>((resolve) => failing.listen(0, '127.0.0.1', resolve));
    const address = failing.address();
    assert.ok(address && typeof address === 'object');
    for (const url of ['http://127.0.0.1:1', `http://127.0.0.1:${address.port}`]) {
      const source = registrySchemas({ url, topic: 'nowhere' });
      const passes = (error: unknown) => error instanceof SchemaSourceError && error.retryable;
      await assert.rejects(source.load(), passes);
      await assert.rejects(source.find(1), passes);
    }
    failing.close();
  });
});

function freshTopic(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

function subjectOf(topic: string, type: string): string {
  return `${topic}-${EVENT_NAMESPACE}.${type}`;
}

function schemaOf(type: string): AvroRecord {
  const schema = loadEventSchemas().get(type);
  assert.ok(schema);
  return schema;
}

function framed(id: number): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return header;
}

/** As another build would do it: registers its schema and writes with it. */
async function encodeNewer(topic: string, type: string, schema: object, event: object): Promise<Buffer> {
  const path = `/subjects/${subjectOf(topic, type)}/versions`;
  const { status, body } = await ask<{ id: number }>('POST', path, { schema: JSON.stringify(schema) });
  assert.equal(status, 200, JSON.stringify(body));
  return Buffer.concat([framed(body.id), avro.Type.forSchema(schema as avro.Schema).toBuffer(event)]);
}

async function ask<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await fetch(`${stackEnv.schemaRegistryUrl()}${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as T };
}
